//! What a survey's requests take when a bare client makes them: one after the other over one connection, each signed before
//! and its answer parsed after, as any client of AWS has to. Nothing is made of the answers. What lies in the cluster is asked
//! for after that, as the program asks, since its clients sign and speak otherwise.

use anyhow::{Context, Result, bail};
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use aws_smithy_runtime_api::client::{
    http::{
        HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
    },
    orchestrator::HttpRequest,
    runtime_components::RuntimeComponents,
};
use aws_smithy_types::byte_stream::ByteStream;
use aws_smithy_xml::decode::Document;
use bedplate_aws::{Aws, Belief, KINDS, Recorded, facts};
use bedplate_engine::{Kinds, survey};
use bedplate_model::{Address, Json};
use bedplate_platform::{build, choices, config::Config};
use bedplate_state::parse;
use serde_json::json;
use std::{
    collections::BTreeSet,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Instant, SystemTime},
};

/// Keeps every request that goes through it.
#[derive(Clone, Debug)]
struct Recording {
    client: SharedHttpClient,
    requests: Arc<Mutex<Vec<HttpRequest>>>,
    connector: Arc<Mutex<Option<SharedHttpConnector>>>,
}

#[derive(Clone, Debug)]
struct Tap {
    connector: SharedHttpConnector,
    requests: Arc<Mutex<Vec<HttpRequest>>>,
}

impl HttpClient for Recording {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let connector = self.client.http_connector(settings, components);
        *self.connector.lock().unwrap_or_else(PoisonError::into_inner) = Some(connector.clone());
        SharedHttpConnector::new(Tap { connector, requests: Arc::clone(&self.requests) })
    }
}

impl HttpConnector for Tap {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).extend(request.try_clone());
        self.connector.call(request)
    }
}

/// The same request with a signature of now.
fn signed(request: &HttpRequest) -> Result<HttpRequest> {
    let mut request = request.try_clone().context("a request with a stream")?;
    let old = request.headers_mut().remove("authorization").context("a request without a signature")?;
    request.headers_mut().remove("x-amz-date");
    // AWS4-HMAC-SHA256 Credential=<key>/<day>/<region>/<service>/aws4_request, …
    let scope: Vec<&str> = old.split(',').next().unwrap_or_default().split('/').collect();
    let &[_, _, region, service, _] = scope.as_slice() else { bail!("a signature of another kind: {old}") };
    let identity = Credentials::new("demo", "demo", None, None, "bench").into();
    let params = v4::SigningParams::builder().identity(&identity).region(region).name(service);
    let params = params.time(SystemTime::now()).settings(SigningSettings::default()).build()?.into();
    let headers = request.headers().iter();
    let body = request.body().bytes().context("a request with a stream")?;
    let signable = SignableRequest::new(request.method(), request.uri(), headers, SignableBody::Bytes(body))?;
    let (headers, _) = sign(signable, &params)?.into_parts().0.into_parts();
    for header in headers {
        request.headers_mut().insert(header.name(), header.value().to_owned());
    }
    Ok(request)
}

/// Reads JSON and XML to their end. What CloudWatch sends is neither, and stays unread.
fn parse_body(body: &[u8]) -> Result<()> {
    match body.first() {
        Some(b'{' | b'[') => drop(serde_json::from_slice::<Json>(body)?),
        Some(b'<') => Document::try_from(body)?.try_for_each(|token| token.map(drop))?,
        _ => {}
    }
    Ok(())
}

/// Looks as a plan does, then replays.
pub(crate) async fn measure(config: &Path, state: &Path, endpoint: &str, runs: usize) -> Result<Json> {
    let config = Config::load(config)?;
    let state = parse(&fs_err::read(state)?)?;
    let facts = choices::recorded(&config, &state.choices).context("the state has no choices")?;
    let graph = build(&config, &facts)?;
    let kinds = Kinds::new(KINDS);
    let requests: Arc<Mutex<Vec<HttpRequest>>> = Arc::default();
    let connector: Arc<Mutex<Option<SharedHttpConnector>>> = Arc::default();
    let client = Recording {
        client: aws_smithy_http_client::Builder::new().build_http(),
        requests: Arc::clone(&requests),
        connector: Arc::clone(&connector),
    };
    let loader = aws_config::defaults(BehaviorVersion::latest());
    let loader = loader.region(Region::new(state.region.clone())).endpoint_url(endpoint).http_client(client);
    let sdk = loader.load().await;
    let aws = Aws::new(&sdk);

    let mut surveys = Vec::new();
    for _ in 0..runs {
        requests.lock().unwrap_or_else(PoisonError::into_inner).clear();
        facts::caller(&aws).await?;
        let recorded = Recorded::new(&state, Belief::Records);
        let began = Instant::now();
        survey(&kinds, &aws.surveying(recorded), &graph, &state, None).await?;
        surveys.push(began.elapsed().as_secs_f64());
    }

    let requests = std::mem::take(&mut *requests.lock().unwrap_or_else(PoisonError::into_inner));
    let connector = connector.lock().unwrap_or_else(PoisonError::into_inner).take().context("nothing was sent")?;
    let in_cluster: BTreeSet<Address> =
        graph.iter().filter(|(_, node)| node.kind.starts_with("kubernetes.")).map(|(at, _)| at.clone()).collect();
    // Where the cluster answers is asked for with what lies in it.
    let others =
        |request: &&HttpRequest| request.uri().rsplit_once("/clusters/").is_none_or(|(_, name)| name.contains('/'));
    let mut replays = Vec::new();
    for _ in 0..runs {
        let cluster = Aws::new(&sdk).surveying(Recorded::new(&state, Belief::Records));
        let began = Instant::now();
        for request in requests.iter().filter(others) {
            let request = signed(request)?;
            let answer = connector.call(request).await.map_err(|error| anyhow::anyhow!("{error:?}"))?;
            parse_body(&ByteStream::new(answer.into_body()).collect().await?.into_bytes())?;
        }
        survey(&kinds, &cluster, &graph, &state, Some(&in_cluster)).await?;
        replays.push(began.elapsed().as_secs_f64());
    }
    Ok(json!({"requests": requests.len() + in_cluster.len(), "survey": surveys, "back_to_back": replays}))
}
