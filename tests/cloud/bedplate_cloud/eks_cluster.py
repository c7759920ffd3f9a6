"""EKS clusters: creation, updates one at a time, deletion."""

import secrets
from typing import Any

from moto.kms.models import kms_backends

from . import clock, eks, kubernetes_server, propagation, settings, switches
from .ec2 import all_groups, backend_of, group, managed_interface, remove_interface, subnet
from .ec2_groups import Wanted, add_rule
from .eks import Cluster, Document, as_text
from .eks_versions import VERSIONS, minor, platform_version
from .errors import AwsError
from .gateway import Call
from .registry import handles

LOG_TYPES = ["api", "audit", "authenticator", "controllerManager", "scheduler"]
# Zones in which EKS places no control plane, by id, because only the id is the same place in every account.
REFUSED_ZONES = {"use1-az3", "usw1-az2", "cac1-az3"}
MODES = ["CONFIG_MAP", "API_AND_CONFIG_MAP", "API"]


@handles("eks:CreateCluster")
def create(call: Call) -> dict[str, Any]:
    """Start a cluster."""
    params, name = call.params, call.params["name"]
    existing = eks.clusters.get((call.region, name))
    if existing is not None:
        if eks.replayed(call, existing.doc):
            return {"cluster": _shown(existing)}
        raise eks.in_use(f"Cluster already exists with name: {name}", clusterName=name)
    version = params.get("version") or next(key for key, one in VERSIONS.items() if one["defaultVersion"])
    if version not in VERSIONS:
        raise eks.invalid(f"unsupported Kubernetes version {version}", clusterName=name)
    _check_role(params["roleArn"], name)
    vpc_id = _check_network(call.region, params["resourcesVpcConfig"], name)
    _check_encryption(call.region, params.get("encryptionConfig") or [])
    new = Cluster(call.region, _document(call, version, vpc_id))
    eks.clusters[call.region, name] = new
    eks.ensure_service_linked_role("eks.amazonaws.com")
    _network_parts(new)
    clock.later(settings.durations["cluster.create"], lambda: _created(new))
    return {"cluster": _shown(new)}


def _check_role(role_arn: str, name: str) -> None:
    found = eks.role(role_arn)
    if found is None or not eks.trusts(found, "eks.amazonaws.com"):
        message = f"Role with arn: {role_arn}, could not be assumed because it does not exist or the trusted entity is not correct"
        raise eks.invalid(message, clusterName=name)
    required = "arn:aws:iam::aws:policy/AmazonEKSClusterPolicy"
    if not settings.lenient and required not in propagation.attached(found):
        message = (
            "The provided role doesn't have the Amazon EKS Managed Policies associated with it. Please ensure the following "
            f"policy is attached: {required}"
        )
        raise eks.invalid(message, clusterName=name)


def _check_network(region: str, config: Document, name: str) -> str:
    ec2 = backend_of(region)
    subnets = [_known_subnet(ec2, one, name) for one in config.get("subnetIds") or []]
    if len({one.availability_zone for one in subnets}) < 2:
        raise eks.invalid("Subnets specified must be in at least two different AZs", clusterName=name)
    if len({one.vpc_id for one in subnets}) > 1:
        raise eks.invalid("Subnets specified must belong to the same VPC", clusterName=name)
    _check_zones(ec2, subnets, name)
    for one in config.get("securityGroupIds") or []:
        try:
            found = group(ec2, one)
        except AwsError as error:
            raise eks.invalid(error.message, clusterName=name) from None
        if found.vpc_id != subnets[0].vpc_id:
            raise eks.invalid(f"Security group {one} is not in the same VPC as the subnets", clusterName=name)
    _check_access(config, name)
    return subnets[0].vpc_id


def _known_subnet(ec2: Any, subnet_id: str, name: str) -> Any:
    try:
        return subnet(ec2, subnet_id)
    except AwsError as error:
        raise eks.invalid(error.message, clusterName=name) from None


def _check_room(ec2: Any, subnets: list[Any], name: str) -> None:
    full = switches.current.full_zones
    refused = [one for one in subnets if one.availability_zone_id in full]
    if not refused:
        return
    zone = refused[0].availability_zone
    valid = [one.name for one in ec2.describe_availability_zones() if one.zone_id not in {*REFUSED_ZONES, *full}]
    message = (
        f"Cannot create cluster '{name}' because {zone}, the targeted availability zone, does not currently have sufficient "
        f"capacity to support the cluster. Retry and choose from these availability zones: {', '.join(valid)}"
    )
    raise AwsError("UnsupportedAvailabilityZoneException", message, 400, clusterName=name, validZones=valid)


def _check_zones(ec2: Any, subnets: list[Any], name: str) -> None:
    _check_room(ec2, subnets, name)
    refused = [one for one in subnets if one.availability_zone_id in REFUSED_ZONES]
    if not refused:
        return
    zone = refused[0].availability_zone
    valid = [one.name for one in ec2.describe_availability_zones() if one.zone_id not in REFUSED_ZONES]
    message = (
        f"Cannot create cluster '{name}' because EKS does not support creating control plane instances in {zone}, the targeted "
        "availability zone. Retry cluster creation using control plane subnets that span at least two of these availability "
        f"zones: {', '.join(valid)}. Note, post cluster creation, you can run worker nodes in separate subnets/availability "
        "zones from control plane subnets/availability zones passed during cluster creation"
    )
    raise AwsError("UnsupportedAvailabilityZoneException", message, 400, clusterName=name, validZones=valid)


def _check_access(config: Document, name: str) -> None:
    if config.get("endpointPublicAccess") is False and not config.get("endpointPrivateAccess"):
        raise eks.invalid("Private and public endpoint access cannot both be set to false", clusterName=name)
    import ipaddress

    for one in config.get("publicAccessCidrs") or []:
        try:
            network = ipaddress.ip_network(one)
        except ValueError:
            network = None
        if network is None or (network.is_private and str(network) != "0.0.0.0/0" and not _documentation(one)):
            raise eks.invalid(f"The following CIDRs are invalid in publicAccessCidrs: [{one}]", clusterName=name)


def _documentation(cidr: str) -> bool:
    """Python calls the documentation networks private; EKS takes them."""
    return cidr.startswith(("192.0.2.", "198.51.100.", "203.0.113."))


def _check_encryption(region: str, configs: list[Document]) -> None:
    for one in configs:
        key_arn = one.get("provider", {}).get("keyArn", "")
        if one.get("resources") != ["secrets"]:
            raise eks.invalid("Encryption config resources must be [secrets]")
        key = kms_backends[settings.ACCOUNT][region].keys.get(key_arn.rpartition("/")[2])
        if key is None or key.key_state != "Enabled":
            raise eks.invalid(f"Invalid keyArn in encryption config: {key_arn} does not exist or is not enabled")


def _document(call: Call, version: str, vpc_id: str) -> Document:
    params, region = call.params, call.region
    access = params.get("accessConfig") or {}
    network = params.get("kubernetesNetworkConfig") or {}
    compute = params.get("computeConfig") or {"enabled": False}
    doc = {
        "name": params["name"],
        "arn": eks.arn(region, f"cluster/{params['name']}"),
        "createdAt": clock.timestamp(),
        "version": version,
        "roleArn": params["roleArn"],
        "resourcesVpcConfig": _vpc_config(params["resourcesVpcConfig"], vpc_id),
        "kubernetesNetworkConfig": {
            "serviceIpv4Cidr": network.get("serviceIpv4Cidr") or _service_cidr(region, vpc_id),
            "ipFamily": network.get("ipFamily") or "ipv4",
            "elasticLoadBalancing": network.get("elasticLoadBalancing") or {"enabled": False},
        },
        "logging": logging_of(enabled_logs(params.get("logging") or {})),
        "status": "CREATING",
        "platformVersion": platform_version(version),
        "health": {"issues": []},
        "accessConfig": {
            "authenticationMode": access.get("authenticationMode") or "CONFIG_MAP",
            "bootstrapClusterCreatorAdminPermissions": access.get("bootstrapClusterCreatorAdminPermissions", True),
        },
        "upgradePolicy": {"supportType": (params.get("upgradePolicy") or {}).get("supportType") or "EXTENDED"},
        "zonalShiftConfig": {"enabled": bool((params.get("zonalShiftConfig") or {}).get("enabled"))},
        "deletionProtection": bool(params.get("deletionProtection")),
        "computeConfig": compute,
        "storageConfig": params.get("storageConfig") or {"blockStorage": {"enabled": False}},
        "controlPlaneScalingConfig": params.get("controlPlaneScalingConfig") or {"tier": "standard"},
    }
    if params.get("encryptionConfig"):
        doc["encryptionConfig"] = params["encryptionConfig"]
    if params.get("remoteNetworkConfig"):
        doc["remoteNetworkConfig"] = params["remoteNetworkConfig"]
    return eks.stamped(call, doc)


def _vpc_config(config: Document, vpc_id: str) -> Document:
    return {
        "subnetIds": list(config.get("subnetIds") or []),
        "securityGroupIds": list(config.get("securityGroupIds") or []),
        "vpcId": vpc_id,
        "endpointPublicAccess": config.get("endpointPublicAccess", True),
        "endpointPrivateAccess": config.get("endpointPrivateAccess", False),
        "publicAccessCidrs": config.get("publicAccessCidrs") or ["0.0.0.0/0"],
    }


def _service_cidr(region: str, vpc_id: str) -> str:
    """EKS takes the one of its two defaults that does not overlap the VPC."""
    return "172.20.0.0/16" if backend_of(region).vpcs[vpc_id].cidr_block.startswith("10.") else "10.100.0.0/16"


def enabled_logs(logging: Document) -> set[str]:
    """The log types a request turns on."""
    setups = logging.get("clusterLogging") or []
    return {kind for one in setups if one.get("enabled") for kind in one.get("types") or []}


def logging_of(enabled: set[str]) -> Document:
    """Logging as EKS shows it: the types that are on and the types that are off."""
    setups = []
    for state in (True, False):
        types = [kind for kind in LOG_TYPES if (kind in enabled) is state]
        if types:
            setups.append({"types": types, "enabled": state})
    return {"clusterLogging": setups}


def _network_parts(new: Cluster) -> None:
    """The cluster's own security group, and the control plane's interfaces in its subnets."""
    ec2, config = backend_of(new.region), new.doc["resourcesVpcConfig"]
    digits = "".join(secrets.choice("0123456789") for _ in range(10))
    name = f"eks-cluster-sg-{new.name}-{digits}"
    description = (
        "EKS created security group applied to ENI that is attached to EKS Control Plane master nodes, as well as any "
        "managed workloads."
    )
    tags = {"Name": name, f"kubernetes.io/cluster/{new.name}": "owned", "aws:eks:cluster-name": new.name}
    made = ec2.create_security_group(name, description, config["vpcId"], tags=tags)
    add_rule(ec2, made, False, Wanted("-1", None, None, "GroupId", made.id))
    config["clusterSecurityGroupId"] = made.id
    _place_interfaces(new)


def _place_interfaces(one: Cluster) -> None:
    ec2, config = backend_of(one.region), one.doc["resourcesVpcConfig"]
    for old in one.interfaces:
        remove_interface(ec2, old)
    groups = [config["clusterSecurityGroupId"], *config["securityGroupIds"]]
    description = f"Amazon EKS {one.name}"
    one.interfaces = [
        managed_interface(ec2, where, description, "interface", groups).id for where in config["subnetIds"][:4]
    ]


def _created(new: Cluster) -> None:
    if new.doc["status"] != "CREATING":
        return
    unique = secrets.token_hex(16).upper()
    new.doc |= {
        "status": "ACTIVE",
        "endpoint": kubernetes_server.start(new),
        "certificateAuthority": {"data": kubernetes_server.certificate_authority()},
        "identity": {"oidc": {"issuer": f"https://oidc.eks.{new.region}.amazonaws.com/id/{unique}"}},
    }
    access = new.doc["accessConfig"]
    if access["authenticationMode"] != "CONFIG_MAP" and access["bootstrapClusterCreatorAdminPermissions"]:
        from .eks_access import add_creator

        add_creator(new)


def _shown(one: Cluster) -> Document:
    doc = eks.public(one.doc)
    # What became of the creator is never told again; the access entries say it.
    doc["accessConfig"] = {"authenticationMode": doc["accessConfig"]["authenticationMode"]}
    if doc["status"] == "CREATING":
        # The group exists already, but EKS names it only once the cluster is up.
        config = {key: value for key, value in doc["resourcesVpcConfig"].items() if key != "clusterSecurityGroupId"}
        doc |= {"resourcesVpcConfig": config, "certificateAuthority": {}}
    return doc


@handles("eks:DescribeCluster")
def describe(call: Call) -> dict[str, Any]:
    """Show a cluster."""
    return {"cluster": _shown(eks.cluster(call, "name"))}


@handles("eks:ListClusters")
def list_all(call: Call) -> dict[str, Any]:
    """Name the region's clusters."""
    return {"clusters": sorted(name for region, name in eks.clusters if region == call.region)}


@handles("eks:DeleteCluster")
def delete(call: Call) -> dict[str, Any]:
    """Start deleting an empty cluster."""
    one = eks.cluster(call, "name")
    status, name = one.doc["status"], one.name
    if one.doc["deletionProtection"]:
        message = f"Cluster {name} cannot be deleted because deletion protection is enabled. Disable it and try again."
        raise eks.bad_request(message, clusterName=name)
    if one.nodegroups:
        raise eks.in_use("Cluster has nodegroups attached", clusterName=name)
    if one.profiles:
        raise eks.in_use("Cluster has fargate profiles attached", clusterName=name)
    if status in ("CREATING", "UPDATING", "DELETING"):
        raise eks.in_use(
            f"Cannot DeleteCluster because cluster {name} currently is in status {status}", clusterName=name
        )
    one.doc["status"] = "DELETING"
    clock.later(settings.durations["cluster.delete"], lambda: _deleted(one))
    return {"cluster": _shown(one)}


def _deleted(one: Cluster) -> None:
    kubernetes_server.stop(one)
    ec2 = backend_of(one.region)
    for interface in one.interfaces:
        remove_interface(ec2, interface)
    eks.clusters.pop((one.region, one.name), None)
    group_id = one.doc["resourcesVpcConfig"]["clusterSecurityGroupId"]
    doomed = ec2.get_security_group_from_id(group_id)
    if doomed is None:
        return
    rules = [
        rule for other in all_groups(ec2) if other is not doomed for rule in other.ingress_rules + other.egress_rules
    ]
    held = any(rule.source_group.get("GroupId") == group_id for rule in rules)
    held = held or any(doomed in interface.group_set for interface in ec2.enis.values())
    if not held:
        # A group that others still name stays behind, because EC2 refuses to delete it.
        ec2.delete_security_group(group_id=group_id)
        ec2.tags.pop(group_id, None)


def _idle(one: Cluster, kind: str) -> None:
    name, status = one.name, one.doc["status"]
    running = [update["id"] for update in one.updates if update["status"] == "InProgress" and update["_scope"] is None]
    if running:
        message = f"Cannot {kind} because cluster {name} currently has update {running[0]} in progress"
        raise eks.in_use(message, clusterName=name)
    if status != "ACTIVE":
        raise eks.in_use(f"Cannot {kind} because cluster {name} currently is in status {status}", clusterName=name)


@handles("eks:UpdateClusterConfig")
@eks.repeatable
def update_config(call: Call) -> dict[str, Any]:
    """Change one kind of setting."""
    one = eks.cluster(call, "name")
    given = {
        key: value
        for key, value in call.params.items()
        if key not in ("name", "clientRequestToken") and value is not None
    }
    # Auto mode is switched by three settings that only come together.
    kinds = {"computeConfig" if key in ("kubernetesNetworkConfig", "storageConfig") else key for key in given}
    vpc = given.get("resourcesVpcConfig")
    if vpc is not None and _touches_access(vpc) and (vpc.get("subnetIds") or vpc.get("securityGroupIds") is not None):
        kinds.add("endpoint access")
    if not kinds:
        raise eks.invalid("The type for cluster update was not provided.", clusterName=one.name)
    if len(kinds) > 1:
        raise eks.invalid("Only one type of update can be allowed.", clusterName=one.name)
    kind, params, changes = UPDATERS[kinds.pop()](one, given)
    _idle(one, kind)
    update = eks.start_update(
        call, one, one.doc, kind, params, settings.durations["cluster.update"], lambda: _apply(one, changes)
    )
    return {"update": eks.public_update(update)}


def _apply(one: Cluster, changes: Document) -> None:
    moved = changes.get("resourcesVpcConfig", {})
    one.doc |= {key: value for key, value in changes.items() if key != "resourcesVpcConfig"}
    one.doc["resourcesVpcConfig"] |= moved
    if "subnetIds" in moved or "securityGroupIds" in moved:
        _place_interfaces(one)


def _touches_access(config: Document) -> bool:
    keys = ("endpointPublicAccess", "endpointPrivateAccess", "publicAccessCidrs")
    return any(config.get(key) is not None for key in keys)


def _update_vpc(one: Cluster, given: Document) -> tuple[str, Document, Document]:
    old, wanted = one.doc["resourcesVpcConfig"], given["resourcesVpcConfig"]
    new = {key: value for key, value in wanted.items() if value is not None}
    merged = old | new
    _check_access(merged, one.name)
    if not _touches_access(wanted):
        _check_network(one.region, merged, one.name)
        if all(sorted(old[key]) == sorted(value) for key, value in new.items()):
            raise eks.invalid("No changes needed for the VPC config provided", clusterName=one.name)
        _check_same_zones(one, new.get("subnetIds"))
        params = {"Subnets": new.get("subnetIds"), "SecurityGroups": new.get("securityGroupIds")}
        return "VpcConfigUpdate", params, {"resourcesVpcConfig": new}
    if "publicAccessCidrs" in new and not new["publicAccessCidrs"]:
        new["publicAccessCidrs"] = ["0.0.0.0/0"]
    if all(_same(old[key], value) for key, value in new.items()):
        message = (
            f"Cluster is already at the desired configuration with endpointPrivateAccess: "
            f"{as_text(merged['endpointPrivateAccess'])} , endpointPublicAccess: {as_text(merged['endpointPublicAccess'])}, "
            f"and Public Endpoint Restrictions: [{', '.join(merged['publicAccessCidrs'])}]"
        )
        raise eks.invalid(message, clusterName=one.name)
    params = {
        "EndpointPublicAccess": merged["endpointPublicAccess"],
        "EndpointPrivateAccess": merged["endpointPrivateAccess"],
        "PublicAccessCidrs": merged["publicAccessCidrs"],
    }
    return "EndpointAccessUpdate", params, {"resourcesVpcConfig": new}


def _check_same_zones(one: Cluster, wanted: list[str] | None) -> None:
    ec2 = backend_of(one.region)
    zones = lambda ids: ",".join(sorted({subnet(ec2, it).availability_zone for it in ids}))
    given = zones(one.doc["resourcesVpcConfig"]["subnetIds"])
    if wanted and zones(wanted) != given:
        message = (
            f"Provided subnets belong to the AZs '{zones(wanted)}'. But they should belong to the exact set of AZs "
            f"'{given}' in which subnets were provided during cluster creation."
        )
        raise eks.invalid(message, clusterName=one.name)


def _same(old: Any, new: Any) -> bool:
    return sorted(old) == sorted(new) if isinstance(old, list) else old == new


def _update_logging(one: Cluster, given: Document) -> tuple[str, Document, Document]:
    old = enabled_logs(one.doc["logging"])
    setups = given["logging"].get("clusterLogging") or []
    off = {kind for setup in setups if not setup.get("enabled") for kind in setup.get("types") or []}
    new = (old | enabled_logs(given["logging"])) - off
    if new == old:
        raise eks.invalid("No changes needed for the logging config provided", clusterName=one.name)
    return "LoggingUpdate", {"ClusterLogging": given["logging"]}, {"logging": logging_of(new)}


def _update_access(one: Cluster, given: Document) -> tuple[str, Document, Document]:
    old, new = one.doc["accessConfig"]["authenticationMode"], given["accessConfig"].get("authenticationMode")
    if old == new:
        raise eks.invalid(
            f"No changes needed: the cluster's authentication mode is already {old}", clusterName=one.name
        )
    if MODES.index(new) != MODES.index(old) + 1:
        raise eks.invalid(f"Unsupported authentication mode update from {old} to {new}", clusterName=one.name)
    changes = {"accessConfig": one.doc["accessConfig"] | {"authenticationMode": new}}
    return "AccessConfigUpdate", {"AuthenticationMode": new}, changes


def _updater(key: str, kind: str, parameter: str) -> Any:
    """An updater for a setting that is replaced as a whole."""

    def update(one: Cluster, given: Document) -> tuple[str, Document, Document]:
        old, new = one.doc.get(key), given[key]
        merged = old | new if isinstance(old, dict) and isinstance(new, dict) else new
        if merged == old:
            raise eks.invalid(f"No changes needed for the {key} provided", clusterName=one.name)
        return kind, {parameter: new}, {key: merged}

    return update


def _update_auto_mode(one: Cluster, given: Document) -> tuple[str, Document, Document]:
    changes = {key: (one.doc.get(key) or {}) | value for key, value in given.items()}
    if all(one.doc.get(key) == value for key, value in changes.items()):
        raise eks.invalid("No changes needed for the compute config provided", clusterName=one.name)
    return "AutoModeUpdate", {"ComputeConfig": given.get("computeConfig")}, changes


_replace_policy = _updater("upgradePolicy", "UpgradePolicyUpdate", "UpgradePolicy")


def _update_support(one: Cluster, given: Document) -> tuple[str, Document, Document]:
    entered = VERSIONS[one.doc["version"]]["versionStatus"] == "EXTENDED_SUPPORT"
    if entered and given["upgradePolicy"].get("supportType") == "STANDARD":
        message = f"Extended support cannot be disabled: the cluster's version {one.doc['version']} is in it already"
        raise eks.invalid(message, clusterName=one.name)
    return _replace_policy(one, given)


UPDATERS = {
    "resourcesVpcConfig": _update_vpc,
    "logging": _update_logging,
    "accessConfig": _update_access,
    "upgradePolicy": _update_support,
    "zonalShiftConfig": _updater("zonalShiftConfig", "ZonalShiftConfigUpdate", "ZonalShiftConfig"),
    "deletionProtection": _updater("deletionProtection", "DeletionProtectionUpdate", "DeletionProtection"),
    "remoteNetworkConfig": _updater("remoteNetworkConfig", "RemoteNetworkConfigUpdate", "RemoteNetworkConfig"),
    "controlPlaneScalingConfig": _updater(
        "controlPlaneScalingConfig", "ControlPlaneScalingConfigUpdate", "UpdatedTier"
    ),
    "computeConfig": _update_auto_mode,
}


@handles("eks:UpdateClusterVersion")
@eks.repeatable
def update_version(call: Call) -> dict[str, Any]:
    """Go one minor version up."""
    one, wanted = eks.cluster(call, "name"), call.params["version"]
    current, name = one.doc["version"], one.name
    if wanted == current:
        raise eks.invalid(f"Cluster is already at version {wanted}", clusterName=name)
    if wanted not in VERSIONS:
        raise eks.invalid(f"unsupported Kubernetes version {wanted}", clusterName=name)
    if minor(wanted) != minor(current) + 1:
        raise eks.invalid(f"Unsupported Kubernetes minor version update from {current} to {wanted}", clusterName=name)
    _idle(one, "VersionUpdate")
    behind = sorted(key for key, node in one.nodegroups.items() if node["version"] != current)
    if behind:
        message = f"Nodegroups {', '.join(behind)} must be updated to match cluster version {current} before updating cluster version"
        raise eks.bad_request(message, clusterName=name)
    changes = {"version": wanted, "platformVersion": platform_version(wanted)}
    seconds = settings.durations["cluster.update"]
    update = eks.start_update(
        call, one, one.doc, "VersionUpdate", {"Version": wanted}, seconds, lambda: _apply(one, changes)
    )
    return {"update": eks.public_update(update)}
