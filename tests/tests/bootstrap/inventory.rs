//! What exists after a bootstrap, counted.

use crate::{BUILT, TAGS};
use bedplate_tests::{JsonExt, UNTAGGED, counts};
use serde_json::{Value, json};
use std::{collections::BTreeMap, os::unix::fs::PermissionsExt};

#[test]
fn exactly_the_platform_exists() {
    assert!(counts(&BUILT.before).is_empty(), "{:?}", BUILT.before);
    let after = BUILT.cloud.inventory();
    let expected = BTreeMap::from([
        ("ec2.vpc", 1),
        ("ec2.subnet", 6),
        ("ec2.internet-gateway", 1),
        ("ec2.elastic-ip", 2),
        ("ec2.nat-gateway", 2),
        // Public, one per app subnet, data; and the main one, which AWS makes.
        ("ec2.route-table", 5),
        ("ec2.vpc-endpoint", 10),
        // Endpoints, database, cache, load balancer, control plane; the default one; the one EKS makes.
        ("ec2.security-group", 7),
        ("ec2.flow-log", 1),
        ("ec2.network-acl", 1),
        // NAT gateways 2, interface endpoints 8 in 2 zones, control plane and nodes: see below.
        ("kms.key", 1),
        ("kms.alias", 1),
        // Cluster, Fargate, node, RDS monitoring, flow logs, application.
        ("iam.role", 6),
        ("iam.role-policy", 2),
        ("iam.role-policy-attachment", 7),
        ("iam.service-linked-role", 8),
        ("iam.oidc-provider", 1),
        // Flow logs, control plane, database.
        ("logs.log-group", 3),
        ("eks.cluster", 1),
        ("eks.nodegroup", 1),
        ("eks.fargate-profile", 1),
        ("eks.addon", 5),
        // The caller's, and those that EKS makes for nodes and Fargate.
        ("eks.access-entry", 3),
        ("kubernetes.namespace", 1),
        ("kubernetes.serviceaccount", 1),
        ("kubernetes.service", 1),
        ("kubernetes.horizontalpodautoscaler", 1),
        ("elbv2.load-balancer", 1),
        ("elbv2.target-group", 1),
        // Without a certificate, HTTP only.
        ("elbv2.listener", 1),
        // Writer and reader.
        ("rds.cluster", 1),
        ("rds.instance", 2),
        ("rds.subnet-group", 1),
        ("rds.cluster-parameter-group", 1),
        ("rds.parameter-group", 1),
        ("elasticache.replication-group", 1),
        ("elasticache.subnet-group", 1),
        ("elasticache.parameter-group", 1),
        ("dynamodb.table", 1),
        // Readers of the database, reads and writes of the table.
        ("application-autoscaling.target", 3),
        ("application-autoscaling.policy", 3),
        // Data lake, logs.
        ("s3.bucket", 2),
        // Three of ours, and the one that RDS makes.
        ("secretsmanager.secret", 4),
        ("sns.topic", 1),
        ("sns.subscription", 1),
        // The month's, and five services'.
        ("budgets.budget", 6),
        ("ce.anomaly-monitor", 1),
        ("ce.anomaly-subscription", 1),
        ("cloudwatch.dashboard", 1),
        // Ours, and four for each dimension of the table, which its scaler makes.
        ("cloudwatch.alarm", 10 + 8),
        // The one that EKS makes for its nodes.
        ("autoscaling.group", 1),
    ]);
    let mut counted = counts(&after);
    // AWS's own doing: interfaces of gateways, endpoints and the cluster, rules of the group that EKS makes, the access
    // policies of the entries that EKS makes.
    for kind in ["ec2.network-interface", "ec2.security-group-rule", "eks.access-policy", "iam.user"] {
        counted.remove(kind);
    }
    assert_eq!(counted, expected);
}

#[test]
fn the_result_names_what_was_done_and_what_came_of_it() {
    let result = BUILT.run.json();
    assert_eq!(result["format"], 1);
    assert_eq!(result["ok"], true);
    assert_eq!(result["failed"], json!([]));
    assert_eq!(result["skipped"], json!([]));
    assert!(result["seconds"].is_number());
    let done = result.list("done");
    let recorded = BUILT.project.state();
    let recorded = recorded["resources"].as_object().unwrap();
    assert_eq!(done.len(), recorded.len(), "each is done once");
    assert!(done.iter().all(|done| recorded.contains_key(done.text("address")) && done["action"] == "create"));
    assert!(result["api_calls"]["ec2:CreateVpc"] == 1, "{}", result["api_calls"]);
    // No call is made twice for one resource, except those that wait for something.
    assert_eq!(result["api_calls"]["eks:CreateCluster"], 1);
    assert_eq!(result["outputs"]["cluster_name"], "fintechglobal-cluster");
    // Progress is one document a line.
    assert_eq!(BUILT.run.events("finished").len(), done.len());
    assert!(!BUILT.run.events("started").is_empty());
}

#[test]
fn the_state_is_private_and_complete() {
    let path = BUILT.project.state_path();
    let mode = fs_err::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let state = BUILT.project.state();
    assert_eq!(state["version"], 1);
    assert_eq!(state["stack"], bedplate_tests::STACK);
    assert_eq!(state["account"], "797923187401");
    assert_eq!(state["region"], "us-east-1");
    for (address, resource) in state["resources"].as_object().unwrap() {
        assert_eq!(resource["status"], "ready", "{address}");
        assert!(resource["id"].is_string() && resource["outputs"].is_object(), "{address}: {resource}");
    }
    // What the caller signs with. The values of secrets are looked for in `data::secrets`.
    let text = fs_err::read_to_string(path).unwrap();
    for secret in ["AWS_SECRET", "SecretAccessKey", "SessionToken"] {
        assert!(!text.contains(secret), "{secret}");
    }
}

/// The tags of everything that can carry tags, by what it is.
fn all_tags() -> Vec<(String, BTreeMap<String, String>)> {
    let cloud = &BUILT.cloud;
    let mut all = Vec::new();
    let mut add = |what: String, tags: &Value| all.push((what, tags.tags()));
    let state = BUILT.project.state();

    // EC2 lists tags by resource, so what has none is found by what exists.
    let mut ec2: BTreeMap<String, Value> = BTreeMap::new();
    for tag in cloud.ec2("describe_tags", json!({})).list("Tags") {
        let tags = ec2.entry(tag.text("ResourceId").to_owned()).or_insert_with(|| json!({"Tags": []}));
        tags["Tags"].as_array_mut().unwrap().push(json!({"Key": tag["Key"], "Value": tag["Value"]}));
    }
    let inventory = cloud.inventory();
    for kind in [
        "ec2.vpc",
        "ec2.subnet",
        "ec2.internet-gateway",
        "ec2.elastic-ip",
        "ec2.nat-gateway",
        "ec2.vpc-endpoint",
        "ec2.flow-log",
    ] {
        for id in &inventory[kind] {
            add(format!("{kind} {id}"), ec2.get(id).unwrap_or(&Value::Null));
        }
    }
    for (address, resource) in state["resources"].as_object().unwrap() {
        if ["ec2.security_group", "ec2.security_group_rule", "ec2.route_table"].contains(&resource.text("kind")) {
            add(address.clone(), ec2.get(resource.text("id")).unwrap_or(&Value::Null));
        }
    }

    for role in cloud.iam("list_roles", json!({})).list("Roles") {
        let name = role.text("RoleName");
        if name.starts_with("fintechglobal-") {
            add(name.to_owned(), &cloud.iam("list_role_tags", json!({"RoleName": name})));
        }
    }
    for provider in cloud.iam("list_open_id_connect_providers", json!({})).list("OpenIDConnectProviderList") {
        let arn = json!({"OpenIDConnectProviderArn": provider["Arn"]});
        add(provider.text("Arn").to_owned(), &cloud.iam("list_open_id_connect_provider_tags", arn));
    }
    let key = BUILT.project.id("security/key");
    add("the key".to_owned(), &cloud.call("kms", "list_resource_tags", json!({"KeyId": key})));
    for group in cloud.call("logs", "describe_log_groups", json!({})).list("logGroups") {
        let arn = group.text("arn").trim_end_matches(":*");
        add(arn.to_owned(), &cloud.call("logs", "list_tags_for_resource", json!({"resourceArn": arn})));
    }
    for kind in ["eks.cluster", "eks.nodegroup", "eks.fargate-profile", "eks.addon"] {
        for arn in &inventory[kind] {
            add(arn.clone(), &cloud.eks("list_tags_for_resource", json!({"resourceArn": arn})));
        }
    }
    let entry = json!({
        "clusterName": "fintechglobal-cluster",
        "principalArn": "arn:aws:iam::797923187401:user/bedplate",
    });
    add("the access entry".to_owned(), &cloud.eks("describe_access_entry", entry)["accessEntry"]);

    for kind in ["elbv2.load-balancer", "elbv2.target-group", "elbv2.listener"] {
        for arn in &inventory[kind] {
            let described = cloud.call("elbv2", "describe_tags", json!({"ResourceArns": [arn]}));
            add(arn.clone(), &described["TagDescriptions"][0]);
        }
    }

    // The data tiers, monitoring and costs: each service has its own name for the call and for whose tags it wants.
    for (kind, service, operation, whose) in [
        ("rds.cluster", "rds", "list_tags_for_resource", "ResourceName"),
        ("rds.instance", "rds", "list_tags_for_resource", "ResourceName"),
        ("rds.subnet-group", "rds", "list_tags_for_resource", "ResourceName"),
        ("rds.cluster-parameter-group", "rds", "list_tags_for_resource", "ResourceName"),
        ("rds.parameter-group", "rds", "list_tags_for_resource", "ResourceName"),
        ("elasticache.replication-group", "elasticache", "list_tags_for_resource", "ResourceName"),
        ("elasticache.subnet-group", "elasticache", "list_tags_for_resource", "ResourceName"),
        ("elasticache.parameter-group", "elasticache", "list_tags_for_resource", "ResourceName"),
        ("dynamodb.table", "dynamodb", "list_tags_of_resource", "ResourceArn"),
        ("application-autoscaling.target", "application-autoscaling", "list_tags_for_resource", "ResourceARN"),
        ("s3.bucket", "s3", "get_bucket_tagging", "Bucket"),
        ("secretsmanager.secret", "secretsmanager", "describe_secret", "SecretId"),
        ("sns.topic", "sns", "list_tags_for_resource", "ResourceArn"),
        ("budgets.budget", "budgets", "list_tags_for_resource", "ResourceARN"),
        ("ce.anomaly-monitor", "ce", "list_tags_for_resource", "ResourceArn"),
        ("ce.anomaly-subscription", "ce", "list_tags_for_resource", "ResourceArn"),
        ("cloudwatch.alarm", "cloudwatch", "list_tags_for_resource", "ResourceARN"),
        ("cloudwatch.dashboard", "cloudwatch", "list_tags_for_resource", "ResourceARN"),
    ] {
        // Not what other services make for us.
        let ours = |id: &&String| !id.contains("rds!cluster") && !id.contains(":alarm:TargetTracking-");
        for id in inventory[kind].iter().filter(ours) {
            add(format!("{kind} {id}"), &cloud.call(service, operation, json!({whose: id})));
        }
    }
    all
}

#[test]
fn everything_carries_the_tags() {
    let all = all_tags();
    let addresses = BUILT.project.state();
    let addresses = addresses["resources"].as_object().unwrap();
    let taggable = addresses.values().filter(|resource| !UNTAGGED.contains(&resource.text("kind")));
    assert_eq!(all.len(), taggable.count());
    for (what, tags) in &all {
        for (key, value) in TAGS {
            assert_eq!(tags.get(key).map(String::as_str), Some(value), "{key} of {what}: {tags:?}");
        }
        let address = tags.get("bedplate:address").unwrap_or_else(|| panic!("{what}: {tags:?}"));
        assert!(addresses.contains_key(address), "{what} says it is at {address}");
        assert_eq!(tags.get("bedplate:generation").map(String::as_str), Some("0"), "{what}: {tags:?}");
    }
    // One resource per address: nothing was made twice.
    let mut seen: Vec<&String> = all.iter().map(|(_, tags)| &tags["bedplate:address"]).collect();
    seen.sort();
    assert!(seen.windows(2).all(|pair| pair[0] != pair[1]), "{seen:?}");
}
