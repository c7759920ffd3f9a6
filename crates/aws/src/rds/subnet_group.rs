//! The subnets that a cluster's members may lie in.

use super::{Instance, instance::all_instances, retag, tags_of, to_tags};
use crate::{Arn, Aws, SubnetId, error::Sent};
use aws_sdk_rds::types::{DbInstance, DbSubnetGroup};
use bedplate_model::{
    CallError, Creation, Id, Observation, Observed, Phase, Readiness, Reconcile, Record, Resolved, Step, Tags,
    Terraform, Which,
};
use std::{collections::BTreeSet, future::ready};

/// The subnets that a cluster's members may lie in.
#[derive(Debug)]
pub enum SubnetGroup {}

/// Settings of a subnet group.
#[derive(Clone, Debug, Record)]
pub struct SubnetGroupSpec<P: Phase> {
    /// Its name, up to 255 lowercase letters, digits, `.`, `_`, `-` and spaces; not `default`.
    #[replace]
    #[aws("DBSubnetGroupName")]
    pub name: P::Of<String>,
    /// What it is for.
    #[aws("DBSubnetGroupDescription")]
    pub description: P::Of<String>,
    /// Its subnets, in two zones at least.
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
    const KIND: &'static str = "rds.subnet_group";
    const DOC: &'static str = "The subnets that a cluster's members may lie in.";
    const CLOUDFORMATION: Option<&'static str> = Some("AWS::RDS::DBSubnetGroup");
    const TERRAFORM: &'static [Terraform] = &[Terraform { kind: "aws_db_subnet_group", id: "{name}" }];
    const ACTIONS: &'static [&'static str] = &[
        "rds:AddTagsToResource",
        "rds:CreateDBSubnetGroup",
        "rds:DeleteDBSubnetGroup",
        "rds:DescribeDBSubnetGroups",
        "rds:ListTagsForResource",
        "rds:ModifyDBSubnetGroup",
        "rds:RemoveTagsFromResource",
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
        // An instance shows the group that it lies in.
        let instances = match cloud.may_confirm(which) && !cloud.recorded_ids(Instance::KIND).is_empty() {
            // Where they cannot be read, none is shown.
            true => all_instances(cloud).await.unwrap_or_default(),
            false => Vec::new(),
        };
        let (mut found, rest) = cloud
            .confirmed(which, |mut seen: Observation<Self>| {
                let mut groups = instances.iter().filter_map(DbInstance::db_subnet_group);
                let group = groups.find(|group| group.db_subnet_group_name() == Some(seen.id.as_str()));
                ready(Ok(group.map(|group| {
                    seen.spec = spec(group);
                    seen
                })))
            })
            .await?;
        let which = rest.which();
        if matches!(which, Which::Ids([])) {
            return Ok(found);
        }
        let mut pages = cloud.rds.describe_db_subnet_groups().into_paginator().items().send();
        while let Some(group) = pages.next().await {
            let group = group.sent()?;
            let id = Id::new(group.db_subnet_group_name().unwrap_or_default());
            if matches!(which, Which::Ids(ids) if !ids.contains(&id)) {
                continue;
            }
            let Some(tags) = tags_of(cloud, group.db_subnet_group_arn().unwrap_or_default()).await? else { continue };
            if which.covers(&id, &tags) {
                found.extend(observe(&group, tags));
            }
        }
        Ok(found)
    }

    async fn create(cloud: &Aws, spec: &SubnetGroupSpec<Resolved>, creation: &Creation) -> Result<Id, CallError> {
        let request = cloud.rds.create_db_subnet_group().db_subnet_group_name(&spec.name);
        let request = request.db_subnet_group_description(&spec.description).set_subnet_ids(subnets(spec));
        request.set_tags(to_tags(&creation.tags)).send().await.sent()?;
        Ok(Id::new(&spec.name))
    }

    async fn update(cloud: &Aws, step: &Step<'_, Self>) -> Result<(), CallError> {
        let request = cloud.rds.modify_db_subnet_group().db_subnet_group_name(step.id.as_str());
        let request = request.db_subnet_group_description(&step.wanted.description);
        request.set_subnet_ids(subnets(step.wanted)).send().await.sent().map(drop)
    }

    async fn tag(cloud: &Aws, id: &Id, set: &Tags, remove: &[String]) -> Result<(), CallError> {
        let answer = cloud.rds.describe_db_subnet_groups().db_subnet_group_name(id.as_str()).send().await.sent()?;
        retag(cloud, answer.db_subnet_groups().first().and_then(DbSubnetGroup::db_subnet_group_arn), set, remove).await
    }

    async fn delete(cloud: &Aws, id: &Id) -> Result<(), CallError> {
        cloud.rds.delete_db_subnet_group().db_subnet_group_name(id.as_str()).send().await.sent().map(drop)
    }
}

fn subnets(spec: &SubnetGroupSpec<Resolved>) -> Option<Vec<String>> {
    Some(spec.subnets.iter().map(ToString::to_string).collect())
}

fn spec(group: &DbSubnetGroup) -> SubnetGroupSpec<Observed> {
    let subnets = group.subnets().iter().filter_map(|subnet| subnet.subnet_identifier().map(SubnetId::new));
    SubnetGroupSpec {
        name: group.db_subnet_group_name().map(str::to_owned),
        description: group.db_subnet_group_description().map(str::to_owned),
        subnets: Some(subnets.collect()),
    }
}

fn observe(group: &DbSubnetGroup, tags: Tags) -> Option<Observation<SubnetGroup>> {
    let name = group.db_subnet_group_name()?;
    Some(Observation {
        id: Id::new(name),
        tags: Some(tags),
        // A group is there at once. Its states (`Complete`, `Incomplete`) speak of its subnets.
        readiness: Readiness::Ready,
        spec: spec(group),
        outputs: group
            .db_subnet_group_arn()
            .map(|arn| SubnetGroupOutputs { name: name.to_owned(), arn: Arn::new(arn) }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_rds::types::Subnet;
    use serde_json::json;

    #[test]
    fn a_subnet_group_is_read_as_aws_shows_it() {
        let sdk = DbSubnetGroup::builder()
            .db_subnet_group_name("g")
            .db_subnet_group_arn("arn:g")
            .db_subnet_group_description("data")
            .subnets(Subnet::builder().subnet_identifier("subnet-2").build())
            .subnets(Subnet::builder().subnet_identifier("subnet-1").build())
            .build();
        let seen = observe(&sdk, Tags::new()).unwrap();
        assert_eq!(
            seen.spec.to_json(),
            json!({"name": "g", "description": "data", "subnets": ["subnet-1", "subnet-2"]})
        );
        assert_eq!(seen.outputs.unwrap().arn.as_str(), "arn:g");
    }
}
