//! A cloud of the test's own, and boto3 to look into it.

use crate::{environment, server::Server};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::Mutex,
    time::Duration,
};

/// Every id that exists, by kind.
pub type Inventory = BTreeMap<String, BTreeSet<String>>;

/// What a destroy leaves on purpose: roles that belong to AWS's services, what KMS and Secrets Manager keep for a while, and
/// the last snapshots of production.
pub const KEPT: [&str; 5] = [
    "elasticache.snapshot",
    "iam.service-linked-role",
    "kms.key-pending-deletion",
    "rds.cluster-snapshot",
    "secretsmanager.secret-pending-deletion",
];

/// What is left when [`KEPT`] does not count.
pub fn without_kept(mut inventory: Inventory) -> Inventory {
    inventory.retain(|kind, _| !KEPT.contains(&kind.as_str()));
    inventory
}

/// How many there are of each kind.
pub fn counts(inventory: &Inventory) -> BTreeMap<&str, usize> {
    inventory.iter().map(|(kind, ids)| (kind.as_str(), ids.len())).collect()
}

/// What AWS answers instead of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsError {
    /// AWS's code.
    pub code: String,
    /// AWS's words.
    pub message: String,
}

/// A cloud that belongs to one test, gone with this value.
#[derive(Debug)]
pub struct Cloud {
    /// Where it answers.
    pub endpoint: String,
    /// The access key: LocalStack takes the account from it.
    pub access_key: &'static str,
    boto3: Mutex<Boto3>,
    server: Server,
}

impl Cloud {
    /// The local cloud, in which everything takes less than a second.
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// The local cloud with more options (see `tests/cloud/README.md`).
    pub fn with(options: &[&str]) -> Self {
        let mut command = Command::new(environment::python());
        command.args(["-m", "bedplate_cloud", "--port", "0", "--exit-with-parent"]).args(options);
        command.current_dir(environment::root()).env("PYTHONPATH", environment::root().join("tests/cloud"));
        let patience = Duration::from_secs(120);
        let (server, endpoint) = Server::start(&mut command, "bedplate cloud ready: ", patience)
            .unwrap_or_else(|status| panic!("the local cloud did not start ({status:?})"));
        Self::new(server, endpoint, "test")
    }

    /// LocalStack, or why it cannot be had here.
    ///
    /// # Errors
    /// When no Python that it runs on is installed.
    pub fn localstack() -> Result<Self, String> {
        let mut command = Command::new(environment::python());
        command.arg(environment::root().join("tests/localstack/start.py")).arg("--exit-with-parent");
        // The first start installs it.
        match Server::start(&mut command, "localstack ready: ", Duration::from_secs(900)) {
            Ok((server, endpoint)) => Ok(Self::new(server, endpoint, "797923187401")),
            Err(Some(status)) if status.code() == Some(77) => {
                Err("no Python that LocalStack runs on is installed (see above)".to_owned())
            }
            Err(status) => panic!("LocalStack did not start ({status:?})"),
        }
    }

    fn new(server: Server, endpoint: String, access_key: &'static str) -> Self {
        let boto3 = Mutex::new(Boto3::start(&endpoint, access_key));
        Self { endpoint, access_key, boto3, server }
    }

    /// A call by boto3, with all pages of a list in one.
    ///
    /// # Errors
    /// What AWS answers instead.
    pub fn try_call(&self, service: &str, operation: &str, arguments: Value) -> Result<Value, AwsError> {
        self.ask(&json!({"service": service, "operation": operation, "arguments": arguments}))
    }

    /// A call by boto3 that succeeds.
    pub fn call(&self, service: &str, operation: &str, arguments: Value) -> Value {
        let answer = self.try_call(service, operation, arguments);
        answer.unwrap_or_else(|error| panic!("{service} {operation}: {}: {}", error.code, error.message))
    }

    /// A call by boto3 in another region than us-east-1, that succeeds.
    pub fn call_in(&self, region: &str, service: &str, operation: &str, arguments: Value) -> Value {
        let request = json!({"service": service, "region": region, "operation": operation, "arguments": arguments});
        let answer = self.ask(&request);
        answer.unwrap_or_else(|error| panic!("{service} {operation}: {}: {}", error.code, error.message))
    }

    /// A call of EC2.
    pub fn ec2(&self, operation: &str, arguments: Value) -> Value {
        self.call("ec2", operation, arguments)
    }

    /// A call of IAM.
    pub fn iam(&self, operation: &str, arguments: Value) -> Value {
        self.call("iam", operation, arguments)
    }

    /// A call of EKS.
    pub fn eks(&self, operation: &str, arguments: Value) -> Value {
        self.call("eks", operation, arguments)
    }

    /// A call of a cluster's own API: the HTTP status and the document. A body is merged into what is there, by somebody
    /// who calls himself `someone`.
    pub fn kubernetes(&self, cluster: &str, method: &str, path: &str, body: Option<Value>) -> (u64, Value) {
        let content = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
        let path = if method == "GET" { path.to_owned() } else { format!("{path}?fieldManager=someone") };
        let request = json!({"cluster": cluster, "method": method, "path": path, "body": body, "content": content});
        let mut answer = self.ask(&request).unwrap_or_else(|error| panic!("{method} {path}: {}", error.message));
        (answer["status"].as_u64().expect("a status"), answer["body"].take())
    }

    /// An object in a cluster with another value, as an earlier apply of ours would have left it: the field stays ours. Only
    /// these `parts` of it are ours.
    pub fn apply_as_us(&self, cluster: &str, path: &str, parts: &[&str], pointer: &str, value: &Value) {
        let (_, live) = self.kubernetes(cluster, "GET", path, None);
        let meta = &live["metadata"];
        let mut object = json!({
            "apiVersion": live["apiVersion"],
            "kind": live["kind"],
            "metadata": {"name": meta["name"], "labels": meta["labels"], "annotations": meta["annotations"]},
        });
        for part in parts {
            object["spec"][*part] = live["spec"][*part].clone();
        }
        let text = format!("{object:#}");
        *object.pointer_mut(pointer).unwrap_or_else(|| panic!("no {pointer} in {text}")) = value.clone();
        let content = "application/apply-patch+yaml";
        let path = format!("{path}?fieldManager=bedplate&force=true");
        let request = json!({"cluster": cluster, "method": "PATCH", "path": path, "body": object, "content": content});
        let answer = self.ask(&request).unwrap_or_else(|error| panic!("{path}: {}", error.message));
        assert_eq!(answer["status"], 200, "{path}: {answer:#}");
    }

    /// Whether the clusters' own APIs answer: not outside the VPC.
    pub fn reach_clusters(&self, reachable: bool) {
        self.control("POST", "/_cloud/reach", Some(json!({"clusters": reachable})));
    }

    /// Everything that exists.
    pub fn inventory(&self) -> Inventory {
        let answer = self.control("GET", "/_cloud/inventory", None);
        serde_json::from_value(answer).expect("an inventory")
    }

    /// Calls that change something, since the last [`Cloud::reset_calls`].
    pub fn mutating_calls(&self) -> u64 {
        self.control("GET", "/_cloud/calls", None)["mutating"].as_u64().expect("a number")
    }

    /// All calls by operation, since the last [`Cloud::reset_calls`].
    pub fn calls(&self) -> BTreeMap<String, u64> {
        let mut answer = self.control("GET", "/_cloud/calls", None);
        serde_json::from_value(answer["by_operation"].take()).expect("numbers")
    }

    /// All calls by service and the region they were signed for, since the last [`Cloud::reset_calls`].
    pub fn regions(&self) -> BTreeMap<String, BTreeMap<String, u64>> {
        let mut answer = self.control("GET", "/_cloud/calls", None);
        serde_json::from_value(answer["regions"].take()).expect("numbers")
    }

    /// Under which ids the calls were answered that change something, by operation, since the last
    /// [`Cloud::reset_calls`].
    pub fn request_ids(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut answer = self.control("GET", "/_cloud/calls", None);
        serde_json::from_value(answer["request_ids"].take()).expect("ids")
    }

    /// Counts from zero.
    pub fn reset_calls(&self) {
        self.control("POST", "/_cloud/reset-calls", None);
    }

    /// Makes the next call of an operation fail.
    pub fn fail_next(&self, operation: &str, code: &str, message: &str) {
        self.fail_next_with(operation, code, message, 400);
    }

    /// The same with another HTTP status.
    pub fn fail_next_with(&self, operation: &str, code: &str, message: &str, status: u16) {
        self.fault(operation, "before", json!({"code": code, "message": message, "status": status}));
    }

    /// Lets the next call of an operation happen and answers with a server's error, like a connection that breaks.
    pub fn lose_next_answer(&self, operation: &str) {
        self.fault(
            operation,
            "after",
            json!({"code": "InternalError", "message": "The answer was lost.", "status": 500}),
        );
    }

    /// Refuses every call of an operation during a run. A fault for the next call alone could meet one that an earlier
    /// run, which a failure ended, has sent and did not wait for.
    pub fn refusing<T>(&self, operation: &str, code: &str, message: &str, status: u16, run: impl FnOnce() -> T) -> T {
        let error = json!({"code": code, "message": message, "status": status});
        let fault = json!({"operation": operation, "stays": true, "error": error});
        self.control("POST", "/_cloud/fault", Some(fault));
        let done = run();
        self.control("POST", "/_cloud/end-faults", None);
        done
    }

    fn fault(&self, operation: &str, when: &str, error: Value) {
        let fault = json!({"operation": operation, "nth": 1, "when": when, "error": error});
        self.control("POST", "/_cloud/fault", Some(fault));
    }

    /// Sets quotas by code, whether or not they are enforced.
    pub fn set_quotas(&self, values: Value) {
        self.control("POST", "/_cloud/settings", Some(json!({"quota-values": values})));
    }

    /// Changes switches of the cloud (see `tests/cloud/README.md`).
    pub fn switch(&self, values: Value) {
        self.control("POST", "/_cloud/settings", Some(values));
    }

    /// From now on nobody is answered, or everybody again.
    pub fn freeze(&self, frozen: bool) {
        self.server.freeze(frozen);
    }

    /// Confirms every e-mail subscription, as people would. One that nobody confirmed cannot be ended.
    pub fn confirm_subscriptions(&self) {
        self.control("POST", "/_cloud/confirm", Some(json!({})));
    }

    /// Moves the cloud's clock forward: what would be ready by then is ready.
    pub fn advance(&self, seconds: u32) {
        self.control("POST", "/_cloud/advance", Some(json!({"seconds": seconds})));
    }

    /// Moves the cloud's clock, and nothing but that is looked at: backwards, too.
    pub fn move_clock(&self, seconds: i32) {
        self.control("POST", "/_cloud/advance", Some(json!({"seconds": seconds})));
    }

    fn control(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let answer = self.ask(&json!({"method": method, "path": path, "body": body}));
        answer.unwrap_or_else(|error| panic!("{method} {path}: {}", error.message))
    }

    fn ask(&self, request: &Value) -> Result<Value, AwsError> {
        // A test that failed while it asked says so itself.
        let mut boto3 = self.boto3.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        boto3.ask(request)
    }
}

/// `tests/python/aws.py`, running: boto3 takes a second to load.
#[derive(Debug)]
struct Boto3 {
    process: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Boto3 {
    fn start(endpoint: &str, access_key: &str) -> Self {
        let script = environment::root().join("tests/python/aws.py");
        let mut command = Command::new(environment::python());
        command.arg(script).args([endpoint, access_key]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("Python starts");
        let requests = process.stdin.take().expect("it is piped");
        let answers = BufReader::new(process.stdout.take().expect("it is piped"));
        Self { process, requests, answers }
    }

    fn ask(&mut self, request: &Value) -> Result<Value, AwsError> {
        writeln!(self.requests, "{request}").expect("boto3 listens");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("boto3 answers");
        let mut answer: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        match answer.get("error") {
            None => Ok(answer["result"].take()),
            Some(error) => Err(AwsError {
                code: error["code"].as_str().unwrap_or_default().to_owned(),
                message: error["message"].as_str().unwrap_or_default().to_owned(),
            }),
        }
    }
}

impl Drop for Boto3 {
    fn drop(&mut self) {
        _ = self.process.kill();
        _ = self.process.wait();
    }
}
