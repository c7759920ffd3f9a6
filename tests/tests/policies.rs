//! Every policy that the platform makes: a linter finds nothing in it, and it allows nothing wholesale.

use bedplate_tests::{Cloud, JsonExt, Project, python, root};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    io::Write,
    process::{Command, Stdio},
    sync::LazyLock,
};

/// With all that has policies and is on request only.
const EVERYTHING: &str = "[costs.report]\nenabled = true\n[organization]\nenabled = true\ntargets = [\"ROOT\"]\n";

/// A policy as it was sent to AWS.
struct Policy {
    address: String,
    /// Kind and field: `iam.role.trust`.
    place: String,
    document: Value,
}

/// A cloud with an organization, and a project with everything in it.
fn everything(cloud: &Cloud) -> Project {
    cloud.call("organizations", "create_organization", json!({"FeatureSet": "ALL"}));
    let root = cloud.call("organizations", "list_roots", json!({}))["Roots"][0].text("Id").to_owned();
    for kind in ["SERVICE_CONTROL_POLICY", "TAG_POLICY"] {
        cloud.call("organizations", "enable_policy_type", json!({"RootId": root, "PolicyType": kind}));
    }
    Project::with(cloud, &EVERYTHING.replace("ROOT", &root))
}

static POLICIES: LazyLock<Vec<Policy>> = LazyLock::new(|| {
    let cloud = Cloud::start();
    let project = everything(&cloud);
    project.bootstrap();
    let state = project.state();
    let mut found = Vec::new();
    for (address, resource) in state["resources"].as_object().expect("resources") {
        for (field, value) in resource["spec"].as_object().expect("settings") {
            let place = format!("{}.{field}", resource.text("kind"));
            collect(value, &mut |document| {
                found.push(Policy { address: address.clone(), place: place.clone(), document: document.clone() });
            });
        }
    }
    found
});

/// Finds the policies in a value, whatever they are called there.
fn collect(value: &Value, found: &mut dyn FnMut(&Value)) {
    match value {
        Value::Object(map) if map.contains_key("Statement") => found(value),
        Value::Object(map) => map.values().for_each(|inner| collect(inner, found)),
        Value::Array(items) => items.iter().for_each(|inner| collect(inner, found)),
        _ => {}
    }
}

/// What the linter says.
fn lint(policies: &[(&str, &str, &Value)]) -> Vec<Value> {
    let one = |(address, place, document): &(&str, &str, &Value)| json!({"address": address, "place": place, "document": document});
    let input: Value = policies.iter().map(one).collect();
    let mut command = Command::new(python());
    command
        .arg(root().join("tests/python/policies.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut process = command.spawn().expect("Python starts");
    let mut stdin = process.stdin.take().expect("it is piped");
    stdin.write_all(input.to_string().as_bytes()).expect("the linter listens");
    drop(stdin);
    let output = process.wait_with_output().expect("the linter ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("a list")
}

#[test]
fn there_are_policies_of_every_kind() {
    let places: BTreeSet<&str> = POLICIES.iter().map(|policy| policy.place.as_str()).collect();
    let expected = [
        "iam.role.inline_policies",
        "iam.role.trust",
        "kms.key.policy",
        "organizations.policy.content",
        "s3.bucket.policy",
        "sns.topic.policy",
    ];
    assert!(places.is_superset(&expected.into()), "{places:?}");
}

#[test]
fn the_linter_finds_nothing() {
    let policies: Vec<_> =
        POLICIES.iter().map(|policy| (policy.address.as_str(), policy.place.as_str(), &policy.document)).collect();
    let found = lint(&policies);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn the_linter_finds_what_is_wrong() {
    let policy = |statement: Value| json!({"Version": "2012-10-17", "Statement": [statement]});
    let misspelt = policy(json!({"Effect": "Allow", "Action": ["s3:GetObjekt"], "Resource": ["arn:aws:s3:::b/*"]}));
    let condition = json!({"StringEqualz": {"aws:SourceAccount": ["797923187401"]}});
    let condition = policy(json!({
        "Effect": "Allow",
        "Principal": {"Service": ["budgets.amazonaws.com"]},
        "Action": ["sns:Publish"],
        "Resource": ["arn:aws:sns:us-east-1:797923187401:t"],
        "Condition": condition,
    }));
    let nobody = policy(json!({"Effect": "Allow", "Action": ["sts:AssumeRole"]}));
    let found = lint(&[
        ("misspelt", "iam.role.inline_policies", &misspelt),
        ("condition", "sns.topic.policy", &condition),
        ("nobody", "iam.role.trust", &nobody),
    ]);
    let addresses: BTreeSet<&str> = found.iter().map(|finding| finding.text("address")).collect();
    assert_eq!(addresses, ["condition", "misspelt", "nobody"].into(), "{found:#?}");
}

/// A policy of `docs/reference`.
fn reference(name: &str) -> Value {
    serde_json::from_str(&fs_err::read_to_string(root().join("docs/reference").join(name)).unwrap()).unwrap()
}

/// The actions that these policies allow.
fn allowed(names: &[&str]) -> BTreeSet<String> {
    let policies: Vec<Value> = names.iter().map(|name| reference(name)).collect();
    let statements = policies.iter().flat_map(|policy| policy.list("Statement"));
    statements.flat_map(|statement| texts(&statement["Action"])).map(str::to_owned).collect()
}

/// The actions that the calls of a run need, as far as AWS's services ask for them.
fn needed(run: &Value) -> BTreeSet<String> {
    let calls = run["api_calls"].as_object().expect("calls").keys();
    let calls = calls.filter(|call| !call.starts_with("kubernetes:")).map(|call| match call.as_str() {
        "s3:DeleteObjects" => "s3:DeleteObject",
        "s3:GetBucketEncryption" => "s3:GetEncryptionConfiguration",
        "s3:GetBucketLifecycleConfiguration" => "s3:GetLifecycleConfiguration",
        "s3:GetPublicAccessBlock" => "s3:GetBucketPublicAccessBlock",
        "s3:ListBucketIntelligentTieringConfigurations" => "s3:GetIntelligentTieringConfiguration",
        "s3:ListBuckets" => "s3:ListAllMyBuckets",
        "s3:ListObjectVersions" => "s3:ListBucketVersions",
        "s3:ListObjectsV2" => "s3:ListBucket",
        "s3:PutBucketEncryption" => "s3:PutEncryptionConfiguration",
        "s3:PutBucketIntelligentTieringConfiguration" => "s3:PutIntelligentTieringConfiguration",
        "s3:PutBucketLifecycleConfiguration" => "s3:PutLifecycleConfiguration",
        "s3:PutPublicAccessBlock" => "s3:PutBucketPublicAccessBlock",
        call if call.starts_with("budgets:Describe") => "budgets:ViewBudget",
        call if call.starts_with("budgets:") && !call.contains("Tag") => "budgets:ModifyBudget",
        call => call,
    });
    calls.map(str::to_owned).collect()
}

#[test]
fn the_policies_of_the_reference_allow_every_call() {
    let cloud = Cloud::start();
    let project = everything(&cloud);
    let deploy = allowed(&["deploy-foundation.json", "deploy-services.json"]);
    let plan = allowed(&["plan.json"]);
    assert!(plan.is_subset(&deploy), "{:?}", plan.difference(&deploy));

    let run = |args: &[&str], allowed: &BTreeSet<String>| {
        let needed = needed(&project.run(args).ok().json());
        assert!(needed.is_subset(allowed), "{args:?} needs {:?}", needed.difference(allowed));
    };
    run(&["plan", "--json"], &plan);
    run(&["bootstrap", "--yes", "--json"], &deploy);
    run(&["plan", "--json"], &plan);
    run(&["drift", "--json"], &plan);
    project.write(
        "platform.toml",
        &project.read("platform.toml").replace("[costs.report]", "[tags]\nTeam = \"a\"\n[costs.report]"),
    );
    run(&["apply", "--yes", "--json"], &deploy);
    run(&["destroy", "--yes", "--lift-protection", "--empty-buckets", "--json"], &deploy);
}

#[test]
fn the_linter_finds_nothing_in_the_policies_of_the_reference() {
    let names = ["deploy-foundation.json", "deploy-services.json", "plan.json", "state.json"];
    let policies = names.map(reference);
    let found: Vec<_> =
        names.iter().zip(&policies).map(|(name, policy)| (*name, "iam.role.inline_policies", policy)).collect();
    let found = lint(&found);
    assert!(found.is_empty(), "{found:#?}");
}

const LAKE: &str = "arn:aws:s3:::fintechglobal-data-lake-797923187401-us-east-1";
const LOGS: &str = "arn:aws:s3:::fintechglobal-s3-logs-797923187401-us-east-1";
const REPORTS: &str = "arn:aws:s3:::fintechglobal-cost-reports-797923187401-us-east-1";

/// Every wildcard in an action or a resource: where it is, what it is, and AWS's page that it is from.
fn wildcards() -> Vec<(&'static str, &'static str, String, &'static str)> {
    const KEY: &str = "KMS Developer Guide, \"Key policies\": in a key's policy `*` means the key, and nothing else can be \
                       written; \"Default key policy\": without the account's root nobody could change the policy";
    const OBJECTS: &str = "S3 User Guide, \"Bucket policies\": the objects of a bucket or under a prefix";
    const TLS: &str = "S3 User Guide, \"Security best practices\", aws:SecureTransport: it denies";
    const STREAMS: &str = "VPC User Guide, \"IAM role for publishing flow logs\"; Service Authorization Reference, CloudWatch \
                           Logs: the streams of one group, and a list that knows no single group";
    const DENIES: &str = "Organizations User Guide, \"General examples\" of service control policies: it denies";
    let mut all = vec![
        ("security/key", "Account", "kms:*".to_owned(), KEY),
        ("security/key", "Account", "*".to_owned(), KEY),
        ("security/key", "LogGroupsOfTheAccount", "*".to_owned(), KEY),
        ("security/key", "AlertsOfTheAccount", "*".to_owned(), KEY),
        ("security/role/app", "DataLakeObjects", format!("{LAKE}/*"), OBJECTS),
        ("security/role/flow-logs", "", "arn:aws:logs:us-east-1:797923187401:log-group:*".to_owned(), STREAMS),
        (
            "security/role/flow-logs",
            "",
            "arn:aws:logs:us-east-1:797923187401:log-group:/aws/vpc/fintechglobal-flow-logs:*".to_owned(),
            STREAMS,
        ),
        ("storage/logs", "AccessLogsOfTheDataLake", format!("{LOGS}/access-logs/*"), OBJECTS),
        (
            "storage/logs",
            "AccessLogsOfTheLoadBalancer",
            format!("{LOGS}/load-balancer/AWSLogs/797923187401/*"),
            "Elastic Load Balancing User Guide, \"Enable access logs\": the prefix of this account's logs",
        ),
        ("costs/report-bucket", "Delivery", format!("{REPORTS}/reports/*"), OBJECTS),
        ("organization/deny-root-user", "RootUser", "*".to_owned(), DENIES),
        ("organization/restrict-regions", "OtherRegions", "*".to_owned(), DENIES),
        ("organization/protect-cloudtrail", "Trails", "arn:aws:cloudtrail:*:*:trail/*".to_owned(), DENIES),
    ];
    for (address, bucket) in [("storage/data-lake", LAKE), ("storage/logs", LOGS), ("costs/report-bucket", REPORTS)] {
        all.push((address, "OnlyWithTls", "s3:*".to_owned(), TLS));
        all.push((address, "OnlyWithTls", format!("{bucket}/*"), TLS));
    }
    all
}

/// A text or a list of texts.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn every_wildcard_is_one_that_aws_asks_for() {
    let allowed = wildcards();
    let mut seen = BTreeSet::new();
    for Policy { address, document, .. } in POLICIES.iter() {
        for statement in document.list("Statement") {
            let sid = statement["Sid"].as_str().unwrap_or_default();
            // What is not denied in `NotAction` is not allowed by it either.
            let parts = ["Action", "Resource", "NotResource"].iter().flat_map(|part| texts(&statement[*part]));
            for text in parts.filter(|text| text.contains('*')) {
                let known = allowed.iter().position(|it| (it.0, it.1, it.2.as_str()) == (address.as_str(), sid, text));
                seen.insert(known.unwrap_or_else(|| panic!("{address} {sid}: {text} is a wildcard: {statement:#}")));
            }
            assert!(statement.get("NotAction").is_none() || statement["Effect"] == "Deny", "{address}: {statement:#}");
            let everybody = statement["Principal"] == "*" || texts(&statement["Principal"]["AWS"]).contains(&"*");
            assert!(!everybody || statement["Effect"] == "Deny", "{address} lets everybody in: {statement:#}");
        }
    }
    let stale: Vec<_> = (0..allowed.len()).filter(|index| !seen.contains(index)).map(|index| &allowed[index]).collect();
    assert!(stale.is_empty(), "these wildcards are gone: {stale:?}");
}
