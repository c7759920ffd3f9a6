//! The rows of `platform.md`'s table "Network".

use crate::BUILT;
use bedplate_tests::{JsonExt, set};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

fn ec2(operation: &str) -> Value {
    BUILT.cloud.ec2(operation, json!({"Filters": [{"Name": "tag:Project", "Values": ["fintechglobal"]}]}))
}

fn id(address: &str) -> String {
    BUILT.project.id(address)
}

#[test]
fn the_vpc_resolves_names() {
    let vpcs = ec2("describe_vpcs");
    assert_eq!(vpcs.list("Vpcs").len(), 1);
    assert_eq!(vpcs["Vpcs"][0]["CidrBlock"], "10.0.0.0/16");
    let vpc = vpcs["Vpcs"][0].text("VpcId");
    for (attribute, field) in [("enableDnsSupport", "EnableDnsSupport"), ("enableDnsHostnames", "EnableDnsHostnames")] {
        let answer = BUILT.cloud.ec2("describe_vpc_attribute", json!({"VpcId": vpc, "Attribute": attribute}));
        assert_eq!(answer[field]["Value"], true, "{attribute}");
    }
}

#[test]
fn subnets_lie_in_two_zones_that_eks_accepts() {
    let subnets = ec2("describe_subnets");
    let subnets = &subnets["Subnets"];
    let mut zones: BTreeMap<char, BTreeSet<String>> = BTreeMap::new();
    for (name, cidr, role) in [
        ("public-a", "10.0.1.0/24", Some("kubernetes.io/role/elb")),
        ("public-b", "10.0.2.0/24", Some("kubernetes.io/role/elb")),
        ("app-a", "10.0.11.0/24", Some("kubernetes.io/role/internal-elb")),
        ("app-b", "10.0.12.0/24", Some("kubernetes.io/role/internal-elb")),
        ("data-a", "10.0.21.0/24", None),
        ("data-b", "10.0.22.0/24", None),
    ] {
        let subnet = subnets.named(&format!("fintechglobal-subnet-{name}"));
        assert_eq!((&subnet["CidrBlock"], &subnet["VpcId"]), (&json!(cidr), &json!(id("network/vpc"))));
        assert_eq!(subnet["MapPublicIpOnLaunch"], false, "{name}");
        let tags = subnet.tags();
        let roles: Vec<_> = tags.iter().filter(|(key, _)| key.starts_with("kubernetes.io/role/")).collect();
        let expected: Vec<_> = role.iter().map(|role| ((*role).to_owned(), "1".to_owned())).collect();
        assert_eq!(roles, expected.iter().map(|(key, value)| (key, value)).collect::<Vec<_>>(), "{name}");
        zones.entry(name.chars().last().unwrap()).or_default().insert(subnet.text("AvailabilityZoneId").to_owned());
    }
    let zones: Vec<_> = zones.values().collect();
    assert!(zones.iter().all(|ids| ids.len() == 1), "the subnets of a letter share a zone: {zones:?}");
    assert_ne!(zones[0], zones[1]);
    for refused in ["use1-az3", "usw1-az2", "cac1-az3"] {
        assert!(zones.iter().all(|ids| !ids.contains(refused)), "EKS refuses {refused}");
    }
}

/// The routes of a route table: destination -> target.
fn routes(table: &Value) -> BTreeMap<String, String> {
    let target = |route: &Value| {
        let targets = ["GatewayId", "NatGatewayId"];
        targets.iter().find_map(|field| route[field].as_str()).unwrap_or("?").to_owned()
    };
    let destination = |route: &Value| {
        let fields = ["DestinationCidrBlock", "DestinationPrefixListId"];
        fields.iter().find_map(|field| route[field].as_str()).unwrap_or("?").to_owned()
    };
    let all = table.list("Routes").iter();
    all.inspect(|route| assert_eq!(route["State"], "active", "{route}"))
        .map(|route| (destination(route), target(route)))
        .collect()
}

#[test]
fn each_tier_has_its_way_out() {
    let nats = ec2("describe_nat_gateways");
    let nats = &nats["NatGateways"];
    let addresses = ec2("describe_addresses");
    assert_eq!(addresses.list("Addresses").len(), 2);
    let mut allocations = BTreeSet::new();
    for letter in ["a", "b"] {
        let nat = nats.named(&format!("fintechglobal-nat-{letter}"));
        assert_eq!(nat["State"], "available");
        assert_eq!(nat["ConnectivityType"], "public");
        assert_eq!(nat["SubnetId"], id(&format!("network/subnet/public-{letter}")));
        allocations.insert(nat["NatGatewayAddresses"][0].text("AllocationId").to_owned());
    }
    assert_eq!(allocations, set(addresses.list("Addresses"), "AllocationId"));

    let gateways = ec2("describe_internet_gateways");
    assert_eq!(gateways.list("InternetGateways").len(), 1);
    let gateway = &gateways["InternetGateways"][0];
    assert_eq!(gateway["Attachments"][0]["VpcId"], id("network/vpc"));

    let tables = ec2("describe_route_tables");
    let tables = &tables["RouteTables"];
    assert_eq!(tables.as_array().unwrap().len(), 4);
    let prefix_lists: BTreeSet<String> = {
        let lists = BUILT.cloud.ec2("describe_prefix_lists", json!({}));
        let wanted = ["com.amazonaws.us-east-1.s3", "com.amazonaws.us-east-1.dynamodb"];
        let lists = lists.list("PrefixLists").iter().filter(|list| wanted.contains(&list.text("PrefixListName")));
        lists.map(|list| list.text("PrefixListId").to_owned()).collect()
    };
    assert_eq!(prefix_lists.len(), 2);
    for (name, out, subnets, endpoints) in [
        ("public", Some(gateway.text("InternetGatewayId").to_owned()), &["public-a", "public-b"][..], false),
        ("app-a", Some(id("network/nat/a")), &["app-a"], true),
        ("app-b", Some(id("network/nat/b")), &["app-b"], true),
        ("data", None, &["data-a", "data-b"], true),
    ] {
        let table = tables.named(&format!("fintechglobal-route-table-{name}"));
        let mut routes = routes(table);
        assert_eq!(routes.remove("10.0.0.0/16").as_deref(), Some("local"), "{name}");
        assert_eq!(routes.remove("0.0.0.0/0"), out, "{name}");
        // What is left are the gateway endpoints' routes.
        assert_eq!(
            routes.into_keys().collect::<BTreeSet<_>>(),
            if endpoints { prefix_lists.clone() } else { BTreeSet::new() }
        );
        let ids = subnets.iter().map(|subnet| id(&format!("network/subnet/{subnet}"))).collect();
        assert_eq!(set(table.list("Associations"), "SubnetId"), ids, "{name}");
    }
}

#[test]
fn aws_is_reached_without_the_internet() {
    let endpoints = ec2("describe_vpc_endpoints");
    let endpoints = endpoints.list("VpcEndpoints");
    let service =
        |endpoint: &Value| endpoint.text("ServiceName").trim_start_matches("com.amazonaws.us-east-1.").to_owned();
    let (gateways, interfaces): (Vec<_>, Vec<_>) =
        endpoints.iter().partition(|endpoint| endpoint["VpcEndpointType"] == "Gateway");
    let services = |list: &[&Value]| list.iter().map(|endpoint| service(endpoint)).collect::<BTreeSet<_>>();
    assert_eq!(services(&gateways), ["dynamodb", "s3"].map(str::to_owned).into());
    let names = ["ec2", "ecr.api", "ecr.dkr", "logs", "secretsmanager", "ssm", "ssmmessages", "sts"];
    assert_eq!(services(&interfaces), names.map(str::to_owned).into());
    assert_eq!(set(endpoints, "VpcId"), [id("network/vpc")].into());
    for endpoint in interfaces {
        assert_eq!(endpoint["State"], "available");
        assert_eq!(endpoint["PrivateDnsEnabled"], true, "{}", service(endpoint));
        let subnets: BTreeSet<_> =
            endpoint.list("SubnetIds").iter().filter_map(Value::as_str).map(str::to_owned).collect();
        assert_eq!(subnets, ["a", "b"].map(|letter| id(&format!("network/subnet/app-{letter}"))).into());
        assert_eq!(set(endpoint.list("Groups"), "GroupId"), [id("network/security-group/endpoints")].into());
    }
}

/// The rules of a group: `in tcp 443 10.0.0.0/16`.
fn rules(group: &str) -> BTreeSet<String> {
    let answer =
        BUILT.cloud.ec2("describe_security_group_rules", json!({"Filters": [{"Name": "group-id", "Values": [group]}]}));
    let rules = answer.list("SecurityGroupRules").iter();
    rules
        .map(|rule| {
            let way = if rule["IsEgress"] == true { "out" } else { "in" };
            let peer = rule["CidrIpv4"].as_str().or_else(|| rule["ReferencedGroupInfo"]["GroupId"].as_str());
            assert_eq!(rule["FromPort"], rule["ToPort"], "{rule}");
            assert!(!rule.text("Description").is_empty(), "{rule}");
            format!("{way} {} {} {}", rule.text("IpProtocol"), rule["FromPort"], peer.unwrap_or("?"))
        })
        .collect()
}

#[test]
fn only_what_must_may_talk() {
    let cluster = BUILT.cloud.eks("describe_cluster", json!({"name": "fintechglobal-cluster"}));
    let cluster = cluster["cluster"]["resourcesVpcConfig"].text("clusterSecurityGroupId").to_owned();
    let group = |name: &str| id(&format!("network/security-group/{name}"));
    let balancer = group("load-balancer");
    for (name, expected) in [
        ("endpoints", vec!["in tcp 443 10.0.0.0/16".to_owned()]),
        ("database", vec![format!("in tcp 5432 {cluster}")]),
        ("cache", vec![format!("in tcp 6379 {cluster}")]),
        ("control-plane", vec!["in tcp 443 10.0.0.0/16".to_owned()]),
        (
            "load-balancer",
            vec![
                "in tcp 80 0.0.0.0/0".to_owned(),
                "in tcp 443 0.0.0.0/0".to_owned(),
                format!("out tcp 30080 {cluster}"),
            ],
        ),
    ] {
        assert_eq!(rules(&group(name)), expected.into_iter().collect(), "{name}");
    }
    // The rules of the group that EKS makes stay, and ours comes on top.
    let from_balancer = format!("in tcp 30080 {balancer}");
    let answer = BUILT.cloud.ec2(
        "describe_security_group_rules",
        json!({"Filters": [{"Name": "group-id", "Values": [cluster]}, {"Name": "tag:Project", "Values": ["fintechglobal"]}]}),
    );
    assert_eq!(answer.list("SecurityGroupRules").len(), 1, "{answer:#}");
    assert_eq!(answer["SecurityGroupRules"][0]["ReferencedGroupInfo"]["GroupId"], balancer, "{from_balancer}");
}

#[test]
fn the_default_group_lets_nothing_through() {
    let filters = [("vpc-id", id("network/vpc")), ("group-name", "default".to_owned())];
    let filters: Vec<Value> = filters.iter().map(|(name, value)| json!({"Name": name, "Values": [value]})).collect();
    let groups = BUILT.cloud.ec2("describe_security_groups", json!({"Filters": filters}));
    let group = &groups["SecurityGroups"][0];
    assert_eq!(group["IpPermissions"], json!([]));
    assert_eq!(group["IpPermissionsEgress"], json!([]));
}

#[test]
fn flow_logs_go_to_an_encrypted_group() {
    let logs = BUILT.cloud.ec2("describe_flow_logs", json!({}));
    assert_eq!(logs.list("FlowLogs").len(), 1);
    let log = &logs["FlowLogs"][0];
    assert_eq!(log["ResourceId"], id("network/vpc"));
    assert_eq!(log["TrafficType"], "ALL");
    assert_eq!(log["FlowLogStatus"], "ACTIVE");
    assert_eq!(log["LogDestinationType"], "cloud-watch-logs");
    assert_eq!(log["LogGroupName"], "/aws/vpc/fintechglobal-flow-logs");
    assert_eq!(log["DeliverLogsPermissionArn"], "arn:aws:iam::797923187401:role/fintechglobal-flow-logs-role");
}

#[test]
fn log_groups_are_encrypted_and_expire() {
    let groups = BUILT.cloud.call("logs", "describe_log_groups", json!({}));
    let key = BUILT.cloud.call("kms", "describe_key", json!({"KeyId": id("security/key")}));
    let expected = [
        ("/aws/eks/fintechglobal-cluster/cluster", 365),
        ("/aws/rds/cluster/fintechglobal-aurora-cluster/postgresql", 365),
        ("/aws/vpc/fintechglobal-flow-logs", 90),
    ];
    assert_eq!(groups.list("logGroups").len(), expected.len());
    for (name, days) in expected {
        let group = groups.list("logGroups").iter().find(|group| group["logGroupName"] == name).unwrap();
        assert_eq!(group["retentionInDays"], days, "{name}");
        assert_eq!(group["kmsKeyId"], key["KeyMetadata"]["Arn"], "{name}");
    }
}
