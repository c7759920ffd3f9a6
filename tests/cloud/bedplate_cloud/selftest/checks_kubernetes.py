"""Checks of the Kubernetes API behind a cluster's endpoint."""

import base64
import json
import re
import ssl
import urllib.error
import urllib.request
from datetime import datetime, timedelta
from typing import Any

import boto3
from botocore.signers import RequestSigner

from .harness import REGION, Cloud, Network, fails, fresh, make_role, row

APPLY = "application/apply-patch+yaml"
NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "fintech-prod"}}
HPA = "/apis/autoscaling/v2/namespaces/fintech-prod/horizontalpodautoscalers/fintech-api-hpa"


def token(cluster: str) -> str:
    """A token as `aws eks get-token` makes it."""
    return encoded(presigned(cluster))


def encoded(url: str) -> str:
    """A presigned request as a token."""
    return "k8s-aws-v1." + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")


def presigned(cluster: str, host: str = f"sts.{REGION}.amazonaws.com") -> str:
    """The request in a token."""
    session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)
    client = session.client("sts")
    signer = RequestSigner(
        client.meta.service_model.service_id, REGION, "sts", "v4", session.get_credentials(), session.events
    )
    url = f"https://{host}/?Action=GetCallerIdentity&Version=2011-06-15"
    request = {"method": "GET", "url": url, "body": {}, "headers": {"x-k8s-aws-id": cluster}, "context": {}}
    return str(signer.generate_presigned_url(request, region_name=REGION, expires_in=60, operation_name=""))


class Kubernetes:
    """A cluster and its API."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud, self.name = cloud, fresh("cluster")
        eks, net = cloud.client("eks"), Network(cloud)
        role = make_role(cloud, "eks.amazonaws.com", "AmazonEKSClusterPolicy")
        access = {"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": True}
        config = {"subnetIds": net.private}
        eks.create_cluster(name=self.name, roleArn=role, resourcesVpcConfig=config, accessConfig=access)
        cloud.advance()
        found = eks.describe_cluster(name=self.name)["cluster"]
        self.endpoint, self.arn = found["endpoint"], found["arn"]
        authority = base64.b64decode(found["certificateAuthority"]["data"]).decode()
        self.context = ssl.create_default_context(cadata=authority)
        self.token = token(self.name)
        # Of the last answer.
        self.audit_id = ""

    def ask(
        self, method: str, path: str, body: Any = None, content: str = "application/json", bearer: str | None = None
    ) -> Any:
        """Status and document."""
        headers = {"Authorization": f"Bearer {bearer or self.token}", "Content-Type": content, "User-Agent": "check/1"}
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.endpoint + path, data, headers, method=method)
        try:
            answer = urllib.request.urlopen(request, context=self.context)
        except urllib.error.HTTPError as error:
            self.audit_id = error.headers["Audit-Id"]
            return error.code, json.load(error)
        self.audit_id = answer.headers["Audit-Id"]
        text = answer.read()
        return answer.status, json.loads(text) if text[:1] == b"{" else text.decode()

    def apply(self, path: str, body: Any, manager: str = "bedplate", force: bool = False) -> Any:
        """Server-side apply."""
        return self.ask("PATCH", f"{path}?fieldManager={manager}&force={str(force).lower()}", body, APPLY)


def hpa(most: int, **more: Any) -> Any:
    """The platform's autoscaler."""
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "fintech-api"},
        "maxReplicas": most,
    }
    meta = {"name": "fintech-api-hpa", "namespace": "fintech-prod"}
    return {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": meta, "spec": spec | more}


@row("kubernetes-endpoint")
def kubernetes_endpoint(cloud: Cloud) -> None:
    api, other = Kubernetes(cloud), Kubernetes(cloud)
    assert api.endpoint.startswith("https://127.0.0.1:") and api.ask("GET", "/readyz") == (200, "ok")
    assert api.ask("GET", "/version")[1]["gitVersion"].startswith("v1.")
    resources = api.ask("GET", "/apis/autoscaling/v2")[1]["resources"]
    assert [one["name"] for one in resources] == ["horizontalpodautoscalers"]
    names = [one["metadata"]["name"] for one in api.ask("GET", "/api/v1/namespaces")[1]["items"]]
    assert names == ["default", "kube-node-lease", "kube-public", "kube-system"]
    for bearer in ("nonsense", "k8s-aws-v1.nonsense", other.token):
        assert api.ask("GET", "/api/v1/namespaces", bearer=bearer)[0] == 401
    eks, principal = cloud.client("eks"), "arn:aws:iam::797923187401:user/bedplate"
    eks.delete_access_entry(clusterName=api.name, principalArn=principal)
    assert api.ask("GET", "/api/v1/namespaces")[0] == 401
    eks.create_access_entry(clusterName=api.name, principalArn=principal)
    assert api.ask("GET", "/api/v1/namespaces")[0] == 403


@row("kubernetes-audit-id")
def kubernetes_audit_id(cloud: Cloud) -> None:
    api = Kubernetes(cloud)
    cloud.control("POST", "reset-calls")
    said = []
    for body, status in ((NAMESPACE, 201), (NAMESPACE, 200), (NAMESPACE | {"metadata": {"name": "another"}}, 400)):
        assert api.apply("/api/v1/namespaces/fintech-prod", body)[0] == status
        said.append(api.audit_id)
    assert len(set(said)) == 3
    assert cloud.control("GET", "calls")["request_ids"] == {"kubernetes:ApplyNamespaces": said}


@row("kubernetes-token")
def kubernetes_token(cloud: Cloud) -> None:
    api = Kubernetes(cloud)
    url = presigned(api.name)

    def taken(url: str) -> bool:
        return bool(api.ask("GET", "/api/v1/namespaces", bearer=encoded(url))[0] == 200)

    assert taken(url) and api.ask("GET", "/api/v1/namespaces", bearer=encoded(url) + "=")[0] == 401
    date = re.search("X-Amz-Date=([0-9TZ]+)", url)
    assert date
    then = datetime.strptime(date[1], "%Y%m%dT%H%M%SZ") - timedelta(minutes=16)
    old = url.replace(date[1], f"{then:%Y%m%dT%H%M%SZ}").replace(date[1][:8] + "%2F", f"{then:%Y%m%d}%2F")
    assert not taken(old), "a token ends after 15 minutes"
    for wrong in (
        presigned(api.name, "sts.example.com"),
        presigned(api.name, "sts.eu-west-1.amazonaws.com"),
        url.replace("https:", "http:"),
        url.replace("GetCallerIdentity", "GetSessionToken"),
        url.replace("X-Amz-Expires=60", "X-Amz-Expires=3600"),
        url.replace("%3Bx-k8s-aws-id", ""),
        url.replace("%2Fsts%2F", "%2Fs3%2F"),
        url + "&DurationSeconds=60",
        url + "&Action=GetCallerIdentity",
        url[:-1],
    ):
        assert not taken(wrong), wrong


@row("kubernetes-apply")
def kubernetes_apply(cloud: Cloud) -> None:
    api = Kubernetes(cloud)
    status, refused = api.apply(HPA, hpa(10))
    assert (status, refused["reason"]) == (404, "NotFound")
    assert api.apply("/api/v1/namespaces/fintech-prod", NAMESPACE)[0] == 201
    assert api.apply(HPA, hpa(10, minReplicas=3))[0] == 201
    status, first = api.apply(HPA, hpa(10, minReplicas=3))
    assert status == 200 and first["metadata"]["managedFields"][0]["manager"] == "bedplate"
    assert api.ask("GET", HPA)[1] == first
    status, conflict = api.apply(HPA, hpa(20), "other")
    assert (status, conflict["reason"]) == (409, "Conflict")
    words = 'conflict with "bedplate" using autoscaling/v2'
    cause = {"reason": "FieldManagerConflict", "message": words, "field": ".spec.maxReplicas"}
    assert conflict["details"]["causes"] == [cause]
    assert api.apply(HPA, hpa(20), "other", force=True)[1]["spec"]["maxReplicas"] == 20
    assert api.apply(HPA, hpa(10, minReplicas=3))[0] == 409
    assert api.apply(HPA, hpa(20))[1]["spec"]["minReplicas"] == 1
    assert api.apply(HPA, hpa(0), force=True)[0] == 422
    assert (
        api.ask("PATCH", HPA, {"spec": {"maxReplicas": 5}}, "application/merge-patch+json")[1]["spec"]["maxReplicas"]
        == 5
    )
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "api", "annotations": {"a": "b"}}}
    path = "/api/v1/namespaces/fintech-prod/serviceaccounts/api"
    assert api.apply(path, account)[1]["metadata"]["annotations"] == {"a": "b"}
    del account["metadata"]["annotations"]
    assert "annotations" not in api.apply(path, account)[1]["metadata"]


def service(*ports: Any, **more: Any) -> Any:
    """A service of the platform."""
    spec = {"type": "NodePort", "selector": {"app": "fintech-api"}, "ports": list(ports)} | more
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "fintech-api"}, "spec": spec}


@row("kubernetes-lists")
def kubernetes_lists(cloud: Cloud) -> None:
    api = Kubernetes(cloud)
    api.apply("/api/v1/namespaces/fintech-prod", NAMESPACE)
    path = "/api/v1/namespaces/fintech-prod/services/fintech-api"
    http = {"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8080, "nodePort": 30080}
    assert api.apply(path, service(http))[0] == 201
    # Another port beside it, by somebody else.
    more = {"name": "metrics", "port": 9090}
    both = api.ask("PATCH", path, {"spec": {"ports": [http, more]}}, "application/merge-patch+json")[1]
    assert [one["port"] for one in both["spec"]["ports"]] == [80, 9090]
    owners = {one["manager"]: one["fieldsV1"] for one in both["metadata"]["managedFields"]}
    assert list(owners["bedplate"]["f:spec"]["f:ports"]) == ['k:{"port":80,"protocol":"TCP"}']
    # Given up, it goes, and the other one stays.
    rest = {"name": "other", "port": 81, "protocol": "TCP", "nodePort": 30081}
    changed = api.apply(path, service(rest, selector={"app": "x", "tier": "y"}))[1]
    assert sorted(one["port"] for one in changed["spec"]["ports"]) == [81, 9090]
    # A field of it, by somebody else; and a part of what is owned as a whole.
    taken = [one | ({"nodePort": 30090} if one["port"] == 81 else {}) for one in changed["spec"]["ports"]]
    api.ask("PATCH", path, {"spec": {"ports": taken, "selector": {"tier": "z"}}}, "application/merge-patch+json")
    status, conflict = api.apply(path, service(rest, selector={"app": "x", "tier": "y"}))
    fields = {one["field"] for one in conflict["details"]["causes"]}
    assert (status, fields) == (409, {'.spec.ports[port=81,protocol="TCP"].nodePort', ".spec.selector"})


@row("kubernetes-validation")
def kubernetes_validation(cloud: Cloud) -> None:
    api = Kubernetes(cloud)
    api.apply("/api/v1/namespaces/fintech-prod", NAMESPACE)
    services = "/api/v1/namespaces/fintech-prod/services"
    port = {"name": "http", "port": 80, "protocol": "TCP", "nodePort": 30080}

    def refused(path: str, body: Any, field: str, status: int = 422) -> None:
        found, answer = api.apply(path, body)
        assert found == status and field in answer["message"], (found, answer)

    def named(**meta: Any) -> Any:
        return NAMESPACE | {"metadata": {"name": "fintech-prod", **meta}}

    for meta in ({"labels": {"a:b": "c"}}, {"annotations": {"a:b": "c"}}, {"labels": {"a": "b/c"}}):
        refused("/api/v1/namespaces/fintech-prod", named(**meta), f"metadata.{next(iter(meta))}")
    assert api.apply("/api/v1/namespaces/fintech-prod", named(annotations={"a.b/c": "d/e: f"}))[0] == 200
    assert api.apply(f"{services}/fintech-api", service(port))[0] == 201
    refused(f"{services}/fintech-api", service(port | {"nodePort": 8080}), "valid range")
    second = service(port)
    second["metadata"]["name"] = "second"
    refused(f"{services}/second", second, "already allocated")
    refused(f"{services}/fintech-api", service(port, clusterIP="172.20.9.9"), "may not change once set")
    refused(f"{services}/fintech-api", service(port, type="Port"), "spec.type")
    refused(HPA, hpa(2, minReplicas=3), "spec.maxReplicas")
    refused(HPA, hpa(2, minReplicas=0), "spec.minReplicas")
    metric = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization"}}}
    refused(HPA, hpa(2, metrics=[metric]), "averageUtilization")
    refused(HPA, hpa(2, metrics=[{"type": "Resource"}]), "spec.metrics[0].resource")


@row("kubernetes-finalizers")
def kubernetes_finalizers(cloud: Cloud) -> None:
    api = Kubernetes(cloud)
    api.apply("/api/v1/namespaces/fintech-prod", NAMESPACE)
    path = "/api/v1/namespaces/fintech-prod/configmaps/kept"
    meta = {"name": "kept", "finalizers": ["example.com/wait"]}
    kept = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"a": "b"}}
    assert api.ask("POST", "/api/v1/namespaces/fintech-prod/configmaps", kept)[0] == 201
    assert api.ask("DELETE", "/api/v1/namespaces/fintech-prod")[0] == 200
    cloud.advance()
    found = api.ask("GET", "/api/v1/namespaces/fintech-prod")[1]["status"]
    assert found["phase"] == "Terminating" and "example.com/wait in 1" in found["conditions"][0]["message"]
    assert api.ask("GET", path)[1]["metadata"]["deletionTimestamp"]
    api.ask("PATCH", path, {"metadata": {"finalizers": None}}, "application/merge-patch+json")
    assert api.ask("GET", path)[0] == 404
    assert api.ask("GET", "/api/v1/namespaces/fintech-prod")[0] == 404


@row("control-reach")
def control_reach(cloud: Cloud) -> None:
    api = Kubernetes(cloud)
    cloud.control("POST", "reach", {"clusters": False})
    try:
        api.ask("GET", "/readyz")
    except OSError:
        pass
    else:
        raise AssertionError("it answered")
    cloud.control("POST", "reach", {"clusters": True})
    assert api.ask("GET", "/readyz") == (200, "ok")


@row("kubernetes-objects")
def kubernetes_objects(cloud: Cloud) -> None:
    api = Kubernetes(cloud)
    api.apply("/api/v1/namespaces/fintech-prod", NAMESPACE)
    spec = {"type": "NodePort", "selector": {"app": "fintech-api"}, "ports": [{"port": 80, "targetPort": 8080}]}
    labelled = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "fintech-api", "labels": {"a": "b"}},
        "spec": spec,
    }
    path = "/api/v1/namespaces/fintech-prod/services"
    first = api.apply(f"{path}/fintech-api", labelled)[1]
    assert 30000 <= first["spec"]["ports"][0]["nodePort"] <= 32767 and first["spec"]["clusterIP"]
    assert api.apply(f"{path}/fintech-api", labelled)[1] == first
    assert len(api.ask("GET", f"{path}?labelSelector=a%3Db")[1]["items"]) == 1
    assert not api.ask("GET", f"{path}?labelSelector=a%3Dc")[1]["items"]
    assert any(
        one.endswith("|fintech-prod|fintech-api") for one in cloud.control("GET", "inventory")["kubernetes.service"]
    )
    assert api.ask("DELETE", f"{path}/fintech-api")[1]["status"] == "Success"
    assert api.ask("GET", f"{path}/fintech-api")[0] == 404
    assert api.ask("DELETE", "/api/v1/namespaces/kube-system")[0] == 403
    assert api.ask("DELETE", "/api/v1/namespaces/fintech-prod")[1]["status"]["phase"] == "Terminating"
    assert api.ask("POST", path, labelled)[0] == 403
    cloud.advance()
    assert api.ask("GET", "/api/v1/namespaces/fintech-prod")[0] == 404
    error = {"code": "InternalError", "message": "down", "status": 500}
    cloud.control("POST", "fault", {"operation": "kubernetes:ListNamespaces", "nth": 1, "error": error})
    assert [api.ask("GET", "/api/v1/namespaces")[0] for _ in range(2)] == [500, 200]
    cloud.client("eks").delete_cluster(name=api.name)
    cloud.advance()
    fails("ResourceNotFoundException", lambda: cloud.client("eks").describe_cluster(name=api.name))
    assert "kubernetes.namespace" not in cloud.control("GET", "inventory") or api.name not in str(
        cloud.control("GET", "inventory")
    )
