//! Changes in the configuration: `plan` shows exactly the fields that change, tells update from replace and why, and
//! `apply` does it.

use bedplate_tests::{Cloud, JsonExt, Plan, Project, UNTAGGED, changed, counts, set};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const CLUSTER: &str = "fintechglobal-cluster";

fn cluster(cloud: &Cloud) -> Value {
    cloud.eks("describe_cluster", json!({"name": CLUSTER}))["cluster"].clone()
}

fn assert_changes(plan: &Plan, expected: &[(&str, Value)]) {
    let expected: BTreeMap<&str, Value> = expected.iter().cloned().collect();
    assert_eq!(plan.changes(), expected);
}

#[test]
fn settings_are_changed_in_place_and_go_back_to_their_defaults() {
    let cloud = Cloud::start();
    let project = Project::network_and_cluster(&cloud, "");
    project.bootstrap();

    // Who may reach the API. While the public endpoint is off, EKS shows the whole internet, to which it is closed.
    project.configure("[cluster]\npublic_access_cidrs = [\"198.51.100.0/24\"]");
    let plan = project.plan();
    let opened = [
        ("endpoint_public", json!(false), json!(true)),
        ("public_access_cidrs", json!(["0.0.0.0/0"]), json!(["198.51.100.0/24"])),
    ];
    assert_changes(&plan, &[("cluster/cluster", changed("update", &opened))]);
    assert_eq!(plan.change("cluster/cluster")["reason"], "the configuration changed");
    assert!(plan.change("cluster/cluster").list("fields").iter().all(|field| field["drift"] == false));
    project.run(&["plan", "--detailed-exitcode"]).exits(2);
    project.apply();
    let network = &cluster(&cloud)["resourcesVpcConfig"];
    assert_eq!(network["endpointPublicAccess"], true);
    assert_eq!(network["endpointPrivateAccess"], true);
    assert_eq!(network["publicAccessCidrs"], json!(["198.51.100.0/24"]));
    project.assert_no_changes();

    // The node group's most nodes; what was set before leaves the file and goes back.
    project.configure("[cluster.node_group]\nmax = 5");
    let closed = [
        ("endpoint_public", json!(true), json!(false)),
        ("public_access_cidrs", json!(["198.51.100.0/24"]), json!([])),
    ];
    assert_changes(
        &project.plan(),
        &[
            ("cluster/cluster", changed("update", &closed)),
            ("cluster/node-group/system-ng", changed("update", &[("max", json!(3), json!(5))])),
        ],
    );
    project.apply();
    assert_eq!(cluster(&cloud)["resourcesVpcConfig"]["endpointPublicAccess"], false);
    let group = json!({"clusterName": CLUSTER, "nodegroupName": "system-ng"});
    let scaling = |cloud: &Cloud| cloud.eks("describe_nodegroup", group.clone())["nodegroup"]["scalingConfig"].clone();
    assert_eq!(scaling(&cloud), json!({"minSize": 1, "desiredSize": 2, "maxSize": 5}));
    project.assert_no_changes();

    // A scaler moves the live size inside its range: that is no drift.
    let sizes = json!({"minSize": 1, "desiredSize": 4, "maxSize": 5});
    cloud.eks(
        "update_nodegroup_config",
        json!({"clusterName": CLUSTER, "nodegroupName": "system-ng", "scalingConfig": sizes}),
    );
    cloud.advance(60);
    project.assert_no_changes();
    assert_eq!(scaling(&cloud), sizes);

    // Outside of it, no scaler of ours did that.
    let sizes = json!({"minSize": 1, "desiredSize": 7, "maxSize": 8});
    cloud.eks(
        "update_nodegroup_config",
        json!({"clusterName": CLUSTER, "nodegroupName": "system-ng", "scalingConfig": sizes}),
    );
    cloud.advance(60);
    let moved = [("desired", json!(7), json!(2)), ("max", json!(8), json!(5))];
    project.plan().assert_drift("cluster/node-group/system-ng", "update", &moved);
    project.apply();
    assert_eq!(scaling(&cloud), json!({"minSize": 1, "desiredSize": 2, "maxSize": 5}));
}

#[test]
fn a_tag_goes_onto_everything_and_off_again() {
    let cloud = Cloud::start();
    let project = Project::new(&cloud);
    project.bootstrap();
    let resources = project.state()["resources"].as_object().unwrap().clone();
    let tagged: BTreeSet<&str> = resources
        .iter()
        .filter(|(_, resource)| !UNTAGGED.contains(&resource.text("kind")))
        .map(|(address, _)| address.as_str())
        .collect();

    project.configure("[tags]\nCostCenter = \"4711\"");
    let plan = project.plan();
    assert_eq!(plan.with("update"), tagged);
    let change = changed("update", &[("tags.CostCenter", Value::Null, json!("4711"))]);
    assert!(plan.changes().values().all(|it| *it == change), "{:#}", plan.0["changes"]);
    project.apply();
    let tag = json!({"Filters": [{"Name": "key", "Values": ["CostCenter"]}]});
    let in_ec2 = resources
        .iter()
        .filter(|(_, it)| it.text("kind").starts_with("ec2.") && it.text("kind") != "ec2.default_security_group");
    let in_ec2 = in_ec2.map(|(_, resource)| resource.text("id").to_owned()).collect();
    assert_eq!(set(cloud.ec2("describe_tags", tag.clone()).list("Tags"), "ResourceId"), in_ec2);
    assert_eq!(cluster(&cloud)["tags"]["CostCenter"], "4711");
    let role = cloud.iam("get_role", json!({"RoleName": "fintechglobal-node-role"}));
    assert_eq!(role["Role"].tags()["CostCenter"], "4711");
    project.assert_no_changes();

    project.configure("");
    let change = changed("update", &[("tags.CostCenter", json!("4711"), Value::Null)]);
    assert!(project.plan().changes().values().all(|it| *it == change));
    project.apply();
    assert_eq!(cloud.ec2("describe_tags", tag).list("Tags"), &[] as &[Value]);
    assert_eq!(cluster(&cloud).tags().get("CostCenter"), None);
    project.assert_no_changes();
}

#[test]
fn kubernetes_goes_up_one_minor_version_at_a_time() {
    let cloud = Cloud::start();
    let project = Project::network_and_cluster(&cloud, "[cluster]\nversion = \"1.34\"");
    project.bootstrap();
    // Nodes are replaced one by one, and with them their network interfaces.
    let inventory = || {
        let mut all = cloud.inventory();
        all.remove("ec2.network-interface");
        all
    };
    let before = inventory();

    for (version, words) in [("1.36", "one minor version at a time"), ("1.33", "back to 1.33")] {
        project.configure(&format!("[cluster]\nversion = \"{version}\""));
        cloud.reset_calls();
        project.run(&["plan"]).exits(3).says(&["cluster/cluster", words]);
        project.run(&["apply", "--yes"]).exits(3).says(&["cluster/cluster", words]);
        assert_eq!(cloud.mutating_calls(), 0, "{:?}", cloud.calls());
    }

    project.configure("[cluster]\nversion = \"1.35\"");
    let plan = project.plan();
    let version = ("version", json!("1.34"), json!("1.35"));
    assert_eq!(plan.changes()["cluster/cluster"], changed("update", std::slice::from_ref(&version)));
    assert_eq!(plan.changes()["cluster/node-group/system-ng"], changed("update", &[version]));
    // Add-ons go along to the version that is the default for the new one; nothing else changes.
    let others: BTreeSet<&str> = plan.changes().into_keys().filter(|it| !it.starts_with("cluster/addon/")).collect();
    assert_eq!(others, ["cluster/cluster", "cluster/node-group/system-ng"].into());
    assert!(plan.with("replace").is_empty());
    project.apply();
    assert_eq!(cluster(&cloud)["version"], "1.35");
    let group = json!({"clusterName": CLUSTER, "nodegroupName": "system-ng"});
    assert_eq!(cloud.eks("describe_nodegroup", group)["nodegroup"]["version"], "1.35");
    assert_eq!(inventory(), before, "all of it in place");
    project.assert_no_changes();
}

#[test]
fn another_vpc_range_replaces_what_lies_in_it_once_nothing_protects_it() {
    let cloud = Cloud::start();
    let project = Project::network_and_cluster(&cloud, "");
    project.bootstrap();
    let before = cloud.inventory();
    let vpc = project.id("network/vpc");

    // Production: the cluster would have to go, and is protected.
    project.configure("[network]\ncidr = \"10.1.0.0/16\"");
    cloud.reset_calls();
    for args in [&["plan"][..], &["apply", "--yes"], &["bootstrap", "--yes"]] {
        project.run(args).exits(3).says(&["cluster/cluster", "replaced", "deletion protection"]);
    }
    assert_eq!(cloud.mutating_calls(), 0, "{:?}", cloud.calls());

    project.configure("[network]\ncidr = \"10.1.0.0/16\"\n[cluster]\ndeletion_protection = false");
    let plan = project.plan();
    let change = plan.change("network/vpc");
    assert_eq!(change["action"], "replace");
    assert!(change.text("reason").contains("cidr"), "{change:#}");
    let field = json!({"path": "cidr", "before": "10.0.0.0/16", "after": "10.1.0.0/16", "forces_replacement": true, "drift": false});
    assert_eq!(change["fields"], json!([field]));
    let replaced = plan.with("replace");
    for address in [
        "network/subnet/app-a",
        "network/nat/a",
        "network/endpoint/s3",
        "network/security-group/database",
        "cluster/cluster",
    ] {
        assert!(replaced.contains(address), "{address} lies in it: {replaced:?}");
        let fields = plan.change(address).list("fields");
        assert!(
            fields
                .iter()
                .any(|field| field["forces_replacement"] == true && field["after"] == json!({"unknown": true})),
            "{fields:?}"
        );
    }
    let stays = ["security/key", "security/role/node", "network/elastic-ip/a", "network/log-group"];
    assert!(stays.iter().all(|address| !plan.changes().contains_key(address)), "{:?}", plan.changes().keys());

    project.apply();
    let vpcs = cloud.ec2("describe_vpcs", json!({"Filters": [{"Name": "tag:Project", "Values": ["fintechglobal"]}]}));
    assert_eq!(vpcs.list("Vpcs").len(), 1);
    assert_eq!(vpcs["Vpcs"][0]["CidrBlock"], "10.1.0.0/16");
    assert_ne!(vpcs["Vpcs"][0]["VpcId"], json!(vpc));
    assert_eq!(cluster(&cloud)["resourcesVpcConfig"]["vpcId"], vpcs["Vpcs"][0]["VpcId"]);
    project.assert_no_changes();
    // As many of everything as before, and nothing of the old network.
    let after = cloud.inventory();
    assert_eq!(counts(&after), counts(&before));
    assert!(!after["ec2.vpc"].contains(&vpc));
}

#[test]
fn one_nat_gateway_serves_all_zones_or_each_has_its_own() {
    const PER_ZONE: &str = "cluster.enabled = false";
    const SINGLE: &str = "cluster.enabled = false\nnetwork.nat_gateways = \"single\"";
    let cloud = Cloud::start();
    let project = Project::network_and_cluster(&cloud, SINGLE);
    project.bootstrap();
    // What each app subnet goes out through, and how many NAT gateways and addresses that takes.
    let ways_out = || {
        let tables = cloud.ec2("describe_route_tables", json!({}));
        let out: BTreeSet<String> = ["a", "b"]
            .map(|letter| {
                let table = tables["RouteTables"].named(&format!("fintechglobal-route-table-app-{letter}"));
                let mut routes = table.list("Routes").iter();
                let out = routes.find(|route| route["DestinationCidrBlock"] == "0.0.0.0/0");
                out.expect("a way out").text("NatGatewayId").to_owned()
            })
            .into();
        let standing = cloud.inventory();
        (out.len(), standing["ec2.nat-gateway"].len(), standing["ec2.elastic-ip"].len())
    };
    assert_eq!(ways_out(), (1, 1, 1));
    project.assert_no_changes();

    project.configure(PER_ZONE);
    project.apply();
    assert_eq!(ways_out(), (2, 2, 2));
    project.assert_no_changes();

    project.configure(SINGLE);
    project.apply();
    assert_eq!(ways_out(), (1, 1, 1));
    project.assert_no_changes();
}

#[test]
fn a_third_zone_comes_before_anything_goes() {
    let cloud = Cloud::start();
    let project = Project::new(&cloud);
    project.bootstrap();
    let before = cloud.inventory();
    let network = cluster(&cloud)["resourcesVpcConfig"].clone();

    // Under its name the node group cannot stand beside the new one, and the plan says so.
    project.configure("network.zones = 3");
    let plan = project.plan();
    let nodes = plan.change("cluster/node-group/system-ng");
    assert_eq!(nodes["action"], "replace");
    assert!(nodes.text("reason").contains("with another name as well"), "{nodes:#}");
    project.run(&["plan"]).ok().has(&["missing for a while"]);

    project.configure("network.zones = 3\ncluster.node_group.name = \"system-3\"");
    let plan = project.plan();
    assert_eq!(plan.with("replace"), ["cluster/fargate-profile/fargate", "cluster/traffic-source"].into());
    assert_eq!(plan.with("delete"), ["cluster/node-group/system-ng"].into());
    assert!(!plan.changes().contains_key("cluster/cluster"), "EKS takes no zone that it did not have from the start");
    let run = project.run(&["apply", "--yes", "--json"]).ok();
    let finished = run.events("finished");
    let position = |address: &str, done: fn(usize, usize) -> usize| {
        let all = finished.iter().enumerate().filter(|(_, event)| event["address"] == address);
        all.map(|(index, _)| index).reduce(done).unwrap_or_else(|| panic!("{address}: {run}"))
    };
    let (first, last) = (
        position("cluster/fargate-profile/fargate", usize::min),
        position("cluster/fargate-profile/fargate", usize::max),
    );
    assert!(first < last, "made and removed");
    assert_eq!(finished[last]["action"], "delete", "the old profile goes once the new one is there: {run}");
    assert!(position("cluster/node-group/system-3", usize::max) < position("cluster/node-group/system-ng", usize::max));
    assert_eq!(cluster(&cloud)["resourcesVpcConfig"], network);
    let app: BTreeSet<String> = ["a", "b", "c"].map(|it| project.id(&format!("network/subnet/app-{it}"))).into();
    let names = cloud.eks("list_fargate_profiles", json!({"clusterName": CLUSTER}));
    let [name] = names.list("fargateProfileNames") else { panic!("one profile: {names:#}") };
    let profile = cloud.eks("describe_fargate_profile", json!({"clusterName": CLUSTER, "fargateProfileName": name}));
    let nodes = cloud.eks("describe_nodegroup", json!({"clusterName": CLUSTER, "nodegroupName": "system-3"}));
    for subnets in [&profile["fargateProfile"]["subnets"], &nodes["nodegroup"]["subnets"]] {
        let subnets: BTreeSet<String> =
            subnets.as_array().unwrap().iter().map(|it| it.as_str().unwrap().to_owned()).collect();
        assert_eq!(subnets, app);
    }
    let group = json!({"DBSubnetGroupName": "fintechglobal-aurora"});
    let group = cloud.call("rds", "describe_db_subnet_groups", group);
    assert_eq!(group["DBSubnetGroups"][0].list("Subnets").len(), 3);
    let ours = json!({"Filters": [{"Name": "tag:Project", "Values": ["fintechglobal"]}]});
    let subnets = cloud.ec2("describe_subnets", ours);
    for (tier, range) in [("public", "10.0.3.0/24"), ("app", "10.0.13.0/24"), ("data", "10.0.23.0/24")] {
        let subnet = subnets["Subnets"].named(&format!("fintechglobal-subnet-{tier}-c"));
        assert_eq!(subnet["CidrBlock"], range, "{tier}");
    }
    assert_eq!(set(subnets.list("Subnets"), "AvailabilityZoneId").len(), 3);
    let (nats, public) = (cloud.ec2("describe_nat_gateways", json!({})), "fintechglobal-subnet-public");
    let public =
        ["a", "b", "c"].map(|it| subnets["Subnets"].named(&format!("{public}-{it}")).text("SubnetId").to_owned());
    assert_eq!(set(nats.list("NatGateways"), "SubnetId"), public.into());
    project.assert_no_changes();

    project.configure("");
    project.apply();
    project.assert_no_changes();
    assert_eq!(counts(&cloud.inventory()), counts(&before));
}
