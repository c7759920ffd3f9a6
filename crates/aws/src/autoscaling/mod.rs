//! EC2 Auto Scaling: what is attached to the groups of instances that other services make.

mod traffic_source;

pub use traffic_source::{TrafficSource, TrafficSourceOutputs, TrafficSourceSpec};
