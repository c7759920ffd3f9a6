//! What lies in the cluster: changed, taken over by others, deleted, out of reach. Read back by a client that shares no
//! line with ours.

use bedplate_tests::{Cloud, Inventory, JsonExt, Project, changed, without_kept};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const CLUSTER: &str = "fintechglobal-cluster";
const NAMESPACE: &str = "/api/v1/namespaces/fintech-prod";
const ACCOUNT: &str = "/api/v1/namespaces/fintech-prod/serviceaccounts/fintech-api";
const SERVICE: &str = "/api/v1/namespaces/fintech-prod/services/fintech-api";
const AUTOSCALER: &str = "/apis/autoscaling/v2/namespaces/fintech-prod/horizontalpodautoscalers/fintech-api-hpa";
const ADDRESSES: [&str; 4] = ["cluster/autoscaler", "cluster/namespace", "cluster/service", "cluster/service-account"];

fn get(cloud: &Cloud, path: &str) -> Value {
    let (status, object) = cloud.kubernetes(CLUSTER, "GET", path, None);
    assert_eq!(status, 200, "{path}: {object:#}");
    object
}

fn exists(cloud: &Cloud, path: &str) -> bool {
    cloud.kubernetes(CLUSTER, "GET", path, None).0 == 200
}

/// Somebody else changes something.
fn patch(cloud: &Cloud, path: &str, body: Value) {
    let (status, answer) = cloud.kubernetes(CLUSTER, "PATCH", path, Some(body));
    assert_eq!(status, 200, "{path}: {answer:#}");
}

fn delete(cloud: &Cloud, path: &str) {
    let (status, answer) = cloud.kubernetes(CLUSTER, "DELETE", path, None);
    assert_eq!(status, 200, "{path}: {answer:#}");
}

/// The calls that change something in the cluster, since the last reset.
fn writes(cloud: &Cloud) -> BTreeMap<String, u64> {
    let calls = cloud.calls().into_iter();
    calls.filter(|(name, _)| ["kubernetes:Apply", "kubernetes:Delete"].iter().any(|it| name.starts_with(it))).collect()
}

#[test]
fn settings_are_changed_in_place_and_go_back_to_their_defaults() {
    let cloud = Cloud::start();
    let project = Project::network_and_cluster(&cloud, "");
    project.bootstrap();

    let settings = "[cluster]\napplication_port = 9090\nnamespace_labels = { team = \"payments\", \
                    \"pod-security.kubernetes.io/enforce\" = \"restricted\" }\n[cluster.load_balancer]\nnode_port = \
                    30081\n[cluster.autoscaling]\nmin_replicas = 2\nmax_replicas = 20\ncpu_percent = \
                    50\nmemory_percent = 60";
    project.configure(settings);
    let plan = project.plan();
    let of_cluster: BTreeMap<&str, Value> =
        plan.changes().into_iter().filter(|(address, _)| ADDRESSES.contains(address)).collect();
    let labels = json!({"team": "payments", "pod-security.kubernetes.io/enforce": "restricted"});
    let service = [("node_port", json!(30080), json!(30081)), ("target_port", json!(8080), json!(9090))];
    let scaling = [
        ("max_replicas", json!(10), json!(20)),
        ("min_replicas", json!(3), json!(2)),
        ("utilization.cpu", json!(70), json!(50)),
        ("utilization.memory", json!(80), json!(60)),
    ];
    let expected = BTreeMap::from([
        ("cluster/autoscaler", changed("update", &scaling)),
        ("cluster/namespace", changed("update", &[("labels", json!({}), labels.clone())])),
        ("cluster/service", changed("update", &service)),
    ]);
    assert_eq!(of_cluster, expected);
    project.apply();
    let found = get(&cloud, NAMESPACE);
    for (key, value) in labels.as_object().unwrap() {
        assert_eq!(&found["metadata"]["labels"][key], value);
    }
    let port = &get(&cloud, SERVICE)["spec"]["ports"][0];
    assert_eq!((&port["nodePort"], &port["targetPort"]), (&json!(30081), &json!(9090)));
    let spec = &get(&cloud, AUTOSCALER)["spec"];
    assert_eq!((&spec["minReplicas"], &spec["maxReplicas"]), (&json!(2), &json!(20)));
    let percents: Vec<&Value> =
        spec.list("metrics").iter().map(|it| &it["resource"]["target"]["averageUtilization"]).collect();
    assert_eq!(percents, [&json!(50), &json!(60)]);
    project.assert_no_changes();

    // A label of somebody else stays; ours goes when it leaves the file.
    patch(&cloud, NAMESPACE, json!({"metadata": {"labels": {"istio-injection": "enabled"}}}));
    project.assert_no_changes();
    project.configure("");
    project.apply();
    let labels = get(&cloud, NAMESPACE)["metadata"]["labels"].clone();
    let labels: Vec<&String> = labels.as_object().unwrap().keys().collect();
    assert_eq!(labels, ["app.kubernetes.io/managed-by", "istio-injection", "kubernetes.io/metadata.name"]);
    assert_eq!(get(&cloud, AUTOSCALER)["spec"]["maxReplicas"], 10);
    project.assert_no_changes();

    // Another name is another object.
    project.configure("[cluster]\nservice_account = \"fintech-web\"\napplication = \"fintech-web\"");
    let plan = project.plan();
    for address in ["cluster/service-account", "cluster/service", "cluster/autoscaler"] {
        assert_eq!(plan.change(address)["action"], "replace", "{:#}", plan.change(address));
    }
    project.apply();
    assert!(!exists(&cloud, ACCOUNT) && !exists(&cloud, SERVICE) && !exists(&cloud, AUTOSCALER));
    let service = get(&cloud, &SERVICE.replace("fintech-api", "fintech-web"));
    assert_eq!(
        (&service["spec"]["selector"]["app"], &service["spec"]["ports"][0]["nodePort"]),
        (&json!("fintech-web"), &json!(30080))
    );
    project.assert_no_changes();

    // A namespace takes everything in it along, so it is not renamed.
    project.configure("[cluster]\nnamespace = \"other\"");
    cloud.reset_calls();
    project.run(&["apply", "--yes"]).exits(3).says(&["cluster/namespace", "would lose what it holds"]);
    assert_eq!(cloud.mutating_calls(), 0, "{:?}", cloud.calls());

    // What is switched off goes.
    let unprotected = "[cluster]\ndeletion_protection = false";
    project.configure(unprotected);
    project.apply();
    let off = "[cluster.autoscaling]\nenabled = false\n[cluster.load_balancer]\nenabled = false";
    project.configure(&format!("{unprotected}\n{off}"));
    project.apply();
    assert!(!exists(&cloud, SERVICE) && !exists(&cloud, AUTOSCALER) && exists(&cloud, ACCOUNT));
    project.assert_no_changes();
}

#[test]
fn what_others_changed_is_never_taken_back_by_force() {
    let cloud = Cloud::start();
    let project = Project::network_and_cluster(&cloud, "");
    project.bootstrap();

    // Beside ours, others may set what they like.
    let port = json!({"name": "metrics", "port": 9090});
    let ports = [get(&cloud, SERVICE)["spec"]["ports"][0].clone(), port];
    patch(&cloud, SERVICE, json!({"spec": {"ports": ports, "sessionAffinity": "ClientIP"}}));
    patch(&cloud, ACCOUNT, json!({"metadata": {"annotations": {"note": "mine"}}}));
    patch(&cloud, AUTOSCALER, json!({"spec": {"behavior": {"scaleDown": {"stabilizationWindowSeconds": 60}}}}));
    project.assert_no_changes();

    patch(&cloud, AUTOSCALER, json!({"spec": {"maxReplicas": 30}}));
    let plan = project.plan();
    plan.assert_drift("cluster/autoscaler", "update", &[("max_replicas", json!(30), json!(10))]);
    let run = project.run(&["drift", "--repair", "--yes", "--json"]).exits(1);
    let failed = &run.json()["failed"][0];
    assert_eq!((failed.text("address"), failed.text("code")), ("cluster/autoscaler", "FieldManagerConflict"));
    for words in ["spec.maxReplicas", "someone"] {
        assert!(failed.text("message").contains(words), "{failed:#}");
    }
    assert!(failed.text("hint").contains("put the old value back"), "{failed:#}");
    project.run(&["apply", "--yes"]).exits(1).says(&["spec.maxReplicas", "someone", "into the configuration"]);
    assert_eq!(get(&cloud, AUTOSCALER)["spec"]["maxReplicas"], 30, "it stays theirs");

    // Both ways out that the message names.
    project.configure("[cluster.autoscaling]\nmax_replicas = 30");
    project.apply();
    project.assert_no_changes();
    patch(&cloud, AUTOSCALER, json!({"spec": {"maxReplicas": 10}}));
    project.configure("");
    project.apply();
    project.assert_no_changes();
    assert_eq!(get(&cloud, SERVICE)["spec"]["sessionAffinity"], "ClientIP");
    assert_eq!(get(&cloud, SERVICE)["spec"].list("ports").len(), 2);

    // What they only took away, nobody has: it comes back.
    patch(&cloud, ACCOUNT, json!({"metadata": {"annotations": {"eks.amazonaws.com/role-arn": null}}}));
    assert_eq!(project.plan().with("update"), ["cluster/service-account"].into());
    project.apply();
    let annotations = get(&cloud, ACCOUNT)["metadata"]["annotations"].clone();
    assert_eq!(annotations["eks.amazonaws.com/role-arn"], "arn:aws:iam::797923187401:role/fintechglobal-app-role");
    assert_eq!(annotations["note"], "mine");
    project.assert_no_changes();
}

#[test]
fn what_was_deleted_comes_back_and_what_the_state_forgot_is_found() {
    let cloud = Cloud::start();
    let project = Project::network_and_cluster(&cloud, "environment = \"development\"");
    let state = project.path("state/fintechglobal-development.json");
    project.bootstrap();

    delete(&cloud, ACCOUNT);
    delete(&cloud, AUTOSCALER);
    let plan = project.plan();
    assert_eq!(plan.changes().into_keys().collect::<Vec<_>>(), ["cluster/autoscaler", "cluster/service-account"]);
    plan.assert_drift("cluster/autoscaler", "create", &[]);
    project.run(&["drift", "--repair", "--yes"]).ok();
    project.assert_no_changes();
    assert!(exists(&cloud, ACCOUNT) && exists(&cloud, AUTOSCALER));

    // With a namespace goes everything in it. While it ends, nothing can be made.
    delete(&cloud, NAMESPACE);
    cloud.advance(60);
    assert_eq!(project.plan().with("create"), ADDRESSES.into());
    project.apply();
    project.assert_no_changes();

    fs_err::remove_file(state).unwrap();
    let before = cloud.inventory();
    project.assert_no_changes();
    project.apply();
    project.assert_no_changes();
    assert_eq!(cloud.inventory(), before);

    // With the cluster goes everything in it: nobody is asked.
    cloud.reset_calls();
    let plan = project.run(&["destroy", "--yes", "--json"]).ok();
    assert_eq!(plan.json()["failed"], json!([]));
    assert_eq!(writes(&cloud), BTreeMap::new());
    assert_eq!(without_kept(cloud.inventory()), Inventory::new());
}

#[test]
fn what_is_not_ours_is_refused() {
    let cloud = Cloud::start();
    let project = Project::network_and_cluster(&cloud, "");
    project.run(&["apply", "--yes", "--target", "cluster/access"]).ok();
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "fintech-prod"}});
    assert_eq!(cloud.kubernetes(CLUSTER, "POST", "/api/v1/namespaces", Some(namespace)).0, 201);

    cloud.reset_calls();
    for args in [&["plan"][..], &["bootstrap", "--yes"]] {
        let words = ["cluster/namespace", "fintech-prod", "does not belong to this stack"];
        project.run(args).exits(3).says(&words);
    }
    assert_eq!(cloud.mutating_calls(), 0, "{:?}", cloud.calls());
    delete(&cloud, NAMESPACE);
    // A name that is still ending is waited for.
    project.bootstrap();
    project.assert_no_changes();
    let stack = &get(&cloud, NAMESPACE)["metadata"]["annotations"]["bedplate.dev/stack"];
    assert_eq!(stack, bedplate_tests::STACK);
}

#[test]
fn a_cluster_out_of_reach_stops_nothing_else() {
    let cloud = Cloud::start();
    let project = Project::network_and_cluster(&cloud, "");
    cloud.reach_clusters(false);

    // Before there is a cluster, it is known who it will answer.
    let remedy = ["only inside its VPC", "public_access_cidrs"];
    project.run(&["preflight"]).ok().says(&remedy);
    project.run(&["plan"]).ok().says(&remedy);
    let run = project.run(&["bootstrap", "--yes", "--json"]).exits(1);
    let result = run.json();
    let [failed] = result.list("failed") else { panic!("{run}") };
    assert_eq!((failed.text("address"), failed.text("code")), ("cluster/namespace", "ClusterUnreachable"));
    assert!(failed.text("message").contains("it answers only inside vpc-"), "{failed:#}");
    assert!(failed.text("hint").contains("public_access_cidrs"), "{failed:#}");
    let skipped: Vec<&str> = result.list("skipped").iter().map(|it| it.text("address")).collect();
    assert!(skipped.iter().all(|address| ADDRESSES.contains(address)) && skipped.len() == 3, "{skipped:?}");

    // It goes on where it can be reached.
    let plan = project.plan();
    assert_eq!(plan.with("create"), ADDRESSES.into(), "and nothing else is left to do");
    assert_eq!(plan.0.list("unseen")[0]["code"], "ClusterUnreachable");
    cloud.reach_clusters(true);
    project.bootstrap();
    project.assert_no_changes();

    // Nothing is concluded from silence: not that they are gone, nor that they changed.
    cloud.reach_clusters(false);
    for args in [&["plan", "--detailed-exitcode"][..], &["bootstrap", "--yes"], &["drift"]] {
        let run =
            project.run(args).ok().says(&["warning", "not looked at", "cluster/namespace", "it answers only inside"]);
        assert!(run.stdout.contains("No changes") || run.stdout.contains("No drift"), "{run}");
    }
    assert_eq!(project.plan().0.list("unseen").len(), ADDRESSES.len());
    project.run(&["preflight"]).ok().says(&["cannot be reached from here", "public_access_cidrs"]);

    // A change elsewhere is made, one in the cluster is not.
    project.configure("[tags]\nTeam = \"a\"\n[cluster.autoscaling]\nmax_replicas = 12");
    let run = project.run(&["apply", "--yes"]).exits(1);
    let run = run.says(&["cluster/autoscaler", "cannot be reached", "run it inside the VPC"]);
    assert!(run.stderr.contains("1 failed"), "{run}");
    let tags = cloud.eks("describe_cluster", json!({"name": CLUSTER}))["cluster"].tags();
    assert_eq!(tags.get("Team").map(String::as_str), Some("a"));
    project.configure("[tags]\nTeam = \"a\"\n[cluster.autoscaling]\nenabled = false");
    project.run(&["apply", "--yes"]).exits(1).says(&["cluster/autoscaler", "cannot be reached"]);
    cloud.reach_clusters(true);
    assert!(exists(&cloud, AUTOSCALER));
    project.apply();
    assert!(!exists(&cloud, AUTOSCALER));
    project.assert_no_changes();

    // It does not hold up its own end.
    cloud.reach_clusters(false);
    cloud.reset_calls();
    project.run(&["destroy", "--yes", "--lift-protection"]).ok();
    assert_eq!(writes(&cloud), BTreeMap::new());
    assert_eq!(without_kept(cloud.inventory()), Inventory::new());
    assert_eq!(project.state()["resources"], json!({}));
}

#[test]
fn a_token_is_in_no_file_and_no_output() {
    let cloud = Cloud::start();
    let project = Project::network_and_cluster(&cloud, "");
    let mut said = Vec::new();
    let mut run = |args: &[&str], code: i32| {
        let run = project.run(args).exits(code);
        said.push((args.join(" "), [run.stdout, run.stderr].concat()));
    };
    run(&["bootstrap", "--yes", "--json", "-v"], 0);
    run(&["plan", "--out", "saved.plan", "-v"], 0);
    run(&["kubeconfig"], 0);
    // Each way in which a call fails.
    for (code, status) in [("InternalError", 500), ("Unauthorized", 401), ("Forbidden", 403), ("Invalid", 422)] {
        cloud.fail_next_with("kubernetes:GetNamespaces", code, "No.", status);
        run(&["plan", "-v"], 0);
    }
    project.configure("[cluster.autoscaling]\nmax_replicas = 12");
    cloud.fail_next_with("kubernetes:ApplyHorizontalpodautoscalers", "Invalid", "No.", 422);
    run(&["apply", "--yes", "-v"], 1);
    cloud.reach_clusters(false);
    run(&["plan", "--json", "-v"], 0);
    run(&["apply", "--yes", "--json", "-v"], 1);

    for file in ["state/fintechglobal-production.json", "state/fintechglobal-production.json.backup", "saved.plan"] {
        said.push((file.to_owned(), project.read(file)));
    }
    for command in ["bootstrap", "apply"] {
        let calls = project.log(command).iter().map(|line| format!("{line}\n")).collect::<String>();
        assert!(calls.contains("kubernetes:Get"), "{calls}");
        said.push((format!("the log of {command}"), calls));
    }
    for (what, text) in said {
        for secret in ["k8s-aws-v1", "X-Amz-Signature", "Bearer "] {
            assert!(!text.contains(secret), "{what} has {secret}: {text}");
        }
    }
}
