//! The graph as a whole: what is in it, and that every resource fits its type.

mod permissions;

use crate::{Facts, build, config::Config};
use bedplate_aws::KINDS;
use bedplate_model::{Address, Json, references, resolve};
use bedplate_plan::{Graph, Need};
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

const REFERENCE: &str = r#"
project_name = "fintechglobal"
region       = "us-east-1"
account_id   = "797923187401"
alert_email  = "team-platform@yourcompany.com"
monthly_budget_limit = "5000"
"#;

/// The reference configuration with more after it.
pub(crate) fn config(more: &str) -> Config {
    Config::parse(&format!("{REFERENCE}{more}"), "platform.toml").unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) fn facts(zones: usize) -> Facts {
    let versions = [("coredns", "v1.13.1-eksbuild.1"), ("vpc-cni", "v1.20.4-eksbuild.1")];
    Facts {
        partition: "aws".to_owned(),
        zones: ["use1-az1", "use1-az2", "use1-az4"].map(str::to_owned).into_iter().take(zones).collect(),
        admins: vec!["arn:aws:iam::797923187401:role/team/Platform_Admin".to_owned()],
        addon_versions: versions.map(|(name, version)| (name.to_owned(), version.to_owned())).into(),
        member: false,
    }
}

/// The platform of the reference configuration with more after it.
fn platform(more: &str) -> Graph {
    let config = config(more);
    build(&config, &facts(usize::from(config.network.zones))).unwrap_or_else(|error| panic!("{error}"))
}

fn addresses(graph: &Graph) -> BTreeSet<String> {
    graph.iter().map(|(address, _)| address.to_string()).collect()
}

fn draft<'a>(graph: &'a Graph, address: &str) -> &'a Json {
    &graph.get(&Address::new(address).unwrap()).unwrap_or_else(|| panic!("there is no {address}")).draft
}

/// What an address waits for and no data says.
fn waits<'a>(graph: &'a Graph, address: &str) -> BTreeMap<&'a str, &'static str> {
    let node = graph.get(&Address::new(address).unwrap()).unwrap_or_else(|| panic!("there is no {address}"));
    node.depends_on.iter().filter_map(|(to, why)| Some((to.as_str(), why.why()?))).collect()
}

/// The settings of a resource once everything it refers to exists: every output is `address.field`.
fn resolved(draft: &Json) -> Json {
    resolve(draft, &|address, field| Some(json!(format!("{address}.{field}"))))
}

#[test]
fn five_lines_make_this() {
    let graph = platform("");
    let mut text = format!("{} resources\n", graph.iter().count());
    for (address, node) in graph.iter() {
        writeln!(text, "\n{address} = {}", node.kind).unwrap();
        for (to, why) in &node.depends_on {
            match why {
                Need::Outputs => writeln!(text, "  {to}").unwrap(),
                Need::Ready(why) => writeln!(text, "  after {to}: {why}").unwrap(),
                Need::Existence(why) => writeln!(text, "  beside {to}: {why}").unwrap(),
            }
        }
    }
    insta::assert_snapshot!("graph", text);
}

#[test]
fn five_lines_give_these_settings() {
    let graph = platform("");
    let drafts: BTreeMap<_, _> = graph.iter().map(|(address, node)| (address.as_str(), &node.draft)).collect();
    insta::assert_snapshot!("settings", serde_json::to_string_pretty(&drafts).unwrap());
    insta::assert_json_snapshot!("outputs", graph.outputs());
}

/// Every layer with as little as it can have.
const LEAST: &str = r#"
database = { readers = 0, insights = "off", monitoring_interval_seconds = 0, log_types = [], autoscaling.enabled = false }
cache = { nodes = 1, automatic_failover = false, multi_az = false, snapshot_retention_days = 0 }
sessions = { stream = "OFF", point_in_time_recovery = false, autoscaling.enabled = false }
storage = { prefixes = [], access_logs = false, archive.enabled = false, tiering.enabled = false }
monitoring = { dashboard = false, alarms.enabled = false }
costs = { email_subscription = false, service_budgets = {}, budgets_to_topic = false, anomaly_detection = false }
"#;

/// What there is on request only.
const OPTIONAL: &str = r#"
costs.report.enabled = true
organization = { enabled = true, targets = ["ou-ab12-cdef3456", "123456789012"], allowed_regions = ["eu-west-1"] }
"#;

/// Configurations that between them declare everything there is.
const SHAPES: &[&str] = &[
    "",
    "[network]\nzones = 3\n",
    "[network]\nnat_gateways = \"single\"\nflow_logs = false\ninterface_endpoints = []\ngateway_endpoints = []\n",
    "[cluster]\nenabled = false\n",
    "[security]\nservice_linked_roles = false\n[cluster]\nfargate_namespaces = []\n[cluster.load_balancer]\nenabled = false\n",
    "[cluster]\npublic_access_cidrs = [\"203.0.113.0/24\"]\n[cluster.node_group]\nmin = 0\ndesired = 0\n",
    "environment = \"development\"\n",
    OPTIONAL,
    "database.enabled = false\ncache.enabled = false\nsessions.enabled = false\ncluster.enabled = false\n",
    LEAST,
    "[cluster.load_balancer]\ncertificate_arn = \"arn:aws:acm:us-east-1:797923187401:certificate/0a\"\n",
];

#[test]
fn every_draft_fits_its_type() {
    for shape in SHAPES {
        let graph = platform(shape);
        for (address, node) in graph.iter() {
            let kind = KINDS.iter().find(|kind| kind.name() == node.kind);
            let kind = kind.unwrap_or_else(|| panic!("{address} is of the unknown type {}", node.kind));
            let spec = resolved(&node.draft);
            kind.identity(&spec).unwrap_or_else(|error| panic!("{address}: {error}"));
            let canonical = kind.canonical(&spec).unwrap_or_else(|error| panic!("{address}: {error}"));
            let fields = |json: &Json| json.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
            assert_eq!(fields(&canonical), fields(&spec), "{address}");
        }
    }
}

#[test]
fn every_reference_names_an_output() {
    for shape in SHAPES {
        let graph = platform(shape);
        let drafts = graph.iter().map(|(_, node)| &node.draft).chain(graph.outputs().values());
        for draft in drafts {
            resolve(draft, &|address, field| {
                let node = graph.get(address).unwrap_or_else(|| panic!("there is no {address}"));
                let kind = KINDS.iter().find(|kind| kind.name() == node.kind).unwrap();
                assert!(kind.output_fields().iter().any(|output| output.name == field), "{address} has no {field}");
                None
            });
        }
    }
}

#[test]
fn every_resource_has_the_tags_of_the_configuration() {
    for (address, node) in platform("[tags]\nCostCenter = \"4711\"\n").iter() {
        let keys: BTreeSet<&str> = node.tags.keys().map(String::as_str).collect();
        assert!(keys.is_superset(&["Environment", "Project", "Owner", "CostCenter", "Name"].into()), "{address}");
    }
}

#[test]
fn kubernetes_finds_its_subnets_by_tags() {
    let graph = platform("");
    let tagged = |key: &str| -> Vec<&str> {
        let nodes = graph.iter().filter(|(_, node)| node.tags.get(key).is_some_and(|value| value == "1"));
        let mut addresses: Vec<&str> = nodes.map(|(address, _)| address.as_str()).collect();
        addresses.sort_unstable();
        addresses
    };
    assert_eq!(tagged("kubernetes.io/role/elb"), ["network/subnet/public-a", "network/subnet/public-b"]);
    assert_eq!(tagged("kubernetes.io/role/internal-elb"), ["network/subnet/app-a", "network/subnet/app-b"]);
}

#[test]
fn counts() {
    let counts: Vec<usize> = SHAPES.iter().map(|shape| platform(shape).iter().count()).collect();
    assert_eq!(counts, [120, 127, 102, 86, 99, 120, 120, 128, 58, 90, 121]);
}

#[test]
fn a_third_zone_adds_and_moves_nothing() {
    let (two, three) = (platform(""), platform("[network]\nzones = 3\n"));
    let added: Vec<String> = addresses(&three).difference(&addresses(&two)).cloned().collect();
    assert_eq!(
        added,
        [
            "monitoring/alarm/nat-c-errors",
            "network/elastic-ip/c",
            "network/nat/c",
            "network/route-table/app-c",
            "network/subnet/app-c",
            "network/subnet/data-c",
            "network/subnet/public-c"
        ]
    );
    for name in ["public-a", "app-b", "data-b"] {
        let address = format!("network/subnet/{name}");
        assert_eq!(draft(&two, &address), draft(&three, &address));
    }
    assert_eq!(draft(&three, "network/subnet/app-c")["zone_id"], "use1-az4");
}

#[test]
fn a_single_nat_gateway_serves_all_zones() {
    let graph = platform("[network]\nnat_gateways = \"single\"\n");
    assert!(!addresses(&graph).contains("network/nat/b"));
    for table in ["network/route-table/app-a", "network/route-table/app-b"] {
        assert_eq!(draft(&graph, table)["routes"]["0.0.0.0/0"]["nat_gateway"]["$ref"], "network/nat/a#id");
    }
    assert_eq!(draft(&graph, "network/route-table/data")["routes"], json!({}));
}

#[test]
fn without_a_cluster_nothing_of_it_is_left() {
    let graph = platform("[cluster]\nenabled = false\n");
    let left = addresses(&graph);
    assert!(left.iter().all(|address| !address.starts_with("cluster/")), "{left:?}");
    for gone in ["oidc-provider", "role/app", "role/cluster", "role/node", "role/fargate", "service-linked-role/eks"] {
        assert!(!left.contains(&format!("security/{gone}")), "{gone}");
    }
    assert!(left.contains("network/rule/database-from-app-a"));
    assert!(left.iter().all(|address| !address.contains("load-balancer")), "{left:?}");
    assert!(!graph.outputs().contains_key("cluster_name") && graph.outputs().contains_key("data_subnet_ids"));
}

#[test]
fn the_data_tiers_do_not_wait_for_the_cluster() {
    let graph = platform("");
    let cluster = Address::new("cluster/cluster").unwrap();
    for (address, node) in graph.iter() {
        let needs = graph.with_dependencies(BTreeSet::from([address.clone()])).contains(&cluster);
        let part_of_it = ["cluster", "security"].contains(&address.layer()) || node.kind == "ec2.security_group_rule";
        assert!(!needs || part_of_it, "{address} waits for the cluster");
    }
}

#[test]
fn order_that_no_data_carries() {
    let graph = platform("");
    let nodes: Vec<_> = waits(&graph, "cluster/node-group/system-ng").into_keys().collect();
    assert_eq!(
        nodes,
        [
            "cluster/addon/eks-pod-identity-agent",
            "cluster/addon/kube-proxy",
            "cluster/addon/vpc-cni",
            "network/route-table/app-a",
            "network/route-table/app-b",
            "security/service-linked-role/eks-nodegroup"
        ]
    );
    let profile: Vec<_> = waits(&graph, "cluster/fargate-profile/fargate").into_keys().collect();
    assert_eq!(
        profile,
        ["network/route-table/app-a", "network/route-table/app-b", "security/service-linked-role/eks-fargate"]
    );
    for late in ["cluster/addon/coredns", "cluster/addon/metrics-server"] {
        let waits: Vec<_> = waits(&graph, late).into_keys().collect();
        assert_eq!(waits, ["cluster/fargate-profile/fargate", "cluster/node-group/system-ng"]);
    }
    assert!(waits(&graph, "cluster/cluster").contains_key("cluster/log-group"));
    assert!(waits(&graph, "network/nat/a").contains_key("network/internet-gateway"));
    assert!(waits(&graph, "network/endpoint/ecr.api").contains_key("network/rule/endpoints-from-vpc"));
    let scaling: Vec<_> = waits(&graph, "database/scaling").into_keys().collect();
    let role = "security/service-linked-role/rds.application-autoscaling";
    assert_eq!(scaling, ["database/instance/1", "database/instance/2", role]);
    let database: Vec<_> = waits(&graph, "database/cluster").into_keys().collect();
    assert_eq!(database, ["database/log-group/postgresql", "security/service-linked-role/rds"]);
    let balancer: Vec<_> = waits(&graph, "cluster/load-balancer").into_keys().collect();
    let role = "security/service-linked-role/elasticloadbalancing";
    assert_eq!(balancer, ["network/internet-gateway", "network/route-table/public", role]);
    // Who is sent to HTTPS finds it.
    let certificate = "arn:aws:acm:us-east-1:797923187401:certificate/0a";
    let secure = platform(&format!("[cluster.load_balancer]\ncertificate_arn = \"{certificate}\"\n"));
    assert!(waits(&secure, "cluster/listener/http").contains_key("cluster/listener/https"));
    assert!(waits(&graph, "cache/redis").contains_key("security/service-linked-role/elasticache"));
    // Its data says so.
    assert!(references(draft(&graph, "cluster/log-group")).contains(&Address::new("security/key").unwrap()));
}

#[test]
fn nodes_that_may_be_missing_leave_dns_to_fargate() {
    let graph = platform("[cluster.node_group]\nmin = 0\ndesired = 0\n");
    assert_eq!(draft(&graph, "cluster/addon/coredns")["configuration"], json!({"computeType": "Fargate"}));
    assert_eq!(draft(&platform(""), "cluster/addon/coredns")["configuration"], Json::Null);
}

#[test]
fn every_administrator_has_an_address_of_their_own() {
    let mut facts = facts(2);
    facts.admins = [
        "arn:aws:iam::797923187401:role/a/Admin",
        "arn:aws:iam::111122223333:role/Admin",
        "arn:aws:iam::797923187401:user/admin",
    ]
    .map(str::to_owned)
    .into();
    let graph = build(&config(""), &facts).unwrap();
    let entries: Vec<_> =
        addresses(&graph).into_iter().filter(|address| address.starts_with("cluster/access")).collect();
    assert_eq!(
        entries,
        [
            "cluster/access/role-admin-111122223333",
            "cluster/access/role-admin-797923187401",
            "cluster/access/user-admin"
        ]
    );
}

/// EC2 takes letters, digits, spaces and `._-:/()#,@[]+=&;{}!$*` in descriptions (CreateSecurityGroup, IpRange).
#[test]
fn descriptions_have_only_characters_that_ec2_takes() {
    for shape in SHAPES {
        for (address, node) in platform(shape).iter().filter(|(_, node)| node.kind.starts_with("ec2.security_group")) {
            let description = node.draft["description"].as_str().unwrap();
            let fits = |c: char| c.is_ascii_alphanumeric() || " ._-:/()#,@[]+=&;{}!$*".contains(c);
            assert!(!description.is_empty() && description.chars().all(fits), "{address}: {description}");
        }
    }
}

#[test]
fn what_is_on_request_is_off() {
    let on: BTreeSet<String> = &addresses(&platform(OPTIONAL)) - &addresses(&platform(""));
    let expected = [
        "costs/report",
        "costs/report-bucket",
        "costs/report-database",
        "costs/report-workgroup",
        "organization/deny-root-user",
        "organization/protect-cloudtrail",
        "organization/restrict-regions",
        "organization/tags",
    ];
    assert_eq!(on, expected.map(str::to_owned).into());
}

/// Organizations takes 5,120 bytes (quotas for AWS Organizations).
#[test]
fn policies_of_the_organization_fit() {
    let regions = ["eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2", "eu-west-3", "us-east-2", "us-west-2"];
    let settings =
        format!("organization = {{ enabled = true, targets = [\"r-ab12\"], allowed_regions = {regions:?} }}\n");
    let graph = platform(&settings);
    for name in ["deny-root-user", "protect-cloudtrail", "restrict-regions", "tags"] {
        let content = draft(&graph, &format!("organization/{name}"))["content"].to_string();
        assert!(content.len() < 5120, "{name} has {} bytes", content.len());
    }
}

#[test]
fn nobody_is_exempt_when_nobody_is_named() {
    let graph = platform("organization = { enabled = true, targets = [\"r-ab12\"], exempt_roles = [] }\n");
    assert!(draft(&graph, "organization/protect-cloudtrail")["content"]["Statement"][0].get("Condition").is_none());
    let regions = &draft(&graph, "organization/restrict-regions")["content"]["Statement"][0]["Condition"];
    assert_eq!(regions, &json!({"StringNotEquals": {"aws:RequestedRegion": ["us-east-1"]}}));
}

#[test]
fn without_a_data_tier_nothing_of_it_is_left() {
    let graph = platform("database.enabled = false\ncache.enabled = false\nsessions.enabled = false\n");
    let left = addresses(&graph);
    for layer in ["database/", "cache/", "sessions/", "monitoring/alarm/database", "monitoring/alarm/cache"] {
        assert!(left.iter().all(|address| !address.starts_with(layer)), "{layer} is left: {left:?}");
    }
    assert!(!left.contains("security/role/rds-monitoring") && !left.contains("security/service-linked-role/rds"));
    let outputs = graph.outputs();
    assert!(
        ["database_endpoint", "redis_primary_endpoint", "sessions_table"].iter().all(|it| !outputs.contains_key(*it))
    );
    assert!(!draft(&graph, "security/role/app").to_string().contains("Sessions"));
}

#[test]
fn production_is_protected_and_leaves_snapshots() {
    let (production, development) = (platform(""), platform("environment = \"development\"\n"));
    for (address, field) in [("database/cluster", "deletion_protection"), ("sessions/table", "deletion_protection")] {
        assert_eq!(draft(&production, address)[field], true, "{address}");
        assert_eq!(draft(&development, address)[field], false, "{address}");
    }
    for (address, name) in [("database/cluster", "final"), ("cache/redis", "fintechglobal-redis-cluster-final")] {
        assert_eq!(draft(&production, address)["final_snapshot"], name, "{address}");
        assert_eq!(draft(&development, address)["final_snapshot"], Json::Null, "{address}");
    }
}

#[test]
fn everything_at_rest_is_encrypted_with_the_key() {
    let graph = platform("");
    let key = json!({"$ref": "security/key#arn"});
    for (address, node) in graph.iter() {
        for field in ["kms_key", "secret_key", "insights_key", "encryption_key"] {
            // Nobody delivers access logs into a bucket with a key of one's own.
            let expected = if address.as_str() == "storage/logs" { &Json::Null } else { &key };
            if let Some(value) = node.draft.get(field) {
                assert_eq!(value, expected, "{field} of {address}");
            }
        }
    }
}

#[test]
fn buckets_are_private_and_refuse_plain_http() {
    let graph = platform("");
    for (address, node) in graph.iter().filter(|(_, node)| node.kind == "s3.bucket") {
        let bucket = &node.draft;
        assert_eq!(
            (&bucket["public_access_blocked"], &bucket["object_ownership"]),
            (&json!(true), &json!("BucketOwnerEnforced"))
        );
        let statement = &bucket["policy"]["Statement"][0];
        assert_eq!(statement["Effect"], "Deny", "{address}");
        assert_eq!(statement["Condition"], json!({"Bool": {"aws:SecureTransport": "false"}}), "{address}");
    }
    assert_eq!(draft(&graph, "storage/data-lake")["log_bucket"], json!({"$ref": "storage/logs#name"}));
}

#[test]
fn no_object_is_under_two_transitions() {
    let lake = draft(&platform(""), "storage/data-lake").clone();
    let rules = lake["lifecycle"].as_object().unwrap();
    let moving = rules.values().filter(|rule| !rule["transitions"].as_object().unwrap().is_empty());
    let prefixes: Vec<&str> = moving.map(|rule| rule["prefix"].as_str().unwrap()).collect();
    assert_eq!(prefixes, ["archive/", "analytics/", "processed/", "raw/"]);
}

/// Whoever publishes to the topic has to be let in twice: by the topic and by the key it is encrypted with.
#[test]
fn publishers_may_use_the_topic_and_the_key_for_this_account_only() {
    let graph = platform("");
    let services = |address: &str, action: &str| -> BTreeSet<String> {
        let statements = draft(&graph, address)["policy"]["Statement"].as_array().unwrap();
        let allowed = statements.iter().filter(|statement| {
            statement["Principal"].get("Service").is_some()
                && statement["Action"].to_string().contains(action)
                && statement["Condition"]["StringEquals"]["aws:SourceAccount"] == "797923187401"
        });
        let names = allowed.flat_map(|statement| match &statement["Principal"]["Service"] {
            Json::Array(names) => names.clone(),
            one => vec![one.clone()],
        });
        names.map(|name| name.as_str().unwrap().to_owned()).collect()
    };
    let publishers = services("costs/topic", "sns:Publish");
    assert_eq!(publishers.len(), 3);
    assert_eq!(publishers, services("security/key", "kms:GenerateDataKey"));
}

#[test]
fn budgets_are_those_of_the_reference() {
    let graph = platform("");
    let budgets = graph.iter().filter(|(_, node)| node.kind == "budgets.budget");
    let mut lines: Vec<String> = budgets
        .map(|(_, node)| {
            let budget = &node.draft;
            let percents = budget["notifications"].as_array().unwrap().iter().map(|it| it["threshold_percent"].clone());
            format!(
                "{} {} {} {}",
                budget["name"],
                budget["limit"],
                budget["filters"],
                json!(percents.collect::<Vec<_>>())
            )
        })
        .collect();
    lines.sort();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    "fintechglobal-dynamodb-budget" 300.0 {"Service":["Amazon DynamoDB"]} [80]
    "fintechglobal-eks-budget" 2000.0 {"Service":["Amazon Elastic Container Service for Kubernetes"]} [80]
    "fintechglobal-elasticache-budget" 500.0 {"Service":["Amazon ElastiCache"]} [80]
    "fintechglobal-monthly-budget" 5000.0 {} [80,100]
    "fintechglobal-rds-budget" 1500.0 {"Service":["Amazon Relational Database Service"]} [80]
    "fintechglobal-s3-budget" 200.0 {"Service":["Amazon Simple Storage Service"]} [80]
    "#);
}

#[test]
fn every_nat_gateway_and_cache_node_has_an_alarm() {
    let alarms = |more: &str, prefix: &str| {
        addresses(&platform(more)).iter().filter(|it| it.starts_with(&format!("monitoring/alarm/{prefix}"))).count()
    };
    assert_eq!((alarms("", "nat-"), alarms("network.zones = 3\n", "nat-")), (2, 3));
    assert_eq!((alarms("", "cache-"), alarms("cache.nodes = 4\n", "cache-")), (2, 4));
}

/// The dashboard waits for nothing, so that it is there while the rest is made.
#[test]
fn the_dashboard_refers_to_nothing() {
    assert!(references(draft(&platform(""), "monitoring/dashboard")).is_empty());
}

/// A name at the longest that the configuration allows.
#[test]
fn long_names_fit() {
    let text = REFERENCE.replace("fintechglobal", &"p".repeat(24)).replace("us-east-1", "ap-southeast-1");
    let config = Config::parse(&text, "platform.toml").unwrap();
    let graph = build(&config, &facts(2)).unwrap();
    for (kind, field, longest) in [
        ("s3.bucket", "name", 63),
        ("rds.cluster", "name", 63),
        ("rds.instance", "name", 63),
        ("elasticache.replication_group", "id", 40),
        ("sns.topic", "name", 256),
        ("budgets.budget", "name", 100),
        ("iam.role", "name", 64),
    ] {
        for (address, node) in graph.iter().filter(|(_, node)| node.kind == kind) {
            let name = node.draft[field].as_str().unwrap();
            assert!(name.len() <= longest && !name.contains("--"), "{address}: {name}");
        }
    }
}
