//! Every resource type, field by field: each field that can change has a row, with the line of `platform.toml` or the call of
//! boto3 that changes it, how a plan shows it, and how boto3 sees it before, meanwhile and afterwards. A type or a field
//! without a row is a failure (see `complete`).
//!
//! The rows are carried out in batches: all lines of a round stand in the file at once, all calls are made one after the
//! other, and one apply does or undoes them all.

mod cache;
mod cluster;
mod complete;
mod costs;
mod database;
mod gone;
mod kubernetes;
mod load_balancer;
mod network;
mod replaced;
mod row;
mod security;
mod storage;

use bedplate_tests::{Cloud, Plan, Project};
use row::{Ids, Row, Way};
use std::collections::BTreeSet;

fn rows(ids: &dyn Ids) -> Vec<Row> {
    // The key last: what is encrypted with it cannot be read while it is off.
    let layers = [
        network::rows,
        cluster::rows,
        kubernetes::rows,
        load_balancer::rows,
        database::rows,
        cache::rows,
        storage::rows,
        costs::rows,
        security::rows,
    ];
    layers.into_iter().flat_map(|rows| rows(ids)).collect()
}

fn addresses(plan: &Plan, action: &str) -> BTreeSet<String> {
    plan.with(action).into_iter().map(str::to_owned).collect()
}

#[test]
fn settings_change_every_field_and_go_back() {
    let cloud = Cloud::start();
    let project = Project::new(&cloud);
    project.bootstrap();
    let rows = rows(&project);
    let of = |wanted: u8| -> Vec<&Row> {
        rows.iter().filter(|row| matches!(row.way, Way::Setting { round, .. } if round == wanted)).collect()
    };
    let (first, second) = (of(1), of(2));
    let both: Vec<&Row> = first.iter().chain(&second).copied().collect();
    row::assert_told(&cloud, &both, true);

    project.configure(&row::settings(&first));
    let plan = project.plan();
    row::assert_planned(&plan, &first, &rows, false, false);
    // What comes with a log more, a node more, and another port.
    assert_eq!(
        addresses(&plan, "create"),
        ["database/log-group/instance", "monitoring/alarm/cache-memory-3"].map(str::to_owned).into()
    );
    assert_eq!(addresses(&plan, "replace"), ["network/rule/database-from-cluster"].map(str::to_owned).into());
    assert_eq!(addresses(&plan, "delete"), BTreeSet::new());
    project.apply();
    row::assert_told(&cloud, &first, false);
    row::assert_told(&cloud, &second, true);
    project.assert_no_changes();

    // What leaves the file goes back, also where the update itself would merge.
    project.configure(&row::settings(&second));
    project.apply();
    row::assert_told(&cloud, &second, false);
    project.assert_no_changes();

    project.configure("");
    row::assert_planned(&project.plan(), &second, &rows, true, false);
    project.apply();
    row::assert_told(&cloud, &both, true);
    project.assert_no_changes();
}

#[test]
fn what_was_changed_behind_our_back_is_put_back() {
    let cloud = Cloud::start();
    let project = Project::new(&cloud);
    project.bootstrap();
    let rows = rows(&project);
    let behind: Vec<&Row> = rows.iter().filter(|row| !matches!(row.way, Way::Setting { .. })).collect();
    row::assert_told(&cloud, &behind, true);
    for row in &behind {
        if let Way::Behind(act) = &row.way {
            act(&cloud);
        }
    }
    row::assert_told(&cloud, &behind, false);

    let plan = project.plan();
    row::assert_planned(&plan, &behind, &rows, true, true);
    let changed: BTreeSet<String> = behind.iter().map(|row| row.address.clone()).collect();
    assert_eq!(addresses(&plan, "update"), changed);
    assert_eq!(plan.changes().len(), changed.len(), "{:#}", plan.0["changes"]);
    row::assert_drift_shows(&project, &plan);

    project.run(&["drift", "--repair", "--yes"]).ok();
    row::assert_told(&cloud, &behind, true);
    // The password that RDS manages again is in a new secret, whose name nobody knew before.
    let plan = project.plan();
    assert_eq!(plan.changes().into_keys().collect::<Vec<_>>(), ["security/role/app"], "{:#}", plan.0["changes"]);
    project.apply();
    project.assert_no_changes();
    project.run(&["drift"]).exits(0);
}
