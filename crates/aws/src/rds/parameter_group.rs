//! Engine parameters: of a whole cluster, and of single instances. RDS has the same calls twice.

mod scope;

pub use scope::{Group, OfCluster, OfInstances, Scope};

use super::{
    Asked, from_parameters, parameter_changes, relevant, retag, same_name, tags_of, to_tags, without_defaults,
};
use crate::{Arn, Aws};
use bedplate_model::{
    CallError, Creation, Id, Observation, Observed, Phase, Readiness, Reconcile, Record, Resolved, Step, Tags,
    Terraform, Verdict, Which,
};
use std::{collections::BTreeMap, marker::PhantomData};

/// Engine parameters of a whole cluster.
pub type ClusterParameterGroup = Parameters<OfCluster>;
/// Engine parameters of single instances.
pub type ParameterGroup = Parameters<OfInstances>;

/// A parameter group.
#[derive(Debug)]
pub struct Parameters<S>(PhantomData<S>);

/// Settings of a parameter group.
#[derive(Clone, Debug, Record)]
pub struct ParameterGroupSpec<P: Phase> {
    /// Its name, up to 255 lowercase letters, digits and `-`. It should name the family, which needs a new name when it
    /// changes.
    #[replace]
    // The two types have two names for it.
    #[aws(none)]
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

impl<S: Scope> Reconcile for Parameters<S> {
    const KIND: &'static str = S::KIND;
    const DOC: &'static str = S::DOC;
    const CLOUDFORMATION: Option<&'static str> = Some(S::CLOUDFORMATION);
    const TERRAFORM: &'static [Terraform] = &[S::TERRAFORM];
    const ACTIONS: &'static [&'static str] = S::ACTIONS;
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
                seen.spec.parameters = Self::parameters(cloud, &seen.id).await?;
                Ok(seen.spec.parameters.is_some().then_some(seen))
            })
            .await?;
        let which = rest.which();
        if matches!(which, Which::Ids([])) {
            return Ok(found);
        }
        for group in S::groups(cloud).await? {
            let id = Id::new(&group.name);
            let asked = match which {
                Which::Ids(ids) => ids.contains(&id),
                Which::Owned(_) => !id.as_str().starts_with("default."),
            };
            if !asked {
                continue;
            }
            let Some(tags) = tags_of(cloud, &group.arn).await? else { continue };
            if !which.covers(&id, &tags) {
                continue;
            }
            let Some(parameters) = Self::parameters(cloud, &id).await? else { continue };
            found.push(observe(group, parameters, tags));
        }
        Ok(found)
    }

    async fn create(cloud: &Aws, spec: &ParameterGroupSpec<Resolved>, creation: &Creation) -> Result<Id, CallError> {
        S::create(cloud, spec, to_tags(&creation.tags)).await?;
        Ok(Id::new(&spec.name))
    }

    async fn update(cloud: &Aws, step: &Step<'_, Self>) -> Result<(), CallError> {
        let name = step.id.as_str();
        let known = S::parameters(cloud, name, Asked::All).await?.unwrap_or_default();
        let (set, reset) = parameter_changes(&step.wanted.parameters, &known);
        for portion in reset {
            S::reset(cloud, name, portion).await?;
        }
        for portion in set {
            S::modify(cloud, name, portion).await?;
        }
        Ok(())
    }

    async fn tag(cloud: &Aws, id: &Id, set: &Tags, remove: &[String]) -> Result<(), CallError> {
        let groups = S::groups(cloud).await?;
        let group = groups.iter().find(|group| group.name == id.as_str());
        retag(cloud, group.map(|group| group.arn.as_str()), set, remove).await
    }

    async fn delete(cloud: &Aws, id: &Id) -> Result<(), CallError> {
        S::delete(cloud, id.as_str()).await
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

impl<S: Scope> Parameters<S> {
    /// The parameters of a group, as far as they matter; `None` when there is no such group.
    async fn parameters(cloud: &Aws, id: &Id) -> Result<Option<BTreeMap<String, String>>, CallError> {
        let recorded = cloud.recorded_settings(Self::KIND, id);
        let parameters = relevant(recorded, |asked| S::parameters(cloud, id.as_str(), asked)).await?;
        Ok(parameters.map(|parameters| from_parameters(&parameters)))
    }
}

fn observe<S: Scope>(group: Group, parameters: BTreeMap<String, String>, tags: Tags) -> Observation<Parameters<S>> {
    Observation {
        id: Id::new(&group.name),
        tags: Some(tags),
        readiness: Readiness::Ready,
        spec: ParameterGroupSpec {
            name: Some(group.name.clone()),
            family: group.family,
            description: group.description,
            parameters: Some(parameters),
        },
        outputs: Some(ParameterGroupOutputs { name: group.name, arn: Arn::new(group.arn) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_rds::types::Parameter;
    use bedplate_model::Change;
    use serde_json::json;

    fn seen() -> Observation<ClusterParameterGroup> {
        let group = Group {
            name: "g".to_owned(),
            arn: "arn:g".to_owned(),
            family: Some("aurora-postgresql17".to_owned()),
            description: Some("ours".to_owned()),
        };
        let set = Parameter::builder().parameter_name("rds.force_ssl").parameter_value("1").source("user").build();
        let unset = Parameter::builder().parameter_name("port").parameter_value("5432").source("system").build();
        observe(group, from_parameters(&[set, unset]), Tags::new())
    }

    #[test]
    fn a_group_is_read_as_aws_shows_it() {
        let mut spec = seen().spec;
        ClusterParameterGroup::tolerate(&spec.clone(), &mut spec);
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
        let verdict = ClusterParameterGroup::judge("family", &before, &after);
        assert_eq!(verdict.unwrap().change, Change::Refuse);
        after.name = Some("h".to_owned());
        assert_eq!(ClusterParameterGroup::judge("family", &before, &after), None);
    }
}
