//! The data tiers, monitoring and cost governance after `bootstrap` of the five lines: setting by setting as `platform.md`
//! has them, read back with boto3. What scalers and operators move stays; what nobody may move is put back.
//!
//! The tests of the rows only read, so they share one cloud. `moved` and `drift` have clouds of their own.

mod cache;
mod costs;
mod database;
mod drift;
mod load_balancer;
mod monitoring;
mod moved;
mod secrets;
mod sessions;
mod storage;

use bedplate_tests::{Cloud, JsonExt, Project, Run};
use serde_json::{Value, json};
use std::{collections::BTreeSet, sync::LazyLock};

const ACCOUNT: &str = "797923187401";
const OWNER: &str = "team-platform@yourcompany.com";
const TOPIC: &str = "arn:aws:sns:us-east-1:797923187401:fintechglobal-cost-alerts";

/// What one bootstrap left.
struct Built {
    cloud: Cloud,
    project: Project,
    /// With everything that it says, for the search for secrets in it.
    run: Run,
}

// Its cloud ends with this process.
static BUILT: LazyLock<Built> = LazyLock::new(|| {
    let cloud = Cloud::start();
    let project = Project::new(&cloud);
    let run = project.run(&["bootstrap", "--yes", "--json", "-v"]).ok();
    Built { cloud, project, run }
});

fn call(service: &str, operation: &str, arguments: Value) -> Value {
    BUILT.cloud.call(service, operation, arguments)
}

/// The ARN of the key that everything is under.
fn key() -> String {
    call("kms", "describe_key", json!({"KeyId": "alias/fintech-data-key"}))["KeyMetadata"].text("Arn").to_owned()
}

fn id(address: &str) -> String {
    BUILT.project.id(address)
}

fn data_subnets() -> BTreeSet<String> {
    ["a", "b"].map(|letter| id(&format!("network/subnet/data-{letter}"))).into()
}

/// That an object has these fields with these values, among others.
#[track_caller]
fn assert_has(actual: &Value, expected: Value) {
    for (field, value) in expected.as_object().expect("fields") {
        assert_eq!(&actual[field], value, "{field} in {actual:#}");
    }
}

/// The statement of a policy with this `Sid`, with single items in place of lists of one.
#[track_caller]
fn statement(policy: &str, sid: &str) -> Value {
    let policy: Value = serde_json::from_str::<Value>(policy).expect("a policy is JSON");
    let found = policy.list("Statement").iter().find(|statement| statement["Sid"] == sid);
    found.unwrap_or_else(|| panic!("no statement {sid} in {policy:#}")).plain()
}

/// The scalable target of a dimension and its one policy.
fn scaler(namespace: &str, dimension: &str) -> (Value, Value) {
    let of = json!({"ServiceNamespace": namespace, "ScalableDimension": dimension});
    let targets = call("application-autoscaling", "describe_scalable_targets", of.clone());
    let policies = call("application-autoscaling", "describe_scaling_policies", of);
    assert_eq!((targets.list("ScalableTargets").len(), policies.list("ScalingPolicies").len()), (1, 1));
    (targets["ScalableTargets"][0].clone(), policies["ScalingPolicies"][0].clone())
}
