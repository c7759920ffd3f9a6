//! An IAM role with all its policies.

use super::{PAGE, tags, to_tags};
use crate::{Arn, Aws, Policy, error::Sent};
use aws_sdk_iam::types::{EntityType, RoleDetail};
use bedplate_model::{
    CallError, Change, Creation, Id, Observation, Observed, Phase, Readiness, Reconcile, Record, Resolved, Step, Tags,
    Terraform, Verdict, Which,
};
use std::collections::{BTreeMap, BTreeSet};

/// An IAM role with all its policies.
#[derive(Debug)]
pub enum Role {}

/// Settings of a role.
///
/// Without its description and its longest session: the one call that reads all roles with their policies does not tell
/// them.
#[derive(Clone, Debug, Record)]
pub struct RoleSpec<P: Phase> {
    /// Its name, unique in the account; at most 64 characters.
    #[replace]
    #[aws("RoleName")]
    pub name: P::Of<String>,
    /// Its path, `/` or `/…/`.
    #[replace]
    pub path: P::Of<String>,
    /// Who may assume it.
    #[aws("AssumeRolePolicyDocument")]
    pub trust: P::Of<Policy>,
    /// The managed policy that limits what its own policies can allow.
    pub permissions_boundary: P::Of<Option<Arn>>,
    /// The managed policies attached to it; any other is detached.
    #[aws("ManagedPolicyArns")]
    pub managed_policies: P::Of<BTreeSet<Arn>>,
    /// The policies written into it, by name; any other is deleted.
    #[aws("Policies")]
    pub inline_policies: P::Of<BTreeMap<String, Policy>>,
}

/// Outputs of a role.
#[derive(Clone, Debug, Record)]
pub struct RoleOutputs<P: Phase> {
    /// Its name.
    #[named]
    pub name: P::Of<String>,
    /// Its ARN.
    #[named]
    pub arn: P::Of<Arn>,
}

impl Reconcile for Role {
    const KIND: &'static str = "iam.role";
    const DOC: &'static str = "An IAM role with all its policies.";
    const CLOUDFORMATION: Option<&'static str> = Some("AWS::IAM::Role");
    const TERRAFORM: &'static [Terraform] = &[Terraform { kind: "aws_iam_role", id: "{name}" }];
    const ACTIONS: &'static [&'static str] = &[
        "iam:CreateRole",
        "iam:DeleteRole",
        "iam:GetAccountAuthorizationDetails",
        "iam:UpdateAssumeRolePolicy",
        "iam:PutRolePermissionsBoundary",
        "iam:DeleteRolePermissionsBoundary",
        "iam:AttachRolePolicy",
        "iam:DetachRolePolicy",
        "iam:ListAttachedRolePolicies",
        "iam:PutRolePolicy",
        "iam:DeleteRolePolicy",
        "iam:ListRolePolicies",
        "iam:TagRole",
        "iam:UntagRole",
    ];
    // CreateFirst (the default), so that no service loses its role before it has the new one. `judge` refuses the one
    // replacement that would keep the name.
    type Cloud = Aws;
    type Spec<P: Phase> = RoleSpec<P>;
    type Outputs<P: Phase> = RoleOutputs<P>;

    fn identity(spec: &RoleSpec<Observed>) -> Option<Id> {
        spec.name.as_ref().map(Id::new)
    }

    async fn read(cloud: &Aws, which: Which<'_>) -> Result<Vec<Observation<Self>>, CallError> {
        let all = roles(cloud).await?;
        let seen = all.iter().filter_map(observe);
        Ok(seen.filter(|role| which.covers(&role.id, role.tags.as_ref().expect("roles have tags"))).collect())
    }

    async fn create(cloud: &Aws, spec: &RoleSpec<Resolved>, creation: &Creation) -> Result<Id, CallError> {
        let request = cloud.iam.create_role().role_name(&spec.name).path(&spec.path);
        let request = request
            .assume_role_policy_document(spec.trust.to_string())
            // Whoever may make roles only under a boundary must name it here.
            .set_permissions_boundary(spec.permissions_boundary.as_ref().map(Arn::to_string))
            .set_tags(to_tags(&creation.tags));
        request.send().await.sent()?;
        Ok(Id::new(&spec.name))
    }

    async fn update(cloud: &Aws, step: &Step<'_, Self>) -> Result<(), CallError> {
        let (iam, role, wanted, seen) = (&cloud.iam, step.id.as_str(), step.wanted, step.seen);
        if step.changes(&["trust"]) {
            let request = iam.update_assume_role_policy().role_name(role);
            request.policy_document(wanted.trust.to_string()).send().await.sent()?;
        }
        if step.changes(&["permissions_boundary"]) {
            match &wanted.permissions_boundary {
                Some(boundary) => {
                    let request = iam.put_role_permissions_boundary().role_name(role);
                    request.permissions_boundary(boundary.as_str()).send().await.sent().map(drop)?;
                }
                None => iam.delete_role_permissions_boundary().role_name(role).send().await.ensured()?,
            }
        }
        // What is new comes before what goes, so that a permission that only moves is never missing.
        let managed = seen.managed_policies.clone().unwrap_or_default();
        let inline = seen.inline_policies.clone().unwrap_or_default();
        for policy in wanted.managed_policies.difference(&managed) {
            iam.attach_role_policy().role_name(role).policy_arn(policy.as_str()).send().await.sent()?;
        }
        for (name, policy) in wanted.inline_policies.iter().filter(|(name, policy)| inline.get(*name) != Some(*policy))
        {
            let request = iam.put_role_policy().role_name(role).policy_name(name);
            request.policy_document(policy.to_string()).send().await.sent()?;
        }
        for policy in managed.difference(&wanted.managed_policies) {
            iam.detach_role_policy().role_name(role).policy_arn(policy.as_str()).send().await.ensured()?;
        }
        for name in inline.keys().filter(|name| !wanted.inline_policies.contains_key(*name)) {
            iam.delete_role_policy().role_name(role).policy_name(name).send().await.ensured()?;
        }
        Ok(())
    }

    async fn tag(cloud: &Aws, id: &Id, set: &Tags, remove: &[String]) -> Result<(), CallError> {
        if !set.is_empty() {
            cloud.iam.tag_role().role_name(id.as_str()).set_tags(to_tags(set)).send().await.sent()?;
        }
        if !remove.is_empty() {
            let request = cloud.iam.untag_role().role_name(id.as_str());
            request.set_tag_keys(Some(remove.to_vec())).send().await.sent()?;
        }
        Ok(())
    }

    async fn delete(cloud: &Aws, id: &Id) -> Result<(), CallError> {
        let (iam, role) = (&cloud.iam, id.as_str());
        // IAM deletes no role that has policies. They are asked for, since others may have attached some.
        let mut attached = iam.list_attached_role_policies().role_name(role).into_paginator().items().send();
        while let Some(policy) = attached.next().await {
            let policy = policy.sent()?;
            iam.detach_role_policy().role_name(role).set_policy_arn(policy.policy_arn).send().await.ensured()?;
        }
        let mut inline = iam.list_role_policies().role_name(role).into_paginator().items().send();
        while let Some(name) = inline.next().await {
            iam.delete_role_policy().role_name(role).policy_name(name.sent()?).send().await.ensured()?;
        }
        iam.delete_role().role_name(role).send().await.sent().map(drop)
    }

    fn judge(field: &str, before: &RoleSpec<Observed>, after: &RoleSpec<Observed>) -> Option<Verdict> {
        let same_name = before.name.is_some() && before.name == after.name;
        (field == "path" && same_name).then(|| Verdict {
            change: Change::Refuse,
            reason:
                "AWS cannot change a role's path, and two roles of one account cannot have the same name, whatever \
                     their paths: change the name with it"
                    .to_owned(),
        })
    }
}

/// All roles of the account with their policies and tags, those of AWS's services included: one paged call, where one by one
/// it would be five per role.
pub(super) async fn roles(cloud: &Aws) -> Result<Vec<RoleDetail>, CallError> {
    let ask = async || {
        let mut found = Vec::new();
        let request = cloud.iam.get_account_authorization_details().filter(EntityType::Role).max_items(PAGE);
        let mut pages = request.into_paginator().send();
        while let Some(page) = pages.next().await {
            found.extend(page.sent()?.role_detail_list.unwrap_or_default());
        }
        Ok::<_, CallError>(found)
    };
    match &cloud.shared {
        Some(shared) => shared.roles.get_or_try_init(ask).await.cloned(),
        None => ask().await,
    }
}

fn observe(role: &RoleDetail) -> Option<Observation<Role>> {
    let name = role.role_name()?;
    let attached = role.attached_managed_policies().iter().filter_map(|policy| policy.policy_arn());
    // A document that cannot be read is left out, and so written again.
    let inline = role
        .role_policy_list()
        .iter()
        .filter_map(|policy| Some((policy.policy_name()?.to_owned(), Policy::parse(policy.policy_document()?).ok()?)));
    let boundary = role.permissions_boundary().and_then(|boundary| boundary.permissions_boundary_arn());
    Some(Observation {
        id: Id::new(name),
        tags: Some(tags(role.tags())),
        readiness: Readiness::Ready,
        spec: RoleSpec {
            name: Some(name.to_owned()),
            path: role.path().map(str::to_owned),
            trust: role.assume_role_policy_document().and_then(|text| Policy::parse(text).ok()),
            permissions_boundary: Some(boundary.map(Arn::new)),
            managed_policies: Some(attached.map(Arn::new).collect()),
            inline_policies: Some(inline.collect()),
        },
        outputs: role.arn().map(|arn| RoleOutputs { name: name.to_owned(), arn: Arn::new(arn) }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_iam::types::{AttachedPolicy, PolicyDetail, Tag};
    use serde_json::json;

    fn role() -> RoleDetail {
        let trust = json!({"Version": "2012-10-17", "Statement": {
            "Effect": "Allow", "Principal": {"Service": "eks.amazonaws.com"}, "Action": "sts:AssumeRole"}});
        let inline = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": "*"}]});
        let encoded = |document: serde_json::Value| urlencoding::encode(&document.to_string()).into_owned();
        let inline = PolicyDetail::builder().policy_name("table").policy_document(encoded(inline)).build();
        RoleDetail::builder()
            .role_name("cluster")
            .path("/")
            .arn("arn:aws:iam::797923187401:role/cluster")
            .assume_role_policy_document(encoded(trust))
            .attached_managed_policies(AttachedPolicy::builder().policy_arn("arn:aws:iam::aws:policy/B").build())
            .attached_managed_policies(AttachedPolicy::builder().policy_arn("arn:aws:iam::aws:policy/A").build())
            .role_policy_list(inline)
            .tags(Tag::builder().key("aws:x").value("theirs").build().unwrap())
            .tags(Tag::builder().key("Owner").value("ours").build().unwrap())
            .build()
    }

    #[test]
    fn a_role_is_read_as_aws_shows_it() {
        let seen = observe(&role()).unwrap();
        assert_eq!(
            seen.spec.to_json(),
            json!({
                "name": "cluster",
                "path": "/",
                "trust": {"Version": "2012-10-17", "Statement": [{
                    "Effect": "Allow", "Principal": {"Service": ["eks.amazonaws.com"]}, "Action": ["sts:AssumeRole"],
                }]},
                "permissions_boundary": null,
                "managed_policies": ["arn:aws:iam::aws:policy/A", "arn:aws:iam::aws:policy/B"],
                "inline_policies": {"table": {"Version": "2012-10-17", "Statement": [
                    {"Effect": "Allow", "Action": ["dynamodb:GetItem"], "Resource": ["*"]},
                ]}},
            })
        );
        assert_eq!(seen.tags.unwrap(), Tags::from([("Owner".to_owned(), "ours".to_owned())]));
        assert_eq!(seen.outputs.unwrap().arn.as_str(), "arn:aws:iam::797923187401:role/cluster");
    }

    #[test]
    fn a_new_path_needs_a_new_name() {
        let before = observe(&role()).unwrap().spec;
        let moved = RoleSpec { path: Some("/platform/".to_owned()), ..before.clone() };
        let renamed = RoleSpec { name: Some("other".to_owned()), ..moved.clone() };
        assert_eq!(Role::judge("path", &before, &moved).map(|verdict| verdict.change), Some(Change::Refuse));
        assert_eq!(Role::judge("path", &before, &renamed), None);
    }
}
