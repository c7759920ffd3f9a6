//! The HTTP client under all SDK clients: what every request passes right before it is sent.

use crate::{fence::Fence, ledger::Ledger, throttle::Throttle};
use aws_config::SdkConfig;
use aws_smithy_http_client::{
    Builder, ConnectorBuilder,
    proxy::ProxyConfig,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    http::{
        HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
        http_client_fn,
    },
    orchestrator::HttpRequest,
    result::ConnectorError,
};

/// The call that a request belongs to, kept with the request.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// The service, as IAM actions name it.
    pub(crate) service: String,
    /// The operation.
    pub(crate) operation: String,
    /// Whether the call was sent before.
    pub(crate) again: bool,
}

/// One connection pool for all clients, whose requests wait for their turn and are counted. It is the SDK's own, unless the
/// configuration has another.
pub(crate) fn client(config: &SdkConfig, throttle: &Throttle, fence: &Fence, ledger: &Ledger) -> SharedHttpClient {
    let inner = config.http_client().unwrap_or_else(sdk_client);
    let (throttle, fence, ledger) = (throttle.clone(), fence.clone(), ledger.clone());
    http_client_fn(move |settings: &HttpConnectorSettings, components| {
        let connector = inner.http_connector(settings, components);
        let (throttle, fence, ledger) = (throttle.clone(), fence.clone(), ledger.clone());
        SharedHttpConnector::new(Gate { connector, throttle, fence, ledger })
    })
}

/// As the SDK makes it where it is not given one.
fn sdk_client() -> SharedHttpClient {
    Builder::new().build_with_connector_fn(|settings, components| {
        let mut connector = ConnectorBuilder::default().tls_provider(Provider::Rustls(CryptoMode::AwsLc));
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(|components| components.sleep_impl()));
        connector.set_proxy_config(Some(ProxyConfig::from_env()));
        connector.build()
    })
}

#[derive(Clone, Debug)]
struct Gate {
    connector: SharedHttpConnector,
    throttle: Throttle,
    fence: Fence,
    ledger: Ledger,
}

impl HttpConnector for Gate {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        // What the SDK asks for itself, like credentials, belongs to no call.
        let Some(Call { service, operation, again }) = request.extension::<Call>().cloned() else {
            return self.connector.call(request);
        };
        let gate = self.clone();
        HttpConnectorFuture::new(async move {
            let held = gate.throttle.turn(&service, &operation).await;
            // Somebody else may have taken the state over meanwhile.
            gate.fence.check(&operation).map_err(ConnectorError::user)?;
            gate.ledger.sent(&service, &operation, again, held);
            gate.connector.call(request).await
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Aws;
    use aws_config::{BehaviorVersion, Region};
    use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
    use aws_smithy_runtime_api::{client::runtime_components::RuntimeComponents, http::StatusCode};
    use aws_smithy_types::body::SdkBody;
    use std::sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    };
    use tokio::time::Instant;

    /// Answers every request with nothing, and keeps when it came.
    #[derive(Clone, Debug, Default)]
    struct Empty(Arc<Mutex<Vec<Instant>>>);

    impl HttpConnector for Empty {
        fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
            self.0.lock().unwrap().push(Instant::now());
            let body = SdkBody::from("<CreateVpcEndpointResponse></CreateVpcEndpointResponse>");
            let answer = aws_smithy_runtime_api::http::Response::new(StatusCode::try_from(200).unwrap(), body);
            HttpConnectorFuture::ready(Ok(answer))
        }
    }

    impl HttpClient for Empty {
        fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
            SharedHttpConnector::new(self.clone())
        }
    }

    fn aws(cloud: &Empty, throttle: Throttle) -> Aws {
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new("a", "b", None, None, "test")))
            .http_client(cloud.clone())
            .build();
        Aws::with_throttle(&config, &throttle)
    }

    async fn make(aws: &Aws) -> Result<(), String> {
        let request = aws.ec2.create_vpc_endpoint().vpc_id("vpc-1").service_name("s3");
        request.send().await.map(drop).map_err(|error| format!("{:?}", error.into_source()))
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_is_held_back_before_it_is_sent_and_the_ledger_says_for_how_long() {
        let cloud = Empty::default();
        let aws = aws(&cloud, Throttle::published());
        let began = Instant::now();
        for _ in 0..5 {
            make(&aws).await.unwrap();
        }
        // 3 tokens, and 0.24 more each second.
        let times: Vec<u64> = cloud.0.lock().unwrap().iter().map(|time| (*time - began).as_secs()).collect();
        assert_eq!(times, [0, 0, 0, 4, 8]);
        let entry = &aws.ledger.entries()["ec2:CreateVpcEndpoint"];
        assert_eq!((entry.calls, entry.retries, entry.held_back.round() as u64), (5, 0, 8));
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_while_the_lock_is_lost_is_not_sent() {
        let cloud = Empty::default();
        let aws = aws(&cloud, Throttle::published());
        let held = Arc::new(AtomicBool::new(true));
        let allowed = Arc::clone(&held);
        aws.fence.guard(move || allowed.load(SeqCst));
        for _ in 0..3 {
            make(&aws).await.unwrap();
        }
        let lose = async {
            tokio::time::advance(std::time::Duration::from_secs(1)).await;
            held.store(false, SeqCst);
        };
        let (answer, ()) = tokio::join!(make(&aws), lose);
        assert!(answer.unwrap_err().contains("the lock on the state was lost"));
        assert_eq!(cloud.0.lock().unwrap().len(), 3);
    }
}
