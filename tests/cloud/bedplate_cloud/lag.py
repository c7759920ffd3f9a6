"""Reads that lag behind: what was made is not shown yet, and what was deleted still is.

EC2's and IAM's documentation call this eventual consistency; DynamoDB says it of DescribeTable, KMS of keys and
aliases, Secrets Manager of ListSecrets. Off unless `read-lag` or `use-lag` is set.
"""

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import jmespath

from . import clock, registry, switches
from .errors import AwsError
from .patterns import like
from .registry import Handler, on_reset
from .wire import Target

if TYPE_CHECKING:
    from .gateway import Call

Row = dict[str, Any]


@dataclass(frozen=True)
class Read:
    """How a read shows a resource: the list its row is in and the row's id, the parameter that asks for it by id."""

    rows: str | None
    id: str | None
    asks: str | None = None


@dataclass(frozen=True)
class Kind:
    """A kind of resource: where a create call has its id, which parameter of a delete call, and what reads show it.

    `lost` is the code and the words for an id that is not there. Ids of a kind that is the same everywhere are kept
    without region.
    """

    creates: dict[str, str]
    deletes: dict[str, str]
    reads: dict[str, Read]
    lost: tuple[str, str, int]
    prefix: str = ""


def _ec2(singular: str, plural: str, prefix: str, lost: str, words: str, **names: str) -> Kind:
    """A kind of EC2, whose operations are named alike; `names` are the exceptions."""
    unique = names.get("id", f"{singular}Id")
    ids = names.get("ids", f"{unique}s")
    return Kind(
        {f"ec2:{names.get('create', 'Create' + singular)}": names.get("path", f"{singular}.{unique}")},
        {f"ec2:{names.get('delete', 'Delete' + singular)}": names.get("deleted", unique)},
        {f"ec2:Describe{plural}": Read(names.get("rows", plural), unique, ids)},
        (lost, words, 400),
        prefix,
    )


KINDS = [
    _ec2("Vpc", "Vpcs", "vpc", "InvalidVpcID.NotFound", "The vpc ID '{}' does not exist"),
    _ec2("Subnet", "Subnets", "subnet", "InvalidSubnetID.NotFound", "The subnet ID '{}' does not exist"),
    _ec2(
        "InternetGateway",
        "InternetGateways",
        "igw",
        "InvalidInternetGatewayID.NotFound",
        "The internetGateway ID '{}' does not exist",
    ),
    _ec2("RouteTable", "RouteTables", "rtb", "InvalidRouteTableID.NotFound", "The routeTable ID '{}' does not exist"),
    _ec2(
        "SecurityGroup",
        "SecurityGroups",
        "sg",
        "InvalidGroup.NotFound",
        "The security group '{}' does not exist",
        id="GroupId",
        path="GroupId",
    ),
    _ec2(
        "Address",
        "Addresses",
        "eipalloc",
        "InvalidAllocationID.NotFound",
        "The allocation ID '{}' does not exist",
        id="AllocationId",
        create="AllocateAddress",
        delete="ReleaseAddress",
        path="AllocationId",
    ),
    _ec2("NatGateway", "NatGateways", "nat", "NatGatewayNotFound", "NAT gateway {} was not found"),
    _ec2(
        "VpcEndpoint",
        "VpcEndpoints",
        "vpce",
        "InvalidVpcEndpointId.NotFound",
        "The Vpc Endpoint Id '{}' does not exist",
        delete="DeleteVpcEndpoints",
        deleted="VpcEndpointIds",
    ),
    _ec2(
        "FlowLogs",
        "FlowLogs",
        "fl",
        "InvalidFlowLogId.NotFound",
        "The flow log ID '{}' does not exist",
        id="FlowLogId",
        path="FlowLogIds",
        deleted="FlowLogIds",
    ),
    _ec2(
        "LaunchTemplate",
        "LaunchTemplates",
        "lt",
        "InvalidLaunchTemplateId.NotFound",
        "The specified launch template, with template ID {}, does not exist.",
    ),
    *(
        Kind(
            {f"ec2:AuthorizeSecurityGroup{way}": "SecurityGroupRules[].SecurityGroupRuleId"},
            {f"ec2:RevokeSecurityGroup{way}": "SecurityGroupRuleIds"},
            {
                "ec2:DescribeSecurityGroupRules": Read(
                    "SecurityGroupRules", "SecurityGroupRuleId", "SecurityGroupRuleIds"
                )
            },
            ("InvalidSecurityGroupRuleId.NotFound", "The security group rule ID '{}' does not exist", 400),
            "sgr",
        )
        for way in ("Ingress", "Egress")
    ),
    Kind(
        {"iam:CreateRole": "params.RoleName"},
        {"iam:DeleteRole": "RoleName"},
        {
            "iam:GetRole": Read(None, None, "RoleName"),
            "iam:ListRoles": Read("Roles", "RoleName"),
            "iam:GetAccountAuthorizationDetails": Read("RoleDetailList", "RoleName"),
        },
        ("NoSuchEntity", "The role with name {} cannot be found.", 404),
    ),
    Kind(
        {"iam:CreateOpenIDConnectProvider": "OpenIDConnectProviderArn"},
        {"iam:DeleteOpenIDConnectProvider": "OpenIDConnectProviderArn"},
        {
            "iam:GetOpenIDConnectProvider": Read(None, None, "OpenIDConnectProviderArn"),
            "iam:ListOpenIDConnectProviders": Read("OpenIDConnectProviderList", "Arn"),
        },
        ("NoSuchEntity", "OpenIDConnect Provider not found for arn {}", 404),
    ),
    Kind(
        {"kms:CreateKey": "KeyMetadata.KeyId"},
        {},
        {"kms:DescribeKey": Read(None, None, "KeyId"), "kms:ListKeys": Read("Keys", "KeyId")},
        ("NotFoundException", "Key '{}' does not exist", 400),
    ),
    Kind(
        {"kms:CreateAlias": "params.AliasName"},
        {"kms:DeleteAlias": "AliasName"},
        {"kms:ListAliases": Read("Aliases", "AliasName")},
        ("NotFoundException", "Alias {} is not found.", 400),
    ),
    Kind(
        {"dynamodb:CreateTable": "params.TableName"},
        {},
        {"dynamodb:DescribeTable": Read(None, None, "TableName"), "dynamodb:ListTables": Read("TableNames", None)},
        ("ResourceNotFoundException", "Requested resource not found: Table: {} not found", 400),
    ),
    Kind(
        {"secretsmanager:CreateSecret": "ARN"},
        {},
        {"secretsmanager:ListSecrets": Read("SecretList", "ARN")},
        ("ResourceNotFoundException", "Secrets Manager can't find the specified secret.", 400),
    ),
    Kind(
        {"logs:CreateLogGroup": "params.logGroupName"},
        {"logs:DeleteLogGroup": "logGroupName"},
        {"logs:DescribeLogGroups": Read("logGroups", "logGroupName")},
        ("ResourceNotFoundException", "The specified log group does not exist.", 400),
    ),
    Kind(
        {"sns:CreateTopic": "TopicArn"},
        {},
        {"sns:ListTopics": Read("Topics", "TopicArn")},
        ("NotFound", "Topic does not exist", 404),
    ),
    Kind(
        {"sns:Subscribe": "SubscriptionArn"},
        {},
        {"sns:ListSubscriptionsByTopic": Read("Subscriptions", "SubscriptionArn")},
        ("NotFound", "Subscription does not exist", 404),
    ),
]
CREATES = {name: (kind, path) for kind in KINDS for name, path in kind.creates.items()}
DELETES = {name: (kind, param) for kind in KINDS for name, param in kind.deletes.items()}
READS = {name: (kind, read) for kind in KINDS for name, read in kind.reads.items()}
GLOBAL = ("iam",)

Place = tuple[str, str, str]
# When something was made; and what reads showed of something before it was deleted, and when it was.
_made: dict[Place, float] = {}
_ghosts: dict[Place, tuple[float, dict[str, Row]]] = {}
# When a read, in a region, last lost or got something to show.
_moved: dict[tuple[str, str], float] = {}


@on_reset
def forget() -> None:
    """Reads are up to date."""
    _made.clear()
    _ghosts.clear()
    _moved.clear()


def on() -> bool:
    """Whether anything lags."""
    return bool(switches.current.read_lag or switches.current.use_lag)


def concerns(name: str) -> bool:
    """Whether a call has to be looked into."""
    return on() and (name in CREATES or name in DELETES or name in READS)


def alters(target: Target) -> bool:
    """Whether a call has to be looked into now: of most reads everything has been there, or gone, for long."""
    if not concerns(target.name) or target.name not in READS:
        return concerns(target.name)
    return clock.now() - _moved.get((target.name, _region(target)), 0) < switches.current.read_lag


def _region(target: Target) -> str:
    return "" if target.service in GLOBAL else target.region


def _place(target: Target, unique: str) -> Place:
    service = target.service
    if service == "kms":
        unique = unique.rpartition("key/")[2]
    return service, _region(target), unique


def _move(target: Target, kind: Kind) -> None:
    for read in kind.reads:
        _moved[read, _region(target)] = clock.now()


def _hidden(target: Target, unique: str, lag: float) -> bool:
    return clock.now() - _made.get(_place(target, unique), 0) < lag


def _ghost(target: Target, unique: str) -> dict[str, Row]:
    since, rows = _ghosts.get(_place(target, unique), (0, {}))
    return rows if clock.now() - since < switches.current.read_lag else {}


def _texts(value: Any) -> Iterator[str]:
    """Every text and number in a document."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _texts(one)
    elif value is not None:
        yield str(value).lower() if isinstance(value, bool) else str(value)


def _as_list(value: Any) -> list[str]:
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str)]


def check_use(target: Target) -> None:
    """EC2 may not find what was made just now, whoever names it."""
    lag = switches.current.use_lag
    if not lag or target.service != "ec2" or target.name in READS:
        return
    for text in _texts(target.params):
        prefix = text.partition("-")[0]
        kind = next((one for one in KINDS if one.prefix and one.prefix == prefix), None)
        if kind is not None and _hidden(target, text, lag):
            raise _lost(kind, text)


def _lost(kind: Kind, unique: str) -> AwsError:
    code, words, status = kind.lost
    return AwsError(code, words.format(unique), status)


def run(call: "Call", produce: Handler) -> dict[str, Any]:
    """Produce an answer as it looks from behind; creates and deletes are remembered."""
    name = call.target.name
    if not on():
        return produce(call)
    if name in READS:
        return _read(call, produce, *READS[name])
    if name in DELETES:
        return _delete(call, produce, *DELETES[name])
    answer = produce(call)
    if name in CREATES:
        kind, path = CREATES[name]
        _move(call.target, kind)
        found = jmespath.search(path, answer | {"params": call.params})
        for unique in _as_list(found):
            _made[_place(call.target, unique)] = clock.now()
    return answer


def _read(call: "Call", produce: Handler, kind: Kind, read: Read) -> dict[str, Any]:
    target, lag = call.target, switches.current.read_lag
    asked = _as_list(call.params.get(read.asks)) if read.asks else []
    for unique in asked:
        if _hidden(target, unique, lag):
            raise _lost(kind, unique)
    gone = {one: rows[target.name] for one in asked if target.name in (rows := _ghost(target, one))}
    if read.rows is None:
        return copy.deepcopy(gone[asked[0]]) if gone else produce(call)
    if gone:
        rest = [one for one in asked if one not in gone]
        call.params[read.asks] = rest
        answer = produce(call) if rest else {read.rows: []}
        extra = list(gone.values())
    else:
        answer = produce(call)
        extra = [] if asked else [rows[target.name] for rows in _ghosts_of(target) if target.name in rows]
    rows = [one for one in answer.get(read.rows) or [] if not _hidden(target, one[read.id] if read.id else one, lag)]
    extra = [one for one in extra if _passes(call, one)]
    return answer | {read.rows: rows + copy.deepcopy(extra)}


def _ghosts_of(target: Target) -> Iterator[dict[str, Row]]:
    for service, where, unique in list(_ghosts):
        if (service, where) == (target.service, _region(target)):
            yield _ghost(target, unique)


def _passes(call: "Call", row: Row) -> bool:
    """Whether a row passes the call's filters: by tag, or because any of its values is one that a filter names."""
    tags = {one["Key"]: one["Value"] for one in row.get("Tags") or []}
    for entry in call.params.get("Filters") or (call.params.get("Filter") or [] if call.target.service == "ec2" else []):
        name, wanted = entry["Name"], entry.get("Values") or []
        if name.startswith("tag:"):
            values = [tags[name[4:]]] if name[4:] in tags else []
        else:
            values = list(tags) if name == "tag-key" else list(_texts(row))
        if not any(like(value, pattern) for value in values for pattern in wanted):
            return False
    prefix = call.params.get("logGroupNamePrefix")
    return not prefix or row["logGroupName"].startswith(prefix)


def _delete(call: "Call", produce: Handler, kind: Kind, parameter: str) -> dict[str, Any]:
    wanted = _as_list(call.params.get(parameter))
    before = {one: _shown(call, kind, one) for one in wanted}
    answer = produce(call)
    _move(call.target, kind)
    for unique, rows in before.items():
        if rows:
            _ghosts[_place(call.target, unique)] = (clock.now(), rows)
        _made.pop(_place(call.target, unique), None)
    return answer


def _shown(call: "Call", kind: Kind, unique: str) -> dict[str, Row]:
    """What each read shows of a resource at this moment."""
    shown = {}
    for name, read in kind.reads.items():
        try:
            answer = _ask(call, name, read, unique)
        except Exception:  # what cannot be read leaves no ghost
            continue
        rows = [answer] if read.rows is None else [one for one in answer[read.rows] if one[read.id] == unique]
        shown |= {name: rows[0]} if rows else {}
    return shown


def _ask(call: "Call", name: str, read: Read, unique: str) -> dict[str, Any]:
    target = call.target
    model = target.model.service_model.operation_model(name.partition(":")[2])
    other = call.with_target(replace(target, operation=model.name, params={}, model=model))
    if read.asks:
        many = model.input_shape.members[read.asks].type_name == "list"
        other.params = {read.asks: [unique] if many else unique}
    elif model.name == "GetAccountAuthorizationDetails":
        other.params = {"Filter": ["Role"]}
    return registry.HANDLERS.get(name, type(call).forward)(other)
