//! `preflight`: would it work?

use super::plan::REFUSED;
use crate::{
    advice::{CLUSTER_UNREACHABLE, call_advice},
    args::Globals,
    exit::{Beforehand, Exit, Refused},
    organization, permissions, quotas,
    render::{Printer, show_refusals},
    session::{Session, cluster_version},
    versions,
};
use anyhow::Result;
use bedplate_aws::{eks::Cluster, facts::Support, kubernetes};
use bedplate_model::Reconcile;
use bedplate_plan::{Options, Plan};
use serde_json::json;

pub(crate) async fn run(globals: &Globals, printer: &Printer) -> Result<Exit> {
    answer(globals, printer).await.map_err(Beforehand::refused)
}

async fn answer(globals: &Globals, printer: &Printer) -> Result<Exit> {
    let session = Session::open(globals).await?;
    // First of all, or the first thing that may not be looked at would be all that is said.
    permissions::check(&session, printer).await?;
    check(&session, printer).await?;
    if session.local.config.cluster.enabled
        && let Err(error) = kubernetes::reach(&session.aws, &session.local.config.cluster_name()).await
    {
        printer.warning(&format!("{}; {}", error.message, call_advice(&error)));
    }
    // A name that is taken, a protection in the way: the plan knows.
    let mut plan = session.plan(&session.graph, &Options::default()).await?;
    complete(&session, &mut plan, printer).await;
    let account = session.local.config.account_id.to_string();
    let region = session.local.config.region.to_string();
    let resources = session.graph.iter().count();
    if printer.json {
        printer.document(&json!({
            "format": 1,
            "ok": plan.refusals.is_empty(),
            "account": account,
            "region": region,
            "resources": resources,
            "refusals": plan.refusals,
        }));
    }
    if let Some(refusal) = plan.refusals.first() {
        let mut hint = refusal.hint.as_str();
        if !printer.json {
            show_refusals(printer, &plan);
            hint = REFUSED;
        }
        return Err(Refused::new("this would not work", hint));
    }
    if !printer.json {
        printer.result(&format!("Ready: {resources} resources for account {account} in {region}."));
    }
    Ok(Exit::Done)
}

/// What only the plan tells: whether there is room for what it makes, and whether AWS has the versions that it takes.
pub(crate) async fn complete(session: &Session, plan: &mut Plan, printer: &Printer) {
    quotas::check(session, plan, printer).await;
    versions::check(session, plan, printer).await;
}

/// Before there is a cluster nobody can try whether it answers here, but it is known who it will answer.
pub(crate) fn warn_private(session: &Session, printer: &Printer) {
    let cluster = &session.local.config.cluster;
    let to_come = !session.state.resources.values().any(|resource| resource.kind == Cluster::KIND);
    if cluster.enabled && !cluster.public_endpoint() && to_come {
        printer.warning(&format!(
            "the cluster's API will answer only inside its VPC: anywhere else, namespace {} and what lies in it cannot be \
             made. Everything else is; then {CLUSTER_UNREACHABLE}",
            cluster.namespace
        ));
    }
}

/// What opening the session has not checked yet (credentials, account and zones are).
pub(crate) async fn check(session: &Session, printer: &Printer) -> Result<()> {
    organization::check(session).await?;
    session.warn(printer);
    let config = &session.local.config;
    if !config.cluster.enabled {
        return Ok(());
    }
    warn_private(session, printer);
    if let (Support::Extended, standard) = cluster_version(&session.aws, config).await? {
        printer.warning(&format!(
            "Kubernetes {} is in extended support, which costs extra; in standard support are {standard}",
            config.cluster.version
        ));
    }
    Ok(())
}
