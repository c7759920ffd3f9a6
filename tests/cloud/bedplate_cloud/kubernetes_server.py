"""The HTTPS server behind a cluster's endpoint: certificates, tokens, requests."""

import base64
import datetime
import hashlib
import hmac
import ipaddress
import json
import re
import socket
import ssl
import tempfile
import threading
import time
import uuid
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, quote, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from . import calls, chance, eks, moments, settings, snapshots, switches
from .eks import Cluster
from .kubernetes import Api, Object, Refused, answer
from .registry import on_reset

TOKEN = "k8s-aws-v1."
CLUSTER_HEADER = "x-k8s-aws-id"
# Any credentials are good here, so a signature can only be checked where the secret is a usual one.
USUAL_SECRETS = ("test", "any", "local", "secret")

_running: dict[tuple[str, str], "Server"] = {}


@cache
def _authority() -> tuple[Any, Any]:
    key, name = ec.generate_private_key(ec.SECP256R1()), _name("kubernetes")
    builder = _builder(name, name, key).add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    usage = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    usage |= {"digital_signature": True, "key_cert_sign": True, "crl_sign": True}
    builder = builder.add_extension(x509.KeyUsage(**usage), critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    return key, builder.sign(key, hashes.SHA256())


def _name(text: str) -> Any:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def _builder(subject: Any, issuer: Any, key: Any) -> Any:
    start = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(start)
    return builder.not_valid_after(start + datetime.timedelta(days=825))


def certificate_authority() -> str:
    """The authority of every cluster's certificate, as EKS hands it out."""
    return base64.b64encode(_authority()[1].public_bytes(serialization.Encoding.PEM)).decode()


@cache
def server_context() -> ssl.SSLContext:
    """What every server here proves itself with, for 127.0.0.1 and localhost."""
    authority_key, authority = _authority()
    key = ec.generate_private_key(ec.SECP256R1())
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")])
    builder = _builder(_name("kube-apiserver"), authority.subject, key).add_extension(names, critical=False)
    builder = builder.add_extension(x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    signed = builder.add_extension(issuer, critical=False).sign(authority_key, hashes.SHA256())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    with tempfile.NamedTemporaryFile() as file:
        file.write(signed.public_bytes(encoding) + key.private_bytes(encoding, form, serialization.NoEncryption()))
        file.flush()
        context.load_cert_chain(file.name)
    context.set_alpn_protocols(["http/1.1"])
    return context


class Server(ThreadingHTTPServer):
    """One cluster's API server, on a port of its own."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.cluster, self.api = cluster, Api(cluster.doc["version"])

    def finish_request(self, request: Any, client_address: Any) -> None:
        """The handshake belongs to the connection's own thread. Out of reach, there is none."""
        if not settings.clusters_reachable:
            return
        try:
            # A client that stops in the middle must not hold up who waits for the end of it.
            request.settimeout(10)
            with snapshots.handshakes.one():
                secured = server_context().wrap_socket(request, server_side=True)
            secured.settimeout(None)
        except (OSError, ssl.SSLError):
            return
        try:
            super().finish_request(secured, client_address)
        finally:
            secured.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news."""


class Handler(BaseHTTPRequestHandler):
    """Answers requests to one cluster."""

    protocol_version = "HTTP/1.1"
    server: Server
    # The call that is being answered.
    called = ""

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def setup(self) -> None:
        """Answers are small: send them at once."""
        self.disable_nagle_algorithm = True
        super().setup()

    def handle_any(self) -> None:
        """Answer one request."""
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else b""
        url = urlsplit(self.path)
        self.called = ""
        query = {key: values[-1] for key, values in parse_qs(url.query, keep_blank_values=True).items()}
        if url.path in ("/readyz", "/livez", "/healthz"):
            self.send(200, b"ok", "text/plain")
            return
        try:
            # Everybody may ask for the version, as for the health: Kubernetes's role system:public-info-viewer.
            if url.path != "/version":
                authenticate(self.server.cluster, self.headers.get("Authorization") or "")
            name = f"kubernetes:{_operation(self.command, url.path, query, self.headers.get('Content-Type') or '')}"
            nth = moments.before(name)
            calls.record(name)
            self.called = name
            fault = calls.take_fault(name)
            if fault and fault.when == "before":
                raise Refused(fault.error.status, fault.error.code, fault.error.message)
            fate = chance.draw(name)
            if fate.cut_before:
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            if fate.error:
                raise Refused(fate.error.status, fate.error.code, fate.error.message)
            with self.server.api.lock:
                self.server.api.version = self.server.cluster.doc["version"]
                self.server.api.tick()
                content, agent = self.headers.get("Content-Type") or "", self.headers.get("User-Agent") or ""
                status, found = answer(self.server.api, self.command, url.path, query, content, agent, body)
                data = json.dumps(found).encode() if isinstance(found, dict) else None
            moments.committed(name, nth)
            if fault:
                raise Refused(fault.error.status, fault.error.code, fault.error.message)
        except moments.Killed:
            return
        except Refused as refused:
            self.send(refused.status, json.dumps(_status(refused)).encode())
            return
        time.sleep(fate.delay + switches.current.latency)
        if fate.cut_after:
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        if data is not None:
            self.send(status, data)
            moments.answered(name, nth)
        else:
            self.stream(found)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

    def send(self, status: int, data: bytes, content: str = "application/json") -> None:
        """Write a whole answer, under the id that it has in the audit log."""
        audit_id = str(uuid.uuid4())
        if self.called:
            calls.answered(self.called, audit_id)
        self.send_response(status)
        self.send_header("Audit-Id", audit_id)
        self.send_header("Content-Type", content)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def stream(self, events: Any) -> None:
        """Write events until they end or the client is gone."""
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for one in events:
            line = json.dumps(one).encode() + b"\n"
            self.wfile.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")


def _operation(method: str, path: str, query: dict[str, str], content: str) -> str:
    """A name for counts and faults, like `ListNamespaces` or `ApplyServices`."""
    parts = [one for one in path.split("/") if one]
    verbs = {"POST": "Create", "PUT": "Replace", "DELETE": "Delete", "PATCH": "Patch"}
    at = 2 if parts[:1] == ["api"] else 3
    rest = parts[at:]
    if len(rest) >= 3 and rest[0] == "namespaces":
        rest = rest[2:]
    plural = rest[0].capitalize() if rest else "Discovery"
    if method == "GET":
        return ("Get" if len(rest) > 1 or not rest else "List") + plural
    return ("Apply" if content.startswith("application/apply-patch") else verbs[method]) + plural


def _status(refused: Refused) -> Object:
    details = {"details": {"causes": refused.causes}} if refused.causes else {}
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": refused.message,
        "reason": refused.reason,
        "code": refused.status,
    } | details


def _unauthorized() -> Refused:
    return Refused(401, "Unauthorized", "Unauthorized")


# What may stand in a token's request (aws-iam-authenticator, `token.go`).
_QUERY = {
    "Action",
    "Version",
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-Security-Token",
    "X-Amz-Signature",
    "X-Amz-SignedHeaders",
}
_STS = re.compile(r"sts(-fips)?(\.([a-z0-9-]+))?\.amazonaws\.com(\.cn)?")
# Seconds after its signature until a token is not taken any more.
_VALID = 900


def authenticate(cluster: Cluster, header: str) -> None:
    """Accept a presigned GetCallerIdentity for this cluster, of a caller who may come in."""
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token.startswith(TOKEN):
        raise _unauthorized()
    try:
        text = token.removeprefix(TOKEN)
        url = urlsplit(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode())
        pairs = parse_qsl(url.query, keep_blank_values=True, strict_parsing=True)
        query = dict(pairs)
        signed = query["X-Amz-SignedHeaders"].split(";")
        start = datetime.datetime.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.UTC)
        access, date, region, service, end = query["X-Amz-Credential"].split("/")
        expires = int(query["X-Amz-Expires"])
    except (ValueError, KeyError):
        raise _unauthorized() from None
    host = _STS.fullmatch(url.netloc)
    age = (datetime.datetime.now(datetime.UTC) - start).total_seconds()
    fits = (
        url.scheme == "https"
        and host is not None
        and host[3] in (None, region)
        and url.path in ("", "/")
        and not url.fragment
        and "=" not in text
        and len(pairs) == len(query)
        and set(query) <= _QUERY
        and (query.get("Action"), query.get("Version")) == ("GetCallerIdentity", "2011-06-15")
        and query.get("X-Amz-Algorithm") == "AWS4-HMAC-SHA256"
        and (bool(access), date, service, end) == (True, f"{start:%Y%m%d}", "sts", "aws4_request")
        and re.fullmatch("[0-9a-f]{64}", query.get("X-Amz-Signature") or "")
        and {"host", CLUSTER_HEADER} <= set(signed)
        and 0 <= expires <= _VALID
        and -300 < age < _VALID
    )
    if not fits or _signed_for(url, query, signed) not in (None, cluster.name):
        raise _unauthorized()
    _authorize(cluster)


def _signed_for(url: Any, query: dict[str, str], signed: list[str]) -> str | None:
    """The cluster a signature was made for, if the secret is a usual one and the signature one of ours."""
    pairs = sorted(
        (quote(key, safe="-_.~"), quote(value, safe="-_.~")) for key, value in query.items() if key != "X-Amz-Signature"
    )
    text = "&".join(f"{key}={value}" for key, value in pairs)
    access, date, region, service, end = (query.get("X-Amz-Credential") or "////").split("/")[:5]
    for name in {one.name for one in eks.clusters.values()}:
        values = {"host": url.netloc, CLUSTER_HEADER: name}
        headers = "".join(f"{key}:{values.get(key, '')}\n" for key in signed)
        request = "\n".join(["GET", url.path or "/", text, headers, ";".join(signed), hashlib.sha256(b"").hexdigest()])
        scope = f"{date}/{region}/{service}/{end}"
        message = (
            f"AWS4-HMAC-SHA256\n{query.get('X-Amz-Date')}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
        )
        for secret in (*USUAL_SECRETS, access):
            key = f"AWS4{secret}".encode()
            for part in (date, region, service, end):
                key = hmac.new(key, part.encode(), hashlib.sha256).digest()
            if hmac.new(key, message.encode(), hashlib.sha256).hexdigest() == query.get("X-Amz-Signature"):
                return name
    return None


def _authorize(cluster: Cluster) -> None:
    """The caller needs an access entry with a policy; under CONFIG_MAP whoever made the cluster may do everything."""
    if settings.lenient or cluster.doc["accessConfig"]["authenticationMode"] == "CONFIG_MAP":
        return
    entry = cluster.entries.get(settings.CALLER_ARN)
    if entry is None:
        raise _unauthorized()
    if not entry["_policies"] and not entry.get("kubernetesGroups"):
        raise Refused(403, "Forbidden", f'User "{settings.CALLER_ARN}" cannot do this: no access policy is associated')


def start(cluster: Cluster) -> str:
    """Start a cluster's API server; returns its address."""
    server = Server(cluster)
    _running[cluster.region, cluster.name] = server
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
    return f"https://127.0.0.1:{server.server_port}"


def stop(cluster: Cluster) -> None:
    """Stop a cluster's API server."""
    server = _running.pop((cluster.region, cluster.name), None)
    if server is not None:
        threading.Thread(target=_close, args=(server,), daemon=True).start()


def _close(server: Server) -> None:
    server.shutdown()
    server.server_close()


def running() -> list[Server]:
    """Every cluster's API server."""
    return list(_running.values())


snapshots.clusters = running


@on_reset
def stop_all() -> None:
    """Stop every API server."""
    for server in list(_running.values()):
        stop(server.cluster)


def inventory() -> dict[str, list[str]]:
    """What was made in the clusters, without what every cluster and every namespace has."""
    total: dict[str, list[str]] = {}
    for (region, cluster), server in list(_running.items()):
        with server.api.lock:
            server.api.tick()
            for key, body in server.api.objects.items():
                plural, namespace, name = key
                if key not in server.api.given and (plural, name) != ("serviceaccounts", "default"):
                    total.setdefault(f"kubernetes.{body['kind'].lower()}", []).append(
                        f"{region}|{cluster}|{namespace}|{name}"
                    )
    return total
