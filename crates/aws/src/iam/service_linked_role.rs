//! The role through which an AWS service acts in the account.

use super::role::roles;
use crate::{Arn, Aws, error::Sent};
use aws_sdk_iam::types::RoleDetail;
use bedplate_model::{
    CallError, Class, Creation, Id, Observation, Observed, Ownership, Phase, Readiness, Reconcile, Record, Resolved,
    Step, Which,
};

/// Where IAM keeps these roles, by service.
const PATH: &str = "/aws-service-role/";

/// The role through which an AWS service acts in the account.
#[derive(Debug)]
pub enum ServiceLinkedRole {}

/// Settings of a service-linked role.
#[derive(Clone, Debug, Record)]
pub struct ServiceLinkedRoleSpec<P: Phase> {
    /// The service's name, `eks.amazonaws.com`.
    #[replace]
    #[aws("AWSServiceName")]
    pub service: P::Of<String>,
}

/// Outputs of a service-linked role.
#[derive(Clone, Debug, Record)]
pub struct ServiceLinkedRoleOutputs<P: Phase> {
    /// Its name.
    #[named]
    pub name: P::Of<String>,
    /// Its ARN.
    #[named]
    pub arn: P::Of<Arn>,
}

impl Reconcile for ServiceLinkedRole {
    const KIND: &'static str = "iam.service_linked_role";
    const DOC: &'static str = "The role through which an AWS service acts in the account.";
    const CLOUDFORMATION: Option<&'static str> = Some("AWS::IAM::ServiceLinkedRole");
    const ACTIONS: &'static [&'static str] = &["iam:CreateServiceLinkedRole", "iam:GetAccountAuthorizationDetails"];
    // One per service and account, whoever needs it: it outlives the stack, and carries none of its tags.
    const OWNERSHIP: Ownership = Ownership::Shared;
    const TAGGED: bool = false;
    type Cloud = Aws;
    type Spec<P: Phase> = ServiceLinkedRoleSpec<P>;
    type Outputs<P: Phase> = ServiceLinkedRoleOutputs<P>;

    fn identity(spec: &ServiceLinkedRoleSpec<Observed>) -> Option<Id> {
        spec.service.as_ref().map(Id::new)
    }

    async fn read(cloud: &Aws, which: Which<'_>) -> Result<Vec<Observation<Self>>, CallError> {
        let Which::Ids(ids) = which else { return Ok(Vec::new()) };
        let all = roles(cloud).await?;
        Ok(one_per_service(all.iter().filter_map(observe).filter(|seen| ids.contains(&seen.id)).collect()))
    }

    async fn create(cloud: &Aws, spec: &ServiceLinkedRoleSpec<Resolved>, _: &Creation) -> Result<Id, CallError> {
        match cloud.iam.create_service_linked_role().aws_service_name(&spec.service).send().await.sent() {
            Err(error) if error.class != Class::AlreadyExists => Err(error),
            // Many services make theirs themselves when they are first used.
            _ => Ok(Id::new(&spec.service)),
        }
    }

    async fn update(_: &Aws, _: &Step<'_, Self>) -> Result<(), CallError> {
        Ok(())
    }

    /// Never called: it is shared.
    async fn delete(_: &Aws, _: &Id) -> Result<(), CallError> {
        Ok(())
    }
}

/// Some services have further roles, named like the first one with a suffix.
fn one_per_service(mut roles: Vec<Observation<ServiceLinkedRole>>) -> Vec<Observation<ServiceLinkedRole>> {
    let name = |role: &Observation<ServiceLinkedRole>| role.outputs.as_ref().map(|outputs| outputs.name.clone());
    roles.sort_by_key(|role| (role.id.clone(), name(role)));
    roles.dedup_by(|later, first| later.id == first.id);
    roles
}

fn observe(role: &RoleDetail) -> Option<Observation<ServiceLinkedRole>> {
    let service = role.path()?.strip_prefix(PATH)?.strip_suffix('/')?;
    let (name, arn) = (role.role_name()?, role.arn()?);
    Some(Observation {
        id: Id::new(service),
        tags: None,
        readiness: Readiness::Ready,
        spec: ServiceLinkedRoleSpec { service: Some(service.to_owned()) },
        outputs: Some(ServiceLinkedRoleOutputs { name: name.to_owned(), arn: Arn::new(arn) }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(service: &str, name: &str) -> Observation<ServiceLinkedRole> {
        let path = format!("/aws-service-role/{service}/");
        let arn = format!("arn:aws:iam::797923187401:role{path}{name}");
        observe(&RoleDetail::builder().path(path).role_name(name).arn(arn).build()).unwrap()
    }

    #[test]
    fn a_service_linked_role_is_known_by_its_path() {
        let seen = role("eks.amazonaws.com", "AWSServiceRoleForAmazonEKS");
        assert_eq!(seen.id.as_str(), "eks.amazonaws.com");
        assert_eq!(seen.spec.to_json(), serde_json::json!({"service": "eks.amazonaws.com"}));
    }

    #[test]
    fn a_role_with_a_suffix_does_not_hide_the_first() {
        let roles = one_per_service(vec![
            role("autoscaling.amazonaws.com", "AWSServiceRoleForAutoScaling_x"),
            role("eks.amazonaws.com", "AWSServiceRoleForAmazonEKS"),
            role("autoscaling.amazonaws.com", "AWSServiceRoleForAutoScaling"),
        ]);
        let names = roles.into_iter().map(|role| role.outputs.unwrap().name).collect::<Vec<_>>();
        assert_eq!(names, ["AWSServiceRoleForAutoScaling", "AWSServiceRoleForAmazonEKS"]);
    }
}
