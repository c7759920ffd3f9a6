//! What people read when something goes wrong, provoked case by case. `docs/troubleshooting.md` has the very messages: behind
//! each `<!-- message: NAME -->`, written there by `BEDPLATE_WRITE_DOCS=1 cargo test --workspace --test errors`.

use bedplate_tests::{Cloud, Door, FIVE_LINES, JsonExt, Project, Run, root};
use serde_json::{Value, json};
use std::{
    env,
    sync::{Mutex, PoisonError},
};

const NO_CLUSTER: &str = "[cluster]\nenabled = false";
const DEVELOPMENT: &str = "environment = \"development\"\n[cluster]\nenabled = false";

/// That the page has this message.
#[track_caller]
fn on_the_page(name: &str, message: &str) {
    // Cases are written one after the other.
    static PAGE: Mutex<()> = Mutex::new(());
    let _one = PAGE.lock().unwrap_or_else(PoisonError::into_inner);
    let path = root().join("docs/troubleshooting.md");
    let page = fs_err::read_to_string(&path).unwrap();
    let marker = format!("<!-- message: {name} -->\n\n");
    let (before, after) = page.split_once(&marker).unwrap_or_else(|| panic!("the page has no {marker}"));
    let (written, rest) = match after.strip_prefix("```text\n").and_then(|block| block.split_once("```\n")) {
        Some((written, rest)) => (written, rest),
        None => ("", after),
    };
    if env::var_os("BEDPLATE_WRITE_DOCS").is_some() {
        let rest = if written.is_empty() { format!("\n{rest}") } else { rest.to_owned() };
        fs_err::write(&path, format!("{before}{marker}```text\n{message}```\n{rest}")).unwrap();
    } else {
        assert_eq!(written, message, "docs/troubleshooting.md, {name}: write it again as this file says");
    }
}

/// What a run said of its failure, with that left out which is another every time.
fn message(project: &Project, cloud: &Cloud, run: &Run) -> String {
    let said = run.stderr.find("error: ").or_else(|| run.stderr.find("warning: "));
    let from = said.unwrap_or_else(|| panic!("no error: {run}"));
    let folder = project.path("").display().to_string();
    let text = run.stderr[from..].replace(&folder, "").replace(&cloud.endpoint, "http://127.0.0.1:5555");
    // Which of several alike comes first is chance.
    let alike = [
        ("elastic-ip/b:", "elastic-ip/a:"),
        ("network/nat/b:", "network/nat/a:"),
        ("database/instance/2:", "database/instance/1:"),
        ("(us-east-1d)", "(us-east-1c)"),
    ];
    let text = alike.iter().fold(text, |text, (one, other)| text.replace(one, other));
    // The picture of the error ends where the account of the run begins.
    let end = ["\n\nNot tried:", "\n\nIncomplete", "\n\nerror:"].iter().filter_map(|mark| text.find(mark)).min();
    format!("{}\n", text[..end.unwrap_or(text.len())].trim_end())
}

/// That a failure says these things, and that the page shows what it says.
#[track_caller]
fn shown(name: &str, project: &Project, cloud: &Cloud, run: &Run, words: &[&str]) {
    let text = message(project, cloud, run);
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for word in words {
        assert!(flat.contains(word), "{name} does not say {word:?}: {run}");
    }
    on_the_page(name, &masked(&text));
}

/// With one and the same time wherever there is one: `20261123T101500Z`.
fn without_times(text: &str) -> String {
    const TIME: &str = "20261123T101500Z";
    let is_time = |from: usize| {
        let found = text.get(from..from + TIME.len());
        let alike = |(a, b): (char, char)| a == b || (a.is_ascii_digit() && b.is_ascii_digit());
        found.is_some_and(|found| found.chars().zip(TIME.chars()).all(alike))
    };
    let mut masked = text.to_owned();
    for from in (0..text.len()).filter(|from| is_time(*from)) {
        masked.replace_range(from..from + TIME.len(), TIME);
    }
    masked
}

/// Request ids and times are others every time.
fn masked(text: &str) -> String {
    let text = &without_times(text);
    let mut parts = text.split("(request");
    let mut masked = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        // A line may end between the words.
        let (words, rest) = part.split_once(')').unwrap_or((part, ""));
        let (before, id) = words.split_once("id").unwrap_or(("", words));
        let zeros: String = id.chars().map(|it| if it.is_ascii_alphanumeric() { '0' } else { it }).collect();
        masked.push_str(&format!("(request{before}id{zeros}){rest}"));
    }
    masked
}

#[test]
fn credentials() {
    let cloud = Cloud::start();
    let project = Project::with(&cloud, NO_CLUSTER);
    let none = [("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", "")];
    let run = project.run_with(&["plan"], &none).exits(1);
    shown("no-credentials", &project, &cloud, &run, &["NoCredentials", "aws sso login", "AWS_PROFILE"]);

    let session = session(&cloud, 900);
    let plan = || project.run_with(&["plan"], &borrowed(&session));
    plan().ok();
    cloud.advance(901);
    shown("expired-token", &project, &cloud, &plan().exits(1), &["ExpiredToken", "request id", "sign in again"]);

    let key = json!({"AccessKeyId": key_of(&cloud, "ada").text("AccessKeyId")});
    cloud.iam("delete_access_key", json!({"UserName": "ada", "AccessKeyId": key["AccessKeyId"]}));
    let run = project.run_with(&["plan"], &[("AWS_ACCESS_KEY_ID", key.text("AccessKeyId"))]).exits(1);
    let words = ["InvalidClientTokenId", "does not know these credentials"];
    shown("unknown-credentials", &project, &cloud, &run, &words);
    // A signature is checked nowhere here.
    let said = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key \
                and signing method. Consult the service documentation for details.";
    cloud.fail_next_with("sts:GetCallerIdentity", "SignatureDoesNotMatch", said, 403);
    let run = project.run(&["plan"]).exits(1);
    shown("wrong-secret", &project, &cloud, &run, &["the secret is not that of the access key"]);
}

/// Temporary credentials that are good for so many seconds of the cloud's.
fn session(cloud: &Cloud, seconds: u32) -> Value {
    cloud.call("sts", "get_session_token", json!({"DurationSeconds": seconds}))["Credentials"].clone()
}

/// Credentials for a run.
fn borrowed(credentials: &Value) -> Vec<(&'static str, &str)> {
    let names = [
        ("AWS_ACCESS_KEY_ID", "AccessKeyId"),
        ("AWS_SECRET_ACCESS_KEY", "SecretAccessKey"),
        ("AWS_SESSION_TOKEN", "SessionToken"),
    ];
    names.iter().filter_map(|(name, key)| Some((*name, credentials[key].as_str()?))).collect()
}

/// A user's access key.
fn key_of(cloud: &Cloud, user: &str) -> Value {
    cloud.iam("create_user", json!({"UserName": user}));
    cloud.iam("create_access_key", json!({"UserName": user}))["AccessKey"].clone()
}

#[test]
fn a_clock_that_is_wrong() {
    let cloud = Cloud::start();
    let project = Project::with(&cloud, NO_CLUSTER);
    project.run(&["apply", "--yes", "--target", "secrets"]).ok();
    cloud.switch(json!({"check-clock": true}));
    for seconds in [1200, -2400] {
        cloud.move_clock(seconds);
        let run = project.run(&["plan"]).exits(1).says(&["the clock of this machine", "timedatectl set-ntp true"]);
        if seconds > 0 {
            shown("clock", &project, &cloud, &run, &["Signature expired"]);
        } else {
            run.says(&["Signature not yet current"]);
        }
    }
}

/// The page says that it is the same as before a run: what was not done is not tried, and the state is saved.
#[test]
fn credentials_that_expire_during_a_run() {
    // Long enough that only the clock's jump ends it, together with the session.
    let cloud = Cloud::with(&["--durations", "quick,cluster.create=36000"]);
    let project = Project::network_and_cluster(&cloud, "");
    let session = session(&cloud, 900);
    let mut run = project.start_with(&["apply", "--yes", "--json"], &borrowed(&session));
    run.wait_for(&["\"waiting\"", "cluster/cluster", "CREATING"]);
    cloud.advance(901);
    let run = run.finish().exits(1);
    let result = run.json();
    let failed = result.list("failed").iter().find(|it| it.text("address") == "cluster/cluster");
    let failed = failed.unwrap_or_else(|| panic!("the cluster fails: {run}"));
    assert_eq!(failed.text("code"), "ExpiredTokenException");
    assert!(failed.text("hint").contains("sign in again"), "{run}");
    assert!(result.list("skipped").iter().any(|it| it.text("because") == "cluster/cluster"), "{run}");

    // With other credentials it goes on where it stopped.
    cloud.advance(36000);
    project.apply();
    project.assert_no_changes();
    assert_eq!(cloud.calls()["eks:CreateCluster"], 1);
}

#[test]
fn credentials_that_expire_while_ec2_is_asked() {
    let cloud = Cloud::with(&["--durations", "quick,nat-gateway.create=36000"]);
    let project = Project::with(&cloud, NO_CLUSTER);
    let (session, target) = (session(&cloud, 900), ["apply", "--yes", "--target", "network/nat/a"]);
    let mut run = project.start_with(&target, &borrowed(&session));
    run.wait_for(&["network/nat/a", "pending"]);
    cloud.advance(901);
    let run = run.finish().exits(1);
    let words = ["RequestExpired", "temporary credentials whose time is over", "timedatectl set-ntp true"];
    shown("request-expired", &project, &cloud, &run, &words);
    cloud.advance(36000);
    project.run(&target).ok();
}

#[test]
fn the_wrong_account_or_region() {
    let cloud = Cloud::start();
    let project = Project::with(&cloud, NO_CLUSTER);
    project.write("platform.toml", &FIVE_LINES.replace("797923187401", "111122223333"));
    let run = project.run(&["plan"]).exits(3);
    shown("wrong-account", &project, &cloud, &run, &["797923187401", "111122223333", "account_id"]);

    project.configure(NO_CLUSTER);
    project.run(&["apply", "--yes", "--target", "secrets"]).ok();
    let run = project.run_with(&["plan"], &[("AWS_REGION", "eu-west-1")]).exits(3);
    shown("wrong-region", &project, &cloud, &run, &["us-east-1", "eu-west-1"]);
    run.says(&["warning: region eu-west-1 from AWS_REGION, not us-east-1"]);
}

#[test]
fn access_denied() {
    let cloud = Cloud::start();
    let project = Project::with(&cloud, NO_CLUSTER);
    // With a state there is one read of a kind, so that it is known which call is refused.
    project.run(&["apply", "--yes", "--target", "secrets"]).ok();
    let refused = |operation: &str, code: &str, message: &str| {
        cloud.refusing(operation, code, message, 403, || project.run(&["plan"]).exits(1))
    };
    let said = "User: arn:aws:iam::797923187401:user/demo is not authorized to perform: iam:ListRoles on resource: \
                arn:aws:iam::797923187401:role/ because no identity-based policy allows the iam:ListRoles action";
    let run = refused("iam:GetAccountAuthorizationDetails", "AccessDenied", said);
    let statement = r#"{"Action":"iam:ListRoles","Effect":"Allow","Resource":"arn:aws:iam::797923187401:role/"}"#;
    shown("access-denied", &project, &cloud, &run, &["AccessDenied", "request id", statement]);

    let said =
        "You are not authorized to perform this operation. Encoded authorization failure message: 4GIOHlTkIaWHQD0Q0m6X";
    let run = refused("ec2:DescribeVpcs", "UnauthorizedOperation", said);
    let statement = r#"{"Action":"ec2:DescribeVpcs","Effect":"Allow","Resource":"*"}"#;
    let words = [statement, "aws sts decode-authorization-message"];
    shown("access-denied-encoded", &project, &cloud, &run, &words);

    let said = "User: arn:aws:iam::797923187401:user/demo is not authorized to perform: kms:ListKeys with an explicit deny in a \
                service control policy";
    let run = refused("kms:ListAliases", "AccessDeniedException", said);
    shown("explicit-deny", &project, &cloud, &run, &["an explicit deny forbids kms:ListKeys"]);

    // The operation has another name than the action.
    refused("s3:ListBuckets", "AccessDenied", "Access Denied")
        .says(&[r#"{"Action":"s3:ListAllMyBuckets","Effect":"Allow","Resource":"*"}"#]);
}

#[test]
fn what_a_caller_may_not_do() {
    let cloud = Cloud::start();
    let project = Project::with(&cloud, NO_CLUSTER);
    let key = key_of(&cloud, "demo");
    let most = json!({"Effect": "Allow", "NotAction": ["kms:CreateKey", "rds:CreateDBCluster"], "Resource": "*"});
    let document = json!({"Version": "2012-10-17", "Statement": [most]}).to_string();
    cloud.iam("put_user_policy", json!({"UserName": "demo", "PolicyName": "most", "PolicyDocument": document}));
    let run = project.run_with(&["preflight"], &borrowed(&key)).ok();
    let statement = r#"{"Action":["kms:CreateKey","rds:CreateDBCluster"],"Effect":"Allow","Resource":"*"}"#;
    shown("not-permitted", &project, &cloud, &run, &["no policy of", statement]);

    // A bootstrap asks as well, before it touches anything; with nothing to do it asks nothing.
    let denied = json!({"Effect": "Deny", "Action": "kms:CreateKey", "Resource": "*"});
    let document = json!({"Version": "2012-10-17", "Statement": [most, denied]}).to_string();
    cloud.iam("put_user_policy", json!({"UserName": "demo", "PolicyName": "most", "PolicyDocument": document}));
    cloud.reset_calls();
    let run = project.run_with(&["bootstrap", "--yes"], &borrowed(&key)).exits(3);
    shown("forbidden", &project, &cloud, &run, &["an explicit deny forbids kms:CreateKey"]);
    assert_eq!(cloud.mutating_calls(), 0, "{:?}", cloud.calls());
    project.bootstrap();
    cloud.reset_calls();
    project.bootstrap();
    for call in
        ["iam:SimulatePrincipalPolicy", "rds:DescribeDBEngineVersions", "elasticache:DescribeCacheEngineVersions"]
    {
        assert_eq!(cloud.calls().get(call), None, "{call} was made for no changes");
    }
}

#[test]
fn a_quota() {
    let target = ["apply", "--yes", "--target", "network"];
    // The platform needs two of five.
    let reached = |cloud: &Cloud| {
        let project = Project::with(cloud, NO_CLUSTER);
        let take = || cloud.ec2("allocate_address", json!({"Domain": "vpc"}));
        let taken: Vec<Value> = (0..4).map(|_| take()).collect();
        let run = project.run(&target).exits(1);
        (project, run, taken)
    };
    let cloud = Cloud::with(&["--quotas"]);
    let (project, run, taken) = reached(&cloud);
    let words = ["network/elastic-ip/", "`EC2-VPC Elastic IPs` (L-0263D0A3) is 5 and reached", "--desired-value N"];
    shown("quota", &project, &cloud, &run, &words);
    cloud.ec2("release_address", json!({"AllocationId": taken[0]["AllocationId"]}));
    project.run(&target).ok();

    // Where its value is not known, it is still named.
    let cloud = Cloud::with(&["--quotas"]);
    let said = "User: arn:aws:iam::797923187401:user/demo is not authorized to perform: servicequotas:GetServiceQuota";
    cloud.fail_next_with("service-quotas:GetServiceQuota", "AccessDeniedException", said, 400);
    let (_, run, _) = reached(&cloud);
    run.says(&["`EC2-VPC Elastic IPs` (L-0263D0A3) is reached", "get-service-quota --service-code ec2"]);
}

#[test]
fn a_quota_that_is_too_small() {
    let cloud = Cloud::start();
    let project = Project::with(&cloud, NO_CLUSTER);
    for _ in 0..4 {
        cloud.ec2("allocate_address", json!({"Domain": "vpc"}));
    }
    let run = project.run(&["preflight"]).exits(3);
    let words = ["network/elastic-ip/", "(L-0263D0A3) is 5: 4 used, 2 more needed", "--desired-value 6"];
    shown("quota-too-small", &project, &cloud, &run, &words);

    let said = "User: arn:aws:iam::797923187401:user/demo is not authorized to perform: servicequotas:GetServiceQuota";
    cloud.fail_next_with("service-quotas:GetServiceQuota", "AccessDeniedException", said, 400);
    let run = project.run(&["preflight"]).ok();
    run.says(&[
        "warning: whether the account's quotas have room is not known",
        r#""Action":"servicequotas:GetServiceQuota""#,
    ]);
}

#[test]
fn too_many_calls() {
    let cloud = Cloud::start();
    let project = Project::with(&cloud, NO_CLUSTER);
    // As often as the SDK asks.
    for _ in 0..6 {
        cloud.fail_next_with("sts:GetCallerIdentity", "Throttling", "Rate exceeded", 400);
    }
    let run = project.run(&["plan"]).exits(1);
    let words = ["Throttling", "the account made more calls than AWS takes"];
    shown("throttled", &project, &cloud, &run, &words);
}

#[test]
fn a_name_that_is_taken() {
    let cloud = Cloud::start();
    let project = Project::with(&cloud, NO_CLUSTER);
    cloud.call("logs", "create_log_group", json!({"logGroupName": "/aws/vpc/fintechglobal-flow-logs"}));
    let run = project.run(&["plan"]).exits(3);
    let words = ["network/log-group", "/aws/vpc/fintechglobal-flow-logs", "does not belong to this stack"];
    shown("name-taken", &project, &cloud, &run, &words);
}

#[test]
fn a_zone_without_room() {
    let cloud = Cloud::start();
    let project = Project::with(&cloud, NO_CLUSTER);
    project.run(&["apply", "--yes", "--target", "network"]).ok();
    let target = ["apply", "--yes", "--target", "database"];
    let zones = cloud.ec2("describe_availability_zones", json!({}));
    let zones: Vec<&str> = zones.list("AvailabilityZones").iter().map(|zone| zone.text("ZoneId")).collect();
    cloud.switch(json!({"full-zones": zones}));
    let run = project.run(&target).exits(1);
    let words = [
        "database/",
        "InsufficientDBInstanceCapacity",
        "the zone has no room for this type",
        "`zone_ids` in [network]",
    ];
    shown("no-capacity", &project, &cloud, &run, &words);
    cloud.switch(json!({"full-zones": []}));
    project.run(&target).ok();
}

/// EKS makes the control plane only where there is room, and says of the nodes only later that they did not start.
#[test]
fn a_zone_without_room_for_the_cluster() {
    let cloud = Cloud::start();
    let project = Project::network_and_cluster(&cloud, "");
    project.run(&["apply", "--yes", "--target", "network/nat"]).ok();
    let zones = cloud.ec2("describe_availability_zones", json!({}));
    let zones: Vec<&str> = zones.list("AvailabilityZones").iter().map(|zone| zone.text("ZoneId")).collect();
    let full = |zones: &[&str]| cloud.switch(json!({"full-zones": zones}));
    full(&["use1-az1"]);
    let apply = ["apply", "--yes", "--target", "cluster/node-group"];
    let run = project.run(&["apply", "--yes", "--target", "cluster/cluster"]).exits(1);
    let words =
        ["cluster/cluster", "UnsupportedAvailabilityZoneException", "no room for a control plane", "`zone_ids`"];
    shown("zone-refused", &project, &cloud, &run, &words);
    full(&[]);
    project.run(&["apply", "--yes", "--target", "cluster/cluster"]).ok();
    full(&zones);
    let run = project.run(&apply).exits(1);
    let words = ["cluster/node-group/", "AsgInstanceLaunchFailures", "the zone has no room for this type"];
    shown("failed-in-aws", &project, &cloud, &run, &words);
    // What failed is replaced.
    full(&[]);
    project.run(&apply).ok();
}

#[test]
fn a_version_that_is_not_offered() {
    let cloud = Cloud::start();
    let project = Project::with(&cloud, "[cluster]\nversion = \"1.20\"");
    for command in ["plan", "preflight"] {
        let run = project.run(&[command]).exits(3);
        let words = ["EKS does not have Kubernetes 1.20", "`version` in [cluster]"];
        shown("unsupported-kubernetes", &project, &cloud, &run, &words);
    }

    project.configure(&format!("{NO_CLUSTER}\n[database]\nengine_version = \"16.99\""));
    cloud.reset_calls();
    for command in [&["preflight"][..], &["bootstrap", "--yes"]] {
        let run = project.run(command).exits(3).says(&["RDS does not offer Aurora PostgreSQL 16.99 in us-east-1"]);
        if command == ["preflight"] {
            let words = ["database/cluster", "`engine_version` in [database] to one of 16.6,"];
            shown("unsupported-database-beforehand", &project, &cloud, &run, &words);
        }
    }
    assert_eq!(cloud.mutating_calls(), 0, "{:?}", cloud.calls());
    // An apply does not ask beforehand.
    let run = project.run(&["apply", "--yes", "--target", "database"]).exits(1);
    let words = ["Cannot find version 16.99", "no longer offers this version"];
    shown("unsupported-database", &project, &cloud, &run, &words);

    project.configure(NO_CLUSTER);
    cloud.switch(json!({"withdrawn": ["redis:7.1"]}));
    let said = "ElastiCache does not offer Redis 7.1 in us-east-1";
    project.run(&["preflight"]).exits(3).says(&[said, "`engine_version` in [cache] to one of 7.0,"]);
    // Who may not ask is told so, and nothing else changes.
    let said = "User: arn:aws:iam::797923187401:user/demo is not authorized to perform: \
                elasticache:DescribeCacheEngineVersions";
    cloud.fail_next_with("elasticache:DescribeCacheEngineVersions", "AccessDenied", said, 403);
    project.run(&["preflight"]).ok().says(&["warning: whether AWS offers Redis 7.1 is not known"]).has(&["Ready"]);
}

/// Exit codes of what fails before anything was touched.
#[test]
fn what_cannot_be_asked_beforehand() {
    let cloud = Cloud::start();
    let project = Project::with(&cloud, NO_CLUSTER);
    let session = session(&cloud, 900);
    cloud.advance(901);
    let (none, nowhere) =
        ([("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", "")], ["--endpoint-url", "http://127.0.0.1:1"]);
    for (args, code) in [
        (&["preflight"][..], 3),
        (&["bootstrap", "--yes"], 3),
        (&["plan"], 1),
        (&["apply", "--yes"], 1),
        (&["destroy", "--yes"], 1),
    ] {
        project.run_with(args, &none).exits(code).says(&["NoCredentials"]);
        project.run_with(args, &borrowed(&session)).exits(code).says(&["ExpiredToken"]);
        cloud.fail_next_with("ec2:DescribeAvailabilityZones", "UnauthorizedOperation", "You are not authorized.", 403);
        project.run(args).exits(code).says(&["ec2:DescribeAvailabilityZones"]);
    }
    // Where nothing answers, the SDK tries for a while; of `plan` another test knows.
    for args in [&["preflight"][..], &["bootstrap", "--yes"]] {
        project.run(&[args, &nowhere].concat()).exits(3).says(&["nothing answers at the endpoint"]);
    }
    assert!(!project.state_path().exists());
    assert_eq!(cloud.inventory(), Cloud::start().inventory());
}

#[test]
fn a_saved_plan_has_no_targets() {
    let cloud = Cloud::start();
    let project = Project::with(&cloud, NO_CLUSTER);
    project.run(&["plan", "--out", "a.plan"]).ok();
    let run = project.run(&["apply", "a.plan", "--yes", "--target", "network"]).exits(3);
    run.says(&["'[FILE]' cannot be used with '--target <ADDR>'"]);
}

#[test]
fn a_field_that_somebody_else_has() {
    let cloud = Cloud::start();
    let project = Project::network_and_cluster(&cloud, "");
    project.bootstrap();
    let path = "/apis/autoscaling/v2/namespaces/fintech-prod/horizontalpodautoscalers/fintech-api-hpa";
    let (status, found) =
        cloud.kubernetes("fintechglobal-cluster", "PATCH", path, Some(json!({"spec": {"maxReplicas": 30}})));
    assert_eq!(status, 200, "{found:#}");
    let run = project.run(&["apply", "--yes"]).exits(1);
    let words = ["cluster/autoscaler", "FieldManagerConflict", "someone", "takes none by force"];
    shown("conflict", &project, &cloud, &run, &words);
}

#[test]
fn a_state_that_is_locked_or_damaged() {
    let cloud = Cloud::start();
    let project = Project::with(&cloud, NO_CLUSTER);
    project.run(&["apply", "--yes", "--target", "secrets"]).ok();
    let path = project.state_path();
    let lock = path.with_extension("json.lock");
    let held = fs_err::OpenOptions::new().read(true).write(true).open(&lock).unwrap().into_parts().0;
    held.lock().unwrap();
    fs_err::write(
        &lock,
        r#"{"command":"apply","pid":4711,"host":"build-7","user":"ada","since":"2026-11-23 10:00:00 +01:00"}"#,
    )
    .unwrap();
    let run = project.run(&["apply", "--yes"]).exits(3);
    shown("locked", &project, &cloud, &run, &["in use by", "the lock ends with the process"]);
    drop(held);

    fs_err::write(&path, "{").unwrap();
    let run = project.run(&["plan"]).exits(3);
    shown("damaged", &project, &cloud, &run, &["fintechglobal-production.json", "mv "]);
}

#[test]
fn something_in_the_way_of_a_removal() {
    let cloud = Cloud::start();
    let project = Project::with(&cloud, DEVELOPMENT);
    project.run(&["apply", "--yes", "--target", "network"]).ok();
    let state: Value = serde_json::from_str(&project.read("state/fintechglobal-development.json")).unwrap();
    let subnet = state["resources"]["network/subnet/app-a"]["id"].as_str().unwrap().to_owned();
    let interface = json!({"SubnetId": subnet, "Description": "somebody's own"});
    let interface = cloud.ec2("create_network_interface", interface)["NetworkInterface"].clone();
    let id = interface.text("NetworkInterfaceId");
    // Ids are others every time.
    let same = |text: &str| text.replace(&subnet, "subnet-0b9a0c1d2e3f40516").replace(id, "eni-0a1b2c3d4e5f60718");

    // What happens while it is tried again, and what it says at the end.
    let destroy = ["destroy", "--yes"];
    let run = project.run_with(&destroy, &[("BEDPLATE_PATIENCE", "5")]).exits(1);
    let lines =
        run.stderr.lines().filter(|line| line.contains("network/subnet/app-a ") && !line.contains(" failed: ec2"));
    let line = lines.filter(|line| line.contains("held by")).map(same).next();
    let line = line.unwrap_or_else(|| panic!("nobody is named: {run}"));
    let (_, held) = line.split_once("held by").expect("it was looked for");
    on_the_page("in-the-way", &format!("  network/subnet/app-a  held by{held}\n"));
    let text = same(&message(&project, &cloud, &run));
    for word in ["held by", "somebody's own", "describe-network-interfaces --network-interface-ids"] {
        assert!(text.split_whitespace().collect::<Vec<_>>().join(" ").contains(word), "no {word:?}: {run}");
    }
    on_the_page("held", &masked(&text));
    run.says(&["Not tried: 1 resource", "network/vpc (waits for network/subnet/app-a)"]);

    // Once it is gone, a run that waits goes on.
    let mut run = project.start(&destroy);
    run.wait_for(&["network/subnet/app-a", "held by", id]);
    cloud.ec2("delete_network_interface", json!({"NetworkInterfaceId": id}));
    run.finish().ok();
}

/// Where nobody may look who is in the way, the error shows how.
#[test]
fn something_unknown_in_the_way_of_a_removal() {
    let cloud = Cloud::start();
    let project = Project::with(&cloud, DEVELOPMENT);
    project.run(&["apply", "--yes", "--target", "network/subnet/app-a"]).ok();
    for _ in 0..40 {
        let said = "The subnet 'subnet-0b9a0c1d2e3f40516' has dependencies and cannot be deleted.";
        cloud.fail_next("ec2:DeleteSubnet", "DependencyViolation", said);
    }
    let run = project.run_with(&["destroy", "--yes"], &[("BEDPLATE_PATIENCE", "1")]).exits(1);
    let words = ["aws ec2 describe-network-interfaces --filters Name=subnet-id,Values=subnet-0b9a0c1d2e3f40516"];
    shown("in-use", &project, &cloud, &run, &words);
    run.says(&["something that is not this stack's uses it"]);
    let run = project.run_with(&["destroy", "--yes"], &[("BEDPLATE_PATIENCE", "soon")]).exits(3);
    run.says(&["BEDPLATE_PATIENCE is `soon`"]);
}

#[test]
fn what_takes_too_long() {
    let cloud = Cloud::with(&["--durations", "quick,nat-gateway.create=36000"]);
    let project = Project::with(&cloud, NO_CLUSTER);
    let target = ["apply", "--yes", "--target", "network/nat"];
    let run = project.run_with(&target, &[("BEDPLATE_PATIENCE", "3")]).exits(1);
    shown("deadline", &project, &cloud, &run, &["AWS still says: pending", "it goes on waiting"]);
    cloud.advance(36000);
    project.run(&target).ok();
}

#[test]
fn a_bucket_that_is_not_empty() {
    let cloud = Cloud::start();
    let project = Project::with(&cloud, DEVELOPMENT);
    project.run(&["apply", "--yes", "--target", "storage"]).ok();
    let bucket = "fintechglobal-data-lake-797923187401-us-east-1";
    cloud.call("s3", "put_object", json!({"Bucket": bucket, "Key": "raw/transactions/1", "Body": "x"}));
    let run = project.run(&["destroy", "--yes"]);
    assert_ne!(run.code, Some(0), "{run}");
    shown("bucket-not-empty", &project, &cloud, &run, &[bucket, "--empty-buckets"]);
    project.run(&["destroy", "--yes", "--empty-buckets"]).ok();
}

#[test]
fn no_way_to_aws() {
    let cloud = Cloud::start();
    let project = Project::with(&cloud, NO_CLUSTER);
    // A name that is never given to anybody (RFC 2606), and a port where nobody listens (RFC 1700 keeps it).
    let run = project.run(&["plan", "--endpoint-url", "http://aws.invalid"]).exits(1);
    shown("no-network", &project, &cloud, &run, &["asking http://aws.invalid", "no network, or no such region"]);
    let run = project.run(&["plan", "--endpoint-url", "http://127.0.0.1:1"]).exits(1);
    shown("endpoint", &project, &cloud, &run, &["asking http://127.0.0.1:1", "nothing answers at the endpoint"]);
}

#[test]
fn a_configuration_that_is_wrong() {
    let cloud = Cloud::start();
    let project = Project::with(&cloud, "[cluster]\nversoin = \"1.35\"");
    let run = project.run(&["plan"]).exits(3);
    shown("configuration", &project, &cloud, &run, &["versoin", "did you mean `version`?"]);
}

#[test]
fn an_encrypted_endpoint_is_believed_as_far_as_the_system_trusts_it() {
    let cloud = Cloud::start();
    let door = Door::before(&cloud);
    let project = Project::with(&cloud, DEVELOPMENT).through(&door);
    let authority = door.authority();
    let by_system = ("SSL_CERT_FILE", authority.to_str().unwrap());
    project.run_with(&["bootstrap", "--yes"], &[by_system]).ok();
    // What AWS's other tools know in place of what the system trusts, and not beside it.
    let by_name = ("AWS_CA_BUNDLE", by_system.1);
    assert_eq!(project.run_with(&["plan", "--json"], &[by_name]).ok().plan().changes().len(), 0);
    let another = Door::before(&cloud);
    let run =
        project.run_with(&["plan"], &[by_system, ("AWS_CA_BUNDLE", another.authority().to_str().unwrap())]).exits(1);
    assert!(run.stderr.contains("invalid peer certificate"), "{run}");
    for nothing in ["no-such-file.pem", "platform.toml"] {
        let run = project.run_with(&["plan"], &[("AWS_CA_BUNDLE", nothing)]).exits(3);
        assert!(run.stderr.contains(nothing) && run.stderr.contains("unset AWS_CA_BUNDLE"), "{run}");
    }

    // Not tried again: it would be said six times, over a quarter of a minute.
    let mut run = project.run(&["plan"]).exits(1);
    run.stderr = run.stderr.replace(&door.endpoint, "https://127.0.0.1:55555");
    shown("untrusted", &project, &cloud, &run, &["invalid peer certificate", "AWS_CA_BUNDLE"]);
}
