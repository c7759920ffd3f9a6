//! Organizations: policies for accounts.

mod policy;

pub use policy::{Policy, PolicyOutputs, PolicySpec};

use crate::{Aws, error::Sent};
use aws_sdk_organizations::types::PolicyTypeStatus;
use bedplate_model::{CallError, Class};
use std::collections::BTreeSet;

/// The IAM actions that these questions need; the policies' own are those of their type.
pub const ACTIONS: &[&str] = &[
    "organizations:DescribeAccount",
    "organizations:DescribeOrganization",
    "organizations:DescribeOrganizationalUnit",
    "organizations:ListRoots",
];

/// The organization that the account belongs to, as its management account sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organization {
    /// The account that manages it, 12 digits.
    pub management_account: String,
    /// The types of policies that are switched on: `SERVICE_CONTROL_POLICY`, `TAG_POLICY`, ..; empty for accounts that do
    /// not manage it, which cannot ask.
    pub policy_types: BTreeSet<String>,
    /// Its root, `r-…`.
    pub root: Option<String>,
}

/// The organization that `account` belongs to, if it belongs to one.
///
/// # Errors
/// When a call fails.
pub async fn organization(cloud: &Aws, account: &str) -> Result<Option<Organization>, CallError> {
    let Some(management_account) = management_account(cloud).await? else { return Ok(None) };
    let mut found = Organization { management_account, policy_types: BTreeSet::new(), root: None };
    if found.management_account != account {
        return Ok(Some(found));
    }
    let roots = cloud.organizations.list_roots().send().await.sent()?.roots.unwrap_or_default();
    // An organization has one root.
    for root in roots {
        let types = root.policy_types.unwrap_or_default().into_iter();
        let enabled = types.filter(|it| it.status() == Some(&PolicyTypeStatus::Enabled));
        found.policy_types.extend(enabled.filter_map(|it| it.r#type).map(|it| it.to_string()));
        found.root = root.id;
    }
    Ok(Some(found))
}

/// Whether `account` is a member of an organization that another account manages. A caller who may not ask is told that it is not.
///
/// # Errors
/// When the call fails.
pub async fn is_member(cloud: &Aws, account: &str) -> Result<bool, CallError> {
    match management_account(cloud).await {
        Err(error) if error.class == Class::Denied => Ok(false),
        answer => Ok(answer?.is_some_and(|manager| manager != account)),
    }
}

/// The account that manages the organization that the caller's account belongs to, if it belongs to one.
async fn management_account(cloud: &Aws) -> Result<Option<String>, CallError> {
    match cloud.organizations.describe_organization().send().await.sent() {
        Err(error) if error.class == Class::NotFound => Ok(None),
        answer => Ok(Some(answer?.organization.and_then(|found| found.master_account_id).unwrap_or_default())),
    }
}

/// Whether the organization has this organizational unit (`ou-…`) or account (12 digits).
///
/// # Errors
/// When a call fails.
pub async fn has_target(cloud: &Aws, target: &str) -> Result<bool, CallError> {
    if target.starts_with("ou-") {
        let request = cloud.organizations.describe_organizational_unit().organizational_unit_id(target);
        return Ok(request.send().await.found()?.is_some());
    }
    let request = cloud.organizations.describe_account().account_id(target);
    Ok(request.send().await.found()?.is_some())
}
