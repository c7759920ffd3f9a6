//! What others leave behind when a resource goes, and what stands in the way of a removal.

use crate::{EffectError, Engine, Event, Kinds, SurveyError, effect::named, make::backoff};
use bedplate_model::{CallError, Class, Id, Kind, Outsider};
use bedplate_plan::{Change, Plan, Removal};
use bedplate_state::State;
use std::{collections::BTreeSet, time::Duration};
use tokio::time::Instant;

/// What AWS takes away by itself once its owner is gone, like the network interfaces of a load balancer, is gone by then.
const PATIENCE: Duration = Duration::from_secs(20 * 60);
/// After so many refusals it is worth asking who is in the way.
const REFUSALS: u32 = 2;
/// And again after this time.
const ASK: Duration = Duration::from_secs(30);

/// Adds to a plan what it will sweep, as far as it shows now. Changes nothing.
///
/// # Errors
/// When a read fails.
pub async fn foresee<C>(kinds: &Kinds<C>, cloud: &C, state: &State, plan: &mut Plan) -> Result<(), SurveyError> {
    for change in &mut plan.changes {
        let Some(kind) = kinds.get(&change.kind).filter(|kind| kind.leaves()) else { continue };
        let Some(recorded) = state.resources.get(&change.address) else { continue };
        for removal in change.removals.iter_mut().filter(|removal| removal.generation == recorded.generation) {
            let Some(id) = &removal.id else { continue };
            let left = kind.leftovers(cloud, id, &recorded.spec).await;
            removal.sweeps = left.map_err(|source| SurveyError::Call { kind: kind.name(), source })?;
        }
    }
    Ok(())
}

/// Asks now and then who is in the way of one removal, and says so when it is somebody else.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    refusals: u32,
    asked: Option<Instant>,
    said: Vec<Outsider>,
}

impl<C> Engine<'_, C> {
    /// Removes what others left behind under the name of a resource that is gone. As long as anything of it shows, the
    /// resource stays on record as being removed, so a run that is cut off here is followed by one that goes on here.
    pub(crate) async fn sweep(
        &self,
        change: &Change,
        removal: &Removal,
        kind: &dyn Kind<C>,
        id: &Id,
    ) -> Result<(), EffectError> {
        let spec = self.journal.read(|state| {
            let recorded = state.resources.get(&change.address)?;
            (kind.leaves() && recorded.generation == removal.generation).then(|| recorded.spec.clone())
        });
        let Some(spec) = spec else { return Ok(()) };
        let (started, mut retries, mut swept) = (Instant::now(), 0, BTreeSet::new());
        let (mut watch, patience) = (Watch::default(), self.within_patience(PATIENCE));
        loop {
            let left = kind.leftovers(self.cloud, id, &spec).await?;
            if left.is_empty() {
                return Ok(());
            }
            let mut refused = None;
            for leftover in &left {
                self.interrupted()?;
                match self.slot(kind.name(), kind.sweep(self.cloud, leftover)).await {
                    Ok(()) if swept.insert(leftover.id.clone()) => {
                        self.events.event(Event::Swept { address: &change.address, leftover });
                    }
                    Ok(()) => {}
                    Err(error) if error.class == Class::NotFound => {}
                    Err(error) if matches!(error.class, Class::Busy | Class::NotYet | Class::Throttled) => {
                        self.events.event(Event::Retrying { address: &change.address, error: &error });
                        refused.get_or_insert((error, &leftover.id));
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            let after = started.elapsed();
            match refused {
                Some((call, id)) if after >= patience => return Err(self.given_up(kind, id, call).await),
                Some((_, id)) => self.ask(&mut watch, change, kind, id).await,
                None if after >= patience => {
                    return Err(EffectError::Deadline { after, state: format!("{} exists", named(&left)) });
                }
                None => {}
            }
            self.pause(backoff(&mut retries)).await?;
        }
    }

    /// A removal was refused. Says who is in the way now and then, when that is not what was said last.
    pub(crate) async fn ask(&self, watch: &mut Watch, change: &Change, kind: &dyn Kind<C>, id: &Id) {
        watch.refusals += 1;
        if watch.refusals < REFUSALS || watch.asked.is_some_and(|asked| asked.elapsed() < ASK) {
            return;
        }
        watch.asked = Some(Instant::now());
        let by = self.holders(kind, id).await;
        if !by.is_empty() && by != watch.said {
            self.events.event(Event::Held { address: &change.address, by: &by });
            watch.said = by;
        }
    }

    /// Why a removal is given up that was refused for the last time.
    pub(crate) async fn given_up(&self, kind: &dyn Kind<C>, id: &Id, call: CallError) -> EffectError {
        let by = self.holders(kind, id).await;
        if by.is_empty() { EffectError::Call(call) } else { EffectError::Held { call: Box::new(call), by } }
    }

    /// Who may not look, or looks in vain, learns no names. The removal goes its way all the same.
    async fn holders(&self, kind: &dyn Kind<C>, id: &Id) -> Vec<Outsider> {
        kind.holders(self.cloud, id).await.unwrap_or_default()
    }
}
