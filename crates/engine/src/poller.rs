//! Looks at resources: one read per kind answers everyone who waits for that kind.

use bedplate_model::{CallError, Id, Kind, Seen, Which};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    select,
    sync::{Notify, oneshot},
    time::{Instant, sleep_until},
};

/// Who is due within this time joins a read that happens now.
const JOIN: Duration = Duration::from_millis(500);

type Answer = Result<Option<Seen>, CallError>;

/// Gathers looks into reads.
#[derive(Debug, Default)]
pub(crate) struct Poller {
    queues: Mutex<BTreeMap<&'static str, Arc<Queue>>>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<Vec<Waiter>>,
    /// Woken when a new waiter may be due earlier.
    arrived: Notify,
    /// Held by the one waiter that reads for all. When it is dropped, the next one goes on.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Waiter {
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
        queue.waiting().push(Waiter { id: id.clone(), due: Instant::now() + delay, answer });
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
        let ids: Vec<Id> = {
            let waiting = self.waiting();
            waiting.iter().filter(|waiter| waiter.due <= now).map(|waiter| waiter.id.clone()).collect()
        };
        let result = kind.read(cloud, Which::Ids(&ids)).await;
        let answered: Vec<Waiter> = self.waiting().extract_if(.., |waiter| ids.contains(&waiter.id)).collect();
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
