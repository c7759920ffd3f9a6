//! Fields of the load balancer, its target group and its listener.

use crate::row::{Ids, Row, all, at, behind, call, set, sorted};
use bedplate_tests::{Cloud, JsonExt};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const BUCKET: &str = "fintechglobal-s3-logs-797923187401-us-east-1";

pub(crate) fn rows(ids: &dyn Ids) -> Vec<Row> {
    let mut rows = balancer(ids);
    rows.extend(target_group(ids));
    rows.push(listener(ids));
    rows
}

/// One attribute of a load balancer or a target group; AWS writes all of them as texts.
fn attribute(operation: &'static str, arguments: Value, key: &'static str) -> impl Fn(&Cloud) -> Value {
    move |cloud| {
        let answer = cloud.call("elbv2", operation, arguments.clone());
        let found = answer.list("Attributes").iter().find(|one| one["Key"] == key);
        found.map(|one| one["Value"].clone()).unwrap_or_default()
    }
}

fn balancer(ids: &dyn Ids) -> Vec<Row> {
    const KIND: &str = "elb.load_balancer";
    const ADDRESS: &str = "cluster/load-balancer";
    let arn = json!({"LoadBalancerArn": ids.output(ADDRESS, "arn")});
    let told = |key| attribute("describe_load_balancer_attributes", arn.clone(), key);
    let with = |extra: &str, value: Value| {
        let mut arguments = arn.clone();
        arguments[extra] = value;
        arguments
    };
    let modify = |key: &str, value: &str| {
        let attributes = json!([{"Key": key, "Value": value}]);
        call("elbv2", "modify_load_balancer_attributes", with("Attributes", attributes))
    };
    let described = || json!({"Names": ["fintechglobal-alb"]});
    let subnets = |tier: &str| ["a", "b"].map(|letter| ids.id(&format!("network/subnet/{tier}-{letter}")));
    let (ours, others) = (subnets("public"), subnets("app"));
    let group = ids.id("network/security-group/load-balancer");
    let other = ids.id("network/security-group/endpoints");
    vec![
        set(KIND, ADDRESS, "deletion_protection", "cluster.deletion_protection = false")
            .plan(json!(true), json!(false))
            .seen_as(told("deletion_protection.enabled"), json!("true"), json!("false")),
        set(KIND, ADDRESS, "idle_timeout_seconds", "cluster.load_balancer.idle_timeout_seconds = 120")
            .plan(json!(60), json!(120))
            .seen_as(told("idle_timeout.timeout_seconds"), json!("60"), json!("120")),
        set(KIND, ADDRESS, "log_bucket", "cluster.load_balancer.access_logs = false")
            .plan(json!(BUCKET), Value::Null)
            .seen_as(told("access_logs.s3.enabled"), json!("true"), json!("false")),
        set(KIND, ADDRESS, "log_prefix", "cluster.load_balancer.access_logs = false")
            .plan(json!("load-balancer"), json!(""))
            .seen_as(told("access_logs.s3.enabled"), json!("true"), json!("false")),
        behind(KIND, ADDRESS, "keep_alive_seconds", modify("client_keep_alive.seconds", "1800"))
            .plan(json!(3600), json!(1800))
            .seen_as(told("client_keep_alive.seconds"), json!("3600"), json!("1800")),
        behind(
            KIND,
            ADDRESS,
            "drop_invalid_headers",
            modify("routing.http.drop_invalid_header_fields.enabled", "false"),
        )
        .plan(json!(true), json!(false))
        .seen_as(told("routing.http.drop_invalid_header_fields.enabled"), json!("true"), json!("false")),
        behind(KIND, ADDRESS, "desync_mitigation", modify("routing.http.desync_mitigation_mode", "monitor"))
            .plan(json!("defensive"), json!("monitor"))
            .seen(told("routing.http.desync_mitigation_mode")),
        behind(KIND, ADDRESS, "http2", modify("routing.http2.enabled", "false"))
            .plan(json!(true), json!(false))
            .seen_as(told("routing.http2.enabled"), json!("true"), json!("false")),
        behind(
            KIND,
            ADDRESS,
            "security_groups",
            call("elbv2", "set_security_groups", with("SecurityGroups", json!([other]))),
        )
        .plan(json!([group]), json!([other]))
        .seen(sorted(at("elbv2", "describe_load_balancers", described(), "/LoadBalancers/0/SecurityGroups"))),
        behind(KIND, ADDRESS, "subnets", call("elbv2", "set_subnets", with("Subnets", json!(others))))
            .plan(json!(BTreeSet::from(ours)), json!(BTreeSet::from(others.clone())))
            .seen(all(
                at("elbv2", "describe_load_balancers", described(), "/LoadBalancers/0/AvailabilityZones"),
                "SubnetId",
            )),
    ]
}

fn target_group(ids: &dyn Ids) -> Vec<Row> {
    const KIND: &str = "elb.target_group";
    const ADDRESS: &str = "cluster/target-group";
    let arn = json!({"TargetGroupArn": ids.output(ADDRESS, "arn")});
    let told = |key| attribute("describe_target_group_attributes", arn.clone(), key);
    let with = |extra: &str, value: Value| {
        let mut arguments = arn.clone();
        arguments[extra] = value;
        arguments
    };
    let modify = |key: &str, value: &str| {
        let attributes = json!([{"Key": key, "Value": value}]);
        call("elbv2", "modify_target_group_attributes", with("Attributes", attributes))
    };
    let check = |field: &str, value: Value| call("elbv2", "modify_target_group", with(field, value));
    let shown = |field: &str| {
        let arns = json!({"TargetGroupArns": [arn["TargetGroupArn"]]});
        at("elbv2", "describe_target_groups", arns, &format!("/TargetGroups/0/{field}"))
    };
    vec![
        set(KIND, ADDRESS, "health_check_path", "cluster.load_balancer.health_check_path = \"/healthz\"")
            .plan(json!("/"), json!("/healthz"))
            .seen(shown("HealthCheckPath")),
        set(KIND, ADDRESS, "health_check_interval", "cluster.load_balancer.health_check_interval_seconds = 30")
            .plan(json!(15), json!(30))
            .seen(shown("HealthCheckIntervalSeconds")),
        set(KIND, ADDRESS, "deregistration_delay", "cluster.load_balancer.deregistration_delay_seconds = 10")
            .plan(json!(60), json!(10))
            .seen_as(told("deregistration_delay.timeout_seconds"), json!("60"), json!("10")),
        behind(KIND, ADDRESS, "health_check_protocol", check("HealthCheckProtocol", json!("HTTPS")))
            .plan(json!("HTTP"), json!("HTTPS"))
            .seen(shown("HealthCheckProtocol")),
        behind(KIND, ADDRESS, "health_check_port", check("HealthCheckPort", json!("8080")))
            .plan(json!("traffic-port"), json!("8080"))
            .seen(shown("HealthCheckPort")),
        behind(KIND, ADDRESS, "health_check_codes", check("Matcher", json!({"HttpCode": "200"})))
            .plan(json!("200-399"), json!("200"))
            .seen(shown("Matcher/HttpCode")),
        behind(KIND, ADDRESS, "health_check_timeout", check("HealthCheckTimeoutSeconds", json!(6)))
            .plan(json!(5), json!(6))
            .seen(shown("HealthCheckTimeoutSeconds")),
        behind(KIND, ADDRESS, "healthy_threshold", check("HealthyThresholdCount", json!(3)))
            .plan(json!(2), json!(3))
            .seen(shown("HealthyThresholdCount")),
        behind(KIND, ADDRESS, "unhealthy_threshold", check("UnhealthyThresholdCount", json!(4)))
            .plan(json!(2), json!(4))
            .seen(shown("UnhealthyThresholdCount")),
        // Before the slow start, which AWS has with this algorithm only.
        behind(KIND, ADDRESS, "algorithm", modify("load_balancing.algorithm.type", "round_robin"))
            .plan(json!("least_outstanding_requests"), json!("round_robin"))
            .seen(told("load_balancing.algorithm.type")),
        behind(KIND, ADDRESS, "slow_start", modify("slow_start.duration_seconds", "60"))
            .plan(json!(0), json!(60))
            .seen_as(told("slow_start.duration_seconds"), json!("0"), json!("60")),
        behind(KIND, ADDRESS, "stickiness", modify("stickiness.enabled", "true"))
            .plan(json!(false), json!(true))
            .seen_as(told("stickiness.enabled"), json!("false"), json!("true")),
    ]
}

fn listener(ids: &dyn Ids) -> Row {
    let arn = ids.id("cluster/listener/http");
    let closed = json!([{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503"}}]);
    let modified = json!({"ListenerArn": arn, "DefaultActions": closed});
    behind("elb.listener", "cluster/listener/http", "action", call("elbv2", "modify_listener", modified)).seen_as(
        at("elbv2", "describe_listeners", json!({"ListenerArns": [arn]}), "/Listeners/0/DefaultActions/0/Type"),
        json!("forward"),
        json!("fixed-response"),
    )
}
