//! `drift`: what differs in AWS from what was last applied.

use super::apply;
use crate::{
    args::{DriftArgs, Globals},
    exit::{Exit, Refused},
    render::{Printer, plan_json, show_ledger, show_plan, warn_unseen},
    session::{Local, Session},
};
use anyhow::Result;
use bedplate_plan::{Change, Plan};

pub(crate) async fn run(globals: &Globals, args: &DriftArgs, printer: &Printer) -> Result<Exit> {
    let local = match args.repair {
        true => Local::open_locked(globals, "drift --repair").await?,
        false => Local::open(globals).await?,
    };
    if local.saved.is_none() {
        return Err(Refused::new("nothing was applied yet, so nothing can have drifted", "run `bedplate bootstrap`"));
    }
    let session = Session::connect(globals, local).await?;
    let mut plan = session.audit().await?;
    plan.changes.retain(drifted);
    plan.refusals.retain(|refusal| plan.changes.iter().any(|change| change.address == refusal.address));
    if args.repair {
        let (exit, _) =
            apply::carry_out(&session, &plan, "Put this back?", args.consent.yes, "repair", printer).await?;
        return Ok(exit);
    }
    show(printer, &plan, &session);
    warn_unseen(printer, &plan);
    Ok(if plan.is_empty() { Exit::Done } else { Exit::Pending })
}

/// Whether something outside bedplate is the cause: a changed field, or a resource that is gone.
pub(super) fn drifted(change: &Change) -> bool {
    change.fields.iter().any(|field| field.drift) || change.reason == bedplate_plan::DELETED_OUTSIDE
}

fn show(printer: &Printer, plan: &Plan, session: &Session) {
    if printer.json {
        printer.document(&plan_json(plan, &session.kinds, &session.aws.ledger));
    } else if plan.is_empty() {
        let what = if plan.unseen.is_empty() { "everything" } else { "everything that could be looked at" };
        printer.result(&format!("No drift: {what} is as it was last applied."));
    } else {
        show_plan(printer, plan, &session.kinds);
    }
    show_ledger(printer, &session.aws.ledger);
}
