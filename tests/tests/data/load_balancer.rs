//! The row "load balancer", as the five lines make it: without a certificate.

use crate::{ACCOUNT, assert_has, call, id, statement};
use bedplate_tests::{JsonExt, set};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const LOGS: &str = "fintechglobal-s3-logs-797923187401-us-east-1";

fn balancer() -> Value {
    call("elbv2", "describe_load_balancers", json!({"Names": ["fintechglobal-alb"]}))["LoadBalancers"][0].clone()
}

fn target_group() -> Value {
    call("elbv2", "describe_target_groups", json!({"Names": ["fintechglobal-30080"]}))["TargetGroups"][0].clone()
}

fn attributes(operation: &str, parameter: &str, arn: &Value) -> BTreeMap<String, String> {
    let answer = call("elbv2", operation, json!({parameter: arn}));
    answer.list("Attributes").iter().map(|one| (one.text("Key").to_owned(), one.text("Value").to_owned())).collect()
}

#[track_caller]
fn assert_attributes(actual: &BTreeMap<String, String>, expected: &[(&str, &str)]) {
    for (key, value) in expected {
        assert_eq!(actual.get(*key).map(String::as_str), Some(*value), "{key} in {actual:#?}");
    }
}

#[test]
fn it_is_on_the_internet_in_the_public_subnets() {
    let balancer = balancer();
    assert_has(
        &balancer,
        json!({
            "Scheme": "internet-facing",
            "Type": "application",
            "IpAddressType": "ipv4",
            "VpcId": id("network/vpc"),
            "SecurityGroups": [id("network/security-group/load-balancer")],
        }),
    );
    assert_eq!(balancer["State"]["Code"], "active");
    let public: BTreeSet<String> = ["a", "b"].map(|letter| id(&format!("network/subnet/public-{letter}"))).into();
    assert_eq!(set(balancer.list("AvailabilityZones"), "SubnetId"), public);
}

#[test]
fn it_is_protected_and_records_every_request() {
    let attributes = attributes("describe_load_balancer_attributes", "LoadBalancerArn", &balancer()["LoadBalancerArn"]);
    assert_attributes(
        &attributes,
        &[
            ("access_logs.s3.enabled", "true"),
            ("access_logs.s3.bucket", LOGS),
            ("access_logs.s3.prefix", "load-balancer"),
            ("deletion_protection.enabled", "true"),
            ("idle_timeout.timeout_seconds", "60"),
            ("client_keep_alive.seconds", "3600"),
            ("routing.http.drop_invalid_header_fields.enabled", "true"),
            ("routing.http.desync_mitigation_mode", "defensive"),
            ("routing.http2.enabled", "true"),
        ],
    );
    let policy = call("s3", "get_bucket_policy", json!({"Bucket": LOGS}));
    let expected = json!({
        "Effect": "Allow",
        "Principal": {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"},
        "Action": "s3:PutObject",
        "Resource": format!("arn:aws:s3:::{LOGS}/load-balancer/AWSLogs/{ACCOUNT}/*"),
    });
    assert_has(&statement(policy.text("Policy"), "AccessLogsOfTheLoadBalancer"), expected);
    // What Elastic Load Balancing writes to try whether it may.
    let written = call("s3", "list_objects_v2", json!({"Bucket": LOGS, "Prefix": "load-balancer/"}));
    assert!(!written.list("Contents").is_empty());
}

#[test]
fn it_asks_the_nodes_port_for_the_applications_health() {
    let group = target_group();
    assert_has(
        &group,
        json!({
            "TargetType": "instance",
            "Protocol": "HTTP",
            "ProtocolVersion": "HTTP1",
            "Port": 30080,
            "VpcId": id("network/vpc"),
            "HealthCheckEnabled": true,
            "HealthCheckProtocol": "HTTP",
            "HealthCheckPort": "traffic-port",
            "HealthCheckPath": "/",
            "Matcher": {"HttpCode": "200-399"},
            "HealthCheckIntervalSeconds": 15,
            "HealthCheckTimeoutSeconds": 5,
            "HealthyThresholdCount": 2,
            "UnhealthyThresholdCount": 2,
            "LoadBalancerArns": [balancer()["LoadBalancerArn"]],
        }),
    );
    let attributes = attributes("describe_target_group_attributes", "TargetGroupArn", &group["TargetGroupArn"]);
    assert_attributes(
        &attributes,
        &[
            ("deregistration_delay.timeout_seconds", "60"),
            ("slow_start.duration_seconds", "0"),
            ("load_balancing.algorithm.type", "least_outstanding_requests"),
            ("stickiness.enabled", "false"),
        ],
    );
}

#[test]
fn without_a_certificate_it_forwards_http_and_bootstrap_warns() {
    let arn = &balancer()["LoadBalancerArn"];
    let listeners = call("elbv2", "describe_listeners", json!({"LoadBalancerArn": arn}));
    let [listener] = listeners.list("Listeners") else { panic!("one listener: {listeners:#}") };
    assert_has(listener, json!({"Port": 80, "Protocol": "HTTP"}));
    let [action] = listener.list("DefaultActions") else { panic!("one action: {listener:#}") };
    assert_has(action, json!({"Type": "forward", "TargetGroupArn": target_group()["TargetGroupArn"]}));
    let warnings = crate::BUILT.run.events("warning");
    let warned =
        warnings.iter().filter(|event| event.text("message").contains("cluster.load_balancer.certificate_arn"));
    assert_eq!(warned.count(), 1);
}

#[test]
fn the_nodes_are_its_targets() {
    let node_group = json!({"clusterName": "fintechglobal-cluster", "nodegroupName": "system-ng"});
    let node_group = call("eks", "describe_nodegroup", node_group);
    let name = &node_group["nodegroup"]["resources"]["autoScalingGroups"][0]["name"];
    let groups = call("autoscaling", "describe_auto_scaling_groups", json!({"AutoScalingGroupNames": [name]}));
    assert_eq!(groups["AutoScalingGroups"][0]["TargetGroupARNs"], json!([target_group()["TargetGroupArn"]]));
    // The way to them, on both ends.
    let rules = |group: &str| {
        let filter = json!({"Filters": [{"Name": "group-id", "Values": [group]}]});
        call("ec2", "describe_security_group_rules", filter).list("SecurityGroupRules").to_vec()
    };
    let cluster = call("eks", "describe_cluster", json!({"name": "fintechglobal-cluster"}));
    let nodes = cluster["cluster"]["resourcesVpcConfig"].text("clusterSecurityGroupId");
    let balancers = id("network/security-group/load-balancer");
    for (group, peer, egress) in [(balancers.as_str(), nodes, true), (nodes, balancers.as_str(), false)] {
        let found = rules(group).into_iter().any(|rule| {
            rule["IsEgress"] == egress
                && rule["FromPort"] == 30080
                && rule["ToPort"] == 30080
                && rule["IpProtocol"] == "tcp"
                && rule["ReferencedGroupInfo"]["GroupId"] == peer
        });
        assert!(found, "{group} and {peer}");
    }
}

#[test]
fn its_name_is_an_output() {
    let outputs = crate::BUILT.run.json()["outputs"].clone();
    assert_eq!(outputs["load_balancer_dns"], balancer()["DNSName"]);
}
