//! `cost`: what the configuration costs a month, against its budgets. Asks nobody.

use crate::{args::Globals, exit::Exit, render::Printer, session};
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
    let whole = Budget {
        what: "the month".to_owned(),
        estimate: estimate.a_month(),
        limit: config.monthly_budget_limit.dollars(),
    };
    let services = service_budgets(&config, &estimate);
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

fn service_budgets(config: &Config, estimate: &Estimate) -> Vec<Budget> {
    let by_service = estimate.by_service();
    let budgets = config.costs.service_budgets.iter();
    let budgets = budgets.map(|(service, limit)| Budget {
        what: service.to_string(),
        estimate: by_service.get(service.as_str()).copied().unwrap_or_default(),
        limit: limit.dollars(),
    });
    budgets.collect()
}

fn show(config: &Config, estimate: &Estimate, whole: &Budget, services: &[Budget], printer: &Printer) {
    for layer in &estimate.layers {
        let name = format!("{:<14}", layer.layer);
        let sum = if layer.items.is_empty() { "by use".to_owned() } else { format!("{:.2}", layer.a_month()) };
        printer.result(&format!("{}{sum:>60}", name.bold()));
        for item in &layer.items {
            let cost = item.a_month().map_or_else(|| "no price known".to_owned(), |cost| format!("{cost:.2}"));
            printer.result(&format!("  {:<36}{:<22}{cost:>14}", item.what, arithmetic(item).dimmed().to_string()));
        }
        if !layer.left_out.is_empty() {
            printer.result(&format!("  {}", format!("on top: {}", layer.left_out).dimmed()));
        }
    }
    printer.result(&format!("\n{}{:>60.2}", format!("{:<14}", "USD a month").bold(), whole.estimate));
    printer.result("\nBudgets");
    for budget in [whole].into_iter().chain(services) {
        let percent = budget.estimate / budget.limit * 100.0;
        let verdict = if budget.kept() { "ok".green().to_string() } else { "over".red().to_string() };
        printer.result(&format!(
            "  {:<50}{:>9.2} of {:>9.2}  {percent:>4.0} %  {verdict}",
            budget.what, budget.estimate, budget.limit
        ));
    }
    let elsewhere = if config.region.as_str() == PRICED_IN {
        String::new()
    } else {
        format!(" {} may cost up to half as much again.", config.region)
    };
    printer.note(&format!(
        "\nAn estimate by list prices of {PRICED_IN}, written down on {PRICED_ON} and not looked up since ({SOURCE}), without \
         taxes, discounts and what is used.{elsewhere}"
    ));
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
