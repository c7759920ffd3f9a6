//! For calls that AWS would carry out twice.

use aws_smithy_runtime_api::client::{
    interceptors::context::InterceptorContext,
    retries::classifiers::{ClassifyRetry, RetryAction, RetryClassifierPriority, RetryReason},
};
use aws_smithy_types::retry::ErrorKind;

/// Keeps the SDK from repeating a call of whose end nothing is known: after a timeout or a server's error it may have
/// been carried out. For creates that take no client token and no name that would be refused the second time. The engine
/// then looks for what it made by its tags. Throttled calls were not carried out and are repeated.
#[derive(Debug)]
pub(crate) struct Once;

impl ClassifyRetry for Once {
    fn classify_retry(&self, _: &InterceptorContext) -> RetryAction {
        RetryAction::NoActionIndicated
    }

    fn classify_retry_v2(&self, _: &InterceptorContext, previous: &RetryAction) -> RetryAction {
        match previous {
            RetryAction::RetryIndicated(RetryReason::RetryableError { kind: ErrorKind::ThrottlingError, .. }) => {
                RetryAction::NoActionIndicated
            }
            _ => RetryAction::RetryForbidden,
        }
    }

    fn name(&self) -> &'static str {
        "once"
    }

    fn priority(&self) -> RetryClassifierPriority {
        // After all that have an opinion.
        RetryClassifierPriority::run_after(RetryClassifierPriority::modeled_as_retryable_classifier())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_smithy_runtime_api::client::interceptors::context::Input;

    #[test]
    fn only_what_was_throttled_is_repeated() {
        let context = InterceptorContext::new(Input::doesnt_matter());
        let after = |previous| Once.classify_retry_v2(&context, &previous);
        assert_eq!(after(RetryAction::throttling_error()), RetryAction::NoActionIndicated);
        assert_eq!(after(RetryAction::transient_error()), RetryAction::RetryForbidden);
        assert_eq!(after(RetryAction::server_error()), RetryAction::RetryForbidden);
    }
}
