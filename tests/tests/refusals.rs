//! What is refused before anything is touched: exit code 3, what is wrong, and what to do.

use bedplate_tests::{Cloud, FIVE_LINES, JsonExt, Project, Run, root};
use serde_json::json;

/// Runs what would change something, and sees to it that nothing was touched.
fn refused(cloud: &Cloud, project: &Project, args: &[&str], words: &[&str]) -> Run {
    let before = cloud.inventory();
    cloud.reset_calls();
    let run = project.run(args).exits(3).says(words);
    assert_eq!(cloud.mutating_calls(), 0, "{:?} {run}", cloud.calls());
    assert_eq!(cloud.inventory(), before);
    run
}

#[test]
fn credentials_and_endpoints_that_are_named() {
    let cloud = Cloud::start();
    let project = Project::new(&cloud);
    // With keys in the environment, too: who names a profile means it.
    let run = project.run(&["plan", "--profile", "nowhere"]).exits(1).says(&["NoCredentials", "no such profile"]);
    assert_eq!(cloud.calls().len(), 0, "{:?} {run}", cloud.calls());
    fs_err::create_dir(project.path(".aws")).unwrap();
    project.write(".aws/credentials", "[somewhere]\naws_access_key_id = test\naws_secret_access_key = test\n");
    project.run(&["plan", "--profile", "somewhere"]).ok();
    for (url, why) in [
        ("http://ada:lovelace@127.0.0.1:1", "has a user or a password in it"),
        ("https://", "names no host"),
        ("127.0.0.1:5600", "does not begin with http:// or https://"),
    ] {
        for command in ["plan", "config"] {
            let run = project.run(&[command, "--endpoint-url", url]).exits(3).says(&[why, "http://host:port"]);
            assert!(!format!("{run}").split("---").skip(1).any(|part| part.contains("lovelace")), "{run}");
        }
    }
}

#[test]
fn a_configuration_that_is_wrong() {
    let cloud = Cloud::start();
    let project = Project::new(&cloud);
    let bootstrap = ["bootstrap", "--yes"];

    project.configure("[cluster]\nversoin = \"1.35\"");
    let run = refused(&cloud, &project, &bootstrap, &["versoin", "did you mean `version`?", "platform.toml"]);
    assert!(run.stderr.contains("7"), "it names the line: {run}");
    project.configure("[database]\nengine = \"aurora\"");
    refused(&cloud, &project, &bootstrap, &["engine", "platform.toml"]);
    project.configure("[network]\ncidr = \"10.0.0.0/33\"");
    refused(&cloud, &project, &bootstrap, &["network.cidr"]);
    project.write("platform.toml", "project_name = \"x");
    refused(&cloud, &project, &bootstrap, &["platform.toml"]);
    // What AWS would refuse is found before.
    project.configure("[cluster]\nversion = \"1.20\"");
    refused(&cloud, &project, &bootstrap, &["1.20"]);
    project.configure("[network]\nzone_ids = [\"use1-az1\", \"use1-az9\"]");
    refused(&cloud, &project, &bootstrap, &["use1-az9"]);
    assert!(!project.state_path().exists());
}

#[test]
fn an_account_that_is_not_the_callers() {
    let cloud = Cloud::start();
    let project = Project::new(&cloud);
    project.write("platform.toml", &FIVE_LINES.replace("797923187401", "111111111111"));
    for command in ["bootstrap", "apply", "destroy"] {
        refused(&cloud, &project, &[command, "--yes"], &["111111111111", "797923187401", "account_id"]);
    }
    let run = refused(&cloud, &project, &["bootstrap", "--yes", "--json"], &["797923187401"]);
    assert_eq!(run.events("error").len(), 1, "one document: {run}");
    refused(&cloud, &project, &["preflight"], &["797923187401"]);
}

#[test]
fn nobody_to_ask() {
    let cloud = Cloud::start();
    let project = Project::new(&cloud);
    for args in [&["bootstrap"][..], &["apply"], &["bootstrap", "--json"]] {
        refused(&cloud, &project, args, &["--yes"]);
    }
}

#[test]
fn a_state_that_is_damaged_or_in_use_or_of_another_stack() {
    let cloud = Cloud::start();
    let project = Project::network_and_cluster(&cloud, "[cluster]\nenabled = false");
    project.bootstrap();
    // Before a run writes for the first time, it keeps what was there.
    project.configure("[tags]\nTeam = \"a\"\n[cluster]\nenabled = false");
    project.bootstrap();
    let path = project.state_path();
    let place = path.file_name().unwrap().to_str().unwrap();
    let good = fs_err::read(&path).unwrap();

    let newer = br#"{"version":99}"#;
    for (damaged, way_back) in [(&good[..good.len() / 2], "mv "), (&b""[..], "mv "), (&newer[..], "newer bedplate")] {
        fs_err::write(&path, damaged).unwrap();
        for args in [&["bootstrap", "--yes"][..], &["destroy", "--yes", "--lift-protection"], &["state", "list"]] {
            refused(&cloud, &project, args, &[place, way_back]);
        }
        assert_eq!(fs_err::read(&path).unwrap(), damaged, "it was not overwritten");
    }
    // The way back that it names.
    fs_err::write(&path, b"").unwrap();
    let way_back = project.run(&["plan"]).exits(3).stderr;
    assert!(way_back.contains(&format!("{place}.backup")), "{way_back}");
    fs_err::write(&path, &good).unwrap();

    let lock = path.with_file_name(format!("{place}.lock"));
    let held = fs_err::OpenOptions::new().read(true).write(true).open(lock).unwrap().into_parts().0;
    held.lock().unwrap();
    for args in [&["bootstrap", "--yes"][..], &["apply", "--yes"], &["destroy", "--yes", "--lift-protection"]] {
        refused(&cloud, &project, args, &[place, "in use by"]);
    }
    // Looking is not kept from anybody.
    project.run(&["plan"]).ok();
    drop(held);
    project.run(&["bootstrap", "--yes"]).ok();

    project.write("platform.toml", &FIVE_LINES.replace("us-east-1", "eu-west-1"));
    refused(&cloud, &project, &["bootstrap", "--yes"], &["us-east-1", "eu-west-1"]);
    let place = path.to_str().unwrap();
    project.write("platform.toml", &FIVE_LINES.replace("fintechglobal", "another"));
    refused(
        &cloud,
        &project,
        &["bootstrap", "--yes", "--state", place],
        &["fintechglobal-production", "another-production"],
    );
}

#[test]
fn an_account_without_room() {
    let cloud = Cloud::with(&["--quotas"]);
    let project = Project::network_and_cluster(&cloud, "");
    // The platform needs two of five.
    let take = || cloud.ec2("allocate_address", json!({"Domain": "vpc"}));
    (0..3).for_each(|_| drop(take()));
    project.run(&["preflight"]).ok().has(&["Ready"]);
    take();
    let words = ["network/elastic-ip/b", "`EC2-VPC Elastic IPs` (L-0263D0A3) is 5: 4 used, 2 more needed"];
    for command in [&["preflight"][..], &["bootstrap", "--yes"], &["bootstrap", "--yes", "--json"]] {
        refused(&cloud, &project, command, &words);
    }
    let answer = refused(&cloud, &project, &["preflight", "--json"], &["this would not work"]).json();
    assert_eq!(answer["ok"], false);
    let [refusal] = answer.list("refusals") else { panic!("one refusal: {answer:#}") };
    let increase = "aws service-quotas request-service-quota-increase --service-code ec2 --quota-code L-0263D0A3 --desired-value 6";
    assert!(refusal.text("hint").ends_with(increase), "{refusal:#}");
    assert!(!project.state_path().exists());

    // What was asked for is granted, and enough.
    let quota = json!({"ServiceCode": "ec2", "QuotaCode": "L-0263D0A3", "DesiredValue": 6});
    cloud.call("service-quotas", "request_service_quota_increase", quota);
    cloud.advance(60);
    project.run(&["preflight"]).ok();
    project.bootstrap();
    // There is no room left, and none is needed: nobody asks.
    cloud.reset_calls();
    project.bootstrap();
    project.run(&["preflight"]).ok();
    let asked: Vec<String> = cloud.calls().into_keys().filter(|call| call.starts_with("service-quotas:")).collect();
    assert!(asked.is_empty(), "{asked:?}");
}

#[test]
fn a_caller_who_may_not() {
    let cloud = Cloud::start();
    let project = Project::new(&cloud);
    let name = json!({"UserName": "builder"});
    let user = cloud.iam("create_user", name.clone())["User"].text("Arn").to_owned();
    let key = cloud.iam("create_access_key", name)["AccessKey"].clone();
    let preflight = || {
        let credentials =
            [("AWS_ACCESS_KEY_ID", key.text("AccessKeyId")), ("AWS_SECRET_ACCESS_KEY", key.text("SecretAccessKey"))];
        project.run_with(&["preflight"], &credentials)
    };
    // The policies of the documentation are enough.
    let policies = ["deploy-foundation", "deploy-services"].map(|policy| {
        let document = fs_err::read_to_string(root().join(format!("docs/reference/{policy}.json"))).unwrap();
        let policy = cloud.iam("create_policy", json!({"PolicyName": policy, "PolicyDocument": document}));
        let arn = policy["Policy"].text("Arn").to_owned();
        cloud.iam("attach_user_policy", json!({"UserName": "builder", "PolicyArn": arn}));
        arn
    });
    let run = preflight().ok();
    assert!(!run.stderr.contains("not checked"), "{run}");

    // What is denied is listed once, in order.
    let deny = json!({"Effect": "Deny", "Action": ["rds:CreateDBCluster", "ec2:CreateVpc"], "Resource": "*"});
    let document = json!({"Version": "2012-10-17", "Statement": [deny]}).to_string();
    cloud.iam("put_user_policy", json!({"UserName": "builder", "PolicyName": "less", "PolicyDocument": document}));
    cloud.reset_calls();
    let said = format!(
        "{user} may not do what this platform takes: an explicit deny forbids ec2:CreateVpc, rds:CreateDBCluster"
    );
    preflight().exits(3).says(&[&said]);
    assert_eq!(cloud.calls().get("ec2:DescribeVpcs"), None, "it is said first: {:?}", cloud.calls());
    // What no policy allows everywhere may be allowed where it is needed.
    let most = json!({"Effect": "Allow", "NotAction": ["sns:*", "iam:PassRole"], "Resource": "*"});
    let document = json!({"Version": "2012-10-17", "Statement": [most]}).to_string();
    cloud.iam("put_user_policy", json!({"UserName": "builder", "PolicyName": "less", "PolicyDocument": document}));
    for policy in policies {
        cloud.iam("detach_user_policy", json!({"UserName": "builder", "PolicyArn": policy}));
    }
    let said = r#"{"Action":["iam:PassRole","sns:CreateTopic","sns:DeleteTopic","#;
    preflight().ok().says(&["on every resource", said]).has(&["Ready"]);

    // Who may not ask is told so, and nothing else changes.
    cloud.iam("delete_user_policy", json!({"UserName": "builder", "PolicyName": "less"}));
    let said = format!("User: {user} is not authorized to perform: iam:SimulatePrincipalPolicy on resource: {user}");
    cloud.fail_next_with("iam:SimulatePrincipalPolicy", "AccessDenied", &said, 403);
    preflight().ok().says(&["Permissions are not checked: iam:SimulatePrincipalPolicy failed"]).has(&["Ready"]);
}

#[test]
fn a_resource_with_our_name_that_is_not_ours() {
    let cloud = Cloud::start();
    let project = Project::network_and_cluster(&cloud, "");
    let trust = json!({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    });
    let name = "fintechglobal-node-role";
    cloud.iam("create_role", json!({"RoleName": name, "AssumeRolePolicyDocument": trust.to_string()}));
    cloud.call("logs", "create_log_group", json!({"logGroupName": "/aws/vpc/fintechglobal-flow-logs"}));

    let words = ["security/role/node", name, "network/log-group", "does not belong to this stack"];
    refused(&cloud, &project, &["bootstrap", "--yes"], &words);
    refused(&cloud, &project, &["plan"], &words);
    refused(&cloud, &project, &["preflight"], &words);
    let role = cloud.iam("get_role", json!({"RoleName": name}));
    assert!(role["Role"].tags().is_empty());

    // Once they are gone, nothing is in the way.
    cloud.iam("delete_role", json!({"RoleName": name}));
    cloud.call("logs", "delete_log_group", json!({"logGroupName": "/aws/vpc/fintechglobal-flow-logs"}));
    project.bootstrap();
    project.assert_no_changes();
}
