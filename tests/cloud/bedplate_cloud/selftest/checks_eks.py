"""Checks of EKS."""

from typing import Any

from .harness import ACCOUNT, REGION, Cloud, Network, fails, fresh, make_role, row

ADMIN = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
CALLER = f"arn:aws:iam::{ACCOUNT}:user/bedplate"


class Kit:
    """A network, the roles and a way to make clusters."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud, self.net, self.eks = cloud, Network(cloud), cloud.client("eks")
        self.role = make_role(cloud, "eks.amazonaws.com", "AmazonEKSClusterPolicy")
        self.node_role = make_role(cloud, "ec2.amazonaws.com", "AmazonEKSWorkerNodePolicy")
        self.pod_role = make_role(cloud, "eks-fargate-pods.amazonaws.com")
        self.name = fresh("cluster")

    def create(self, **more: Any) -> dict[str, Any]:
        """Start a cluster."""
        config = {"subnetIds": self.net.private} | more.pop("vpc", {})
        arguments = {"name": self.name, "roleArn": self.role, "resourcesVpcConfig": config}
        arguments |= {"accessConfig": {"authenticationMode": "API"}} | more
        return self.eks.create_cluster(**arguments)["cluster"]

    def up(self, **more: Any) -> "Kit":
        """A cluster that is up."""
        self.create(**more)
        self.cloud.advance()
        return self

    def show(self) -> dict[str, Any]:
        """The cluster as described."""
        return self.eks.describe_cluster(name=self.name)["cluster"]

    def change(self, **what: Any) -> dict[str, Any]:
        """Start an update of the cluster's configuration."""
        return self.eks.update_cluster_config(name=self.name, **what)["update"]

    def nodes(self, name: str = "ng", **more: Any) -> dict[str, Any]:
        """Start a node group."""
        arguments = {
            "clusterName": self.name,
            "nodegroupName": name,
            "subnets": self.net.private,
            "nodeRole": self.node_role,
        }
        return self.eks.create_nodegroup(**arguments | more)["nodegroup"]

    def profile(self, name: str = "fp", **more: Any) -> dict[str, Any]:
        """Start a Fargate profile."""
        arguments = {"clusterName": self.name, "fargateProfileName": name, "podExecutionRoleArn": self.pod_role}
        arguments |= {"subnets": self.net.private, "selectors": [{"namespace": "default"}]}
        return self.eks.create_fargate_profile(**arguments | more)["fargateProfile"]


@row("cluster-create")
def cluster_create(cloud: Cloud) -> None:
    kit = Kit(cloud)
    key = cloud.client("kms").create_key()["KeyMetadata"]["Arn"]
    encryption = [{"resources": ["secrets"], "provider": {"keyArn": key}}]
    logging = {"clusterLogging": [{"types": ["api", "audit"], "enabled": True}]}
    made = kit.create(
        version="1.34", encryptionConfig=encryption, logging=logging, upgradePolicy={"supportType": "STANDARD"}
    )
    assert made["status"] == "CREATING" == kit.show()["status"]
    assert "endpoint" not in made
    cloud.advance()
    found = kit.show()
    assert (found["status"], found["version"]) == ("ACTIVE", "1.34")
    assert found["endpoint"].startswith("https://")
    assert found["certificateAuthority"]["data"]
    assert len(found["identity"]["oidc"]["issuer"].removeprefix(f"https://oidc.eks.{REGION}.amazonaws.com/id/")) == 32
    assert found["encryptionConfig"] == encryption
    assert found["upgradePolicy"] == {"supportType": "STANDARD"}
    assert found["kubernetesNetworkConfig"]["serviceIpv4Cidr"] == "172.20.0.0/16"
    assert found["resourcesVpcConfig"]["vpcId"] == kit.net.vpc
    assert found["resourcesVpcConfig"]["publicAccessCidrs"] == ["0.0.0.0/0"]
    assert {one["enabled"]: sorted(one["types"]) for one in found["logging"]["clusterLogging"]}[True] == [
        "api",
        "audit",
    ]
    assert found["accessConfig"] == {"authenticationMode": "API"}
    assert found["deletionProtection"] is False


@row("cluster-group")
def cluster_group(cloud: Cloud) -> None:
    kit = Kit(cloud).up()
    unique = kit.show()["resourcesVpcConfig"]["clusterSecurityGroupId"]
    found = kit.net.ec2.describe_security_groups(GroupIds=[unique])["SecurityGroups"][0]
    assert found["GroupName"].startswith(f"eks-cluster-sg-{kit.name}-")
    assert {"Key": "aws:eks:cluster-name", "Value": kit.name} in found["Tags"]
    fails("DependencyViolation", lambda: kit.net.ec2.delete_subnet(SubnetId=kit.net.private[0]))
    kit.eks.delete_cluster(name=kit.name)
    cloud.advance()
    fails("ResourceNotFoundException", kit.show)
    fails("InvalidGroup.NotFound", lambda: kit.net.ec2.describe_security_groups(GroupIds=[unique]))
    kit.net.ec2.delete_subnet(SubnetId=kit.net.private[0])


@row("cluster-validation")
def cluster_validation(cloud: Cloud) -> None:
    kit = Kit(cloud)
    invalid = lambda **what: fails("InvalidParameterException", lambda: kit.create(**what))
    invalid(vpc={"subnetIds": ["subnet-0123456789abcdef0", kit.net.private[0]]})
    invalid(vpc={"subnetIds": [kit.net.public, kit.net.private[0]]})
    invalid(vpc={"securityGroupIds": ["sg-0123456789abcdef0"]})
    invalid(vpc={"endpointPublicAccess": False})
    invalid(vpc={"publicAccessCidrs": ["10.0.0.0/8"]})
    invalid(roleArn=f"arn:aws:iam::{ACCOUNT}:role/none")
    assert "could not be assumed" in invalid(roleArn=kit.node_role)["Error"]["Message"]
    assert "AmazonEKSClusterPolicy" in invalid(roleArn=make_role(cloud, "eks.amazonaws.com"))["Error"]["Message"]
    invalid(version="1.12")
    kit.create()
    fails("ResourceInUseException", kit.create)


@row("cluster-zone")
def cluster_zone(cloud: Cloud) -> None:
    kit = Kit(cloud)
    subnets = [kit.net.private[0], kit.net.subnet(60, "e")]
    error = fails("UnsupportedAvailabilityZoneException", lambda: kit.create(vpc={"subnetIds": subnets}))
    assert f"{REGION}a" in error["validZones"]
    assert f"{REGION}e" not in error["validZones"]
    assert f"{REGION}b" in error["Error"]["Message"]


@row("cluster-token")
def cluster_token(cloud: Cloud) -> None:
    kit, token = Kit(cloud), fresh("token-that-is-long-enough-for-eks")
    first = kit.create(clientRequestToken=token)
    assert kit.create(clientRequestToken=token)["arn"] == first["arn"]
    fails("IdempotentParameterMismatch", lambda: kit.create(clientRequestToken=token, version="1.33"))
    cloud.advance()
    assert kit.nodes(clientRequestToken=token)["nodegroupArn"] == kit.nodes(clientRequestToken=token)["nodegroupArn"]
    assert (
        kit.profile(clientRequestToken=token)["fargateProfileArn"]
        == kit.profile(clientRequestToken=token)["fargateProfileArn"]
    )
    fails("ResourceInUseException", kit.nodes)


@row("token-length")
def token_length(cloud: Cloud) -> None:
    kit = Kit(cloud)
    error = fails("InvalidParameterException", lambda: kit.create(clientRequestToken="a" * 32))
    assert "between 33 and 126" in error["Error"]["Message"]
    kit.create(clientRequestToken="a" * 64)
    fails("InvalidParameterValue", lambda: kit.net.nat(ClientToken="a" * 65))


@row("update-token")
def update_token(cloud: Cloud) -> None:
    kit, token = Kit(cloud).up(), fresh("token-that-is-long-enough-for-eks")
    change = lambda: kit.change(deletionProtection=True, clientRequestToken=token)
    first = change()
    assert change()["id"] == first["id"]
    fails("ResourceInUseException", lambda: kit.change(deletionProtection=True))
    cloud.advance()
    fails("InvalidParameterException", change)


@row("cluster-update")
def cluster_update(cloud: Cloud) -> None:
    kit = Kit(cloud).up()
    update = kit.change(resourcesVpcConfig={"endpointPrivateAccess": True, "publicAccessCidrs": ["203.0.113.0/24"]})
    assert (update["type"], update["status"]) == ("EndpointAccessUpdate", "InProgress")
    assert kit.show()["status"] == "UPDATING"
    logging = {"clusterLogging": [{"types": ["api"], "enabled": True}]}
    fails("ResourceInUseException", lambda: kit.change(logging=logging))
    fails("ResourceInUseException", lambda: kit.eks.delete_cluster(name=kit.name))
    cloud.advance()
    assert kit.eks.describe_update(name=kit.name, updateId=update["id"])["update"]["status"] == "Successful"
    assert kit.show()["resourcesVpcConfig"]["publicAccessCidrs"] == ["203.0.113.0/24"]
    kit.change(logging=logging)
    cloud.advance()
    kit.change(upgradePolicy={"supportType": "STANDARD"})
    cloud.advance()
    assert kit.show()["upgradePolicy"]["supportType"] == "STANDARD"
    assert len(kit.eks.list_updates(name=kit.name)["updateIds"]) == 3


@row("cluster-update-zones")
def cluster_update_zones(cloud: Cloud) -> None:
    kit = Kit(cloud)
    name = kit.create()["name"]
    cloud.advance()
    eks, other = cloud.client("eks"), kit.net.subnet(61, "c")
    move = lambda *subnets: eks.update_cluster_config(name=name, resourcesVpcConfig={"subnetIds": list(subnets)})
    fails("InvalidParameterException", lambda: move(*kit.net.private, other))
    move(kit.net.subnet(62, "a"), kit.net.private[1])


@row("cluster-update-one")
def cluster_update_one(cloud: Cloud) -> None:
    kit = Kit(cloud).up()
    logging = {"clusterLogging": [{"types": ["api"], "enabled": True}]}
    invalid = lambda **what: fails("InvalidParameterException", lambda: kit.change(**what))["Error"]["Message"]
    assert "Only one type" in invalid(logging=logging, upgradePolicy={"supportType": "STANDARD"})
    assert "Only one type" in invalid(resourcesVpcConfig={"subnetIds": kit.net.private, "endpointPrivateAccess": True})
    off = {"clusterLogging": [{"types": ["api"], "enabled": False}]}
    assert invalid(logging=off) == "No changes needed for the logging config provided"
    assert "already at the desired configuration" in invalid(resourcesVpcConfig={"endpointPublicAccess": True})
    assert "No changes needed" in invalid(upgradePolicy={"supportType": "EXTENDED"})
    assert "Unsupported authentication mode" in invalid(accessConfig={"authenticationMode": "CONFIG_MAP"})
    assert "not provided" in invalid()


@row("cluster-version")
def cluster_version(cloud: Cloud) -> None:
    kit = Kit(cloud).up(version="1.33")
    standard = lambda: kit.eks.update_cluster_config(name=kit.name, upgradePolicy={"supportType": "STANDARD"})
    fails("InvalidParameterException", standard)
    go = lambda version: kit.eks.update_cluster_version(name=kit.name, version=version)["update"]
    fails("InvalidParameterException", lambda: go("1.35"))
    fails("InvalidParameterException", lambda: go("1.33"))
    assert go("1.34")["type"] == "VersionUpdate"
    cloud.advance()
    assert kit.show()["version"] == "1.34"
    standard()
    cloud.advance()
    kit.nodes(version="1.33")
    cloud.advance()
    fails("InvalidRequestException", lambda: go("1.35"))


@row("cluster-versions")
def cluster_versions(cloud: Cloud) -> None:
    eks = cloud.client("eks")
    found = {one["clusterVersion"]: one for one in eks.describe_cluster_versions()["clusterVersions"]}
    assert set(found) == {"1.33", "1.34", "1.35", "1.36"}
    assert found["1.33"]["versionStatus"] == "EXTENDED_SUPPORT"
    assert sum(one["defaultVersion"] for one in found.values()) == 1


@row("cluster-delete")
def cluster_delete(cloud: Cloud) -> None:
    kit = Kit(cloud).up(deletionProtection=True)
    delete = lambda: kit.eks.delete_cluster(name=kit.name)
    fails("InvalidRequestException", delete)
    kit.change(deletionProtection=False)
    cloud.advance()
    kit.nodes()
    kit.profile()
    cloud.advance()
    assert "nodegroups" in fails("ResourceInUseException", delete)["Error"]["Message"]
    kit.eks.delete_nodegroup(clusterName=kit.name, nodegroupName="ng")
    cloud.advance()
    assert "fargate" in fails("ResourceInUseException", delete)["Error"]["Message"]
    kit.eks.delete_fargate_profile(clusterName=kit.name, fargateProfileName="fp")
    cloud.advance()
    assert delete()["cluster"]["status"] == "DELETING"
    cloud.advance()
    fails("ResourceNotFoundException", kit.show)


@row("nodegroup")
def nodegroup(cloud: Cloud) -> None:
    kit = Kit(cloud).up()
    assert (
        kit.nodes(labels={"role": "system"}, scalingConfig={"minSize": 1, "maxSize": 3, "desiredSize": 2})["status"]
        == "CREATING"
    )
    show = lambda: kit.eks.describe_nodegroup(clusterName=kit.name, nodegroupName="ng")["nodegroup"]
    cloud.advance()
    found = show()
    assert found["status"] == "ACTIVE"
    assert found["resources"]["autoScalingGroups"][0]["name"].startswith("eks-ng-")
    assert found["version"] == kit.show()["version"] and found["releaseVersion"]
    assert found["updateConfig"] == {"maxUnavailable": 1}
    named = {"clusterName": kit.name, "nodegroupName": "ng"}
    scaling = {"minSize": 2, "maxSize": 4, "desiredSize": 2}
    update = kit.eks.update_nodegroup_config(**named, scalingConfig=scaling, labels={"removeLabels": ["role"]})[
        "update"
    ]
    assert show()["status"] == "UPDATING"
    fails("ResourceInUseException", lambda: kit.eks.update_nodegroup_config(**named, scalingConfig=scaling))
    cloud.advance()
    assert (
        kit.eks.describe_update(name=kit.name, nodegroupName="ng", updateId=update["id"])["update"]["status"]
        == "Successful"
    )
    assert show()["scalingConfig"] == scaling and show().get("labels", {}) == {}
    fails("InvalidParameterException", lambda: kit.eks.update_nodegroup_config(**named, scalingConfig={"minSize": 9}))
    assert kit.eks.update_nodegroup_version(**named)["update"]["type"] == "VersionUpdate"
    cloud.advance()
    kit.eks.delete_nodegroup(**named)
    assert show()["status"] == "DELETING"
    cloud.advance()
    fails("ResourceNotFoundException", show)


@row("nodegroup-role")
def nodegroup_role(cloud: Cloud) -> None:
    kit = Kit(cloud)
    kit.create()
    fails("InvalidRequestException", kit.nodes)
    cloud.advance()
    fails("InvalidParameterException", lambda: kit.nodes(nodeRole=kit.role))
    kit.nodes(nodeRole=make_role(cloud, "ec2.amazonaws.com"))
    cloud.advance()
    found = kit.eks.describe_nodegroup(clusterName=kit.name, nodegroupName="ng")["nodegroup"]
    assert found["status"] == "CREATE_FAILED"
    assert found["health"]["issues"][0]["code"] == "NodeCreationFailure"


@row("fargate")
def fargate(cloud: Cloud) -> None:
    kit = Kit(cloud).up()
    kit.profile("one")
    fails("ResourceInUseException", lambda: kit.profile("two"))
    cloud.advance()
    kit.profile("two")
    cloud.advance()
    delete = lambda name: kit.eks.delete_fargate_profile(clusterName=kit.name, fargateProfileName=name)
    assert delete("one")["fargateProfile"]["status"] == "DELETING"
    fails("ResourceInUseException", lambda: delete("two"))
    cloud.advance()
    assert (
        "private"
        in fails("InvalidParameterException", lambda: kit.profile("three", subnets=[kit.net.public]))["Error"][
            "Message"
        ]
    )
    fails("InvalidParameterException", lambda: kit.profile("three", podExecutionRoleArn=kit.role))
    assert kit.eks.list_fargate_profiles(clusterName=kit.name)["fargateProfileNames"] == ["two"]


@row("addon")
def addon(cloud: Cloud) -> None:
    kit = Kit(cloud).up()
    versions = kit.eks.describe_addon_versions(addonName="vpc-cni", kubernetesVersion=kit.show()["version"])["addons"][
        0
    ]["addonVersions"]
    default = next(one["addonVersion"] for one in versions if one["compatibilities"][0]["defaultVersion"])
    named = {"clusterName": kit.name, "addonName": "vpc-cni"}
    show = lambda: kit.eks.describe_addon(**named)["addon"]
    assert kit.eks.create_addon(**named)["addon"]["status"] == "CREATING"
    cloud.advance()
    assert (show()["status"], show()["addonVersion"]) == ("ACTIVE", default)
    update = kit.eks.update_addon(**named, addonVersion=versions[0]["addonVersion"])["update"]
    assert show()["status"] == "UPDATING"
    cloud.advance()
    assert (
        kit.eks.describe_update(name=kit.name, addonName="vpc-cni", updateId=update["id"])["update"]["status"]
        == "Successful"
    )
    assert show()["addonVersion"] == versions[0]["addonVersion"]
    role = kit.eks.describe_cluster(name=kit.name)["cluster"]["roleArn"]
    kit.eks.update_addon(**named, serviceAccountRoleArn=role)
    cloud.advance()
    assert show()["serviceAccountRoleArn"] == role
    kit.eks.update_addon(**named, configurationValues="{}")
    cloud.advance()
    assert "serviceAccountRoleArn" not in show(), "without a role it goes back to the node's"
    fails("ResourceInUseException", lambda: kit.eks.create_addon(**named))
    fails("InvalidParameterException", lambda: kit.eks.create_addon(clusterName=kit.name, addonName="nonsense"))
    fails(
        "InvalidParameterException",
        lambda: kit.eks.create_addon(clusterName=kit.name, addonName="kube-proxy", addonVersion="v0"),
    )
    wrong = {"clusterName": kit.name, "addonName": "kube-proxy", "configurationValues": "[1"}
    fails("InvalidParameterException", lambda: kit.eks.create_addon(**wrong))
    assert kit.eks.describe_addon_configuration(addonName="vpc-cni", addonVersion=default)["configurationSchema"]
    kit.eks.delete_addon(**named)
    cloud.advance()
    fails("ResourceNotFoundException", show)


@row("addon-degraded")
def addon_degraded(cloud: Cloud) -> None:
    kit = Kit(cloud).up()
    named = {"clusterName": kit.name, "addonName": "coredns"}
    kit.eks.create_addon(**named)
    show = lambda: kit.eks.describe_addon(**named)["addon"]
    cloud.advance(1)
    assert show()["status"] == "CREATING"
    cloud.advance(20)
    assert show()["status"] == "DEGRADED"
    assert show()["health"]["issues"][0]["code"] == "InsufficientNumberOfReplicas"
    kit.nodes()
    cloud.advance()
    assert show()["status"] == "ACTIVE"


@row("access")
def access(cloud: Cloud) -> None:
    kit = Kit(cloud).up()
    eks, named = kit.eks, {"clusterName": kit.name}
    assert eks.list_access_entries(**named)["accessEntries"] == [CALLER]
    role = make_role(cloud, "ec2.amazonaws.com")
    entry = eks.create_access_entry(**named, principalArn=role, kubernetesGroups=["team"], tags={"a": "b"})[
        "accessEntry"
    ]
    assert (entry["type"], entry["tags"]) == ("STANDARD", {"a": "b"})
    fails("ResourceInUseException", lambda: eks.create_access_entry(**named, principalArn=role))
    fails("InvalidParameterException", lambda: eks.create_access_entry(**named, principalArn=role + "-none"))
    one = named | {"principalArn": role}
    eks.associate_access_policy(**one, policyArn=ADMIN, accessScope={"type": "cluster"})
    assert eks.list_associated_access_policies(**one)["associatedAccessPolicies"][0]["policyArn"] == ADMIN
    assert eks.list_access_entries(**named, associatedPolicyArn=ADMIN)["accessEntries"] == sorted([CALLER, role])
    eks.disassociate_access_policy(**one, policyArn=ADMIN)
    fails("ResourceNotFoundException", lambda: eks.disassociate_access_policy(**one, policyArn=ADMIN))
    fails("InvalidParameterException", lambda: eks.update_access_entry(**one, kubernetesGroups=["system:masters"]))
    eks.delete_access_entry(**one)
    fails("ResourceNotFoundException", lambda: eks.describe_access_entry(**one))
    kit.nodes()
    assert eks.describe_access_entry(**named, principalArn=kit.node_role)["accessEntry"]["type"] == "EC2_LINUX"


@row("access-mode")
def access_mode(cloud: Cloud) -> None:
    kit = Kit(cloud).up(accessConfig={"authenticationMode": "CONFIG_MAP"})
    fails("InvalidRequestException", lambda: kit.eks.list_access_entries(clusterName=kit.name))
    kit.change(accessConfig={"authenticationMode": "API_AND_CONFIG_MAP"})
    cloud.advance()
    kit.eks.list_access_entries(clusterName=kit.name)
    other = Kit(cloud).up(accessConfig={"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": False})
    assert other.eks.list_access_entries(clusterName=other.name)["accessEntries"] == []


@row("pod-identity")
def pod_identity(cloud: Cloud) -> None:
    kit = Kit(cloud).up()
    named = {"clusterName": kit.name}
    binding = named | {"namespace": "n", "serviceAccount": "s", "roleArn": kit.node_role}
    made = kit.eks.create_pod_identity_association(
        **binding,
    )["association"]
    fails(
        "ResourceInUseException",
        lambda: kit.eks.create_pod_identity_association(**binding, clientRequestToken="o" * 40),
    )
    assert (
        kit.eks.list_pod_identity_associations(**named, namespace="n")["associations"][0]["associationId"]
        == made["associationId"]
    )
    one = named | {"associationId": made["associationId"]}
    kit.eks.update_pod_identity_association(**one, roleArn=kit.role)
    assert kit.eks.describe_pod_identity_association(**one)["association"]["roleArn"] == kit.role
    kit.eks.delete_pod_identity_association(**one)
    fails("ResourceNotFoundException", lambda: kit.eks.describe_pod_identity_association(**one))


@row("eks-tags")
def eks_tags(cloud: Cloud) -> None:
    kit = Kit(cloud).up(tags={"a": "b"})
    kit.eks.create_addon(clusterName=kit.name, addonName="vpc-cni")
    arns = [kit.show()["arn"], kit.nodes()["nodegroupArn"], kit.profile()["fargateProfileArn"]]
    arns.append(kit.eks.describe_addon(clusterName=kit.name, addonName="vpc-cni")["addon"]["addonArn"])
    arns.append(
        kit.eks.describe_access_entry(clusterName=kit.name, principalArn=CALLER)["accessEntry"]["accessEntryArn"]
    )
    for arn in arns:
        kit.eks.tag_resource(resourceArn=arn, tags={"c": "d", "e": "f"})
        kit.eks.untag_resource(resourceArn=arn, tagKeys=["e"])
        assert kit.eks.list_tags_for_resource(resourceArn=arn)["tags"]["c"] == "d"
    assert kit.show()["tags"] == {"a": "b", "c": "d"}
    fails("NotFoundException", lambda: kit.eks.list_tags_for_resource(resourceArn=arns[0] + "x"))


@row("eks-linked-roles")
def eks_linked_roles(cloud: Cloud) -> None:
    kit = Kit(cloud)
    kit.create()
    error = fails(
        "InvalidInput", lambda: cloud.client("iam").create_service_linked_role(AWSServiceName="eks.amazonaws.com")
    )
    assert "has been taken in this account" in error["Error"]["Message"]
