//! Network, security, buckets, secrets, the topic for alerts and the dashboard against LocalStack: the second opinion on what
//! our own local cloud says.
//!
//! LocalStack's open source has no EKS, RDS, ElastiCache and budgets, its DynamoDB is a Java program that is not installed
//! here, and it cannot answer which alarms there are. They are switched off, apart from the month's budget, which every
//! platform has: that one lies in the local cloud.
//!
//! What LocalStack itself gets wrong is in `tests/localstack/findings.md`. An assertion that cannot hold there is left out
//! here, with the finding's words, and made against the local cloud by the other tests.

use bedplate_tests::{Cloud, JsonExt, Project, set, skip};
use serde_json::{Value, json};
use std::collections::BTreeSet;

// With every endpoint: tests/localstack/launch.py corrects what LocalStack gets wrong about them (findings.md, "Corrected at
// the start").
const SETTINGS: &str = "\
cluster.enabled = false
database.enabled = false
cache.enabled = false
sessions.enabled = false
monitoring.alarms.enabled = false
costs = { email_subscription = false, service_budgets = {}, anomaly_detection = false }
";
const DASHBOARD: &str = "fintechglobal-operations";

fn filter(name: &str, value: &str) -> Value {
    json!({"Filters": [{"Name": name, "Values": [value]}]})
}

// One test, because LocalStack takes its time to start.
#[test]
fn what_it_can_carry_from_bootstrap_to_destroy() {
    let cloud = match Cloud::localstack() {
        Ok(cloud) => cloud,
        Err(reason) => return skip("localstack::what_it_can_carry_from_bootstrap_to_destroy", &reason),
    };
    let budgets = Cloud::start();
    let project = Project::with(&cloud, SETTINGS).with_service_in("budgets", &budgets);

    let before = standing(&cloud);

    project.bootstrap();
    exists(&cloud, &project);
    unchanged(&project);
    drifts(&cloud, &project);

    project.run(&["destroy", "--yes"]).exits(3).says(&["production", "--lift-protection"]);
    project.run(&["destroy", "--yes", "--lift-protection"]).ok();
    assert_eq!(standing(&cloud), before);
    assert_eq!(project.state()["resources"], json!({}));
    let keys = cloud.call("kms", "list_keys", json!({}));
    for key in keys.list("Keys") {
        let key = cloud.call("kms", "describe_key", json!({"KeyId": key["KeyId"]}));
        assert_eq!(key["KeyMetadata"]["KeyState"], "PendingDeletion");
    }
}

fn exists(cloud: &Cloud, project: &Project) {
    let tagged = |operation: &str| cloud.ec2(operation, filter("tag:bedplate:stack", bedplate_tests::STACK));
    let vpcs = tagged("describe_vpcs");
    assert_eq!(vpcs.list("Vpcs").len(), 1);
    assert_eq!(vpcs["Vpcs"][0]["CidrBlock"], "10.0.0.0/16");
    let subnets = tagged("describe_subnets");
    let ranges = ["10.0.1.0/24", "10.0.2.0/24", "10.0.11.0/24", "10.0.12.0/24", "10.0.21.0/24", "10.0.22.0/24"];
    assert_eq!(set(subnets.list("Subnets"), "CidrBlock"), ranges.map(str::to_owned).into());
    // LocalStack turns public addresses on for the first subnet of a VPC: they are turned off again.
    assert!(subnets.list("Subnets").iter().all(|subnet| subnet["MapPublicIpOnLaunch"] == false));
    // LocalStack ignores filters by tag here, and nobody else uses this instance.
    let nats = cloud.ec2("describe_nat_gateways", json!({}));
    assert_eq!(nats.list("NatGateways").len(), 2);
    let table = cloud.ec2("describe_route_tables", json!({"RouteTableIds": [project.id("network/route-table/app-a")]}));
    let routes = table["RouteTables"][0].list("Routes");
    assert!(routes.iter().any(|route| route["NatGatewayId"] == json!(project.id("network/nat/a"))), "{routes:#?}");
    // The endpoints', the database's and the cache's: without a cluster there is no load balancer.
    assert_eq!(tagged("describe_security_groups").list("SecurityGroups").len(), 3);
    let endpoints = tagged("describe_vpc_endpoints");
    let of_kind =
        |kind: &str| endpoints.list("VpcEndpoints").iter().filter(|one| one["VpcEndpointType"] == kind).count();
    assert_eq!((of_kind("Gateway"), of_kind("Interface")), (2, 8));
    assert!(leads_to(cloud, project, "network/route-table/app-a", "network/endpoint/s3"));

    let key = project.state()["resources"]["security/key"]["outputs"]["arn"].clone();
    let secrets = cloud.call("secretsmanager", "list_secrets", json!({}));
    let names = ["fintech/api-keys", "fintech/encryption-key", "fintech/redis-auth"];
    assert_eq!(set(secrets.list("SecretList"), "Name"), names.map(str::to_owned).into());
    assert!(secrets.list("SecretList").iter().all(|secret| secret["KmsKeyId"] == key), "{secrets:#}");
    for name in names {
        let value = cloud.call("secretsmanager", "get_secret_value", json!({"SecretId": name}));
        assert!(value.text("SecretString").len() > 20, "{name}");
    }
    let lake = |operation: &str| cloud.call("s3", operation, json!({"Bucket": LAKE}));
    assert_eq!(lake("get_bucket_versioning")["Status"], "Enabled");
    let encryption = &lake("get_bucket_encryption")["ServerSideEncryptionConfiguration"]["Rules"][0];
    assert_eq!(
        encryption["ApplyServerSideEncryptionByDefault"],
        json!({"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key})
    );
    assert_eq!(lake("list_objects_v2").list("Contents").len(), 7);
    assert_eq!(lake("get_bucket_lifecycle_configuration").list("Rules").len(), 5);
    let topic = json!({"TopicArn": topic(project)});
    let topic = cloud.call("sns", "get_topic_attributes", topic);
    assert_eq!(topic["Attributes"]["KmsMasterKeyId"], key);
    assert!(topic["Attributes"].text("Policy").contains("budgets.amazonaws.com"), "{topic:#}");
    let dashboard = cloud.call("cloudwatch", "get_dashboard", json!({"DashboardName": DASHBOARD}));
    assert!(dashboard.text("DashboardBody").contains("EstimatedCharges"), "{dashboard:#}");
}

const LAKE: &str = "fintechglobal-data-lake-797923187401-us-east-1";

fn topic(project: &Project) -> String {
    project.state()["resources"]["costs/topic"]["outputs"].text("arn").to_owned()
}

/// Whether a route table has the route of a gateway endpoint.
fn leads_to(cloud: &Cloud, project: &Project, table: &str, endpoint: &str) -> bool {
    let tables = cloud.ec2("describe_route_tables", json!({"RouteTableIds": [project.id(table)]}));
    let endpoint = json!(project.id(endpoint));
    tables["RouteTables"][0].list("Routes").iter().any(|route| route["GatewayId"] == endpoint)
}

fn unchanged(project: &Project) {
    let state = project.read("state/fintechglobal-production.json");
    let again = project.run(&["bootstrap", "--yes", "--json"]).ok().json();
    assert_eq!(again["done"], json!([]));
    let calls = again["api_calls"].as_object().unwrap().keys();
    let reads = ["Describe", "Get", "List"];
    let writes: Vec<&String> = calls
        .filter(|call| call.split(':').nth(1).is_none_or(|name| !reads.iter().any(|read| name.starts_with(read))))
        .collect();
    assert!(writes.is_empty(), "{writes:?}");
    assert_eq!(project.read("state/fintechglobal-production.json"), state);
    project.assert_no_changes();
}

fn drifts(cloud: &Cloud, project: &Project) {
    let table = project.id("network/route-table/app-a");
    cloud.ec2("delete_route", json!({"RouteTableId": table, "DestinationCidrBlock": "0.0.0.0/0"}));
    let vpc = project.id("network/vpc");
    cloud.ec2("delete_tags", json!({"Resources": [vpc], "Tags": [{"Key": "Owner"}]}));
    let group = project.id("network/security-group/database");
    let rule = json!({"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "CidrIpv4": "10.0.11.0/24", "Description": "Mine"});
    let rule =
        json!([{"SecurityGroupRuleId": project.id("network/rule/database-from-app-a"), "SecurityGroupRule": rule}]);
    cloud.ec2("modify_security_group_rules", json!({"GroupId": group, "SecurityGroupRules": rule}));
    let policy = json!({"RoleName": "fintechglobal-flow-logs-role", "PolicyName": "log-group"});
    cloud.iam("delete_role_policy", policy);
    cloud.call("s3", "delete_public_access_block", json!({"Bucket": LAKE}));
    cloud.call("secretsmanager", "update_secret", json!({"SecretId": "fintech/api-keys", "Description": "Theirs"}));
    let name = json!({"TopicArn": topic(project), "AttributeName": "DisplayName", "AttributeValue": "Theirs"});
    cloud.call("sns", "set_topic_attributes", name);
    let nothing = json!({"DashboardName": DASHBOARD, "DashboardBody": "{\"widgets\":[]}"});
    cloud.call("cloudwatch", "put_dashboard", nothing);
    cloud.call("logs", "delete_retention_policy", json!({"logGroupName": "/aws/vpc/fintechglobal-flow-logs"}));
    let default = project.state()["resources"]["network/default-security-group"]["outputs"].text("id").to_owned();
    let permission =
        json!([{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]);
    cloud.ec2("authorize_security_group_ingress", json!({"GroupId": default, "IpPermissions": permission}));
    let modify_endpoint = |endpoint: &str, mut change: Value| {
        change["VpcEndpointId"] = json!(project.id(endpoint));
        cloud.ec2("modify_vpc_endpoint", change);
    };
    let deny = json!({"Statement": [{"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}]}).to_string();
    modify_endpoint("network/endpoint/s3", json!({"RemoveRouteTableIds": [table], "PolicyDocument": deny}));
    assert!(!leads_to(cloud, project, "network/route-table/app-a", "network/endpoint/s3"));
    let own = project.id("network/security-group/endpoints");
    let groups = json!({"AddSecurityGroupIds": [default], "RemoveSecurityGroupIds": [own]});
    modify_endpoint("network/endpoint/sts", groups);
    modify_endpoint("network/endpoint/logs", json!({"PrivateDnsEnabled": false, "PolicyDocument": deny}));
    let subnet = project.id("network/subnet/app-a");
    modify_endpoint("network/endpoint/ssm", json!({"RemoveSubnetIds": [subnet]}));
    let ecr = project.id("network/endpoint/ecr.api");
    cloud.ec2("delete_vpc_endpoints", json!({"VpcEndpointIds": [ecr]}));
    // LocalStack keeps the association of a deleted subnet in its route table, which then can never be deleted. So no
    // subnet is deleted here: the local cloud has that test.

    let plan = project.plan();
    let expected = [
        "costs/topic",
        "monitoring/dashboard",
        "network/default-security-group",
        "network/endpoint/ecr.api",
        "network/endpoint/logs",
        "network/endpoint/s3",
        "network/endpoint/ssm",
        "network/endpoint/sts",
        "network/log-group",
        "network/route-table/app-a",
        "network/rule/database-from-app-a",
        "network/vpc",
        "secrets/api-keys",
        "security/role/flow-logs",
        "storage/data-lake",
    ];
    assert_eq!(plan.changes().into_keys().collect::<BTreeSet<_>>(), expected.into(), "{:#}", plan.0["changes"]);
    for address in expected {
        let change = plan.change(address);
        if address == "network/endpoint/ecr.api" {
            assert_eq!(change["action"], "create", "{change:#}");
            continue;
        }
        assert_eq!(change["action"], "update", "{change:#}");
        assert!(change.list("fields").iter().all(|field| field["drift"] == true), "{change:#}");
    }
    project.run(&["drift"]).exits(2);
    project.apply();
    unchanged(project);
    project.run(&["drift"]).exits(0);
    let routes = cloud.ec2("describe_route_tables", json!({"RouteTableIds": [table]}));
    let routes = routes["RouteTables"][0].list("Routes");
    assert!(routes.iter().any(|route| route["NatGatewayId"] == json!(project.id("network/nat/a"))));
    assert!(leads_to(cloud, project, "network/route-table/app-a", "network/endpoint/s3"));
    let endpoint = |address: &str| {
        let found = cloud.ec2("describe_vpc_endpoints", filter("vpc-endpoint-id", &project.id(address)));
        found["VpcEndpoints"][0].clone()
    };
    let groups = endpoint("network/endpoint/sts");
    assert_eq!(set(groups.list("Groups"), "GroupId"), [own].into());
    assert_eq!(endpoint("network/endpoint/ssm").list("SubnetIds").len(), 2);
    assert_eq!(endpoint("network/endpoint/logs")["PrivateDnsEnabled"], true);
    assert_eq!(endpoint("network/endpoint/ecr.api")["State"], "available");
    assert_ne!(project.id("network/endpoint/ecr.api"), ecr);
}

/// Everything that a destroy has to remove, as ids.
fn standing(cloud: &Cloud) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for (operation, list, id) in [
        ("describe_vpcs", "Vpcs", "VpcId"),
        ("describe_subnets", "Subnets", "SubnetId"),
        ("describe_internet_gateways", "InternetGateways", "InternetGatewayId"),
        ("describe_addresses", "Addresses", "AllocationId"),
        ("describe_route_tables", "RouteTables", "RouteTableId"),
        ("describe_security_groups", "SecurityGroups", "GroupId"),
        ("describe_flow_logs", "FlowLogs", "FlowLogId"),
    ] {
        all.extend(set(cloud.ec2(operation, json!({})).list(list), id));
    }
    // LocalStack goes on to list what is deleted, as `deleted`.
    let endpoints = cloud.ec2("describe_vpc_endpoints", json!({}));
    let endpoints = endpoints.list("VpcEndpoints").iter().filter(|endpoint| endpoint["State"] != "deleted");
    all.extend(set(endpoints, "VpcEndpointId"));
    let nats = cloud.ec2("describe_nat_gateways", json!({}));
    all.extend(set(nats.list("NatGateways").iter().filter(|nat| nat["State"] != "deleted"), "NatGatewayId"));
    let roles = cloud.iam("list_roles", json!({}));
    // Service-linked roles stay on purpose.
    all.extend(set(
        roles.list("Roles").iter().filter(|role| !role.text("Path").starts_with("/aws-service-role/")),
        "Arn",
    ));
    all.extend(set(cloud.call("logs", "describe_log_groups", json!({})).list("logGroups"), "arn"));
    let buckets = cloud.call("s3", "list_buckets", json!({}));
    all.extend(buckets["Buckets"].as_array().into_iter().flatten().map(|bucket| bucket.text("Name").to_owned()));
    // Without those that wait for their deletion.
    all.extend(set(cloud.call("secretsmanager", "list_secrets", json!({})).list("SecretList"), "Name"));
    all.extend(set(cloud.call("sns", "list_topics", json!({})).list("Topics"), "TopicArn"));
    all.extend(set(cloud.call("cloudwatch", "list_dashboards", json!({})).list("DashboardEntries"), "DashboardArn"));
    let aliases = cloud.call("kms", "list_aliases", json!({}));
    all.extend(set(
        aliases.list("Aliases").iter().filter(|alias| !alias.text("AliasName").starts_with("alias/aws/")),
        "AliasName",
    ));
    all
}
