//! The rows "CloudWatch dashboard" and "CloudWatch alarms".

use crate::{TOPIC, assert_has, call, id};
use bedplate_tests::JsonExt;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Namespace, metric, statistic, comparison, threshold and dimensions.
type Watched<'a> = (&'a str, &'a str, &'a str, &'a str, f64, &'a [(&'a str, &'a str)]);

#[test]
fn alarms_go_to_the_topic() {
    let alarms = call("cloudwatch", "describe_alarms", json!({"AlarmNamePrefix": "fintechglobal-"}));
    let alarms: BTreeMap<&str, &Value> =
        alarms.list("MetricAlarms").iter().map(|alarm| (alarm.text("AlarmName"), alarm)).collect();
    let (above, below) = ("GreaterThanThreshold", "LessThanThreshold");
    let balancer = call("elbv2", "describe_load_balancers", json!({}))["LoadBalancers"][0].clone();
    let balancer = balancer.text("LoadBalancerArn").split_once(":loadbalancer/").unwrap().1.to_owned();
    let balancer = ("LoadBalancer", balancer.as_str());
    let aurora = ("DBClusterIdentifier", "fintechglobal-aurora-cluster");
    let nats = ["a", "b"].map(|letter| id(&format!("network/nat/{letter}")));
    let memory = "DatabaseMemoryUsagePercentage";
    let table = ("TableName", "fintech-sessions");
    let node = ("CacheNodeId", "0001");
    let expected: &[(&str, Watched<'_>)] = &[
        ("database-cpu", ("AWS/RDS", "CPUUtilization", "Average", above, 80.0, &[aurora, ("Role", "WRITER")])),
        ("database-memory", ("AWS/RDS", "FreeableMemory", "Minimum", below, 1_073_741_824.0, &[aurora])),
        (
            "cache-memory-1",
            (
                "AWS/ElastiCache",
                memory,
                "Maximum",
                above,
                80.0,
                &[("CacheClusterId", "fintechglobal-redis-cluster-001"), node],
            ),
        ),
        (
            "cache-memory-2",
            (
                "AWS/ElastiCache",
                memory,
                "Maximum",
                above,
                80.0,
                &[("CacheClusterId", "fintechglobal-redis-cluster-002"), node],
            ),
        ),
        ("sessions-read-throttles", ("AWS/DynamoDB", "ReadThrottleEvents", "Sum", above, 10.0, &[table])),
        ("sessions-write-throttles", ("AWS/DynamoDB", "WriteThrottleEvents", "Sum", above, 10.0, &[table])),
        ("application-errors", ("AWS/ApplicationELB", "HTTPCode_Target_5XX_Count", "Sum", above, 10.0, &[balancer])),
        ("load-balancer-errors", ("AWS/ApplicationELB", "HTTPCode_ELB_5XX_Count", "Sum", above, 10.0, &[balancer])),
        ("nat-a-errors", ("AWS/NATGateway", "ErrorPortAllocation", "Sum", above, 0.0, &[("NatGatewayId", &nats[0])])),
        ("nat-b-errors", ("AWS/NATGateway", "ErrorPortAllocation", "Sum", above, 0.0, &[("NatGatewayId", &nats[1])])),
    ];
    let names: BTreeSet<String> = expected.iter().map(|(name, _)| format!("fintechglobal-{name}")).collect();
    assert_eq!(alarms.keys().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>(), names);
    for (name, (namespace, metric, statistic, comparison, threshold, dimensions)) in expected {
        let alarm = alarms[format!("fintechglobal-{name}").as_str()];
        let settings = json!({
            "Namespace": namespace,
            "MetricName": metric,
            "Statistic": statistic,
            "ComparisonOperator": comparison,
            "Threshold": threshold,
            "Period": 300,
            "ActionsEnabled": true,
            "AlarmActions": [TOPIC],
            "OKActions": [TOPIC],
        });
        assert_has(alarm, settings);
        let seen: BTreeSet<(&str, &str)> =
            alarm.list("Dimensions").iter().map(|one| (one.text("Name"), one.text("Value"))).collect();
        assert_eq!(seen, dimensions.iter().copied().collect(), "{name}");
        assert!(!alarm.text("AlarmDescription").is_empty(), "{name}");
    }
}

#[test]
fn the_dashboard_shows_costs_and_health() {
    let dashboard = call("cloudwatch", "get_dashboard", json!({"DashboardName": "fintechglobal-operations"}));
    let body: Value = serde_json::from_str(dashboard.text("DashboardBody")).unwrap();
    let graphs: Vec<&Value> = body.list("widgets").iter().map(|widget| &widget["properties"]).collect();
    let mut shown: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for graph in &graphs {
        for metric in graph.list("metrics") {
            let [namespace, name] = [0, 1].map(|index| metric[index].as_str().expect("a metric has a name"));
            shown.entry(namespace).or_default().insert(name);
            // Charges are measured there only.
            assert_eq!(graph["region"], "us-east-1");
        }
    }
    let nodes = ["fintechglobal-redis-cluster-001", "fintechglobal-redis-cluster-002"];
    for (namespace, metric, dimension, of) in [
        ("AWS/EKS", "apiserver_request_total", "ClusterName", &["fintechglobal-cluster"][..]),
        ("AWS/RDS", "CPUUtilization", "DBClusterIdentifier", &["fintechglobal-aurora-cluster"]),
        ("AWS/ElastiCache", "DatabaseMemoryUsagePercentage", "CacheClusterId", &nodes),
        ("AWS/DynamoDB", "ConsumedReadCapacityUnits", "TableName", &["fintech-sessions"]),
    ] {
        assert!(shown[namespace].contains(metric), "{namespace} {metric}: {shown:?}");
        // Of what was built: a graph of another name stays empty.
        let metrics = graphs.iter().flat_map(|graph| graph.list("metrics")).filter(|it| it[0] == namespace);
        let seen = metrics.inspect(|it| assert_eq!(it[2], dimension, "{it}")).filter_map(|it| it[3].as_str());
        assert_eq!(seen.collect::<BTreeSet<_>>(), of.iter().copied().collect(), "{namespace}");
    }
    // The budget is a line over the charges: no metric of AWS's has it.
    let budgeted = graphs.iter().find(|graph| !graph["annotations"].is_null()).expect("a graph with the budget");
    assert_eq!(budgeted["annotations"]["horizontal"][0]["value"], 5000.0);
    assert_eq!(
        (&budgeted["metrics"][0][0], &budgeted["metrics"][0][1]),
        (&json!("AWS/Billing"), &json!("EstimatedCharges"))
    );
}
