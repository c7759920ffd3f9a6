//! What others move on purpose is left as it is: capacity by its scaler, a secret's value by the operator.

use bedplate_tests::{Cloud, JsonExt, Project, changed};
use serde_json::{Value, json};

const CLUSTER: &str = "fintechglobal-aurora-cluster";

/// Without what takes long and has no part in it.
const DATABASE_AND_SESSIONS: &str = "[cluster]\nenabled = false\n[cache]\nenabled = false\n";
const SESSIONS: &str = "[cluster]\nenabled = false\n[cache]\nenabled = false\n[database]\nenabled = false\n";

fn move_capacity(cloud: &Cloud, read: u32, write: u32) {
    let throughput = json!({"ReadCapacityUnits": read, "WriteCapacityUnits": write});
    let table = json!({"TableName": "fintech-sessions", "ProvisionedThroughput": throughput});
    cloud.call("dynamodb", "update_table", table);
    cloud.advance(60);
}

fn capacity(cloud: &Cloud) -> [Value; 2] {
    let table = cloud.call("dynamodb", "describe_table", json!({"TableName": "fintech-sessions"}));
    ["ReadCapacityUnits", "WriteCapacityUnits"].map(|field| table["Table"]["ProvisionedThroughput"][field].clone())
}

#[test]
fn capacity_inside_its_range_is_no_drift() {
    let cloud = Cloud::start();
    let project = Project::with(&cloud, SESSIONS);
    project.bootstrap();

    move_capacity(&cloud, 60, 100);
    project.assert_no_changes();
    project.run(&["drift"]).exits(0);
    // Another change of the table, by the same call, does not move it either.
    project.configure(&format!("{SESSIONS}[sessions]\ndeletion_protection = false"));
    project.apply();
    assert_eq!(capacity(&cloud), [json!(60), json!(100)]);
    project.assert_no_changes();

    project.configure(SESSIONS);
    project.apply();
    move_capacity(&cloud, 101, 4);
    let plan = project.plan();
    let fields = [("read_capacity", json!(101), json!(5)), ("write_capacity", json!(4), json!(5))];
    plan.assert_drift("sessions/table", "update", &fields);
    assert_eq!(plan.changes().len(), 1, "{:#}", plan.0["changes"]);
    project.run(&["drift"]).exits(2);
    project.apply();
    assert_eq!(capacity(&cloud), [json!(5), json!(5)]);
    project.assert_no_changes();

    // Without the scaler nobody but us moves it.
    project.configure(&format!("{SESSIONS}[sessions]\nautoscaling = {{ enabled = false }}"));
    project.apply();
    move_capacity(&cloud, 60, 5);
    project.plan().assert_drift("sessions/table", "update", &[("read_capacity", json!(60), json!(5))]);
    project.apply();
    assert_eq!(capacity(&cloud), [json!(5), json!(5)]);
}

#[test]
fn readers_that_scaling_added_are_no_drift_and_go_with_the_cluster() {
    let cloud = Cloud::start();
    let project = Project::with(&cloud, DATABASE_AND_SESSIONS);
    project.bootstrap();
    // As Application Auto Scaling makes them.
    for number in 1..=2 {
        let reader = json!({
            "DBInstanceIdentifier": format!("application-autoscaling-{number}"),
            "DBClusterIdentifier": CLUSTER,
            "Engine": "aurora-postgresql",
            "DBInstanceClass": "db.r6g.large",
            "PromotionTier": 15,
            "Tags": [{"Key": "application-autoscaling:resourceId", "Value": format!("cluster:{CLUSTER}")}],
        });
        cloud.call("rds", "create_db_instance", reader);
    }
    cloud.advance(600);
    let members = || cloud.call("rds", "describe_db_clusters", json!({}))["DBClusters"][0]["DBClusterMembers"].clone();
    assert_eq!(members().as_array().map(Vec::len), Some(4));
    project.assert_no_changes();
    project.run(&["drift"]).exits(0);
    project.run(&["bootstrap", "--yes"]).ok();
    assert_eq!(members().as_array().map(Vec::len), Some(4));

    // Without the scaler nobody would take them away again.
    project.configure(&format!("{DATABASE_AND_SESSIONS}[database]\nautoscaling = {{ enabled = false }}"));
    let plan = project.plan();
    assert_eq!(plan.changes()["database/cluster"], changed("update", &[("scaled_readers", json!(2), json!(0))]));
    assert_eq!(plan.with("delete"), ["database/scaling", "database/scaling-policy"].into());
    project.apply();
    assert_eq!(members().as_array().map(Vec::len), Some(2));
    project.assert_no_changes();
    let reader = json!({
        "DBInstanceIdentifier": "application-autoscaling-3",
        "DBClusterIdentifier": CLUSTER,
        "Engine": "aurora-postgresql",
        "DBInstanceClass": "db.r6g.large",
    });
    cloud.call("rds", "create_db_instance", reader);
    cloud.advance(600);
    project.plan().assert_drift("database/cluster", "update", &[("scaled_readers", json!(1), json!(0))]);

    project.run(&["destroy", "--yes", "--lift-protection"]).ok();
    let left = cloud.inventory();
    assert!(!left.contains_key("rds.instance") && !left.contains_key("rds.cluster"), "{left:?}");
}

#[test]
fn a_new_password_is_rotated_in() {
    let cloud = Cloud::start();
    let project = Project::with(&cloud, "[cluster]\nenabled = false\n[database]\nenabled = false");
    project.bootstrap();
    let secret = json!({"SecretId": "fintech/redis-auth", "SecretString": "TheOperatorsNewPassword0123456789"});
    let version = cloud.call("secretsmanager", "put_secret_value", secret)["VersionId"].clone();
    let group = || {
        let id = json!({"ReplicationGroupId": "fintechglobal-redis-cluster"});
        cloud.call("elasticache", "describe_replication_groups", id)["ReplicationGroups"][0].clone()
    };
    let before = group()["AuthTokenLastModifiedDate"].clone();
    let plan = project.plan();
    assert_eq!(plan.with("update"), ["cache/redis"].into(), "the secret itself is as it shall be");
    let fields = plan.change("cache/redis").list("fields");
    assert_eq!((fields.len(), &fields[0]["path"], &fields[0]["after"]), (1, &json!("auth_version"), &version));
    cloud.reset_calls();
    let run = project.run(&["apply", "--yes", "-v", "--json"]).ok();
    assert!(!format!("{run}").contains("TheOperatorsNewPassword"), "{run}");
    // ROTATE takes it beside the old one, SET leaves it alone.
    assert_eq!(cloud.calls()["elasticache:ModifyReplicationGroup"], 2);
    assert_ne!(group()["AuthTokenLastModifiedDate"], before);
    project.assert_no_changes();
}

#[test]
fn the_operators_secret_is_not_overwritten() {
    let cloud = Cloud::start();
    let project = Project::network_and_cluster(&cloud, "[cluster]\nenabled = false");
    project.bootstrap();
    let mut expected = Vec::new();
    for (name, text) in [("fintech/api-keys", r#"{"payments":"k-1"}"#), ("fintech/encryption-key", "an own key")] {
        let secret = json!({"SecretId": name, "SecretString": text});
        let version = cloud.call("secretsmanager", "put_secret_value", secret)["VersionId"].clone();
        expected.push((name, json!(text), version));
    }
    let unchanged = || {
        for (name, text, version) in &expected {
            let value = cloud.call("secretsmanager", "get_secret_value", json!({"SecretId": name}));
            assert_eq!((&value["SecretString"], &value["VersionId"]), (text, version), "{name}");
        }
    };
    project.assert_no_changes();
    project.run(&["drift"]).exits(0);
    let run = project.run(&["bootstrap", "--yes"]).ok();
    assert!(run.stdout.contains("No changes"), "{run}");
    unchanged();
    project.run(&["drift", "--repair", "--yes"]).ok();
    unchanged();
    project.assert_no_changes();
    // Not even when something else of it changes.
    let description = json!({"SecretId": "fintech/api-keys", "Description": "Theirs"});
    cloud.call("secretsmanager", "update_secret", description);
    let plan = project.plan();
    assert_eq!(plan.with("update"), ["secrets/api-keys"].into());
    project.apply();
    unchanged();
    let secret = cloud.call("secretsmanager", "describe_secret", json!({"SecretId": "fintech/api-keys"}));
    assert_ne!(secret.text("Description"), "Theirs");
    project.assert_no_changes();
}
