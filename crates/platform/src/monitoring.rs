//! Monitoring: a dashboard of costs and health, and alarms.

mod dashboard;

use crate::{
    Layers,
    cost::{Cost, Declared},
    network::Network,
};
use bedplate_aws::{
    Arn,
    cloudwatch::{Alarm, AlarmSpec, Dashboard, DashboardSpec},
};
use bedplate_model::{Input, Json};
use serde_json::json;

/// Declares the layer.
pub(crate) fn declare(layers: &mut Layers<'_>, network: &Network, topic: &Input<Arn>) {
    let config = layers.config;
    if config.monitoring.dashboard {
        let spec = DashboardSpec {
            name: config.name("operations").into(),
            body: Input::from_expression(dashboard::body(config)),
        };
        layers.graph.add::<Dashboard>("monitoring/dashboard", spec);
    }
    if config.monitoring.alarms.enabled {
        alarms(layers, network, topic);
    }
}

/// What an alarm watches, and when it is raised.
struct Watch {
    /// The end of its address and of its name.
    name: String,
    /// What it means, and what to do.
    description: &'static str,
    namespace: &'static str,
    metric: &'static str,
    dimensions: Json,
    statistic: &'static str,
    threshold: Threshold,
}

enum Threshold {
    /// It is raised above this. No data is no answer.
    Above(f64),
    /// It is raised below this. No data is no answer.
    Below(f64),
    /// It is raised above this number of events. No data means none.
    Events(u32),
}

fn alarms(layers: &mut Layers<'_>, network: &Network, topic: &Input<Arn>) {
    let config = layers.config;
    let settings = &config.monitoring.alarms;
    let mut watches = Vec::new();
    if config.database.enabled {
        let name = config.database_name();
        watches.push(Watch {
            name: "database-cpu".to_owned(),
            description: "The database's writer is busy: look at its load in Database Insights, or take a larger class.",
            namespace: "AWS/RDS",
            metric: "CPUUtilization",
            // Readers have the scaler.
            dimensions: json!({"DBClusterIdentifier": name, "Role": "WRITER"}),
            statistic: "Average",
            threshold: Threshold::Above(settings.database_cpu_percent.into()),
        });
        watches.push(Watch {
            name: "database-memory".to_owned(),
            description: "A database instance runs out of memory: look for many connections, or take a larger class.",
            namespace: "AWS/RDS",
            metric: "FreeableMemory",
            dimensions: json!({"DBClusterIdentifier": name}),
            // Of all instances, the one with the least.
            statistic: "Minimum",
            threshold: Threshold::Below(f64::from(settings.database_free_memory_mib) * 1_048_576.0),
        });
    }
    if config.cache.enabled {
        for node in 1..=config.cache.nodes {
            watches.push(Watch {
                name: format!("cache-memory-{node}"),
                description: "A cache node is full and drops keys or refuses to write: take a larger node type.",
                namespace: "AWS/ElastiCache",
                metric: "DatabaseMemoryUsagePercentage",
                dimensions: json!({"CacheClusterId": config.cache_node(node), "CacheNodeId": "0001"}),
                statistic: "Maximum",
                threshold: Threshold::Above(settings.cache_memory_percent.into()),
            });
        }
    }
    if config.sessions.enabled {
        for (name, metric) in [("read", "ReadThrottleEvents"), ("write", "WriteThrottleEvents")] {
            watches.push(Watch {
                name: format!("sessions-{name}-throttles"),
                description: "The sessions table refuses requests: raise its capacity, or what scaling may give it.",
                namespace: "AWS/DynamoDB",
                metric,
                dimensions: json!({"TableName": config.sessions.table.as_str()}),
                statistic: "Sum",
                threshold: Threshold::Events(settings.throttled_requests),
            });
        }
    }
    for (index, nat) in network.nats.iter().enumerate() {
        watches.push(Watch {
            name: format!("nat-{}-errors", crate::network::letter(index)),
            description: "A NAT gateway has no ports left: look for many connections to one address outside.",
            namespace: "AWS/NATGateway",
            metric: "ErrorPortAllocation",
            dimensions: json!({"NatGatewayId": nat}),
            statistic: "Sum",
            threshold: Threshold::Events(settings.nat_errors),
        });
    }
    for watch in watches {
        alarm(layers, watch, topic);
    }
}

/// The alarms on errors that clients get. `dimension` is the end of the load balancer's ARN: `app/name/id`.
pub(crate) fn load_balancer_alarms(layers: &mut Layers<'_>, dimension: &Input<String>, topic: &Input<Arn>) {
    let settings = &layers.config.monitoring.alarms;
    if !settings.enabled {
        return;
    }
    for (name, metric, description) in [
        (
            "application-errors",
            "HTTPCode_Target_5XX_Count",
            "The application answers with errors: look at the logs of its pods.",
        ),
        (
            "load-balancer-errors",
            "HTTPCode_ELB_5XX_Count",
            "The load balancer finds no node that answers: look whether the application runs and is healthy.",
        ),
    ] {
        let watch = Watch {
            name: name.to_owned(),
            description,
            namespace: "AWS/ApplicationELB",
            metric,
            dimensions: json!({"LoadBalancer": dimension}),
            statistic: "Sum",
            threshold: Threshold::Events(settings.server_errors),
        };
        alarm(layers, watch, topic);
    }
}

fn alarm(layers: &mut Layers<'_>, watch: Watch, topic: &Input<Arn>) {
    let config = layers.config;
    let settings = &config.monitoring.alarms;
    let periods = settings.periods.into();
    let (threshold, comparison, periods, missing) = match watch.threshold {
        Threshold::Above(value) => (value, "GreaterThanThreshold", periods, "missing"),
        Threshold::Below(value) => (value, "LessThanThreshold", periods, "missing"),
        Threshold::Events(count) => (count.into(), "GreaterThanThreshold", 1, "notBreaching"),
    };
    let spec = AlarmSpec {
        name: config.name(&watch.name).into(),
        description: watch.description.into(),
        namespace: watch.namespace.into(),
        metric: watch.metric.into(),
        dimensions: Input::from_expression(watch.dimensions),
        statistic: watch.statistic.into(),
        period_seconds: (i32::from(settings.period_minutes) * 60).into(),
        evaluation_periods: periods.into(),
        threshold: threshold.into(),
        comparison: comparison.into(),
        missing_data: missing.into(),
        actions_enabled: true.into(),
        alarm_actions: Input::all([topic.clone()]),
        ok_actions: Input::all([topic.clone()]),
    };
    layers.graph.add::<Alarm>(&format!("monitoring/alarm/{}", watch.name), spec);
}

/// What the layer costs ("Amazon CloudWatch pricing"). The first three dashboards of an account are free.
pub(crate) fn costs(declared: &Declared<'_>) -> Vec<Cost> {
    vec![Cost::monthly("alarms", declared.count::<Alarm>("monitoring"), 0.10)]
}

/// What comes on top.
pub(crate) const COSTS_ON_TOP: &str = "dashboards beyond the account's first three (3.00 each)";
