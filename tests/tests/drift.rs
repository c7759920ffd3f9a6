//! Changes behind the program's back: `plan` shows them as drift, `drift` exits with 2, `apply` repairs them.

use bedplate_tests::{Cloud, JsonExt, Project, set};
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn filter(name: &str, value: &str) -> Value {
    json!({"Filters": [{"Name": name, "Values": [value]}]})
}

fn tags_of(cloud: &Cloud, id: &str) -> std::collections::BTreeMap<String, String> {
    cloud.ec2("describe_tags", filter("resource-id", id)).tags()
}

fn rules(cloud: &Cloud, group: &str) -> Vec<Value> {
    cloud.ec2("describe_security_group_rules", filter("group-id", group)).list("SecurityGroupRules").to_vec()
}

/// Address, action and fields of a change.
type Drift<'a> = (&'a str, &'a str, &'a [(&'a str, Value, Value)]);

/// Someone looks into the plan and `drift`, then repairs it: everything in `changes` and nothing else.
fn repair(project: &Project, changes: &[Drift<'_>]) {
    let plan = project.plan();
    let expected: BTreeSet<&str> = changes.iter().map(|(address, ..)| *address).collect();
    assert_eq!(plan.changes().into_keys().collect::<BTreeSet<_>>(), expected, "{:#}", plan.0["changes"]);
    for (address, action, fields) in changes {
        plan.assert_drift(address, action, fields);
    }
    let drift = project.run(&["drift", "--json"]).exits(2).plan();
    assert_eq!(drift.changes(), plan.changes());
    project.run(&["drift"]).exits(2);
    project.run(&["plan", "--detailed-exitcode"]).exits(2);
    project.apply();
    project.assert_no_changes();
    project.run(&["drift"]).exits(0);
}

/// A group allows what it should, and more; which rule says so is not told by the group.
#[test]
fn a_rule_is_not_hidden_by_its_double() {
    let cloud = Cloud::start();
    let project = Project::network_and_cluster(&cloud, "");
    project.bootstrap();
    let (group, rule) = (project.id("network/security-group/endpoints"), project.id("network/rule/endpoints-from-vpc"));
    let before = rules(&cloud, &group).into_iter().find(|known| known.text("SecurityGroupRuleId") == rule).unwrap();
    let said = before.text("Description");

    let open =
        json!({"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIpv4": "0.0.0.0/0", "Description": said});
    let update = json!([{"SecurityGroupRuleId": rule, "SecurityGroupRule": open}]);
    cloud.ec2("modify_security_group_rules", json!({"GroupId": group, "SecurityGroupRules": update}));
    let range = json!([{"CidrIp": before.text("CidrIpv4"), "Description": said}]);
    let double = json!([{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": range}]);
    cloud.ec2("authorize_security_group_ingress", json!({"GroupId": group, "IpPermissions": double}));

    let plan = project.plan();
    assert_eq!(plan.with("replace"), ["network/rule/endpoints-from-vpc"].into(), "{:#}", plan.0["changes"]);
}

#[test]
fn the_network_is_put_back() {
    let cloud = Cloud::start();
    let project = Project::network_and_cluster(&cloud, "");
    project.bootstrap();

    // A route, a rule's description, a rule, a subnet nobody uses, rules in the default group.
    let table = project.id("network/route-table/app-a");
    let nat = project.id("network/nat/a");
    cloud.ec2("delete_route", json!({"RouteTableId": table, "DestinationCidrBlock": "0.0.0.0/0"}));

    let endpoints = project.id("network/security-group/endpoints");
    let rule = project.id("network/rule/endpoints-from-vpc");
    let other =
        json!({"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIpv4": "10.0.0.0/16", "Description": "Mine"});
    let update = json!([{"SecurityGroupRuleId": rule, "SecurityGroupRule": other}]);
    cloud.ec2("modify_security_group_rules", json!({"GroupId": endpoints, "SecurityGroupRules": update}));

    let balancer = project.id("network/security-group/load-balancer");
    let revoked = project.id("network/rule/load-balancer-http-from-0.0.0.0-0");
    cloud.ec2("revoke_security_group_ingress", json!({"GroupId": balancer, "SecurityGroupRuleIds": [revoked]}));

    let subnet = project.id("network/subnet/data-b");
    cloud.ec2("delete_subnet", json!({"SubnetId": subnet}));

    let default = project.state()["resources"]["network/default-security-group"]["outputs"].text("id").to_owned();
    let permission =
        json!([{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]);
    cloud.ec2("authorize_security_group_ingress", json!({"GroupId": default, "IpPermissions": permission}));
    let opened = rules(&cloud, &default)[0].text("SecurityGroupRuleId").to_owned();

    // Not ours: a rule in a group of ours, a tag on a resource of ours.
    let foreign =
        json!([{"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "IpRanges": [{"CidrIp": "192.0.2.0/24"}]}]);
    let database = project.id("network/security-group/database");
    cloud.ec2("authorize_security_group_ingress", json!({"GroupId": database, "IpPermissions": foreign}));
    let vpc = project.id("network/vpc");
    cloud.ec2("create_tags", json!({"Resources": [vpc], "Tags": [{"Key": "Theirs", "Value": "1"}]}));

    let data: Vec<Value> =
        ["a", "b"].iter().map(|letter| json!(project.id(&format!("network/subnet/data-{letter}")))).collect();
    let plan = project.plan();
    let gone = plan.change("network/subnet/data-b");
    assert_eq!(gone["reason"], "was deleted outside bedplate");
    // The route table of the data subnets gets the new subnet, whose id nobody knows yet.
    let associated = plan.change("network/route-table/data").clone();
    assert_eq!(associated["fields"][0]["path"], "subnets");
    assert_eq!(associated["fields"][0]["before"], json!([data[0]]));
    assert_eq!(associated["fields"][0]["after"], json!({"unknown": true}));
    let route = json!({"0.0.0.0/0": {"nat_gateway": nat}});
    plan.assert_drift("network/route-table/app-a", "update", &[("routes", json!({}), route)]);
    plan.assert_drift(
        "network/rule/endpoints-from-vpc",
        "update",
        &[("description", json!("Mine"), json!("HTTPS from the VPC"))],
    );
    plan.assert_drift("network/rule/load-balancer-http-from-0.0.0.0-0", "create", &[]);
    plan.assert_drift("network/subnet/data-b", "create", &[]);
    plan.assert_drift("network/default-security-group", "update", &[("rules", json!([opened]), json!([]))]);
    assert_eq!(plan.changes().len(), 6, "{:#}", plan.0["changes"]);
    project.run(&["drift"]).exits(2);

    project.apply();
    project.assert_no_changes();
    project.run(&["drift"]).exits(0);
    let tables = cloud.ec2("describe_route_tables", json!({"RouteTableIds": [table]}));
    assert!(tables["RouteTables"][0].list("Routes").iter().any(|route| route["NatGatewayId"] == json!(nat)));
    assert_eq!(rules(&cloud, &endpoints)[0]["Description"], "HTTPS from the VPC");
    assert_eq!(rules(&cloud, &balancer).len(), 3);
    assert!(rules(&cloud, &default).is_empty());
    let subnets = cloud.ec2("describe_subnets", filter("cidr-block", "10.0.22.0/24"));
    assert_eq!(subnets.list("Subnets").len(), 1);
    let associations =
        cloud.ec2("describe_route_tables", filter("association.subnet-id", &project.id("network/subnet/data-b")));
    assert_eq!(associations["RouteTables"][0]["RouteTableId"], json!(project.id("network/route-table/data")));
    // What is not ours is still there.
    assert_eq!(rules(&cloud, &database).len(), 2);
    assert_eq!(tags_of(&cloud, &vpc)["Theirs"], "1");
}

#[test]
fn a_changed_port_is_put_back() {
    let cloud = Cloud::start();
    let project = Project::network_and_cluster(&cloud, "");
    project.bootstrap();
    let group = project.id("network/security-group/load-balancer");
    let rule = project.id("network/rule/load-balancer-https-from-0.0.0.0-0");
    let other = json!({"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIpv4": "0.0.0.0/0", "Description": "HTTPS from clients"});
    let update = json!([{"SecurityGroupRuleId": rule, "SecurityGroupRule": other}]);
    cloud.ec2("modify_security_group_rules", json!({"GroupId": group, "SecurityGroupRules": update}));

    // AWS would change it in place; its schema says that a rule with other ports is another rule.
    let plan = project.plan();
    let change = plan.change("network/rule/load-balancer-https-from-0.0.0.0-0");
    assert!(["update", "replace"].contains(&change.text("action")), "{change:#}");
    assert!(change.list("fields").iter().all(|field| field["drift"] == true), "{change:#}");
    assert_eq!(set(change.list("fields"), "path"), ["from_port", "to_port"].map(str::to_owned).into());
    project.run(&["drift"]).exits(2);
    project.run(&["drift", "--repair", "--yes"]).ok();
    project.assert_no_changes();
    let ports: BTreeSet<i64> = rules(&cloud, &group).iter().filter_map(|rule| rule["FromPort"].as_i64()).collect();
    assert_eq!(ports, [80, 443, 30080].into());
}

#[test]
fn tags_and_roles_are_put_back() {
    let cloud = Cloud::start();
    let project = Project::network_and_cluster(&cloud, "");
    project.bootstrap();

    let vpc = project.id("network/vpc");
    cloud.ec2("delete_tags", json!({"Resources": [vpc], "Tags": [{"Key": "Owner"}]}));
    let subnet = project.id("network/subnet/app-b");
    cloud.ec2("delete_tags", json!({"Resources": [subnet], "Tags": [{"Key": "bedplate:stack"}]}));
    let policy = "arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy";
    cloud.iam("detach_role_policy", json!({"RoleName": "fintechglobal-node-role", "PolicyArn": policy}));
    let key = project.id("security/key");
    cloud.call("kms", "disable_key_rotation", json!({"KeyId": key}));
    cloud.call("logs", "delete_retention_policy", json!({"logGroupName": "/aws/vpc/fintechglobal-flow-logs"}));
    // Not ours.
    cloud.iam("tag_role", json!({"RoleName": "fintechglobal-node-role", "Tags": [{"Key": "Theirs", "Value": "1"}]}));

    let attached =
        |names: &[&str]| -> Value { names.iter().map(|name| format!("arn:aws:iam::aws:policy/{name}")).collect() };
    let (ecr, cni, worker) =
        ("AmazonEC2ContainerRegistryReadOnly", "AmazonEKS_CNI_Policy", "AmazonEKSWorkerNodePolicy");
    repair(
        &project,
        &[
            ("network/vpc", "update", &[("tags.Owner", Value::Null, json!("team-platform@yourcompany.com"))]),
            ("network/subnet/app-b", "update", &[("tags.bedplate:stack", Value::Null, json!(bedplate_tests::STACK))]),
            (
                "security/role/node",
                "update",
                &[("managed_policies", attached(&[ecr, worker]), attached(&[ecr, worker, cni]))],
            ),
            ("security/key", "update", &[("rotation_days", Value::Null, json!(365))]),
            ("network/log-group", "update", &[("retention_days", Value::Null, json!(90))]),
        ],
    );

    assert_eq!(tags_of(&cloud, &vpc)["Owner"], "team-platform@yourcompany.com");
    assert_eq!(tags_of(&cloud, &subnet)["bedplate:stack"], bedplate_tests::STACK);
    let attached = cloud.iam("list_attached_role_policies", json!({"RoleName": "fintechglobal-node-role"}));
    assert!(set(attached.list("AttachedPolicies"), "PolicyName").contains(cni));
    assert_eq!(cloud.call("kms", "get_key_rotation_status", json!({"KeyId": key}))["KeyRotationEnabled"], true);
    let role = cloud.iam("get_role", json!({"RoleName": "fintechglobal-node-role"}));
    assert_eq!(role["Role"].tags()["Theirs"], "1");
}

#[test]
fn what_was_deleted_is_made_again() {
    let cloud = Cloud::start();
    let project = Project::network_and_cluster(&cloud, "");
    project.bootstrap();
    cloud.eks("delete_addon", json!({"clusterName": "fintechglobal-cluster", "addonName": "metrics-server"}));
    cloud.advance(60);
    cloud.ec2("delete_flow_logs", json!({"FlowLogIds": [project.id("network/flow-log")]}));
    repair(&project, &[("cluster/addon/metrics-server", "create", &[]), ("network/flow-log", "create", &[])]);
    assert_eq!(cloud.inventory()["ec2.flow-log"].len(), 1);
    assert_eq!(cloud.inventory()["eks.addon"].len(), 5);
}
