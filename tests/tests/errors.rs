//! What people read when something goes wrong, provoked case by case. `docs/troubleshooting.md` has the very messages: behind
//! each `<!-- message: NAME -->`, written there by `BEDPLATE_WRITE_DOCS=1 cargo test --workspace --test errors`.

use bedplate_tests::{Cloud, FIVE_LINES, JsonExt, Project, Run, root};
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
    let text = text.replace("elastic-ip/b:", "elastic-ip/a:").replace("database/instance/2:", "database/instance/1:");
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

/// Request ids are others every time.
fn masked(text: &str) -> String {
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

    let caller = |code: &str, message: &str| {
        cloud.fail_next_with("sts:GetCallerIdentity", code, message, 403);
        project.run(&["plan"]).exits(1)
    };
    let run = caller("ExpiredToken", "The security token included in the request is expired");
    shown("expired-token", &project, &cloud, &run, &["ExpiredToken", "request id", "sign in again"]);
    let run = caller("InvalidClientTokenId", "The security token included in the request is invalid.");
    shown("unknown-credentials", &project, &cloud, &run, &["does not know these credentials"]);
    let skewed =
        "Signature expired: 20261123T095500Z is now earlier than 20261123T100000Z (20261123T101500Z - 15 min.)";
    let run = caller("SignatureDoesNotMatch", skewed);
    shown("clock", &project, &cloud, &run, &["the clock of this machine", "timedatectl set-ntp true"]);
    for code in ["RequestExpired", "RequestTimeTooSkewed"] {
        caller(code, "Request has expired.").says(&["the clock of this machine"]);
    }
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
        cloud.fail_next_with(operation, code, message, 403);
        project.run(&["plan"]).exits(1)
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
    cloud.fail_next_with("s3:ListBuckets", "AccessDenied", "Access Denied", 403);
    project.run(&["plan"]).exits(1).says(&[r#"{"Action":"s3:ListAllMyBuckets","Effect":"Allow","Resource":"*"}"#]);
}

#[test]
fn what_a_caller_may_not_do() {
    let cloud = Cloud::start();
    let project = Project::with(&cloud, NO_CLUSTER);
    let name = json!({"UserName": "demo"});
    cloud.iam("create_user", name.clone());
    let key = cloud.iam("create_access_key", name)["AccessKey"].clone();
    let most = json!({"Effect": "Allow", "NotAction": ["kms:CreateKey", "rds:CreateDBCluster"], "Resource": "*"});
    let document = json!({"Version": "2012-10-17", "Statement": [most]}).to_string();
    cloud.iam("put_user_policy", json!({"UserName": "demo", "PolicyName": "most", "PolicyDocument": document}));
    let credentials =
        [("AWS_ACCESS_KEY_ID", key.text("AccessKeyId")), ("AWS_SECRET_ACCESS_KEY", key.text("SecretAccessKey"))];
    let run = project.run_with(&["preflight"], &credentials).ok();
    let statement = r#"{"Action":["kms:CreateKey","rds:CreateDBCluster"],"Effect":"Allow","Resource":"*"}"#;
    shown("not-permitted", &project, &cloud, &run, &["no policy of", statement]);
}

#[test]
fn a_quota() {
    let target = ["apply", "--yes", "--target", "network"];
    let reached = |cloud: &Cloud| {
        let project = Project::with(cloud, NO_CLUSTER);
        let said = "The maximum number of addresses has been reached.";
        cloud.fail_next("ec2:AllocateAddress", "AddressLimitExceeded", said);
        let run = project.run(&target).exits(1);
        (project, run)
    };
    let cloud = Cloud::start();
    let (project, run) = reached(&cloud);
    let words = ["network/elastic-ip/", "`EC2-VPC Elastic IPs` (L-0263D0A3) is 5 and reached", "--desired-value N"];
    shown("quota", &project, &cloud, &run, &words);
    project.run(&target).ok();

    // Where its value is not known, it is still named.
    let cloud = Cloud::start();
    let said = "User: arn:aws:iam::797923187401:user/demo is not authorized to perform: servicequotas:GetServiceQuota";
    cloud.fail_next_with("service-quotas:GetServiceQuota", "AccessDeniedException", said, 400);
    let (_, run) = reached(&cloud);
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
fn a_name_that_is_taken() {
    let cloud = Cloud::start();
    let project = Project::with(&cloud, NO_CLUSTER);
    cloud.call("logs", "create_log_group", json!({"logGroupName": "/aws/vpc/fintechglobal-flow-logs"}));
    let run = project.run(&["plan"]).exits(3);
    let words = ["network/log-group", "/aws/vpc/fintechglobal-flow-logs", "does not belong to this stack"];
    shown("name-taken", &project, &cloud, &run, &words);
}

#[test]
fn a_zone_without_room_and_a_version_that_is_not_offered() {
    let cloud = Cloud::start();
    let project = Project::with(&cloud, NO_CLUSTER);
    let target = ["apply", "--yes", "--target", "database"];
    let said =
        "Cannot create a database instance because there isn't enough capacity for the requested instance class.";
    cloud.fail_next("rds:CreateDBInstance", "InsufficientDBInstanceCapacity", said);
    let run = project.run(&target).exits(1);
    let words =
        ["database/", "InsufficientDBInstanceCapacity", "the zone has no room for this type", "network.zone_ids"];
    shown("no-capacity", &project, &cloud, &run, &words);
    project.run(&target).ok();

    let project = Project::with(&cloud, "[cluster]\nversion = \"1.20\"");
    for command in ["plan", "preflight"] {
        let run = project.run(&[command, "--state", "elsewhere.json"]).exits(3);
        shown(
            "unsupported-kubernetes",
            &project,
            &cloud,
            &run,
            &["EKS does not have Kubernetes 1.20", "`version` in [cluster]"],
        );
    }

    let cloud = Cloud::start();
    let project = Project::with(&cloud, NO_CLUSTER);
    let said = "Cannot find version 16.99 for aurora-postgresql";
    cloud.fail_next("rds:CreateDBCluster", "InvalidParameterCombination", said);
    let run = project.run(&target).exits(1);
    shown(
        "unsupported-database",
        &project,
        &cloud,
        &run,
        &["Cannot find version 16.99", "no longer offers this version"],
    );
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
    let interface = cloud.ec2("create_network_interface", json!({"SubnetId": subnet}));

    // It is said while it is tried again, and once it is gone, the run goes on.
    let mut run = project.start(&["destroy", "--yes"]);
    run.wait_for(&["network/subnet/app-a", "trying again and again", "DependencyViolation", &subnet]);
    let id = &interface["NetworkInterface"]["NetworkInterfaceId"];
    cloud.ec2("delete_network_interface", json!({"NetworkInterfaceId": id}));
    run.finish().ok();
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
