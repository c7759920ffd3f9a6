"""Security groups and their rules, which are resources of their own with ids, tags and descriptions."""

from dataclasses import dataclass
from typing import Any

from moto.ec2.models.security_groups import SecurityGroupRule
from moto.ec2.models.vpcs import VPCBackend

from . import settings
from .ec2 import all_groups, backend, filtered, group, tag_list, tags_for, vpc
from .errors import AwsError
from .gateway import Call
from .registry import checks, handles

MOST_RULES = 60
PROTOCOLS = {"6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6", "all": "-1"}


@dataclass(frozen=True)
class Wanted:
    """One rule as a request asks for it, before it has an id. The description is not part of its identity."""

    protocol: str
    from_port: int | None
    to_port: int | None
    kind: str
    target: str

    def matches(self, rule: SecurityGroupRule) -> bool:
        """Whether an existing rule says the same."""
        return self == identity(rule)


def identity(rule: SecurityGroupRule) -> Wanted:
    """What makes a rule a duplicate of another."""
    kind, target = target_of(rule)
    return Wanted(rule.ip_protocol or "-1", rule.from_port, rule.to_port, kind, target)


def target_of(rule: SecurityGroupRule) -> tuple[str, str]:
    """What a rule allows traffic from or to."""
    if rule.prefix_list_id:
        return "PrefixListId", rule.prefix_list_id
    if rule.source_group:
        return "GroupId", rule.source_group["GroupId"]
    return (
        ("CidrIpv6", rule.ip_range["CidrIpv6"])
        if rule.ip_range.get("CidrIpv6")
        else ("CidrIp", rule.ip_range["CidrIp"])
    )


def set_target(rule: SecurityGroupRule, kind: str, target: str, description: str | None) -> None:
    """Point a rule somewhere, and nowhere else."""
    rule.ip_range = {kind: target} if kind.startswith("Cidr") else {}
    rule.source_group = {"GroupId": target, "UserId": settings.ACCOUNT} if kind == "GroupId" else {}
    rule.prefix_list_id = target if kind == "PrefixListId" else None
    rule.note = description  # type: ignore[attr-defined]


def description_of(rule: SecurityGroupRule) -> str | None:
    """A rule's description; the rules that moto makes itself have none."""
    return getattr(rule, "note", None) or None


def add_rule(
    ec2: Any, owner: Any, egress: bool, wanted: Wanted, description: str | None = None, tags: Any = None
) -> Any:
    """Give a group a rule."""
    rule = SecurityGroupRule(
        ec2, wanted.protocol, owner.id, wanted.from_port, wanted.to_port, None, is_egress=egress, tags=tags
    )
    set_target(rule, wanted.kind, wanted.target, description)
    rules_of(owner, egress).append(rule)
    return rule


def rules_of(owner: Any, egress: bool) -> list[SecurityGroupRule]:
    """A group's rules of one direction."""
    return owner.egress_rules if egress else owner.ingress_rules


_moto_create_vpc = VPCBackend.create_vpc


def _create_vpc(self: Any, *args: Any, **kwargs: Any) -> Any:
    """A VPC's default group lets its members talk to each other, which moto leaves out."""
    network = _moto_create_vpc(self, *args, **kwargs)
    default = self.get_default_security_group(network.id)
    if default is not None and not default.ingress_rules:
        add_rule(self, default, False, Wanted("-1", None, None, "GroupId", default.id))
    return network


VPCBackend.create_vpc = _create_vpc  # type: ignore[method-assign]


@checks("ec2:CreateSecurityGroup")
def group_vpc(call: Call) -> None:
    """The VPC has to exist, and the name must not be the default group's."""
    if call.params.get("VpcId"):
        vpc(backend(call), call.params["VpcId"])
    name = call.params["GroupName"]
    if name.startswith("sg-") and not settings.lenient:
        message = f"Value ({name}) for parameter GroupName is invalid. Group names may not be in the format sg-*."
        raise AwsError("InvalidParameterValue", message)


@handles("ec2:CreateSecurityGroup")
def create(call: Call) -> dict[str, Any]:
    """Create a group; the answer has its tags."""
    answer = call.forward()
    return answer | {"Tags": tag_list(backend(call), answer["GroupId"])}


@handles("ec2:DescribeSecurityGroups")
def describe(call: Call) -> dict[str, Any]:
    """List groups with their rules grouped by ports, descriptions included."""
    ec2, answer = backend(call), call.forward()
    for row in answer.get("SecurityGroups") or []:
        owner = group(ec2, row["GroupId"])
        row["IpPermissions"] = _permissions(owner.ingress_rules)
        row["IpPermissionsEgress"] = _permissions(owner.egress_rules)
    return answer


def _permissions(rules: list[SecurityGroupRule]) -> list[dict[str, Any]]:
    lists = {
        "CidrIp": "IpRanges",
        "CidrIpv6": "Ipv6Ranges",
        "GroupId": "UserIdGroupPairs",
        "PrefixListId": "PrefixListIds",
    }
    rows: dict[Any, dict[str, Any]] = {}
    for rule in rules:
        key = (rule.ip_protocol, rule.from_port, rule.to_port)
        row = rows.setdefault(key, {"IpProtocol": rule.ip_protocol, **{name: [] for name in lists.values()}})
        if rule.from_port is not None:
            row |= {"FromPort": rule.from_port, "ToPort": rule.to_port}
        kind, target = target_of(rule)
        item = {kind: target, "Description": description_of(rule)}
        row[lists[kind]].append(item | ({"UserId": settings.ACCOUNT} if kind == "GroupId" else {}))
    return list(rows.values())


@handles("ec2:AuthorizeSecurityGroupIngress", "ec2:AuthorizeSecurityGroupEgress")
def authorize(call: Call) -> dict[str, Any]:
    """Add rules, all or none."""
    ec2, egress = backend(call), call.target.operation.endswith("Egress")
    owner = _group(call)
    tags = tags_for(call.params, "security-group-rule")
    wanted = _requested(call)
    rules = rules_of(owner, egress)
    for position, (one, _) in enumerate(wanted):
        _check_target(ec2, one)
        repeated = any(one == other for other, _ in wanted[:position])
        if repeated or any(one.matches(rule) for rule in rules):
            raise AwsError("InvalidPermission.Duplicate", f'the specified rule "{_text(one)}" already exists')
    if len(rules) + len(wanted) > MOST_RULES:
        raise AwsError(
            "RulesPerSecurityGroupLimitExceeded", "The maximum number of rules per security group has been reached."
        )
    made = [add_rule(ec2, owner, egress, one, description, tags) for one, description in wanted]
    return {"Return": True, "SecurityGroupRules": [row_of(ec2, rule) for rule in made]}


def _text(one: Wanted) -> str:
    return f"peer: {one.target}, {one.protocol}, from port: {one.from_port}, to port: {one.to_port}, ALLOW"


def _group(call: Call) -> Any:
    ec2, params = backend(call), call.params
    if params.get("GroupId"):
        return group(ec2, params["GroupId"])
    found = ec2.get_security_group_from_name(params.get("GroupName"), ec2.default_vpc.id)
    if found is None:
        raise AwsError("InvalidGroup.NotFound", f"The security group '{params.get('GroupName')}' does not exist")
    return found


def _requested(call: Call) -> list[tuple[Wanted, str | None]]:
    """The rules a request spells out, in its own order."""
    permissions = list(call.params.get("IpPermissions") or [])
    if call.params.get("CidrIp"):
        short = {key: call.params.get(key) for key in ("IpProtocol", "FromPort", "ToPort")}
        permissions.append(short | {"IpRanges": [{"CidrIp": call.params["CidrIp"]}]})
    wanted: list[tuple[Wanted, str | None]] = []
    for one in permissions:
        wanted += _expand(call, one)
    if not wanted:
        raise AwsError(
            "MissingParameter", "The request must contain the parameter ipPermissions with a source or destination."
        )
    return wanted


def _expand(call: Call, permission: dict[str, Any]) -> list[tuple[Wanted, str | None]]:
    protocol, low, high = _ports(permission)
    items = [("CidrIp", one) for one in permission.get("IpRanges") or []]
    items += [("CidrIpv6", one) for one in permission.get("Ipv6Ranges") or []]
    items += [("GroupId", one) for one in permission.get("UserIdGroupPairs") or []]
    items += [("PrefixListId", one) for one in permission.get("PrefixListIds") or []]
    return [(Wanted(protocol, low, high, kind, one[kind]), one.get("Description")) for kind, one in items]


def _ports(permission: dict[str, Any]) -> tuple[str, int | None, int | None]:
    protocol = str(permission.get("IpProtocol", "")).lower()
    protocol = PROTOCOLS.get(protocol, protocol)
    if protocol == "-1":
        return protocol, None, None
    low, high = permission.get("FromPort"), permission.get("ToPort")
    if protocol in ("tcp", "udp"):
        if low is None or high is None:
            raise AwsError(
                "InvalidParameterValue",
                f"Invalid value 'null' for portRange. Must specify both from and to ports with {protocol}.",
            )
        if not (0 <= int(low) <= int(high) <= 65535):
            raise AwsError("InvalidParameterValue", f"Invalid TCP/UDP port range ({low}:{high})")
    return protocol, int(low if low is not None else -1), int(high if high is not None else -1)


def _check_target(ec2: Any, one: Wanted) -> None:
    if one.kind == "GroupId":
        group(ec2, one.target)
    elif one.kind == "PrefixListId" and one.target not in ec2.managed_prefix_lists:
        raise AwsError("InvalidPrefixListID.NotFound", f"The prefix list ID '{one.target}' does not exist")
    elif one.kind.startswith("Cidr"):
        _check_cidr(one.target)


def _check_cidr(cidr: str) -> None:
    import ipaddress

    try:
        network = ipaddress.ip_network(cidr)
    except ValueError:
        network = None
    if network is None or "/" not in cidr:
        raise AwsError("InvalidParameterValue", f"CIDR block {cidr} is malformed")


def row_of(ec2: Any, rule: SecurityGroupRule) -> dict[str, Any]:
    """A rule as its own resource."""
    kind, target = target_of(rule)
    row = {
        "SecurityGroupRuleId": rule.id,
        "SecurityGroupRuleArn": f"arn:aws:ec2:{ec2.region_name}:{settings.ACCOUNT}:security-group-rule/{rule.id}",
        "GroupId": rule.group_id,
        "GroupOwnerId": settings.ACCOUNT,
        "IsEgress": rule.is_egress,
        "IpProtocol": rule.ip_protocol,
        "FromPort": -1 if rule.from_port is None else rule.from_port,
        "ToPort": -1 if rule.to_port is None else rule.to_port,
        "Description": description_of(rule),
        "Tags": tag_list(ec2, rule.id),
    }
    if kind == "GroupId":
        row["ReferencedGroupInfo"] = {"GroupId": target, "UserId": settings.ACCOUNT}
    else:
        row[{"CidrIp": "CidrIpv4"}.get(kind, kind)] = target
    return row


@handles("ec2:DescribeSecurityGroupRules")
def describe_rules(call: Call) -> dict[str, Any]:
    """List rules of all groups."""
    ec2 = backend(call)
    rows = [row_of(ec2, rule) for owner in all_groups(ec2) for rule in owner.ingress_rules + owner.egress_rules]
    wanted = call.params.get("SecurityGroupRuleIds") or []
    known = {row["SecurityGroupRuleId"] for row in rows}
    for one in wanted:
        if one not in known:
            raise _no_rule(one)
    rows = [row for row in rows if not wanted or row["SecurityGroupRuleId"] in wanted]
    fields = {
        "group-id": lambda row: row["GroupId"],
        "security-group-rule-id": lambda row: row["SecurityGroupRuleId"],
    }
    return {"SecurityGroupRules": filtered(call, rows, fields)}


def _no_rule(rule_id: str) -> AwsError:
    return AwsError("InvalidSecurityGroupRuleId.NotFound", f"The security group rule ID '{rule_id}' does not exist")


@handles("ec2:RevokeSecurityGroupIngress", "ec2:RevokeSecurityGroupEgress")
def revoke(call: Call) -> dict[str, Any]:
    """Remove rules by id or by what they say, all or none."""
    ec2, egress = backend(call), call.target.operation.endswith("Egress")
    owner = _group(call)
    rules = rules_of(owner, egress)
    doomed = []
    for rule_id in call.params.get("SecurityGroupRuleIds") or []:
        found = next((rule for rule in rules if rule.id == rule_id), None)
        if found is None:
            raise _no_rule(rule_id)
        doomed.append(found)
    if not call.params.get("SecurityGroupRuleIds"):
        for one, _ in _requested(call):
            found = next((rule for rule in rules if one.matches(rule)), None)
            if found is None:
                raise AwsError(
                    "InvalidPermission.NotFound", "The specified rule does not exist in this security group."
                )
            doomed.append(found)
    rows = [_revoked(row_of(ec2, rule)) for rule in doomed]
    rules[:] = [rule for rule in rules if not any(rule is one for one in doomed)]
    for rule in doomed:
        ec2.tags.pop(rule.id, None)
    return {"Return": True, "RevokedSecurityGroupRules": rows}


def _revoked(row: dict[str, Any]) -> dict[str, Any]:
    reference = row.pop("ReferencedGroupInfo", None)
    return row | ({"ReferencedGroupId": reference["GroupId"]} if reference else {})


@handles("ec2:ModifySecurityGroupRules")
def modify(call: Call) -> dict[str, Any]:
    """Rewrite rules in place; they keep their ids and tags."""
    ec2, owner = backend(call), _group(call)
    changes = []
    for item in call.params.get("SecurityGroupRules") or []:
        rules = owner.ingress_rules + owner.egress_rules
        rule = next((one for one in rules if one.id == item["SecurityGroupRuleId"]), None)
        if rule is None:
            raise _no_rule(item["SecurityGroupRuleId"])
        new = item.get("SecurityGroupRule") or {}
        wanted = _modified(new)
        _check_target(ec2, wanted)
        if any(wanted.matches(other) for other in rules_of(owner, rule.is_egress) if other is not rule):
            raise AwsError("InvalidPermission.Duplicate", f'the specified rule "{_text(wanted)}" already exists')
        changes.append((rule, wanted, new.get("Description")))
    for rule, wanted, description in changes:
        rule.ip_protocol, rule.from_port, rule.to_port = wanted.protocol, wanted.from_port, wanted.to_port
        set_target(rule, wanted.kind, wanted.target, description)
    return {"Return": True}


def _modified(new: dict[str, Any]) -> Wanted:
    protocol, low, high = _ports(new)
    kinds = {
        "CidrIpv4": "CidrIp",
        "CidrIpv6": "CidrIpv6",
        "ReferencedGroupId": "GroupId",
        "PrefixListId": "PrefixListId",
    }
    given = [(kind, new[key]) for key, kind in kinds.items() if new.get(key)]
    if len(given) != 1:
        message = "You must specify exactly one of the following parameters: CidrIpv4, CidrIpv6, PrefixListId or ReferencedGroupId."
        raise AwsError("InvalidParameterCombination" if given else "MissingParameter", message)
    return Wanted(protocol, low, high, *given[0])


@handles("ec2:UpdateSecurityGroupRuleDescriptionsIngress", "ec2:UpdateSecurityGroupRuleDescriptionsEgress")
def update_descriptions(call: Call) -> dict[str, Any]:
    """Change descriptions only."""
    owner = _group(call)
    rules = rules_of(owner, call.target.operation.endswith("Egress"))
    for item in call.params.get("SecurityGroupRuleDescriptions") or []:
        rule = next((one for one in rules if one.id == item["SecurityGroupRuleId"]), None)
        if rule is None:
            raise _no_rule(item["SecurityGroupRuleId"])
        rule.note = item.get("Description")  # type: ignore[attr-defined]
    if call.params.get("IpPermissions"):
        for one, description in _requested(call):
            for rule in rules:
                if one.matches(rule):
                    rule.note = description  # type: ignore[attr-defined]
    return {"Return": True}


@handles("ec2:DeleteSecurityGroup")
def delete(call: Call) -> dict[str, Any]:
    """Delete a group with its tags and its rules' tags; the check of what depends on it ran before."""
    ec2 = backend(call)
    owner = _group(call)
    call.forward()
    for one in [owner, *owner.ingress_rules, *owner.egress_rules]:
        ec2.tags.pop(one.id, None)
    return {"Return": True, "GroupId": owner.id}
