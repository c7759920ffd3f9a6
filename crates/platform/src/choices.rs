//! Choices that the configuration leaves open: made once and kept in the state, so that a second run changes nothing even
//! when AWS would answer differently by then.

use crate::{Facts, config::Config};
use bedplate_model::Json;
use serde_json::json;
use std::collections::BTreeMap;

const PARTITION: &str = "partition";
/// Ids of zones, in order. It may hold more than are in use: a zone that comes back is the same one.
const ZONES: &str = "zones";
const ADMINS: &str = "admins";
/// Versions by add-on and cluster version: `coredns@1.35`.
const ADDONS: &str = "addon_versions";

/// What AWS says, from which is chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The partition of the account.
    pub partition: String,
    /// The IAM role or user who calls; the root user and federated users have none.
    pub principal_arn: Option<String>,
    /// The ids of the zones that fit EKS, sorted.
    pub zones: Vec<String>,
    /// The version of each add-on that is AWS's default for the configured Kubernetes version, by name.
    pub addon_versions: BTreeMap<String, String>,
}

/// A choice that cannot be made.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChoiceError {
    /// The region is too small.
    #[error(
        "the region {region} has {} for this account ({}), and network.zones asks for {wanted}",
        zones(.found.len()),
        .found.join(", ")
    )]
    TooFewZones {
        /// The region.
        region: String,
        /// How many zones the configuration asks for.
        wanted: usize,
        /// The zones there are.
        found: Vec<String>,
    },
    /// A zone in the configuration is none of the region, or not available.
    #[error("the zone {zone} in network.zone_ids is not available in {region}; there are {}", .found.join(", "))]
    NoSuchZone {
        /// The zone.
        zone: String,
        /// The region.
        region: String,
        /// The zones there are.
        found: Vec<String>,
    },
    /// The caller cannot be given access to the cluster.
    #[error(
        "the caller is neither an IAM role nor an IAM user and cannot administer the cluster; name a role in \
         cluster.admin_principals, or use the credentials of one"
    )]
    NoAdministrator,
    /// EKS does not have the add-on, or not for this version.
    #[error(
        "EKS has no add-on {addon} for Kubernetes {version}; take it out of cluster.addons or choose another version"
    )]
    NoSuchAddon {
        /// The add-on.
        addon: String,
        /// The Kubernetes version.
        version: String,
    },
}

fn zones(count: usize) -> String {
    if count == 1 { "1 zone".to_owned() } else { format!("{count} zones") }
}

/// The add-ons whose versions have to be known.
pub fn addon_names(config: &Config) -> Vec<String> {
    if !config.cluster.enabled {
        return Vec::new();
    }
    config.cluster.addons.iter().map(ToString::to_string).collect()
}

/// The facts, if everything that is needed is recorded or said by the configuration; `None` when AWS has to be asked.
///
/// Zones that the configuration names have to be recorded too: they are recorded once they are known to exist.
pub fn recorded(config: &Config, choices: &BTreeMap<String, Json>) -> Option<Facts> {
    let zones = texts(choices, ZONES);
    let wanted = usize::from(config.network.zones);
    if zones.len() < wanted || !zones.starts_with(&pinned(config)) {
        return None;
    }
    let admins = if needs_caller(config) { texts(choices, ADMINS) } else { named_admins(config) };
    if admins.is_empty() && config.cluster.enabled {
        return None;
    }
    let known = addons(choices);
    let version = |name: String| Some((name.clone(), known.get(&addon_key(config, &name))?.clone()));
    Some(Facts {
        partition: choices.get(PARTITION)?.as_str()?.to_owned(),
        zones: zones.into_iter().take(wanted).collect(),
        admins,
        addon_versions: addon_names(config).into_iter().map(version).collect::<Option<_>>()?,
    })
}

/// Chooses what is not chosen yet, and records it. What is recorded stays, unless the configuration says otherwise.
///
/// # Errors
/// When nothing fits. Then nothing is recorded.
pub fn decide(config: &Config, found: &Found, choices: &mut BTreeMap<String, Json>) -> Result<Facts, ChoiceError> {
    let zones = decide_zones(config, found, texts(choices, ZONES))?;
    let caller = needs_caller(config);
    let mut admins = if caller { texts(choices, ADMINS) } else { named_admins(config) };
    if admins.is_empty() && caller {
        admins.push(found.principal_arn.clone().ok_or(ChoiceError::NoAdministrator)?);
    }
    let mut known = addons(choices);
    let mut addon_versions = BTreeMap::new();
    for name in addon_names(config) {
        let key = addon_key(config, &name);
        let version = known.get(&key).or(found.addon_versions.get(&name)).cloned();
        let missing = || ChoiceError::NoSuchAddon { addon: name.clone(), version: config.cluster.version.to_string() };
        let version = version.ok_or_else(missing)?;
        known.insert(key, version.clone());
        addon_versions.insert(name, version);
    }

    let mut record = |key: &str, value: Json| choices.insert(key.to_owned(), value);
    record(PARTITION, json!(found.partition));
    record(ZONES, json!(zones));
    if caller {
        record(ADMINS, json!(admins));
    }
    if !known.is_empty() {
        record(ADDONS, json!(known));
    }
    let zones = zones.into_iter().take(usize::from(config.network.zones)).collect();
    Ok(Facts { partition: found.partition.clone(), zones, admins, addon_versions })
}

fn decide_zones(config: &Config, found: &Found, recorded: Vec<String>) -> Result<Vec<String>, ChoiceError> {
    let region = || config.region.to_string();
    let pinned = pinned(config);
    if !pinned.is_empty() {
        if recorded.starts_with(&pinned) {
            return Ok(recorded);
        }
        return match pinned.iter().find(|zone| !found.zones.contains(zone) && !recorded.contains(zone)) {
            Some(zone) => {
                Err(ChoiceError::NoSuchZone { zone: zone.clone(), region: region(), found: found.zones.clone() })
            }
            None => Ok(pinned),
        };
    }
    let wanted = usize::from(config.network.zones);
    let mut zones = recorded;
    let missing = wanted.saturating_sub(zones.len());
    // A zone in use stays, also when AWS does not offer it any more: subnets cannot move.
    let further: Vec<_> = found.zones.iter().filter(|zone| !zones.contains(zone)).take(missing).cloned().collect();
    zones.extend(further);
    if zones.len() < wanted {
        return Err(ChoiceError::TooFewZones { region: region(), wanted, found: found.zones.clone() });
    }
    Ok(zones)
}

fn pinned(config: &Config) -> Vec<String> {
    config.network.zone_ids.iter().map(ToString::to_string).collect()
}

/// Whether the administrator is whoever made the first bootstrap.
fn needs_caller(config: &Config) -> bool {
    config.cluster.enabled && config.cluster.admin_principals.is_empty()
}

fn named_admins(config: &Config) -> Vec<String> {
    if !config.cluster.enabled {
        return Vec::new();
    }
    config.cluster.admin_principals.iter().map(ToString::to_string).collect()
}

fn addon_key(config: &Config, name: &str) -> String {
    format!("{name}@{}", config.cluster.version)
}

/// A recorded list of texts; one of another form counts as not recorded.
fn texts(choices: &BTreeMap<String, Json>, key: &str) -> Vec<String> {
    choices.get(key).and_then(|json| serde_json::from_value(json.clone()).ok()).unwrap_or_default()
}

fn addons(choices: &BTreeMap<String, Json>) -> BTreeMap<String, String> {
    choices.get(ADDONS).and_then(|json| serde_json::from_value(json.clone()).ok()).unwrap_or_default()
}
