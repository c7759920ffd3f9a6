//! `cost`: what the configuration costs a month, against its budgets. Asks nobody.

use crate::{
    args::Globals,
    exit::Exit,
    render::{Printer, hanging, stderr_width, width},
    session,
};
use anyhow::Result;
use bedplate_model::Json;
use bedplate_platform::{
    config::Config,
    cost::{Cost, Estimate, HOURS, LayerCosts, PRICED_IN, PRICED_ON, SOURCE, estimate},
};
use owo_colors::OwoColorize;
use serde_json::json;

/// An estimate against a budget.
struct Budget {
    what: String,
    estimate: f64,
    limit: f64,
}

impl Budget {
    fn kept(&self) -> bool {
        self.estimate <= self.limit
    }
}

pub(crate) fn run(globals: &Globals, printer: &Printer) -> Result<Exit> {
    let mut config = session::load_config(globals)?;
    session::region_from_environment(globals, &mut config)?;
    let estimate = estimate(&config)?;
    let (whole, services) = budgets(&config, &estimate);
    if printer.json {
        printer.document(&document(&config, &estimate, &whole, &services));
    } else {
        show(&config, &estimate, &whole, &services, printer);
    }
    for budget in services.iter().chain([&whole]).filter(|budget| !budget.kept()) {
        printer.warning(&format!(
            "the budget for {} is {:.2} USD, and what is declared already costs about {:.2} before any use",
            budget.what, budget.limit, budget.estimate
        ));
    }
    Ok(Exit::Done)
}

/// The budget of the whole, and those of single services.
fn budgets(config: &Config, estimate: &Estimate) -> (Budget, Vec<Budget>) {
    let whole = Budget {
        what: "the month".to_owned(),
        estimate: estimate.a_month(),
        limit: config.monthly_budget_limit.dollars(),
    };
    let by_service = estimate.by_service();
    let services = config.costs.service_budgets.iter().map(|(service, limit)| Budget {
        what: service.to_string(),
        estimate: by_service.get(service.as_str()).copied().unwrap_or_default(),
        limit: limit.dollars(),
    });
    (whole, services.collect())
}

fn show(config: &Config, estimate: &Estimate, whole: &Budget, services: &[Budget], printer: &Printer) {
    printer.result(&table(estimate, whole, services, width()));
    let elsewhere = if config.region.as_str() == PRICED_IN {
        String::new()
    } else {
        format!(" {} may cost up to half as much again.", config.region)
    };
    let note = format!(
        "An estimate by list prices of {PRICED_IN}, written down on {PRICED_ON} and not looked up since ({SOURCE}), without \
         taxes, discounts and what is used.{elsewhere}"
    );
    printer.note(&format!("\n{}", hanging(&note, 0, stderr_width())));
}

/// What each thing costs, in columns, and what that is of the budgets.
fn table(estimate: &Estimate, whole: &Budget, services: &[Budget], width: usize) -> String {
    let mut lines = Vec::new();
    for layer in &estimate.layers {
        let sum = if layer.items.is_empty() { "by use".to_owned() } else { format!("{:.2}", layer.a_month()) };
        lines.push(format!("{:<14}{sum:>60}", layer.layer.bold()));
        for item in &layer.items {
            let cost = item.a_month().map_or_else(|| "no price known".to_owned(), |cost| format!("{cost:.2}"));
            lines.push(format!("  {:<36}{:<22}{cost:>14}", item.what, arithmetic(item).dimmed()));
        }
        if !layer.left_out.is_empty() {
            let on_top = hanging(&format!("on top: {}", layer.left_out), 2, width);
            lines.push(format!("  {}", on_top.dimmed()));
        }
    }
    lines.push(format!("\n{:<14}{:>60.2}", "USD a month".bold(), whole.estimate));
    lines.push("\nBudgets".to_owned());
    for budget in [whole].into_iter().chain(services) {
        let share = format!("{:>5.0} %", budget.estimate / budget.limit * 100.0);
        let share = if budget.kept() { share.green().to_string() } else { share.red().to_string() };
        lines.push(format!("  {:<47} {:>8.2} of {:>8.2}{share}", budget.what, budget.estimate, budget.limit));
    }
    lines.join("\n")
}

/// `2 × 730 h × 0.045`
fn arithmetic(item: &Cost) -> String {
    let hours = if item.hourly { format!(" × {HOURS} h") } else { String::new() };
    let price = item.price.map(|price| format!(" × {price}")).unwrap_or_default();
    format!("{}{hours}{price}", item.quantity)
}

fn document(config: &Config, estimate: &Estimate, whole: &Budget, services: &[Budget]) -> Json {
    let budget = |budget: &Budget| json!({"name": budget.what, "estimate": cents(budget.estimate), "limit": budget.limit, "kept": budget.kept()});
    json!({
        "format": 1,
        "currency": "USD",
        "region": config.region.as_str(),
        "prices": {"region": PRICED_IN, "written_on": PRICED_ON, "source": SOURCE},
        "layers": estimate.layers.iter().map(layer_json).collect::<Vec<_>>(),
        "a_month": cents(estimate.a_month()),
        "without_price": estimate.unpriced().map(|item| &item.what).collect::<Vec<_>>(),
        "budget": budget(whole),
        "service_budgets": services.iter().map(budget).collect::<Vec<_>>(),
    })
}

fn layer_json(layer: &LayerCosts) -> Json {
    let items = layer.items.iter().map(|item| {
        json!({
            "what": item.what,
            "quantity": item.quantity,
            "hours": item.hourly.then_some(HOURS),
            "price": item.price,
            "a_month": item.a_month().map(cents),
        })
    });
    json!({
        "layer": layer.layer,
        "items": items.collect::<Vec<_>>(),
        "a_month": cents(layer.a_month()),
        "left_out": layer.left_out,
    })
}

/// Dollars to the cent.
fn cents(dollars: f64) -> f64 {
    (dollars * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With a part whose price is not known, and budgets that are not kept.
    const TEXT: &str = r#"
project_name = "fintechglobal"
region = "us-east-1"
account_id = "797923187401"
alert_email = "team-platform@yourcompany.com"
monthly_budget_limit = "900"
[cluster.node_group]
capacity_type = "SPOT"
[costs.service_budgets]
"Amazon ElastiCache" = 100
"#;

    #[test]
    fn an_estimate_at_80_columns() {
        let config = Config::parse(TEXT, "platform.toml").unwrap();
        let estimate = estimate(&config).unwrap();
        let (whole, services) = budgets(&config, &estimate);
        let text = anstream::adapter::strip_str(&table(&estimate, &whole, &services, 80)).to_string();
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        insta::assert_snapshot!(text);
    }
}
