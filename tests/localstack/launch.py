"""LocalStack in its environment, started by start.py and by nothing else: `launch.py PARENT_PID STATE_DIRECTORY`.

Keeps three promises that LocalStack itself does not: it talks and listens to this machine only, it does not outlive
start.py, and it runs on Python 3.11 and 3.12 too.

And it corrects what LocalStack gets wrong about VPC endpoints and dashboards, as far as the suite needs it (CORRECTIONS): nothing is ever
changed in the engine for LocalStack's sake.
"""

import functools
import hashlib
import importlib.abc
import importlib.machinery
import ipaddress
import json
import os
import re
import shutil
import signal
import sys
import threading
import time
import typing
import uuid
import warnings


def stay_on_this_machine():
    """Refuse every connection and every look-up that would leave the loopback interface, and every port open to others.

    LocalStack's own switches are set as well (start.py); this holds for what has no switch, and says what was tried.
    """

    def is_local(host):
        if host is None or host in ("", b"", "localhost", b"localhost"):
            return True
        try:
            address = ipaddress.ip_address(host.decode() if isinstance(host, bytes) else host)
        except (ValueError, UnicodeDecodeError):
            return False
        return address.is_loopback or address.is_unspecified

    def watch(event, args):
        if event in ("socket.bind", "socket.connect", "socket.sendto"):
            # Unix sockets are addressed by a path, the others by a tuple.
            host = args[1][0] if isinstance(args[1], tuple) else None
            # No address is this machine for a connection, but every interface for a port.
            if event == "socket.bind" and host in ("", "0.0.0.0", "::"):
                host = "every interface"
        elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
            host = args[0]
        else:
            return
        if not is_local(host):
            print(f"launch.py: refused {event} to {host}", file=sys.stderr, flush=True)
            raise ConnectionRefusedError(f"the tests' LocalStack may not use {host}")

    sys.addaudithook(watch)

    # LocalStack listens on every interface whatever GATEWAY_LISTEN says: it hands the port to Twisted and forgets the host.
    from twisted.internet import endpoints

    class LoopbackEndpoint(endpoints.TCP4ServerEndpoint):
        def __init__(self, reactor, port, backlog=50, interface="127.0.0.1"):
            super().__init__(reactor, port, backlog, interface)

    endpoints.TCP4ServerEndpoint = LoopbackEndpoint


def die_with(parent, state):
    """End when start.py is gone. It ends us itself when it can; this is for when it was killed."""

    def wait():
        while os.getppid() == parent:
            time.sleep(0.2)
        # The log and whatever services wrote: start.py removes it otherwise.
        shutil.rmtree(state, ignore_errors=True)
        # start.py made us the leader of a group of our own.
        os.killpg(os.getpid(), signal.SIGKILL)

    threading.Thread(target=wait, name="die-with-parent", daemon=True).start()


HEADER = re.compile(r"^(?P<indent>[ \t]*)(?P<kind>(?:async )?def|class) (?P<name>\w+)\[(?P<parameters>[^\]]*)\]", re.M)
BASES = re.compile(r"\((?P<bases>[^()]*)\)(?=:)")
ALIAS = re.compile(r"^type (\w+) =", re.M)


def without_type_parameters(source):
    """The same module in the syntax of Python 3.11: `class A[T](B)` becomes `class A(B, Generic[T])` with a `TypeVar` T.

    Works on text, and for the dozen places where LocalStack 4.14 needs it: what it misses stays a SyntaxError.
    """
    names = set()
    pieces = []
    position = 0
    for header in HEADER.finditer(source):
        parameters = [parameter.split(":")[0].strip() for parameter in header["parameters"].split(",")]
        names.update(parameters)
        pieces += [source[position : header.start()], f"{header['indent']}{header['kind']} {header['name']}"]
        position = header.end()
        if header["kind"] == "class":
            bases = BASES.match(source, position)
            # dict[...] works as it is, and a dict that were Generic too would be pickled differently.
            if not (bases and bases["bases"].strip() == "dict"):
                generic = f"typing_.Generic[{', '.join(parameters)}]"
                pieces.append(f"({bases['bases']}, {generic})" if bases else f"({generic})")
                position = bases.end() if bases else position
    pieces.append(source[position:])
    return ALIAS.sub(r"\1 =", "".join(pieces)), names


class OlderSyntax(importlib.machinery.SourceFileLoader):
    """Loads what this Python can parse as it is, and the rest through `without_type_parameters`."""

    def get_code(self, fullname):
        try:
            return super().get_code(fullname)
        except SyntaxError:
            source, self.type_variables = without_type_parameters(self.get_source(fullname))
            return compile(source, self.path, "exec", dont_inherit=True)

    def exec_module(self, module):
        code = self.get_code(module.__name__)
        module.__dict__["typing_"] = typing
        for name in getattr(self, "type_variables", ()):
            module.__dict__[name] = typing.TypeVar(name)
        exec(code, module.__dict__)


class OlderSyntaxFinder(importlib.abc.MetaPathFinder):
    def find_spec(self, fullname, path=None, target=None):
        if fullname.partition(".")[0] != "localstack":
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec and type(spec.loader) is importlib.machinery.SourceFileLoader:
            spec.loader = OlderSyntax(fullname, spec.loader.path)
        return spec


def act_as_python_3_13():
    """What LocalStack 4.14 needs of 3.12 and 3.13 for the services that start.py offers."""
    import typing_extensions

    warnings.deprecated = typing_extensions.deprecated
    if sys.version_info < (3, 12):
        typing.override = typing_extensions.override
        uuid.uuid5 = uuid5_of_bytes
        sys.meta_path.insert(0, OlderSyntaxFinder())


def uuid5_of_bytes(namespace, name):
    """`uuid.uuid5` as of 3.12, which takes bytes too: KMS makes the ids of key material with it."""
    name = name.encode() if isinstance(name, str) else name
    return uuid.UUID(bytes=hashlib.sha1(namespace.bytes + name).digest()[:16], version=5)


# The corrections, one function for each defect of LocalStack 4.14.0 and its moto. findings.md lists them too. What AWS says is
# in https://docs.aws.amazon.com/AWSEC2/latest/APIReference/, on the page that each of them names.


def filter_endpoints_by_id(vpcs):
    """API_DescribeVpcEndpoints, Filter.N: "vpc-endpoint-id - The ID of the endpoint". moto looks for an attribute named
    like the filter, which an endpoint does not have, and answers 500 InternalFailure."""
    vpcs.VPCEndPoint.vpc_endpoint_id = property(lambda endpoint: endpoint.id)


def keep_private_dns_off_gateways(vpcs):
    """API_CreateVpcEndpoint, PrivateDnsEnabled: "(Interface endpoint)". moto turns it on for gateway endpoints too."""
    made = vpcs.VPCEndPoint.__init__

    @functools.wraps(made)
    def init(self, *args, **kwargs):
        made(self, *args, **kwargs)
        if self.vpc_endpoint_type == "Gateway":
            self.private_dns_enabled = False

    vpcs.VPCEndPoint.__init__ = init


def change_all_of_an_endpoint(provider):
    """API_ModifyVpcEndpoint: AddSecurityGroupId.N, RemoveSecurityGroupId.N and ResetPolicy have an effect, and so have
    AddRouteTableId.N and RemoveRouteTableId.N on the tables' routes ("The IDs of the route tables to associate with the
    endpoint"). LocalStack ignores the first three, and of the others it keeps the ids only."""
    from moto.ec2.exceptions import RouteAlreadyExistsError

    modify = provider.Ec2Provider.modify_vpc_endpoint

    # Takes over the marks by which LocalStack finds its handlers.
    @functools.wraps(modify)
    def modify_all(self, context, vpc_endpoint_id, **request):
        backend = provider.get_ec2_backend(context.account_id, context.region)
        endpoint = backend.vpc_end_points.get(vpc_endpoint_id)
        # What can fail comes first. Without an endpoint LocalStack answers as AWS does.
        if endpoint and (prefixes := endpoint.destination_prefix_list_id):
            for table in request.get("remove_route_table_ids") or []:
                backend.delete_route(table, None, destination_prefix_list_id=prefixes)
            for table in request.get("add_route_table_ids") or []:
                if table in endpoint.route_table_ids:
                    raise RouteAlreadyExistsError(prefixes)
                backend.create_route(table, None, gateway_id=endpoint.id, destination_prefix_list_id=prefixes)
        answer = modify(self, context=context, vpc_endpoint_id=vpc_endpoint_id, **request)
        removed = request.get("remove_security_group_ids") or []
        added = request.get("add_security_group_ids") or []
        kept = [group for group in endpoint.security_group_ids if group not in removed]
        endpoint.security_group_ids = kept + [group for group in added if group not in kept]
        if request.get("reset_policy"):
            endpoint.policy_document = json.dumps(endpoint.DEFAULT_POLICY)
        return answer

    provider.Ec2Provider.modify_vpc_endpoint = modify_all


def miss_dashboards_as_aws_does(provider):
    """API_GetDashboard (AmazonCloudWatch/latest/APIReference), Errors: "ResourceNotFound - The specified dashboard does not
    exist." LocalStack answers InvalidParameterValue."""
    from localstack.aws.api.cloudwatch import DashboardNotFoundError

    look = provider.CloudwatchProvider.get_dashboard

    @functools.wraps(look)
    def get(self, context, dashboard_name, **request):
        if dashboard_name not in self.get_store(context.account_id, context.region).dashboards:
            raise DashboardNotFoundError(f"Dashboard {dashboard_name} does not exist")
        return look(self, context=context, dashboard_name=dashboard_name, **request)

    provider.CloudwatchProvider.get_dashboard = get


CORRECTIONS = {
    "moto.ec2.models.vpcs": (filter_endpoints_by_id, keep_private_dns_off_gateways),
    "localstack.services.ec2.provider": (change_all_of_an_endpoint,),
    "localstack.services.cloudwatch.provider_v2": (miss_dashboards_as_aws_does,),
}


class Corrector(importlib.abc.MetaPathFinder):
    """Corrects a module when LocalStack has loaded it, which is at the first request and not at the start."""

    def find_spec(self, fullname, path=None, target=None):
        if fullname not in CORRECTIONS:
            return None
        finders = (finder for finder in sys.meta_path if finder is not self)
        spec = next(filter(None, (finder.find_spec(fullname, path, target) for finder in finders)), None)
        if spec:
            load = spec.loader.exec_module

            def load_and_correct(module):
                load(module)
                for correct in CORRECTIONS[fullname]:
                    correct(module)

            spec.loader.exec_module = load_and_correct
        return spec


def main():
    parent, state = int(sys.argv[1]), sys.argv[2]
    die_with(parent, state)
    stay_on_this_machine()
    if sys.version_info < (3, 13):
        act_as_python_3_13()
    sys.meta_path.insert(0, Corrector())
    from localstack.runtime.main import main as run

    run()


if __name__ == "__main__":
    main()
