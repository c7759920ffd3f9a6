//! Choices that the configuration leaves open: made once and kept in the state, so that a second run changes nothing even
//! when AWS would answer differently by then.

use crate::{Facts, config::Config, costs::SERVICES};
use bedplate_model::{Address, Json};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

const PARTITION: &str = "partition";
/// Ids of zones, in order. It may hold more than are in use: a zone that comes back is the same one.
const ZONES: &str = "zones";
const ADMINS: &str = "admins";
/// Versions by add-on and cluster version: `coredns@1.35`.
const ADDONS: &str = "addon_versions";
/// Whether the account is a member of an organization of another one.
const MEMBER: &str = "member";

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
    /// Whether the account is a member of an organization that another account manages.
    pub member: bool,
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
    let member = choices.get(MEMBER).and_then(Json::as_bool);
    if member.is_none() && needs_member(config) {
        return None;
    }
    let known = addons(choices);
    let version = |name: String| Some((name.clone(), known.get(&addon_key(config, &name))?.clone()));
    Some(Facts {
        partition: choices.get(PARTITION)?.as_str()?.to_owned(),
        zones: zones.into_iter().take(wanted).collect(),
        admins,
        addon_versions: addon_names(config).into_iter().map(version).collect::<Option<_>>()?,
        member: member.unwrap_or_default(),
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

    let member = choices.get(MEMBER).and_then(Json::as_bool).unwrap_or(found.member);
    let mut record = |key: &str, value: Json| choices.insert(key.to_owned(), value);
    record(PARTITION, json!(found.partition));
    record(ZONES, json!(zones));
    if caller {
        record(ADMINS, json!(admins));
    }
    if !known.is_empty() {
        record(ADDONS, json!(known));
    }
    if needs_member(config) {
        record(MEMBER, json!(member));
    }
    let zones = zones.into_iter().take(usize::from(config.network.zones)).collect();
    Ok(Facts { partition: found.partition.clone(), zones, admins, addon_versions, member })
}

/// Reads off what exists which choices it was made by, and records those that are not recorded: after the state was lost,
/// the platform shall be the same. What cannot be read off is chosen anew.
///
/// `resources` are the settings of what the stack owns, by address.
pub fn find_again<'a>(
    config: &Config,
    resources: impl IntoIterator<Item = (&'a Address, &'a Json)>,
    choices: &mut BTreeMap<String, Json>,
) {
    let (mut zones, mut admins, mut versions) = (BTreeMap::new(), BTreeSet::new(), BTreeMap::new());
    let (mut cluster, mut member) = (config.cluster.version.to_string(), None);
    for (address, spec) in resources {
        let text = |field: &str| spec.get(field).and_then(Json::as_str).map(str::to_owned);
        let parts: Vec<&str> = address.as_str().split('/').collect();
        match parts.as_slice() {
            ["network", "subnet", name] => {
                let letter = name.rsplit('-').next().and_then(|letter| letter.bytes().next());
                zones.extend(letter.zip(text("zone_id")));
            }
            ["cluster", "access", _] => admins.extend(text("principal_arn")),
            ["cluster", "addon", _] => versions.extend(text("name").zip(text("version"))),
            ["cluster", "cluster"] => cluster = text("version").unwrap_or(cluster),
            ["costs", "anomaly-monitor"] => member = text("dimension").map(|dimension| dimension == SERVICES),
            _ => {}
        }
    }
    // Up to the first gap: what comes after it cannot keep its letter.
    let zones: Vec<String> = (b'a'..=b'z').map_while(|letter| zones.remove(&letter)).collect();
    if texts(choices, ZONES).is_empty() && !zones.is_empty() {
        choices.insert(ZONES.to_owned(), json!(zones));
    }
    if needs_caller(config) && texts(choices, ADMINS).is_empty() && !admins.is_empty() {
        choices.insert(ADMINS.to_owned(), json!(admins));
    }
    let mut known = addons(choices);
    for (name, version) in versions {
        known.entry(format!("{name}@{cluster}")).or_insert(version);
    }
    if !known.is_empty() {
        choices.insert(ADDONS.to_owned(), json!(known));
    }
    if let Some(member) = member {
        choices.entry(MEMBER.to_owned()).or_insert(json!(member));
    }
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

/// Whether it matters if another account manages the organization.
pub fn needs_member(config: &Config) -> bool {
    config.costs.anomaly_detection
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::config;

    fn found() -> Found {
        let versions = addon_names(&config("")).into_iter().map(|name| (name.clone(), format!("{name}-v1")));
        Found {
            partition: "aws".to_owned(),
            principal_arn: Some("arn:aws:iam::797923187401:role/caller".to_owned()),
            zones: ["use1-az1", "use1-az2", "use1-az4", "use1-az5"].map(str::to_owned).into(),
            addon_versions: versions.collect(),
            member: false,
        }
    }

    fn decided(config: &Config) -> (Facts, BTreeMap<String, Json>) {
        let mut choices = BTreeMap::new();
        let facts = decide(config, &found(), &mut choices).unwrap();
        (facts, choices)
    }

    #[test]
    fn what_is_decided_is_recorded() {
        for more in ["", "[network]\nzones = 3\n", "[cluster]\nenabled = false\n"] {
            let config = config(more);
            assert_eq!(recorded(&config, &BTreeMap::new()), None);
            let (facts, mut choices) = decided(&config);
            assert_eq!(recorded(&config, &choices), Some(facts.clone()));
            let before = choices.clone();
            assert_eq!(decide(&config, &found(), &mut choices), Ok(facts));
            assert_eq!(choices, before);
        }
    }

    #[test]
    fn what_is_recorded_stays_whatever_aws_says_later() {
        let (facts, mut choices) = decided(&config(""));
        assert_eq!(facts.zones, ["use1-az1", "use1-az2"]);
        assert_eq!(facts.admins, ["arn:aws:iam::797923187401:role/caller"]);
        let later = Found {
            principal_arn: Some("arn:aws:iam::797923187401:role/other".to_owned()),
            zones: vec!["use1-az4".to_owned(), "use1-az6".to_owned()],
            addon_versions: found().addon_versions.into_keys().map(|name| (name, "v2".to_owned())).collect(),
            ..found()
        };
        assert_eq!(decide(&config(""), &later, &mut choices), Ok(facts));
    }

    #[test]
    fn a_third_zone_is_added_and_kept() {
        let (_, mut choices) = decided(&config(""));
        let three = config("[network]\nzones = 3\n");
        assert_eq!(recorded(&three, &choices), None);
        let zones = decide(&three, &found(), &mut choices).unwrap().zones;
        assert_eq!(zones, ["use1-az1", "use1-az2", "use1-az4"]);
        assert_eq!(recorded(&config(""), &choices).unwrap().zones, zones[..2]);
        assert_eq!(recorded(&three, &choices).unwrap().zones, zones);
    }

    #[test]
    fn zones_of_the_configuration_are_checked_once_and_outlive_it() {
        let pinned = config("[network]\nzone_ids = [\"use1-az5\", \"use1-az1\"]\n");
        let (_, mut choices) = decided(&config(""));
        assert_eq!(recorded(&pinned, &choices), None);
        let facts = decide(&pinned, &found(), &mut choices).unwrap();
        assert_eq!(facts.zones, ["use1-az5", "use1-az1"]);
        assert_eq!(recorded(&pinned, &choices), Some(facts.clone()));
        assert_eq!(recorded(&config(""), &choices), Some(facts));

        let wrong = config("[network]\nzone_ids = [\"use1-az1\", \"use1-az9\"]\n");
        let before = choices.clone();
        let error = decide(&wrong, &found(), &mut choices).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the zone use1-az9 in network.zone_ids is not available in us-east-1; there are use1-az1, use1-az2, use1-az4, \
             use1-az5"
        );
        assert_eq!(choices, before);
    }

    #[test]
    fn too_few_zones_are_an_error() {
        let small = Found { zones: vec!["use1-az1".to_owned()], ..found() };
        let error = decide(&config(""), &small, &mut BTreeMap::new()).unwrap_err();
        let text = "the region us-east-1 has 1 zone for this account (use1-az1), and network.zones asks for 2";
        assert_eq!(error.to_string(), text);
    }

    #[test]
    fn administrators_of_the_configuration_come_before_the_caller() {
        let arn = "arn:aws:iam::797923187401:role/admins";
        let named = config(&format!("[cluster]\nadmin_principals = [\"{arn}\"]\n"));
        let root = Found { principal_arn: None, ..found() };
        let mut choices = BTreeMap::new();
        assert_eq!(decide(&config(""), &root, &mut choices), Err(ChoiceError::NoAdministrator));
        assert_eq!(choices, BTreeMap::new());
        assert_eq!(decide(&named, &root, &mut choices).unwrap().admins, [arn]);
        assert_eq!(recorded(&named, &choices).unwrap().admins, [arn]);
        // The caller was never asked for, and is now.
        assert_eq!(recorded(&config(""), &choices), None);
    }

    #[test]
    fn add_ons_have_a_version_for_each_cluster_version() {
        let (_, mut choices) = decided(&config(""));
        assert_eq!(choices[ADDONS]["coredns@1.35"], "coredns-v1");
        let newer = config("[cluster]\nversion = \"1.36\"\n");
        assert_eq!(recorded(&newer, &choices), None);
        decide(&newer, &found(), &mut choices).unwrap();
        assert!(recorded(&newer, &choices).is_some() && recorded(&config(""), &choices).is_some());

        let more = config("[cluster]\naddons = [\"metrics-server\", \"aws-ebs-csi-driver\"]\n");
        assert_eq!(recorded(&more, &choices), None);
        let error = decide(&more, &found(), &mut choices).unwrap_err();
        let missing = ChoiceError::NoSuchAddon { addon: "aws-ebs-csi-driver".to_owned(), version: "1.35".to_owned() };
        assert_eq!(error, missing);
    }

    #[test]
    fn what_was_chosen_is_read_off_what_exists() {
        let config = config("");
        let (_, chosen) = decided(&config);
        let resource = |address: &str, spec: Json| (Address::new(address).unwrap(), spec);
        let addons = addon_names(&config);
        let mut exists: Vec<(Address, Json)> = addons
            .iter()
            .map(|name| {
                resource(&format!("cluster/addon/{name}"), json!({"name": name, "version": format!("{name}-v1")}))
            })
            .collect();
        exists.extend([
            resource("network/subnet/app-a", json!({"zone_id": "use1-az1"})),
            resource("network/subnet/data-b", json!({"zone_id": "use1-az2"})),
            resource("cluster/access/role-caller", json!({"principal_arn": "arn:aws:iam::797923187401:role/caller"})),
            resource("cluster/cluster", json!({"version": "1.35"})),
            resource("costs/anomaly-monitor", json!({"dimension": "LINKED_ACCOUNT"})),
        ]);
        let find = |exists: &[(Address, Json)], choices: &mut BTreeMap<String, Json>| {
            find_again(&config, exists.iter().map(|(address, spec)| (address, spec)), choices);
        };
        let mut found_again = BTreeMap::new();
        find(&exists, &mut found_again);
        // AWS offers something else by now.
        let later = Found {
            zones: vec!["use1-az4".to_owned(), "use1-az6".to_owned()],
            principal_arn: Some("arn:aws:iam::797923187401:role/other".to_owned()),
            addon_versions: addons.into_iter().map(|name| (name, "v9".to_owned())).collect(),
            member: true,
            ..found()
        };
        decide(&config, &later, &mut found_again).unwrap();
        assert_eq!(found_again, chosen);

        // What is recorded counts.
        let mut recorded = chosen.clone();
        find(&[resource("network/subnet/app-a", json!({"zone_id": "use1-az5"}))], &mut recorded);
        assert_eq!(recorded, chosen);
    }

    #[test]
    fn a_member_of_an_organization_stays_one() {
        let member = Found { member: true, ..found() };
        let (config, mut choices) = (config(""), BTreeMap::new());
        assert!(decide(&config, &member, &mut choices).unwrap().member);
        assert!(decide(&config, &found(), &mut choices).unwrap().member, "what is made for a member is not replaced");
        // As recorded before it was asked for.
        assert_eq!(choices.remove(MEMBER), Some(json!(true)));
        assert_eq!(recorded(&config, &choices), None);
        let unwatched = crate::tests::config("[costs]\nanomaly_detection = false\n");
        assert!(recorded(&unwatched, &choices).is_some_and(|facts| !facts.member));
    }

    #[test]
    fn without_a_cluster_only_zones_are_needed() {
        let none = config("[cluster]\nenabled = false\n");
        let bare = Found { principal_arn: None, addon_versions: BTreeMap::new(), ..found() };
        let facts = decide(&none, &bare, &mut BTreeMap::new()).unwrap();
        assert_eq!((facts.admins, facts.addon_versions), (Vec::new(), BTreeMap::new()));
        assert_eq!(addon_names(&none), Vec::<String>::new());
    }
}
