//! `bootstrap` of the five lines: what exists afterwards, setting by setting, and that a second run changes nothing.
//!
//! The tests here only read, so they share one cloud. What is expected is written as `platform.md` has it and read back
//! with boto3.

mod calls;
mod cluster;
mod inventory;
mod network;
mod repeated;
mod security;

use bedplate_tests::{Cloud, Inventory, Project, Run};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

/// What one bootstrap left.
struct Built {
    cloud: Cloud,
    project: Project,
    before: Inventory,
    run: Run,
    /// Under which ids the cloud answered the calls that change something.
    request_ids: BTreeMap<String, BTreeSet<String>>,
}

// Its cloud ends with this process.
static BUILT: LazyLock<Built> = LazyLock::new(|| {
    let cloud = Cloud::start();
    let project = Project::new(&cloud);
    let before = cloud.inventory();
    let run = project.run(&["bootstrap", "--yes", "--json"]).ok();
    let request_ids = cloud.request_ids();
    Built { cloud, project, before, run, request_ids }
});

/// Tags that everything carries.
const TAGS: [(&str, &str); 4] = [
    ("Environment", "production"),
    ("Project", "fintechglobal"),
    ("Owner", "team-platform@yourcompany.com"),
    ("bedplate:stack", bedplate_tests::STACK),
];
