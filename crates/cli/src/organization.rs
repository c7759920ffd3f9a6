//! Whether the account may have the policies of an organization: asked before anything is planned.

use crate::{exit::Refused, session::Session};
use anyhow::{Context, Result};
use bedplate_aws::organizations::{Organization, has_target, organization};

/// Refuses when the policies that the configuration asks for could not be made or attached.
pub(crate) async fn check(session: &Session) -> Result<()> {
    let config = &session.local.config;
    let settings = &config.organization;
    if !settings.enabled {
        return Ok(());
    }
    let account = config.account_id.to_string();
    let found = organization(&session.aws, &account).await.context("asking AWS for the organization failed")?;
    let Some(found) = found else {
        return Err(Refused::new(
            format!("account {account} belongs to no organization, so there is nothing for [organization] to govern"),
            "set `enabled = false` in [organization], or create an organization first",
        ));
    };
    if found.management_account != account {
        return Err(Refused::new(
            format!(
                "account {account} is a member of the organization of {}, and only that account can have policies",
                found.management_account
            ),
            format!(
                "set `enabled = false` in [organization] here, and put the table into a configuration for account {}",
                found.management_account
            ),
        ));
    }
    let service_control = settings.deny_root_user || settings.restrict_regions || settings.protect_cloudtrail;
    for (kind, wanted) in [("SERVICE_CONTROL_POLICY", service_control), ("TAG_POLICY", settings.tag_policy)] {
        if wanted && !found.policy_types.contains(kind) {
            let root = found.root.as_deref().unwrap_or("r-…");
            return Err(Refused::new(
                format!("policies of the type {kind} are not switched on in the organization"),
                format!("aws organizations enable-policy-type --root-id {root} --policy-type {kind}"),
            ));
        }
    }
    for target in &settings.targets {
        if !exists(session, &found, target.as_str()).await? {
            return Err(Refused::new(
                format!("organization.targets names {target}, which the organization does not have"),
                "`aws organizations list-roots`, `list-organizational-units-for-parent` and `list-accounts` show the ids",
            ));
        }
    }
    Ok(())
}

async fn exists(session: &Session, organization: &Organization, target: &str) -> Result<bool> {
    if target.starts_with("r-") {
        return Ok(organization.root.as_deref() == Some(target));
    }
    has_target(&session.aws, target).await.with_context(|| format!("asking AWS for {target} failed"))
}
