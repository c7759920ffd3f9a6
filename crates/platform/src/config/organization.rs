//! The `[organization]` table.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::error::{Fault, Finding};
use super::values::{Region, Why, characters, ensure, length, text};

text! {
    /// What a policy of an organization can be attached to.
    OrganizationTarget {
        format: "organization-target",
        noun: "the id of a root, an organizational unit or an account",
        rule: "r-…, ou-… or the 12 digits of an account",
        example: "ou-ab12-cdef3456",
        check: organization_target,
    }
}

text! {
    /// The name of an IAM role, after its path.
    RoleName {
        format: "role-name",
        noun: "the name of an IAM role",
        rule: "the role's path and name, where * stands for any characters",
        example: "OrganizationAccountAccessRole",
        check: role_name,
    }
}

super::values::known!(RoleName);

// Patterns of the API reference of Organizations, "AttachPolicy", TargetId.
fn organization_target(text: &str) -> Result<(), Why> {
    let lower = |part: &str, least: usize, most: usize| {
        (least..=most).contains(&part.len()) && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    };
    let fits = match text.split('-').collect::<Vec<_>>().as_slice() {
        ["r", root] => lower(root, 4, 32),
        ["ou", root, unit] => lower(root, 4, 32) && lower(unit, 8, 32),
        [account] => account.len() == 12 && account.chars().all(|c| c.is_ascii_digit()),
        _ => false,
    };
    ensure(fits, "it is none of the three forms that AWS has for them")
}

fn role_name(text: &str) -> Result<(), Why> {
    length(text, 1, 512)?;
    ensure(!text.starts_with('/'), "it begins with `/`, which stands before it anyway")?;
    ensure(!text.trim_matches('*').is_empty(), "it would exempt every role")?;
    characters(text, |character| character.is_ascii_alphanumeric() || "+=,.@_-/*".contains(character))
}

/// Policies for the accounts of an AWS organization. Only its management account can have them, and they never apply
/// to that account itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Organization {
    /// Whether bedplate makes these policies. The account has to be the management account of an organization in which
    /// service control policies and tag policies are switched on.
    pub enabled: bool,
    /// What the policies apply to: ids of the organization's root, of organizational units and of accounts. AWS advises
    /// to begin with one organizational unit.
    #[schemars(extend("maxItems" = 100))]
    pub targets: BTreeSet<OrganizationTarget>,
    /// Whether the root users of these accounts are denied everything.
    pub deny_root_user: bool,
    /// Whether everything outside the platform's region and `allowed_regions` is denied, apart from AWS's global services.
    pub restrict_regions: bool,
    /// The regions that stay open besides the platform's own.
    #[schemars(extend("maxItems" = 40))]
    pub allowed_regions: BTreeSet<Region>,
    /// Whether stopping, changing and deleting CloudTrail's trails is denied.
    pub protect_cloudtrail: bool,
    /// The IAM roles that the restriction of regions and the protection of CloudTrail do not apply to, in every account.
    #[schemars(extend("maxItems" = 20))]
    pub exempt_roles: BTreeSet<RoleName>,
    /// Whether a tag policy says how the tags `Environment`, `Project` and `Owner` are written. It reports what does not
    /// comply and prevents nothing.
    pub tag_policy: bool,
}

impl Default for Organization {
    fn default() -> Self {
        Self {
            enabled: false,
            targets: BTreeSet::new(),
            deny_root_user: true,
            restrict_regions: true,
            allowed_regions: BTreeSet::new(),
            protect_cloudtrail: true,
            // The way from the management account into the accounts that it made.
            exempt_roles: [RoleName::known("OrganizationAccountAccessRole")].into(),
            tag_policy: true,
        }
    }
}

impl Organization {
    pub(super) fn findings(&self) -> Vec<Finding> {
        if !self.enabled || !self.targets.is_empty() {
            return Vec::new();
        }
        vec![Finding::at(
            ["organization.targets", "organization.enabled"],
            Fault::new(
                "the policies of the organization apply to nothing",
                "a policy has no effect before it is attached",
                "write `targets = [\"ou-…\"]` in `[organization]`, or `enabled = false`",
            ),
        )]
    }
}
