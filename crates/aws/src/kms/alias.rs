//! The name of a key.

use super::{key::describe, tags, unless_denied};
use crate::{Arn, Aws, KeyId, error::Sent};
use aws_sdk_kms::types::AliasListEntry;
use bedplate_model::{
    CallError, Creation, Id, Observation, Observed, Phase, Readiness, Reconcile, Record, Resolved, Step, Tags,
    Terraform, Which,
};

/// The name of a key, once per account and region.
///
/// An alias has no tags. It belongs to whom its key belongs to, so that one which points at somebody else's key is
/// never taken over.
#[derive(Debug)]
pub enum Alias {}

/// Settings of an alias.
#[derive(Clone, Debug, Record)]
pub struct AliasSpec<P: Phase> {
    /// The name, with `alias/` before it.
    #[replace]
    #[aws("AliasName")]
    pub name: P::Of<String>,
    /// The key it names.
    #[aws("TargetKeyId")]
    pub target_key: P::Of<KeyId>,
}

/// Outputs of an alias.
#[derive(Clone, Debug, Record)]
pub struct AliasOutputs<P: Phase> {
    /// Its name, with `alias/` before it.
    #[named]
    pub name: P::Of<String>,
    /// Its ARN.
    #[named]
    pub arn: P::Of<Arn>,
}

impl Reconcile for Alias {
    const KIND: &'static str = "kms.alias";
    const DOC: &'static str = "The name of a key.";
    const CLOUDFORMATION: Option<&'static str> = Some("AWS::KMS::Alias");
    const TERRAFORM: &'static [Terraform] = &[Terraform { kind: "aws_kms_alias", id: "{name}" }];
    const ACTIONS: &'static [&'static str] = &[
        "kms:CreateAlias",
        "kms:DeleteAlias",
        "kms:DescribeKey",
        "kms:ListAliases",
        "kms:ListResourceTags",
        "kms:UpdateAlias",
        "tag:GetResources",
    ];
    const TAGGED: bool = false;
    type Cloud = Aws;
    type Spec<P: Phase> = AliasSpec<P>;
    type Outputs<P: Phase> = AliasOutputs<P>;

    fn identity(spec: &AliasSpec<Observed>) -> Option<Id> {
        spec.name.as_ref().map(Id::new)
    }

    async fn read(cloud: &Aws, which: Which<'_>) -> Result<Vec<Observation<Self>>, CallError> {
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        if let Which::Ids(ids) = which {
            for id in ids {
                // One that a survey knows of is looked up by its name, as its key is. Who may not, or does not find it, sees in
                // the list whether it is there.
                let known = cloud.recorded_settings(Self::KIND, id).is_some();
                let key = if known { describe(cloud, id.as_str()).await.ok().flatten() } else { None };
                let Some((key, arn)) = key.and_then(|key| Some((key.key_id, key.arn?))) else {
                    missing.push(id.clone());
                    continue;
                };
                let tags = unless_denied(tags(cloud, &key, &arn).await)?.unwrap_or_default();
                let home = arn.split_once(":key/").map_or("", |(home, _)| home);
                let alias = AliasListEntry::builder().alias_name(id.as_str()).target_key_id(key);
                found.extend(observe(&alias.alias_arn(format!("{home}:{id}")).build(), tags));
            }
            if missing.is_empty() {
                return Ok(found);
            }
        }
        let mut pages = cloud.kms.list_aliases().into_paginator().items().send();
        while let Some(alias) = pages.next().await {
            let alias = alias.sent()?;
            let name = alias.alias_name().unwrap_or_default();
            let asked = match which {
                Which::Ids(_) => missing.iter().any(|id| id.as_str() == name),
                Which::Owned(_) => !name.starts_with("alias/aws/"),
            };
            let Some(key) = alias.target_key_id().filter(|_| asked) else { continue };
            // Both are of the same account and region.
            let home = alias.alias_arn().and_then(|arn| arn.split_once(":alias/")).map_or("", |(home, _)| home);
            let tags = unless_denied(tags(cloud, key, &format!("{home}:key/{key}")).await)?.unwrap_or_default();
            if which.covers(&Id::new(name), &tags) {
                found.extend(observe(&alias, tags));
            }
        }
        Ok(found)
    }

    async fn create(cloud: &Aws, spec: &AliasSpec<Resolved>, _creation: &Creation) -> Result<Id, CallError> {
        let request = cloud.kms.create_alias().alias_name(&spec.name).target_key_id(spec.target_key.as_str());
        request.send().await.sent()?;
        Ok(Id::new(&spec.name))
    }

    async fn update(cloud: &Aws, step: &Step<'_, Self>) -> Result<(), CallError> {
        let request = cloud.kms.update_alias().alias_name(step.id.as_str());
        request.target_key_id(step.wanted.target_key.as_str()).send().await.sent().map(drop)
    }

    async fn delete(cloud: &Aws, id: &Id) -> Result<(), CallError> {
        cloud.kms.delete_alias().alias_name(id.as_str()).send().await.sent().map(drop)
    }
}

/// The alias of a key that a survey knows of.
pub(super) fn recorded(cloud: &Aws, key: &Id) -> Option<Id> {
    cloud.recorded_ids(Alias::KIND).into_iter().find(|alias| {
        let target =
            cloud.recorded_settings(Alias::KIND, alias).and_then(|settings| settings.get("target_key")?.as_str());
        target == Some(key.as_str())
    })
}

fn observe(alias: &AliasListEntry, tags: Tags) -> Option<Observation<Alias>> {
    let name = alias.alias_name()?;
    Some(Observation {
        id: Id::new(name),
        tags: Some(tags),
        readiness: Readiness::Ready,
        spec: AliasSpec { name: Some(name.to_owned()), target_key: alias.target_key_id().map(KeyId::new) },
        outputs: alias.alias_arn().map(|arn| AliasOutputs { name: name.to_owned(), arn: Arn::new(arn) }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_is_read_as_aws_shows_it() {
        let sdk = AliasListEntry::builder()
            .alias_name("alias/data")
            .alias_arn("arn:aws:kms:us-east-1:797923187401:alias/data")
            .target_key_id("k-1")
            .build();
        let seen = observe(&sdk, Tags::from([("bedplate:stack".into(), "s".into())])).unwrap();
        assert_eq!(seen.id.as_str(), "alias/data");
        assert_eq!(seen.spec.to_json(), serde_json::json!({"name": "alias/data", "target_key": "k-1"}));
        assert_eq!(seen.tags.unwrap()["bedplate:stack"], "s");
    }
}
