//! The clients of all services, and the ledger that counts what they call.

use aws_config::SdkConfig;
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
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// The clients, one per service, over one HTTP connection pool.
#[derive(Clone, Debug)]
pub struct Aws {
    /// EC2.
    pub ec2: aws_sdk_ec2::Client,
    /// EKS.
    pub eks: aws_sdk_eks::Client,
    /// IAM.
    pub iam: aws_sdk_iam::Client,
    /// KMS.
    pub kms: aws_sdk_kms::Client,
    /// CloudWatch Logs.
    pub logs: aws_sdk_cloudwatchlogs::Client,
    /// STS.
    pub sts: aws_sdk_sts::Client,
    /// What was called.
    pub ledger: Ledger,
}

impl Aws {
    /// Makes the clients. Nothing is sent.
    pub fn new(config: &SdkConfig) -> Self {
        let ledger = Ledger::default();
        macro_rules! client {
            ($service:ident) => {
                $service::Client::from_conf($service::config::Builder::from(config).interceptor(ledger.clone()).build())
            };
        }
        Self {
            ec2: client!(aws_sdk_ec2),
            eks: client!(aws_sdk_eks),
            iam: client!(aws_sdk_iam),
            kms: client!(aws_sdk_kms),
            logs: client!(aws_sdk_cloudwatchlogs),
            sts: client!(aws_sdk_sts),
            ledger,
        }
    }
}

/// Counts requests by operation, retries included.
#[derive(Clone, Debug, Default)]
pub struct Ledger(Arc<Mutex<BTreeMap<String, u64>>>);

impl Ledger {
    /// Requests sent so far, by `service:Operation`.
    pub fn calls(&self) -> BTreeMap<String, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[dyn_dispatch_hint]
impl Intercept for Ledger {
    fn name(&self) -> &'static str {
        "ledger"
    }

    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(metadata) = config.load::<Metadata>() {
            let operation = format!("{}:{}", prefix(metadata.service()), metadata.name());
            *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(operation).or_default() += 1;
        }
        Ok(())
    }
}

/// The service as IAM actions name it, from the SDK's name for it.
pub(crate) fn prefix(service: &str) -> String {
    match service {
        "CloudWatch Logs" | "cloudwatchlogs" => "logs".to_owned(),
        other => other.to_lowercase().replace(' ', ""),
    }
}
