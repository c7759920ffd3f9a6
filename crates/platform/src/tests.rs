//! The graph as a whole: what is in it, and that every resource fits its type.

use crate::{Facts, build, config::Config};
use bedplate_aws::KINDS;
use bedplate_model::{Address, Json, references, resolve};
use bedplate_plan::Graph;
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

fn facts(zones: usize) -> Facts {
    let versions = [("coredns", "v1.13.1-eksbuild.1"), ("vpc-cni", "v1.20.4-eksbuild.1")];
    Facts {
        partition: "aws".to_owned(),
        zones: ["use1-az1", "use1-az2", "use1-az4"].map(str::to_owned).into_iter().take(zones).collect(),
        admins: vec!["arn:aws:iam::797923187401:role/team/Platform_Admin".to_owned()],
        addon_versions: versions.map(|(name, version)| (name.to_owned(), version.to_owned())).into(),
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
    node.depends_on.iter().filter_map(|(to, why)| Some((to.as_str(), (*why)?))).collect()
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
                Some(why) => writeln!(text, "  after {to}: {why}").unwrap(),
                None => writeln!(text, "  {to}").unwrap(),
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

/// Configurations that between them declare everything there is.
const SHAPES: &[&str] = &[
    "",
    "[network]\nzones = 3\n",
    "[network]\nnat_gateways = \"single\"\nflow_logs = false\ninterface_endpoints = []\ngateway_endpoints = []\n",
    "[cluster]\nenabled = false\n",
    "[security]\nservice_linked_roles = false\n[cluster]\nfargate_namespaces = []\n[cluster.load_balancer]\nenabled = false\n",
    "[cluster]\npublic_access_cidrs = [\"203.0.113.0/24\"]\n[cluster.node_group]\nmin = 0\ndesired = 0\n",
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
    assert_eq!(counts, [69, 75, 52, 49, 55, 69]);
}

#[test]
fn a_third_zone_adds_and_moves_nothing() {
    let (two, three) = (platform(""), platform("[network]\nzones = 3\n"));
    let added: Vec<String> = addresses(&three).difference(&addresses(&two)).cloned().collect();
    assert_eq!(
        added,
        [
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
    assert!(left.contains("network/rule/database-from-app-a") && left.contains("network/security-group/load-balancer"));
    assert!(!graph.outputs().contains_key("cluster_name") && graph.outputs().contains_key("data_subnet_ids"));
}

#[test]
fn the_data_tiers_do_not_wait_for_the_cluster() {
    let graph = platform("");
    let cluster = Address::new("cluster/cluster").unwrap();
    for (address, node) in graph.iter() {
        let needs = graph.with_dependencies(BTreeSet::from([address.clone()])).contains(&cluster);
        let data = address.as_str().starts_with("network/") && node.kind != "ec2.security_group_rule";
        assert!(!(needs && data), "{address} waits for the cluster");
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

/// Where a policy has a `*`, and why it must.
const WILDCARDS: &[(&str, &str, &str)] = &[
    ("security/key", "Action kms:*", "the account's root keeps every right over the key, or nobody could change it"),
    ("security/key", "Resource *", "in a key's policy it means the key"),
    ("security/role/flow-logs", "Resource network/log-group.arn:*", "the streams of the one group"),
    (
        "security/role/flow-logs",
        "Resource arn:aws:logs:us-east-1:797923187401:log-group:*",
        "DescribeLogGroups asks about all groups of the region; it shows names only",
    ),
    (
        "security/role/app",
        "Resource arn:aws:s3:::fintechglobal-data-lake-797923187401-us-east-1/*",
        "the objects of the one bucket",
    ),
];

#[test]
fn policies_have_no_wildcard_without_a_reason() {
    let mut found = BTreeSet::new();
    for (address, node) in platform("").iter() {
        let mut statements = Vec::new();
        collect_statements(&resolved(&node.draft), &mut statements);
        for statement in statements {
            assert!(statement.get("NotAction").or(statement.get("NotResource")).is_none(), "{address}");
            assert_ne!(statement["Principal"], json!("*"), "{address}");
            for part in ["Action", "Resource"] {
                let values = match &statement[part] {
                    Json::Array(values) => values.clone(),
                    one => vec![one.clone()],
                };
                let texts = values.iter().filter_map(Json::as_str).filter(|text| text.contains('*'));
                found.extend(texts.map(|text| (address.to_string(), format!("{part} {text}"))));
            }
        }
    }
    let allowed = WILDCARDS.iter().map(|(address, what, _)| ((*address).to_owned(), (*what).to_owned()));
    assert_eq!(found, allowed.collect());
}

fn collect_statements(json: &Json, found: &mut Vec<Json>) {
    match json {
        Json::Object(map) => {
            if let Some(Json::Array(statements)) = map.get("Statement") {
                found.extend(statements.iter().cloned());
            }
            map.values().for_each(|value| collect_statements(value, found));
        }
        Json::Array(items) => items.iter().for_each(|item| collect_statements(item, found)),
        _ => {}
    }
}

#[test]
fn services_assume_roles_for_this_account_only() {
    // EC2 hands the role to instances and has no such conditions.
    const WITHOUT: &[&str] = &["security/role/node"];
    for (address, node) in platform("").iter().filter(|(_, node)| node.kind == "iam.role") {
        let statement = &node.draft["trust"]["Statement"][0];
        let source = statement["Condition"]["ArnLike"]["aws:SourceArn"].as_str().unwrap_or_default();
        let ours = source.starts_with("arn:aws:") && source.contains(":us-east-1:797923187401:");
        let service = statement["Principal"].get("Service").is_some();
        assert_eq!(ours, service && !WITHOUT.contains(&address.as_str()), "{address}");
    }
}

#[test]
fn the_application_is_known_by_its_service_account() {
    let trust = resolved(&draft(&platform(""), "security/role/app")["trust"]);
    assert_eq!(
        trust["Statement"][0]["Condition"]["StringEquals"],
        json!({
            "security/oidc-provider.issuer:aud": "sts.amazonaws.com",
            "security/oidc-provider.issuer:sub": "system:serviceaccount:fintech-prod:fintech-api",
        })
    );
}
