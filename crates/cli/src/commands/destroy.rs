//! `destroy`: everything this stack owns, in reverse order.

use super::apply;
use crate::{
    args::{DestroyArgs, Globals},
    exit::{Exit, Refused},
    render::Printer,
    session::{self, Local, Session},
};
use anyhow::Result;
use bedplate_aws::s3::Bucket;
use bedplate_model::{Address, Reconcile};
use bedplate_plan::{Graph, Options};
use bedplate_state::State;
use std::collections::BTreeSet;

pub(crate) async fn run(globals: &Globals, args: &DestroyArgs, printer: &Printer) -> Result<Exit> {
    let local = Local::open_locked(globals, "destroy").await?;
    // What is ours says so itself: without a state it goes all the same.
    let session = Session::open_or_find(globals, local, printer).await?;
    let chosen = session::targets(&args.targets.targets, &session.graph, &session.state)?;
    let options = Options {
        targets: chosen.map(|chosen| with_dependents(&session.state, chosen)),
        lift_protection: args.lift_protection,
    };
    let nothing: Graph = session.graph.emptied();
    let mut plan = session.plan(&nothing, &options).await?;
    for change in &mut plan.changes {
        for removal in &mut change.removals {
            // What a bucket holds is what keeps it from removal.
            removal.unprotect |= args.empty_buckets && change.kind == Bucket::KIND;
            removal.discard = args.skip_final_snapshot;
        }
    }
    if session.local.config.is_production() && !args.lift_protection && !plan.is_empty() {
        let protected: Vec<String> =
            plan.refusals.iter().map(|refusal| format!("  {}: {}", refusal.address, refusal.problem)).collect();
        let each = if protected.is_empty() { String::new() } else { format!(":\n{}", protected.join("\n")) };
        return Err(Refused::new(
            format!(
                "{} is a production stack and protected; nothing was touched. It has {} resources{}{each}",
                session.graph.stack(),
                plan.changes.len(),
                if protected.is_empty() { "" } else { ", and some are protected by AWS itself" },
            ),
            "if it really shall go, run the same command with --lift-protection",
        ));
    }
    let (exit, _) = apply::carry_out(
        &session,
        &plan,
        "Remove all this? There is no way back.",
        args.consent.yes,
        "destroy",
        printer,
    )
    .await?;
    Ok(exit)
}

/// `chosen` and everything that depends on them, as recorded.
fn with_dependents(state: &State, chosen: BTreeSet<Address>) -> BTreeSet<Address> {
    let mut reached = chosen;
    loop {
        let next: Vec<Address> = state
            .resources
            .iter()
            .filter(|(address, recorded)| !reached.contains(*address) && !recorded.depends_on.is_disjoint(&reached))
            .map(|(address, _)| address.clone())
            .collect();
        if next.is_empty() {
            return reached;
        }
        reached.extend(next);
    }
}
