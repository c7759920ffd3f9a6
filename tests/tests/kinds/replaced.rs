//! One replacement of every type that has fields which AWS cannot change, driven by a setting: the old one is gone, the new
//! one is there, whoever used it has moved over, and nothing is left to do.

use crate::row::at;
use bedplate_tests::{Cloud, FIVE_LINES, Inventory, JsonExt, Project, counts, set};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const CLUSTER: &str = "fintechglobal-cluster";

/// A resource that a line in `platform.toml` replaces.
pub(crate) struct Row {
    pub(crate) kind: &'static str,
    address: &'static str,
    /// The field that cannot be changed.
    field: &'static str,
    look: Look,
}

/// Which of them there are, in boto3's eyes: one before, another one afterwards.
type Look = Box<dyn Fn(&Cloud) -> BTreeSet<String>>;

/// Types whose resources no setting replaces, and why.
pub(crate) const KEPT: &[(&str, &str)] = &[
    ("ec2.elastic_ip", "no setting moves it to another border group"),
    ("logs.log_group", "its name follows from the project's; another project is another platform"),
    ("iam.role", "its name follows from the project's; another project is another platform"),
    ("iam.service_linked_role", "AWS names it"),
    ("rds.subnet_group", "its name follows from the project's; another project is another platform"),
    ("rds.cluster_parameter_group", "upgrades::the_database_goes_to_the_next_major_version"),
    ("rds.parameter_group", "upgrades::the_database_goes_to_the_next_major_version"),
    ("rds.cluster", "is never replaced: `what_would_lose_data_is_refused`"),
    ("rds.instance", "its name and its cluster follow from the project's name, and the zone is Aurora's choice"),
    ("scaling.target", "what it scales is never renamed: `what_would_lose_data_is_refused`"),
    ("scaling.policy", "what it scales is never renamed: `what_would_lose_data_is_refused`"),
    ("secrets.secret", "is never replaced: `what_would_lose_data_is_refused`"),
    ("elasticache.subnet_group", "its name follows from the project's; another project is another platform"),
    ("elasticache.parameter_group", "there is one family of Redis 7"),
    ("elasticache.replication_group", "is never replaced: `what_would_lose_data_is_refused`"),
    ("dynamodb.table", "is never replaced: `what_would_lose_data_is_refused`"),
    ("s3.bucket", "its name follows from the project's; another project is another platform"),
    ("sns.topic", "its name follows from the project's; another project is another platform"),
    ("budgets.budget", "each has the name of its service, so another one is one more"),
    ("ce.anomaly_monitor", "AWS has one dimension for linked accounts"),
    ("cur.report_definition", "no setting changes its form"),
    ("athena.workgroup", "its name follows from the project's; another project is another platform"),
    ("glue.database", "its name follows from the project's; another project is another platform"),
    ("organizations.policy", "there is one of each type"),
    ("cloudwatch.dashboard", "its name follows from the project's; another project is another platform"),
    ("cloudwatch.alarm", "its name follows from the project's; another project is another platform"),
];

/// Of a whole platform, by settings that do not disturb each other.
const LINES: &str = "\
network.public_subnet_slot = 41
network.database_port = 5433
security.key_alias = \"other-key\"
cluster.node_group.disk_size_gb = 50
cluster.fargate_namespaces = [\"fintech-prod\"]
cluster.service_account = \"other-account\"
cluster.application = \"other-api\"
cluster.load_balancer.node_port = 30081
";

fn rows() -> Vec<Row> {
    let namespaced = |path: &'static str| names(move |cloud| object(cloud, path));
    vec![
        tagged("ec2.subnet", "network/subnet/public-a", "cidr"),
        row("ec2.nat_gateway", "network/nat/a", "subnet", |cloud| {
            // EC2 goes on to show deleted ones for a while.
            let standing = json!({"Filters": [
                {"Name": "state", "Values": ["available"]},
                {"Name": "tag:bedplate:address", "Values": ["network/nat/a"]},
            ]});
            set(cloud.ec2("describe_nat_gateways", standing).list("NatGateways"), "NatGatewayId")
        }),
        tagged("ec2.security_group_rule", "network/rule/database-from-cluster", "from_port"),
        row("kms.alias", "security/alias", "name", |cloud| {
            let all = cloud.call("kms", "list_aliases", json!({}));
            let ours = all.list("Aliases").iter().filter(|alias| !alias.text("AliasName").starts_with("alias/aws/"));
            set(ours, "AliasName")
        }),
        tagged("eks.node_group", "cluster/node-group/system-ng", "disk_size"),
        tagged("eks.fargate_profile", "cluster/fargate-profile/fargate", "selectors"),
        row("kubernetes.service_account", "cluster/service-account", "name", namespaced("/api/v1/{}/serviceaccounts")),
        row("kubernetes.node_port_service", "cluster/service", "name", namespaced("/api/v1/{}/services")),
        row(
            "kubernetes.autoscaler",
            "cluster/autoscaler",
            "name",
            namespaced("/apis/autoscaling/v2/{}/horizontalpodautoscalers"),
        ),
        tagged("elb.target_group", "cluster/target-group", "port"),
        row("autoscaling.traffic_source", "cluster/traffic-source", "target_group", |cloud| {
            let groups = cloud.call("autoscaling", "describe_auto_scaling_groups", json!({}));
            let attached = |group: &Value| {
                let group = json!({"AutoScalingGroupName": group["AutoScalingGroupName"]});
                set(cloud.call("autoscaling", "describe_traffic_sources", group).list("TrafficSources"), "Identifier")
            };
            groups.list("AutoScalingGroups").iter().flat_map(attached).collect()
        }),
    ]
}

/// Of a platform without data tiers, by another range for its VPC and another address for its mail.
fn rows_of_the_range() -> Vec<Row> {
    vec![
        tagged("ec2.vpc", "network/vpc", "cidr"),
        tagged("ec2.route_table", "network/route-table/app-a", "vpc"),
        tagged("ec2.flow_log", "network/flow-log", "vpc"),
        tagged("ec2.vpc_endpoint", "network/endpoint/sts", "vpc"),
        tagged("ec2.security_group", "network/security-group/endpoints", "vpc"),
        row("ec2.default_security_group", "network/default-security-group", "vpc", |cloud| {
            let groups = cloud.ec2(
                "describe_security_groups",
                json!({"Filters": [
                    {"Name": "group-name", "Values": ["default"]}, {"Name": "vpc-id", "Values": vpcs(cloud)},
                ]}),
            );
            set(groups.list("SecurityGroups"), "GroupId")
        }),
        row("iam.oidc_provider", "security/oidc-provider", "url", |cloud| {
            let providers = cloud.iam("list_open_id_connect_providers", json!({}));
            set(providers.list("OpenIDConnectProviderList"), "Arn")
        }),
        row("eks.cluster", "cluster/cluster", "vpc", |cloud| {
            // It comes back under its name; its endpoint is another one.
            set([&cloud.eks("describe_cluster", json!({"name": CLUSTER}))["cluster"]], "endpoint")
        }),
        tagged("eks.addon", "cluster/addon/coredns", "cluster"),
        tagged("eks.access_entry", "cluster/access/user-bedplate", "cluster"),
        row("kubernetes.namespace", "cluster/namespace", "cluster", |cloud| {
            let (status, found) = cloud.kubernetes(CLUSTER, "GET", "/api/v1/namespaces/fintech-prod", None);
            assert_eq!(status, 200, "{found:#}");
            [found["metadata"].text("uid").to_owned()].into()
        }),
        tagged("elb.load_balancer", "cluster/load-balancer", "vpc"),
        tagged("elb.listener", "cluster/listener/http", "load_balancer"),
        row("sns.subscription", "costs/subscription", "endpoint", |cloud| {
            set(cloud.call("sns", "list_subscriptions", json!({})).list("Subscriptions"), "Endpoint")
        }),
    ]
}

/// The types that have a row.
pub(crate) fn kinds() -> BTreeSet<&'static str> {
    rows().iter().chain(&rows_of_the_range()).map(|row| row.kind).collect()
}

fn row(
    kind: &'static str,
    address: &'static str,
    field: &'static str,
    look: impl Fn(&Cloud) -> BTreeSet<String> + 'static,
) -> Row {
    Row { kind, address, field, look: Box::new(look) }
}

/// What carries the address as a tag.
fn tagged(kind: &'static str, address: &'static str, field: &'static str) -> Row {
    let filter = json!({"TagFilters": [{"Key": "bedplate:address", "Values": [address]}]});
    row(kind, address, field, move |cloud| {
        let found = cloud.call("resourcegroupstaggingapi", "get_resources", filter.clone());
        set(found.list("ResourceTagMappingList"), "ResourceARN")
    })
}

/// The objects of one kind in the application's namespace.
fn object(cloud: &Cloud, path: &str) -> Value {
    let (status, found) = cloud.kubernetes(CLUSTER, "GET", &path.replace("{}", "namespaces/fintech-prod"), None);
    assert_eq!(status, 200, "{path}: {found:#}");
    found
}

/// The names in a list of objects, apart from what Kubernetes itself puts there.
fn names(list: impl Fn(&Cloud) -> Value) -> impl Fn(&Cloud) -> BTreeSet<String> {
    move |cloud| {
        let found = list(cloud);
        let names = found.list("items").iter().map(|item| item["metadata"].text("name").to_owned());
        names.filter(|name| name != "default").collect()
    }
}

fn vpcs(cloud: &Cloud) -> BTreeSet<String> {
    let ours = json!({"Filters": [{"Name": "tag:Project", "Values": ["fintechglobal"]}]});
    set(cloud.ec2("describe_vpcs", ours).list("Vpcs"), "VpcId")
}

/// How many there are of what this program makes; interfaces follow from it, and linger.
fn made(mut inventory: Inventory) -> BTreeMap<String, usize> {
    inventory.remove("ec2.network-interface");
    counts(&inventory).into_iter().map(|(kind, count)| (kind.to_owned(), count)).collect()
}

/// Applies what was configured: the rows' resources are replaced, and nothing of the old ones is left.
fn replace(cloud: &Cloud, project: &Project, rows: &[Row], configure: impl FnOnce()) {
    let before: Vec<BTreeSet<String>> = rows.iter().map(|row| (row.look)(cloud)).collect();
    let inventory = made(cloud.inventory());
    configure();
    let plan = project.plan();
    for row in rows {
        let change = plan.change(row.address);
        let forced = change.list("fields").iter().any(|it| it["path"] == row.field && it["forces_replacement"] == true);
        assert!(change["action"] == "replace" && (forced || change["kind"] == "kubernetes.namespace"), "{change:#}");
        assert_eq!(change["kind"], row.kind);
    }
    project.apply();
    for (row, before) in rows.iter().zip(before) {
        let after = (row.look)(cloud);
        assert_eq!((before.len(), after.len()), (1, 1), "{}: {before:?}, then {after:?}", row.address);
        assert_ne!(before, after, "{} is the same as before", row.address);
    }
    assert_eq!(made(cloud.inventory()), inventory);
    project.assert_no_changes();
}

#[test]
fn settings_replace_what_cannot_be_changed_in_place() {
    let cloud = Cloud::start();
    let project = Project::new(&cloud);
    project.bootstrap();
    what_would_lose_data_is_refused(&cloud, &project);
    replace(&cloud, &project, &rows(), || project.configure(LINES));

    // Who used the old ones uses the new ones.
    let found =
        |service, operation, arguments: Value, pointer: &str| at(service, operation, arguments, pointer)(&cloud);
    let subnets = ["a", "b"].map(|letter| project.id(&format!("network/subnet/public-{letter}")));
    let balancer = json!({"Names": ["fintechglobal-alb"]});
    let zones = found("elbv2", "describe_load_balancers", balancer, "/LoadBalancers/0/AvailabilityZones");
    assert_eq!(set(zones.as_array().expect("zones"), "SubnetId"), BTreeSet::from(subnets.clone()));
    let table = json!({"RouteTableIds": [project.id("network/route-table/public")]});
    let associations = found("ec2", "describe_route_tables", table, "/RouteTables/0/Associations");
    assert_eq!(set(associations.as_array().expect("associations"), "SubnetId"), BTreeSet::from(subnets));
    let table = cloud.ec2("describe_route_tables", json!({"RouteTableIds": [project.id("network/route-table/app-a")]}));
    let mut routes = table["RouteTables"][0].list("Routes").iter();
    assert!(routes.any(|route| route["NatGatewayId"] == json!(project.id("network/nat/a"))), "{table:#}");
    let alarm = json!({"AlarmNames": ["fintechglobal-nat-a-errors"]});
    let watched = found("cloudwatch", "describe_alarms", alarm, "/MetricAlarms/0/Dimensions/0/Value");
    assert_eq!(watched, json!(project.id("network/nat/a")));
    let listener = json!({"ListenerArns": [project.id("cluster/listener/http")]});
    let target = found("elbv2", "describe_listeners", listener, "/Listeners/0/DefaultActions/0/TargetGroupArn");
    let groups = cloud.call("elbv2", "describe_target_groups", json!({}));
    assert_eq!(
        (groups["TargetGroups"][0]["Port"].clone(), &groups["TargetGroups"][0]["TargetGroupArn"]),
        (json!(30081), &target)
    );
    let key = found("kms", "describe_key", json!({"KeyId": "alias/other-key"}), "/KeyMetadata/KeyId");
    assert_eq!(key, json!(project.id("security/key")));
    let trust =
        found("iam", "get_role", json!({"RoleName": "fintechglobal-app-role"}), "/Role/AssumeRolePolicyDocument");
    assert!(trust.to_string().contains("system:serviceaccount:fintech-prod:other-account"), "{trust:#}");
    let service = object(&cloud, "/api/v1/{}/services/other-api");
    assert_eq!(service.pointer("/spec/ports/0/nodePort"), Some(&json!(30081)));
    let autoscaler = object(&cloud, "/apis/autoscaling/v2/{}/horizontalpodautoscalers/other-api-hpa");
    assert_eq!(autoscaler.pointer("/spec/scaleTargetRef/name"), Some(&json!("other-api")));
}

/// Settings that would replace what holds data, and what they would replace.
const REFUSED: &[(&str, &str)] = &[
    ("database.name = \"other\"", "database/cluster"),
    ("database.user = \"other\"", "database/cluster"),
    ("network.cache_port = 6380", "cache/redis"),
    ("sessions.table = \"other\"", "sessions/table"),
    ("sessions.partition_key = \"other\"", "sessions/table"),
    ("sessions.sort_key = \"other\"", "sessions/table"),
    ("secrets.prefix = \"other\"", "secrets/redis-auth"),
    ("cluster.namespace = \"other\"", "cluster/namespace"),
    // What is in a subnet does not move.
    ("network.data_subnet_slot = 31", "database/subnet-group"),
    ("network.data_subnet_slot = 31", "cache/subnet-group"),
    ("network.cidr = \"10.1.0.0/16\"\ncluster.deletion_protection = false", "database/subnet-group"),
];

fn what_would_lose_data_is_refused(cloud: &Cloud, project: &Project) {
    cloud.reset_calls();
    for (line, address) in REFUSED {
        project.configure(line);
        project.run(&["apply", "--yes"]).exits(3).says(&[address]);
    }
    assert_eq!(cloud.mutating_calls(), 0, "{:?}", cloud.calls());
}

#[test]
fn another_range_replaces_the_network_and_what_lies_in_it() {
    let cloud = Cloud::start();
    let settings = "cluster.deletion_protection = false\ncosts.email_subscription = true\n";
    let project = Project::with(&cloud, &format!("{settings}{SMALL}"));
    project.bootstrap();
    cloud.confirm_subscriptions();
    replace(&cloud, &project, &rows_of_the_range(), || {
        let five_lines = FIVE_LINES.replace("team-platform@", "team-other@");
        project.write("platform.toml", &format!("{five_lines}{settings}network.cidr = \"10.1.0.0/16\"\n{SMALL}"));
    });
    assert_eq!(vpcs(&cloud), [project.id("network/vpc")].into());
    let shown = cloud.eks("describe_cluster", json!({"name": CLUSTER}));
    assert_eq!(shown["cluster"]["resourcesVpcConfig"]["vpcId"], json!(project.id("network/vpc")));
}

/// Without the data tiers, which hold the network.
const SMALL: &str = "database.enabled = false\ncache.enabled = false\nsessions.enabled = false\nmonitoring = { dashboard = false, alarms.enabled = false }\n";
