//! New versions of the engines, and parameters that wait for a restart: all of it in place, readers before the writer, and
//! nothing is left to do afterwards.

use bedplate_tests::{Cloud, JsonExt, Project, changed, counts, set};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const WITHOUT_OTHERS: &str = "cluster.enabled = false\nsessions.enabled = false\n";
const CLUSTER: &str = "fintechglobal-aurora-cluster";
const REDIS: &str = "fintechglobal-redis-cluster";

fn with(settings: &str) -> String {
    format!("{WITHOUT_OTHERS}{settings}")
}

fn aurora(cloud: &Cloud) -> Value {
    cloud.call("rds", "describe_db_clusters", json!({"DBClusterIdentifier": CLUSTER}))["DBClusters"][0].clone()
}

fn instances(cloud: &Cloud) -> Vec<Value> {
    cloud.call("rds", "describe_db_instances", json!({})).list("DBInstances").to_vec()
}

/// What identifies the cluster and its instances beyond their names.
fn identities(cloud: &Cloud) -> BTreeSet<String> {
    let mut all = set(&instances(cloud), "DbiResourceId");
    all.insert(aurora(cloud).text("DbClusterResourceId").to_owned());
    all
}

/// Whether each instance runs with its parameters, its own and the cluster's.
fn in_force(cloud: &Cloud) -> BTreeMap<String, bool> {
    let of_cluster: BTreeMap<String, bool> = aurora(cloud)
        .list("DBClusterMembers")
        .iter()
        .map(|one| (one.text("DBInstanceIdentifier").to_owned(), one["DBClusterParameterGroupStatus"] == "in-sync"))
        .collect();
    let all = instances(cloud).into_iter().map(|one| {
        let name = one.text("DBInstanceIdentifier").to_owned();
        let own = one["DBParameterGroups"][0]["ParameterApplyStatus"] == "in-sync";
        (name.clone(), own && of_cluster[&name])
    });
    all.collect()
}

/// The address of the writer, and that of the reader.
fn writer_and_reader(cloud: &Cloud) -> [&'static str; 2] {
    let cluster = aurora(cloud);
    let writer = cluster.list("DBClusterMembers").iter().find(|one| one["IsClusterWriter"] == true);
    let first = writer.expect("a writer").text("DBInstanceIdentifier") == "fintechglobal-aurora-1";
    if first { ["database/instance/1", "database/instance/2"] } else { ["database/instance/2", "database/instance/1"] }
}

#[test]
fn extended_support_ends_with_a_version_that_does_not_need_it() {
    let cloud = Cloud::start();
    let settings = |version, support| format!("[cluster]\nversion = \"{version}\"\nsupport_type = \"{support}\"");
    let project = Project::network_and_cluster(&cloud, &settings("1.33", "EXTENDED"));
    let target = ["apply", "--yes", "--target", "cluster/cluster"];
    project.run(&target).ok();
    // Both at once, in the one order that EKS takes; and extended support before a version may need it.
    for (version, support) in [("1.34", "STANDARD"), ("1.35", "EXTENDED")] {
        project.configure(&settings(version, support));
        project.run(&target).ok();
        let cluster = cloud.eks("describe_cluster", json!({"name": "fintechglobal-cluster"}));
        let cluster = &cluster["cluster"];
        assert_eq!((cluster.text("version"), cluster["upgradePolicy"].text("supportType")), (version, support));
    }
}

/// `apply`, in which the reader was ready again before the writer was.
fn applies_readers_first(cloud: &Cloud, project: &Project) {
    let [writer, reader] = writer_and_reader(cloud);
    let run = project.run(&["apply", "--yes", "--json"]).ok();
    let finished = run.events("finished");
    let position = |address| finished.iter().position(|event| event["address"] == address).expect(address);
    assert!(position(reader) < position(writer), "{run}");
}

#[test]
fn the_database_goes_to_the_next_minor_version() {
    let cloud = Cloud::start();
    let project = Project::with(&cloud, &with("cache.enabled = false\ndatabase.engine_version = \"16.6\""));
    project.bootstrap();
    let (before, ids) = (cloud.inventory(), identities(&cloud));

    project.configure(&with("cache.enabled = false\ndatabase.engine_version = \"16.8\""));
    let plan = project.plan();
    let version = [("engine_version", json!("16.6"), json!("16.8"))];
    assert_eq!(plan.changes(), BTreeMap::from([("database/cluster", changed("update", &version))]));
    assert!(plan.change("database/cluster").text("reason").contains("restarts all instances"));
    project.apply();
    assert_eq!(aurora(&cloud)["EngineVersion"], "16.8");
    assert_eq!(aurora(&cloud)["PendingModifiedValues"], Value::Null, "at once, not in the maintenance window");
    assert!(instances(&cloud).iter().all(|one| one["EngineVersion"] == "16.8"));
    assert_eq!(identities(&cloud), ids, "the cluster and its instances are the same");
    assert_eq!(counts(&cloud.inventory()), counts(&before));
    project.assert_no_changes();

    project.configure(&with("cache.enabled = false\ndatabase.engine_version = \"16.6\""));
    // What AWS runs is later than what is asked for: that may be its own doing, and is left.
    project.assert_no_changes();
}

#[test]
fn the_database_goes_to_the_next_major_version() {
    let cloud = Cloud::start();
    let project = Project::with(&cloud, &with("cache.enabled = false"));
    project.bootstrap();
    let (before, ids) = (cloud.inventory(), identities(&cloud));

    project.configure(&with("cache.enabled = false\ndatabase.engine_version = \"15.12\""));
    cloud.reset_calls();
    project.run(&["apply", "--yes"]).exits(3).says(&["database/cluster", "back to 15.12"]);
    assert_eq!(cloud.mutating_calls(), 0, "{:?}", cloud.calls());

    project.configure(&with("cache.enabled = false\ndatabase.engine_version = \"17.5\""));
    let plan = project.plan();
    assert!(plan.change("database/cluster").text("reason").contains("takes the database offline"));
    // The groups of the new family come before the old ones go; everything else stays and changes.
    assert_eq!(plan.with("replace"), ["database/cluster-parameters", "database/parameters"].into());
    assert_eq!(plan.with("update"), ["database/cluster", "database/instance/1", "database/instance/2"].into());
    assert_eq!(plan.changes().len(), 5, "{:#}", plan.0["changes"]);
    applies_readers_first(&cloud, &project);
    let cluster = aurora(&cloud);
    assert_eq!(cluster["EngineVersion"], "17.5");
    assert_eq!(cluster["DBClusterParameterGroup"], "fintechglobal-aurora-postgresql17");
    for instance in instances(&cloud) {
        assert_eq!(instance["EngineVersion"], "17.5");
        let group = &instance["DBParameterGroups"][0]["DBParameterGroupName"];
        assert_eq!(group, "fintechglobal-aurora-postgresql17");
    }
    assert!(in_force(&cloud).values().all(|it| *it), "{:?}", in_force(&cloud));
    let old = json!({"DBClusterParameterGroupName": "fintechglobal-aurora-postgresql16"});
    let gone = cloud.try_call("rds", "describe_db_cluster_parameter_groups", old).expect_err("it is gone");
    assert_eq!(gone.code, "DBParameterGroupNotFound");
    assert_eq!(identities(&cloud), ids, "the cluster and its instances are the same");
    assert_eq!(counts(&cloud.inventory()), counts(&before));
    project.assert_no_changes();
}

#[test]
fn parameters_that_wait_for_a_restart_get_it() {
    let cloud = Cloud::start();
    let project = Project::with(&cloud, &with("cache.enabled = false"));
    project.bootstrap();
    assert!(in_force(&cloud).values().all(|it| *it), "{:?}", in_force(&cloud));

    // One of the cluster's, which all instances read when they start.
    let group = "fintechglobal-aurora-postgresql16";
    let connections = |prefix: &str| {
        let parameter = json!({
            "ParameterName": "max_connections", "ParameterValue": "500", "ApplyMethod": "pending-reboot",
        });
        json!({format!("{prefix}Name"): group, "Parameters": [parameter]})
    };
    let of_cluster = connections("DBClusterParameterGroup");
    cloud.call("rds", "modify_db_cluster_parameter_group", of_cluster);
    let plan = project.plan();
    let parameter = [("parameters.max_connections", json!("500"), Value::Null)];
    plan.assert_drift("database/cluster-parameters", "update", &parameter);
    for address in ["database/instance/1", "database/instance/2"] {
        plan.assert_drift(address, "update", &[("restart_pending", json!(true), json!(false))]);
        assert!(plan.change(address).text("reason").contains("restarts it"), "{:#}", plan.change(address));
    }
    assert_eq!(plan.changes().len(), 3, "{:#}", plan.0["changes"]);
    project.run(&["drift"]).exits(2);
    cloud.reset_calls();
    applies_readers_first(&cloud, &project);
    assert_eq!(cloud.calls()["rds:RebootDBInstance"], 2, "each once");
    assert!(in_force(&cloud).values().all(|it| *it), "{:?}", in_force(&cloud));
    project.assert_no_changes();

    // One of the instances', which was in force before it is taken back: the next plan tells of the restart.
    cloud.call("rds", "modify_db_parameter_group", connections("DBParameterGroup"));
    for name in in_force(&cloud).into_keys() {
        cloud.call("rds", "reboot_db_instance", json!({"DBInstanceIdentifier": name}));
    }
    cloud.advance(600);
    assert_eq!(project.plan().with("update"), ["database/parameters"].into());
    project.apply();
    assert!(in_force(&cloud).values().all(|it| !it), "{:?}", in_force(&cloud));
    assert_eq!(project.plan().with("update"), ["database/instance/1", "database/instance/2"].into());
    project.apply();
    assert!(in_force(&cloud).values().all(|it| *it), "{:?}", in_force(&cloud));
    project.assert_no_changes();
}

#[test]
fn the_cache_goes_to_the_next_version() {
    let redis = |cloud: &Cloud| {
        let nodes = cloud.call("elasticache", "describe_cache_clusters", json!({}));
        let nodes = nodes.list("CacheClusters").to_vec();
        assert_eq!(nodes.len(), 2);
        nodes
    };
    let cloud = Cloud::start();
    let project = Project::with(&cloud, &with("database.enabled = false\ncache.engine_version = \"7.0\""));
    project.bootstrap();
    let before = cloud.inventory();
    assert!(redis(&cloud).iter().all(|node| node.text("EngineVersion").starts_with("7.0")));

    project.configure(&with("database.enabled = false"));
    let plan = project.plan();
    let change = plan.change("cache/redis");
    assert_eq!((&change["action"], plan.changes().len()), (&json!("update"), 1), "{:#}", plan.0["changes"]);
    assert_eq!(change["fields"][0]["path"], "engine_version");
    project.apply();
    for node in redis(&cloud) {
        assert!(node.text("EngineVersion").starts_with("7.1"), "{node:#}");
        assert_eq!(node["CacheParameterGroup"]["CacheParameterGroupName"], "fintechglobal-redis7");
    }
    let group = cloud.call("elasticache", "describe_replication_groups", json!({"ReplicationGroupId": REDIS}));
    let pending = group["ReplicationGroups"][0]["PendingModifiedValues"].as_object();
    assert!(pending.is_none_or(serde_json::Map::is_empty), "at once, not in the maintenance window: {group:#}");
    assert_eq!(cloud.inventory(), before, "all of it in place");
    project.assert_no_changes();

    let back = with("database.enabled = false\ncache.engine_version = \"7.0\"");
    project.configure(&back);
    // A later version may be AWS's doing, and is left, where it may do that.
    project.assert_no_changes();
    project.configure(&format!("{back}\ncache.auto_minor_version_upgrade = false"));
    cloud.reset_calls();
    project.run(&["apply", "--yes"]).exits(3).says(&["cache/redis", "7.0"]);
    assert_eq!(cloud.mutating_calls(), 0, "{:?}", cloud.calls());
}

#[test]
fn another_class_rolls_the_reader_before_the_writer() {
    let cloud = Cloud::start();
    let project = Project::with(&cloud, &with("cache.enabled = false"));
    project.bootstrap();
    let ids = identities(&cloud);

    project.configure(&with("cache.enabled = false\ndatabase.instance_class = \"db.r6g.xlarge\""));
    assert_eq!(project.plan().with("update"), ["database/instance/1", "database/instance/2"].into());
    applies_readers_first(&cloud, &project);
    assert_eq!(set(&instances(&cloud), "DBInstanceClass"), ["db.r6g.xlarge".to_owned()].into());
    assert_eq!(identities(&cloud), ids, "the cluster and its instances are the same");
    project.assert_no_changes();
}
