//! `preflight`: would it work?

use crate::{
    args::Globals,
    exit::{Exit, Refused},
    organization,
    render::Printer,
    session::Session,
};
use anyhow::Result;
use bedplate_aws::facts::{self, Support};
use serde_json::json;

pub(crate) async fn run(globals: &Globals, printer: &Printer) -> Result<Exit> {
    let session = Session::open(globals).await?;
    check(&session, printer).await?;
    let account = session.local.config.account_id.to_string();
    let region = session.local.config.region.to_string();
    let resources = session.graph.iter().count();
    if printer.json {
        printer
            .document(&json!({"format": 1, "ok": true, "account": account, "region": region, "resources": resources}));
    } else {
        printer.result(&format!("Ready: {resources} resources for account {account} in {region}."));
    }
    Ok(Exit::Done)
}

/// What opening the session has not checked yet (credentials, account and zones are).
pub(crate) async fn check(session: &Session, printer: &Printer) -> Result<()> {
    organization::check(session).await?;
    let config = &session.local.config;
    if !config.cluster.enabled {
        return Ok(());
    }
    let version = config.cluster.version.to_string();
    let found = facts::cluster_version(&session.aws, &version).await?;
    let standard = found.standard.join(", ");
    match found.support {
        Some(Support::Standard) => Ok(()),
        Some(Support::Extended) => {
            printer.warning(&format!(
                "Kubernetes {version} is in extended support, which costs extra; in standard support are {standard}"
            ));
            Ok(())
        }
        None => Err(Refused::new(
            format!("EKS does not have Kubernetes {version}"),
            format!("set cluster.version to one of {standard}"),
        )),
    }
}
