"""Checks of EC2's network resources."""

from .harness import REGION, Cloud, Network, fails, fresh, row, tags

MISSING_SUBNET = "subnet-0123456789abcdef0"


@row("dry-run")
def dry_run(cloud: Cloud) -> None:
    ec2 = cloud.client("ec2")
    error = fails("DryRunOperation", lambda: ec2.create_vpc(CidrBlock="10.9.0.0/16", DryRun=True))
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 412
    assert not ec2.describe_vpcs(Filters=[{"Name": "cidr", "Values": ["10.9.0.0/16"]}])["Vpcs"]


@row("token-ec2")
def tokens(cloud: Cloud) -> None:
    net = Network(cloud)
    ec2, token, address = net.ec2, fresh("token"), net.address()
    first = net.nat(AllocationId=address, ClientToken=token)
    assert net.nat(AllocationId=address, ClientToken=token)["NatGatewayId"] == first["NatGatewayId"]
    fails("IdempotentParameterMismatch", lambda: net.nat(AllocationId=net.address(), ClientToken=token))
    endpoint = net.endpoint(ClientToken=token)["VpcEndpointId"]
    assert net.endpoint(ClientToken=token)["VpcEndpointId"] == endpoint
    table = [ec2.create_route_table(VpcId=net.vpc, ClientToken=token)["RouteTable"]["RouteTableId"] for _ in range(2)]
    assert table[0] == table[1]
    name = fresh("template")
    make = lambda: ec2.create_launch_template(
        LaunchTemplateName=name, LaunchTemplateData={"InstanceType": "t3.medium"}, ClientToken=token
    )
    assert make()["LaunchTemplate"]["LaunchTemplateId"] == make()["LaunchTemplate"]["LaunchTemplateId"]


@row("token-outlives")
def token_outlives(cloud: Cloud) -> None:
    net = Network(cloud)
    token, address = fresh("token"), net.address()
    first = net.nat(AllocationId=address, ClientToken=token)["NatGatewayId"]
    cloud.advance()
    net.ec2.delete_nat_gateway(NatGatewayId=first)
    cloud.advance()
    assert net.nat(AllocationId=address, ClientToken=token)["NatGatewayId"] == first
    assert net.nat_state(first) == "deleted"
    fails("IdempotentParameterMismatch", lambda: net.nat(AllocationId=net.address(), ClientToken=token))


@row("nat-states")
def nat_states(cloud: Cloud) -> None:
    net = Network(cloud)
    nat = net.nat()
    assert nat["State"] == "pending"
    assert net.nat_state(nat["NatGatewayId"]) == "pending"
    cloud.advance()
    assert net.nat_state(nat["NatGatewayId"]) == "available"
    net.ec2.delete_nat_gateway(NatGatewayId=nat["NatGatewayId"])
    assert net.nat_state(nat["NatGatewayId"]) == "deleting"
    cloud.advance()
    assert net.nat_state(nat["NatGatewayId"]) == "deleted"
    cloud.advance(4000)
    fails("NatGatewayNotFound", lambda: net.nat_state(nat["NatGatewayId"]))


@row("nat-failure")
def nat_failure(cloud: Cloud) -> None:
    net = Network(cloud)
    address = net.address()
    net.nat(AllocationId=address)
    second = net.nat(AllocationId=address)["NatGatewayId"]
    cloud.advance()
    found = net.ec2.describe_nat_gateways(NatGatewayIds=[second])["NatGateways"][0]
    assert (found["State"], found["FailureCode"]) == ("failed", "Resource.AlreadyAssociated")
    vpc = net.ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
    subnet = net.ec2.create_subnet(VpcId=vpc, CidrBlock="10.7.0.0/24")["Subnet"]["SubnetId"]
    third = net.nat(SubnetId=subnet)["NatGatewayId"]
    cloud.advance()
    assert (
        net.ec2.describe_nat_gateways(NatGatewayIds=[third])["NatGateways"][0]["FailureCode"] == "Gateway.NotAttached"
    )


@row("nat-references")
def nat_references(cloud: Cloud) -> None:
    net = Network(cloud)
    fails("InvalidSubnetID.NotFound", lambda: net.nat(SubnetId=MISSING_SUBNET))
    fails("InvalidAllocationID.NotFound", lambda: net.nat(AllocationId="eipalloc-0123456789abcdef0"))
    fails("NatGatewayNotFound", lambda: net.ec2.delete_nat_gateway(NatGatewayId="nat-0123456789abcdef0"))


@row("nat-filters")
def nat_filters(cloud: Cloud) -> None:
    net, value = Network(cloud), fresh("value")
    nat = net.nat(TagSpecifications=tags("natgateway", check=value))["NatGatewayId"]
    net.nat()
    find = lambda name, one: net.ec2.describe_nat_gateways(Filters=[{"Name": name, "Values": [one]}])["NatGateways"]
    assert [one["NatGatewayId"] for one in find("tag:check", value)] == [nat]
    assert find("tag:check", "other") == []


@row("nat-interface")
def nat_interface(cloud: Cloud) -> None:
    net = Network(cloud)
    address = net.address()
    nat = net.nat(AllocationId=address)["NatGatewayId"]
    cloud.advance()
    interface = net.ec2.describe_nat_gateways(NatGatewayIds=[nat])["NatGateways"][0]["NatGatewayAddresses"][0][
        "NetworkInterfaceId"
    ]
    fails("DependencyViolation", lambda: net.ec2.delete_subnet(SubnetId=net.public))
    fails("InvalidIPAddress.InUse", lambda: net.ec2.release_address(AllocationId=address))
    fails("InvalidParameterValue", lambda: net.ec2.delete_network_interface(NetworkInterfaceId=interface))
    association = net.ec2.describe_addresses(AllocationIds=[address])["Addresses"][0]["AssociationId"]
    fails("AuthFailure", lambda: net.ec2.disassociate_address(AssociationId=association))
    net.ec2.delete_nat_gateway(NatGatewayId=nat)
    fails("InvalidIPAddress.InUse", lambda: net.ec2.release_address(AllocationId=address))
    cloud.advance()
    net.ec2.release_address(AllocationId=address)
    net.ec2.delete_subnet(SubnetId=net.public)


@row("route-blackhole")
def route_blackhole(cloud: Cloud) -> None:
    net = Network(cloud)
    nat = net.nat()["NatGatewayId"]
    table = net.ec2.create_route_table(VpcId=net.vpc)["RouteTable"]["RouteTableId"]
    net.ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=nat)
    net.ec2.delete_nat_gateway(NatGatewayId=nat)
    cloud.advance()
    routes = net.ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]
    assert {one["State"] for one in routes if one.get("NatGatewayId") == nat} == {"blackhole"}


@row("route-targets")
def route_targets(cloud: Cloud) -> None:
    net, other = Network(cloud), Network(cloud)
    route = lambda **target: net.ec2.create_route(
        RouteTableId=net.table, DestinationCidrBlock="192.168.0.0/16", **target
    )
    fails("InvalidNatGatewayID.NotFound", lambda: route(NatGatewayId="nat-0123456789abcdef0"))
    fails("InvalidGatewayID.NotFound", lambda: route(GatewayId="igw-0123456789abcdef0"))
    fails("InvalidParameterValue", lambda: route(GatewayId=other.gateway))


@row("route-association")
def route_association(cloud: Cloud) -> None:
    net = Network(cloud)
    table = net.ec2.create_route_table(VpcId=net.vpc)["RouteTable"]["RouteTableId"]
    fails("Resource.AlreadyAssociated", lambda: net.ec2.associate_route_table(RouteTableId=table, SubnetId=net.public))
    fails("DependencyViolation", lambda: net.ec2.delete_route_table(RouteTableId=net.table))
    main = net.ec2.describe_route_tables(
        Filters=[{"Name": "vpc-id", "Values": [net.vpc]}, {"Name": "association.main", "Values": ["true"]}]
    )["RouteTables"][0]["RouteTableId"]
    fails("DependencyViolation", lambda: net.ec2.delete_route_table(RouteTableId=main))


@row("igw-attach")
def igw_attach(cloud: Cloud) -> None:
    net = Network(cloud)
    second = net.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    fails("InvalidParameterValue", lambda: net.ec2.attach_internet_gateway(InternetGatewayId=second, VpcId=net.vpc))


@row("igw-detach")
def igw_detach(cloud: Cloud) -> None:
    net = Network(cloud)
    nat = net.nat()["NatGatewayId"]
    detach = lambda: net.ec2.detach_internet_gateway(InternetGatewayId=net.gateway, VpcId=net.vpc)
    fails("DependencyViolation", detach)
    net.ec2.delete_nat_gateway(NatGatewayId=nat)
    cloud.advance()
    detach()


@row("vpc-delete")
def vpc_delete(cloud: Cloud) -> None:
    net = Network(cloud)
    ec2, delete = net.ec2, lambda: net.ec2.delete_vpc(VpcId=net.vpc)
    fails("DependencyViolation", delete)
    for one in [net.public, *net.private]:
        ec2.delete_subnet(SubnetId=one)
    fails("DependencyViolation", delete)
    ec2.detach_internet_gateway(InternetGatewayId=net.gateway, VpcId=net.vpc)
    fails("DependencyViolation", delete)
    ec2.delete_route_table(RouteTableId=net.table)
    group = net.group()
    fails("DependencyViolation", delete)
    ec2.delete_security_group(GroupId=group)
    options = ec2.create_dhcp_options(DhcpConfigurations=[{"Key": "domain-name", "Values": ["x.test"]}])["DhcpOptions"][
        "DhcpOptionsId"
    ]
    ec2.associate_dhcp_options(DhcpOptionsId=options, VpcId=net.vpc)
    delete()
    inventory = cloud.control("GET", "inventory")
    assert options in inventory["ec2.dhcp-options"]
    assert not ec2.describe_network_acls(Filters=[{"Name": "vpc-id", "Values": [net.vpc]}])["NetworkAcls"]


@row("subnet-defaults")
def subnet_defaults(cloud: Cloud) -> None:
    net = Network(cloud)
    made = net.ec2.create_subnet(VpcId=net.vpc, CidrBlock="10.0.50.0/24", AvailabilityZoneId="use1-az2")["Subnet"]
    assert made["MapPublicIpOnLaunch"] is False
    assert made["DefaultForAz"] is False
    assert made["AvailabilityZone"] == f"{REGION}d"
    fails("InvalidParameterValue", lambda: net.subnet(51, "x"))


@row("attributes-one")
def attributes_one(cloud: Cloud) -> None:
    net = Network(cloud)
    on = {"Value": True}
    fails(
        "InvalidParameterCombination",
        lambda: net.ec2.modify_vpc_attribute(VpcId=net.vpc, EnableDnsSupport=on, EnableDnsHostnames=on),
    )
    net.ec2.modify_vpc_attribute(VpcId=net.vpc, EnableDnsSupport=on)


@row("tags-reserved")
def tags_reserved(cloud: Cloud) -> None:
    net = Network(cloud)
    tag = [{"Key": "aws:mine", "Value": "x"}]
    fails("InvalidParameterValue", lambda: net.ec2.create_tags(Resources=[net.vpc], Tags=tag))


@row("zones")
def zones(cloud: Cloud) -> None:
    ec2 = cloud.client("ec2")
    found = {one["ZoneName"]: one["ZoneId"] for one in ec2.describe_availability_zones()["AvailabilityZones"]}
    assert len(found) == 6
    assert found[f"{REGION}e"] == "use1-az3"
    filters = [{"Name": "zone-type", "Values": ["local-zone"]}]
    assert not ec2.describe_availability_zones(Filters=filters)["AvailabilityZones"]
    assert ec2.describe_availability_zones(Filters=filters, AllAvailabilityZones=True)["AvailabilityZones"]
    fails("InvalidParameterValue", lambda: ec2.describe_availability_zones(ZoneNames=["us-east-1x"]))


@row("addresses")
def addresses(cloud: Cloud) -> None:
    net = Network(cloud)
    found = net.ec2.describe_addresses(AllocationIds=[net.address()])["Addresses"][0]
    assert "NetworkInterfaceId" not in found
    assert "InstanceId" not in found
    assert found["NetworkBorderGroup"] == REGION
    assert not found["PublicIp"].startswith("127.")


@row("tags-end")
def tags_end(cloud: Cloud) -> None:
    net, value = Network(cloud), fresh("value")
    table = net.ec2.create_route_table(VpcId=net.vpc, TagSpecifications=tags("route-table", check=value))["RouteTable"][
        "RouteTableId"
    ]
    address = net.ec2.allocate_address(Domain="vpc", TagSpecifications=tags("elastic-ip", check=value))["AllocationId"]
    find = lambda: net.ec2.describe_tags(Filters=[{"Name": "value", "Values": [value]}])["Tags"]
    assert {one["ResourceType"] for one in find()} == {"route-table", "elastic-ip"}
    net.ec2.delete_route_table(RouteTableId=table)
    net.ec2.release_address(AllocationId=address)
    assert find() == []


@row("endpoint-states")
def endpoint_states(cloud: Cloud) -> None:
    net = Network(cloud)
    made = net.endpoint()
    state = lambda: net.ec2.describe_vpc_endpoints(VpcEndpointIds=[made["VpcEndpointId"]])["VpcEndpoints"][0]["State"]
    assert made["State"] == "pending"
    cloud.advance()
    assert state() == "available"
    net.ec2.delete_vpc_endpoints(VpcEndpointIds=[made["VpcEndpointId"]])
    assert state() == "deleting"
    fails("DependencyViolation", lambda: net.ec2.delete_subnet(SubnetId=net.private[0]))
    cloud.advance()
    fails("InvalidVpcEndpointId.NotFound", state)


@row("endpoint-linger")
def endpoint_linger(cloud: Cloud) -> None:
    with Cloud("--durations", "vpc-endpoint.delete=1,vpc-endpoint.linger=100") as slow:
        net = Network(slow)
        made = net.endpoint()["VpcEndpointId"]
        net.ec2.delete_vpc_endpoints(VpcEndpointIds=[made])
        slow.advance(10)
        fails("InvalidVpcEndpointId.NotFound", lambda: net.ec2.describe_vpc_endpoints(VpcEndpointIds=[made]))
        fails("DependencyViolation", lambda: net.ec2.delete_subnet(SubnetId=net.private[0]))
        slow.advance(100)
        net.ec2.delete_subnet(SubnetId=net.private[0])


@row("endpoint-details")
def endpoint_details(cloud: Cloud) -> None:
    net = Network(cloud)
    group = net.group()
    made = net.endpoint("ecr.api", SecurityGroupIds=[group])
    assert [one["GroupId"] for one in made["Groups"]] == [group]
    assert len(made["NetworkInterfaceIds"]) == 2
    assert f"api.ecr.{REGION}.amazonaws.com" in [one["DnsName"] for one in made["DnsEntries"]]
    assert "Allow" in made["PolicyDocument"]
    default = net.endpoint("ssm")["Groups"][0]["GroupName"]
    assert default == "default"


@row("endpoint-private-dns")
def endpoint_private_dns(cloud: Cloud) -> None:
    net = Network(cloud)
    net.endpoint("logs")
    fails("InvalidParameter", lambda: net.endpoint("logs"))
    net.endpoint("logs", PrivateDnsEnabled=False)
    net.ec2.modify_vpc_attribute(VpcId=net.vpc, EnableDnsHostnames={"Value": False})
    fails("InvalidParameter", lambda: net.endpoint("ec2"))


@row("endpoint-references")
def endpoint_references(cloud: Cloud) -> None:
    net = Network(cloud)
    fails("InvalidSubnetID.NotFound", lambda: net.endpoint(SubnetIds=[MISSING_SUBNET]))
    fails("InvalidGroup.NotFound", lambda: net.endpoint(SecurityGroupIds=["sg-0123456789abcdef0"]))
    fails("InvalidServiceName", lambda: net.endpoint("nonsense"))
    fails("InvalidVpcID.NotFound", lambda: net.endpoint(VpcId="vpc-0123456789abcdef0"))
    fails("DuplicateSubnetsInSameZone", lambda: net.endpoint(SubnetIds=[net.public, net.private[0]]))
    gone = net.ec2.delete_vpc_endpoints(VpcEndpointIds=["vpce-0123456789abcdef0"])["Unsuccessful"]
    assert gone[0]["Error"]["Code"] == "InvalidVpcEndpoint.NotFound"


@row("endpoint-modify")
def endpoint_modify(cloud: Cloud) -> None:
    net = Network(cloud)
    first, second = net.group(), net.group()
    made = net.endpoint(SecurityGroupIds=[first])["VpcEndpointId"]
    change = lambda **what: net.ec2.modify_vpc_endpoint(VpcEndpointId=made, **what)
    find = lambda: net.ec2.describe_vpc_endpoints(VpcEndpointIds=[made])["VpcEndpoints"][0]
    change(AddSecurityGroupIds=[second], RemoveSecurityGroupIds=[first])
    assert [one["GroupId"] for one in find()["Groups"]] == [second]
    interfaces = net.ec2.describe_network_interfaces(NetworkInterfaceIds=find()["NetworkInterfaceIds"])[
        "NetworkInterfaces"
    ]
    assert {group["GroupId"] for one in interfaces for group in one["Groups"]} == {second}
    net.ec2.delete_security_group(GroupId=first)
    change(RemoveSubnetIds=[net.private[1]])
    assert len(find()["NetworkInterfaceIds"]) == 1
    change(PrivateDnsEnabled=False, PolicyDocument='{"Statement":[]}')
    assert find()["PrivateDnsEnabled"] is False
    assert find()["PolicyDocument"] == '{"Statement":[]}'
    change(ResetPolicy=True)
    assert "Allow" in find()["PolicyDocument"]


@row("endpoint-gateway")
def endpoint_gateway(cloud: Cloud) -> None:
    net = Network(cloud)
    make = lambda: net.ec2.create_vpc_endpoint(
        VpcId=net.vpc, ServiceName=f"com.amazonaws.{REGION}.s3", VpcEndpointType="Gateway", RouteTableIds=[net.table]
    )["VpcEndpoint"]["VpcEndpointId"]
    made = make()
    prefix = net.ec2.describe_managed_prefix_lists(
        Filters=[{"Name": "prefix-list-name", "Values": [f"com.amazonaws.{REGION}.s3"]}]
    )["PrefixLists"][0]["PrefixListId"]
    routes = lambda table: net.ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]
    added = lambda table: [
        one for one in routes(table) if one.get("DestinationPrefixListId") == prefix and one["GatewayId"] == made
    ]
    assert added(net.table)
    fails("RouteAlreadyExists", make)
    second = net.ec2.create_route_table(VpcId=net.vpc)["RouteTable"]["RouteTableId"]
    net.ec2.modify_vpc_endpoint(VpcEndpointId=made, AddRouteTableIds=[second], RemoveRouteTableIds=[net.table])
    assert added(second) and not added(net.table)
    net.ec2.delete_vpc_endpoints(VpcEndpointIds=[made])
    assert not added(second)


@row("endpoint-services")
def endpoint_services(cloud: Cloud) -> None:
    ec2 = cloud.client("ec2")
    names = [f"com.amazonaws.{REGION}.{one}" for one in ("s3", "eks", "ecr.dkr", "sts")]
    found = ec2.describe_vpc_endpoint_services(ServiceNames=names)["ServiceDetails"]
    kinds = sorted((one["ServiceName"].split(".")[-1], one["ServiceType"][0]["ServiceType"]) for one in found)
    assert kinds == [
        ("dkr", "Interface"),
        ("eks", "Interface"),
        ("s3", "Gateway"),
        ("s3", "Interface"),
        ("sts", "Interface"),
    ]
    filters = [{"Name": "service-type", "Values": ["Gateway"]}]
    assert len(ec2.describe_vpc_endpoint_services(Filters=filters)["ServiceDetails"]) == 2


@row("flow-logs")
def flow_logs(cloud: Cloud) -> None:
    net, token, logs = Network(cloud), fresh("token"), cloud.client("logs")
    name = f"/{fresh('flow')}"
    logs.create_log_group(logGroupName=name)
    make = lambda: net.ec2.create_flow_logs(
        ResourceIds=[net.vpc],
        ResourceType="VPC",
        TrafficType="ALL",
        LogDestinationType="cloud-watch-logs",
        LogDestination=f"arn:aws:logs:{REGION}:797923187401:log-group:{name}",
        DeliverLogsPermissionArn="arn:aws:iam::797923187401:role/flow",
        ClientToken=token,
        TagSpecifications=tags("vpc-flow-log", check=token),
    )["FlowLogIds"]
    assert make() == make()
    found = net.ec2.describe_flow_logs(Filter=[{"Name": "tag:check", "Values": [token]}])["FlowLogs"][0]
    assert (found["LogGroupName"], found["DeliverLogsStatus"]) == (name, "SUCCESS")
