//! Parameters of a cache's engine.

use super::{missing, retag, tags, to_tags};
use crate::{Arn, Aws, error::Sent};
use aws_sdk_elasticache::types::{CacheParameterGroup, Parameter, ParameterNameValue};
use bedplate_model::{
    CallError, Change, Creation, Id, Observation, Observed, Phase, Readiness, Reconcile, Record, Resolved, Step, Tags,
    Terraform, Verdict, Which,
};
use std::collections::BTreeMap;

/// ElastiCache sets and resets up to 20 parameters per call.
const PARAMETERS: usize = 20;

/// Parameters of a cache's engine.
#[derive(Debug)]
pub enum ParameterGroup {}

/// Settings of a parameter group.
#[derive(Clone, Debug, Record)]
pub struct ParameterGroupSpec<P: Phase> {
    /// Its name, up to 255 lowercase letters, digits and hyphens. With the family in it, a change of the family is a
    /// change of the name.
    #[replace]
    #[aws(none)]
    pub name: P::Of<String>,
    /// The engine and its version that the parameters are of: `redis7`.
    #[replace]
    #[aws("CacheParameterGroupFamily")]
    pub family: P::Of<String>,
    /// The parameters that are not left at the family's default.
    #[aws("Properties")]
    pub parameters: P::Of<BTreeMap<String, String>>,
}

/// Outputs of a parameter group.
#[derive(Clone, Debug, Record)]
pub struct ParameterGroupOutputs<P: Phase> {
    /// Its name.
    #[named]
    pub name: P::Of<String>,
    /// Its ARN.
    #[named]
    pub arn: P::Of<Arn>,
}

impl Reconcile for ParameterGroup {
    const KIND: &'static str = "elasticache.parameter_group";
    const DOC: &'static str = "Parameters of a cache's engine.";
    const CLOUDFORMATION: Option<&'static str> = Some("AWS::ElastiCache::ParameterGroup");
    const TERRAFORM: &'static [Terraform] = &[Terraform { kind: "aws_elasticache_parameter_group", id: "{name}" }];
    const ACTIONS: &'static [&'static str] = &[
        "elasticache:AddTagsToResource",
        "elasticache:CreateCacheParameterGroup",
        "elasticache:DeleteCacheParameterGroup",
        "elasticache:DescribeCacheParameterGroups",
        "elasticache:DescribeCacheParameters",
        "elasticache:ListTagsForResource",
        "elasticache:ModifyCacheParameterGroup",
        "elasticache:RemoveTagsFromResource",
        "elasticache:ResetCacheParameterGroup",
        "tag:GetResources",
    ];
    // CreateFirst (the default): a group in use cannot be deleted. `judge` refuses the replacement that would keep the
    // name.
    type Cloud = Aws;
    type Spec<P: Phase> = ParameterGroupSpec<P>;
    type Outputs<P: Phase> = ParameterGroupOutputs<P>;

    fn identity(spec: &ParameterGroupSpec<Observed>) -> Option<Id> {
        spec.name.as_ref().map(Id::new)
    }

    async fn read(cloud: &Aws, which: Which<'_>) -> Result<Vec<Observation<Self>>, CallError> {
        // All but the parameters never changes, and they are asked for anyway.
        let (mut found, rest) = cloud
            .confirmed(which, |mut seen: Observation<Self>| async move {
                seen.spec.parameters = parameters(cloud, seen.id.as_str()).await?;
                Ok(seen.spec.parameters.is_some().then_some(seen))
            })
            .await?;
        let which = rest.which();
        let mut groups = Vec::new();
        match which {
            Which::Ids(ids) => {
                for id in ids {
                    groups.extend(describe(cloud, id).await?);
                }
            }
            // Groups cannot be listed by tag. The defaults of AWS are among them, and take none.
            Which::Owned(_) => {
                let mut pages = cloud.elasticache.describe_cache_parameter_groups().into_paginator().items().send();
                while let Some(group) = pages.next().await {
                    let group = group.sent()?;
                    let name = group.cache_parameter_group_name().unwrap_or_default();
                    if !name.starts_with("default.") {
                        groups.push(group);
                    }
                }
            }
        }
        for group in groups {
            let (Some(name), Some(arn)) = (group.cache_parameter_group_name(), group.arn()) else { continue };
            let Some(tags) = tags(cloud, arn).await? else { continue };
            if !which.covers(&Id::new(name), &tags) {
                continue;
            }
            let parameters = parameters(cloud, name).await?.unwrap_or_default();
            found.extend(observe(&group, parameters, tags));
        }
        Ok(found)
    }

    async fn create(cloud: &Aws, spec: &ParameterGroupSpec<Resolved>, creation: &Creation) -> Result<Id, CallError> {
        let request = cloud.elasticache.create_cache_parameter_group().cache_parameter_group_name(&spec.name);
        let request = request.cache_parameter_group_family(&spec.family);
        // It cannot be changed later, so it says nothing that could.
        let request = request.description(format!("Parameters of {}", spec.name));
        request.set_tags(Some(to_tags(&creation.tags))).send().await.sent()?;
        Ok(Id::new(&spec.name))
    }

    async fn update(cloud: &Aws, step: &Step<'_, Self>) -> Result<(), CallError> {
        if !step.changes(&["parameters"]) {
            return Ok(());
        }
        let (name, wanted, empty) = (step.id.as_str(), &step.wanted.parameters, BTreeMap::new());
        let seen = step.seen.parameters.as_ref().unwrap_or(&empty);
        let set: Vec<_> = wanted
            .iter()
            .filter(|(key, value)| seen.get(*key) != Some(value))
            .map(|(key, value)| ParameterNameValue::builder().parameter_name(key).parameter_value(value).build())
            .collect();
        for chunk in set.chunks(PARAMETERS) {
            let request = cloud.elasticache.modify_cache_parameter_group().cache_parameter_group_name(name);
            request.set_parameter_name_values(Some(chunk.to_vec())).send().await.sent()?;
        }
        let reset: Vec<_> = seen
            .keys()
            .filter(|key| !wanted.contains_key(*key))
            .map(|key| ParameterNameValue::builder().parameter_name(key).build())
            .collect();
        for chunk in reset.chunks(PARAMETERS) {
            let request = cloud.elasticache.reset_cache_parameter_group().cache_parameter_group_name(name);
            request.set_parameter_name_values(Some(chunk.to_vec())).send().await.sent()?;
        }
        Ok(())
    }

    async fn tag(cloud: &Aws, id: &Id, set: &Tags, remove: &[String]) -> Result<(), CallError> {
        let group = describe(cloud, id).await?;
        let arn = group.as_ref().and_then(CacheParameterGroup::arn);
        retag(cloud, arn.ok_or_else(|| missing("elasticache:DescribeCacheParameterGroups", id))?, set, remove).await
    }

    async fn delete(cloud: &Aws, id: &Id) -> Result<(), CallError> {
        let request = cloud.elasticache.delete_cache_parameter_group();
        request.cache_parameter_group_name(id.as_str()).send().await.sent().map(drop)
    }

    fn judge(
        field: &str,
        before: &ParameterGroupSpec<Observed>,
        after: &ParameterGroupSpec<Observed>,
    ) -> Option<Verdict> {
        let same_name = before.name.is_some() && before.name == after.name;
        (field == "family" && same_name).then(|| Verdict {
            change: Change::Refuse,
            reason:
                "AWS cannot change a parameter group's family, and two groups cannot have the same name: change the \
                     name with it"
                    .to_owned(),
        })
    }
}

async fn describe(cloud: &Aws, id: &Id) -> Result<Option<CacheParameterGroup>, CallError> {
    let request = cloud.elasticache.describe_cache_parameter_groups().cache_parameter_group_name(id.as_str());
    Ok(request.send().await.found()?.and_then(|answer| answer.cache_parameter_groups?.into_iter().next()))
}

/// The parameters that a group itself sets, not its family; `None` when there is no such group.
async fn parameters(cloud: &Aws, group: &str) -> Result<Option<BTreeMap<String, String>>, CallError> {
    let request = cloud.elasticache.describe_cache_parameters().cache_parameter_group_name(group).source("user");
    let pages = request.into_paginator().items().send();
    let parameters = pages.collect::<Result<Vec<_>, _>>().await.found()?;
    Ok(parameters.map(|parameters| from_parameters(&parameters)))
}

fn from_parameters(parameters: &[Parameter]) -> BTreeMap<String, String> {
    let set = parameters.iter().filter(|parameter| parameter.source() == Some("user"));
    let pairs = set.filter_map(|set| Some((set.parameter_name()?.to_owned(), set.parameter_value()?.to_owned())));
    pairs.collect()
}

fn observe(
    group: &CacheParameterGroup,
    parameters: BTreeMap<String, String>,
    tags: Tags,
) -> Option<Observation<ParameterGroup>> {
    let name = group.cache_parameter_group_name()?;
    Some(Observation {
        id: Id::new(name),
        tags: Some(tags),
        readiness: Readiness::Ready,
        spec: ParameterGroupSpec {
            name: Some(name.to_owned()),
            family: group.cache_parameter_group_family().map(str::to_owned),
            parameters: Some(parameters),
        },
        outputs: group.arn().map(|arn| ParameterGroupOutputs { name: name.to_owned(), arn: Arn::new(arn) }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn seen() -> Observation<ParameterGroup> {
        let parameter = |name, value, source| {
            Parameter::builder().parameter_name(name).parameter_value(value).source(source).build()
        };
        let sdk = CacheParameterGroup::builder()
            .cache_parameter_group_name("p-redis7")
            .cache_parameter_group_family("redis7")
            .arn("arn:aws:elasticache:us-east-1:797923187401:parametergroup:p-redis7")
            .build();
        let parameters = [parameter("maxmemory-policy", "allkeys-lru", "user"), parameter("timeout", "0", "system")];
        observe(&sdk, from_parameters(&parameters), Tags::new()).unwrap()
    }

    #[test]
    fn a_parameter_group_is_read_as_aws_shows_it() {
        assert_eq!(
            seen().spec.to_json(),
            json!({"name": "p-redis7", "family": "redis7", "parameters": {"maxmemory-policy": "allkeys-lru"}})
        );
        assert_eq!(seen().outputs.unwrap().name, "p-redis7");
    }

    #[test]
    fn another_family_needs_another_name() {
        let before = seen().spec;
        let family = ParameterGroupSpec { family: Some("valkey8".to_owned()), ..before.clone() };
        let both = ParameterGroupSpec { name: Some("p-valkey8".to_owned()), ..family.clone() };
        assert_eq!(ParameterGroup::judge("family", &before, &family).unwrap().change, Change::Refuse);
        assert_eq!(ParameterGroup::judge("family", &before, &both), None);
    }
}
