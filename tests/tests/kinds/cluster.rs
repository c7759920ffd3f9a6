//! Fields of the cluster, its nodes, add-ons and access entries.

use crate::row::{Ids, Row, along, at, behind, call, document, set, sorted};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const NAME: &str = "fintechglobal-cluster";
const ADMIN: &str = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy";
const VIEW_POLICY: &str = "policies.arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy";
const VIEW: &str = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy";

pub(crate) fn rows(ids: &dyn Ids) -> Vec<Row> {
    let mut rows = control_plane(ids);
    rows.extend(nodes());
    rows.extend(addons());
    rows.extend(access());
    rows
}

fn control_plane(ids: &dyn Ids) -> Vec<Row> {
    const KIND: &str = "eks.cluster";
    const ADDRESS: &str = "cluster/cluster";
    let shown = |pointer: &str| at("eks", "describe_cluster", json!({"name": NAME}), &format!("/cluster{pointer}"));
    let network = |field: &str| shown(&format!("/resourcesVpcConfig/{field}"));
    let update = |config: Value| {
        let config = json!({"name": NAME, "resourcesVpcConfig": config});
        call("eks", "update_cluster_config", config)
    };
    let [a, b] = ["a", "b"].map(|letter| ids.id(&format!("network/subnet/app-{letter}")));
    let data = ["a", "b"].map(|letter| ids.id(&format!("network/subnet/data-{letter}")));
    let group = ids.id("network/security-group/control-plane");
    let other = ids.id("network/security-group/cache");
    let cidrs = "cluster.public_access_cidrs = [\"198.51.100.0/24\"]";
    vec![
        set(KIND, ADDRESS, "endpoint_public", cidrs)
            .plan(json!(false), json!(true))
            .seen(network("endpointPublicAccess")),
        set(KIND, ADDRESS, "public_access_cidrs", cidrs).seen_as(
            |cloud| {
                let cluster = cloud.eks("describe_cluster", json!({"name": NAME}));
                let network = &cluster["cluster"]["resourcesVpcConfig"];
                // EKS goes on to show who might come while nobody can.
                if network["endpointPublicAccess"] == true { network["publicAccessCidrs"].clone() } else { json!([]) }
            },
            json!([]),
            json!(["198.51.100.0/24"]),
        ),
        set(KIND, ADDRESS, "logs", "cluster.log_types = [\"audit\", \"api\"]")
            .plan(json!(["api", "audit", "authenticator", "controllerManager", "scheduler"]), json!(["api", "audit"]))
            .seen(sorted(shown("/logging/clusterLogging/0/types"))),
        set(KIND, ADDRESS, "support_type", "cluster.support_type = \"EXTENDED\"")
            .plan(json!("STANDARD"), json!("EXTENDED"))
            .seen(shown("/upgradePolicy/supportType")),
        set(KIND, ADDRESS, "deletion_protection", "cluster.deletion_protection = false")
            .plan(json!(true), json!(false))
            .seen(shown("/deletionProtection")),
        behind(KIND, ADDRESS, "subnets", update(json!({"subnetIds": data})))
            .plan(json!(BTreeSet::from([&a, &b])), json!(BTreeSet::from(data.clone())))
            .seen(sorted(network("subnetIds"))),
        behind(KIND, ADDRESS, "security_groups", update(json!({"securityGroupIds": [other]})))
            .plan(json!([group]), json!([other]))
            .seen(sorted(network("securityGroupIds"))),
        behind(
            KIND,
            ADDRESS,
            "endpoint_private",
            update(json!({"endpointPrivateAccess": false, "endpointPublicAccess": true})),
        )
        .plan(json!(true), json!(false))
        .seen(network("endpointPrivateAccess")),
        along(KIND, ADDRESS, "endpoint_public").plan(json!(false), json!(true)).seen(network("endpointPublicAccess")),
    ]
}

fn nodes() -> Vec<Row> {
    const KIND: &str = "eks.node_group";
    const ADDRESS: &str = "cluster/node-group/system-ng";
    let shown = |pointer: &str| {
        let group = json!({"clusterName": NAME, "nodegroupName": "system-ng"});
        at("eks", "describe_nodegroup", group, &format!("/nodegroup/{pointer}"))
    };
    vec![
        set(KIND, ADDRESS, "labels.team", "cluster.node_group.labels = { role = \"system\", team = \"payments\" }")
            .plan(Value::Null, json!("payments"))
            .seen(shown("labels/team")),
        set(KIND, ADDRESS, "min", "cluster.node_group.min = 4")
            .plan(json!(1), json!(4))
            .seen(shown("scalingConfig/minSize")),
        // What is inside the range stays where it is: a scaler may have moved it.
        set(KIND, ADDRESS, "desired", "cluster.node_group.desired = 5")
            .plan(json!(2), json!(5))
            .seen(shown("scalingConfig/desiredSize")),
        set(KIND, ADDRESS, "max", "cluster.node_group.max = 6")
            .plan(json!(3), json!(6))
            .seen(shown("scalingConfig/maxSize")),
        set(KIND, ADDRESS, "max_unavailable", "cluster.node_group.max_unavailable = 2")
            .plan(json!(1), json!(2))
            .seen(shown("updateConfig/maxUnavailable")),
    ]
}

fn addons() -> Vec<Row> {
    const KIND: &str = "eks.addon";
    let of = |name: &str| json!({"clusterName": NAME, "addonName": name});
    let role = "arn:aws:iam::797923187401:role/fintechglobal-app-role";
    let with = |name: &str, setting: &str, value: Value| {
        let mut arguments = of(name);
        arguments[setting] = value;
        call("eks", "update_addon", arguments)
    };
    let shown = |name: &str, field: &str| at("eks", "describe_addon", of(name), &format!("/addon/{field}"));
    vec![
        behind(
            KIND,
            "cluster/addon/coredns",
            "configuration",
            with("coredns", "configurationValues", json!("{\"replicaCount\": 3}")),
        )
        .plan(Value::Null, json!({"replicaCount": 3}))
        .seen_as(
            {
                let shown = document(shown("coredns", "configurationValues"));
                // No settings and empty settings are the same.
                move |cloud| Some(shown(cloud)).filter(|it| *it != json!({})).unwrap_or_default()
            },
            Value::Null,
            json!({"replicaCount": 3}),
        ),
        behind(
            KIND,
            "cluster/addon/vpc-cni",
            "service_account_role_arn",
            with("vpc-cni", "serviceAccountRoleArn", json!(role)),
        )
        .plan(Value::Null, json!(role))
        .seen(shown("vpc-cni", "serviceAccountRoleArn")),
        behind(KIND, "cluster/addon/kube-proxy", "version", |cloud| {
            let all = json!({"addonName": "kube-proxy", "kubernetesVersion": "1.35"});
            let all = cloud.eks("describe_addon_versions", all);
            let mut versions = all["addons"][0]["addonVersions"].as_array().expect("versions").iter();
            let other =
                versions.find(|it| it["compatibilities"][0]["defaultVersion"] != true).expect("another version");
            let arguments =
                json!({"clusterName": NAME, "addonName": "kube-proxy", "addonVersion": other["addonVersion"]});
            cloud.eks("update_addon", arguments);
            cloud.advance(120);
        })
        .seen_as(
            |cloud| {
                let all = json!({"addonName": "kube-proxy", "kubernetesVersion": "1.35"});
                let all = cloud.eks("describe_addon_versions", all);
                let mut versions = all["addons"][0]["addonVersions"].as_array().expect("versions").iter();
                let usual = versions.find(|it| it["compatibilities"][0]["defaultVersion"] == true).expect("a default");
                let addon = cloud.eks("describe_addon", json!({"clusterName": NAME, "addonName": "kube-proxy"}));
                json!(addon["addon"]["addonVersion"] == usual["addonVersion"])
            },
            json!(true),
            json!(false),
        ),
    ]
}

fn access() -> Vec<Row> {
    const KIND: &str = "eks.access_entry";
    const ADDRESS: &str = "cluster/access/user-bedplate";
    let who = json!({"clusterName": NAME, "principalArn": "arn:aws:iam::797923187401:user/bedplate"});
    let with = |setting: &str, value: Value| {
        let mut arguments = who.clone();
        arguments[setting] = value;
        arguments
    };
    let scope = json!({"type": "namespace", "namespaces": ["default"]});
    let mut view = with("policyArn", json!(VIEW));
    view["accessScope"] = scope;
    vec![
        behind(
            KIND,
            ADDRESS,
            "kubernetes_groups",
            call("eks", "update_access_entry", with("kubernetesGroups", json!(["theirs"]))),
        )
        .plan(json!([]), json!(["theirs"]))
        .seen(at("eks", "describe_access_entry", who.clone(), "/accessEntry/kubernetesGroups")),
        behind(KIND, ADDRESS, VIEW_POLICY, move |cloud| {
            cloud.eks("associate_access_policy", view.clone());
        })
        .seen_as(
            crate::row::all(
                at("eks", "list_associated_access_policies", who.clone(), "/associatedAccessPolicies"),
                "policyArn",
            ),
            json!([ADMIN]),
            json!([ADMIN, VIEW]),
        ),
    ]
}
