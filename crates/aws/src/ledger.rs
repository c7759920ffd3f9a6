//! The ledger: every request that was sent, by operation, and every call that is over, for whoever listens.

use crate::http::Call;
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{
            Intercept,
            context::{
                AfterDeserializationInterceptorContextRef, BeforeSerializationInterceptorContextRef,
                BeforeTransmitInterceptorContextMut, FinalizerInterceptorContextRef,
            },
            dyn_dispatch_hint,
        },
        orchestrator::Metadata,
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};
use aws_types::request_id::RequestId;
use serde::Serialize;
use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// Counts requests by operation, and how close together those of one service were, and tells a listener how each call went.
#[derive(Clone, Debug, Default)]
pub struct Ledger(Arc<Mutex<Book>>);

#[derive(Debug, Default)]
struct Book {
    entries: BTreeMap<String, Entry>,
    peaks: BTreeMap<String, Peak>,
    /// Who is told what is over.
    listener: Option<Weak<dyn Listener>>,
    /// What was over while nobody listened.
    untold: Vec<Called>,
}

/// How a call went that is over: nothing of what was asked or answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Called {
    /// `ec2:CreateVpc`.
    pub operation: String,
    /// AWS's name for the last attempt, which its support asks for; of a cluster's API the audit id. `None` when nothing was
    /// answered.
    pub request_id: Option<String>,
    /// The HTTP status of the last attempt. `None` when nothing was answered.
    pub status: Option<u16>,
    /// How often it was tried; never 0.
    pub attempts: u64,
    /// When it began.
    pub began: Instant,
    /// How long it took, with the pauses before attempts.
    pub took: Duration,
}

/// Is told of every call.
pub trait Listener: fmt::Debug + Send + Sync {
    /// A call is over, whatever came of it.
    fn called(&self, call: &Called);
}

/// What one operation took.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Entry {
    /// Requests sent, retries included.
    pub calls: u64,
    /// Those of them that repeated an earlier one.
    pub retries: u64,
    /// Bytes that AWS answered with, without headers.
    pub bytes: u64,
    /// Seconds spent waiting for answers, the pauses before retries included. Calls that wait at the same time count
    /// each.
    pub waited: f64,
    /// Seconds of them that requests were held back before they were sent, so as not to exceed AWS's rates.
    pub held_back: f64,
}

/// The requests of one second.
#[derive(Debug, Default)]
struct Peak {
    last_second: VecDeque<Instant>,
    most: usize,
}

/// When a call began and how often it was sent, kept with the call.
#[derive(Debug)]
struct Running {
    began: Instant,
    sent: Arc<AtomicU64>,
}

impl Storable for Running {
    type Storer = StoreReplace<Self>;
}

impl Ledger {
    /// Requests sent so far, by `service:Operation`.
    pub fn calls(&self) -> BTreeMap<String, u64> {
        self.book().entries.iter().map(|(operation, entry)| (operation.clone(), entry.calls)).collect()
    }

    /// What each operation took so far, by `service:Operation`.
    pub fn entries(&self) -> BTreeMap<String, Entry> {
        self.book().entries.clone()
    }

    /// The most requests that a service got within one second, by service.
    pub fn peaks(&self) -> BTreeMap<String, usize> {
        self.book().peaks.iter().map(|(service, peak)| (service.clone(), peak.most)).collect()
    }

    /// Tells this one of every call from now on, for as long as somebody keeps it, and at once of those that were over
    /// before and that nobody was told of.
    pub fn tell(&self, listener: &Arc<impl Listener + 'static>) {
        let listener: Arc<dyn Listener> = listener.clone();
        let untold = {
            let mut book = self.book();
            book.listener = Some(Arc::downgrade(&listener));
            std::mem::take(&mut book.untold)
        };
        untold.iter().for_each(|call| listener.called(call));
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a request that is sent now and was held back before.
    pub(crate) fn sent(&self, service: &str, operation: &str, again: bool, held: Duration) {
        self.sent_at(service, operation, again, held, Instant::now());
    }

    fn sent_at(&self, service: &str, operation: &str, again: bool, held: Duration, now: Instant) {
        let mut book = self.book();
        let entry = book.entries.entry(format!("{service}:{operation}")).or_default();
        entry.calls += 1;
        entry.retries += u64::from(again);
        entry.held_back += held.as_secs_f64();
        book.peaks.entry(service.to_owned()).or_default().add(now);
    }

    /// Counts what was answered to a request.
    pub(crate) fn answered(&self, service: &str, operation: &str, bytes: usize) {
        self.book().entries.entry(format!("{service}:{operation}")).or_default().bytes += bytes as u64;
    }

    /// Takes note of a call that is over.
    pub(crate) fn over(&self, call: Called) {
        let mut book = self.book();
        book.entries.entry(call.operation.clone()).or_default().waited += call.took.as_secs_f64();
        match book.listener.as_ref().and_then(Weak::upgrade) {
            None => book.untold.push(call),
            Some(listener) => {
                // Whoever listens may take its time, or look into the ledger.
                drop(book);
                listener.called(&call);
            }
        }
    }
}

impl Peak {
    fn add(&mut self, now: Instant) {
        while self.last_second.front().is_some_and(|then| now.duration_since(*then) >= Duration::from_secs(1)) {
            self.last_second.pop_front();
        }
        self.last_second.push_back(now);
        self.most = self.most.max(self.last_second.len());
    }
}

#[dyn_dispatch_hint]
impl Intercept for Ledger {
    fn name(&self) -> &'static str {
        "ledger"
    }

    fn read_before_execution(
        &self,
        _context: &BeforeSerializationInterceptorContextRef<'_>,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        config.interceptor_state().store_put(Running { began: Instant::now(), sent: Arc::default() });
        Ok(())
    }

    // It is counted when it has had its turn and really is sent.
    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Some((service, operation)) = name(config) else { return Ok(()) };
        let sent = config.load::<Running>().map(|running| Arc::clone(&running.sent)).unwrap_or_default();
        context.request_mut().add_extension(Call { service, operation, sent });
        Ok(())
    }

    // Only now the body has been read as a whole.
    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let bytes = context.response().body().bytes().map_or(0, <[u8]>::len);
        if let Some((service, operation)) = name(config) {
            self.answered(&service, &operation, bytes);
        }
        Ok(())
    }

    fn read_after_execution(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Some(Running { began, sent }) = config.load::<Running>() else { return Ok(()) };
        let attempts = sent.load(Relaxed);
        if let (Some((service, operation)), 1..) = (name(config), attempts) {
            self.over(Called {
                operation: format!("{service}:{operation}"),
                request_id: context.response().and_then(RequestId::request_id).map(str::to_owned),
                status: context.response().map(|response| response.status().as_u16()),
                attempts,
                began: *began,
                took: began.elapsed(),
            });
        }
        Ok(())
    }
}

/// Service and operation of a call.
fn name(config: &ConfigBag) -> Option<(String, String)> {
    let metadata = config.load::<Metadata>()?;
    Some((prefix(metadata.service()), metadata.name().to_owned()))
}

/// The service as IAM actions name it, from the SDK's name for it.
pub(crate) fn prefix(service: &str) -> String {
    match service {
        "CloudWatch Logs" | "cloudwatchlogs" => "logs".to_owned(),
        "Application Auto Scaling" | "applicationautoscaling" => "application-autoscaling".to_owned(),
        "Cost Explorer" | "costexplorer" => "ce".to_owned(),
        "Cost and Usage Report Service" | "costandusagereport" => "cur".to_owned(),
        "Resource Groups Tagging API" | "resourcegroupstagging" => "tag".to_owned(),
        // Both versions of the API share their actions.
        "Elastic Load Balancing" | "Elastic Load Balancing v2" | "elasticloadbalancingv2" => {
            "elasticloadbalancing".to_owned()
        }
        other => other.to_lowercase().replace(' ', ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn called(operation: &str) -> Called {
        Called {
            operation: operation.to_owned(),
            request_id: Some("id".to_owned()),
            status: Some(200),
            attempts: 1,
            began: Instant::now(),
            took: Duration::from_millis(500),
        }
    }

    #[derive(Debug, Default)]
    struct Heard(Mutex<Vec<String>>);

    impl Listener for Heard {
        fn called(&self, call: &Called) {
            self.0.lock().unwrap().push(call.operation.clone());
        }
    }

    #[test]
    fn every_call_is_told_once_also_what_was_over_before_anybody_listened() {
        let (ledger, first, second) = (Ledger::default(), Arc::<Heard>::default(), Arc::<Heard>::default());
        ledger.over(called("a:Before"));
        ledger.tell(&first);
        ledger.over(called("a:While"));
        assert_eq!(*first.0.lock().unwrap(), ["a:Before", "a:While"]);
        // Nobody keeps it any more.
        drop(first);
        ledger.over(called("a:Between"));
        ledger.tell(&second);
        ledger.over(called("a:After"));
        assert_eq!(*second.0.lock().unwrap(), ["a:Between", "a:After"]);
        assert!(ledger.entries().values().all(|entry| entry.waited == 0.5), "{ledger:?}");
    }

    #[test]
    fn retries_are_calls_too() {
        let (ledger, now) = (Ledger::default(), Instant::now());
        ledger.sent_at("ec2", "DescribeVpcs", false, Duration::ZERO, now);
        ledger.sent_at("ec2", "DescribeVpcs", true, Duration::from_secs(2), now);
        ledger.answered("ec2", "DescribeVpcs", 100);
        ledger.over(called("ec2:DescribeVpcs"));
        let entry = Entry { calls: 2, retries: 1, bytes: 100, waited: 0.5, held_back: 2.0 };
        assert_eq!(ledger.entries(), BTreeMap::from([("ec2:DescribeVpcs".to_owned(), entry)]));
        assert_eq!(ledger.calls()["ec2:DescribeVpcs"], 2);
    }

    #[test]
    fn a_peak_is_what_fits_into_one_second() {
        let (ledger, start) = (Ledger::default(), Instant::now());
        for milliseconds in [0, 400, 900, 1000, 2500] {
            ledger.sent_at("iam", "ListRoles", false, Duration::ZERO, start + Duration::from_millis(milliseconds));
        }
        // The first is a second old when the fourth comes.
        assert_eq!(ledger.peaks(), BTreeMap::from([("iam".to_owned(), 3)]));
    }
}
