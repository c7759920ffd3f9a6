//! `plan`

use super::preflight;
use crate::{
    args::{Globals, PlanArgs},
    exit::{Exit, Refused},
    organization,
    render::{Printer, plan_json, show_plan, warn_unseen},
    session::{self, Session},
};
use anyhow::{Context, Result};
use bedplate_model::Json;
use bedplate_plan::{Observations, Options, Plan, make};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A plan on disk, with the choices it was made from.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SavedPlan {
    pub(crate) plan: Plan,
    pub(crate) choices: BTreeMap<String, Json>,
}

pub(crate) async fn run(globals: &Globals, args: &PlanArgs, printer: &Printer) -> Result<Exit> {
    let session = Session::open(globals).await?;
    organization::check(&session).await?;
    let targets = session::targets(&args.targets.targets, &session.graph, &session.state)?;
    let options =
        Options { targets: targets.map(|targets| session.graph.with_dependencies(targets)), ..Options::default() };
    let plan = if args.no_refresh {
        make(&session.graph, &session.state, &Observations::believed(&session.state), &session.kinds, &options)?
    } else {
        session.plan(&session.graph, &options).await?
    };
    if printer.json {
        printer.document(&plan_json(&plan, &session.aws.ledger));
    } else {
        show_plan(printer, &plan, &session.kinds);
    }
    preflight::warn_private(&session, printer);
    warn_unseen(printer, &plan);
    if let Some(path) = &args.out {
        let saved = SavedPlan { choices: session.state.choices.clone(), plan: plan.clone() };
        let text = serde_json::to_vec_pretty(&saved).context("cannot write the plan as JSON")?;
        fs_err::write(path, text)?;
        printer.note(&format!("Saved; `bedplate apply {}` carries it out.", path.display()));
    }
    if let Some(refusal) = plan.refusals.first() {
        // Already shown in full.
        return Err(Refused::new("this plan cannot be applied", refusal.hint.clone()));
    }
    Ok(if args.detailed_exitcode && !plan.is_empty() { Exit::Pending } else { Exit::Done })
}
