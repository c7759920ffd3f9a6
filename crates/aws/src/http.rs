//! The HTTP client under all SDK clients: what every request passes right before it is sent.

use crate::{fence::Fence, ledger::Ledger, throttle::Throttle};
use aws_config::SdkConfig;
use aws_smithy_http_client::{
    Builder, ConnectorBuilder,
    proxy::ProxyConfig,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    http::{
        HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
        http_client_fn,
    },
    orchestrator::HttpRequest,
    result::ConnectorError,
    runtime_components::RuntimeComponents,
};
use aws_smithy_types::error::display::DisplayErrorContext;
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use std::{
    path::Path,
    sync::{
        Arc, LazyLock, OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// Names a file of certificates that are trusted in place of what the system trusts. The AWS CLI and AWS's other SDKs know it
/// (AWS SDKs and Tools Reference Guide, "General configuration settings", `ca_bundle`); the SDK for Rust does not.
const BUNDLE: &str = "AWS_CA_BUNDLE";

/// What rustls says of a certificate that nobody vouches for, or that is of another name or time.
const UNTRUSTED: &str = "invalid peer certificate";

/// The call that a request belongs to, kept with the request.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// The service, as IAM actions name it.
    pub(crate) service: String,
    /// The operation.
    pub(crate) operation: String,
    /// How often the call was sent.
    pub(crate) sent: Arc<AtomicU64>,
}

/// One connection pool for all clients, whose requests wait for their turn and are counted: that of the configuration, if it has
/// one.
pub(crate) fn client(config: &SdkConfig, throttle: &Throttle, fence: &Fence, ledger: &Ledger) -> SharedHttpClient {
    let inner = config.http_client().unwrap_or_else(|| http_client(None));
    let (throttle, fence, ledger) = (throttle.clone(), fence.clone(), ledger.clone());
    http_client_fn(move |settings: &HttpConnectorSettings, components| {
        let connector = inner.http_connector(settings, components);
        let (throttle, fence, ledger) = (throttle.clone(), fence.clone(), ledger.clone());
        SharedHttpConnector::new(Gate { connector, throttle, fence, ledger })
    })
}

/// The certificates that the environment names cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{BUNDLE}: {0}")]
pub struct BadBundle(String);

/// The connections of the whole process, which end with it: to close fifty one by one would take longer.
///
/// # Errors
/// What `AWS_CA_BUNDLE` names is no file of certificates.
pub fn connections() -> Result<SharedHttpClient, BadBundle> {
    static CONNECTIONS: LazyLock<Result<SharedHttpClient, BadBundle>> = LazyLock::new(|| {
        let Some(path) = std::env::var_os(BUNDLE).filter(|path| !path.is_empty()) else { return Ok(http_client(None)) };
        let certificates = certificates(Path::new(&path)).map_err(BadBundle)?;
        Ok(http_client(Some(trusting(TrustStore::empty().with_pem_certificate(certificates)))))
    });
    CONNECTIONS.clone()
}

/// What a file holds, all of it usable: the SDK would panic at what is not.
fn certificates(path: &Path) -> Result<Vec<u8>, String> {
    let text = fs_err::read(path).map_err(|error| error.to_string())?;
    let file = path.display();
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let found = found.map_err(|error| format!("{file} is not in PEM form: {error}"))?;
    if found.is_empty() {
        return Err(format!("{file} holds no certificate in PEM form"));
    }
    let mut roots = RootCertStore::empty();
    for (certificate, number) in found.into_iter().zip(1..) {
        roots.add(certificate).map_err(|error| format!("certificate {number} in {file} cannot be used: {error}"))?;
    }
    Ok(text)
}

fn trusting(store: TrustStore) -> TlsContext {
    TlsContext::builder().with_trust_store(store).build().expect("a trust store is all that it takes")
}

/// A client as the SDK makes one where it is given none, except that what is trusted may be given, and that what the system trusts
/// is loaded with the first encrypted request and not before: it takes ten milliseconds, and an endpoint of `http:` needs none of
/// it.
fn http_client(trust: Option<TlsContext>) -> SharedHttpClient {
    let encrypted = pool(trust, ProxyConfig::from_env);
    // How a proxy is reached is another matter than how the endpoint is.
    let proxied =
        ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"].into_iter().any(|name| std::env::var_os(name).is_some());
    if proxied {
        return encrypted;
    }
    let plain = pool(Some(trusting(TrustStore::empty())), ProxyConfig::disabled);
    http_client_fn(move |settings: &HttpConnectorSettings, components| {
        SharedHttpConnector::new(ByScheme {
            plain: plain.http_connector(settings, components),
            client: encrypted.clone(),
            settings: settings.clone(),
            components: components.clone(),
            encrypted: OnceLock::new(),
        })
    })
}

/// A pool of connections, with what it trusts if that is not what the system does.
fn pool(trust: Option<TlsContext>, proxy: fn() -> ProxyConfig) -> SharedHttpClient {
    Builder::new().build_with_connector_fn(move |settings, components| {
        let mut connector = ConnectorBuilder::default().tls_provider(Provider::Rustls(CryptoMode::AwsLc));
        if let Some(trust) = &trust {
            connector = connector.tls_context(trust.clone());
        }
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(|components| components.sleep_impl()));
        connector.set_proxy_config(Some(proxy()));
        connector.build()
    })
}

/// Sends what is not encrypted through a pool that trusts nobody.
#[derive(Debug)]
struct ByScheme {
    plain: SharedHttpConnector,
    encrypted: OnceLock<SharedHttpConnector>,
    client: SharedHttpClient,
    settings: HttpConnectorSettings,
    components: RuntimeComponents,
}

impl HttpConnector for ByScheme {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        if request.uri().starts_with("http:") {
            return self.plain.call(request);
        }
        self.encrypted.get_or_init(|| self.client.http_connector(&self.settings, &self.components)).call(request)
    }
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
        let Some(Call { service, operation, sent }) = request.extension::<Call>().cloned() else {
            return self.connector.call(request);
        };
        let gate = self.clone();
        HttpConnectorFuture::new(async move {
            let held = gate.throttle.turn(&service, &operation).await;
            // Somebody else may have taken the state over meanwhile.
            gate.fence.check(&operation).map_err(ConnectorError::user)?;
            gate.ledger.sent(&service, &operation, sent.fetch_add(1, Relaxed) > 0, held);
            gate.connector.call(request).await.map_err(final_if_untrusted)
        })
    }
}

/// Whoever cannot prove to be AWS cannot do so a second later either: the SDK need not try again.
fn final_if_untrusted(error: ConnectorError) -> ConnectorError {
    let untrusted = error.is_io() && DisplayErrorContext(&error).to_string().contains(UNTRUSTED);
    if untrusted { ConnectorError::other(error.into(), None) } else { error }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Aws;
    use crate::{Called, ledger::Listener};
    use aws_config::{BehaviorVersion, Region};
    use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
    use aws_smithy_runtime_api::http::StatusCode;
    use aws_smithy_types::body::SdkBody;
    use std::{
        collections::VecDeque,
        sync::{
            Mutex,
            atomic::{AtomicBool, Ordering::SeqCst},
        },
    };
    use tokio::time::Instant;

    /// Answers every request with nothing, numbers its answers, and keeps when each request came.
    #[derive(Clone, Debug, Default)]
    struct Empty {
        times: Arc<Mutex<Vec<Instant>>>,
        /// What it answers before it begins to answer 200; 0 breaks the connection.
        statuses: Arc<Mutex<VecDeque<u16>>>,
    }

    impl HttpConnector for Empty {
        fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
            let mut times = self.times.lock().unwrap();
            times.push(Instant::now());
            let status = self.statuses.lock().unwrap().pop_front().unwrap_or(200);
            if status == 0 {
                return HttpConnectorFuture::ready(Err(ConnectorError::io("it broke".into())));
            }
            let body = SdkBody::from("<CreateVpcEndpointResponse></CreateVpcEndpointResponse>");
            let mut answer = aws_smithy_runtime_api::http::Response::new(StatusCode::try_from(status).unwrap(), body);
            answer.headers_mut().insert("x-amzn-requestid", format!("request-{}", times.len()));
            HttpConnectorFuture::ready(Ok(answer))
        }
    }

    #[derive(Debug, Default)]
    struct Heard(Mutex<Vec<Called>>);

    impl Listener for Heard {
        fn called(&self, call: &Called) {
            self.0.lock().unwrap().push(call.clone());
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
        let times: Vec<u64> = cloud.times.lock().unwrap().iter().map(|time| (*time - began).as_secs()).collect();
        assert_eq!(times, [0, 0, 0, 4, 8]);
        let entry = &aws.ledger.entries()["ec2:CreateVpcEndpoint"];
        assert_eq!((entry.calls, entry.retries, entry.held_back.round() as u64), (5, 0, 8));
    }

    #[tokio::test(start_paused = true)]
    async fn a_listener_is_told_how_each_call_went_also_when_it_failed() {
        let cloud = Empty::default();
        let (aws, heard) = (aws(&cloud, Throttle::unlimited()), Arc::<Heard>::default());
        aws.ledger.tell(&heard);
        // One that is repeated, one that is refused, one that is cut off each time.
        for (statuses, succeeds) in [(&[500][..], true), (&[400], false), (&[0, 0, 0], false)] {
            cloud.statuses.lock().unwrap().extend(statuses);
            assert_eq!(make(&aws).await.is_ok(), succeeds, "{statuses:?}");
        }
        // One that never left.
        aws.fence.guard(|| false);
        make(&aws).await.unwrap_err();
        let heard = heard.0.lock().unwrap();
        let told: Vec<_> = heard.iter().map(|call| (call.status, call.request_id.as_deref(), call.attempts)).collect();
        assert_eq!(told, [(Some(200), Some("request-2"), 2), (Some(400), Some("request-3"), 1), (None, None, 3)]);
        assert!(heard.iter().all(|call| call.operation == "ec2:CreateVpcEndpoint"), "{heard:?}");
    }

    #[test]
    fn a_bundle_that_cannot_be_used_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bundle.pem");
        let block = |inner: &str| format!("-----BEGIN CERTIFICATE-----\n{inner}\n-----END CERTIFICATE-----\n");
        let refusals = [
            (String::new(), "holds no certificate"),
            ("no certificate at all".to_owned(), "holds no certificate"),
            (block("!"), "is not in PEM form"),
            (block("AAAA"), "certificate 1 in "),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n".to_owned(), "is not in PEM form"),
        ];
        for (text, why) in refusals {
            fs_err::write(&path, &text).unwrap();
            let refused = certificates(&path).unwrap_err();
            assert!(refused.contains(why) && refused.contains("bundle.pem"), "{text:?}: {refused}");
        }
        let missing = certificates(&folder.path().join("none.pem")).unwrap_err();
        assert!(missing.contains("none.pem") && missing.contains("No such file"), "{missing}");
    }

    #[test]
    fn only_a_certificate_ends_the_attempts() {
        let after = |text: &str| final_if_untrusted(ConnectorError::io(text.into())).is_io();
        assert!(after("connection reset by peer") && !after("invalid peer certificate: UnknownIssuer"));
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
        assert_eq!(cloud.times.lock().unwrap().len(), 3);
    }
}
