//! What the parameters of a group are for, and the calls for each.

use super::ParameterGroupSpec;
use crate::rds::Asked;
use crate::{Aws, error::Sent};
use aws_sdk_rds::types::{DbClusterParameterGroup, DbParameterGroup, Parameter, Tag};
use bedplate_model::{CallError, Resolved, Terraform};

/// What the parameters are for.
pub trait Scope: Sized + Send + Sync + 'static {
    /// See [`bedplate_model::Reconcile::KIND`].
    const KIND: &'static str;
    /// See [`bedplate_model::Reconcile::DOC`].
    const DOC: &'static str;
    /// See [`bedplate_model::Reconcile::CLOUDFORMATION`].
    const CLOUDFORMATION: &'static str;
    /// See [`bedplate_model::Reconcile::TERRAFORM`].
    const TERRAFORM: Terraform;
    /// See [`bedplate_model::Reconcile::ACTIONS`].
    const ACTIONS: &'static [&'static str];

    /// All groups.
    fn groups(cloud: &Aws) -> impl Future<Output = Result<Vec<Group>, CallError>> + Send;
    /// Parameters of a group; `None` when there is no such group.
    fn parameters(
        cloud: &Aws,
        name: &str,
        asked: Asked,
    ) -> impl Future<Output = Result<Option<Vec<Parameter>>, CallError>> + Send;
    /// Makes a group.
    fn create(
        cloud: &Aws,
        spec: &ParameterGroupSpec<Resolved>,
        tags: Option<Vec<Tag>>,
    ) -> impl Future<Output = Result<(), CallError>> + Send;
    /// Sets parameters.
    fn modify(cloud: &Aws, name: &str, portion: Vec<Parameter>) -> impl Future<Output = Result<(), CallError>> + Send;
    /// Sets parameters back to their defaults.
    fn reset(cloud: &Aws, name: &str, portion: Vec<Parameter>) -> impl Future<Output = Result<(), CallError>> + Send;
    /// Removes a group.
    fn delete(cloud: &Aws, name: &str) -> impl Future<Output = Result<(), CallError>> + Send;
}

/// A group without its parameters.
#[derive(Debug)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// The engine and its major version.
    pub family: Option<String>,
    /// What it is for.
    pub description: Option<String>,
}

/// A whole cluster.
#[derive(Debug)]
pub enum OfCluster {}

/// Single instances.
#[derive(Debug)]
pub enum OfInstances {}

impl Scope for OfCluster {
    const KIND: &'static str = "rds.cluster_parameter_group";
    const DOC: &'static str = "Engine parameters of a whole cluster.";
    const CLOUDFORMATION: &'static str = "AWS::RDS::DBClusterParameterGroup";
    const TERRAFORM: Terraform = Terraform { kind: "aws_rds_cluster_parameter_group", id: "{name}" };
    const ACTIONS: &'static [&'static str] = &[
        "rds:AddTagsToResource",
        "rds:CreateDBClusterParameterGroup",
        "rds:DeleteDBClusterParameterGroup",
        "rds:DescribeDBClusterParameterGroups",
        "rds:DescribeDBClusterParameters",
        "rds:ListTagsForResource",
        "rds:ModifyDBClusterParameterGroup",
        "rds:RemoveTagsFromResource",
        "rds:ResetDBClusterParameterGroup",
        "tag:GetResources",
    ];

    async fn groups(cloud: &Aws) -> Result<Vec<Group>, CallError> {
        let mut found = Vec::new();
        let mut pages = cloud.rds.describe_db_cluster_parameter_groups().into_paginator().items().send();
        while let Some(group) = pages.next().await {
            let DbClusterParameterGroup {
                db_cluster_parameter_group_name: Some(name),
                db_cluster_parameter_group_arn: Some(arn),
                db_parameter_group_family: family,
                description,
                ..
            } = group.sent()?
            else {
                continue;
            };
            found.push(Group { name, arn, family, description });
        }
        Ok(found)
    }

    async fn parameters(cloud: &Aws, name: &str, asked: Asked) -> Result<Option<Vec<Parameter>>, CallError> {
        let mut found = Vec::new();
        let request = cloud.rds.describe_db_cluster_parameters().db_cluster_parameter_group_name(name);
        let request = request.set_source(asked.source()).set_filters(asked.filters());
        let mut pages = request.into_paginator().items().send();
        while let Some(parameter) = pages.next().await {
            let Some(parameter) = parameter.found()? else { return Ok(None) };
            found.push(parameter);
        }
        Ok(Some(found))
    }

    async fn create(cloud: &Aws, spec: &ParameterGroupSpec<Resolved>, tags: Option<Vec<Tag>>) -> Result<(), CallError> {
        let request = cloud.rds.create_db_cluster_parameter_group().db_cluster_parameter_group_name(&spec.name);
        let request = request.db_parameter_group_family(&spec.family).description(&spec.description);
        request.set_tags(tags).send().await.sent().map(drop)
    }

    async fn modify(cloud: &Aws, name: &str, portion: Vec<Parameter>) -> Result<(), CallError> {
        let request = cloud.rds.modify_db_cluster_parameter_group().db_cluster_parameter_group_name(name);
        request.set_parameters(Some(portion)).send().await.sent().map(drop)
    }

    async fn reset(cloud: &Aws, name: &str, portion: Vec<Parameter>) -> Result<(), CallError> {
        let request = cloud.rds.reset_db_cluster_parameter_group().db_cluster_parameter_group_name(name);
        request.reset_all_parameters(false).set_parameters(Some(portion)).send().await.sent().map(drop)
    }

    async fn delete(cloud: &Aws, name: &str) -> Result<(), CallError> {
        cloud
            .rds
            .delete_db_cluster_parameter_group()
            .db_cluster_parameter_group_name(name)
            .send()
            .await
            .sent()
            .map(drop)
    }
}

impl Scope for OfInstances {
    const KIND: &'static str = "rds.parameter_group";
    const DOC: &'static str = "Engine parameters of single instances.";
    const CLOUDFORMATION: &'static str = "AWS::RDS::DBParameterGroup";
    const TERRAFORM: Terraform = Terraform { kind: "aws_db_parameter_group", id: "{name}" };
    const ACTIONS: &'static [&'static str] = &[
        "rds:AddTagsToResource",
        "rds:CreateDBParameterGroup",
        "rds:DeleteDBParameterGroup",
        "rds:DescribeDBParameterGroups",
        "rds:DescribeDBParameters",
        "rds:ListTagsForResource",
        "rds:ModifyDBParameterGroup",
        "rds:RemoveTagsFromResource",
        "rds:ResetDBParameterGroup",
        "tag:GetResources",
    ];

    async fn groups(cloud: &Aws) -> Result<Vec<Group>, CallError> {
        let mut found = Vec::new();
        let mut pages = cloud.rds.describe_db_parameter_groups().into_paginator().items().send();
        while let Some(group) = pages.next().await {
            let DbParameterGroup {
                db_parameter_group_name: Some(name),
                db_parameter_group_arn: Some(arn),
                db_parameter_group_family: family,
                description,
                ..
            } = group.sent()?
            else {
                continue;
            };
            found.push(Group { name, arn, family, description });
        }
        Ok(found)
    }

    async fn parameters(cloud: &Aws, name: &str, asked: Asked) -> Result<Option<Vec<Parameter>>, CallError> {
        let mut found = Vec::new();
        let request = cloud.rds.describe_db_parameters().db_parameter_group_name(name);
        let request = request.set_source(asked.source()).set_filters(asked.filters());
        let mut pages = request.into_paginator().items().send();
        while let Some(parameter) = pages.next().await {
            let Some(parameter) = parameter.found()? else { return Ok(None) };
            found.push(parameter);
        }
        Ok(Some(found))
    }

    async fn create(cloud: &Aws, spec: &ParameterGroupSpec<Resolved>, tags: Option<Vec<Tag>>) -> Result<(), CallError> {
        let request = cloud.rds.create_db_parameter_group().db_parameter_group_name(&spec.name);
        let request = request.db_parameter_group_family(&spec.family).description(&spec.description);
        request.set_tags(tags).send().await.sent().map(drop)
    }

    async fn modify(cloud: &Aws, name: &str, portion: Vec<Parameter>) -> Result<(), CallError> {
        let request = cloud.rds.modify_db_parameter_group().db_parameter_group_name(name);
        request.set_parameters(Some(portion)).send().await.sent().map(drop)
    }

    async fn reset(cloud: &Aws, name: &str, portion: Vec<Parameter>) -> Result<(), CallError> {
        let request = cloud.rds.reset_db_parameter_group().db_parameter_group_name(name);
        request.reset_all_parameters(false).set_parameters(Some(portion)).send().await.sent().map(drop)
    }

    async fn delete(cloud: &Aws, name: &str) -> Result<(), CallError> {
        cloud.rds.delete_db_parameter_group().db_parameter_group_name(name).send().await.sent().map(drop)
    }
}
