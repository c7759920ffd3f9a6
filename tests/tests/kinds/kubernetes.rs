//! Fields of what lies in the cluster, read by a client of its own. What the platform always wants is changed as if an earlier
//! apply of ours had left it: what others change, they own, and it is not taken back.

use crate::row::{Ids, Row, behind, set};
use bedplate_tests::Cloud;
use serde_json::{Value, json};

const CLUSTER: &str = "fintechglobal-cluster";
const NAMESPACE: &str = "/api/v1/namespaces/fintech-prod";
const ACCOUNT: &str = "/api/v1/namespaces/fintech-prod/serviceaccounts/fintech-api";
const SERVICE: &str = "/api/v1/namespaces/fintech-prod/services/fintech-api";
const AUTOSCALER: &str = "/apis/autoscaling/v2/namespaces/fintech-prod/horizontalpodautoscalers/fintech-api-hpa";

pub(crate) fn rows(_: &dyn Ids) -> Vec<Row> {
    let mut rows = vec![namespace(), account()];
    rows.extend(service());
    rows.extend(autoscaler());
    rows
}

fn at(path: &'static str, pointer: &'static str) -> impl Fn(&Cloud) -> Value {
    move |cloud| cloud.kubernetes(CLUSTER, "GET", path, None).1.pointer(pointer).cloned().unwrap_or_default()
}

fn applied(path: &'static str, parts: &'static [&'static str], pointer: &'static str, value: Value) -> impl Fn(&Cloud) {
    move |cloud| cloud.apply_as_us(CLUSTER, path, parts, pointer, &value)
}

fn namespace() -> Row {
    set("kubernetes.namespace", "cluster/namespace", "labels", "cluster.namespace_labels = { team = \"a\" }")
        .plan(json!({}), json!({"team": "a"}))
        .seen_as(at(NAMESPACE, "/metadata/labels/team"), Value::Null, json!("a"))
}

fn account() -> Row {
    const POINTER: &str = "/metadata/annotations/eks.amazonaws.com~1role-arn";
    let (ours, other) = ("arn:aws:iam::797923187401:role/fintechglobal-app-role", "arn:aws:iam::797923187401:role/x");
    behind(
        "kubernetes.service_account",
        "cluster/service-account",
        "role_arn",
        applied(ACCOUNT, &[], POINTER, json!(other)),
    )
    .plan(json!(ours), json!(other))
    .seen(at(ACCOUNT, POINTER))
}

fn service() -> Vec<Row> {
    const KIND: &str = "kubernetes.node_port_service";
    const ADDRESS: &str = "cluster/service";
    const PARTS: &[&str] = &["type", "selector", "ports"];
    vec![
        set(KIND, ADDRESS, "target_port", "cluster.application_port = 9090")
            .plan(json!(8080), json!(9090))
            .seen(at(SERVICE, "/spec/ports/0/targetPort")),
        // By its setting the load balancer's target group would change too, and that is replaced.
        behind(KIND, ADDRESS, "node_port", applied(SERVICE, PARTS, "/spec/ports/0/nodePort", json!(30081)))
            .plan(json!(30080), json!(30081))
            .seen(at(SERVICE, "/spec/ports/0/nodePort")),
        behind(KIND, ADDRESS, "service_type", applied(SERVICE, PARTS, "/spec/type", json!("LoadBalancer")))
            .plan(json!("NodePort"), json!("LoadBalancer"))
            .seen(at(SERVICE, "/spec/type")),
        behind(KIND, ADDRESS, "selector.app", applied(SERVICE, PARTS, "/spec/selector/app", json!("other")))
            .plan(json!("fintech-api"), json!("other"))
            .seen(at(SERVICE, "/spec/selector/app")),
        behind(KIND, ADDRESS, "port", applied(SERVICE, PARTS, "/spec/ports/0/port", json!(81)))
            .plan(json!(80), json!(81))
            .seen(at(SERVICE, "/spec/ports/0/port")),
    ]
}

fn autoscaler() -> Vec<Row> {
    const KIND: &str = "kubernetes.autoscaler";
    const ADDRESS: &str = "cluster/autoscaler";
    const PARTS: &[&str] = &["scaleTargetRef", "minReplicas", "maxReplicas", "metrics"];
    const TARGET: &str = "/spec/scaleTargetRef/name";
    let percent = |metric| match metric {
        "cpu" => "/spec/metrics/0/resource/target/averageUtilization",
        _ => "/spec/metrics/1/resource/target/averageUtilization",
    };
    vec![
        set(KIND, ADDRESS, "min_replicas", "cluster.autoscaling.min_replicas = 2")
            .plan(json!(3), json!(2))
            .seen(at(AUTOSCALER, "/spec/minReplicas")),
        set(KIND, ADDRESS, "max_replicas", "cluster.autoscaling.max_replicas = 20")
            .plan(json!(10), json!(20))
            .seen(at(AUTOSCALER, "/spec/maxReplicas")),
        set(KIND, ADDRESS, "utilization.cpu", "cluster.autoscaling.cpu_percent = 50")
            .plan(json!(70), json!(50))
            .seen(at(AUTOSCALER, percent("cpu"))),
        set(KIND, ADDRESS, "utilization.memory", "cluster.autoscaling.memory_percent = 60")
            .plan(json!(80), json!(60))
            .seen(at(AUTOSCALER, percent("memory"))),
        behind(KIND, ADDRESS, "deployment", applied(AUTOSCALER, PARTS, TARGET, json!("other")))
            .plan(json!("fintech-api"), json!("other"))
            .seen(at(AUTOSCALER, TARGET)),
    ]
}
