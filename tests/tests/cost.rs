//! `cost`: an estimate that asks nobody.

use bedplate_tests::{Cloud, JsonExt, Project};
use serde_json::json;

#[test]
fn the_estimate_is_held_against_the_budgets_without_a_call() {
    let cloud = Cloud::start();
    let project = Project::new(&cloud);
    cloud.reset_calls();
    let estimate = project.run(&["cost", "--json"]).ok().json();
    assert!(cloud.calls().is_empty(), "{:?}", cloud.calls());
    let layers = estimate.list("layers");
    let sum: f64 = layers.iter().map(|layer| layer["a_month"].as_f64().unwrap()).sum();
    assert!((sum - estimate["a_month"].as_f64().unwrap()).abs() < 0.05, "{sum} {}", estimate["a_month"]);
    assert_eq!((&estimate["budget"]["kept"], &estimate["budget"]["limit"]), (&json!(true), &json!(5000.0)));
    let rds = estimate.list("service_budgets").iter().find(|it| it.text("name").contains("Relational")).unwrap();
    assert_eq!((&rds["estimate"], &rds["limit"]), (&json!(379.6), &json!(1500.0)));
    let run = project.run(&["cost"]).ok().says(&["An estimate by list prices of us-east-1", "not looked up since"]);
    assert!(run.stdout.contains("NAT gateways") && run.stdout.contains("USD a month"), "{run}");

    // What is not bought by the hour of a known price is said, and a budget that cannot be kept too.
    project.configure(
        "[cluster.node_group]\ncapacity_type = \"SPOT\"\n[costs.service_budgets]\n\"Amazon ElastiCache\" = 100",
    );
    let run = project.run(&["cost", "--json"]).ok().says(&["Amazon ElastiCache is 100.00 USD", "300.76"]);
    assert_eq!(run.json()["without_price"], json!(["nodes, t3.medium, spot"]));
}
