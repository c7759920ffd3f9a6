//! `destroy`: refused for production until it is asked for, then everything goes, in reverse order.

use bedplate_tests::{Cloud, Inventory, JsonExt, Project, counts, without_kept};
use serde_json::{Value, json};
use std::collections::BTreeSet;

#[test]
fn what_aws_refuses_to_remove_keeps_what_it_holds() {
    let cloud = Cloud::start();
    let without = ["cluster", "database", "cache"].map(|layer| format!("{layer}.enabled = false\n"));
    let project = Project::with(&cloud, &without.concat());
    project.bootstrap();
    let session = json!({"userId": {"S": "ada"}, "sessionId": {"S": "1"}});
    cloud.call("dynamodb", "put_item", json!({"TableName": "fintech-sessions", "Item": session}));
    let bucket = "fintechglobal-data-lake-797923187401-us-east-1";
    cloud.call("s3", "put_object", json!({"Bucket": bucket, "Key": "raw/transactions/1", "Body": "x"}));

    let ids = ["sessions/table", "storage/data-lake"].map(|address| (address, project.id(address)));
    let table = ["destroy", "--yes", "--lift-protection", "--target", "sessions/table"];
    let denied =
        |operation| cloud.refusing(operation, "AccessDeniedException", "no", 400, || project.run(&table).exits(1));
    denied("dynamodb:DeleteTable");
    assert_eq!(project.plan().change("sessions/table")["action"], "update");
    project.bootstrap();
    denied("dynamodb:UpdateTable");
    project.run(&["destroy", "--yes", "--lift-protection"]).exits(1).says(&["BucketNotEmpty"]);
    assert_eq!(project.plan().with("replace"), BTreeSet::new());
    project.bootstrap();
    project.assert_no_changes();
    assert_eq!(ids, ["sessions/table", "storage/data-lake"].map(|address| (address, project.id(address))));
    cloud.call("s3", "head_object", json!({"Bucket": bucket, "Key": "raw/transactions/1"}));
}

#[test]
fn another_region_owns_nothing_of_this_one() {
    let cloud = Cloud::start();
    let without = ["cluster", "database", "cache", "sessions"].map(|layer| format!("{layer}.enabled = false\n"));
    let [here, there] = [(); 2].map(|()| Project::with(&cloud, &without.concat()));
    here.bootstrap();
    let built = cloud.inventory();
    // Nothing is recorded there, so everything that is the stack's is looked for.
    there.write("platform.toml", &here.read("platform.toml").replace("us-east-1", "eu-west-1"));
    there.run(&["destroy", "--yes", "--lift-protection", "--empty-buckets"]).ok();
    assert_eq!(cloud.inventory(), built);
    there.run(&["bootstrap", "--yes"]).exits(3).says(&["does not belong to this stack"]);
    assert_eq!(cloud.inventory(), built);
    here.assert_no_changes();
}

#[test]
fn everything_goes_and_comes_back() {
    let cloud = Cloud::start();
    let project = Project::new(&cloud);
    // Somebody else's things stay as they are.
    cloud.ec2("create_vpc", json!({"CidrBlock": "10.9.0.0/16"}));
    cloud.iam(
        "create_role",
        json!({"RoleName": "theirs", "AssumeRolePolicyDocument": json!({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    }).to_string()}),
    );
    let theirs = json!({
        "TableName": "theirs",
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "BillingMode": "PAY_PER_REQUEST",
        "DeletionProtectionEnabled": true,
    });
    cloud.call("dynamodb", "create_table", theirs);
    let before = cloud.inventory();
    project.bootstrap();
    let key = project.id("security/key");
    let mine = json!({"SecretId": "fintech/api-keys", "SecretString": "{\"payments\":\"the operator's\"}"});
    cloud.call("secretsmanager", "put_secret_value", mine);
    let values = secrets(&cloud);

    // Production is protected, with --yes too.
    cloud.reset_calls();
    let built = cloud.inventory();
    for args in [&["destroy", "--yes"][..], &["destroy"], &["destroy", "--yes", "--json"]] {
        let protected = ["cluster/cluster", "cluster/load-balancer", "database/cluster", "sessions/table"];
        let words = ["production", "protected", "deletion protection", "--lift-protection"];
        project.run(args).exits(3).says(&words).says(&protected);
    }
    // Without a terminal nobody can be asked.
    project.run(&["destroy", "--lift-protection"]).exits(3).says(&["--yes"]);
    assert_eq!(cloud.mutating_calls(), 0, "{:?}", cloud.calls());
    assert_eq!(cloud.inventory(), built);

    let result = project.run(&["destroy", "--yes", "--lift-protection", "--json"]).ok().json();
    assert_eq!(result["ok"], true);
    assert_eq!(result["failed"], json!([]));
    let after = cloud.inventory();
    assert_eq!(without_kept(after.clone()), before);
    assert_eq!(after["kms.key-pending-deletion"].len(), 1);
    assert_eq!(after["iam.service-linked-role"], built["iam.service-linked-role"], "they belong to AWS's services");
    // What production leaves: the last state of the database and the cache, and secrets that can be taken back.
    for (kind, left) in
        [("rds.cluster-snapshot", 1), ("elasticache.snapshot", 1), ("secretsmanager.secret-pending-deletion", 3)]
    {
        assert_eq!(after[kind].len(), left, "{:?}", after[kind]);
    }
    assert_eq!(project.state()["resources"], json!({}));
    let again = project.run(&["destroy", "--yes", "--lift-protection"]).ok();
    assert!(again.stdout.contains("No changes"), "{again}");

    // The same names again, and the same key: what it encrypted is readable again.
    project.bootstrap();
    assert_eq!(project.id("security/key"), key);
    let metadata = &cloud.call("kms", "describe_key", json!({"KeyId": "alias/fintech-data-key"}))["KeyMetadata"];
    assert_eq!((&metadata["KeyId"], &metadata["KeyState"]), (&json!(key), &json!("Enabled")));
    let rebuilt = cloud.inventory();
    for kind in ["kms.key-pending-deletion", "secretsmanager.secret-pending-deletion"] {
        assert!(!rebuilt.contains_key(kind), "{rebuilt:?}");
    }
    assert_eq!(counts(&without_kept(rebuilt.clone())), counts(&without_kept(built.clone())));
    // What has a name came back under it.
    for kind in NAMED {
        assert_eq!(rebuilt[kind], built[kind], "{kind}");
    }
    // Secrets came back with what was in them: what they encrypted or opened goes on to work.
    assert_eq!(secrets(&cloud), values);
    project.assert_no_changes();

    // Again and again: last snapshots need names that are not taken.
    for times in 2..=3 {
        project.run(&["destroy", "--yes", "--lift-protection"]).ok();
        let after = cloud.inventory();
        assert_eq!(without_kept(after.clone()), before);
        assert_eq!((after["rds.cluster-snapshot"].len(), after["elasticache.snapshot"].len()), (times, times));
        project.bootstrap();
        assert_eq!(project.id("security/key"), key);
        assert_eq!(secrets(&cloud), values);
        let rebuilt = cloud.inventory();
        assert_eq!(counts(&without_kept(rebuilt.clone())), counts(&without_kept(built.clone())));
        assert!(NAMED.iter().all(|kind| rebuilt[*kind] == built[*kind]));
    }
    // What is not ours keeps its protection.
    let table = cloud.call("dynamodb", "describe_table", json!({"TableName": "theirs"}));
    assert_eq!(table["Table"]["DeletionProtectionEnabled"], true);
}

#[test]
fn last_snapshots_have_names_that_are_free_and_can_be_left_out() {
    let cloud = Cloud::start();
    let project = Project::with(&cloud, "[cluster]\nenabled = false\n[sessions]\nenabled = false");
    project.bootstrap();
    // As a deletion leaves them that made its snapshot and failed then.
    let cluster = cloud.call("rds", "describe_db_clusters", json!({}))["DBClusters"][0].clone();
    let resource = cluster.text("DbClusterResourceId").to_lowercase();
    let database = format!("final-fintechglobal-aurora-cluster-{}", resource.trim_start_matches("cluster-"));
    let taken = json!({
        "DBClusterIdentifier": cluster["DBClusterIdentifier"], "DBClusterSnapshotIdentifier": database,
    });
    cloud.call("rds", "create_db_cluster_snapshot", taken);
    cloud.advance(600);
    project.run(&["destroy", "--yes", "--lift-protection"]).ok();
    let left = cloud.inventory();
    let names: Vec<String> =
        left["rds.cluster-snapshot"].iter().filter_map(|id| id.rsplit(':').next()).map(str::to_owned).collect();
    assert_eq!(names, [database.clone(), format!("{database}-2")]);

    project.bootstrap();
    project.run(&["destroy", "--yes", "--lift-protection", "--skip-final-snapshot"]).ok();
    let after = cloud.inventory();
    for kind in ["rds.cluster-snapshot", "elasticache.snapshot"] {
        assert_eq!(after[kind], left[kind], "{kind}");
    }
    assert_eq!(without_kept(after), Inventory::new());
}

/// Kinds whose ids are names that the configuration gives.
const NAMED: [&str; 9] = [
    "budgets.budget",
    "dynamodb.table",
    "elasticache.replication-group",
    "iam.role",
    "logs.log-group",
    "rds.cluster",
    "rds.instance",
    "s3.bucket",
    "sns.topic",
];

/// What is in the application's secrets.
fn secrets(cloud: &Cloud) -> Vec<Value> {
    let names = ["fintech/redis-auth", "fintech/api-keys", "fintech/encryption-key"];
    let value = |name: &str| cloud.call("secretsmanager", "get_secret_value", json!({"SecretId": name}));
    names.map(value).into_iter().map(|value| json!([value["ARN"], value["SecretString"]])).collect()
}

#[test]
fn what_depends_goes_first() {
    const DAY: u32 = 86_400;
    let cloud = Cloud::start();
    let project = Project::with(&cloud, "environment = \"development\"");
    project.run(&["bootstrap", "--yes"]).ok();
    let stack = project.path("state/fintechglobal-development.json");
    let state: Value = serde_json::from_str(&fs_err::read_to_string(stack).unwrap()).unwrap();
    let resources = state["resources"].as_object().unwrap();

    // Development is not protected.
    let cluster = cloud.eks("describe_cluster", json!({"name": "fintechglobal-cluster"}));
    assert_eq!(cluster["cluster"]["deletionProtection"], false);
    let database = cloud.call("rds", "describe_db_clusters", json!({}));
    assert_eq!(database["DBClusters"][0]["DeletionProtection"], false);
    let table = cloud.call("dynamodb", "describe_table", json!({"TableName": "fintech-sessions"}));
    assert_eq!(table["Table"]["DeletionProtectionEnabled"], false);
    let balancer = cloud.call("elbv2", "describe_load_balancers", json!({}))["LoadBalancers"][0].clone();
    let attributes = json!({"LoadBalancerArn": balancer["LoadBalancerArn"]});
    let attributes = cloud.call("elbv2", "describe_load_balancer_attributes", attributes);
    let off = json!({"Key": "deletion_protection.enabled", "Value": "false"});
    assert!(attributes.list("Attributes").contains(&off), "{attributes:#}");
    let key = json!({"KeyId": resources["security/key"]["id"]});
    let run = project.run(&["destroy", "--yes", "--json"]).ok();
    let finished: Vec<String> = run.events("finished").iter().map(|event| event.text("address").to_owned()).collect();
    let position = |address: &str| finished.iter().position(|it| it == address);
    for (address, resource) in resources {
        // What lies in the cluster goes with it, without a call of its own.
        if resource.text("kind").starts_with("kubernetes.") {
            assert!(position(address) > position("cluster/cluster"), "{address} goes with its cluster: {finished:?}");
            continue;
        }
        for dependency in resource.list("depends_on").iter().filter_map(Value::as_str) {
            assert!(position(address) < position(dependency), "{address} goes before {dependency}: {finished:?}");
        }
    }
    let left = cloud.inventory();
    assert_eq!(without_kept(left.clone()), Inventory::new());
    // Development leaves no snapshots.
    assert!(!left.contains_key("rds.cluster-snapshot") && !left.contains_key("elasticache.snapshot"), "{left:?}");
    // The key can be taken back for 30 days.
    cloud.advance(29 * DAY);
    assert_eq!(cloud.call("kms", "describe_key", key.clone())["KeyMetadata"]["KeyState"], "PendingDeletion");
    cloud.advance(2 * DAY);
    assert_eq!(cloud.try_call("kms", "describe_key", key).unwrap_err().code, "NotFoundException");
}

#[test]
fn a_target_goes_with_what_depends_on_it() {
    let cloud = Cloud::start();
    let project = Project::network_and_cluster(&cloud, "[cluster]\nenabled = false");
    project.bootstrap();
    let before: BTreeSet<String> = project.state()["resources"].as_object().unwrap().keys().cloned().collect();

    project.run(&["destroy", "--yes", "--target", "network/nat/a"]).exits(3).says(&["production"]);
    project
        .run(&["destroy", "--yes", "--lift-protection", "--target", "network/nowhere"])
        .exits(3)
        .says(&["network/nowhere"]);
    project.run(&["destroy", "--yes", "--lift-protection", "--target", "network/nat/a"]).ok();
    let after: BTreeSet<String> = project.state()["resources"].as_object().unwrap().keys().cloned().collect();
    let gone: BTreeSet<&str> = before.difference(&after).map(String::as_str).collect();
    // The route through it, and the gateway endpoints of its table.
    let expected = ["network/nat/a", "network/route-table/app-a", "network/endpoint/s3", "network/endpoint/dynamodb"];
    assert_eq!(gone, expected.into());
    assert_eq!(cloud.inventory()["ec2.nat-gateway"].len(), 1);
    assert_eq!(project.plan().with("create"), expected.into());
    // And one target back, with what it needs.
    project.run(&["apply", "--yes", "--target", "network/endpoint/s3"]).ok();
    assert_eq!(project.plan().with("create"), ["network/endpoint/dynamodb"].into());
    project.apply();
    project.assert_no_changes();
}
