//! S3: buckets with all their settings.

mod bucket;
mod objects;
mod rules;

pub use bucket::{Bucket, BucketOutputs, BucketSpec};
pub use objects::empty;
pub use rules::{LifecycleRule, TieringRule};
