//! Calls to a cluster's API: where it answers, who calls, how often, and what an error means.

use super::{MANAGER, Object, Token, token::Signer};
use crate::{Aws, Called, Ledger, eks, fence::Fence};
use aws_sdk_eks::types::{Cluster, VpcConfigResponse};
use aws_types::SdkConfig;
use bedplate_model::{CallError, Class};
use kube::{
    Client, Config, Error,
    api::{DeleteParams, GetParams, ListParams, ObjectList, Patch, PatchParams, ValidationDirective},
    client::{Body, ClientBuilder},
    config::{KubeConfigOptions, Kubeconfig},
    core::{Request, Status},
};
use serde::de::DeserializeOwned;
use serde_json::json;
use std::{
    collections::BTreeMap,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::Mutex;

/// An endpoint inside a VPC answers nobody outside, so this is how long one waits in vain.
const CONNECT: Duration = Duration::from_secs(5);
/// One attempt of a call.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a call is tried while the server is overloaded, as often as the SDK's clients try theirs.
const ATTEMPTS: u64 = 6;
/// The wait after the first attempt; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(200);
/// The header in which an API server names a request as its audit log does (k8s.io/apiserver, `HeaderAuditID`).
const AUDIT_ID: &str = "audit-id";

/// The clusters that were called, each by one client.
#[derive(Clone)]
pub(crate) struct Clusters {
    signer: Arc<Signer>,
    ledger: Ledger,
    fence: Fence,
    /// Held while one is being opened, so that each is opened once.
    open: Arc<Mutex<BTreeMap<String, Arc<Connection>>>>,
}

impl fmt::Debug for Clusters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clusters").finish_non_exhaustive()
    }
}

impl Clusters {
    pub(crate) fn new(config: &SdkConfig, ledger: Ledger, fence: Fence) -> Self {
        Self { signer: Arc::new(Signer::new(config)), ledger, fence, open: Arc::default() }
    }

    /// A fresh token for a cluster.
    pub(crate) async fn token(&self, cluster: &str) -> Result<Token, CallError> {
        self.signer.token(cluster).await
    }

    /// The way to a cluster's API; `None` when there is no such cluster, or not yet.
    pub(super) async fn open(&self, cloud: &Aws, cluster: &str) -> Result<Option<Arc<Connection>>, CallError> {
        let mut all = self.open.lock().await;
        if let Some(open) = all.get(cluster) {
            return Ok(Some(Arc::clone(open)));
        }
        let Some(described) = eks::describe_cluster(cloud, cluster).await? else { return Ok(None) };
        let Some((endpoint, authority)) = address(&described) else { return Ok(None) };
        let connection = Arc::new(Connection {
            cluster: cluster.to_owned(),
            endpoint: endpoint.to_owned(),
            reach: reach(described.resources_vpc_config()),
            client: client(endpoint, authority).await?,
            signer: Arc::clone(&self.signer),
            ledger: self.ledger.clone(),
            fence: self.fence.clone(),
        });
        all.insert(cluster.to_owned(), Arc::clone(&connection));
        Ok(Some(connection))
    }

    /// A cluster of this name is made anew: it answers elsewhere.
    pub(crate) async fn forget(&self, cluster: &str) {
        self.open.lock().await.remove(cluster);
    }
}

/// Where a cluster answers, and the certificate it is checked with.
fn address(cluster: &Cluster) -> Option<(&str, &str)> {
    Some((cluster.endpoint()?, cluster.certificate_authority()?.data()?))
}

/// Who can reach a cluster's API.
fn reach(vpc: Option<&VpcConfigResponse>) -> String {
    match vpc {
        Some(vpc) if vpc.endpoint_public_access() => {
            format!("its public endpoint lets {} in", vpc.public_access_cidrs().join(", "))
        }
        Some(vpc) => format!("it answers only inside {}", vpc.vpc_id().unwrap_or("its VPC")),
        None => "it has no endpoint".to_owned(),
    }
}

async fn client(endpoint: &str, authority: &str) -> Result<Client, CallError> {
    // The one form from which the client reads a certificate.
    let kubeconfig = json!({
        "clusters": [{"name": "", "cluster": {"server": endpoint, "certificate-authority-data": authority}}],
        "users": [{"name": "", "user": {}}],
        "contexts": [{"name": "", "context": {"cluster": "", "user": ""}}],
        "current-context": "",
    });
    let unusable = |error: &dyn std::error::Error| {
        CallError::local("eks:DescribeCluster", "MalformedAnswer", chain(error), Class::Other)
    };
    let kubeconfig: Kubeconfig = serde_json::from_value(kubeconfig).map_err(|error| unusable(&error))?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    let mut config = config.map_err(|error| unusable(&error))?;
    config.connect_timeout = Some(CONNECT);
    // Each attempt is counted and passes the fence, so they are made here.
    config.default_retry = false;
    Ok(ClientBuilder::try_from(config).map_err(|error| unusable(&error))?.build())
}

/// What is done to objects.
#[derive(Clone, Copy, Debug)]
pub(super) enum Call {
    Get,
    List,
    Apply,
    Delete,
}

/// `kubernetes:ApplyServices`.
pub(super) fn operation<T: Object>(call: Call) -> String {
    let plural = T::plural(&());
    let (first, rest) = plural.split_at(1);
    format!("kubernetes:{call:?}{}{rest}", first.to_uppercase())
}

/// One cluster's API.
pub(super) struct Connection {
    cluster: String,
    endpoint: String,
    reach: String,
    client: Client,
    signer: Arc<Signer>,
    ledger: Ledger,
    fence: Fence,
}

impl Connection {
    /// The object; `None` when it does not exist.
    pub(super) async fn get<T: Object>(&self, namespace: Option<&str>, name: &str) -> Result<Option<T>, CallError> {
        let request = request::<T>(namespace).get(name, &GetParams::default());
        match self.send(&operation::<T>(Call::Get), request).await {
            Ok(object) => Ok(Some(object)),
            Err(error) if error.class == Class::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The objects of all namespaces that have a label.
    pub(super) async fn list<T: Object>(&self, (label, value): (&str, &str)) -> Result<Vec<T>, CallError> {
        let request = request::<T>(None).list(&ListParams::default().labels(&format!("{label}={value}")));
        let list: ObjectList<T> = self.send(&operation::<T>(Call::List), request).await?;
        Ok(list.items)
    }

    /// Server-side apply: the fields of `object` are ours, and no others. Never by force.
    pub(super) async fn apply<T: Object>(
        &self,
        namespace: Option<&str>,
        name: &str,
        object: &T,
    ) -> Result<(), CallError> {
        let params = PatchParams {
            field_manager: Some(MANAGER.to_owned()),
            field_validation: Some(ValidationDirective::Strict),
            ..PatchParams::default()
        };
        let request = request::<T>(namespace).patch(name, &params, &Patch::Apply(object));
        self.send::<T>(&operation::<T>(Call::Apply), request).await.map(drop)
    }

    /// Merges `part` into the object; nothing else of it becomes ours.
    pub(super) async fn merge<T: Object>(
        &self,
        namespace: Option<&str>,
        name: &str,
        part: &serde_json::Value,
    ) -> Result<(), CallError> {
        let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        let request = request::<T>(namespace).patch(name, &params, &Patch::Merge(part));
        self.send::<T>(&operation::<T>(Call::Apply), request).await.map(drop)
    }

    /// Deletes the object, or starts to.
    pub(super) async fn delete<T: Object>(&self, namespace: Option<&str>, name: &str) -> Result<(), CallError> {
        let request = request::<T>(namespace).delete(name, &DeleteParams::default());
        // The answer is the object, or a status: either says that it was accepted.
        self.send::<serde_json::Value>(&operation::<T>(Call::Delete), request).await.map(drop)
    }

    /// Sends a request, again while the server is overloaded.
    #[expect(clippy::disallowed_methods, reason = "the SDK's clients wait between their attempts by themselves, too")]
    async fn send<A: DeserializeOwned>(
        &self,
        operation: &str,
        request: Result<http::Request<Vec<u8>>, kube::core::request::Error>,
    ) -> Result<A, CallError> {
        let request = request.map_err(|error| not_sent(operation, &error))?;
        let began = Instant::now();
        let mut call = Called {
            operation: operation.to_owned(),
            request_id: None,
            status: None,
            attempts: 0,
            began,
            took: Duration::ZERO,
        };
        let mut pause = PAUSE;
        let answer = loop {
            match self.attempt(&mut call, request.clone()).await {
                Err(error) if overloaded(&error) && call.attempts < ATTEMPTS => {
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                answer => break answer,
            }
        };
        if call.attempts > 0 {
            self.ledger.over(Called { took: began.elapsed(), ..call });
        }
        answer
    }

    /// Sends a request once, and notes in `call` what became of it.
    async fn attempt<A: DeserializeOwned>(
        &self,
        call: &mut Called,
        mut request: http::Request<Vec<u8>>,
    ) -> Result<A, CallError> {
        let operation = call.operation.clone();
        let operation = operation.as_str();
        let token = self.signer.token(&self.cluster).await?;
        let bearer = http::HeaderValue::try_from(format!("Bearer {}", token.reveal()));
        let mut bearer = bearer.map_err(|error| not_sent(operation, &error))?;
        bearer.set_sensitive(true);
        request.headers_mut().insert(http::header::AUTHORIZATION, bearer);
        let (service, action) = operation.split_once(':').unwrap_or((operation, ""));
        if !self.fence.lets_through(action) {
            return Err(not_sent(
                operation,
                &"the lock on the state was lost, and another process may work on the stack",
            ));
        }
        self.ledger.sent(service, action, call.attempts > 0, Duration::ZERO);
        call.attempts += 1;
        (call.status, call.request_id) = (None, None);
        // Head and body, because the client's own way to an object tells nothing of the head.
        let exchange = async {
            let answer = self.client.send(request.map(Body::from)).await?;
            call.status = Some(answer.status().as_u16());
            call.request_id = answer.headers().get(AUDIT_ID).and_then(|id| id.to_str().ok()).map(str::to_owned);
            Ok::<_, Error>((answer.status(), answer.into_body().collect_bytes().await?))
        };
        match tokio::time::timeout(PATIENCE, exchange).await {
            Ok(Ok((code, body))) => {
                self.ledger.answered(service, action, body.len());
                if code.is_client_error() || code.is_server_error() {
                    return Err(refused(operation, &self.cluster, &status(code, &body)));
                }
                serde_json::from_slice(&body).map_err(|error| unreadable(operation, &error))
            }
            Ok(Err(error @ (Error::Service(_) | Error::HyperError(_)))) => {
                Err(self.unreachable(operation, &chain(&error)))
            }
            Ok(Err(error)) => Err(unreadable(operation, &error)),
            Err(_) => Err(self.unreachable(operation, &format!("no answer after {} s", PATIENCE.as_secs()))),
        }
    }

    fn unreachable(&self, operation: &str, why: &str) -> CallError {
        let Self { cluster, endpoint, reach, .. } = self;
        let message = format!("the API of cluster {cluster} ({endpoint}) cannot be reached from here: {why}; {reach}");
        CallError::local(operation, "ClusterUnreachable", message, Class::Unreachable)
    }
}

fn not_sent(operation: &str, why: &dyn fmt::Display) -> CallError {
    CallError::local(operation, "NotSent", why.to_string(), Class::Invalid)
}

fn unreadable(operation: &str, error: &dyn std::error::Error) -> CallError {
    CallError::local(operation, "UnreadableAnswer", chain(error), Class::Other)
}

/// What an error's body says. That of a proxy on the way is a text.
fn status(code: http::StatusCode, body: &[u8]) -> Status {
    serde_json::from_slice(body).unwrap_or_else(|_| {
        let text = format!("{code} {}", String::from_utf8_lossy(body));
        Status::failure(text.trim(), "").with_code(code.as_u16())
    })
}

/// Whether the server says that it has too much to do: 429, 503 and 504.
fn overloaded(error: &CallError) -> bool {
    ["TooManyRequests", "ServiceUnavailable", "Timeout"].contains(&error.code.as_str())
}

fn request<T: Object>(namespace: Option<&str>) -> Request {
    Request::new(T::url_path(&(), namespace))
}

/// What an error of the API server means (Kubernetes documentation, "API Concepts", "Server-Side Apply").
fn refused(operation: &str, cluster: &str, status: &Status) -> CallError {
    let causes = || status.details.iter().flat_map(|details| &details.causes);
    let is = |reason: &str| causes().any(|cause| cause.reason == reason);
    let (code, class) = match (status.code, status.reason.as_str()) {
        (409, "Conflict") if is("FieldManagerConflict") => ("FieldManagerConflict", Class::Conflict),
        (409, reason @ "AlreadyExists") => (reason, Class::AlreadyExists),
        (409, reason) => (reason, Class::Busy),
        (404, reason) => (reason, Class::NotFound),
        (403, _) if is("NamespaceTerminating") => ("NamespaceTerminating", Class::Busy),
        // Access entries and policies take some seconds to have an effect (EKS user guide, "Grant IAM users access to
        // Kubernetes with EKS access entries").
        (401 | 403, reason) => (reason, Class::NotYet),
        (429, reason) => (reason, Class::Throttled),
        (500.., reason) => (reason, Class::Unreachable),
        (_, reason) => (reason, Class::Invalid),
    };
    let message = match (class, status.code) {
        (Class::Conflict, _) => {
            let each = causes().map(|cause| format!("{}: {}", cause.field.trim_start_matches('.'), cause.message));
            format!("others have changed fields that are bedplate's: {}", each.collect::<Vec<_>>().join("; "))
        }
        (_, 401) => format!("cluster {cluster} does not let the caller in: {}", status.message),
        _ => status.message.clone(),
    };
    let code = if code.is_empty() { "Unknown" } else { code };
    CallError::local(operation, code, message, class)
}

/// An error with its causes, each once.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::{autoscaling::v2::HorizontalPodAutoscaler, core::v1::Namespace};

    fn error(status: serde_json::Value) -> CallError {
        refused("kubernetes:ApplyServices", "c", &serde_json::from_value(status).unwrap())
    }

    #[test]
    fn operations_are_named_like_those_of_aws() {
        assert_eq!(operation::<Namespace>(Call::Get), "kubernetes:GetNamespaces");
        assert_eq!(operation::<HorizontalPodAutoscaler>(Call::Apply), "kubernetes:ApplyHorizontalpodautoscalers");
    }

    #[test]
    fn answers_have_a_meaning() {
        let terminating = json!({"causes": [{"reason": "NamespaceTerminating"}]});
        for (code, reason, details, class) in [
            (404, "NotFound", json!({}), Class::NotFound),
            (409, "AlreadyExists", json!({}), Class::AlreadyExists),
            (409, "Conflict", json!({}), Class::Busy),
            (403, "Forbidden", terminating, Class::Busy),
            (403, "Forbidden", json!({}), Class::NotYet),
            (401, "Unauthorized", json!({}), Class::NotYet),
            (422, "Invalid", json!({}), Class::Invalid),
            (400, "BadRequest", json!({}), Class::Invalid),
            (429, "TooManyRequests", json!({}), Class::Throttled),
            (500, "InternalError", json!({}), Class::Unreachable),
            (503, "ServiceUnavailable", json!({}), Class::Unreachable),
        ] {
            let error = error(json!({"code": code, "reason": reason, "message": "m", "details": details}));
            assert_eq!(error.class, class, "{error}");
        }
    }

    #[test]
    fn what_a_proxy_answers_is_told_as_it_is() {
        let error =
            refused("kubernetes:GetServices", "c", &status(http::StatusCode::BAD_GATEWAY, b"<html>no</html>\n"));
        assert_eq!((error.class, error.message.as_str()), (Class::Unreachable, "502 Bad Gateway <html>no</html>"));
        let error = refused("kubernetes:GetServices", "c", &status(http::StatusCode::NOT_FOUND, b""));
        assert_eq!((error.class, error.message.as_str()), (Class::NotFound, "404 Not Found"));
    }

    #[test]
    fn a_conflict_names_the_fields_and_who_has_them() {
        let causes = json!([
            {"reason": "FieldManagerConflict", "message": "conflict with \"hpa\" using v2", "field": ".spec.minReplicas"},
            {"reason": "FieldManagerConflict", "message": "conflict with \"kubectl\" using v2", "field": ".spec.maxReplicas"},
        ]);
        let error = error(json!({"code": 409, "reason": "Conflict", "message": "m", "details": {"causes": causes}}));
        assert_eq!((error.class, error.code.as_str()), (Class::Conflict, "FieldManagerConflict"));
        assert!(error.message.ends_with(
            "spec.minReplicas: conflict with \"hpa\" using v2; spec.maxReplicas: conflict with \"kubectl\" using v2"
        ));
    }

    #[test]
    fn it_is_said_who_can_reach_a_cluster() {
        let public = VpcConfigResponse::builder().endpoint_public_access(true).public_access_cidrs("198.51.100.0/24");
        assert_eq!(reach(Some(&public.build())), "its public endpoint lets 198.51.100.0/24 in");
        let private = VpcConfigResponse::builder().endpoint_private_access(true).vpc_id("vpc-1").build();
        assert_eq!(reach(Some(&private)), "it answers only inside vpc-1");
    }
}
