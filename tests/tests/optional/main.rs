//! What a platform has on request only: the cost and usage report, and policies of the organization. Off, on, changed,
//! changed back, changed by others, off again; read back with boto3.

mod organization;
mod report;

use bedplate_tests::{Cloud, Project};

/// A platform with as little else as it can have.
fn project(cloud: &Cloud, settings: &str) -> Project {
    Project::network_and_cluster(cloud, &format!("{SMALL}{settings}"))
}

/// Without a cluster and what it needs.
const SMALL: &str = "[cluster]\nenabled = false\n";
