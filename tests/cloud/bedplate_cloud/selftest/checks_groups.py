"""Checks of security groups and their rules."""

from typing import Any

from .harness import Cloud, Network, fails, fresh, row, tags


def port(number: int, **targets: Any) -> dict[str, Any]:
    """A permission for one TCP port."""
    return {"IpProtocol": "tcp", "FromPort": number, "ToPort": number, **targets}


def rules(net: Network, group: str) -> list[dict[str, Any]]:
    """A group's rules."""
    return net.ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])[
        "SecurityGroupRules"
    ]


ANYWHERE = [{"CidrIp": "0.0.0.0/0", "Description": "everyone"}]


@row("group-create")
def group_create(cloud: Cloud) -> None:
    net = Network(cloud)
    make = lambda **more: net.ec2.create_security_group(
        **{"GroupName": "g", "Description": "d", "VpcId": net.vpc} | more
    )
    assert make(TagSpecifications=tags("security-group", a="b"))["Tags"] == [{"Key": "a", "Value": "b"}]
    fails("InvalidGroup.Duplicate", make)
    fails("InvalidVpcID.NotFound", lambda: make(VpcId="vpc-0123456789abcdef0"))
    fails("InvalidParameterValue", lambda: make(GroupName="sg-mine"))


@row("group-default")
def group_default(cloud: Cloud) -> None:
    net = Network(cloud)
    filters = [{"Name": "vpc-id", "Values": [net.vpc]}, {"Name": "group-name", "Values": ["default"]}]
    default = net.ec2.describe_security_groups(Filters=filters)["SecurityGroups"][0]["GroupId"]
    found = {one["IsEgress"]: one for one in rules(net, default)}
    assert found[False]["ReferencedGroupInfo"]["GroupId"] == default
    assert found[True]["CidrIpv4"] == "0.0.0.0/0"
    net.ec2.revoke_security_group_ingress(GroupId=default, SecurityGroupRuleIds=[found[False]["SecurityGroupRuleId"]])
    net.ec2.revoke_security_group_egress(GroupId=default, SecurityGroupRuleIds=[found[True]["SecurityGroupRuleId"]])
    assert rules(net, default) == []
    fails("CannotDelete", lambda: net.ec2.delete_security_group(GroupId=default))


@row("rules-authorize")
def rules_authorize(cloud: Cloud) -> None:
    net = Network(cloud)
    group, peer = net.group(), net.group()
    permission = port(443, IpRanges=ANYWHERE, UserIdGroupPairs=[{"GroupId": peer, "Description": "peer"}])
    specification = tags("security-group-rule", a="b")
    add = lambda *what, **more: net.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=what, **more)
    made = add(permission, TagSpecifications=specification)["SecurityGroupRules"]
    assert [one["Description"] for one in made] == ["everyone", "peer"]
    assert all(one["Tags"] == [{"Key": "a", "Value": "b"}] for one in made)
    fails("InvalidPermission.Duplicate", lambda: add(port(80, IpRanges=ANYWHERE), permission))
    assert len(rules(net, group)) == 3
    fails("InvalidGroup.NotFound", lambda: add(port(1, UserIdGroupPairs=[{"GroupId": "sg-0123456789abcdef0"}])))
    described = net.ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissions"][0]
    assert described["UserIdGroupPairs"][0]["Description"] == "peer"
    everything = add({"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]})["SecurityGroupRules"][0]
    assert everything["FromPort"] == -1


@row("rules-revoke")
def rules_revoke(cloud: Cloud) -> None:
    net = Network(cloud)
    group = net.group()
    made = net.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[port(1, IpRanges=ANYWHERE)])
    unique = made["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    revoke = lambda *ids: net.ec2.revoke_security_group_ingress(GroupId=group, SecurityGroupRuleIds=list(ids))
    fails("InvalidSecurityGroupRuleId.NotFound", lambda: revoke(unique, "sgr-0123456789abcdef0"))
    assert revoke(unique)["RevokedSecurityGroupRules"][0]["SecurityGroupRuleId"] == unique
    assert [one["IsEgress"] for one in rules(net, group)] == [True]


@row("rules-modify")
def rules_modify(cloud: Cloud) -> None:
    net = Network(cloud)
    group, peer = net.group(), net.group()
    made = net.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[port(1, IpRanges=ANYWHERE)])
    unique = made["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    new = {"IpProtocol": "tcp", "FromPort": 2, "ToPort": 3, "ReferencedGroupId": peer, "Description": "new"}
    change = {"SecurityGroupRuleId": unique, "SecurityGroupRule": new}
    net.ec2.modify_security_group_rules(GroupId=group, SecurityGroupRules=[change])
    found = net.ec2.describe_security_group_rules(SecurityGroupRuleIds=[unique])["SecurityGroupRules"][0]
    assert "CidrIpv4" not in found
    assert (found["FromPort"], found["ToPort"], found["Description"]) == (2, 3, "new")
    assert found["ReferencedGroupInfo"]["GroupId"] == peer


@row("group-delete")
def group_delete(cloud: Cloud) -> None:
    net = Network(cloud)
    group, peer = net.group(), net.group()
    net.ec2.authorize_security_group_ingress(
        GroupId=group, IpPermissions=[port(1, UserIdGroupPairs=[{"GroupId": peer}])]
    )
    fails("DependencyViolation", lambda: net.ec2.delete_security_group(GroupId=peer))
    endpoint = net.endpoint(SecurityGroupIds=[group])["VpcEndpointId"]
    fails("DependencyViolation", lambda: net.ec2.delete_security_group(GroupId=group))
    net.ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint])
    cloud.advance()
    cloud.advance()
    net.ec2.delete_security_group(GroupId=group)
    net.ec2.delete_security_group(GroupId=peer)


@row("rules-filter")
def rules_filter(cloud: Cloud) -> None:
    net, value = Network(cloud), fresh("value")
    group = net.group()
    specification = tags("security-group-rule", check=value)
    made = net.ec2.authorize_security_group_egress(
        GroupId=group, IpPermissions=[port(1, IpRanges=[{"CidrIp": "10.0.0.0/8"}])], TagSpecifications=specification
    )["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    for name, one in (("tag:check", value), ("security-group-rule-id", made)):
        found = net.ec2.describe_security_group_rules(Filters=[{"Name": name, "Values": [one]}])["SecurityGroupRules"]
        assert [each["SecurityGroupRuleId"] for each in found] == [made]
    fails(
        "InvalidParameterValue", lambda: net.ec2.describe_security_group_rules(Filters=[{"Name": "x", "Values": ["y"]}])
    )
