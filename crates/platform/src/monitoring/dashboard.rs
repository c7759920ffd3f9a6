//! The dashboard's body. It names everything by names that follow from the configuration, so that it waits for nothing.

use crate::config::Config;
use bedplate_model::Json;
use serde_json::json;

/// CloudWatch divides a dashboard into 24 columns.
const COLUMNS: usize = 24;
const WIDTH: usize = 8;
const HEIGHT: usize = 6;

/// AWS publishes estimated charges here, wherever the platform is.
const BILLING: &str = "us-east-1";
/// Services as the metric of estimated charges names them, which is neither as the bill does nor as budgets do.
const CHARGED: [(&str, &str); 5] = [
    ("AmazonEKS", "EKS"),
    ("AmazonRDS", "RDS"),
    ("AmazonElastiCache", "ElastiCache"),
    ("AmazonDynamoDB", "DynamoDB"),
    ("AmazonS3", "S3"),
];

/// The body, as CloudWatch defines it: costs first, then the health of each part that there is.
pub(super) fn body(config: &Config) -> Json {
    let mut graphs = vec![charges(config), charges_by_service(config)];
    if config.cluster.enabled {
        graphs.extend(cluster(config));
    }
    if config.database.enabled {
        graphs.extend(database(config));
    }
    if config.cache.enabled {
        graphs.extend(cache(config));
    }
    if config.sessions.enabled {
        graphs.extend(sessions(config));
    }
    let place = |(index, properties): (usize, Json)| {
        let per_row = COLUMNS / WIDTH;
        let (x, y) = (index % per_row * WIDTH, index / per_row * HEIGHT);
        json!({"type": "metric", "x": x, "y": y, "width": WIDTH, "height": HEIGHT, "properties": properties})
    };
    json!({"widgets": graphs.into_iter().enumerate().map(place).collect::<Vec<_>>()})
}

/// What the month has cost so far, with the budget as a line to stay under.
fn charges(config: &Config) -> Json {
    let mut graph = lines(
        "Estimated charges of the month and the budget",
        BILLING,
        "Maximum",
        vec![json!(["AWS/Billing", "EstimatedCharges", "Currency", "USD", {"label": "Charges"}])],
    );
    graph["period"] = json!(CHARGES_PERIOD);
    graph["annotations"] = json!({
        "horizontal": [{"label": "Monthly budget", "value": config.monthly_budget_limit.dollars()}],
    });
    graph
}

/// AWS publishes charges every six hours.
const CHARGES_PERIOD: u32 = 21_600;

fn charges_by_service(config: &Config) -> Json {
    let services = CHARGED.iter().map(|(name, label)| {
        json!(["AWS/Billing", "EstimatedCharges", "ServiceName", name, "Currency", "USD", {"label": label}])
    });
    let title = format!("Estimated charges of {} by service", config.project_name);
    let mut graph = lines(&title, BILLING, "Maximum", services.collect());
    graph["period"] = json!(CHARGES_PERIOD);
    graph
}

/// What EKS publishes of the control plane by itself.
fn cluster(config: &Config) -> [Json; 2] {
    let name = config.cluster_name();
    let metric = |metric: &str, label: &str| json!(["AWS/EKS", metric, "ClusterName", name, {"label": label}]);
    let requests = [
        metric("apiserver_request_total", "All"),
        metric("apiserver_request_total_4XX", "Refused (4xx)"),
        metric("apiserver_request_total_5XX", "Failed (5xx)"),
    ];
    let pods = [
        metric("scheduler_pending_pods", "All"),
        metric("scheduler_pending_pods_UNSCHEDULABLE", "No node has room for them"),
    ];
    [
        lines("EKS: requests to the Kubernetes API", config.region.as_str(), "Sum", requests.to_vec()),
        lines("EKS: pending pods", config.region.as_str(), "Sum", pods.to_vec()),
    ]
}

fn database(config: &Config) -> [Json; 3] {
    let name = config.database_name();
    let region = config.region.as_str();
    let of_role = |metric: &str, role: &str, label: &str| {
        let label = json!({ "label": label });
        json!(["AWS/RDS", metric, "DBClusterIdentifier", name, "Role", role, label])
    };
    let both = |metric: &str| vec![of_role(metric, "WRITER", "Writer"), of_role(metric, "READER", "Readers")];
    let memory =
        vec![json!(["AWS/RDS", "FreeableMemory", "DBClusterIdentifier", name, {"label": "Least of all instances"}])];
    [
        percent(lines("Aurora: CPU", region, "Average", both("CPUUtilization"))),
        lines("Aurora: connections", region, "Sum", both("DatabaseConnections")),
        lines("Aurora: free memory", region, "Minimum", memory),
    ]
}

fn cache(config: &Config) -> [Json; 3] {
    let region = config.region.as_str();
    let nodes = |metric: &str| {
        let node = |number: u8| {
            let id = config.cache_node(number);
            json!(["AWS/ElastiCache", metric, "CacheClusterId", id, "CacheNodeId", "0001", {"label": id}])
        };
        (1..=config.cache.nodes).map(node).collect::<Vec<_>>()
    };
    [
        percent(lines("Redis: memory", region, "Maximum", nodes("DatabaseMemoryUsagePercentage"))),
        percent(lines("Redis: CPU of the engine", region, "Average", nodes("EngineCPUUtilization"))),
        percent(lines("Redis: hits", region, "Average", nodes("CacheHitRate"))),
    ]
}

fn sessions(config: &Config) -> [Json; 2] {
    let table = config.sessions.table.as_str();
    let region = config.region.as_str();
    let metric = |metric: &str, label: &str| json!(["AWS/DynamoDB", metric, "TableName", table, {"label": label}]);
    let consumed = vec![metric("ConsumedReadCapacityUnits", "Read"), metric("ConsumedWriteCapacityUnits", "Written")];
    let throttles = vec![metric("ReadThrottleEvents", "Reads"), metric("WriteThrottleEvents", "Writes")];
    [
        lines("DynamoDB: consumed capacity", region, "Sum", consumed),
        lines("DynamoDB: refused requests", region, "Sum", throttles),
    ]
}

fn lines(title: &str, region: &str, statistic: &str, metrics: Vec<Json>) -> Json {
    json!({
        "title": title,
        "view": "timeSeries",
        "region": region,
        "stat": statistic,
        "period": 300,
        "metrics": metrics,
    })
}

fn percent(mut graph: Json) -> Json {
    graph["yAxis"] = json!({"left": {"min": 0, "max": 100}});
    graph
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::config;

    #[test]
    fn costs_and_health_at_a_glance() {
        insta::assert_json_snapshot!("dashboard", body(&config("")));
    }

    #[test]
    fn only_what_there_is_gets_a_graph() {
        let little = config(
            "cluster.enabled = false\ndatabase.enabled = false\ncache.enabled = false\nsessions.enabled = false\n",
        );
        assert_eq!(body(&little)["widgets"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn the_budget_is_a_line_over_the_charges() {
        let graph = &body(&config(""))["widgets"][0]["properties"];
        assert_eq!(graph["annotations"]["horizontal"][0]["value"], 5000.0);
        assert_eq!(graph["region"], "us-east-1");
    }
}
