//! A symmetric encryption key.

use super::{alias, ask_tags, tags, unless_denied};
use crate::{Arn, Aws, KeyId, Policy, error::Sent, once::Once};
use aws_sdk_kms::types::{KeyManagerType, KeyMetadata, KeyState, Tag};
use bedplate_model::{
    CallError, Creation, Id, Observation, Owner, Phase, Readiness, Reconcile, Record, Recovery, Resolved, Step, Tags,
    Terraform, Which,
};

/// KMS asks for the deletion window only when the deletion is scheduled, and keeps it nowhere before. So the key carries
/// it in a tag of its own: whoever deletes the key finds it, also without a state file. It is a setting, not a tag, to
/// everyone else: `read` shows it as the field it is.
const TAG_WINDOW: &str = "bedplate:deletion-window";

/// Stands behind the number of days from the moment a deletion is begun until the key is taken back into use. It tells a
/// key whose deletion was just cancelled from one that somebody disabled.
const SCHEDULED: &str = " scheduled";

/// What KMS itself takes when it is not told.
const DEFAULT_WINDOW: i32 = 30;

/// A symmetric encryption key.
///
/// Deleting one only schedules the deletion. A key that waits for it does not exist for the engine, but `create` takes
/// it back when it stood at the same address of the same stack: what was encrypted under it stays readable. One whose
/// deletion somebody else scheduled exists as long as the state knows it, disabled, and `update` takes it back: as a new key
/// it would leave everything unreadable.
#[derive(Debug)]
pub enum Key {}

/// Settings of a key.
#[derive(Clone, Debug, Record)]
pub struct KeySpec<P: Phase> {
    /// What it is for. Up to 8192 characters.
    pub description: P::Of<String>,
    /// Who may use and administer it. It must keep the caller able to change it: the lock-out check is never bypassed.
    #[aws("KeyPolicy")]
    pub policy: P::Of<Policy>,
    /// Whether it can be used.
    pub enabled: P::Of<bool>,
    /// Days between two rotations of its material, 90 to 2560; none means that it is not rotated. What older material
    /// encrypted stays readable.
    #[aws("RotationPeriodInDays")]
    pub rotation_days: P::Of<Option<u16>>,
    /// Days that KMS waits before it deletes the key for good, 7 to 30.
    #[aws("PendingWindowInDays")]
    pub deletion_window_days: P::Of<u8>,
}

/// Outputs of a key.
#[derive(Clone, Debug, Record)]
pub struct KeyOutputs<P: Phase> {
    /// Its id.
    pub id: P::Of<KeyId>,
    /// Its ARN.
    pub arn: P::Of<Arn>,
}

impl Reconcile for Key {
    const KIND: &'static str = "kms.key";
    const DOC: &'static str = "A symmetric encryption key.";
    const CLOUDFORMATION: Option<&'static str> = Some("AWS::KMS::Key");
    const TERRAFORM: &'static [Terraform] = &[Terraform { kind: "aws_kms_key", id: "{key_id}" }];
    const ACTIONS: &'static [&'static str] = &[
        "kms:CancelKeyDeletion",
        "kms:CreateKey",
        "kms:DescribeKey",
        "kms:DisableKey",
        "kms:DisableKeyRotation",
        "kms:EnableKey",
        "kms:EnableKeyRotation",
        "kms:GetKeyPolicy",
        "kms:GetKeyRotationStatus",
        "kms:ListKeys",
        "kms:ListResourceTags",
        "kms:PutKeyPolicy",
        "kms:ScheduleKeyDeletion",
        "kms:TagResource",
        "kms:UntagResource",
        "kms:UpdateKeyDescription",
        "tag:GetResources",
    ];
    // KMS takes neither a name nor a client token.
    const RECOVERY: Recovery = Recovery::Tag;
    type Cloud = Aws;
    type Spec<P: Phase> = KeySpec<P>;
    type Outputs<P: Phase> = KeyOutputs<P>;

    async fn read(cloud: &Aws, which: Which<'_>) -> Result<Vec<Observation<Self>>, CallError> {
        let mut keys = Vec::new();
        match which {
            Which::Owned(_) => keys = customer_keys(cloud).await?,
            Which::Ids(ids) => {
                for id in ids {
                    keys.extend(describe_named(cloud, id).await?);
                }
            }
        }
        let owned = matches!(which, Which::Owned(_));
        let mut found = Vec::new();
        for key in keys.iter().filter(|key| !owned || !is_pending(key)) {
            // Whether a deletion is ours is said by a tag, which the index may not know yet.
            let tags = match key.arn().filter(|_| !is_pending(key)) {
                Some(arn) => tags(cloud, &key.key_id, arn).await,
                None => ask_tags(cloud, &key.key_id).await,
            };
            let tags = if owned { unless_denied(tags)? } else { tags? };
            let Some(tags) = tags else { continue };
            // One that `create` was about to take back must stay for `create` to find, not be taken for a leftover.
            if owned && is_taken_back(key, &tags) || is_pending(key) && is_marked(&tags) {
                continue;
            }
            if !which.covers(&Id::new(&key.key_id), &tags) {
                continue;
            }
            let (policy, rotation) = tokio::try_join!(
                async { cloud.kms.get_key_policy().key_id(&key.key_id).policy_name("default").send().await.found() },
                async { cloud.kms.get_key_rotation_status().key_id(&key.key_id).send().await.found() },
            )?;
            let policy = policy.and_then(|answer| Policy::parse(answer.policy()?).ok());
            let rotation = rotation.map(|status| {
                let days = status.rotation_period_in_days().and_then(|days| days.try_into().ok());
                // Keys that rotated before the period could be chosen rotate every year.
                status.key_rotation_enabled().then(|| days.unwrap_or(365))
            });
            found.push(observe(key, policy, rotation, tags));
        }
        Ok(found)
    }

    async fn create(cloud: &Aws, spec: &KeySpec<Resolved>, creation: &Creation) -> Result<Id, CallError> {
        let tags = to_tags(&creation.tags, spec.deletion_window_days);
        if let Some(key) = left_behind(cloud, &creation.owner).await? {
            if is_pending(&key) {
                cloud.kms.cancel_key_deletion().key_id(&key.key_id).send().await.sent()?;
            }
            // KMS refuses tags until the deletion is cancelled. From here on the key is disabled; `update` enables it.
            cloud.kms.tag_resource().key_id(&key.key_id).set_tags(Some(tags)).send().await.sent()?;
            return Ok(Id::new(key.key_id));
        }
        let request = cloud.kms.create_key().description(&spec.description).policy(spec.policy.to_string());
        let once = aws_sdk_kms::config::Config::builder().retry_classifier(Once);
        let answer = request.set_tags(Some(tags)).customize().config_override(once).send().await.sent()?;
        let key = answer.key_metadata.ok_or_else(|| CallError::malformed("kms:CreateKey", "KeyMetadata"))?;
        Ok(Id::new(key.key_id))
    }

    async fn update(cloud: &Aws, step: &Step<'_, Self>) -> Result<(), CallError> {
        let (id, wanted) = (step.id.as_str(), step.wanted);
        if step.changes(&["enabled"]) && wanted.enabled {
            if describe(cloud, id).await?.is_some_and(|key| is_pending(&key)) {
                cloud.kms.cancel_key_deletion().key_id(id).send().await.sent()?;
            }
            // A disabled key takes no rotation: the rest is for the next step.
            return cloud.kms.enable_key().key_id(id).send().await.sent().map(drop);
        }
        if step.changes(&["description"]) {
            cloud.kms.update_key_description().key_id(id).description(&wanted.description).send().await.sent()?;
        }
        if step.changes(&["policy"]) {
            let request = cloud.kms.put_key_policy().key_id(id).policy_name("default");
            request.policy(wanted.policy.to_string()).send().await.sent()?;
        }
        if step.changes(&["rotation_days"]) {
            match wanted.rotation_days {
                Some(days) => {
                    let request = cloud.kms.enable_key_rotation().key_id(id);
                    request.rotation_period_in_days(days.into()).send().await.sent()?;
                }
                None => drop(cloud.kms.disable_key_rotation().key_id(id).send().await.sent()?),
            }
        }
        if step.changes(&["deletion_window_days"]) {
            let tags = to_tags(&Tags::new(), wanted.deletion_window_days);
            cloud.kms.tag_resource().key_id(id).set_tags(Some(tags)).send().await.sent()?;
        }
        if step.changes(&["enabled"]) {
            cloud.kms.disable_key().key_id(id).send().await.sent()?;
        }
        Ok(())
    }

    async fn tag(cloud: &Aws, id: &Id, set: &Tags, remove: &[String]) -> Result<(), CallError> {
        if !set.is_empty() {
            let tags = set.iter().map(|(key, value)| to_tag(key, value)).collect();
            cloud.kms.tag_resource().key_id(id.as_str()).set_tags(Some(tags)).send().await.sent()?;
        }
        if !remove.is_empty() {
            let request = cloud.kms.untag_resource().key_id(id.as_str());
            request.set_tag_keys(Some(remove.to_vec())).send().await.sent()?;
        }
        Ok(())
    }

    async fn delete(cloud: &Aws, id: &Id) -> Result<(), CallError> {
        let key = id.as_str();
        let Some(tags) = ask_tags(cloud, key).await? else { return Ok(()) };
        if describe(cloud, key).await?.is_some_and(|key| is_pending(&key)) {
            if is_marked(&tags) {
                return Ok(());
            }
            // Somebody else scheduled it. KMS lets no key be marked meanwhile.
            cloud.kms.cancel_key_deletion().key_id(key).send().await.sent()?;
        }
        let window = tags.get(TAG_WINDOW).map(|value| value.trim_end_matches(SCHEDULED));
        let window = window.and_then(|days| days.parse().ok()).unwrap_or(DEFAULT_WINDOW);
        let mark = to_tag(TAG_WINDOW, &format!("{window}{SCHEDULED}"));
        cloud.kms.tag_resource().key_id(key).tags(mark).send().await.sent()?;
        let request = cloud.kms.schedule_key_deletion().key_id(key);
        request.pending_window_in_days(window).send().await.sent().map(drop)
    }
}

fn is_pending(key: &KeyMetadata) -> bool {
    matches!(key.key_state(), Some(KeyState::PendingDeletion | KeyState::PendingReplicaDeletion))
}

/// Whether its deletion was cancelled by a `create` that got no further.
fn is_taken_back(key: &KeyMetadata, tags: &Tags) -> bool {
    key.key_state() == Some(&KeyState::Disabled) && is_marked(tags)
}

/// Whether we began its deletion.
fn is_marked(tags: &Tags) -> bool {
    tags.get(TAG_WINDOW).is_some_and(|value| value.ends_with(SCHEDULED))
}

/// What is known of the key that has this id or this alias.
pub(super) async fn describe(cloud: &Aws, key: &str) -> Result<Option<KeyMetadata>, CallError> {
    let ask = async {
        let answer = cloud.kms.describe_key().key_id(key).send().await.found()?;
        Ok(answer.and_then(|answer| answer.key_metadata))
    };
    cloud.ask_once(|shared| &shared.keys, key.to_owned(), ask).await
}

/// The same, in a survey by its alias, which shows both.
async fn describe_named(cloud: &Aws, id: &Id) -> Result<Option<KeyMetadata>, CallError> {
    if let Some(alias) = alias::recorded(cloud, id)
        && let Ok(Some(key)) = describe(cloud, alias.as_str()).await
        && key.key_id == id.as_str()
    {
        return Ok(Some(key));
    }
    describe(cloud, id.as_str()).await
}

/// All keys of the account that are not AWS's own, those that wait for their deletion included.
async fn customer_keys(cloud: &Aws) -> Result<Vec<KeyMetadata>, CallError> {
    let mut keys = Vec::new();
    let mut pages = cloud.kms.list_keys().into_paginator().items().send();
    while let Some(entry) = pages.next().await {
        let key = unless_denied(describe(cloud, entry.sent()?.key_id().unwrap_or_default()).await)?;
        keys.extend(key.filter(|key| key.key_manager() != Some(&KeyManagerType::Aws)));
    }
    Ok(keys)
}

/// The key that stood at this address before and can still be taken back: the newest that waits for its deletion, or that
/// an interrupted `create` has taken back already but not tagged.
async fn left_behind(cloud: &Aws, owner: &Owner) -> Result<Option<KeyMetadata>, CallError> {
    let mut newest: Option<KeyMetadata> = None;
    for key in customer_keys(cloud).await? {
        if key.key_state() == Some(&KeyState::Enabled) {
            continue;
        }
        let tags = unless_denied(ask_tags(cloud, &key.key_id).await)?.unwrap_or_default();
        let ours = Owner::from_tags(&tags)
            .is_some_and(|before| before.stack == owner.stack && before.address == owner.address);
        let newer = newest.as_ref().is_none_or(|newest| newest.creation_date < key.creation_date);
        if ours && newer && (is_pending(&key) || is_taken_back(&key, &tags)) {
            newest = Some(key);
        }
    }
    Ok(newest)
}

fn observe(
    key: &KeyMetadata,
    policy: Option<Policy>,
    rotation_days: Option<Option<u16>>,
    mut tags: Tags,
) -> Observation<Key> {
    // No window, or one with the mark of a deletion, reads as 0, which no setting is: so it is written again.
    let window = tags.remove(TAG_WINDOW).and_then(|days| days.parse().ok()).unwrap_or(0);
    Observation {
        id: Id::new(&key.key_id),
        tags: Some(tags),
        readiness: match key.key_state() {
            // One that waits for its deletion is not seen unless it can be taken back.
            Some(KeyState::Enabled | KeyState::Disabled | KeyState::PendingDeletion) | None => Readiness::Ready,
            // Never broken: a replacement would leave what it encrypted unreadable.
            Some(state) => Readiness::Busy(state.to_string()),
        },
        spec: KeySpec {
            description: Some(key.description().unwrap_or_default().to_owned()),
            policy,
            enabled: Some(key.enabled),
            rotation_days,
            deletion_window_days: Some(window),
        },
        outputs: key.arn().map(|arn| KeyOutputs { id: KeyId::new(&key.key_id), arn: Arn::new(arn) }),
    }
}

/// The setting that a key keeps as a tag, as it was last sent.
pub(super) fn recorded_settings(cloud: &Aws, id: &str) -> Tags {
    let days =
        cloud.recorded_settings(Key::KIND, &Id::new(id)).and_then(|settings| settings.get("deletion_window_days"));
    days.map(|days| (TAG_WINDOW.to_owned(), days.to_string())).into_iter().collect()
}

fn to_tags(tags: &Tags, window: u8) -> Vec<Tag> {
    let window = (TAG_WINDOW.to_owned(), window.to_string());
    tags.iter().chain([(&window.0, &window.1)]).map(|(key, value)| to_tag(key, value)).collect()
}

fn to_tag(key: &str, value: &str) -> Tag {
    Tag::builder().tag_key(key).tag_value(value).build().expect("key and value are given")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn seen(window: &str) -> Observation<Key> {
        let sdk = KeyMetadata::builder()
            .key_id("k-1")
            .arn("arn:aws:kms:us-east-1:797923187401:key/k-1")
            .description("data")
            .enabled(true)
            .key_state(KeyState::Enabled)
            .build()
            .unwrap();
        let policy = Policy::parse(r#"{"Version": "2012-10-17", "Statement": []}"#).unwrap();
        let tags = Tags::from([("Name".into(), "x".into()), (TAG_WINDOW.into(), window.into())]);
        observe(&sdk, Some(policy), Some(Some(365)), tags)
    }

    #[test]
    fn a_key_is_read_as_aws_shows_it() {
        let seen = seen("30");
        assert_eq!(seen.readiness, Readiness::Ready);
        assert_eq!(
            seen.spec.to_json(),
            json!({
                "description": "data", "policy": {"Version": "2012-10-17", "Statement": []}, "enabled": true,
                "rotation_days": 365, "deletion_window_days": 30,
            })
        );
        assert_eq!(seen.tags.unwrap(), Tags::from([("Name".into(), "x".into())]));
        assert_eq!(seen.outputs.unwrap().id.as_str(), "k-1");
    }

    #[test]
    fn the_mark_of_a_deletion_is_a_difference() {
        assert_eq!(seen("30 scheduled").spec.deletion_window_days, Some(0));
    }
}
