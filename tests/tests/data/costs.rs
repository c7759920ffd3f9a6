//! The rows "SNS topic", "budgets" and "cost anomaly detection".

use crate::{ACCOUNT, BUILT, OWNER, TOPIC, assert_has, call, key, statement};
use bedplate_tests::{Cloud, JsonExt, Project, set};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

#[test]
fn the_topic_is_encrypted_and_lets_its_services_in() {
    let topic = call("sns", "get_topic_attributes", json!({"TopicArn": TOPIC}));
    let topic = &topic["Attributes"];
    assert_eq!(topic["KmsMasterKeyId"], key());
    let policy = topic.text("Policy");
    for (sid, service) in [
        ("Budgets", "budgets.amazonaws.com"),
        ("CostAnomalies", "costalerts.amazonaws.com"),
        ("Alarms", "cloudwatch.amazonaws.com"),
    ] {
        let statement = statement(policy, sid);
        let expected =
            json!({"Effect": "Allow", "Principal": {"Service": service}, "Action": "sns:Publish", "Resource": TOPIC});
        assert_has(&statement, expected);
        assert_eq!(statement["Condition"]["StringEquals"]["aws:SourceAccount"], ACCOUNT, "{sid}");
    }
    // Who may publish needs the key too, or its messages are lost in silence.
    let policy = call("kms", "get_key_policy", json!({"KeyId": key()}));
    for service in ["budgets.amazonaws.com", "costalerts.amazonaws.com", "cloudwatch.amazonaws.com"] {
        assert!(policy.text("Policy").contains(service), "{service}: {policy:#}");
    }
}

#[test]
fn mail_waits_for_a_confirmation() {
    let subscriptions = call("sns", "list_subscriptions_by_topic", json!({"TopicArn": TOPIC}));
    let subscriptions = subscriptions.list("Subscriptions");
    assert_eq!(subscriptions.len(), 1);
    let expected = json!({"Protocol": "email", "Endpoint": OWNER, "SubscriptionArn": "PendingConfirmation"});
    assert_has(&subscriptions[0], expected);
}

#[test]
fn six_budgets_send_mail() {
    let budgets = call("budgets", "describe_budgets", json!({"AccountId": ACCOUNT}));
    let budgets: BTreeMap<&str, &Value> =
        budgets.list("Budgets").iter().map(|budget| (budget.text("BudgetName"), budget)).collect();
    assert_eq!(budgets.len(), 6);
    for (name, limit, service, percents) in [
        ("monthly", 5000.0, None, &[80, 100][..]),
        ("eks", 2000.0, Some("Amazon Elastic Container Service for Kubernetes"), &[80]),
        ("rds", 1500.0, Some("Amazon Relational Database Service"), &[80]),
        ("elasticache", 500.0, Some("Amazon ElastiCache"), &[80]),
        ("dynamodb", 300.0, Some("Amazon DynamoDB"), &[80]),
        ("s3", 200.0, Some("Amazon Simple Storage Service"), &[80]),
    ] {
        let name = format!("fintechglobal-{name}-budget");
        let budget = budgets[name.as_str()];
        assert_has(budget, json!({"TimeUnit": "MONTHLY", "BudgetType": "COST"}));
        assert_eq!(budget["BudgetLimit"]["Unit"], "USD");
        assert_eq!(budget["BudgetLimit"].text("Amount").parse::<f64>(), Ok(limit), "{name}");
        let filters = service.map_or(json!({}), |service| json!({"Service": [service]}));
        assert_eq!(budget["CostFilters"], filters, "{name}");

        let of = json!({"AccountId": ACCOUNT, "BudgetName": name});
        let notifications = call("budgets", "describe_notifications_for_budget", of.clone());
        let notifications = notifications.list("Notifications");
        let at: BTreeSet<i64> =
            notifications.iter().filter_map(|it| it["Threshold"].as_f64()).map(|at| at as i64).collect();
        assert_eq!((notifications.len(), at), (percents.len(), percents.iter().copied().collect()), "{name}");
        for notification in notifications {
            let expected = json!({
                "NotificationType": "ACTUAL",
                "ComparisonOperator": "GREATER_THAN",
                "ThresholdType": "PERCENTAGE",
            });
            assert_has(notification, expected);
            let mut of = of.clone();
            of["Notification"] = notification.clone();
            of["Notification"].as_object_mut().unwrap().remove("NotificationState");
            let subscribers = call("budgets", "describe_subscribers_for_notification", of);
            let subscribers: BTreeMap<&str, &str> = subscribers
                .list("Subscribers")
                .iter()
                .map(|it| (it.text("SubscriptionType"), it.text("Address")))
                .collect();
            assert_eq!(subscribers, [("EMAIL", OWNER), ("SNS", TOPIC)].into(), "{name}");
        }
    }
}

#[test]
fn anomalies_are_told_at_once() {
    let monitors = call("ce", "get_anomaly_monitors", json!({}));
    let monitors = monitors.list("AnomalyMonitors");
    assert_eq!(monitors.len(), 1);
    assert_has(&monitors[0], json!({"MonitorType": "DIMENSIONAL", "MonitorDimension": "LINKED_ACCOUNT"}));
    let subscriptions = call("ce", "get_anomaly_subscriptions", json!({}));
    let subscriptions = subscriptions.list("AnomalySubscriptions");
    assert_eq!(subscriptions.len(), 1);
    let impact = json!({
        "Key": "ANOMALY_TOTAL_IMPACT_ABSOLUTE",
        "Values": ["20"],
        "MatchOptions": ["GREATER_THAN_OR_EQUAL"],
    });
    let expected = json!({
        "Frequency": "IMMEDIATE",
        "MonitorArnList": [monitors[0]["MonitorArn"]],
        "ThresholdExpression": {"Dimensions": impact},
    });
    assert_has(&subscriptions[0], expected);
    let subscribers = subscriptions[0].list("Subscribers");
    assert_eq!(set(subscribers, "Address"), [TOPIC.to_owned()].into());
    assert_eq!(set(subscribers, "Type"), ["SNS".to_owned()].into());
    assert_eq!(BUILT.cloud.calls()["ce:CreateAnomalyMonitor"], 1);
}

#[test]
fn somebody_elses_monitor_is_used_and_stays() {
    let cloud = Cloud::start();
    let monitor = json!({"MonitorName": "theirs", "MonitorType": "DIMENSIONAL", "MonitorDimension": "LINKED_ACCOUNT"});
    let theirs = cloud.call("ce", "create_anomaly_monitor", json!({"AnomalyMonitor": monitor}));
    let before = cloud.call("ce", "get_anomaly_monitors", json!({}));
    let project = Project::with(
        &cloud,
        "[cluster]\nenabled = false\n[database]\nenabled = false\n[cache]\nenabled = false\n[sessions]\nenabled = false",
    );
    project.bootstrap();
    let subscriptions = cloud.call("ce", "get_anomaly_subscriptions", json!({}));
    assert_eq!(subscriptions["AnomalySubscriptions"][0]["MonitorArnList"], json!([theirs["MonitorArn"]]));
    project.assert_no_changes();
    project.run(&["destroy", "--yes", "--lift-protection"]).ok();
    assert_eq!(cloud.call("ce", "get_anomaly_monitors", json!({})), before, "not renamed, not tagged, not deleted");
    assert!(!cloud.inventory().contains_key("ce.anomaly-subscription"));
}

#[test]
fn a_confirmation_that_waits_is_said_until_it_came() {
    let cloud = Cloud::start();
    let project = Project::with(
        &cloud,
        "[cluster]\nenabled = false\n[database]\nenabled = false\n[cache]\nenabled = false\n[sessions]\nenabled = false",
    );
    let words = ["warning", "no alert is delivered by mail yet", "team-platform@yourcompany.com"];
    for _ in 0..2 {
        project.run(&["bootstrap", "--yes"]).ok().says(&words);
    }
    cloud.confirm_subscriptions();
    let run = project.run(&["bootstrap", "--yes"]).ok();
    assert!(!run.stderr.contains("by mail"), "{run}");
    project.assert_no_changes();
}
