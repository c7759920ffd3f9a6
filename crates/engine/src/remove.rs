//! Removes a resource.

use crate::{
    EffectError, Engine, Event,
    make::{backoff, words},
    sweep::Watch,
};
use bedplate_model::{Address, Class, Id, Kind, Owner, Readiness};
use bedplate_plan::{Change, Removal};
use bedplate_state::Status;
use std::time::Duration;
use tokio::time::Instant;

/// A removed resource that still looks untouched after this time is removed again.
const AGAIN: Duration = Duration::from_secs(30);

impl<C> Engine<'_, C> {
    /// Carries out one [`Removal`].
    pub(crate) async fn remove(&self, change: &Change, removal: &Removal) -> Result<(), EffectError> {
        let address = &change.address;
        if removal.goes_with.is_some() {
            return Ok(self.journal.record(|state| state.deleted(address, removal.generation)).await?);
        }
        let kind = self.kind(&change.kind)?;
        let id = match &removal.id {
            Some(id) => Some(id.clone()),
            None => self.cut_off_make(address, removal, kind).await?,
        };
        if let Some(id) = &id {
            self.journal.record(|state| state.begin_delete(address, removal.generation)).await?;
            if removal.unprotect {
                // A run that was cut off may have lifted it already, which reads show late.
                let lift = || async {
                    let lifted = kind.unprotect(self.cloud, id).await;
                    lifted.or_else(|error| if error.class == Class::AlreadyExists { Ok(()) } else { Err(error) })
                };
                self.insist(change, kind, id, lift).await?;
            }
            if removal.discard {
                self.insist(change, kind, id, || kind.discard(self.cloud, id)).await?;
            }
            self.insist(change, kind, id, || kind.delete(self.cloud, id)).await?;
            self.until_gone(change, kind, id).await?;
            self.sweep(change, removal, kind, id).await?;
        }
        self.journal.record(|state| state.deleted(address, removal.generation)).await?;
        Ok(())
    }

    /// What was being made when a run was cut off, and was not seen yet because reads lag behind creates.
    async fn cut_off_make(
        &self,
        address: &Address,
        removal: &Removal,
        kind: &dyn Kind<C>,
    ) -> Result<Option<Id>, EffectError> {
        let sent = self.journal.read(|state| {
            let recorded = state.resources.get(address)?;
            let same = recorded.generation == removal.generation && recorded.status == Status::Creating;
            (same && recorded.id.is_none()).then(|| recorded.spec.clone())
        });
        let Some(sent) = sent else { return Ok(None) };
        let owner = Owner { stack: self.stack.clone(), address: address.clone(), generation: removal.generation };
        self.half_made(kind, &owner, &sent).await
    }

    /// Repeats a call as long as something else is in its way.
    async fn insist<'a, F>(
        &self,
        change: &Change,
        kind: &dyn Kind<C>,
        id: &Id,
        call: impl Fn() -> F,
    ) -> Result<(), EffectError>
    where
        F: Future<Output = Result<(), bedplate_model::CallError>> + 'a,
    {
        let (started, mut retries, mut watch) = (Instant::now(), 0, Watch::default());
        loop {
            match self.slot(kind.name(), call()).await {
                Ok(()) => return Ok(()),
                Err(error) if error.class == Class::NotFound => return Ok(()),
                Err(error) if matches!(error.class, Class::Busy | Class::NotYet | Class::Throttled) => {
                    if started.elapsed() >= self.deadline(kind) {
                        return Err(self.given_up(kind, id, error).await);
                    }
                    self.events.event(Event::Retrying { address: &change.address, error: &error });
                    self.ask(&mut watch, change, kind, id).await;
                    self.pause(backoff(&mut retries)).await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn until_gone(&self, change: &Change, kind: &dyn Kind<C>, id: &Id) -> Result<(), EffectError> {
        let address = &change.address;
        let (pace, deadline) = (kind.pace(), self.deadline(kind));
        let (started, mut asked) = (Instant::now(), Instant::now());
        let mut delay = Duration::ZERO;
        loop {
            let seen = tokio::select! {
                biased;
                seen = self.poller.look(kind, self.cloud, id, delay) => seen?,
                () = self.cancel.cancelled(), if !delay.is_zero() => return Err(EffectError::Interrupted),
            };
            let Some(seen) = seen.filter(|seen| seen.readiness != Readiness::Gone) else { return Ok(()) };
            let (state, elapsed) = (words(&seen.readiness), started.elapsed());
            if elapsed > deadline {
                return Err(EffectError::Deadline { after: elapsed, state });
            }
            match &seen.readiness {
                Readiness::Busy(_) => {
                    self.events.event(Event::Waiting { address, state: &state, elapsed, expected: pace.expected });
                }
                _ if asked.elapsed() > AGAIN => {
                    self.insist(change, kind, id, || kind.delete(self.cloud, id)).await?;
                    asked = Instant::now();
                }
                _ => {}
            }
            delay = pace.poll.min(elapsed / 8).max(Duration::from_millis(250).min(pace.poll));
        }
    }
}
