//! Fields of the topic, the budgets, anomaly detection, alarms and the dashboard.

use crate::row::{Ids, Row, all, along, at, behind, call, document, number, set, sorted};
use bedplate_tests::{Cloud, JsonExt};
use serde_json::{Value, json};

const ACCOUNT: &str = "797923187401";
const TOPIC: &str = "arn:aws:sns:us-east-1:797923187401:fintechglobal-cost-alerts";

pub(crate) fn rows(ids: &dyn Ids) -> Vec<Row> {
    let mut rows = topic(ids);
    rows.extend(budget());
    rows.extend(anomalies(ids));
    rows.extend(alarm());
    rows.extend(dashboard());
    rows
}

fn topic(ids: &dyn Ids) -> Vec<Row> {
    const KIND: &str = "sns.topic";
    const ADDRESS: &str = "costs/topic";
    let show =
        |field: &str| at("sns", "get_topic_attributes", json!({"TopicArn": TOPIC}), &format!("/Attributes/{field}"));
    let put = |name: &str, value: &str| {
        let attribute = json!({"TopicArn": TOPIC, "AttributeName": name, "AttributeValue": value});
        call("sns", "set_topic_attributes", attribute)
    };
    let key = ids.output("security/key", "arn");
    let policy = json!({"Version": "2012-10-17", "Statement": [{
        "Sid": "Theirs", "Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{ACCOUNT}:root")},
        "Action": "sns:Publish", "Resource": TOPIC,
    }]});
    let shown = document(show("Policy"));
    vec![
        behind(KIND, ADDRESS, "display_name", put("DisplayName", "Theirs"))
            .plan(json!("fintechglobal"), json!("Theirs"))
            .seen(show("DisplayName")),
        behind(KIND, ADDRESS, "kms_key", put("KmsMasterKeyId", "alias/aws/sns"))
            .plan(json!(key), json!("alias/aws/sns"))
            .seen(show("KmsMasterKeyId")),
        behind(KIND, ADDRESS, "policy", put("Policy", &policy.to_string())).seen_as(
            move |cloud| shown(cloud)["Statement"][0]["Sid"].clone(),
            json!("Budgets"),
            json!("Theirs"),
        ),
    ]
}

fn budget() -> Vec<Row> {
    const KIND: &str = "budgets.budget";
    const ADDRESS: &str = "costs/budget/dynamodb";
    const NAME: &str = "fintechglobal-dynamodb-budget";
    // One table: what it leaves out has no budget.
    const LIMITS: &str = r#"costs.service_budgets = { "Amazon Elastic Container Service for Kubernetes" = "2000", "Amazon Relational Database Service" = "1500", "Amazon ElastiCache" = "500", "Amazon DynamoDB" = "350", "Amazon Simple Storage Service" = "200" }"#;
    let of = || json!({"AccountId": ACCOUNT, "BudgetName": NAME});
    let show = |field: &str| at("budgets", "describe_budget", of(), &format!("/Budget/{field}"));
    let other = json!({
        "BudgetName": "fintechglobal-monthly-budget",
        "BudgetLimit": {"Amount": "5000", "Unit": "EUR"},
        "TimeUnit": "QUARTERLY",
        "BudgetType": "COST",
        "CostFilters": {"Region": ["eu-west-1"]},
    });
    let monthly = |field: &str| {
        let of = json!({"AccountId": ACCOUNT, "BudgetName": "fintechglobal-monthly-budget"});
        at("budgets", "describe_budget", of, &format!("/Budget/{field}"))
    };
    let thresholds = |cloud: &Cloud| {
        let all = cloud.call(
            "budgets",
            "describe_notifications_for_budget",
            json!({"AccountId": ACCOUNT, "BudgetName": NAME}),
        );
        let mut found: Vec<i64> =
            all.list("Notifications").iter().filter_map(|it| it["Threshold"].as_f64()).map(|it| it as i64).collect();
        found.sort_unstable();
        json!(found)
    };
    vec![
        set(KIND, ADDRESS, "limit", LIMITS).plan(json!(300.0), json!(350.0)).seen(number(show("BudgetLimit/Amount"))),
        set(KIND, ADDRESS, "notifications", "costs.service_alert_percents = [50, 90]").seen_as(
            thresholds,
            json!([80]),
            json!([50, 90]),
        ),
        behind(
            KIND,
            "costs/budget/monthly",
            "unit",
            call("budgets", "update_budget", json!({"AccountId": ACCOUNT, "NewBudget": other})),
        )
        .plan(json!("USD"), json!("EUR"))
        .seen(monthly("BudgetLimit/Unit")),
        along(KIND, "costs/budget/monthly", "time_unit")
            .plan(json!("MONTHLY"), json!("QUARTERLY"))
            .seen(monthly("TimeUnit")),
        along(KIND, "costs/budget/monthly", "filters").seen_as(
            monthly("CostFilters"),
            json!({}),
            json!({"Region": ["eu-west-1"]}),
        ),
    ]
}

fn anomalies(ids: &dyn Ids) -> Vec<Row> {
    const KIND: &str = "ce.anomaly_subscription";
    const ADDRESS: &str = "costs/anomaly-subscription";
    let subscription = ids.id(ADDRESS);
    let monitor = ids.id("costs/anomaly-monitor");
    let show = |field: &str| {
        let of = json!({"SubscriptionArnList": [subscription]});
        at("ce", "get_anomaly_subscriptions", of, &format!("/AnomalySubscriptions/0/{field}"))
    };
    let mail = json!([{"Type": "EMAIL", "Address": "theirs@example.com"}]);
    let daily = subscription.clone();
    vec![
        behind(
            "ce.anomaly_monitor",
            "costs/anomaly-monitor",
            "name",
            call("ce", "update_anomaly_monitor", json!({"MonitorArn": monitor, "MonitorName": "theirs"})),
        )
        .plan(json!("fintechglobal-cost-monitor"), json!("theirs"))
        .seen(at(
            "ce",
            "get_anomaly_monitors",
            json!({"MonitorArnList": [monitor]}),
            "/AnomalyMonitors/0/MonitorName",
        )),
        set(KIND, ADDRESS, "minimum_impact", "costs.anomaly_impact_usd = 55")
            .plan(json!(20.0), json!(55.0))
            .seen(number(show("ThresholdExpression/Dimensions/Values/0"))),
        behind(KIND, ADDRESS, "name", move |cloud| {
            let expression = json!({"Dimensions": {"Key": "SERVICE", "Values": ["Amazon DynamoDB"]}});
            let monitor =
                json!({"MonitorName": "theirs-too", "MonitorType": "CUSTOM", "MonitorSpecification": expression});
            let monitor = cloud.call("ce", "create_anomaly_monitor", json!({"AnomalyMonitor": monitor}));
            let other = json!({
                "SubscriptionArn": daily,
                "SubscriptionName": "theirs",
                "Frequency": "DAILY",
                "MonitorArnList": [monitor["MonitorArn"]],
                "Subscribers": mail,
            });
            cloud.call("ce", "update_anomaly_subscription", other);
        })
        .plan(json!("fintechglobal-cost-anomalies"), json!("theirs"))
        .seen(show("SubscriptionName")),
        along(KIND, ADDRESS, "frequency").plan(json!("IMMEDIATE"), json!("DAILY")).seen(show("Frequency")),
        along(KIND, ADDRESS, "monitors").seen_as(
            sorted({
                let (show, monitor) = (show("MonitorArnList"), monitor.clone());
                move |cloud| if show(cloud) == json!([monitor]) { json!(["ours"]) } else { json!(["theirs"]) }
            }),
            json!(["ours"]),
            json!(["theirs"]),
        ),
        along(KIND, ADDRESS, "topics").plan(json!([TOPIC]), json!([])).seen_as(
            all(show("Subscribers"), "Type"),
            json!(["SNS"]),
            json!(["EMAIL"]),
        ),
        along(KIND, ADDRESS, "emails").plan(json!([]), json!(["theirs@example.com"])).seen_as(
            all(show("Subscribers"), "Address"),
            json!([TOPIC]),
            json!(["theirs@example.com"]),
        ),
    ]
}

fn alarm() -> Vec<Row> {
    const KIND: &str = "cloudwatch.alarm";
    const ADDRESS: &str = "monitoring/alarm/database-cpu";
    const NAME: &str = "fintechglobal-database-cpu";
    const EVENTS: &str = "monitoring/alarm/sessions-read-throttles";
    let show = |field: &str| {
        at("cloudwatch", "describe_alarms", json!({"AlarmNames": [NAME]}), &format!("/MetricAlarms/0/{field}"))
    };
    let events = |field: &str| {
        let name = json!({"AlarmNames": ["fintechglobal-sessions-read-throttles"]});
        at("cloudwatch", "describe_alarms", name, &format!("/MetricAlarms/0/{field}"))
    };
    let other = json!({
        "AlarmName": NAME,
        "AlarmDescription": "Theirs",
        "Namespace": "AWS/DynamoDB",
        "MetricName": "ThrottledRequests",
        "Dimensions": [{"Name": "TableName", "Value": "theirs"}],
        "Statistic": "Maximum",
        "Period": 300,
        "EvaluationPeriods": 3,
        "Threshold": 80.0,
        "ComparisonOperator": "LessThanThreshold",
        "TreatMissingData": "breaching",
        "ActionsEnabled": false,
    });
    let along =
        |path, usual: Value, other: Value, field: &str| along(KIND, ADDRESS, path).plan(usual, other).seen(show(field));
    let description = "The database's writer is busy: look at its load in Database Insights, or take a larger class.";
    vec![
        set(KIND, EVENTS, "threshold", "monitoring.alarms.throttled_requests = 99")
            .plan(json!(10.0), json!(99.0))
            .seen(events("Threshold")),
        set(KIND, EVENTS, "period_seconds", "monitoring.alarms.period_minutes = 10")
            .plan(json!(300), json!(600))
            .seen(events("Period")),
        set(KIND, ADDRESS, "evaluation_periods", "monitoring.alarms.periods = 5")
            .plan(json!(3), json!(5))
            .seen(show("EvaluationPeriods")),
        behind(KIND, ADDRESS, "description", call("cloudwatch", "put_metric_alarm", other))
            .plan(json!(description), json!("Theirs"))
            .seen(show("AlarmDescription")),
        along("namespace", json!("AWS/RDS"), json!("AWS/DynamoDB"), "Namespace"),
        along("metric", json!("CPUUtilization"), json!("ThrottledRequests"), "MetricName"),
        along("statistic", json!("Average"), json!("Maximum"), "Statistic"),
        along("comparison", json!("GreaterThanThreshold"), json!("LessThanThreshold"), "ComparisonOperator"),
        along("missing_data", json!("missing"), json!("breaching"), "TreatMissingData"),
        along("actions_enabled", json!(true), json!(false), "ActionsEnabled"),
        along("alarm_actions", json!([TOPIC]), json!([]), "AlarmActions"),
        along("ok_actions", json!([TOPIC]), json!([]), "OKActions"),
        crate::row::along(KIND, ADDRESS, "dimensions.TableName").plan(Value::Null, json!("theirs")).seen_as(
            all(show("Dimensions"), "Name"),
            json!(["DBClusterIdentifier", "Role"]),
            json!(["TableName"]),
        ),
    ]
}

fn dashboard() -> Vec<Row> {
    const NAME: &str = "fintechglobal-operations";
    let body = document(at("cloudwatch", "get_dashboard", json!({"DashboardName": NAME}), "/DashboardBody"));
    let empty = json!({"DashboardName": NAME, "DashboardBody": "{\"widgets\":[]}"});
    vec![
        behind(
            "cloudwatch.dashboard",
            "monitoring/dashboard",
            "body.widgets",
            call("cloudwatch", "put_dashboard", empty),
        )
        .seen_as(move |cloud| json!(body(cloud).list("widgets").is_empty()), json!(false), json!(true)),
    ]
}
