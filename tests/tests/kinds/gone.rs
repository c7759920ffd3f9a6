//! Every resource type deleted behind the program's back, and made again.

use crate::row::{Ids, assert_drift_shows, call};
use bedplate_tests::{Cloud, JsonExt, Project, counts, without_kept};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A resource that boto3 deletes.
pub(crate) struct Row {
    pub(crate) kind: &'static str,
    pub(crate) address: String,
    act: Box<dyn Fn(&Cloud)>,
}

/// Types that cannot go alone, and why. All of them go with everything else in [`everything_comes_back`].
pub(crate) const HELD: &[(&str, &str)] = &[
    ("ec2.vpc", "everything of the network lies in it"),
    ("ec2.subnet", "interfaces are in each of them; drift::the_network_is_put_back deletes one of a smaller platform"),
    ("ec2.security_group", "interfaces are in each of them"),
    ("ec2.default_security_group", "AWS deletes it with the VPC only"),
    ("ec2.internet_gateway", "the VPC's addresses are behind it; it is detached in [`what_was_deleted_is_made_again`]"),
    ("logs.log_group", "the flow log delivers into it"),
    ("iam.service_linked_role", "AWS's services use it, and it is never ours to remove"),
    ("eks.cluster", "its nodes and its profile hold it"),
    // The caller's access entry goes here, and without it nobody can look into the cluster.
    ("kubernetes.namespace", "kubernetes::what_was_deleted_comes_back_and_what_the_state_forgot_is_found"),
    ("kubernetes.service_account", "kubernetes::what_was_deleted_comes_back_and_what_the_state_forgot_is_found"),
    ("kubernetes.node_port_service", "kubernetes::what_was_deleted_comes_back_and_what_the_state_forgot_is_found"),
    ("kubernetes.autoscaler", "kubernetes::what_was_deleted_comes_back_and_what_the_state_forgot_is_found"),
    ("elb.load_balancer", "load_balancer::what_somebody_deleted_is_made_again"),
    ("elb.target_group", "load_balancer::what_somebody_deleted_is_made_again"),
    ("elb.listener", "load_balancer::what_somebody_deleted_is_made_again"),
    ("autoscaling.traffic_source", "load_balancer::what_somebody_changed_is_put_back detaches it"),
    ("rds.subnet_group", "the cluster holds it"),
    ("rds.cluster_parameter_group", "the cluster holds it"),
    ("rds.parameter_group", "the instances hold it"),
    ("rds.cluster", "its instances hold it"),
    ("sns.subscription", "nobody can end one that was not confirmed; it goes with its topic"),
];

pub(crate) fn rows(ids: &dyn Ids) -> Vec<Row> {
    let mut rows = network(ids);
    rows.extend(cluster(ids));
    rows.extend(data());
    rows.extend(costs(ids));
    // The key last: what is encrypted with it cannot be changed any more.
    rows.extend(identities(ids));
    rows
}

fn row(kind: &'static str, address: &str, act: impl Fn(&Cloud) + 'static) -> Row {
    Row { kind, address: address.to_owned(), act: Box::new(act) }
}

fn network(ids: &dyn Ids) -> Vec<Row> {
    let mut rows = Vec::new();
    for letter in ["a", "b"] {
        let address = format!("network/nat/{letter}");
        let nat = json!({"NatGatewayId": ids.id(&address)});
        rows.push(row("ec2.nat_gateway", &address, call("ec2", "delete_nat_gateway", nat)));
    }
    let address = json!({"AllocationId": ids.id("network/elastic-ip/b")});
    let flow_log = json!({"FlowLogIds": [ids.id("network/flow-log")]});
    let endpoint = json!({"VpcEndpointIds": [ids.id("network/endpoint/ssm")]});
    let rule = "network/rule/load-balancer-http-from-0.0.0.0-0";
    let revoked = json!({
        "GroupId": ids.id("network/security-group/load-balancer"), "SecurityGroupRuleIds": [ids.id(rule)],
    });
    let table = ids.id("network/route-table/app-b");
    rows.extend([
        row("ec2.elastic_ip", "network/elastic-ip/b", call("ec2", "release_address", address)),
        row("ec2.flow_log", "network/flow-log", call("ec2", "delete_flow_logs", flow_log)),
        row("ec2.vpc_endpoint", "network/endpoint/ssm", call("ec2", "delete_vpc_endpoints", endpoint)),
        row("ec2.security_group_rule", rule, call("ec2", "revoke_security_group_ingress", revoked)),
        row("ec2.route_table", "network/route-table/app-b", move |cloud| {
            let tables = cloud.ec2("describe_route_tables", json!({"RouteTableIds": [table]}));
            for association in tables["RouteTables"][0].list("Associations") {
                let id = &association["RouteTableAssociationId"];
                cloud.ec2("disassociate_route_table", json!({"AssociationId": id}));
            }
            cloud.ec2("delete_route_table", json!({"RouteTableId": table}));
        }),
    ]);
    rows
}

fn identities(ids: &dyn Ids) -> Vec<Row> {
    let (key, provider) = (ids.id("security/key"), ids.output("security/oidc-provider", "arn"));
    let role = json!({"RoleName": "fintechglobal-app-role"});
    let policy = json!({"RoleName": "fintechglobal-app-role", "PolicyName": "application"});
    vec![
        row("iam.role", "security/role/app", move |cloud| {
            cloud.iam("delete_role_policy", policy.clone());
            cloud.iam("delete_role", role.clone());
        }),
        row(
            "iam.oidc_provider",
            "security/oidc-provider",
            call("iam", "delete_open_id_connect_provider", json!({"OpenIDConnectProviderArn": provider})),
        ),
        row("kms.alias", "security/alias", call("kms", "delete_alias", json!({"AliasName": "alias/fintech-data-key"}))),
        row("kms.key", "security/key", call("kms", "schedule_key_deletion", json!({"KeyId": key}))),
    ]
}

fn cluster(ids: &dyn Ids) -> Vec<Row> {
    let profile = ids.id("cluster/fargate-profile/fargate");
    let profile = profile.rsplit('|').next().unwrap_or_default();
    let of = |what: &str, name: &str| json!({"clusterName": "fintechglobal-cluster", what: name});
    let caller = "arn:aws:iam::797923187401:user/bedplate";
    vec![
        row(
            "eks.node_group",
            "cluster/node-group/system-ng",
            call("eks", "delete_nodegroup", of("nodegroupName", "system-ng")),
        ),
        row(
            "eks.fargate_profile",
            "cluster/fargate-profile/fargate",
            call("eks", "delete_fargate_profile", of("fargateProfileName", profile)),
        ),
        row(
            "eks.addon",
            "cluster/addon/metrics-server",
            call("eks", "delete_addon", of("addonName", "metrics-server")),
        ),
        row(
            "eks.access_entry",
            "cluster/access/user-bedplate",
            call("eks", "delete_access_entry", of("principalArn", caller)),
        ),
    ]
}

fn data() -> Vec<Row> {
    const LOGS: &str = "fintechglobal-s3-logs-797923187401-us-east-1";
    let scaler = |dimension: &str| {
        json!({
            "ServiceNamespace": "dynamodb",
            "ResourceId": "table/fintech-sessions",
            "ScalableDimension": format!("dynamodb:table:{dimension}CapacityUnits"),
        })
    };
    let mut policy = scaler("Read");
    policy["PolicyName"] = json!("fintech-sessions-read");
    let reader = json!({"DBInstanceIdentifier": "fintechglobal-aurora-2", "SkipFinalSnapshot": true});
    let group = |what: &str, name: &str| json!({what: name});
    vec![
        row("rds.instance", "database/instance/2", call("rds", "delete_db_instance", reader)),
        row(
            "scaling.policy",
            "sessions/scaling-policy/read",
            call("application-autoscaling", "delete_scaling_policy", policy),
        ),
        row(
            "scaling.target",
            "sessions/scaling/write",
            call("application-autoscaling", "deregister_scalable_target", scaler("Write")),
        ),
        row(
            "elasticache.replication_group",
            "cache/redis",
            call("elasticache", "delete_replication_group", group("ReplicationGroupId", "fintechglobal-redis-cluster")),
        ),
        row(
            "elasticache.subnet_group",
            "cache/subnet-group",
            call("elasticache", "delete_cache_subnet_group", group("CacheSubnetGroupName", "fintechglobal-redis")),
        ),
        row(
            "elasticache.parameter_group",
            "cache/parameters",
            call(
                "elasticache",
                "delete_cache_parameter_group",
                group("CacheParameterGroupName", "fintechglobal-redis7"),
            ),
        ),
        row(
            "secrets.secret",
            "secrets/api-keys",
            call("secretsmanager", "delete_secret", json!({"SecretId": "fintech/api-keys"})),
        ),
        row("dynamodb.table", "sessions/table", |cloud| {
            let table = json!({"TableName": "fintech-sessions"});
            let open = json!({"TableName": "fintech-sessions", "DeletionProtectionEnabled": false});
            cloud.call("dynamodb", "update_table", open);
            cloud.advance(60);
            cloud.call("dynamodb", "delete_table", table);
            cloud.advance(60);
        }),
        row("s3.bucket", "storage/logs", |cloud| {
            // The load balancer has tried whether it may write there.
            for object in cloud.call("s3", "list_object_versions", json!({"Bucket": LOGS})).list("Versions") {
                let version = json!({"Bucket": LOGS, "Key": object["Key"], "VersionId": object["VersionId"]});
                cloud.call("s3", "delete_object", version);
            }
            cloud.call("s3", "delete_bucket", json!({"Bucket": LOGS}));
        }),
    ]
}

fn costs(ids: &dyn Ids) -> Vec<Row> {
    let topic = ids.output("costs/topic", "arn");
    let budget = json!({"AccountId": "797923187401", "BudgetName": "fintechglobal-s3-budget"});
    let subscription = json!({"SubscriptionArn": ids.id("costs/anomaly-subscription")});
    let monitor = json!({"MonitorArn": ids.id("costs/anomaly-monitor")});
    vec![
        row("sns.topic", "costs/topic", call("sns", "delete_topic", json!({"TopicArn": topic}))),
        row("budgets.budget", "costs/budget/s3", call("budgets", "delete_budget", budget)),
        row(
            "ce.anomaly_subscription",
            "costs/anomaly-subscription",
            call("ce", "delete_anomaly_subscription", subscription),
        ),
        row("ce.anomaly_monitor", "costs/anomaly-monitor", call("ce", "delete_anomaly_monitor", monitor)),
        row(
            "cloudwatch.dashboard",
            "monitoring/dashboard",
            call("cloudwatch", "delete_dashboards", json!({"DashboardNames": ["fintechglobal-operations"]})),
        ),
        row(
            "cloudwatch.alarm",
            "monitoring/alarm/database-cpu",
            call("cloudwatch", "delete_alarms", json!({"AlarmNames": ["fintechglobal-database-cpu"]})),
        ),
    ]
}

#[test]
fn what_was_deleted_is_made_again() {
    let cloud = Cloud::start();
    let project = Project::new(&cloud);
    project.bootstrap();
    let before = cloud.inventory();
    let key = project.id("security/key");
    let rows = rows(&project);
    for row in &rows {
        (row.act)(&cloud);
    }
    let gateway = json!({
        "InternetGatewayId": project.id("network/internet-gateway"), "VpcId": project.id("network/vpc"),
    });
    cloud.ec2("detach_internet_gateway", gateway);

    let plan = project.plan();
    let mut gone: BTreeSet<&str> = rows.iter().map(|row| row.address.as_str()).collect();
    // What goes with what was deleted.
    gone.extend(["sessions/scaling-policy/write", "costs/subscription", "cluster/traffic-source"]);
    // A key is never gone for good: it is taken back.
    gone.remove("security/key");
    assert_eq!(plan.with("create"), gone);
    for address in &gone {
        plan.assert_drift(address, "create", &[]);
    }
    // KMS does not rotate a key that waits for its deletion.
    let back = [("enabled", json!(false), json!(true)), ("rotation_days", Value::Null, json!(365))];
    plan.assert_drift("security/key", "update", &back);
    let detached = plan.change("network/internet-gateway");
    assert_eq!(
        (&detached["action"], &detached["fields"][0]["before"]),
        (&json!("update"), &Value::Null),
        "{detached:#}"
    );
    assert!(plan.with("replace").is_empty() && plan.with("delete").is_empty(), "{:#}", plan.0["changes"]);
    assert_drift_shows(&project, &plan);

    project.apply();
    project.assert_no_changes();
    project.run(&["drift"]).exits(0);
    assert_eq!(project.id("security/key"), key, "what it encrypted is readable");
    let kept = |inventory| {
        counts(&without_kept(inventory)).into_iter().map(|(kind, n)| (kind.to_owned(), n)).collect::<Vec<_>>()
    };
    assert_eq!(kept(cloud.inventory()), kept(before));
}

#[test]
fn everything_comes_back() {
    let cloud = Cloud::start();
    let project = Project::new(&cloud);
    project.bootstrap();
    let before = cloud.inventory();
    let state = project.read("state/fintechglobal-production.json");
    let key = project.id("security/key");
    // As if another copy of the program had removed it all: this one's state knows nothing of it.
    project.run(&["destroy", "--yes", "--lift-protection"]).ok();
    project.write("state/fintechglobal-production.json", &state);

    let plan = project.plan();
    let recorded = project.state()["resources"].as_object().expect("resources").clone();
    // Roles of AWS's services stay, and nothing else.
    let gone: BTreeSet<&str> = recorded
        .iter()
        .filter(|(_, resource)| resource["kind"] != "iam.service_linked_role")
        .map(|(address, _)| address.as_str())
        .collect();
    assert_eq!(plan.with("create"), gone);
    assert_eq!(plan.changes().len(), gone.len(), "{:#}", plan.0["changes"]);
    for address in gone {
        plan.assert_drift(address, "create", &[]);
    }
    project.apply();
    project.assert_no_changes();
    assert_eq!(project.id("security/key"), key, "what it encrypted is readable");
    assert_eq!(counts(&without_kept(cloud.inventory())), counts(&without_kept(before)));
}
