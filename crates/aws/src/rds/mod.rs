//! RDS: Aurora clusters, their members, and the groups these need.

mod cluster;
mod final_snapshot;
mod instance;
mod parameter_group;
mod scaled_readers;
mod subnet_group;

pub use cluster::{Cluster, ClusterOutputs, ClusterSpec};
pub use instance::{Instance, InstanceOutputs, InstanceSpec};
pub use parameter_group::{
    ClusterParameterGroup, Group, OfCluster, OfInstances, ParameterGroup, ParameterGroupOutputs, ParameterGroupSpec,
    Parameters, Scope,
};
pub use subnet_group::{SubnetGroup, SubnetGroupOutputs, SubnetGroupSpec};

use crate::{Aws, error::Sent};
use aws_sdk_rds::types::{ApplyMethod, DbCluster, Filter, Parameter, Tag};
use bedplate_model::{CallError, Change, Json, Tags, Verdict};
use std::{collections::BTreeMap, future::Future};

/// Stands behind the name of a parameter that nobody set. AWS does not call a parameter set when it was set to what it is
/// anyway, so the others are read too; `without_defaults` takes away those that are not asked for.
const DEFAULT: &str = " (default)";

/// RDS takes up to 20 parameters in one call.
const PARAMETERS: usize = 20;

/// All clusters. A survey asks once: their members' states are in them.
async fn all_clusters(cloud: &Aws) -> Result<Vec<DbCluster>, CallError> {
    let ask = async {
        let mut found = Vec::new();
        let mut pages = cloud.rds.describe_db_clusters().into_paginator().items().send();
        while let Some(cluster) = pages.next().await {
            found.push(cluster.sent()?);
        }
        Ok(found)
    };
    cloud.ask_once(|shared| &shared.database_clusters, String::new(), ask).await
}

/// Tags as RDS answers them, without those that AWS sets.
fn tags(tags: &[Tag]) -> Tags {
    let pairs = tags.iter().filter_map(|tag| Some((tag.key()?.to_owned(), tag.value().unwrap_or_default().to_owned())));
    pairs.filter(|(key, _)| !key.starts_with("aws:")).collect()
}

/// Tags for a call.
fn to_tags(tags: &Tags) -> Option<Vec<Tag>> {
    Some(tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect())
}

/// The tags of what does not show them itself; `None` when it is gone.
async fn tags_of(cloud: &Aws, arn: &str) -> Result<Option<Tags>, CallError> {
    if let Some(tags) = cloud.indexed_tags(arn).await {
        return Ok(Some(tags));
    }
    let answer = cloud.rds.list_tags_for_resource().resource_name(arn).send().await.found()?;
    Ok(answer.map(|answer| tags(answer.tag_list())))
}

/// Tags of all RDS resources are set and removed by the same two calls, which take the ARN.
async fn retag(cloud: &Aws, arn: Option<&str>, set: &Tags, remove: &[String]) -> Result<(), CallError> {
    let arn = arn.ok_or_else(|| CallError::malformed("rds:AddTagsToResource", "ARN of what is tagged"))?;
    if !set.is_empty() {
        cloud.rds.add_tags_to_resource().resource_name(arn).set_tags(to_tags(set)).send().await.sent()?;
    }
    if !remove.is_empty() {
        let request = cloud.rds.remove_tags_from_resource().resource_name(arn);
        request.set_tag_keys(Some(remove.to_vec())).send().await.sent()?;
    }
    Ok(())
}

/// Which of a group's parameters are asked for. A family has several hundred, a hundred a page.
#[derive(Clone, Debug)]
pub enum Asked {
    /// Every one.
    All,
    /// Those that somebody set.
    Set,
    /// These.
    Named(Vec<String>),
}

impl Asked {
    fn source(&self) -> Option<String> {
        matches!(self, Self::Set).then(|| "user".to_owned())
    }

    fn filters(&self) -> Option<Vec<Filter>> {
        let Self::Named(names) = self else { return None };
        Some(vec![Filter::builder().name("parameter-name").set_values(Some(names.clone())).build()])
    }
}

/// The parameters that somebody set and those that were set last, which AWS does not call set where they are the default
/// anyway. All of them, where nothing is recorded.
async fn relevant<F>(recorded: Option<&Json>, ask: impl Fn(Asked) -> F) -> F::Output
where
    F: Future<Output = Result<Option<Vec<Parameter>>, CallError>>,
{
    let Some(recorded) = recorded.and_then(|settings| settings.get("parameters")?.as_object()) else {
        return ask(Asked::All).await;
    };
    let Some(mut found) = ask(Asked::Set).await? else { return Ok(None) };
    let is_missing = |name: &&String| !found.iter().any(|known| known.parameter_name() == Some(name.as_str()));
    let missing: Vec<String> = recorded.keys().filter(is_missing).cloned().collect();
    if !missing.is_empty() {
        found.extend(ask(Asked::Named(missing)).await?.unwrap_or_default());
    }
    Ok(Some(found))
}

/// Parameters by name; those that nobody set are marked.
fn from_parameters(parameters: &[Parameter]) -> BTreeMap<String, String> {
    let pairs = parameters.iter().filter_map(|parameter| {
        let mark = if parameter.source() == Some("user") { "" } else { DEFAULT };
        Some((format!("{}{mark}", parameter.parameter_name()?), parameter.parameter_value()?.to_owned()))
    });
    pairs.collect()
}

/// What is set, and what is wanted and the default anyway.
fn without_defaults(wanted: Option<&BTreeMap<String, String>>, seen: &mut Option<BTreeMap<String, String>>) {
    let Some(seen) = seen else { return };
    let (defaults, mut set): (BTreeMap<_, _>, BTreeMap<_, _>) =
        std::mem::take(seen).into_iter().partition(|(name, _)| name.ends_with(DEFAULT));
    for (name, value) in wanted.into_iter().flatten() {
        if defaults.get(&format!("{name}{DEFAULT}")) == Some(value) {
            set.insert(name.clone(), value.clone());
        }
    }
    *seen = set;
}

/// The calls that lead from the `known` parameters to the wanted ones: those to set and those to reset, in portions. Static
/// parameters change with the next restart and take no other method.
fn parameter_changes(
    wanted: &BTreeMap<String, String>,
    known: &[Parameter],
) -> (Vec<Vec<Parameter>>, Vec<Vec<Parameter>>) {
    let (mut set, mut reset) = (Vec::new(), Vec::new());
    let find = |name: &str| known.iter().find(|known| known.parameter_name() == Some(name));
    let parameter = |name: &str| {
        let fixed = find(name).is_some_and(|known| known.apply_type() == Some("static"));
        let method = if fixed { ApplyMethod::PendingReboot } else { ApplyMethod::Immediate };
        Parameter::builder().parameter_name(name).apply_method(method)
    };
    for (name, value) in wanted {
        if find(name).and_then(Parameter::parameter_value) != Some(value) {
            set.push(parameter(name).parameter_value(value).build());
        }
    }
    for known in known.iter().filter(|known| known.source() == Some("user")) {
        if let Some(name) = known.parameter_name().filter(|name| !wanted.contains_key(*name)) {
            reset.push(parameter(name).build());
        }
    }
    let portions = |list: Vec<Parameter>| list.chunks(PARAMETERS).map(<[_]>::to_vec).collect();
    (portions(set), portions(reset))
}

/// What cannot change under the same name: the group is in use, so it can be neither removed nor doubled.
fn same_name(field: &str, before: Option<&String>, after: Option<&String>) -> Option<Verdict> {
    let reason = || format!("{field} cannot be changed while the group is in use: give it a new name, too");
    (before == after).then(|| Verdict { change: Change::Refuse, reason: reason() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameter(name: &str, value: &str, source: &str, apply: &str) -> Parameter {
        Parameter::builder().parameter_name(name).parameter_value(value).source(source).apply_type(apply).build()
    }

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_default_counts_as_set_when_it_is_wanted() {
        let known = [
            parameter("rds.force_ssl", "1", "system", "dynamic"),
            parameter("work_mem", "64", "engine-default", "dynamic"),
            parameter("log_statement", "all", "user", "dynamic"),
        ];
        let mut seen = Some(from_parameters(&known));
        without_defaults(Some(&map(&[("rds.force_ssl", "1"), ("work_mem", "65")])), &mut seen);
        assert_eq!(seen, Some(map(&[("rds.force_ssl", "1"), ("log_statement", "all")])));
    }

    #[tokio::test]
    async fn what_was_set_to_the_default_is_asked_for_by_name() {
        let ask = |asked| async move {
            Ok(Some(match asked {
                Asked::All => vec![parameter("all", "1", "system", "dynamic")],
                Asked::Set => vec![parameter("log_statement", "all", "user", "dynamic")],
                Asked::Named(names) => names.iter().map(|name| parameter(name, "1", "system", "dynamic")).collect(),
            }))
        };
        let recorded = serde_json::json!({"parameters": {"rds.force_ssl": "1", "log_statement": "all"}});
        let names = |found: Vec<Parameter>| found.into_iter().filter_map(|one| one.parameter_name).collect::<Vec<_>>();
        let found = relevant(Some(&recorded), ask).await.unwrap().unwrap();
        assert_eq!(names(found), ["log_statement", "rds.force_ssl"]);
        assert_eq!(names(relevant(None, ask).await.unwrap().unwrap()), ["all"]);
    }

    #[test]
    fn what_is_no_longer_wanted_is_reset() {
        let known = [
            parameter("rds.force_ssl", "0", "system", "dynamic"),
            parameter("max_connections", "100", "user", "static"),
            parameter("work_mem", "64", "user", "dynamic"),
            parameter("port", "5432", "system", "static"),
        ];
        let wanted = map(&[("rds.force_ssl", "1"), ("max_connections", "200"), ("port", "5432")]);
        let (set, reset) = parameter_changes(&wanted, &known);
        let methods: Vec<_> = set.iter().flatten().map(|p| (p.parameter_name().unwrap(), p.apply_method())).collect();
        let (static_one, dynamic_one) = (Some(&ApplyMethod::PendingReboot), Some(&ApplyMethod::Immediate));
        assert_eq!(methods, [("max_connections", static_one), ("rds.force_ssl", dynamic_one)]);
        assert_eq!(reset.concat()[0].parameter_name(), Some("work_mem"));
    }
}
