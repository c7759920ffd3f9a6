//! Fields of the network's resources. Its settings would replace it, so what can change is changed behind the program's
//! back.

use crate::row::{Ids, Row, all, at, behind, call, document, set, sorted};
use bedplate_tests::{Cloud, JsonExt};
use serde_json::{Value, json};

pub(crate) fn rows(ids: &dyn Ids) -> Vec<Row> {
    let mut rows = vpc(ids);
    rows.extend(endpoints(ids));
    rows.extend(groups(ids));
    rows.extend(log_group(ids));
    rows
}

fn vpc(ids: &dyn Ids) -> Vec<Row> {
    let vpc = ids.id("network/vpc");
    let attribute = |name: &'static str| json!({"VpcId": vpc, name: {"Value": false}});
    let shown = |name: &str| json!({"VpcId": vpc, "Attribute": name});
    let subnet = ids.id("network/subnet/app-a");
    let (table, nat) = (ids.id("network/route-table/app-a"), ids.id("network/nat/a"));
    let route = json!({"RouteTableId": table, "DestinationCidrBlock": "0.0.0.0/0"});
    let tables = json!({"RouteTableIds": [table]});
    let public = ids.id("network/route-table/public");
    let [public_a, public_b] = ["a", "b"].map(|letter| ids.id(&format!("network/subnet/public-{letter}")));
    let left = public_b.clone();
    let both: Value = json!(std::collections::BTreeSet::from([&public_a, &public_b]));
    vec![
        // Host names first: they need DNS at all.
        behind(
            "ec2.vpc",
            "network/vpc",
            "dns_hostnames",
            call("ec2", "modify_vpc_attribute", attribute("EnableDnsHostnames")),
        )
        .plan(json!(true), json!(false))
        .seen(at("ec2", "describe_vpc_attribute", shown("enableDnsHostnames"), "/EnableDnsHostnames/Value")),
        behind(
            "ec2.vpc",
            "network/vpc",
            "dns_support",
            call("ec2", "modify_vpc_attribute", attribute("EnableDnsSupport")),
        )
        .plan(json!(true), json!(false))
        .seen(at("ec2", "describe_vpc_attribute", shown("enableDnsSupport"), "/EnableDnsSupport/Value")),
        behind(
            "ec2.subnet",
            "network/subnet/app-a",
            "public_addresses",
            call("ec2", "modify_subnet_attribute", json!({"SubnetId": subnet, "MapPublicIpOnLaunch": {"Value": true}})),
        )
        .plan(json!(false), json!(true))
        .seen(at("ec2", "describe_subnets", json!({"SubnetIds": [subnet]}), "/Subnets/0/MapPublicIpOnLaunch")),
        behind("ec2.route_table", "network/route-table/app-a", "routes", call("ec2", "delete_route", route))
            .plan(json!({"0.0.0.0/0": {"nat_gateway": nat}}), json!({}))
            .seen_as(
                move |cloud| {
                    let answer = cloud.ec2("describe_route_tables", tables.clone());
                    let routes = answer["RouteTables"][0].list("Routes").iter();
                    let mut out = routes.filter(|route| route["DestinationCidrBlock"] == "0.0.0.0/0");
                    out.next().map_or(Value::Null, |route| route["NatGatewayId"].clone())
                },
                json!(nat),
                Value::Null,
            ),
        behind("ec2.route_table", "network/route-table/public", "subnets", move |cloud| {
            let filter = json!({"Filters": [{"Name": "association.subnet-id", "Values": [left]}]});
            let answer = cloud.ec2("describe_route_tables", filter);
            let associations = answer["RouteTables"][0].list("Associations").iter();
            let mut ours = associations.filter(|it| it["SubnetId"] == json!(left));
            let id = ours.next().expect("an association")["RouteTableAssociationId"].clone();
            cloud.ec2("disassociate_route_table", json!({"AssociationId": id}));
        })
        .plan(both.clone(), json!([public_a]))
        .seen(all(
            at("ec2", "describe_route_tables", json!({"RouteTableIds": [public]}), "/RouteTables/0/Associations"),
            "SubnetId",
        )),
    ]
}

fn endpoints(ids: &dyn Ids) -> Vec<Row> {
    let of = |name: &str| ids.id(&format!("network/endpoint/{name}"));
    let [a, b] = ["a", "b"].map(|letter| ids.id(&format!("network/subnet/app-{letter}")));
    let modify = |name: &str, what: &str, value: Value| {
        call("ec2", "modify_vpc_endpoint", json!({"VpcEndpointId": of(name), what: value}))
    };
    let show = |name: &str, field: &str| {
        let endpoint = json!({"VpcEndpointIds": [of(name)]});
        at("ec2", "describe_vpc_endpoints", endpoint, &format!("/VpcEndpoints/0/{field}"))
    };
    let set = |items: &[&str]| json!(items.iter().collect::<std::collections::BTreeSet<_>>());
    let tables = ["app-a", "app-b", "data"].map(|name| ids.id(&format!("network/route-table/{name}")));
    let (group, other) = (ids.id("network/security-group/endpoints"), ids.id("network/security-group/cache"));
    let closed = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"},
    ]});
    vec![
        behind(
            "ec2.vpc_endpoint",
            "network/endpoint/s3",
            "route_tables",
            modify("s3", "RemoveRouteTableIds", json!([tables[2]])),
        )
        .plan(set(&[&tables[0], &tables[1], &tables[2]]), set(&[&tables[0], &tables[1]]))
        .seen(sorted(show("s3", "RouteTableIds"))),
        behind("ec2.vpc_endpoint", "network/endpoint/sts", "subnets", modify("sts", "RemoveSubnetIds", json!([b])))
            .plan(set(&[&a, &b]), json!([a]))
            .seen(sorted(show("sts", "SubnetIds"))),
        behind(
            "ec2.vpc_endpoint",
            "network/endpoint/logs",
            "security_groups",
            modify("logs", "AddSecurityGroupIds", json!([other])),
        )
        .plan(json!([group]), set(&[&group, &other]))
        .seen(all(show("logs", "Groups"), "GroupId")),
        behind(
            "ec2.vpc_endpoint",
            "network/endpoint/ssm",
            "private_dns",
            modify("ssm", "PrivateDnsEnabled", json!(false)),
        )
        .plan(json!(true), json!(false))
        .seen(show("ssm", "PrivateDnsEnabled")),
        behind(
            "ec2.vpc_endpoint",
            "network/endpoint/dynamodb",
            "policy",
            modify("dynamodb", "PolicyDocument", json!(closed.to_string())),
        )
        .seen_as(action(show("dynamodb", "PolicyDocument")), json!("*"), json!("s3:GetObject")),
    ]
}

/// What the first statement of a policy is about.
fn action(policy: impl Fn(&Cloud) -> Value + 'static) -> impl Fn(&Cloud) -> Value {
    let policy = document(policy);
    move |cloud| policy(cloud).plain()["Statement"]["Action"].clone()
}

fn groups(ids: &dyn Ids) -> Vec<Row> {
    let (database, default) =
        (ids.id("network/security-group/database"), ids.output("network/default-security-group", "id"));
    let rule = ids.id("network/rule/endpoints-from-vpc");
    let endpoints = ids.id("network/security-group/endpoints");
    let mine = json!([{"SecurityGroupRuleId": rule, "SecurityGroupRule": {
        "IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIpv4": "10.0.0.0/16", "Description": "Mine",
    }}]);
    let anywhere = json!([{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]);
    let ssh = json!([{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]);
    vec![
        behind(
            "ec2.security_group",
            "network/security-group/database",
            "default_egress",
            call("ec2", "authorize_security_group_egress", json!({"GroupId": database, "IpPermissions": anywhere})),
        )
        .plan(json!(false), json!(true))
        .seen_as(
            at(
                "ec2",
                "describe_security_groups",
                json!({"GroupIds": [database]}),
                "/SecurityGroups/0/IpPermissionsEgress/0/IpProtocol",
            ),
            Value::Null,
            json!("-1"),
        ),
        behind(
            "ec2.security_group_rule",
            "network/rule/endpoints-from-vpc",
            "description",
            call("ec2", "modify_security_group_rules", json!({"GroupId": endpoints, "SecurityGroupRules": mine})),
        )
        .plan(json!("HTTPS from the VPC"), json!("Mine"))
        .seen(at(
            "ec2",
            "describe_security_group_rules",
            json!({"SecurityGroupRuleIds": [rule]}),
            "/SecurityGroupRules/0/Description",
        )),
        behind(
            "ec2.default_security_group",
            "network/default-security-group",
            "rules",
            call("ec2", "authorize_security_group_ingress", json!({"GroupId": default, "IpPermissions": ssh})),
        )
        .seen_as(
            at(
                "ec2",
                "describe_security_groups",
                json!({"GroupIds": [default]}),
                "/SecurityGroups/0/IpPermissions/0/FromPort",
            ),
            Value::Null,
            json!(22),
        ),
    ]
}

fn log_group(ids: &dyn Ids) -> Vec<Row> {
    const NAME: &str = "/aws/vpc/fintechglobal-flow-logs";
    let group = |field: &str| {
        at("logs", "describe_log_groups", json!({"logGroupNamePrefix": NAME}), &format!("/logGroups/0/{field}"))
    };
    let key = ids.output("security/key", "arn");
    let address = "network/log-group";
    vec![
        set("logs.log_group", address, "retention_days", "network.flow_logs_retention_days = 30")
            .plan(json!(90), json!(30))
            .seen(group("retentionInDays")),
        behind(
            "logs.log_group",
            address,
            "kms_key",
            call("logs", "disassociate_kms_key", json!({"logGroupName": NAME})),
        )
        .plan(json!(key), Value::Null)
        .seen(group("kmsKeyId")),
        behind(
            "logs.log_group",
            address,
            "deletion_protection",
            call(
                "logs",
                "put_log_group_deletion_protection",
                json!({"logGroupIdentifier": NAME, "deletionProtectionEnabled": true}),
            ),
        )
        .plan(json!(false), json!(true))
        .seen_as(group("deletionProtectionEnabled"), json!(false), json!(true)),
    ]
}
