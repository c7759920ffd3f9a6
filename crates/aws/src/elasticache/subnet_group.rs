//! The subnets that a cache's nodes are put into.

use super::{missing, retag, tags, to_tags};
use crate::{Arn, Aws, SubnetId, error::Sent};
use aws_sdk_elasticache::types::{CacheSubnetGroup, Subnet};
use bedplate_model::{
    CallError, Creation, Id, Observation, Observed, Phase, Readiness, Reconcile, Record, Resolved, Step, Tags,
    Terraform, Which,
};
use std::collections::BTreeSet;

/// The subnets that a cache's nodes are put into.
#[derive(Debug)]
pub enum SubnetGroup {}

/// Settings of a subnet group.
#[derive(Clone, Debug, Record)]
pub struct SubnetGroupSpec<P: Phase> {
    /// Its name, up to 255 lowercase letters, digits and hyphens.
    #[replace]
    #[aws("CacheSubnetGroupName")]
    pub name: P::Of<String>,
    /// What it is for.
    pub description: P::Of<String>,
    /// The subnets, all of one VPC. One in which a node is cannot be taken out.
    #[aws("SubnetIds")]
    pub subnets: P::Of<BTreeSet<SubnetId>>,
}

/// Outputs of a subnet group.
#[derive(Clone, Debug, Record)]
pub struct SubnetGroupOutputs<P: Phase> {
    /// Its name.
    #[named]
    pub name: P::Of<String>,
    /// Its ARN.
    #[named]
    pub arn: P::Of<Arn>,
}

impl Reconcile for SubnetGroup {
    const KIND: &'static str = "elasticache.subnet_group";
    const DOC: &'static str = "The subnets that a cache's nodes are put into.";
    const CLOUDFORMATION: Option<&'static str> = Some("AWS::ElastiCache::SubnetGroup");
    const TERRAFORM: &'static [Terraform] = &[Terraform { kind: "aws_elasticache_subnet_group", id: "{name}" }];
    const ACTIONS: &'static [&'static str] = &[
        "elasticache:AddTagsToResource",
        "elasticache:CreateCacheSubnetGroup",
        "elasticache:DeleteCacheSubnetGroup",
        "elasticache:DescribeCacheSubnetGroups",
        "elasticache:ListTagsForResource",
        "elasticache:ModifyCacheSubnetGroup",
        "elasticache:RemoveTagsFromResource",
        "tag:GetResources",
    ];
    /// What is in a subnet does not move to another one (RDS: `SubnetAlreadyInUse`; ElastiCache: `SubnetInUse`).
    const HOLDS: &'static [&'static str] = &["subnets"];
    type Cloud = Aws;
    type Spec<P: Phase> = SubnetGroupSpec<P>;
    type Outputs<P: Phase> = SubnetGroupOutputs<P>;

    fn identity(spec: &SubnetGroupSpec<Observed>) -> Option<Id> {
        spec.name.as_ref().map(Id::new)
    }

    async fn read(cloud: &Aws, which: Which<'_>) -> Result<Vec<Observation<Self>>, CallError> {
        let mut groups = Vec::new();
        match which {
            Which::Ids(ids) => {
                for id in ids {
                    groups.extend(describe(cloud, id).await?);
                }
            }
            // Groups cannot be listed by tag.
            Which::Owned(_) => {
                let mut pages = cloud.elasticache.describe_cache_subnet_groups().into_paginator().items().send();
                while let Some(group) = pages.next().await {
                    groups.push(group.sent()?);
                }
            }
        }
        let mut found = Vec::new();
        for group in groups {
            let Some(tags) = tags(cloud, group.arn().unwrap_or_default()).await? else { continue };
            found.extend(
                observe(&group, tags).filter(|seen| which.covers(&seen.id, seen.tags.as_ref().unwrap_or(&Tags::new()))),
            );
        }
        Ok(found)
    }

    async fn create(cloud: &Aws, spec: &SubnetGroupSpec<Resolved>, creation: &Creation) -> Result<Id, CallError> {
        let request = cloud.elasticache.create_cache_subnet_group().cache_subnet_group_name(&spec.name);
        let request = request.cache_subnet_group_description(&spec.description);
        let request = request.set_subnet_ids(Some(subnet_ids(spec))).set_tags(Some(to_tags(&creation.tags)));
        request.send().await.sent()?;
        Ok(Id::new(&spec.name))
    }

    async fn update(cloud: &Aws, step: &Step<'_, Self>) -> Result<(), CallError> {
        let request = cloud.elasticache.modify_cache_subnet_group().cache_subnet_group_name(step.id.as_str());
        let request = request.cache_subnet_group_description(&step.wanted.description);
        request.set_subnet_ids(Some(subnet_ids(step.wanted))).send().await.sent().map(drop)
    }

    async fn tag(cloud: &Aws, id: &Id, set: &Tags, remove: &[String]) -> Result<(), CallError> {
        let group = describe(cloud, id).await?;
        let arn = group.as_ref().and_then(CacheSubnetGroup::arn);
        retag(cloud, arn.ok_or_else(|| missing("elasticache:DescribeCacheSubnetGroups", id))?, set, remove).await
    }

    async fn delete(cloud: &Aws, id: &Id) -> Result<(), CallError> {
        let request = cloud.elasticache.delete_cache_subnet_group();
        request.cache_subnet_group_name(id.as_str()).send().await.sent().map(drop)
    }
}

async fn describe(cloud: &Aws, id: &Id) -> Result<Option<CacheSubnetGroup>, CallError> {
    let request = cloud.elasticache.describe_cache_subnet_groups().cache_subnet_group_name(id.as_str());
    Ok(request.send().await.found()?.and_then(|answer| answer.cache_subnet_groups?.into_iter().next()))
}

fn subnet_ids(spec: &SubnetGroupSpec<Resolved>) -> Vec<String> {
    spec.subnets.iter().map(ToString::to_string).collect()
}

fn observe(group: &CacheSubnetGroup, tags: Tags) -> Option<Observation<SubnetGroup>> {
    let name = group.cache_subnet_group_name()?;
    Some(Observation {
        id: Id::new(name),
        tags: Some(tags),
        readiness: Readiness::Ready,
        spec: SubnetGroupSpec {
            name: Some(name.to_owned()),
            description: Some(group.cache_subnet_group_description().unwrap_or_default().to_owned()),
            subnets: Some(group.subnets().iter().filter_map(Subnet::subnet_identifier).map(SubnetId::new).collect()),
        },
        outputs: group.arn().map(|arn| SubnetGroupOutputs { name: name.to_owned(), arn: Arn::new(arn) }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_subnet_group_is_read_as_aws_shows_it() {
        let subnet = |id| Subnet::builder().subnet_identifier(id).build();
        let sdk = CacheSubnetGroup::builder()
            .cache_subnet_group_name("p-redis")
            .cache_subnet_group_description("data")
            .arn("arn:aws:elasticache:us-east-1:797923187401:subnetgroup:p-redis")
            .subnets(subnet("subnet-2"))
            .subnets(subnet("subnet-1"))
            .build();
        let seen = observe(&sdk, Tags::new()).unwrap();
        assert_eq!(
            seen.spec.to_json(),
            json!({"name": "p-redis", "description": "data", "subnets": ["subnet-1", "subnet-2"]})
        );
        assert_eq!(seen.outputs.unwrap().name, "p-redis");
    }
}
