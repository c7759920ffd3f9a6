//! What the platform promises of its safety, and whether what AWS shows keeps it. Each promise stands in its layer's file.

use crate::{
    LAYERS, cache, cluster, config::Config, costs, database, load_balancer, network, secrets, security, sessions,
    storage,
};
use bedplate_model::{Address, Json, Readiness};
use bedplate_plan::{Graph, Observations};

/// Something that has to be true of every resource of a type in a place.
pub(crate) struct Promise {
    what: &'static str,
    place: &'static str,
    kind: &'static str,
    holds: fn(&Json, &Config) -> Option<bool>,
    made: fn(&Config) -> bool,
}

impl Promise {
    /// A promise about the resources of type `kind` at an address or below it. `holds` gets the settings as AWS shows them,
    /// and answers `None` where AWS does not tell.
    pub(crate) const fn new(
        what: &'static str,
        place: &'static str,
        kind: &'static str,
        holds: fn(&Json, &Config) -> Option<bool>,
    ) -> Self {
        Self { what, place, kind, holds, made: |_| true }
    }

    /// Made only where the configuration says so.
    pub(crate) const fn where_set(self, made: fn(&Config) -> bool) -> Self {
        Self { made, ..self }
    }

    fn covers(&self, address: &Address, kind: &str) -> bool {
        let inside =
            address.as_str().strip_prefix(self.place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        inside && self.kind == kind
    }
}

/// Whether a switch is on.
pub(crate) fn on(settings: &Json, field: &str) -> Option<bool> {
    settings.get(field)?.as_bool()
}

/// Whether an optional setting has a value.
pub(crate) fn given(settings: &Json, field: &str) -> Option<bool> {
    Some(!settings.get(field)?.is_null())
}

/// Whether a number is not below another.
pub(crate) fn at_least(settings: &Json, field: &str, least: impl Into<i64>) -> Option<bool> {
    Some(settings.get(field)?.as_i64()? >= least.into())
}

/// A promise and what AWS shows of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The layer.
    pub layer: &'static str,
    /// What is promised.
    pub what: &'static str,
    /// The resources it is about.
    pub resources: Vec<(Address, Kept)>,
}

impl Verdict {
    /// The worst of all resources.
    pub fn kept(&self) -> &Kept {
        self.resources.iter().map(|(_, kept)| kept).max().unwrap_or(&Kept::Yes)
    }
}

/// Whether a promise is kept by one resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kept {
    /// AWS shows that it is.
    Yes,
    /// AWS does not show it; why.
    NotSeen(String),
    /// AWS shows that it is not; how.
    No(String),
}

/// Holds what was observed against every promise that the configuration makes, layer by layer.
pub fn verdicts(config: &Config, graph: &Graph, observations: &Observations) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for layer in LAYERS {
        for promise in promises(layer).into_iter().flatten().filter(|promise| (promise.made)(config)) {
            let covered = graph.iter().filter(|(address, node)| promise.covers(address, node.kind));
            let resources: Vec<(Address, Kept)> =
                covered.map(|(address, _)| (address.clone(), kept(promise, config, observations, address))).collect();
            if !resources.is_empty() {
                verdicts.push(Verdict { layer, what: promise.what, resources });
            }
        }
    }
    verdicts
}

fn promises(layer: &str) -> [&'static [Promise]; 2] {
    match layer {
        "network" => [network::PROMISES, &[]],
        "security" => [security::PROMISES, &[]],
        "cluster" => [cluster::PROMISES, load_balancer::PROMISES],
        "database" => [database::PROMISES, &[]],
        "cache" => [cache::PROMISES, &[]],
        "sessions" => [sessions::PROMISES, &[]],
        "storage" => [storage::PROMISES, &[]],
        "secrets" => [secrets::PROMISES, &[]],
        "costs" => [costs::PROMISES, &[]],
        _ => [&[], &[]],
    }
}

fn kept(promise: &Promise, config: &Config, observations: &Observations, address: &Address) -> Kept {
    if let Some(error) = observations.unseen.get(address) {
        return Kept::NotSeen(error.message.clone());
    }
    let found = observations.found.get(address).and_then(|found| found.current.as_ref());
    let Some((_, seen)) = found.filter(|(_, seen)| seen.readiness != Readiness::Gone) else {
        return Kept::No("it does not exist".to_owned());
    };
    match (promise.holds)(&seen.spec, config) {
        Some(true) => Kept::Yes,
        Some(false) => Kept::No(format!("{} is otherwise", seen.id)),
        None => Kept::NotSeen(format!("AWS does not tell it of {}", seen.id)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{config, facts};
    use bedplate_aws::KINDS;
    use bedplate_model::{Id, Seen, resolve};
    use bedplate_plan::Found;
    use serde_json::json;

    /// What AWS would show if all were as declared.
    fn as_declared(graph: &Graph) -> Observations {
        let mut observations = Observations::default();
        for (address, node) in graph.iter() {
            let spec = resolve(&node.draft, &|to, field| Some(json!(format!("{to}#{field}"))));
            let seen = Seen { id: Id::new("x"), tags: None, readiness: Readiness::Ready, spec, outputs: None };
            observations.found.insert(address.clone(), Found { current: Some((0, seen)), ..Found::default() });
        }
        observations
    }

    #[test]
    fn what_is_declared_keeps_every_promise_and_every_promise_is_about_something() {
        for environment in ["production", "development"] {
            let certificate =
                "[cluster.load_balancer]\ncertificate_arn = \"arn:aws:acm:us-east-1:797923187401:certificate/0f3c\"\n";
            let config = config(&format!("environment = \"{environment}\"\n{certificate}"));
            let graph = crate::build(&config, &facts(2)).unwrap();
            let verdicts = verdicts(&config, &graph, &as_declared(&graph));
            for verdict in &verdicts {
                assert_eq!(verdict.kept(), &Kept::Yes, "{verdict:#?}");
            }
            if environment == "production" {
                let made: usize = LAYERS.iter().flat_map(|layer| promises(layer)).map(<[Promise]>::len).sum();
                assert_eq!(verdicts.len(), made, "{verdicts:#?}");
            }
        }
    }

    #[test]
    fn a_promise_names_a_type_that_exists() {
        for promise in LAYERS.iter().flat_map(|layer| promises(layer)).flatten() {
            assert!(KINDS.iter().any(|kind| kind.name() == promise.kind), "{}", promise.kind);
        }
    }

    #[test]
    fn what_is_gone_is_a_promise_broken_and_what_is_not_told_is_not_seen() {
        let config = config("");
        let graph = crate::build(&config, &facts(2)).unwrap();
        let mut observations = as_declared(&graph);
        let address = |text: &str| Address::new(text).unwrap();
        observations.found.remove(&address("network/flow-log"));
        let table = observations.found.get_mut(&address("sessions/table")).unwrap();
        let spec = &mut table.current.as_mut().unwrap().1.spec;
        spec.as_object_mut().unwrap().remove("kms_key");
        spec["deletion_protection"] = json!(false);
        let verdicts = verdicts(&config, &graph, &observations);
        let of = |layer: &str| verdicts.iter().filter(|it| it.layer == layer).map(Verdict::kept).collect::<Vec<_>>();
        assert!(of("network").contains(&&Kept::No("it does not exist".to_owned())), "{verdicts:#?}");
        let sessions = of("sessions");
        assert_eq!(sessions.iter().filter(|kept| matches!(kept, Kept::NotSeen(_))).count(), 1, "{sessions:?}");
        assert_eq!(sessions.iter().filter(|kept| matches!(kept, Kept::No(_))).count(), 1, "{sessions:?}");
    }
}
