//! The `[costs]` table.

use std::collections::{BTreeMap, BTreeSet};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::error::{Fault, Finding};
use super::values::{Amount, Why, characters, length, text};

text! {
    /// The name of a service as AWS bills it: the dimension `SERVICE` of Cost Explorer.
    BilledService {
        format: "billed-service",
        noun: "a service on the bill",
        rule: "the name that `aws ce get-dimension-values --dimension SERVICE` shows",
        example: "Amazon Relational Database Service",
        check: billed_service,
    }
}

super::values::known!(BilledService);

impl BilledService {
    /// The service's part of its budget's name: `dynamodb` for Amazon DynamoDB.
    pub fn short(&self) -> String {
        let known = SERVICES.iter().find(|(name, ..)| *name == self.as_str()).map(|(_, short, _)| (*short).to_owned());
        known.unwrap_or_else(|| {
            let name = self.as_str().trim_start_matches("Amazon ").trim_start_matches("AWS ").to_lowercase();
            let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
            words.collect::<Vec<_>>().join("-")
        })
    }
}

fn billed_service(text: &str) -> Result<(), Why> {
    // A budget's name has up to 100 characters, and this one's begins with the project's.
    length(text, 2, 60)?;
    characters(text, |character| character.is_ascii_alphanumeric() || " -_.()&/,".contains(character))
}

/// The services with a budget of their own: what they are called on the bill and in the budget's name, and how many
/// dollars a month they may cost.
const SERVICES: [(&str, &str, &str); 5] = [
    ("Amazon Elastic Container Service for Kubernetes", "eks", "2000"),
    ("Amazon Relational Database Service", "rds", "1500"),
    ("Amazon ElastiCache", "elasticache", "500"),
    ("Amazon DynamoDB", "dynamodb", "300"),
    ("Amazon Simple Storage Service", "s3", "200"),
];

/// Budgets, cost anomaly detection, and the cost and usage report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Costs {
    /// Whether `alert_email` gets mail from the topic for alerts. AWS first asks there for a confirmation.
    pub email_subscription: bool,
    /// At how many percent of the monthly budget mail goes out.
    // A budget has up to 10 notifications (AWS Budgets quotas).
    #[schemars(inner(range(min = 1, max = 1000)), extend("minItems" = 1, "maxItems" = 10))]
    pub budget_alert_percents: BTreeSet<u16>,
    /// Services with a monthly budget of their own, in US dollars, by their name on the bill.
    #[schemars(schema_with = "service_budgets_schema")]
    pub service_budgets: BTreeMap<BilledService, Amount>,
    /// At how many percent of a service's budget mail goes out.
    #[schemars(inner(range(min = 1, max = 1000)), extend("minItems" = 1, "maxItems" = 10))]
    pub service_alert_percents: BTreeSet<u16>,
    /// Whether budgets also publish to the topic for alerts, for those who subscribe to it.
    pub budgets_to_topic: bool,
    /// Whether AWS looks for costs out of the ordinary.
    pub anomaly_detection: bool,
    /// How many US dollars an anomaly has to cost before somebody is told.
    #[schemars(range(min = 1, max = 1000000))]
    pub anomaly_impact_usd: u32,
    /// The cost and usage report: every hour's costs of every resource, to be asked with SQL.
    pub report: Report,
}

/// The cost and usage report: every hour's costs of every resource, to be asked with SQL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Report {
    /// Whether there is one, with a bucket, a workgroup of Athena and a database of Glue. AWS begins to deliver within a
    /// day.
    pub enabled: bool,
    /// How many days a delivered file is kept.
    #[schemars(range(min = 31, max = 3650))]
    pub retention_days: u16,
    /// How many days the result of a query is kept.
    #[schemars(range(min = 1, max = 3650))]
    pub result_retention_days: u16,
    /// How many gigabytes one query may read before Athena cancels it. Athena is paid by what is read.
    #[schemars(range(min = 1, max = 100000))]
    pub scan_limit_gb: u32,
}

impl Default for Report {
    fn default() -> Self {
        // A year and a month: the same month of the last year can be compared.
        Self { enabled: false, retention_days: 400, result_retention_days: 30, scan_limit_gb: 100 }
    }
}

impl Default for Costs {
    fn default() -> Self {
        let budget = |(name, _, limit): (&'static str, _, &str)| {
            let limit = limit.parse().unwrap_or_else(|error| panic!("{limit}: {error}"));
            (BilledService::known(name), limit)
        };
        Self {
            email_subscription: true,
            budget_alert_percents: [80, 100].into(),
            service_budgets: SERVICES.map(budget).into(),
            service_alert_percents: [80].into(),
            budgets_to_topic: true,
            anomaly_detection: true,
            anomaly_impact_usd: 20,
            report: Report::default(),
        }
    }
}

impl Costs {
    pub(super) fn findings(&self) -> Vec<Finding> {
        let mut seen: BTreeMap<String, &BilledService> = BTreeMap::new();
        let mut findings = Vec::new();
        for service in self.service_budgets.keys() {
            if let Some(other) = seen.insert(service.short(), service) {
                findings.push(Finding::at_path(
                    vec!["costs".to_owned(), "service_budgets".to_owned(), service.to_string()],
                    Fault::new(
                        format!("the budgets of `{other}` and `{service}` would have one name"),
                        "only letters and digits count for it",
                        "take one of them out",
                    ),
                ));
            }
        }
        findings
    }
}

/// The schema of the table of budgets: schemars has no way to say what a key has to be.
fn service_budgets_schema(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "propertyNames": BilledService::FORMAT.schema(),
        "additionalProperties": Amount::json_schema(generator),
        "maxProperties": 50,
        "x-rule": "names of services as they are on the bill, with amounts in dollars",
    })
}
