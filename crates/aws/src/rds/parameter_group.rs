//! Engine parameters of single instances.

use super::{from_parameters, parameter_changes, retag, same_name, tags_of, to_tags, without_defaults};
use crate::{Arn, Aws, error::Sent};
use aws_sdk_rds::types::{DbParameterGroup, Parameter};
use bedplate_model::{
    CallError, Creation, Id, Observation, Observed, Phase, Readiness, Reconcile, Record, Resolved, Step, Tags, Verdict,
    Which,
};
use std::collections::BTreeMap;

/// Engine parameters of single instances.
#[derive(Debug)]
pub enum ParameterGroup {}

/// Settings of a parameter group.
#[derive(Clone, Debug, Record)]
pub struct ParameterGroupSpec<P: Phase> {
    /// Its name, up to 255 lowercase letters, digits and `-`. It should name the family, which needs a new name when it
    /// changes.
    #[replace]
    #[aws("DBParameterGroupName")]
    pub name: P::Of<String>,
    /// The engine and its major version, as RDS names them: `aurora-postgresql17`.
    #[replace]
    pub family: P::Of<String>,
    /// What it is for.
    #[replace]
    pub description: P::Of<String>,
    /// The parameters that differ from the family's defaults. Static ones change when the instances restart.
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
    const KIND: &'static str = "rds.parameter_group";
    const DOC: &'static str = "Engine parameters of single instances.";
    const CLOUDFORMATION: Option<&'static str> = Some("AWS::RDS::DBParameterGroup");
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
    ];
    type Cloud = Aws;
    type Spec<P: Phase> = ParameterGroupSpec<P>;
    type Outputs<P: Phase> = ParameterGroupOutputs<P>;

    fn identity(spec: &ParameterGroupSpec<Observed>) -> Option<Id> {
        spec.name.as_ref().map(Id::new)
    }

    async fn read(cloud: &Aws, which: Which<'_>) -> Result<Vec<Observation<Self>>, CallError> {
        let mut found = Vec::new();
        let mut pages = cloud.rds.describe_db_parameter_groups().into_paginator().items().send();
        while let Some(group) = pages.next().await {
            let group = group.sent()?;
            let id = Id::new(group.db_parameter_group_name().unwrap_or_default());
            let asked = match which {
                Which::Ids(ids) => ids.contains(&id),
                Which::Owned(_) => !id.as_str().starts_with("default."),
            };
            let Some(arn) = group.db_parameter_group_arn().filter(|_| asked) else { continue };
            let Some(tags) = tags_of(cloud, arn).await? else { continue };
            if !which.covers(&id, &tags) {
                continue;
            }
            let Some(parameters) = parameters(cloud, id.as_str()).await? else { continue };
            found.extend(observe(&group, &parameters, tags));
        }
        Ok(found)
    }

    async fn create(cloud: &Aws, spec: &ParameterGroupSpec<Resolved>, creation: &Creation) -> Result<Id, CallError> {
        let request = cloud.rds.create_db_parameter_group().db_parameter_group_name(&spec.name);
        let request = request.db_parameter_group_family(&spec.family).description(&spec.description);
        request.set_tags(to_tags(&creation.tags)).send().await.sent()?;
        Ok(Id::new(&spec.name))
    }

    async fn update(cloud: &Aws, step: &Step<'_, Self>) -> Result<(), CallError> {
        let known = parameters(cloud, step.id.as_str()).await?.unwrap_or_default();
        let (set, reset) = parameter_changes(&step.wanted.parameters, &known);
        for portion in reset {
            let request = cloud.rds.reset_db_parameter_group().db_parameter_group_name(step.id.as_str());
            request.reset_all_parameters(false).set_parameters(Some(portion)).send().await.sent()?;
        }
        for portion in set {
            let request = cloud.rds.modify_db_parameter_group().db_parameter_group_name(step.id.as_str());
            request.set_parameters(Some(portion)).send().await.sent()?;
        }
        Ok(())
    }

    async fn tag(cloud: &Aws, id: &Id, set: &Tags, remove: &[String]) -> Result<(), CallError> {
        let request = cloud.rds.describe_db_parameter_groups().db_parameter_group_name(id.as_str());
        let answer = request.send().await.sent()?;
        let group = answer.db_parameter_groups().first();
        retag(cloud, group.and_then(DbParameterGroup::db_parameter_group_arn), set, remove).await
    }

    async fn delete(cloud: &Aws, id: &Id) -> Result<(), CallError> {
        let request = cloud.rds.delete_db_parameter_group().db_parameter_group_name(id.as_str());
        request.send().await.sent().map(drop)
    }

    fn tolerate(wanted: &ParameterGroupSpec<Observed>, seen: &mut ParameterGroupSpec<Observed>) {
        without_defaults(wanted.parameters.as_ref(), &mut seen.parameters);
    }

    fn judge(
        field: &str,
        before: &ParameterGroupSpec<Observed>,
        after: &ParameterGroupSpec<Observed>,
    ) -> Option<Verdict> {
        match field {
            "family" | "description" => same_name(field, before.name.as_ref(), after.name.as_ref()),
            _ => None,
        }
    }
}

/// All parameters of a group; `None` when there is no such group.
async fn parameters(cloud: &Aws, group: &str) -> Result<Option<Vec<Parameter>>, CallError> {
    let mut parameters = Vec::new();
    let request = cloud.rds.describe_db_parameters().db_parameter_group_name(group);
    let mut pages = request.into_paginator().items().send();
    while let Some(parameter) = pages.next().await {
        let Some(parameter) = parameter.found()? else { return Ok(None) };
        parameters.push(parameter);
    }
    Ok(Some(parameters))
}

fn observe(group: &DbParameterGroup, parameters: &[Parameter], tags: Tags) -> Option<Observation<ParameterGroup>> {
    let name = group.db_parameter_group_name()?;
    Some(Observation {
        id: Id::new(name),
        tags: Some(tags),
        readiness: Readiness::Ready,
        spec: ParameterGroupSpec {
            name: Some(name.to_owned()),
            family: group.db_parameter_group_family().map(str::to_owned),
            description: group.description().map(str::to_owned),
            parameters: Some(from_parameters(parameters)),
        },
        outputs: group
            .db_parameter_group_arn()
            .map(|arn| ParameterGroupOutputs { name: name.to_owned(), arn: Arn::new(arn) }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bedplate_model::Change;
    use serde_json::json;

    fn seen() -> Observation<ParameterGroup> {
        let group = DbParameterGroup::builder()
            .db_parameter_group_name("g")
            .db_parameter_group_arn("arn:g")
            .db_parameter_group_family("aurora-postgresql17")
            .description("ours")
            .build();
        let set = Parameter::builder().parameter_name("rds.force_ssl").parameter_value("1").source("user").build();
        let unset = Parameter::builder().parameter_name("port").parameter_value("5432").source("system").build();
        observe(&group, &[set, unset], Tags::new()).unwrap()
    }

    #[test]
    fn a_group_is_read_as_aws_shows_it() {
        let mut spec = seen().spec;
        ParameterGroup::tolerate(&spec.clone(), &mut spec);
        assert_eq!(
            spec.to_json(),
            json!({
                "name": "g", "family": "aurora-postgresql17", "description": "ours",
                "parameters": {"rds.force_ssl": "1"},
            })
        );
        assert_eq!(seen().outputs.unwrap().arn.as_str(), "arn:g");
    }

    #[test]
    fn another_family_needs_another_name() {
        let before = seen().spec;
        let mut after = before.clone();
        let verdict = ParameterGroup::judge("family", &before, &after);
        assert_eq!(verdict.unwrap().change, Change::Refuse);
        after.name = Some("h".to_owned());
        assert_eq!(ParameterGroup::judge("family", &before, &after), None);
    }
}
