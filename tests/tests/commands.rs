//! Commands that answer something: outputs, kubeconfig, the graph, the state. One cloud for all, since they only read.

use bedplate_tests::{Cloud, FIVE_LINES, JsonExt, Project, has_program, skip};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output, Stdio},
    sync::LazyLock,
};

struct Built {
    cloud: Cloud,
    project: Project,
}

static BUILT: LazyLock<Built> = LazyLock::new(|| {
    let cloud = Cloud::start();
    let project = Project::new(&cloud);
    project.bootstrap();
    Built { cloud, project }
});

fn cluster() -> Value {
    BUILT.cloud.eks("describe_cluster", json!({"name": "fintechglobal-cluster"}))["cluster"].clone()
}

#[test]
fn outputs_are_what_aws_says() {
    let project = &BUILT.project;
    let all = project.run(&["output", "--json"]).ok().json();
    let cluster = cluster();
    assert_eq!(all["cluster_name"], "fintechglobal-cluster");
    assert_eq!(all["cluster_endpoint"], cluster["endpoint"]);
    assert_eq!(all["cluster_certificate_authority"], cluster["certificateAuthority"]["data"]);
    assert_eq!(all["cluster_security_group_id"], cluster["resourcesVpcConfig"]["clusterSecurityGroupId"]);
    assert_eq!(all["vpc_id"], cluster["resourcesVpcConfig"]["vpcId"]);
    assert_eq!(all["kms_key_arn"], cluster["encryptionConfig"][0]["provider"]["keyArn"]);
    assert_eq!(all["app_role_arn"], "arn:aws:iam::797923187401:role/fintechglobal-app-role");
    let aurora = BUILT.cloud.call("rds", "describe_db_clusters", json!({}));
    let aurora = &aurora["DBClusters"][0];
    assert_eq!(all["database_endpoint"], aurora["Endpoint"]);
    assert_eq!(all["database_reader_endpoint"], aurora["ReaderEndpoint"]);
    assert_eq!(all["database_secret_arn"], aurora["MasterUserSecret"]["SecretArn"]);
    let balancers = BUILT.cloud.call("elbv2", "describe_load_balancers", json!({}));
    assert_eq!(all["load_balancer_dns"], balancers["LoadBalancers"][0]["DNSName"]);
    let redis = BUILT.cloud.call("elasticache", "describe_replication_groups", json!({}));
    let redis = &redis["ReplicationGroups"][0]["NodeGroups"][0];
    assert_eq!(all["redis_primary_endpoint"], redis["PrimaryEndpoint"]["Address"]);
    assert_eq!(all["redis_reader_endpoint"], redis["ReaderEndpoint"]["Address"]);
    let auth = BUILT.cloud.call("secretsmanager", "describe_secret", json!({"SecretId": "fintech/redis-auth"}));
    assert_eq!(all["redis_secret_arn"], auth["ARN"]);
    assert_eq!(all["sessions_table"], "fintech-sessions");
    assert_eq!(all["data_lake_bucket"], "fintechglobal-data-lake-797923187401-us-east-1");
    assert_eq!(all["logs_bucket"], "fintechglobal-s3-logs-797923187401-us-east-1");
    assert_eq!(all["alerts_topic_arn"], "arn:aws:sns:us-east-1:797923187401:fintechglobal-cost-alerts");
    let subnets = BUILT.cloud.ec2("describe_subnets", json!({}));
    for (name, tier) in [("public_subnet_ids", "public"), ("app_subnet_ids", "app"), ("data_subnet_ids", "data")] {
        let named = |letter: &str| subnets["Subnets"].named(&format!("fintechglobal-subnet-{tier}-{letter}"));
        let ids: BTreeSet<&str> = ["a", "b"].map(|letter| named(letter).text("SubnetId")).into();
        let listed: BTreeSet<&str> = all.list(name).iter().filter_map(Value::as_str).collect();
        assert_eq!(listed, ids, "{name}");
    }
    // These, what is looked at by name, and the kubeconfig.
    assert_eq!(all.as_object().unwrap().len(), 22, "{all:#}");

    let file = project.run(&["kubeconfig"]).ok().json();
    assert_eq!(serde_json::from_str::<Value>(all.text("kubeconfig")).expect("a document"), file);
    assert_eq!(project.run(&["output", "kubeconfig", "--raw"]).ok().json(), file);

    let text = project.run(&["output"]).ok().stdout;
    for name in all.as_object().unwrap().keys() {
        assert!(text.contains(name.as_str()), "{name}: {text}");
    }
    let endpoint = cluster.text("endpoint");
    assert_eq!(project.run(&["output", "cluster_endpoint", "--raw"]).ok().stdout.trim_end_matches('\n'), endpoint);
    assert_eq!(project.run(&["output", "cluster_endpoint", "--json"]).ok().json(), json!(endpoint));
    project.run(&["output", "no_such_output"]).exits(3).says(&["no_such_output", "cluster_endpoint"]);
}

#[test]
fn kubectl_accepts_the_kubeconfig() {
    let project = &BUILT.project;
    project.run(&["kubeconfig", "--out", "kubeconfig"]).ok();
    let path = project.path("kubeconfig");
    assert_eq!(fs_err::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(project.run(&["kubeconfig"]).ok().stdout, project.read("kubeconfig"));

    let view = if has_program("kubectl", "version --client") {
        let view = Command::new("kubectl")
            .args(["config", "view", "--minify", "--raw", "--output", "json", "--kubeconfig"])
            .arg(&path)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(view.status.success(), "{}", String::from_utf8_lossy(&view.stderr));
        serde_json::from_slice(&view.stdout).unwrap()
    } else {
        skip(
            "commands::kubectl_accepts_the_kubeconfig",
            "kubectl is not installed (Debian: apt install kubernetes-client)",
        );
        serde_json::from_str::<Value>(&project.read("kubeconfig")).unwrap()
    };
    let cluster = cluster();
    assert_eq!(view["clusters"][0]["cluster"]["server"], cluster["endpoint"]);
    let authority = &view["clusters"][0]["cluster"]["certificate-authority-data"];
    assert_eq!(authority, &cluster["certificateAuthority"]["data"]);
    assert_eq!(view["current-context"], view["contexts"][0]["name"]);
    assert_eq!(view["contexts"][0]["context"]["cluster"], view["clusters"][0]["name"]);
    assert_eq!(view["contexts"][0]["context"]["user"], view["users"][0]["name"]);
    let exec = &view["users"][0]["user"]["exec"];
    assert_eq!(exec["apiVersion"], "client.authentication.k8s.io/v1");
    let args: Vec<&str> = exec.list("args").iter().filter_map(Value::as_str).collect();
    assert_eq!(args, ["token", "--cluster", "fintechglobal-cluster", "--region", "us-east-1"]);
}

/// kubectl in the project's folder, with the caller's credentials and nothing else.
fn kubectl(args: &[&str], kubeconfig: &Path) -> Output {
    let project = &BUILT.project;
    let mut command = Command::new("kubectl");
    command.args(args).env_clear().env("KUBECONFIG", kubeconfig).env("HOME", project.path(""));
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.envs([("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")]);
    command.stdin(Stdio::null()).output().unwrap()
}

#[test]
fn a_token_is_what_kubectl_asks_for() {
    let project = &BUILT.project;
    let cluster = ["--cluster", "fintechglobal-cluster", "--region", "us-east-1"];
    let credential = project.run(&[&["token"][..], &cluster].concat()).ok().json();
    assert_eq!(credential["apiVersion"], "client.authentication.k8s.io/v1");
    assert_eq!(credential["kind"], "ExecCredential");
    let status = &credential["status"];
    assert!(status.text("token").starts_with("k8s-aws-v1."), "{credential:#}");
    assert!(status.text("expirationTimestamp").ends_with('Z'), "{credential:#}");
    project.run(&["token", "--cluster", "c"]).exits(3).says(&["--region"]);
    let nobody = [("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", "")];
    project.run_with(&[&["token"][..], &cluster].concat(), &nobody).exits(1).says(&["credentials"]);
}

#[test]
fn kubeconfig_goes_into_the_users_own() {
    let project = &BUILT.project;
    let path = project.path("users/config");
    let environment = [("KUBECONFIG", path.to_str().unwrap())];
    project.run_with(&["kubeconfig", "--merge"], &environment).ok().says(&["fintechglobal-cluster", "users/config"]);
    assert_eq!(fs_err::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    // Without KUBECONFIG it is the one in the home directory.
    project.run(&["kubeconfig", "--merge"]).ok();
    assert_eq!(project.read(".kube/config"), fs_err::read_to_string(&path).unwrap());

    if !has_program("kubectl", "version --client") {
        return skip("commands::kubeconfig_goes_into_the_users_own", "kubectl is not installed");
    }
    // Somebody has another cluster, and texts that YAML takes for something else.
    let path = project.path("users/second");
    for args in [
        &["config", "set-cluster", "other", "--server", "https://other.example"][..],
        &["config", "set-credentials", "yes", "--token", "0123"],
        &["config", "set-context", "other", "--cluster", "other", "--user", "yes", "--namespace", "1e3"],
    ] {
        assert!(kubectl(args, &path).status.success());
    }
    let view = |path: &Path| -> Value {
        let view = kubectl(&["config", "view", "--raw", "--output", "json"], path);
        assert!(view.status.success(), "{}", String::from_utf8_lossy(&view.stderr));
        serde_json::from_slice(&view.stdout).unwrap()
    };
    let before = view(&path);
    project.run_with(&["kubeconfig", "--merge"], &[("KUBECONFIG", path.to_str().unwrap())]).ok();
    let after = view(&path);
    for list in ["clusters", "users", "contexts"] {
        assert!(before.list(list).iter().all(|entry| after.list(list).contains(entry)), "{before:#} {after:#}");
        assert_eq!(after.list(list).len(), before.list(list).len() + 1);
    }
    // And it lets kubectl in, without the AWS CLI.
    let namespaces = kubectl(&["get", "namespace", "fintech-prod", "--output", "name"], &path);
    let said = String::from_utf8_lossy(&namespaces.stdout);
    assert_eq!(said.trim(), "namespace/fintech-prod", "{}", String::from_utf8_lossy(&namespaces.stderr));
}

#[test]
fn the_graph_is_a_picture() {
    let project = &BUILT.project;
    let graph = project.run(&["graph", "--format", "json"]).ok().json();
    assert_eq!(graph["format"], 1);
    let nodes: BTreeSet<&str> = graph.list("nodes").iter().map(|node| node.text("address")).collect();
    let state = project.state();
    assert_eq!(nodes, state["resources"].as_object().unwrap().keys().map(String::as_str).collect());
    for node in graph.list("nodes") {
        let known = node.list("depends_on").iter().filter_map(Value::as_str).all(|to| nodes.contains(to));
        assert!(known && node["kind"].is_string(), "{node}");
    }

    let dot = project.run(&["graph", "--format", "dot"]).ok().stdout;
    assert_eq!(dot, project.run(&["graph"]).ok().stdout);
    assert!(dot.starts_with("digraph ") && dot.trim_end().ends_with('}'), "{dot}");
    assert!(nodes.iter().all(|address| dot.contains(&format!("\"{address}\" [label="))));
    let edges: usize = graph.list("nodes").iter().map(|node| node.list("depends_on").len()).sum();
    assert_eq!(dot.matches(" -> ").count(), edges);
    if has_program("dot", "-V") {
        let mut child = Command::new("dot").arg("-Tsvg").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(dot.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn every_resource_is_listed_once() {
    let project = &BUILT.project;
    let text = project.run(&["state", "list"]).ok().stdout;
    let state = project.state();
    let addresses: Vec<&str> = state["resources"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(text.lines().collect::<Vec<_>>(), addresses);
    let listed = project.run(&["state", "list", "--json"]).ok().json();
    assert_eq!((&listed["format"], &listed["resources"]), (&json!(1), &json!(addresses)));
    // A list of the whole platform to look at when it changes.
    let kinds: Vec<String> = state["resources"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(address, resource)| format!("{address} {}", resource.text("kind")))
        .collect();
    insta::assert_snapshot!(kinds.join("\n"));

    let shown = project.run(&["state", "show", "network/vpc"]).ok().json();
    assert_eq!(shown, state["resources"]["network/vpc"]);
    project.run(&["state", "show", "network/nowhere"]).exits(3).says(&["network/nowhere", "state list"]);
}

#[test]
fn preflight_changes_nothing() {
    let (cloud, project) = (&BUILT.cloud, &BUILT.project);
    cloud.reset_calls();
    let answer = project.run(&["preflight", "--json"]).ok().json();
    assert_eq!((&answer["format"], &answer["ok"]), (&json!(1), &json!(true)));
    project.run(&["preflight"]).ok();
    assert_eq!(cloud.mutating_calls(), 0, "{:?}", cloud.calls());
}

#[test]
fn preflight_counts_what_the_account_has() {
    // Another platform in the same account, in which nothing more is allowed. Nobody else here makes anything.
    let codes = [
        ("L-0263D0A3", "network/elastic-ip/a: ", ": 2 used, 2 more needed"),
        ("L-F678F1CE", "network/vpc: ", ": 2 used, 1 more needed"),
        ("L-A4707A72", "network/internet-gateway: ", ": 1 used, 1 more needed"),
        ("L-FE5A380F", "network/nat/a: ", ": 1 used in use1-az1, 1 more needed"),
        ("L-FE5A380F", "network/nat/b: ", ": 1 used in use1-az2, 1 more needed"),
        ("L-1194D53C", "cluster/cluster: ", ": 1 used, 1 more needed"),
        ("L-952B80B8", "database/cluster: ", ": 1 used, 1 more needed"),
        ("L-7B6409FD", "database/instance/", ": 2 used, 2 more needed"),
        ("L-53DA6B97", "cluster/load-balancer: ", ": 1 used, 1 more needed"),
    ];
    BUILT.cloud.set_quotas(codes.iter().map(|(code, ..)| ((*code).to_owned(), json!(0))).collect());
    let project = Project::new(&BUILT.cloud);
    project.write("platform.toml", &FIVE_LINES.replace("fintechglobal", "another"));
    let answer = project.run(&["preflight", "--json"]).exits(3).json();
    let said = answer.list("refusals").iter();
    let said = said.map(|refusal| format!("{}: {}", refusal.text("address"), refusal.text("problem")));
    let said: Vec<String> = said.filter(|refusal| refusal.contains("quota")).collect();
    for (code, begin, end) in codes {
        let one = |line: &&String| line.starts_with(begin) && line.ends_with(end) && line.contains(code);
        assert_eq!(said.iter().filter(one).count(), 1, "{begin}{code}{end}: {said:#?}");
    }
    assert_eq!(said.len(), codes.len(), "{said:#?}");
}

#[test]
fn results_and_remarks_are_kept_apart() {
    let project = &BUILT.project;
    // No colours and no progress where nobody looks.
    let run = project.run(&["plan"]).ok();
    assert!(!run.stdout.contains('\u{1b}') && !run.stderr.contains('\u{1b}'), "{run}");
    assert!(project.run(&["plan", "--color", "always", "--target", "network/vpc"]).ok().stdout.contains("No changes"));
    assert_eq!(project.run(&["plan", "--quiet"]).ok().stderr, "");
    // The environment's settings, and flags before them.
    let moved = project.path("elsewhere.toml");
    fs_err::copy(project.path("platform.toml"), &moved).unwrap();
    let (config, state) = (moved.to_str().unwrap(), project.state_path());
    let environment = [("BEDPLATE_CONFIG", config), ("BEDPLATE_STATE", state.to_str().unwrap())];
    project.run_with(&["plan", "--detailed-exitcode"], &environment).exits(0);
    project.run_with(&["plan", "--config", "nowhere.toml"], &environment).exits(3).says(&["nowhere.toml"]);
    // A mistake on the command line is no pending change, which 2 would mean.
    project.run(&["plan", "--no-such-flag"]).exits(3).says(&["--no-such-flag"]);
    project.run(&["--help"]).ok();
}

#[test]
fn before_the_first_run_there_is_nothing_to_show() {
    let project = Project::new(&BUILT.cloud);
    project.run(&["output"]).exits(3).says(&["bedplate bootstrap"]);
    project.run(&["kubeconfig"]).exits(3).says(&["bedplate bootstrap"]);
    project.run(&["drift"]).exits(3).says(&["bedplate bootstrap"]);
    assert_eq!(project.run(&["state", "list"]).ok().stdout, "");
    assert!(!project.state_path().exists());
}
