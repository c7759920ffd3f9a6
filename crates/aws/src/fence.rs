//! Keeps calls back that change something, once another process may work on the same stack.

use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{Intercept, context::BeforeTransmitInterceptorContextRef, dyn_dispatch_hint},
        orchestrator::Metadata,
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::config_bag::ConfigBag;
use std::{
    fmt,
    sync::{Arc, OnceLock},
};

/// How the names of operations begin that change nothing.
const READS: &[&str] = &["Describe", "List", "Get", "Head", "BatchGet", "Simulate", "Lookup", "Query", "Search"];

/// Whether changes are allowed, asked before every attempt of every call. Open until it is guarded.
///
/// The engine begins nothing when the lock on the state is lost. Between its look and the call there may be retries and
/// waits, or the machine may have slept for an hour: this is the last place to stop it.
#[derive(Clone, Default)]
pub struct Fence(Arc<OnceLock<Guard>>);

type Guard = Box<dyn Fn() -> bool + Send + Sync>;

impl Fence {
    /// From now on, calls that change something are sent only while `allowed` says so.
    pub fn guard(&self, allowed: impl Fn() -> bool + Send + Sync + 'static) {
        _ = self.0.set(Box::new(allowed));
    }

    /// Whether a call may be sent now.
    pub(crate) fn lets_through(&self, operation: &str) -> bool {
        reads(operation) || self.0.get().is_none_or(|allowed| allowed())
    }

    /// The same, with an error that says why not.
    pub(crate) fn check(&self, operation: &str) -> Result<(), BoxError> {
        match self.lets_through(operation) {
            true => Ok(()),
            false => Err("not sent: the lock on the state was lost, and another process may work on the stack".into()),
        }
    }
}

/// Whether an operation changes nothing.
pub(crate) fn reads(operation: &str) -> bool {
    READS.iter().any(|read| operation.starts_with(read))
}

impl fmt::Debug for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fence").field("guarded", &self.0.get().is_some()).finish()
    }
}

#[dyn_dispatch_hint]
impl Intercept for Fence {
    fn name(&self) -> &'static str {
        "fence"
    }

    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        config.load::<Metadata>().map_or(Ok(()), |metadata| self.check(metadata.name()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

    #[test]
    fn only_reads_pass_once_the_lock_is_lost() {
        let fence = Fence::default();
        assert!(fence.lets_through("CreateVpc"));
        let held = Arc::new(AtomicBool::new(true));
        let allowed = Arc::clone(&held);
        // A clone in every client.
        fence.clone().guard(move || allowed.load(SeqCst));
        assert!(fence.lets_through("CreateVpc"));
        held.store(false, SeqCst);
        for operation in ["CreateVpc", "DeleteVpc", "PutObject", "AssumeRole", "TagResource"] {
            assert!(!fence.lets_through(operation), "{operation}");
        }
        for operation in ["DescribeVpcs", "GetCallerIdentity", "ListClusters", "HeadBucket"] {
            assert!(fence.lets_through(operation), "{operation}");
        }
    }
}
