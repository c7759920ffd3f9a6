//! The load balancer: with and without a certificate, changed, replaced, and put back after somebody else changed it.

use bedplate_tests::{Cloud, Inventory, JsonExt, Project, changed, counts, without_kept};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const WARNING: &str = "set cluster.load_balancer.certificate_arn";

fn elb(cloud: &Cloud, operation: &str, arguments: Value) -> Value {
    cloud.call("elbv2", operation, arguments)
}

fn balancer(cloud: &Cloud) -> Value {
    elb(cloud, "describe_load_balancers", json!({"Names": ["fintechglobal-alb"]}))["LoadBalancers"][0].clone()
}

fn target_groups(cloud: &Cloud) -> Vec<Value> {
    elb(cloud, "describe_target_groups", json!({})).list("TargetGroups").to_vec()
}

/// The listeners by their ports.
fn listeners(cloud: &Cloud) -> BTreeMap<u64, Value> {
    let answer = elb(cloud, "describe_listeners", json!({"LoadBalancerArn": balancer(cloud)["LoadBalancerArn"]}));
    answer.list("Listeners").iter().map(|one| (one["Port"].as_u64().unwrap(), one.clone())).collect()
}

fn balancer_attributes(cloud: &Cloud) -> BTreeMap<String, String> {
    let arn = balancer(cloud)["LoadBalancerArn"].clone();
    attributes(&elb(cloud, "describe_load_balancer_attributes", json!({"LoadBalancerArn": arn})))
}

fn group_attributes(cloud: &Cloud) -> BTreeMap<String, String> {
    let arn = target_groups(cloud)[0]["TargetGroupArn"].clone();
    attributes(&elb(cloud, "describe_target_group_attributes", json!({"TargetGroupArn": arn})))
}

fn attributes(answer: &Value) -> BTreeMap<String, String> {
    answer.list("Attributes").iter().map(|one| (one.text("Key").to_owned(), one.text("Value").to_owned())).collect()
}

/// What is attached to the node group's Auto Scaling group, and that group's name.
fn attached(cloud: &Cloud) -> (String, Value) {
    let node_group = json!({"clusterName": "fintechglobal-cluster", "nodegroupName": "system-ng"});
    let node_group = cloud.eks("describe_nodegroup", node_group);
    let name = node_group["nodegroup"]["resources"]["autoScalingGroups"][0].text("name").to_owned();
    let groups = json!({"AutoScalingGroupNames": [name]});
    let groups = cloud.call("autoscaling", "describe_auto_scaling_groups", groups);
    (name, groups["AutoScalingGroups"][0]["TargetGroupARNs"].clone())
}

fn certificate(cloud: &Cloud, domain: &str) -> String {
    cloud.call("acm", "request_certificate", json!({"DomainName": domain})).text("CertificateArn").to_owned()
}

#[test]
fn a_certificate_turns_http_into_a_way_to_https() {
    let cloud = Cloud::start();
    let project = Project::network_and_cluster(&cloud, "");
    for command in [&["preflight"][..], &["plan"], &["bootstrap", "--yes"]] {
        project.run(command).ok().says(&[WARNING]);
    }
    let group = target_groups(&cloud)[0]["TargetGroupArn"].clone();
    let forward = |listener: &Value| {
        let [action] = listener.list("DefaultActions") else { panic!("one action: {listener:#}") };
        assert_eq!((&action["Type"], &action["TargetGroupArn"]), (&json!("forward"), &group));
    };
    forward(&listeners(&cloud)[&80]);

    let (first, second) = (certificate(&cloud, "a.example.com"), certificate(&cloud, "b.example.com"));
    project.configure(&format!("[cluster.load_balancer]\ncertificate_arn = \"{first}\""));
    let plan = project.plan();
    assert_eq!(plan.with("create"), ["cluster/listener/https"].into());
    assert_eq!(plan.with("update"), ["cluster/listener/http"].into());
    let run = project.apply();
    assert!(!run.stderr.contains(WARNING), "{run}");
    let found = listeners(&cloud);
    assert_eq!(found.keys().copied().collect::<Vec<_>>(), [80, 443]);
    let redirect = &found[&80]["DefaultActions"][0];
    assert_eq!(redirect["Type"], "redirect");
    let to = &redirect["RedirectConfig"];
    let expected = json!({
        "Protocol": "HTTPS", "Port": "443", "Host": "#{host}", "Path": "/#{path}", "Query": "#{query}", "StatusCode": "HTTP_301",
    });
    assert_eq!(to, &expected);
    assert_eq!(found[&443]["Protocol"], "HTTPS");
    assert_eq!(found[&443]["SslPolicy"], "ELBSecurityPolicy-TLS13-1-2-2021-06");
    assert_eq!(found[&443]["Certificates"], json!([{"CertificateArn": first}]));
    forward(&found[&443]);
    project.assert_no_changes();

    // Another certificate, policy and port, in place.
    project.configure(&format!(
        "[cluster.load_balancer]\ncertificate_arn = \"{second}\"\nssl_policy = \"ELBSecurityPolicy-TLS13-1-3-2021-06\"\n\
         [network]\nhttps_port = 8443"
    ));
    project.apply();
    let found = listeners(&cloud);
    assert_eq!(found[&8443]["ListenerArn"], json!(project.id("cluster/listener/https")));
    assert_eq!(found[&8443]["SslPolicy"], "ELBSecurityPolicy-TLS13-1-3-2021-06");
    assert_eq!(found[&8443]["Certificates"], json!([{"CertificateArn": second}]));
    assert_eq!(found[&80]["DefaultActions"][0]["RedirectConfig"]["Port"], "8443");
    assert!(!found.contains_key(&443));
    project.assert_no_changes();

    // And none again.
    project.configure("");
    project.apply();
    let found = listeners(&cloud);
    assert_eq!(found.keys().copied().collect::<Vec<_>>(), [80]);
    forward(&found[&80]);
    project.assert_no_changes();
}

#[test]
fn settings_are_changed_in_place_and_go_back() {
    let cloud = Cloud::start();
    let project = Project::network_and_cluster(&cloud, "");
    project.bootstrap();
    let all = || (balancer(&cloud), target_groups(&cloud), balancer_attributes(&cloud), group_attributes(&cloud));
    let before = all();

    project.configure(
        "[cluster]\ndeletion_protection = false\n[cluster.load_balancer]\nhealth_check_path = \"/healthz\"\n\
         health_check_interval_seconds = 30\nidle_timeout_seconds = 120\nderegistration_delay_seconds = 10\naccess_logs = false",
    );
    let plan = project.plan();
    let bucket = "fintechglobal-s3-logs-797923187401-us-east-1";
    let of_balancer = [
        ("deletion_protection", json!(true), json!(false)),
        ("idle_timeout_seconds", json!(60), json!(120)),
        ("log_bucket", json!(bucket), Value::Null),
        ("log_prefix", json!("load-balancer"), json!("")),
    ];
    assert_eq!(plan.changes()["cluster/load-balancer"], changed("update", &of_balancer));
    let of_group = [
        ("deregistration_delay", json!(60), json!(10)),
        ("health_check_interval", json!(15), json!(30)),
        ("health_check_path", json!("/"), json!("/healthz")),
    ];
    assert_eq!(plan.changes()["cluster/target-group"], changed("update", &of_group));
    assert!(plan.with("replace").is_empty(), "{:#}", plan.0["changes"]);
    project.apply();
    let now = balancer_attributes(&cloud);
    for (key, value) in [
        ("deletion_protection.enabled", "false"),
        ("idle_timeout.timeout_seconds", "120"),
        ("access_logs.s3.enabled", "false"),
    ] {
        assert_eq!(now[key], value, "{key}");
    }
    assert_eq!(group_attributes(&cloud)["deregistration_delay.timeout_seconds"], "10");
    let group = &target_groups(&cloud)[0];
    assert_eq!((&group["HealthCheckPath"], &group["HealthCheckIntervalSeconds"]), (&json!("/healthz"), &json!(30)));
    project.assert_no_changes();

    project.configure("");
    project.apply();
    assert_eq!(all(), before);
    project.assert_no_changes();
}

#[test]
fn another_port_replaces_the_target_group_under_the_listener() {
    let cloud = Cloud::start();
    let project = Project::network_and_cluster(&cloud, "");
    project.bootstrap();
    let before = cloud.inventory();
    let arn = balancer(&cloud)["LoadBalancerArn"].clone();

    project.configure("[cluster.load_balancer]\nnode_port = 30090");
    let plan = project.plan();
    assert_eq!(plan.change("cluster/target-group")["action"], "replace");
    assert_eq!(plan.change("cluster/traffic-source")["action"], "replace");
    assert_eq!(plan.change("cluster/listener/http")["action"], "update");
    assert!(!plan.changes().contains_key("cluster/load-balancer"));
    let run = project.run(&["apply", "--yes", "--json"]).ok();
    // No moment without a target group: the new one, then the listener, then the old one goes.
    let finished: Vec<(String, String)> = run
        .events("finished")
        .iter()
        .map(|event| (event.text("address").to_owned(), event.text("action").to_owned()))
        .collect();
    let position = |address: &str, action: &str| {
        let found = finished.iter().position(|(it, what)| it == address && what == action);
        found.unwrap_or_else(|| panic!("{action} {address} is not among {finished:?}"))
    };
    let order = [
        position("cluster/target-group", "create"),
        position("cluster/listener/http", "update"),
        position("cluster/target-group", "delete"),
    ];
    assert!(order.is_sorted(), "{finished:?}");

    let groups = target_groups(&cloud);
    let [group] = &groups[..] else { panic!("one group: {groups:#?}") };
    assert_eq!((&group["Port"], group.text("TargetGroupName")), (&json!(30090), "fintechglobal-30090"));
    assert_eq!(listeners(&cloud)[&80]["DefaultActions"][0]["TargetGroupArn"], group["TargetGroupArn"]);
    assert_eq!(attached(&cloud).1, json!([group["TargetGroupArn"]]));
    assert_eq!(balancer(&cloud)["LoadBalancerArn"], arn);
    assert_eq!(counts(&cloud.inventory()), counts(&before));
    project.assert_no_changes();
}

#[test]
fn nodes_that_are_replaced_are_its_targets_again() {
    let cloud = Cloud::start();
    let project = Project::network_and_cluster(&cloud, "");
    project.bootstrap();
    let (old, attachment) = attached(&cloud);

    project.configure("[cluster.node_group]\ninstance_types = [\"m5.large\"]");
    assert_eq!(project.plan().with("replace"), ["cluster/node-group/system-ng", "cluster/traffic-source"].into());
    project.apply();
    let (new, now) = attached(&cloud);
    assert_ne!(new, old);
    assert_eq!(now, attachment);
    project.assert_no_changes();
}

#[test]
fn what_somebody_changed_is_put_back() {
    let cloud = Cloud::start();
    let project = Project::network_and_cluster(&cloud, "");
    project.bootstrap();
    let all = || {
        let attributes = (balancer_attributes(&cloud), group_attributes(&cloud));
        (balancer(&cloud), listeners(&cloud), target_groups(&cloud), attributes, attached(&cloud))
    };
    let before = all();

    let arn = balancer(&cloud)["LoadBalancerArn"].clone();
    let modified = [
        ("deletion_protection.enabled", "false"),
        ("routing.http.drop_invalid_header_fields.enabled", "false"),
        ("access_logs.s3.enabled", "false"),
    ];
    let modified = modified.map(|(key, value)| json!({"Key": key, "Value": value}));
    elb(&cloud, "modify_load_balancer_attributes", json!({"LoadBalancerArn": arn, "Attributes": modified}));
    let group = project.id("network/security-group/endpoints");
    elb(&cloud, "set_security_groups", json!({"LoadBalancerArn": arn, "SecurityGroups": [group]}));
    let listener = project.id("cluster/listener/http");
    let closed = json!([{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503"}}]);
    elb(&cloud, "modify_listener", json!({"ListenerArn": listener, "DefaultActions": closed}));
    let target_group = target_groups(&cloud)[0]["TargetGroupArn"].clone();
    elb(&cloud, "modify_target_group", json!({"TargetGroupArn": target_group, "HealthCheckPath": "/nowhere"}));
    let (nodes, _) = attached(&cloud);
    let source = json!([{"Identifier": target_group, "Type": "elbv2"}]);
    let detach = json!({"AutoScalingGroupName": nodes, "TrafficSources": source});
    cloud.call("autoscaling", "detach_traffic_sources", detach);
    cloud.advance(60);
    elb(&cloud, "remove_tags", json!({"ResourceArns": [listener], "TagKeys": ["Owner"]}));

    let plan = project.plan();
    let expected = ["cluster/listener/http", "cluster/load-balancer", "cluster/target-group", "cluster/traffic-source"];
    assert_eq!(plan.changes().into_keys().collect::<BTreeSet<_>>(), expected.into(), "{:#}", plan.0["changes"]);
    let ours = project.id("network/security-group/load-balancer");
    let of_balancer = [
        ("deletion_protection", json!(false), json!(true)),
        ("drop_invalid_headers", json!(false), json!(true)),
        ("log_bucket", Value::Null, json!("fintechglobal-s3-logs-797923187401-us-east-1")),
        ("log_prefix", json!(""), json!("load-balancer")),
        ("security_groups", json!([group]), json!([ours])),
    ];
    plan.assert_drift("cluster/load-balancer", "update", &of_balancer);
    plan.assert_drift("cluster/target-group", "update", &[("health_check_path", json!("/nowhere"), json!("/"))]);
    plan.assert_drift("cluster/traffic-source", "create", &[]);
    let of_listener = [
        ("action.forward", Value::Null, target_group.clone()),
        ("action.other", json!("fixed-response"), Value::Null),
        ("tags.Owner", Value::Null, json!("team-platform@yourcompany.com")),
    ];
    plan.assert_drift("cluster/listener/http", "update", &of_listener);
    project.run(&["drift"]).exits(2);

    project.run(&["drift", "--repair", "--yes"]).ok();
    cloud.advance(60);
    assert_eq!(all(), before);
    project.assert_no_changes();
    project.run(&["drift"]).exits(0);
}

#[test]
fn what_somebody_deleted_is_made_again() {
    let cloud = Cloud::start();
    let project = Project::network_and_cluster(&cloud, "");
    project.bootstrap();
    let before = cloud.inventory();
    let arn = balancer(&cloud)["LoadBalancerArn"].clone();
    let group = target_groups(&cloud)[0]["TargetGroupArn"].clone();
    let unprotected = json!([{"Key": "deletion_protection.enabled", "Value": "false"}]);
    elb(&cloud, "modify_load_balancer_attributes", json!({"LoadBalancerArn": arn, "Attributes": unprotected}));
    // Its listeners go with it.
    elb(&cloud, "delete_load_balancer", json!({"LoadBalancerArn": arn}));
    elb(&cloud, "delete_target_group", json!({"TargetGroupArn": group}));
    cloud.advance(60);

    let plan = project.plan();
    let created = ["cluster/listener/http", "cluster/load-balancer", "cluster/target-group"];
    assert_eq!(plan.with("create"), created.into(), "{:#}", plan.0["changes"]);
    project.apply();
    assert_eq!(counts(&cloud.inventory()), counts(&before));
    assert_eq!(attached(&cloud).1.as_array().unwrap().last(), Some(&target_groups(&cloud)[0]["TargetGroupArn"]));
    let dns = project.run(&["output", "load_balancer_dns", "--raw"]).ok().stdout;
    assert_eq!(dns.trim(), balancer(&cloud).text("DNSName"));
    project.assert_no_changes();
}

#[test]
fn without_one_there_is_none() {
    let cloud = Cloud::start();
    let project = Project::network_and_cluster(&cloud, "");
    project.bootstrap();
    project.configure("[cluster]\ndeletion_protection = false\n[cluster.load_balancer]\nenabled = false");
    // Protection is a setting: once it is off, the load balancer may go.
    project.run(&["apply", "--yes"]).exits(3).says(&["cluster/load-balancer", "deletion protection"]);
    project.configure("[cluster]\ndeletion_protection = false");
    project.apply();
    project.configure("[cluster]\ndeletion_protection = false\n[cluster.load_balancer]\nenabled = false");
    let run = project.apply();
    assert!(!run.stderr.contains(WARNING), "{run}");
    let kinds: Inventory = cloud.inventory().into_iter().filter(|(kind, _)| kind.starts_with("elbv2.")).collect();
    assert_eq!(kinds, Inventory::new());
    assert_eq!(attached(&cloud).1, json!([]));
    project.assert_no_changes();
    project.run(&["destroy", "--yes", "--lift-protection"]).ok();
    assert_eq!(without_kept(cloud.inventory()), Inventory::new());
}
