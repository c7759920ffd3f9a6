//! `import`: what exists gets the ownership tags and a record, and nothing else of it changes.

use bedplate_tests::{Cloud, JsonExt, Project, Run};
use serde_json::{Value, json};

const NO_CLUSTER: &str = "[cluster]\nenabled = false";
const CLUSTER: &str = "fintechglobal-cluster";
const OWNERSHIP: [&str; 3] = ["bedplate:address", "bedplate:generation", "bedplate:stack"];

fn vpc(cloud: &Cloud, cidr: &str, tags: &[(&str, &str)]) -> String {
    let tags: Vec<Value> = tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
    let mut arguments = json!({"CidrBlock": cidr});
    if !tags.is_empty() {
        arguments["TagSpecifications"] = json!([{"ResourceType": "vpc", "Tags": tags}]);
    }
    cloud.ec2("create_vpc", arguments)["Vpc"].text("VpcId").to_owned()
}

fn subnet(cloud: &Cloud, vpc: &str, cidr: &str, zone: &str) -> String {
    let arguments = json!({"VpcId": vpc, "CidrBlock": cidr, "AvailabilityZoneId": zone});
    cloud.ec2("create_subnet", arguments)["Subnet"].text("SubnetId").to_owned()
}

/// Refused, and nothing was touched.
#[track_caller]
fn refused(cloud: &Cloud, project: &Project, args: &[&str], words: &[&str]) -> Run {
    cloud.reset_calls();
    let run = project.run(args).exits(3).says(words);
    assert_eq!(cloud.mutating_calls(), 0, "{:?} {run}", cloud.calls());
    run
}

#[test]
fn a_vpc_is_taken_over_and_then_planned_as_ours() {
    let cloud = Cloud::start();
    let project = Project::network_and_cluster(&cloud, NO_CLUSTER);
    let id = vpc(&cloud, "10.0.0.0/16", &[("Team", "payments")]);

    // Without a terminal nobody is asked, and nothing happens.
    refused(&cloud, &project, &["import", "network/vpc", &id], &["--yes"]);
    assert!(!project.state_path().exists());

    cloud.reset_calls();
    let run = project.run(&["import", "network/vpc", &id, "--yes"]).ok();
    // What the next apply would change is said before.
    assert!(run.stdout.contains("dns_hostnames") && run.stdout.contains("tags.Owner"), "{run}");
    let calls = cloud.calls();
    assert_eq!((cloud.mutating_calls(), calls.get("ec2:CreateTags")), (1, Some(&1)), "{calls:?}");
    let seen = cloud.ec2("describe_vpcs", json!({"VpcIds": [id]}))["Vpcs"][0].tags();
    let mut keys: Vec<&str> = OWNERSHIP.to_vec();
    keys.insert(0, "Team");
    assert_eq!(seen.keys().map(String::as_str).collect::<Vec<_>>(), keys);
    assert_eq!(seen["bedplate:address"], "network/vpc");
    let recorded = &project.state()["resources"]["network/vpc"];
    assert_eq!(
        (&recorded["id"], &recorded["status"], &recorded["adopted"]),
        (&json!(id), &json!("ready"), &json!(true))
    );

    let plan = project.plan();
    let change = plan.change("network/vpc");
    assert_eq!(change["action"], "update");
    let paths: Vec<&str> = change.list("fields").iter().map(|field| field.text("path")).collect();
    assert!(paths.contains(&"dns_hostnames") && paths.contains(&"tags.Owner"), "{paths:?}");
    assert!(paths.iter().all(|path| !path.starts_with("tags.bedplate") && *path != "tags.Team"), "{paths:?}");

    // Once more is nothing to do; at another id it is refused.
    let again = project.run(&["import", "network/vpc", &id, "--yes"]).ok();
    assert!(again.stdout.contains("nothing to do"), "{again}");
    refused(
        &cloud,
        &project,
        &["import", "network/vpc", "vpc-0", "--yes"],
        &["taken", "bedplate state rm network/vpc"],
    );

    project.bootstrap();
    assert_eq!(project.id("network/vpc"), id);
    project.assert_no_changes();
}

#[test]
fn what_cannot_become_what_is_declared_is_refused() {
    let cloud = Cloud::start();
    let project = Project::network_and_cluster(&cloud, NO_CLUSTER);
    let other = vpc(&cloud, "10.9.0.0/16", &[]);
    let words = ["network/vpc", "would be replaced", "cidr", "10.9.0.0/16", "10.0.0.0/16"];
    refused(&cloud, &project, &["import", "network/vpc", &other, "--yes"], &words);

    let theirs =
        [("bedplate:stack", "another-production"), ("bedplate:address", "network/vpc"), ("bedplate:generation", "0")];
    let foreign = vpc(&cloud, "10.0.0.0/16", &theirs);
    refused(
        &cloud,
        &project,
        &["import", "network/vpc", &foreign, "--yes"],
        &["belongs to the stack another-production"],
    );
    refused(&cloud, &project, &["import", "network/vpc", "vpc-0123", "--yes"], &["AWS shows no ec2.vpc", "vpc-0123"]);
    refused(
        &cloud,
        &project,
        &["import", "network/vcp", &other, "--yes"],
        &["declares nothing", "did you mean `network/vpc`?"],
    );

    // A subnet lies in a VPC that is not ours yet.
    let ours = vpc(&cloud, "10.0.0.0/16", &[]);
    let inside = subnet(&cloud, &ours, "10.0.11.0/24", "use1-az1");
    let import = ["import", "network/subnet/app-a", &inside, "--yes"];
    refused(&cloud, &project, &import, &["network/vpc is not recorded yet", "import network/vpc first"]);
    assert!(!project.state_path().exists());
    project.run(&["import", "network/vpc", &ours, "--yes"]).ok();
    project.run(&import).ok();
    assert_eq!(project.id("network/subnet/app-a"), inside);
    refused(
        &cloud,
        &project,
        &["import", "network/subnet/app-b", &inside, "--yes"],
        &["recorded at network/subnet/app-a", "state mv"],
    );
}

/// What the refusal of a plan names as the way on, for what is found by its name only.
#[test]
fn what_has_our_name_is_taken_over_as_the_refusal_says() {
    let cloud = Cloud::start();
    let project = Project::network_and_cluster(&cloud, NO_CLUSTER);
    let account = "797923187401";
    cloud.call("secretsmanager", "create_secret", json!({"Name": "fintech/api-keys", "SecretString": "{\"a\":\"b\"}"}));
    cloud.call("sns", "create_topic", json!({"Name": "fintechglobal-cost-alerts"}));
    let bucket = format!("fintechglobal-s3-logs-{account}-us-east-1");
    cloud.call("s3", "create_bucket", json!({"Bucket": bucket}));
    cloud.call("logs", "create_log_group", json!({"logGroupName": "/aws/vpc/fintechglobal-flow-logs"}));

    // Until nothing is in the way, the plan names the next command.
    for _ in 0..4 {
        let run = project.run(&["plan"]).exits(3);
        let hint = run.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        let command = hint.split("`bedplate import ").nth(1).and_then(|rest| rest.split('`').next());
        let command = command.unwrap_or_else(|| panic!("it names no import: {run}"));
        let (address, id) = command.split_once(' ').expect("an address and an id");
        cloud.reset_calls();
        project.run(&["import", address, id.trim_matches('\''), "--yes", "--json"]).ok();
        assert_eq!(cloud.mutating_calls(), 1, "only tags: {:?}", cloud.calls());
    }
    let tags = cloud.call("secretsmanager", "describe_secret", json!({"SecretId": "fintech/api-keys"})).tags();
    assert_eq!(tags.keys().map(String::as_str).collect::<Vec<_>>(), OWNERSHIP);
    project.bootstrap();
    project.assert_no_changes();
    let value = cloud.call("secretsmanager", "get_secret_value", json!({"SecretId": "fintech/api-keys"}));
    assert_eq!(value.text("SecretString"), "{\"a\":\"b\"}", "what it holds stays");
}

#[test]
fn a_namespace_is_marked_and_nothing_else_of_it_changes() {
    let cloud = Cloud::start();
    let project = Project::network_and_cluster(&cloud, "[cluster]\nnamespace_labels = { team = \"a\" }");
    project.bootstrap();
    // Somebody makes one of the same name after ours is forgotten and gone.
    let path = "/api/v1/namespaces/fintech-prod";
    project.run(&["destroy", "--yes", "--lift-protection", "--target", "cluster/namespace"]).ok();
    let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "fintech-prod", "labels": {"their": "own"}}});
    let (status, answer) = cloud.kubernetes(CLUSTER, "PATCH", path, Some(body.clone()));
    let status =
        if status == 200 { 201 } else { cloud.kubernetes(CLUSTER, "POST", "/api/v1/namespaces", Some(body)).0 };
    assert_eq!(status, 201, "{answer:#}");

    let id = format!("{CLUSTER}|fintech-prod");
    project.run(&["plan"]).exits(3).says(&[&format!("bedplate import cluster/namespace '{id}'")]);
    project.run(&["import", "cluster/namespace", &id, "--yes"]).ok();
    let (_, seen) = cloud.kubernetes(CLUSTER, "GET", path, None);
    assert_eq!(seen["metadata"]["annotations"]["bedplate.dev/address"], "cluster/namespace");
    assert_eq!(seen["metadata"]["labels"]["their"], "own");
    assert_eq!(seen["metadata"]["labels"].get("team"), None, "that is for the next apply");
    project.bootstrap();
    let (_, seen) = cloud.kubernetes(CLUSTER, "GET", path, None);
    assert_eq!(
        (&seen["metadata"]["labels"]["their"], &seen["metadata"]["labels"]["team"]),
        (&json!("own"), &json!("a"))
    );
    project.assert_no_changes();
}

/// One resource of a Terraform state.
fn terraform(kind: &str, name: &str, attributes: Value) -> Value {
    let provider = "provider[\"registry.terraform.io/hashicorp/aws\"]";
    let instance = json!({"schema_version": 1, "attributes": attributes, "sensitive_attributes": []});
    json!({"mode": "managed", "type": kind, "name": name, "provider": provider, "instances": [instance]})
}

#[test]
fn what_terraform_made_is_recognized_and_what_is_not_certain_is_left_alone() {
    let cloud = Cloud::start();
    let project = Project::network_and_cluster(&cloud, NO_CLUSTER);
    let ours = vpc(&cloud, "10.0.0.0/16", &[]);
    let other = vpc(&cloud, "10.9.0.0/16", &[]);
    let public = subnet(&cloud, &ours, "10.0.1.0/24", "use1-az1");
    let app = subnet(&cloud, &ours, "10.0.12.0/24", "use1-az2");
    let address = |_| cloud.ec2("allocate_address", json!({"Domain": "vpc"})).text("AllocationId").to_owned();
    let addresses: Vec<String> = (0..2).map(address).collect();
    let gateway =
        cloud.ec2("create_internet_gateway", json!({}))["InternetGateway"].text("InternetGatewayId").to_owned();
    cloud.ec2("attach_internet_gateway", json!({"InternetGatewayId": gateway, "VpcId": ours}));
    let nat = cloud.ec2("create_nat_gateway", json!({"SubnetId": public, "AllocationId": addresses[0]}));
    let nat = nat["NatGateway"].text("NatGatewayId").to_owned();
    cloud.advance(600);
    cloud.call("logs", "create_log_group", json!({"logGroupName": "/aws/vpc/fintechglobal-flow-logs"}));

    let secret = "hunter2-is-never-shown";
    let resources = [
        terraform("aws_subnet", "app", json!({"id": app, "cidr_block": "10.0.12.0/24"})),
        terraform("aws_subnet", "public", json!({"id": public})),
        terraform("aws_vpc", "main", json!({"id": ours})),
        terraform("aws_vpc", "old", json!({"id": other})),
        terraform("aws_vpc", "gone", json!({"id": "vpc-0gone"})),
        terraform("aws_eip", "nat", json!({"id": addresses[0]})),
        terraform("aws_eip", "spare", json!({"id": addresses[1]})),
        terraform("aws_internet_gateway", "main", json!({"id": gateway})),
        terraform("aws_nat_gateway", "a", json!({"id": nat})),
        terraform("aws_cloudwatch_log_group", "flow", json!({"id": "x", "name": "/aws/vpc/fintechglobal-flow-logs"})),
        terraform("random_password", "database", json!({"id": "none", "result": secret})),
    ];
    let state = json!({"version": 4, "terraform_version": "1.9.0", "serial": 7, "lineage": "l", "outputs": {}, "resources": resources});
    project.write("terraform.tfstate", &state.to_string());

    refused(&cloud, &project, &["import", "--from-terraform", "terraform.tfstate"], &["--yes", "aws_vpc.main"]);
    let run = project.run(&["import", "--from-terraform", "terraform.tfstate", "--yes", "--json"]).ok();
    let list = &run.events("matched")[0];
    let matched: Vec<(&str, &str)> =
        list.list("matched").iter().map(|it| (it.text("terraform"), it.text("address"))).collect();
    assert_eq!(
        matched,
        [
            ("aws_eip.nat", "network/elastic-ip/a"),
            ("aws_internet_gateway.main", "network/internet-gateway"),
            ("aws_cloudwatch_log_group.flow", "network/log-group"),
            ("aws_nat_gateway.a", "network/nat/a"),
            ("aws_subnet.app", "network/subnet/app-b"),
            ("aws_subnet.public", "network/subnet/public-a"),
            ("aws_vpc.main", "network/vpc"),
        ]
    );
    let why = |name: &str| {
        let found = list.list("not_matched").iter().find(|it| it.text("terraform") == name);
        found.unwrap_or_else(|| panic!("{name} is not listed: {list:#}")).text("reason").to_owned()
    };
    assert!(why("aws_vpc.gone").contains("does not show"), "{}", why("aws_vpc.gone"));
    assert!(why("aws_vpc.old").contains("nothing like it"), "{}", why("aws_vpc.old"));
    assert!(why("aws_eip.spare").contains("network/elastic-ip/b"), "{}", why("aws_eip.spare"));
    assert_eq!(list["without_type"], json!({"random_password": 1}));
    for text in [&run.stdout, &run.stderr, &fs_err::read_to_string(project.state_path()).unwrap()] {
        assert!(!text.contains(secret), "{text}");
    }
    project.bootstrap();
    assert_eq!((project.id("network/nat/a"), project.id("network/elastic-ip/a")), (nat, addresses[0].clone()));
    project.assert_no_changes();

    project.write("terraform.tfstate", &json!({"version": 3, "password": secret}).to_string());
    let run = refused(&cloud, &project, &["import", "--from-terraform", "terraform.tfstate", "--yes"], &["version 3"]);
    assert!(!run.stderr.contains(secret), "{run}");
}
