//! Looks at resources: one read per kind answers everyone who waits for that kind.

use crate::make::backoff;
use bedplate_model::{CallError, Class, Id, Kind, Seen, Which};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    select,
    sync::{Notify, oneshot},
    time::{Instant, sleep, sleep_until},
};

/// Who is due within this time joins a read that happens now.
const JOIN: Duration = Duration::from_millis(500);
/// For so long a read that AWS throttles or does not answer is repeated, beyond what the SDK does.
const PATIENCE: Duration = Duration::from_secs(60);

type Answer = Result<Option<Seen>, CallError>;

/// Gathers looks into reads.
#[derive(Debug, Default)]
pub(crate) struct Poller {
    queues: Mutex<BTreeMap<&'static str, Arc<Queue>>>,
}

#[derive(Debug, Default)]
struct Queue {
    tickets: AtomicU64,
    waiting: Mutex<Vec<Waiter>>,
    /// Woken when a new waiter may be due earlier.
    arrived: Notify,
    /// Held by the one waiter that reads for all. When it is dropped, the next one goes on.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Waiter {
    ticket: u64,
    id: Id,
    due: Instant,
    answer: oneshot::Sender<Answer>,
}

impl Poller {
    /// What AWS says of `id`, asked after `delay` at the latest; `None` when it does not exist.
    pub(crate) async fn look<C>(&self, kind: &dyn Kind<C>, cloud: &C, id: &Id, delay: Duration) -> Answer {
        let queue = {
            let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(queues.entry(kind.name()).or_default())
        };
        let (answer, mut mine) = oneshot::channel();
        let ticket = queue.tickets.fetch_add(1, Relaxed);
        queue.waiting().push(Waiter { ticket, id: id.clone(), due: Instant::now() + delay, answer });
        queue.arrived.notify_one();
        let _turn = select! {
            biased;
            Ok(answer) = &mut mine => return answer,
            turn = queue.turn.lock() => turn,
        };
        loop {
            if let Ok(answer) = mine.try_recv() {
                return answer;
            }
            queue.read_when_due(kind, cloud).await;
        }
    }
}

impl Queue {
    fn waiting(&self) -> std::sync::MutexGuard<'_, Vec<Waiter>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[expect(clippy::disallowed_methods, reason = "this is the poller")]
    async fn read_when_due<C>(&self, kind: &dyn Kind<C>, cloud: &C) {
        let due = self.waiting().iter().map(|waiter| waiter.due).min();
        let Some(due) = due else { return };
        if due > Instant::now() {
            select! {
                () = sleep_until(due) => {}
                () = self.arrived.notified() => return,
            }
        }
        let now = Instant::now() + JOIN;
        let asked: BTreeMap<u64, Id> = {
            let waiting = self.waiting();
            let due = waiting.iter().filter(|waiter| waiter.due <= now);
            due.map(|waiter| (waiter.ticket, waiter.id.clone())).collect()
        };
        let ids: Vec<Id> = asked.values().collect::<BTreeSet<_>>().into_iter().cloned().collect();
        let (started, mut retries) = (Instant::now(), 0);
        let result = loop {
            match kind.read(cloud, Which::Ids(&ids)).await {
                // Nothing is lost by asking again, and much by giving up a wait of minutes for one answer.
                Err(error)
                    if matches!(error.class, Class::Throttled | Class::Unreachable) && started.elapsed() < PATIENCE =>
                {
                    sleep(backoff(&mut retries)).await;
                }
                result => break result,
            }
        };
        // Who asked since may want to know what has changed since, even of the same resource.
        let answered: Vec<Waiter> =
            self.waiting().extract_if(.., |waiter| asked.contains_key(&waiter.ticket)).collect();
        for waiter in answered {
            let answer = match &result {
                Ok(seen) => Ok(seen.iter().find(|seen| seen.id == waiter.id).cloned()),
                Err(error) => Err(error.clone()),
            };
            // Who was dropped meanwhile wants no answer.
            _ = waiter.answer.send(answer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bedplate_model::{Creation, Entry, Observation, Observed, Phase, Readiness, Reconcile, Record, Resolved, Step};
    use futures_util::future::join_all;
    use std::sync::atomic::AtomicBool;
    use tokio::time::timeout;

    /// Counts what is read; each read takes a while and shows how things stood when it began.
    #[derive(Debug, Default)]
    struct Cloud {
        reads: Mutex<Vec<Vec<String>>>,
        fails: Mutex<Option<Class>>,
        busy: AtomicBool,
    }

    enum Thing {}

    #[derive(Clone, Debug, Record)]
    struct ThingSpec<P: Phase> {
        /// A word.
        word: P::Of<String>,
    }

    impl Reconcile for Thing {
        const KIND: &'static str = "test.thing";
        const DOC: &'static str = "A thing.";
        const CLOUDFORMATION: Option<&'static str> = None;
        const ACTIONS: &'static [&'static str] = &[];
        type Cloud = Cloud;
        type Spec<P: Phase> = ThingSpec<P>;
        type Outputs<P: Phase> = ThingSpec<P>;

        #[expect(clippy::disallowed_methods, reason = "a read takes time")]
        async fn read(cloud: &Cloud, which: Which<'_>) -> Result<Vec<Observation<Self>>, CallError> {
            let Which::Ids(ids) = which else { return Ok(Vec::new()) };
            cloud.reads.lock().unwrap().push(ids.iter().map(ToString::to_string).collect());
            let busy = cloud.busy.load(Relaxed);
            tokio::time::sleep(Duration::from_secs(2)).await;
            if let Some(class) = *cloud.fails.lock().unwrap() {
                return Err(CallError::local("test:Read", "No", "no", class));
            }
            let there = ids.iter().filter(|id| !id.as_str().starts_with("absent"));
            let readiness = if busy { Readiness::Busy("pending".to_owned()) } else { Readiness::Ready };
            Ok(there
                .map(|id| Observation {
                    id: id.clone(),
                    tags: None,
                    readiness: readiness.clone(),
                    spec: ThingSpec::<Observed> { word: None },
                    outputs: None,
                })
                .collect())
        }

        async fn create(_: &Cloud, _: &ThingSpec<Resolved>, _: &Creation) -> Result<Id, CallError> {
            unreachable!("looking makes nothing")
        }

        async fn update(_: &Cloud, _: &Step<'_, Self>) -> Result<(), CallError> {
            unreachable!("looking changes nothing")
        }

        async fn delete(_: &Cloud, _: &Id) -> Result<(), CallError> {
            unreachable!("looking removes nothing")
        }
    }

    static THING: Entry<Thing> = Entry::NEW;

    async fn look(poller: &Poller, cloud: &Cloud, id: &str, delay: u64) -> Answer {
        poller.look(&THING, cloud, &Id::new(id), Duration::from_secs(delay)).await
    }

    #[tokio::test(start_paused = true)]
    async fn one_read_answers_all_who_wait() {
        let (poller, cloud) = (Poller::default(), Cloud::default());
        let looks = ["a", "b", "absent", "a"].map(|id| look(&poller, &cloud, id, 10));
        let answers = join_all(looks).await;
        let there: Vec<bool> = answers.into_iter().map(|answer| answer.unwrap().is_some()).collect();
        assert_eq!(there, [true, true, false, true]);
        assert_eq!(*cloud.reads.lock().unwrap(), [["a", "absent", "b"]]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_due_earlier_is_answered_earlier() {
        let (poller, cloud) = (Poller::default(), Cloud::default());
        let started = Instant::now();
        let late = async { (look(&poller, &cloud, "late", 60).await.unwrap(), started.elapsed()) };
        let soon = async { (look(&poller, &cloud, "soon", 1).await.unwrap(), started.elapsed()) };
        let ((_, late), (_, soon)) = tokio::join!(late, soon);
        assert_eq!((late.as_secs(), soon.as_secs()), (62, 3));
        assert_eq!(*cloud.reads.lock().unwrap(), [["soon"], ["late"]]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_leader_that_is_dropped_does_not_block_the_others() {
        let (poller, cloud) = (Poller::default(), Cloud::default());
        // It is dropped while it waits, and another one in the middle of its read.
        for patience in [1, 6] {
            let leader = timeout(Duration::from_secs(patience), look(&poller, &cloud, "leader", 5));
            let other = timeout(Duration::from_secs(60), look(&poller, &cloud, "other", 5));
            let (leader, other) = tokio::join!(leader, other);
            assert!(leader.is_err());
            assert!(other.expect("it is answered").unwrap().is_some());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_read_fails_all_who_wait_for_it() {
        let (poller, cloud) = (Poller::default(), Cloud::default());
        *cloud.fails.lock().unwrap() = Some(Class::Denied);
        for answer in join_all(["a", "b"].map(|id| look(&poller, &cloud, id, 5))).await {
            assert_eq!(answer.unwrap_err().class, Class::Denied);
        }
        assert_eq!(cloud.reads.lock().unwrap().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_throttled_read_is_repeated_for_a_minute() {
        for class in [Class::Throttled, Class::Unreachable] {
            let (poller, cloud) = (Poller::default(), Cloud::default());
            *cloud.fails.lock().unwrap() = Some(class);
            let recovers = async {
                tokio::time::advance(Duration::from_secs(30)).await;
                *cloud.fails.lock().unwrap() = None;
            };
            let (answer, ()) = tokio::join!(look(&poller, &cloud, "a", 0), recovers);
            assert!(answer.unwrap().is_some(), "{class:?}");

            *cloud.fails.lock().unwrap() = Some(class);
            let started = Instant::now();
            assert_eq!(look(&poller, &cloud, "a", 0).await.unwrap_err().class, class);
            assert!((PATIENCE..PATIENCE * 2).contains(&started.elapsed()), "{:?}", started.elapsed());
        }
    }

    /// The answer of a read that began before the question may be out of date.
    #[tokio::test(start_paused = true)]
    async fn who_asks_during_a_read_is_answered_by_the_next_one() {
        let (poller, cloud) = (Poller::default(), Cloud::default());
        cloud.busy.store(true, Relaxed);
        let before = look(&poller, &cloud, "a", 0);
        let after = async {
            tokio::time::advance(Duration::from_secs(1)).await;
            cloud.busy.store(false, Relaxed);
            look(&poller, &cloud, "a", 0).await
        };
        let (before, after) = tokio::join!(before, after);
        assert_eq!(before.unwrap().unwrap().readiness, Readiness::Busy("pending".to_owned()));
        assert_eq!(after.unwrap().unwrap().readiness, Readiness::Ready);
    }
}
