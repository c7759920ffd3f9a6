//! Questions that do not wait for each other's answers.

use bedplate_model::CallError;
use futures_util::{StreamExt, TryStreamExt, stream};

/// How many questions of one read are under way at the same time.
const AT_ONCE: usize = 16;

/// Asks all of them, several at a time, and gives the answers in the order of the questions. What AWS tells of one thing at a
/// time would otherwise take as many round trips as there are things.
///
/// # Errors
/// The first one; what is still under way is given up.
pub(crate) fn at_once<T, F>(questions: impl IntoIterator<Item = F>) -> impl Future<Output = Result<Vec<T>, CallError>>
where
    F: Future<Output = Result<T, CallError>>,
{
    // Collected here: an iterator kept across an await would have to be `Send` for every lifetime.
    let questions: Vec<F> = questions.into_iter().collect();
    stream::iter(questions).buffered(AT_ONCE).try_collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bedplate_model::Class;
    use std::time::Duration;
    use tokio::time::{Instant, sleep};

    #[tokio::test(start_paused = true)]
    #[expect(clippy::disallowed_methods, reason = "the clock of a test stands still")]
    async fn answers_come_in_order_and_together() {
        let began = Instant::now();
        let ask = |seconds| async move {
            sleep(Duration::from_secs(seconds)).await;
            Ok(seconds)
        };
        assert_eq!(at_once([3, 1, 2].map(ask)).await.unwrap(), [3, 1, 2]);
        assert_eq!(began.elapsed().as_secs(), 3);
        assert_eq!(at_once((0..2 * AT_ONCE).map(|_| ask(1))).await.unwrap().len(), 2 * AT_ONCE);
        assert_eq!(began.elapsed().as_secs(), 3 + 2, "no more than so many at a time");
    }

    #[tokio::test]
    async fn one_failure_is_the_failure_of_all() {
        let error = CallError::local("o", "c", "m", Class::Invalid);
        let questions = [Ok(1), Err(error), Ok(3)].map(std::future::ready);
        assert_eq!(at_once(questions).await.unwrap_err().code, "c");
    }
}
