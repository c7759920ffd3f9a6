//! Something whose capacity is scaled: a table's throughput, the readers of an Aurora cluster.

use super::{id_of, parts, target_id, targets};
use crate::{Arn, Aws, error::Sent};
use aws_sdk_applicationautoscaling::types::{ScalableDimension, ScalableTarget, ServiceNamespace};
use bedplate_model::{
    CallError, Class, Creation, Id, Observation, Observed, Phase, Readiness, Reconcile, Record, Resolved, Step, Tags,
    Terraform, Which,
};

/// Something whose capacity is scaled: a table's throughput, the readers of an Aurora cluster.
///
/// It is scaled in the name of the service-linked role of its service. A cluster must have its instances before it is
/// registered: AWS ignores it otherwise.
#[derive(Debug)]
pub enum Target {}

/// Settings of a scalable target.
#[derive(Clone, Debug, Record)]
pub struct TargetSpec<P: Phase> {
    /// The service: `dynamodb`, `rds`.
    #[replace]
    #[aws("ServiceNamespace")]
    pub namespace: P::Of<String>,
    /// What is scaled: `table/sessions`, `cluster:data`.
    #[replace]
    #[aws("ResourceId")]
    pub resource: P::Of<String>,
    /// What of it: `dynamodb:table:ReadCapacityUnits`, `dynamodb:table:WriteCapacityUnits`,
    /// `rds:cluster:ReadReplicaCount`.
    #[replace]
    #[aws("ScalableDimension")]
    pub dimension: P::Of<String>,
    /// The least capacity, in the dimension's unit.
    #[aws("MinCapacity")]
    pub min: P::Of<i32>,
    /// The most capacity, in the dimension's unit.
    #[aws("MaxCapacity")]
    pub max: P::Of<i32>,
}

/// Outputs of a scalable target.
#[derive(Clone, Debug, Record)]
pub struct TargetOutputs<P: Phase> {
    /// What is scaled, for the policies: who names it this way comes after the target.
    #[named]
    pub resource: P::Of<String>,
    /// Its ARN.
    pub arn: P::Of<Arn>,
}

impl Reconcile for Target {
    const KIND: &'static str = "scaling.target";
    const DOC: &'static str =
        "Something whose capacity is scaled: a table's throughput, the readers of an Aurora cluster.";
    const CLOUDFORMATION: Option<&'static str> = Some("AWS::ApplicationAutoScaling::ScalableTarget");
    const TERRAFORM: &'static [Terraform] = &[Terraform {
        kind: "aws_appautoscaling_target",
        id: "{service_namespace}|{resource_id}|{scalable_dimension}",
    }];
    const ACTIONS: &'static [&'static str] = &[
        "application-autoscaling:DeregisterScalableTarget",
        "application-autoscaling:DescribeScalableTargets",
        "application-autoscaling:ListTagsForResource",
        "application-autoscaling:RegisterScalableTarget",
        "application-autoscaling:TagResource",
        "application-autoscaling:UntagResource",
        "tag:GetResources",
    ];
    type Cloud = Aws;
    type Spec<P: Phase> = TargetSpec<P>;
    type Outputs<P: Phase> = TargetOutputs<P>;

    fn identity(spec: &TargetSpec<Observed>) -> Option<Id> {
        Some(target_id(spec.namespace.as_ref()?, spec.resource.as_ref()?, spec.dimension.as_ref()?))
    }

    async fn read(cloud: &Aws, which: Which<'_>) -> Result<Vec<Observation<Self>>, CallError> {
        Ok(targets(cloud, which).await?.into_iter().map(|(target, tags)| observe(&target, tags)).collect())
    }

    async fn create(cloud: &Aws, spec: &TargetSpec<Resolved>, creation: &Creation) -> Result<Id, CallError> {
        let id = target_id(&spec.namespace, &spec.resource, &spec.dimension);
        register(cloud, &id, spec, Some(&creation.tags)).await?;
        Ok(id)
    }

    async fn update(cloud: &Aws, step: &Step<'_, Self>) -> Result<(), CallError> {
        register(cloud, step.id, step.wanted, None).await
    }

    async fn tag(cloud: &Aws, id: &Id, set: &Tags, remove: &[String]) -> Result<(), CallError> {
        let found = targets(cloud, Which::Ids(std::slice::from_ref(id))).await?;
        let target = found.iter().map(|(target, _)| target).find(|target| id_of(target) == *id);
        let Some(arn) = target.and_then(ScalableTarget::scalable_target_arn) else {
            let (operation, code) = ("application-autoscaling:DescribeScalableTargets", "ObjectNotFoundException");
            return Err(CallError::local(operation, code, "no such scalable target", Class::NotFound));
        };
        if !set.is_empty() {
            let tags = set.clone().into_iter().collect();
            cloud.scaling.tag_resource().resource_arn(arn).set_tags(Some(tags)).send().await.sent()?;
        }
        if !remove.is_empty() {
            let request = cloud.scaling.untag_resource().resource_arn(arn);
            request.set_tag_keys(Some(remove.to_vec())).send().await.sent()?;
        }
        Ok(())
    }

    async fn delete(cloud: &Aws, id: &Id) -> Result<(), CallError> {
        let [namespace, resource, dimension, _] = parts(id);
        let request = cloud.scaling.deregister_scalable_target().resource_id(resource);
        let request = request.service_namespace(ServiceNamespace::from(namespace));
        request.scalable_dimension(ScalableDimension::from(dimension)).send().await.sent().map(drop)
    }
}

/// Makes it or changes it. AWS takes tags only of a target that is new.
async fn register(cloud: &Aws, id: &Id, spec: &TargetSpec<Resolved>, tags: Option<&Tags>) -> Result<(), CallError> {
    let [namespace, resource, dimension, _] = parts(id);
    let request = cloud.scaling.register_scalable_target().resource_id(resource);
    let request = request.service_namespace(ServiceNamespace::from(namespace));
    let request = request.scalable_dimension(ScalableDimension::from(dimension));
    let request = request.min_capacity(spec.min).max_capacity(spec.max);
    request.set_tags(tags.map(|tags| tags.clone().into_iter().collect())).send().await.sent().map(drop)
}

fn observe(target: &ScalableTarget, tags: Tags) -> Observation<Target> {
    Observation {
        id: id_of(target),
        tags: Some(tags),
        readiness: Readiness::Ready,
        spec: TargetSpec {
            namespace: Some(target.service_namespace().to_string()),
            resource: Some(target.resource_id().to_owned()),
            dimension: Some(target.scalable_dimension().to_string()),
            min: Some(target.min_capacity()),
            max: Some(target.max_capacity()),
        },
        outputs: target
            .scalable_target_arn()
            .map(|arn| TargetOutputs { resource: target.resource_id().to_owned(), arn: Arn::new(arn) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_smithy_types::DateTime;
    use serde_json::json;

    #[test]
    fn a_target_is_read_as_aws_shows_it() {
        let sdk = ScalableTarget::builder()
            .service_namespace(ServiceNamespace::Rds)
            .resource_id("cluster:c")
            .scalable_dimension(ScalableDimension::RdsClusterReadReplicaCount)
            .min_capacity(1)
            .max_capacity(5)
            .role_arn("arn:r")
            .creation_time(DateTime::from_secs(0))
            .scalable_target_arn("arn:t")
            .build()
            .unwrap();
        let seen = observe(&sdk, Tags::new());
        assert_eq!(seen.id.as_str(), "rds|cluster:c|rds:cluster:ReadReplicaCount");
        assert_eq!(
            seen.spec.to_json(),
            json!({
                "namespace": "rds", "resource": "cluster:c", "dimension": "rds:cluster:ReadReplicaCount", "min": 1,
                "max": 5,
            })
        );
    }
}
