//! SNS: topics and who gets their messages.

mod subscription;
mod topic;

pub use subscription::{Subscription, SubscriptionOutputs, SubscriptionSpec};
pub use topic::{Topic, TopicOutputs, TopicSpec};
