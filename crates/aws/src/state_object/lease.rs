//! The lock: an object that its holder writes again and again. Who wants it watches: an object that stands still for the
//! length of the lease has no holder any more. No clock is compared with another machine's.

use super::{Object, is_conflict};
use bedplate_model::CallError;
use bedplate_state::{Held, Holder, Lease, Liveness, Lock, Moment, StoreError, Tell};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};
use tokio::{
    runtime::Handle,
    sync::oneshot,
    task::{JoinHandle, block_in_place},
    time::{Instant, interval, interval_at, timeout},
};

/// A lock that stands still for so long is nobody's: a dead holder is in the way for less than a minute.
const LEASE: Duration = Duration::from_secs(30);
/// A holder that could not write it for so long counts itself out, well before anybody else may.
const TERM: Duration = Duration::from_secs(25);
/// How often it is written.
const HEARTBEAT: Duration = Duration::from_secs(8);
/// How soon a write that failed is repeated, and how often a lock is looked at by who waits for it.
const AGAIN: Duration = Duration::from_secs(2);
/// How long one write may take.
const PATIENCE: Duration = Duration::from_secs(6);
/// The version of the object's format.
const FORMAT: u32 = 1;

/// What the object says.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    format: u32,
    /// Another one each time that the lock is taken.
    nonce: String,
    /// Counts the writes, so that each changes the object.
    beat: u64,
    /// `None` once it was given back.
    holder: Option<Holder>,
}

impl Note {
    fn new(holder: Option<Holder>) -> Self {
        Self { format: FORMAT, nonce: uuid::Uuid::new_v4().to_string(), beat: 0, holder }
    }

    /// What somebody wrote; `None` where that cannot be read. Then it is somebody's all the same.
    fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("plain data with text keys")
    }

    fn liveness(&self) -> Liveness {
        self.holder.as_ref().map_or(Liveness::Dead, Holder::liveness)
    }
}

/// Takes the lock, from a dead holder, too.
pub(super) async fn take(object: &Object, place: &str, holder: &Holder, tell: Tell<'_>) -> Result<Lock, StoreError> {
    let remote = |error: CallError| StoreError::Remote { what: "lock", place: place.to_owned(), source: error.into() };
    let mine = Note::new(Some(holder.clone()));
    let mut asked = Moment::now();
    let mut watched: Option<(String, Instant)> = None;
    let mut looks = interval(AGAIN);
    loop {
        looks.tick().await;
        let found = object.get().await.map_err(remote)?;
        if let Some((etag, bytes)) = &found {
            let note = Note::read(bytes);
            let by = Held::by(note.as_ref().and_then(|note| note.holder.as_ref()), Liveness::Elsewhere).by;
            match note.as_ref().map_or(Liveness::Elsewhere, Note::liveness) {
                // The answer to our own write was lost.
                _ if note.as_ref().is_some_and(|note| note.nonce == mine.nonce) => {
                    return Ok(hold(object, mine, etag.clone(), asked));
                }
                Liveness::Alive => return Err(StoreError::Locked { place: place.to_owned(), holder: by }),
                Liveness::Dead => {}
                Liveness::Elsewhere => match &watched {
                    None => {
                        tell(&format!(
                            "The state at {place} is locked by {by}. Looking for up to {} s whether it lives.",
                            LEASE.as_secs()
                        ));
                        watched = Some((etag.clone(), Instant::now()));
                        continue;
                    }
                    Some((before, _)) if before != etag => {
                        return Err(StoreError::Locked { place: place.to_owned(), holder: by });
                    }
                    Some((_, since)) if since.elapsed() < LEASE => continue,
                    Some(_) => tell("It does not: the lock is taken over."),
                },
            }
        }
        asked = Moment::now();
        match object.put(&mine.bytes(), found.as_ref().map(|(etag, _)| etag.as_str())).await {
            Ok(etag) => return Ok(hold(object, mine, etag, asked)),
            // Somebody was faster.
            Err(error) if is_conflict(&error) => {}
            Err(error) => return Err(remote(error)),
        }
    }
}

/// Who holds the lock.
pub(super) async fn held(object: &Object) -> Result<Option<Held>, CallError> {
    let Some((_, bytes)) = object.get().await? else { return Ok(None) };
    Ok(match Note::read(&bytes) {
        Some(Note { holder: None, .. }) => None,
        Some(note) => Some(Held::by(note.holder.as_ref(), note.liveness())),
        None => Some(Held::by(None, Liveness::Elsewhere)),
    })
}

/// Takes the lock away from its holder, who notices with its next write.
pub(super) async fn free(object: &Object) -> Result<(), CallError> {
    let Some((etag, _)) = object.get().await? else { return Ok(()) };
    object.put(&Note::new(None).bytes(), Some(&etag)).await.map(drop)
}

fn hold(object: &Object, note: Note, etag: String, since: Moment) -> Lock {
    let lease = Lease::from(since, TERM);
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(keep(object.clone(), note, etag, Arc::clone(&lease), stopped));
    Lock::new(lease, Keeper { stop: Some(stop), task: Some(task) })
}

/// Writes the lock until it is told to stop, then gives it back.
async fn keep(object: Object, mut note: Note, mut etag: String, lease: Arc<Lease>, mut stopped: oneshot::Receiver<()>) {
    let mut beats = interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            _ = beats.tick() => {}
        }
        note.beat += 1;
        let asked = Moment::now();
        match timeout(PATIENCE, object.put(&note.bytes(), Some(&etag))).await {
            Ok(Ok(written)) => {
                etag = written;
                lease.renew(asked, TERM);
            }
            Ok(Err(error)) if is_conflict(&error) => match timeout(PATIENCE, object.get()).await {
                // The answer to an earlier write was lost.
                Ok(Ok(Some((there, bytes)))) if Note::read(&bytes).is_some_and(|there| there.nonce == note.nonce) => {
                    etag = there;
                    beats.reset_immediately();
                }
                Ok(Ok(_)) => return lease.lose(),
                _ => beats.reset_after(AGAIN),
            },
            _ => beats.reset_after(AGAIN),
        }
    }
    note.holder = None;
    // If that fails, it stands still from now on, which says the same later.
    _ = timeout(PATIENCE, object.put(&note.bytes(), Some(&etag))).await;
}

/// Gives the lock back when it is dropped.
#[derive(Debug)]
struct Keeper {
    stop: Option<oneshot::Sender<()>>,
    task: Option<JoinHandle<()>>,
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let (Some(task), Ok(runtime)) = (self.task.take(), Handle::try_current()) {
            // The process would end before the lock is given back, and the next run would have to wait.
            _ = block_in_place(|| runtime.block_on(timeout(PATIENCE * 2, task)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_holder_is_in_the_way_for_less_than_a_minute_and_a_living_one_never_loses_it_to_time() {
        assert!(LEASE + AGAIN * 2 < Duration::from_secs(60));
        // It counts itself out before anybody else may take it, also when the last call it sends takes its time.
        assert!(TERM < LEASE);
        // Several writes may fail.
        assert!(HEARTBEAT + 2 * (PATIENCE + AGAIN) < TERM);
    }

    #[test]
    fn a_note_survives_its_bytes_and_rubbish_is_none() {
        let note = Note::new(Some(Holder::this_process("apply", "noon")));
        let read = Note::read(&note.bytes()).unwrap();
        assert_eq!((read.nonce, read.holder), (note.nonce, note.holder));
        assert!(Note::read(b"{").is_none());
    }
}
