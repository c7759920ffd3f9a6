//! The rows of `platform.md`'s table "Cluster" that are built so far; what lies in it, read by a client of its own.

use crate::BUILT;
use bedplate_tests::{JsonExt, set};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const CLUSTER: &str = "fintechglobal-cluster";

fn id(address: &str) -> String {
    BUILT.project.id(address)
}

fn texts(list: &[Value]) -> BTreeSet<&str> {
    list.iter().filter_map(Value::as_str).collect()
}

fn role(name: &str) -> String {
    format!("arn:aws:iam::797923187401:role/fintechglobal-{name}-role")
}

#[test]
fn the_control_plane_is_private_encrypted_and_logged() {
    let cluster = BUILT.cloud.eks("describe_cluster", json!({"name": CLUSTER}));
    let cluster = &cluster["cluster"];
    assert_eq!(cluster["status"], "ACTIVE");
    assert_eq!(cluster["roleArn"], role("cluster"));
    assert_eq!(cluster["accessConfig"]["authenticationMode"], "API");
    assert_eq!(cluster["upgradePolicy"]["supportType"], "STANDARD");
    assert_eq!(cluster["deletionProtection"], true, "this is production");

    let versions = BUILT.cloud.eks("describe_cluster_versions", json!({}));
    let version =
        versions.list("clusterVersions").iter().find(|it| it["clusterVersion"] == cluster["version"]).unwrap();
    assert_eq!(version["versionStatus"], "STANDARD_SUPPORT");

    let network = &cluster["resourcesVpcConfig"];
    assert_eq!(network["endpointPrivateAccess"], true);
    assert_eq!(network["endpointPublicAccess"], false, "no range is configured");
    let subnets = ["a", "b"].map(|letter| id(&format!("network/subnet/app-{letter}")));
    assert_eq!(texts(network.list("subnetIds")), subnets.iter().map(String::as_str).collect());

    let encryption = &cluster["encryptionConfig"][0];
    assert_eq!(encryption["resources"], json!(["secrets"]));
    let key = BUILT.cloud.call("kms", "describe_key", json!({"KeyId": "alias/fintech-data-key"}));
    assert_eq!(encryption["provider"]["keyArn"], key["KeyMetadata"]["Arn"]);

    let logs = cluster["logging"].list("clusterLogging").iter().filter(|setup| setup["enabled"] == true);
    let logs: BTreeSet<&str> = logs.flat_map(|setup| texts(setup.list("types"))).collect();
    assert_eq!(logs, ["api", "audit", "authenticator", "controllerManager", "scheduler"].into());
}

#[test]
fn the_caller_administers_it() {
    let caller = "arn:aws:iam::797923187401:user/bedplate";
    let who = json!({"clusterName": CLUSTER, "principalArn": caller});
    let entry = BUILT.cloud.eks("describe_access_entry", who.clone());
    assert_eq!(entry["accessEntry"]["type"], "STANDARD");
    let policies = BUILT.cloud.eks("list_associated_access_policies", who);
    let policies = policies.list("associatedAccessPolicies");
    assert_eq!(
        set(policies, "policyArn"),
        ["arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy".to_owned()].into()
    );
    assert_eq!(policies[0]["accessScope"]["type"], "cluster");
}

#[test]
fn pods_run_on_fargate() {
    let profiles = BUILT.cloud.eks("list_fargate_profiles", json!({"clusterName": CLUSTER}));
    let name = &profiles["fargateProfileNames"][0];
    let profile = json!({"clusterName": CLUSTER, "fargateProfileName": name});
    let profile = &BUILT.cloud.eks("describe_fargate_profile", profile)["fargateProfile"];
    assert_eq!(profile["status"], "ACTIVE");
    assert_eq!(profile["podExecutionRoleArn"], role("fargate"));
    let namespaces = ["default", "kube-system", "fintech-prod"].map(str::to_owned);
    assert_eq!(set(profile.list("selectors"), "namespace"), namespaces.into());
    let subnets = ["a", "b"].map(|letter| id(&format!("network/subnet/app-{letter}")));
    assert_eq!(texts(profile.list("subnets")), subnets.iter().map(String::as_str).collect());
}

#[test]
fn nodes_have_their_sizes_and_labels() {
    let group = json!({"clusterName": CLUSTER, "nodegroupName": "system-ng"});
    let group = &BUILT.cloud.eks("describe_nodegroup", group)["nodegroup"];
    assert_eq!(group["status"], "ACTIVE");
    assert_eq!(group["instanceTypes"], json!(["t3.medium"]));
    assert_eq!(group["scalingConfig"], json!({"minSize": 1, "desiredSize": 2, "maxSize": 3}));
    assert_eq!(group["updateConfig"]["maxUnavailable"], 1);
    assert_eq!(group["labels"], json!({"role": "system"}));
    assert_eq!(group["nodeRole"], role("node"));
    let subnets = ["a", "b"].map(|letter| id(&format!("network/subnet/app-{letter}")));
    assert_eq!(texts(group.list("subnets")), subnets.iter().map(String::as_str).collect());
}

#[test]
fn add_ons_run_in_their_default_versions() {
    let cluster = BUILT.cloud.eks("describe_cluster", json!({"name": CLUSTER}));
    let version = &cluster["cluster"]["version"];
    let addons = BUILT.cloud.eks("list_addons", json!({"clusterName": CLUSTER}));
    let names = texts(addons.list("addons"));
    assert_eq!(names, ["vpc-cni", "coredns", "kube-proxy", "eks-pod-identity-agent", "metrics-server"].into());
    for name in names {
        let addon = BUILT.cloud.eks("describe_addon", json!({"clusterName": CLUSTER, "addonName": name}));
        assert_eq!(addon["addon"]["status"], "ACTIVE", "{name}");
        let all = BUILT.cloud.eks("describe_addon_versions", json!({"addonName": name, "kubernetesVersion": version}));
        let versions = all["addons"][0].list("addonVersions").iter();
        let mut default = versions.filter(|it| it["compatibilities"][0]["defaultVersion"] == true);
        assert_eq!(addon["addon"]["addonVersion"], default.next().unwrap()["addonVersion"], "{name}");
    }
}

/// An object in the cluster's own API, without what the API server keeps for itself.
fn object(path: &str) -> Value {
    let (status, mut object) = BUILT.cloud.kubernetes(CLUSTER, "GET", path, None);
    assert_eq!(status, 200, "{path}: {object:#}");
    let owners = object["metadata"]["managedFields"].take();
    let owners: Vec<_> =
        owners.as_array().unwrap().iter().map(|owner| [&owner["manager"], &owner["operation"]]).collect();
    assert_eq!(json!(owners), json!([["bedplate", "Apply"]]), "{path}");
    assert_eq!(object["metadata"]["labels"]["app.kubernetes.io/managed-by"], "bedplate");
    assert_eq!(object["metadata"]["annotations"]["bedplate.dev/stack"], bedplate_tests::STACK);
    object
}

#[test]
fn the_application_has_a_namespace_and_an_identity() {
    let namespace = object("/api/v1/namespaces/fintech-prod");
    assert_eq!(namespace["metadata"]["annotations"]["bedplate.dev/address"], "cluster/namespace");
    let account = object("/api/v1/namespaces/fintech-prod/serviceaccounts/fintech-api");
    assert_eq!(account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"], role("app"));
}

#[test]
fn the_application_has_a_port_on_every_node() {
    let service = object("/api/v1/namespaces/fintech-prod/services/fintech-api");
    let spec = &service["spec"];
    assert_eq!((&spec["type"], &spec["selector"]), (&json!("NodePort"), &json!({"app": "fintech-api"})));
    let port = json!({"name": "http", "protocol": "TCP", "port": 80, "targetPort": 8080, "nodePort": 30080});
    assert_eq!(spec["ports"], json!([port]));
}

#[test]
fn the_application_scales_with_its_load() {
    let path = "/apis/autoscaling/v2/namespaces/fintech-prod/horizontalpodautoscalers/fintech-api-hpa";
    let utilization = |percent: u32| json!({"type": "Utilization", "averageUtilization": percent});
    let metric =
        |name: &str, percent| json!({"type": "Resource", "resource": {"name": name, "target": utilization(percent)}});
    let expected = json!({
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "fintech-api"},
        "minReplicas": 3,
        "maxReplicas": 10,
        "metrics": [metric("cpu", 70), metric("memory", 80)],
    });
    assert_eq!(object(path)["spec"], expected);
}
