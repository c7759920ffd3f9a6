//! What a cluster leaves in its VPC goes with it; what is anybody else's stays, and is named where it is in the way.

use bedplate_tests::{Cloud, Inventory, JsonExt, Project, without_kept};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const DESTROY: &[&str] = &["destroy", "--yes", "--lift-protection", "--skip-final-snapshot"];

/// The cluster's name, its VPC and the subnets it lies in.
fn cluster(project: &Project) -> (String, String, Vec<String>) {
    let subnets = ["network/subnet/app-a", "network/subnet/app-b"].map(|address| project.id(address));
    (project.id("cluster/cluster"), project.id("network/vpc"), subnets.into())
}

/// What is in one inventory and not in another.
fn beyond(more: &Inventory, less: &Inventory) -> Inventory {
    let rest = more.iter().map(|(kind, ids)| {
        let known = less.get(kind).cloned().unwrap_or_default();
        (kind.clone(), ids.difference(&known).cloned().collect::<BTreeSet<_>>())
    });
    rest.filter(|(_, ids)| !ids.is_empty()).collect()
}

/// Somebody's VPC with two subnets.
fn another_vpc(cloud: &Cloud) -> (String, Vec<String>) {
    let vpc = cloud.ec2("create_vpc", json!({"CidrBlock": "10.9.0.0/16"}))["Vpc"].text("VpcId").to_owned();
    let subnet = |(range, zone): (&str, &str)| {
        let subnet = json!({"VpcId": vpc, "CidrBlock": range, "AvailabilityZone": zone});
        cloud.ec2("create_subnet", subnet)["Subnet"].text("SubnetId").to_owned()
    };
    let subnets = [("10.9.1.0/24", "us-east-1a"), ("10.9.2.0/24", "us-east-1b")].map(subnet);
    (vpc, subnets.into())
}

#[test]
fn what_controllers_made_for_the_cluster_goes_with_it_and_nothing_else() {
    let cloud = Cloud::start();
    let project = Project::network_and_cluster(&cloud, "");
    project.bootstrap();
    let (name, vpc, subnets) = cluster(&project);
    // The same tags in another VPC, and another cluster's there.
    let built = cloud.inventory();
    let (elsewhere, theirs) = another_vpc(&cloud);
    cloud.leave_behind(&name, &elsewhere, &theirs);
    let before = cloud.inventory();
    let foreign = beyond(&before, &built);
    cloud.leave_behind(&name, &vpc, &subnets);
    let planted = beyond(&cloud.inventory(), &before);

    // It is announced, and looking at it changes nothing.
    cloud.reset_calls();
    let refused = project.run(&["destroy"]).exits(3);
    assert_eq!(cloud.mutating_calls(), 0, "{refused}");
    let run = project.run(&[DESTROY, &["--json"]].concat()).ok();
    let swept: BTreeSet<String> = run.events("swept").iter().map(|event| event.text("id").to_owned()).collect();
    for kind in ["elbv2.load-balancer", "elbv2.target-group", "elb.load-balancer", "ec2.security-group"] {
        assert!(!planted[kind].is_empty() && planted[kind].is_subset(&swept), "{kind}: {planted:?} {swept:?}");
    }
    let interface = free_interface(&planted, &swept);
    assert_eq!(interface, 1, "{swept:?}");
    assert!(run.events("swept").iter().all(|event| event["address"] == "cluster/cluster"), "{run}");

    assert_eq!(without_kept(cloud.inventory()), without_kept(foreign));
    assert_eq!(project.state()["resources"], json!({}));
}

/// How many of the planted interfaces were swept: those of load balancers go with them.
fn free_interface(planted: &Inventory, swept: &BTreeSet<String>) -> usize {
    planted["ec2.network-interface"].intersection(swept).count()
}

#[test]
fn a_plan_says_what_it_will_sweep() {
    let cloud = Cloud::start();
    let project = Project::network_and_cluster(&cloud, "");
    project.bootstrap();
    let (name, vpc, subnets) = cluster(&project);
    cloud.leave_behind(&name, &vpc, &subnets);
    project.configure("[cluster]\nenabled = false\ndeletion_protection = false");
    // The load balancer that is declared keeps its protection, so the plan is refused; it says everything all the same.
    let plan = project.run(&["plan", "--json"]).exits(3).plan();
    let change = plan.change("cluster/cluster");
    let kinds: BTreeSet<&str> = change.list("sweeps").iter().map(|one| one.text("kind")).collect();
    let expected = [
        "elb.load_balancer",
        "elb.classic_load_balancer",
        "elb.target_group",
        "ec2.network_interface",
        "ec2.security_group",
    ];
    assert_eq!(kinds, expected.into(), "{change:#}");
    let text = project.run(&["plan"]).exits(3).stdout;
    assert!(text.contains("sweeps") && text.contains("(aws-K8S-i-0123456789abcdef0)"), "{text}");
}

/// The cluster is gone, and what it left is not: the sweep failed.
fn half_swept() -> (Cloud, Project) {
    let cloud = Cloud::with(&["--controllers"]);
    let project = Project::network_and_cluster(&cloud, "");
    project.bootstrap();
    let (name, vpc, subnets) = cluster(&project);
    cloud.leave_behind(&name, &vpc, &subnets);
    let message = "User: bedplate is not authorized to perform: elasticloadbalancing:DeleteLoadBalancer";
    cloud.fail_next_with("elb:DeleteLoadBalancer", "AccessDenied", message, 403);
    project.run(DESTROY).exits(1).says(&["cluster/cluster", "elasticloadbalancing:DeleteLoadBalancer", "IAM policy"]);
    let left = cloud.inventory();
    assert!(!left.contains_key("eks.cluster") && left.contains_key("elb.load-balancer"), "{left:?}");
    assert_eq!(project.state()["resources"]["cluster/cluster"]["status"], "deleting");
    (cloud, project)
}

#[test]
fn a_sweep_that_fails_goes_on_in_the_next_run() {
    let (cloud, project) = half_swept();
    project.run(DESTROY).ok();
    assert_eq!(without_kept(cloud.inventory()), Inventory::new());
}

/// Neither the state nor the cluster tells what there is.
#[test]
fn what_is_left_is_found_without_a_state_and_without_the_cluster() {
    let (cloud, project) = half_swept();
    let left = cloud.inventory();
    fs_err::remove_file(project.state_path()).unwrap();
    let run = project.run(&[DESTROY, &["--json"]].concat()).ok();
    let swept: BTreeSet<String> = run.events("swept").iter().map(|event| event.text("id").to_owned()).collect();
    assert!(left["elb.load-balancer"].is_subset(&swept), "{swept:?}");
    assert_eq!(without_kept(cloud.inventory()), Inventory::new());
}

/// The nodes' interfaces stay behind for ever, and with them the group that EKS made.
#[test]
fn interfaces_that_linger_and_the_clusters_own_group_are_swept() {
    let cloud = Cloud::with(&["--interface-lag", "36000"]);
    let project = Project::network_and_cluster(&cloud, "");
    project.bootstrap();
    let group = project.state()["resources"]["cluster/cluster"]["outputs"].text("security_group").to_owned();
    let run = project.run(&[DESTROY, &["--json"]].concat()).ok();
    let swept = run.events("swept");
    let of = |kind: &str| swept.iter().filter(|event| event["kind"] == kind).map(|event| event.text("id")).collect();
    let (groups, interfaces): (Vec<&str>, Vec<&str>) = (of("ec2.security_group"), of("ec2.network_interface"));
    assert_eq!(groups, [group]);
    assert!(!interfaces.is_empty());
    assert_eq!(without_kept(cloud.inventory()), Inventory::new());
}

/// Another cluster's interface in our subnet: nobody touches it, and everybody learns what it is.
#[test]
fn what_is_anybody_elses_is_named_and_left_alone() {
    let cloud = Cloud::start();
    let project = Project::network_and_cluster(&cloud, "");
    project.bootstrap();
    let (_, vpc, subnets) = cluster(&project);
    let groups =
        json!({"Filters": [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "group-name", "Values": ["default"]}]});
    let group = cloud.ec2("describe_security_groups", groups)["SecurityGroups"][0].text("GroupId").to_owned();
    let theirs = cloud.leave_interface("somebody-elses", &subnets[0], &group);

    let mut run = project.start(DESTROY);
    run.wait_for(&["network/subnet/app-a", "held by", &theirs, "aws-K8S-i-0123456789abcdef0"]);
    run.interrupt();
    run.finish().exits(130).says(&["The state is saved"]);
    let left = cloud.inventory();
    assert_eq!(left["ec2.network-interface"], [theirs.clone()].into());
    assert!(left["ec2.vpc"].contains(&vpc));

    cloud.ec2("delete_network_interface", json!({"NetworkInterfaceId": theirs}));
    project.run(DESTROY).ok();
    assert_eq!(without_kept(cloud.inventory()), Inventory::new());
    let state: Value = project.state();
    assert_eq!(state["resources"], json!({}));
}
