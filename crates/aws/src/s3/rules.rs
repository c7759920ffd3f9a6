//! What happens to objects with time.

use aws_sdk_s3::types::{
    AbortIncompleteMultipartUpload, ExpirationStatus, IntelligentTieringAccessTier, IntelligentTieringConfiguration,
    IntelligentTieringFilter, IntelligentTieringStatus, LifecycleExpiration, LifecycleRule as SdkLifecycleRule,
    LifecycleRuleFilter, NoncurrentVersionExpiration, NoncurrentVersionTransition, Tiering, Transition,
    TransitionStorageClass,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// When objects move to other storage classes and when they expire.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LifecycleRule {
    /// What the keys of the objects it is for begin with; empty for all.
    pub prefix: String,
    /// How many days after its creation an object moves into a storage class (`STANDARD_IA`, `GLACIER`, ..).
    pub transitions: BTreeMap<String, i32>,
    /// How many days after its creation an object expires.
    pub expiration_days: Option<i32>,
    /// How many days after it was superseded a version moves into a storage class.
    pub noncurrent_transitions: BTreeMap<String, i32>,
    /// How many days after it was superseded a version is deleted for good.
    pub noncurrent_expiration_days: Option<i32>,
    /// How many days after its beginning an upload in parts that was not finished is thrown away.
    pub abort_uploads_days: Option<i32>,
}

/// When objects in `INTELLIGENT_TIERING` that nobody reads are archived.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TieringRule {
    /// What the keys of the objects it is for begin with; empty for all.
    pub prefix: String,
    /// How many days after its last access an object moves into a tier: `ARCHIVE_ACCESS` (90 to 730) or
    /// `DEEP_ARCHIVE_ACCESS` (180 to 730).
    pub tiers: BTreeMap<String, i32>,
}

pub(super) fn to_lifecycle_rule(id: &str, rule: &LifecycleRule) -> SdkLifecycleRule {
    let transition = |(class, days): (&String, &i32)| {
        Transition::builder().storage_class(TransitionStorageClass::from(class.as_str())).days(*days).build()
    };
    let noncurrent = |(class, days): (&String, &i32)| {
        let class = TransitionStorageClass::from(class.as_str());
        NoncurrentVersionTransition::builder().storage_class(class).noncurrent_days(*days).build()
    };
    // S3 refuses empty lists.
    let transitions = Some(rule.transitions.iter().map(transition).collect::<Vec<_>>());
    let noncurrent = Some(rule.noncurrent_transitions.iter().map(noncurrent).collect::<Vec<_>>());
    let expiration = rule.expiration_days.map(|days| LifecycleExpiration::builder().days(days).build());
    let versions = rule.noncurrent_expiration_days;
    let versions = versions.map(|days| NoncurrentVersionExpiration::builder().noncurrent_days(days).build());
    let uploads = rule.abort_uploads_days;
    let uploads = uploads.map(|days| AbortIncompleteMultipartUpload::builder().days_after_initiation(days).build());
    let built = SdkLifecycleRule::builder()
        .id(id)
        .status(ExpirationStatus::Enabled)
        .filter(LifecycleRuleFilter::builder().prefix(&rule.prefix).build())
        .set_transitions(transitions.filter(|list| !list.is_empty()))
        .set_noncurrent_version_transitions(noncurrent.filter(|list| !list.is_empty()))
        .set_expiration(expiration)
        .set_noncurrent_version_expiration(versions)
        .set_abort_incomplete_multipart_upload(uploads);
    built.build().expect("it has a status")
}

/// A rule with its id. One of a kind that is never set here reads as a rule that does nothing, which no setting is: so it
/// is a difference.
pub(super) fn lifecycle_rule(sdk: &SdkLifecycleRule) -> (String, LifecycleRule) {
    let id = sdk.id().unwrap_or_default();
    let filter = sdk.filter();
    let transitions = sdk.transitions().iter().filter_map(|to| Some((to.storage_class()?.to_string(), to.days()?)));
    let noncurrent = sdk.noncurrent_version_transitions().iter();
    let noncurrent = noncurrent.filter_map(|to| Some((to.storage_class()?.to_string(), to.noncurrent_days()?)));
    let rule = LifecycleRule {
        prefix: filter.and_then(|filter| filter.prefix()).unwrap_or_default().to_owned(),
        transitions: transitions.collect(),
        expiration_days: sdk.expiration().and_then(|expiration| expiration.days()),
        noncurrent_transitions: noncurrent.collect(),
        noncurrent_expiration_days: sdk.noncurrent_version_expiration().and_then(|versions| versions.noncurrent_days()),
        abort_uploads_days: sdk.abort_incomplete_multipart_upload().and_then(|uploads| uploads.days_after_initiation()),
    };
    let understood = reading(&to_lifecycle_rule(id, &rule)) == reading(sdk);
    (id.to_owned(), if understood { rule } else { LifecycleRule::default() })
}

/// What counts of a rule. S3 gives some of it in another form than it was sent: a missing list as an empty one, a filter
/// without a prefix.
fn reading(rule: &SdkLifecycleRule) -> SdkLifecycleRule {
    let mut rule = rule.clone();
    if let Some(filter) = &mut rule.filter {
        filter.prefix.get_or_insert_default();
    }
    if let Some(expiration) = &mut rule.expiration {
        expiration.expired_object_delete_marker.take_if(|only_markers| !*only_markers);
    }
    rule.transitions.get_or_insert_default().sort_by_key(|to| to.storage_class.as_ref().map(ToString::to_string));
    let noncurrent = rule.noncurrent_version_transitions.get_or_insert_default();
    noncurrent.sort_by_key(|to| to.storage_class.as_ref().map(ToString::to_string));
    rule
}

pub(super) fn to_tiering_rule(id: &str, rule: &TieringRule) -> IntelligentTieringConfiguration {
    let tier = |(tier, days): (&String, &i32)| {
        let tier = Tiering::builder().access_tier(IntelligentTieringAccessTier::from(tier.as_str())).days(*days);
        tier.build().expect("it has a tier and days")
    };
    let filter = IntelligentTieringFilter::builder().prefix(&rule.prefix).build();
    let built = IntelligentTieringConfiguration::builder()
        .id(id)
        .status(IntelligentTieringStatus::Enabled)
        .set_filter((!rule.prefix.is_empty()).then_some(filter))
        .set_tierings(Some(rule.tiers.iter().map(tier).collect()));
    built.build().expect("it has an id, a status and tiers")
}

/// A configuration with its id. One that is off, or for tagged objects only, reads as one that does nothing.
pub(super) fn tiering_rule(sdk: &IntelligentTieringConfiguration) -> (String, TieringRule) {
    let filter = sdk.filter();
    let other = filter.is_some_and(|filter| filter.tag.is_some() || filter.and.is_some());
    let tiers = sdk.tierings().iter().map(|tier| (tier.access_tier().to_string(), tier.days()));
    let rule = if other || sdk.status() != &IntelligentTieringStatus::Enabled {
        TieringRule::default()
    } else {
        TieringRule {
            prefix: filter.and_then(|filter| filter.prefix()).unwrap_or_default().to_owned(),
            tiers: tiers.collect(),
        }
    };
    (sdk.id().to_owned(), rule)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_as_they_were_sent() {
        let tiers = [("STANDARD_IA", 90), ("GLACIER", 180)].map(|(class, days)| (class.to_owned(), days));
        let rule = LifecycleRule {
            prefix: "archive/".to_owned(),
            transitions: tiers.clone().into(),
            noncurrent_expiration_days: Some(90),
            ..LifecycleRule::default()
        };
        assert_eq!(lifecycle_rule(&to_lifecycle_rule("old", &rule)), ("old".to_owned(), rule.clone()));
        let everything = LifecycleRule { prefix: String::new(), abort_uploads_days: Some(7), ..rule };
        assert_eq!(lifecycle_rule(&to_lifecycle_rule("all", &everything)).1, everything);
        let tiering = TieringRule { prefix: String::new(), tiers: [("ARCHIVE_ACCESS".to_owned(), 90)].into() };
        assert_eq!(tiering_rule(&to_tiering_rule("tiers", &tiering)), ("tiers".to_owned(), tiering));
    }

    #[test]
    fn a_rule_of_another_kind_is_a_difference() {
        let rule = LifecycleRule { expiration_days: Some(30), ..LifecycleRule::default() };
        let sent = to_lifecycle_rule("r", &rule);
        let mut disabled = sent.clone();
        disabled.status = ExpirationStatus::Disabled;
        assert_eq!(lifecycle_rule(&disabled).1, LifecycleRule::default());
        let mut large = sent;
        large.filter = Some(LifecycleRuleFilter::builder().prefix("").object_size_greater_than(1).build());
        assert_eq!(lifecycle_rule(&large).1, LifecycleRule::default());
    }
}
