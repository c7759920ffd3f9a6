//! What the platform costs a month before the first request, the first gigabyte and the first pod.
//!
//! An estimate: list prices of one region, written down by hand in each layer's file. AWS changes its prices, and the bill is
//! right.

use crate::{
    Facts, LAYERS, cache, cluster, config::Config, costs, database, load_balancer, monitoring, network, report,
    secrets, security, sessions, storage,
};
use bedplate_aws::KINDS;
use bedplate_model::Reconcile;
use bedplate_plan::{Graph, GraphError};
use std::collections::BTreeMap;

/// The region whose prices they are.
pub const PRICED_IN: &str = "us-east-1";
/// When the prices were written down.
pub const PRICED_ON: &str = "2026-11-23";
/// Where the prices of each service stand.
pub const SOURCE: &str = "https://aws.amazon.com/pricing/";
/// The hours of a month, as AWS counts them.
pub const HOURS: f64 = 730.0;

/// One thing that costs by time.
#[derive(Clone, Debug, PartialEq)]
pub struct Cost {
    /// What it is.
    pub what: String,
    /// How many, or how much.
    pub quantity: f64,
    /// Dollars for one an hour or a month; `None` where no price is written down.
    pub price: Option<f64>,
    /// Whether the price is for an hour.
    pub hourly: bool,
    /// The service on the bill, where a budget of its own may be set for it.
    pub service: Option<&'static str>,
}

impl Cost {
    /// Something that is paid by the hour.
    pub(crate) fn hourly(what: impl Into<String>, quantity: impl Into<f64>, price: impl Into<Option<f64>>) -> Self {
        Self { what: what.into(), quantity: quantity.into(), price: price.into(), hourly: true, service: None }
    }

    /// Something that is paid by the month.
    pub(crate) fn monthly(what: impl Into<String>, quantity: impl Into<f64>, price: impl Into<Option<f64>>) -> Self {
        Self { hourly: false, ..Self::hourly(what, quantity, price) }
    }

    /// As part of what a service's budget is for.
    #[must_use]
    pub(crate) fn of(self, service: &'static str) -> Self {
        Self { service: Some(service), ..self }
    }

    /// Dollars a month.
    pub fn a_month(&self) -> Option<f64> {
        Some(self.quantity * self.price? * if self.hourly { HOURS } else { 1.0 })
    }
}

/// What a layer costs.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerCosts {
    /// The layer.
    pub layer: &'static str,
    /// What costs by time.
    pub items: Vec<Cost>,
    /// What comes on top and nobody can know, in words.
    pub left_out: &'static str,
}

impl LayerCosts {
    /// Dollars a month, as far as prices are known.
    pub fn a_month(&self) -> f64 {
        self.items.iter().filter_map(Cost::a_month).sum()
    }
}

/// What the whole platform costs, by layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    /// The layers that the configuration declares something of.
    pub layers: Vec<LayerCosts>,
}

impl Estimate {
    /// Dollars a month, as far as prices are known.
    pub fn a_month(&self) -> f64 {
        self.layers.iter().map(LayerCosts::a_month).sum()
    }

    /// Dollars a month by service on the bill.
    pub fn by_service(&self) -> BTreeMap<&'static str, f64> {
        let mut services = BTreeMap::new();
        for item in self.layers.iter().flat_map(|layer| &layer.items) {
            if let (Some(service), Some(cost)) = (item.service, item.a_month()) {
                *services.entry(service).or_default() += cost;
            }
        }
        services
    }

    /// What has no price in the tables.
    pub fn unpriced(&self) -> impl Iterator<Item = &Cost> {
        self.layers.iter().flat_map(|layer| &layer.items).filter(|item| item.price.is_none())
    }
}

/// Estimates what the configuration costs. AWS is not asked: what costs does not depend on which zones they are.
///
/// # Errors
/// As [`crate::build`].
pub fn estimate(config: &Config) -> Result<Estimate, GraphError> {
    let zones = (0..usize::from(config.network.zones)).map(|index| format!("zone-{}", network::letter(index)));
    let facts = Facts {
        partition: "aws".to_owned(),
        zones: zones.collect(),
        admins: Vec::new(),
        addon_versions: BTreeMap::new(),
        member: false,
    };
    let graph = crate::build(config, &facts)?;
    let declared = Declared { config, graph: &graph };
    let of = |layer: &str| match layer {
        "network" => (network::costs(&declared), network::COSTS_ON_TOP),
        "security" => (security::costs(&declared), security::COSTS_ON_TOP),
        "cluster" => {
            let items = [cluster::costs(&declared), load_balancer::costs(&declared)].concat();
            (items, cluster::COSTS_ON_TOP)
        }
        "database" => (database::costs(&declared), database::COSTS_ON_TOP),
        "cache" => (cache::costs(&declared), cache::COSTS_ON_TOP),
        "sessions" => (sessions::costs(&declared), sessions::COSTS_ON_TOP),
        "storage" => (Vec::new(), storage::COSTS_ON_TOP),
        "secrets" => (secrets::costs(&declared), secrets::COSTS_ON_TOP),
        "monitoring" => (monitoring::costs(&declared), monitoring::COSTS_ON_TOP),
        "costs" if config.costs.report.enabled => (Vec::new(), report::COSTS_ON_TOP),
        "costs" => (Vec::new(), costs::COSTS_ON_TOP),
        _ => (Vec::new(), ""),
    };
    let layers = LAYERS.into_iter().filter(|layer| graph.iter().any(|(address, _)| address.layer() == *layer));
    let layers = layers.map(|layer| {
        let (items, left_out) = of(layer);
        LayerCosts { layer, items: items.into_iter().filter(|item| item.quantity > 0.0).collect(), left_out }
    });
    Ok(Estimate { layers: layers.collect() })
}

/// What the costs follow from.
pub(crate) struct Declared<'a> {
    pub(crate) config: &'a Config,
    graph: &'a Graph,
}

impl Declared<'_> {
    /// How many resources of a type a layer declares.
    pub(crate) fn count<K: Reconcile>(&self, layer: &str) -> u32 {
        debug_assert!(KINDS.iter().any(|kind| kind.name() == K::KIND));
        let of_kind = self.graph.iter().filter(|(address, node)| node.kind == K::KIND && address.layer() == layer);
        u32::try_from(of_kind.count()).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::config;

    fn cents(dollars: f64) -> String {
        format!("{dollars:.2}")
    }

    /// The pages of the layers and this table say the same.
    #[test]
    fn the_defaults_cost_what_the_pages_say() {
        let page = include_str!("../../../docs/layers/README.md");
        let estimate = estimate(&config("")).unwrap();
        for layer in estimate.layers.iter().filter(|layer| !layer.items.is_empty()) {
            let row = page.lines().find(|line| line.starts_with(&format!("| [{}]", layer.layer)));
            let row = row.unwrap_or_else(|| panic!("no row of {}", layer.layer));
            let cost = cents(layer.a_month());
            assert!(row.contains(&format!("| {cost}")), "{}: {cost} is not in {row}", layer.layer);
        }
        let total = format!("about {}", thousands(estimate.a_month()));
        assert!(page.contains(&total), "{total}");
        assert!(page.contains(PRICED_ON), "{PRICED_ON}");
        assert_eq!(estimate.unpriced().count(), 0);
    }

    fn thousands(dollars: f64) -> String {
        let whole = format!("{dollars:.0}");
        let (high, low) = whole.split_at(whole.len().saturating_sub(3));
        if high.is_empty() { low.to_owned() } else { format!("{high},{low}") }
    }

    /// Each page's own table has every item with its result.
    #[test]
    fn every_item_is_on_its_page() {
        for layer in estimate(&config("")).unwrap().layers {
            let path =
                std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../docs/layers/{}.md", layer.layer));
            let page = fs_err::read_to_string(path).unwrap();
            for item in &layer.items {
                let cost = cents(item.a_month().unwrap());
                assert!(page.contains(&format!("| {cost} |")), "{} ({cost}) of {}", item.what, layer.layer);
            }
        }
    }

    #[test]
    fn what_is_switched_off_costs_nothing_and_what_has_no_price_is_named() {
        let small = estimate(&config(
            "environment = \"development\"\n[cluster]\nenabled = false\n[database]\nenabled = false\n[cache]\nenabled = \
             false\n[network]\nnat_gateways = \"single\"\ninterface_endpoints = []\n",
        ))
        .unwrap();
        let layers: Vec<&str> = small.layers.iter().map(|layer| layer.layer).collect();
        assert!(!layers.contains(&"cluster") && !layers.contains(&"database"), "{layers:?}");
        assert_eq!(cents(small.layers[0].a_month()), "36.50");

        let spot = estimate(&config("[cluster.node_group]\ncapacity_type = \"SPOT\"\n")).unwrap();
        let unpriced: Vec<&str> = spot.unpriced().map(|item| item.what.as_str()).collect();
        assert_eq!(unpriced, ["nodes, t3.medium, spot"]);
        assert!(spot.by_service()["Amazon Relational Database Service"] > 379.0);
    }
}
