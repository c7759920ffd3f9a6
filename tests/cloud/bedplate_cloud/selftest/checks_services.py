"""Checks of IAM, STS, KMS, logs and CloudWatch."""

import json
import re
from typing import Any

from .harness import ACCOUNT, REGION, Cloud, fails, fresh, make_role, row, tags, trust

ROOT = f"arn:aws:iam::{ACCOUNT}:root"


def policy(*statements: dict[str, Any]) -> str:
    """A policy document."""
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"} | one for one in statements],
        }
    )


@row("identity")
def identity(cloud: Cloud) -> None:
    found = cloud.client("sts").get_caller_identity()
    assert (found["Account"], found["Arn"]) == (ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/bedplate")
    assert cloud.client("iam").get_user()["User"]["Arn"] == found["Arn"]


@row("iam-trust")
def iam_trust(cloud: Cloud) -> None:
    iam = cloud.client("iam")
    make = lambda document: iam.create_role(RoleName=fresh("role"), AssumeRolePolicyDocument=document)
    fails("MalformedPolicyDocument", lambda: make("{nope"))
    unknown = {"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:role/none"}, "Action": "sts:AssumeRole", "Effect": "Allow"}
    error = fails(
        "MalformedPolicyDocument", lambda: make(json.dumps({"Version": "2012-10-17", "Statement": [unknown]}))
    )
    assert "Invalid principal" in error["Error"]["Message"]
    name = make_role(cloud, "ec2.amazonaws.com").rpartition("/")[2]
    fails("MalformedPolicyDocument", lambda: iam.update_assume_role_policy(RoleName=name, PolicyDocument="{}"))
    fails("MalformedPolicyDocument", lambda: iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument="x"))


@row("iam-documents")
def iam_documents(cloud: Cloud) -> None:
    iam, name = cloud.client("iam"), fresh("role")
    seen: list[str] = []
    iam.meta.events.register("before-parse.iam", lambda response_dict, **_: seen.append(response_dict["body"].decode()))
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust("ec2.amazonaws.com"))
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=policy({}))
    assert iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"] == json.loads(trust("ec2.amazonaws.com"))
    assert iam.get_role_policy(RoleName=name, PolicyName="p")["PolicyDocument"] == json.loads(policy({}))
    found = iam.get_account_authorization_details(Filter=["Role"])["RoleDetailList"]
    mine = next(one for one in found if one["RoleName"] == name)
    assert mine["RolePolicyList"][0]["PolicyDocument"] == json.loads(policy({}))
    iam.list_roles()
    documents = [one for body in seen for one in re.findall(r"Document>([^<]+)<", body)]
    assert len(documents) >= 5
    assert all(one.startswith("%7B") and not one.startswith("%257B") for one in documents)


@row("iam-boundary")
def iam_boundary(cloud: Cloud) -> None:
    iam, name = cloud.client("iam"), make_role(cloud, "ec2.amazonaws.com").rpartition("/")[2]
    unknown = f"arn:aws:iam::{ACCOUNT}:policy/none"
    fails("NoSuchEntity", lambda: iam.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=unknown))
    iam.put_role_permissions_boundary(RoleName=name, PermissionsBoundary="arn:aws:iam::aws:policy/PowerUserAccess")


@row("iam-linked-role")
def iam_linked_role(_: Cloud) -> None:
    with Cloud() as cloud:  # in the common one Aurora has made its role already
        iam = cloud.client("iam")
        role = iam.create_service_linked_role(AWSServiceName="rds.amazonaws.com")["Role"]
        assert role["Arn"] == f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/rds.amazonaws.com/AWSServiceRoleForRDS"
        error = fails("InvalidInput", lambda: iam.create_service_linked_role(AWSServiceName="rds.amazonaws.com"))
        assert "has been taken in this account" in error["Error"]["Message"]
        fails("UnmodifiableEntity", lambda: iam.delete_role(RoleName="AWSServiceRoleForRDS"))


@row("iam-delete-policy")
def iam_delete_policy(cloud: Cloud) -> None:
    iam = cloud.client("iam")
    arn = iam.create_policy(PolicyName=fresh("policy"), PolicyDocument=policy({}))["Policy"]["Arn"]
    name = make_role(cloud, "ec2.amazonaws.com").rpartition("/")[2]
    iam.attach_role_policy(RoleName=name, PolicyArn=arn)
    fails("DeleteConflict", lambda: iam.delete_policy(PolicyArn=arn))
    iam.detach_role_policy(RoleName=name, PolicyArn=arn)
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=policy({}), SetAsDefault=True)
    fails("DeleteConflict", lambda: iam.delete_policy(PolicyArn=arn))


@row("iam-oidc")
def iam_oidc(cloud: Cloud) -> None:
    iam = cloud.client("iam")
    url = f"https://oidc.eks.{REGION}.amazonaws.com/id/{fresh('ID')}"
    arn = iam.create_open_id_connect_provider(Url=url, ClientIDList=["sts.amazonaws.com"])["OpenIDConnectProviderArn"]
    assert len(iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)["ThumbprintList"]) == 1
    iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="other")
    iam.remove_client_id_from_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="sts.amazonaws.com")
    assert iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)["ClientIDList"] == ["other"]


@row("iam-simulate")
def iam_simulate(cloud: Cloud) -> None:
    iam, arn = cloud.client("iam"), make_role(cloud, "ec2.amazonaws.com")
    iam.put_role_policy(RoleName=arn.rpartition("/")[2], PolicyName="p", PolicyDocument=policy({"Action": "s3:Get*"}))

    def ask(source: str, *actions: str, **more: Any) -> list[str]:
        answer = iam.simulate_principal_policy(PolicySourceArn=source, ActionNames=list(actions), **more)
        return [one["EvalDecision"] for one in answer["EvaluationResults"]]

    assert ask(arn, "s3:GetObject", "ec2:CreateVpc") == ["allowed", "implicitDeny"]
    assert set(ask(f"arn:aws:iam::{ACCOUNT}:user/bedplate", "s3:GetObject", "ec2:CreateVpc")) == {"allowed"}
    fails("NoSuchEntity", lambda: ask(f"arn:aws:iam::{ACCOUNT}:user/nobody", "s3:GetObject"))

    # A user has its own policies, those attached to it and its groups'; a denial goes before all of them.
    user, group = iam.create_user(UserName=fresh("user"))["User"], fresh("group")
    name = user["UserName"]
    iam.create_group(GroupName=group)
    iam.add_user_to_group(GroupName=group, UserName=name)
    iam.put_group_policy(GroupName=group, PolicyName="p", PolicyDocument=policy({"Action": "EC2:*"}))
    roles = {"Action": "iam:*", "Resource": f"arn:aws:iam::{ACCOUNT}:role/mine-*"}
    iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=policy(roles))
    here = {"Action": "rds:*", "Condition": {"StringEquals": {"aws:RequestedRegion": [REGION]}}}
    no_vpc = {"Effect": "Deny", "Action": "ec2:CreateVpc"}
    attached = iam.create_policy(PolicyName=fresh("policy"), PolicyDocument=policy(here, no_vpc))["Policy"]["Arn"]
    iam.attach_user_policy(UserName=name, PolicyArn=attached)
    assert ask(user["Arn"], "ec2:CreateSubnet", "ec2:CreateVpc") == ["allowed", "explicitDeny"]
    mine = [f"arn:aws:iam::{ACCOUNT}:role/{one}" for one in ("mine-1", "other")]
    assert ask(user["Arn"], "iam:GetRole", ResourceArns=mine) == ["allowed", "implicitDeny"]
    assert ask(user["Arn"], "iam:GetRole") == ["implicitDeny"]
    region = {"ContextKeyName": "aws:RequestedRegion", "ContextKeyType": "string"}
    for value, decision in ((REGION, "allowed"), ("eu-west-1", "implicitDeny")):
        entry = region | {"ContextKeyValues": [value]}
        assert ask(user["Arn"], "rds:CreateDBCluster", ContextEntries=[entry]) == [decision]
    answer = iam.simulate_principal_policy(PolicySourceArn=user["Arn"], ActionNames=["rds:CreateDBCluster"])
    assert answer["EvaluationResults"][0]["MissingContextValues"] == ["aws:RequestedRegion"]


@row("kms-policy")
def kms_policy(cloud: Cloud) -> None:
    kms = cloud.client("kms")
    malformed = "MalformedPolicyDocumentException"
    fails(malformed, lambda: kms.create_key(Policy="{nope"))
    owner = {"Principal": {"AWS": ROOT}, "Action": "kms:*"}
    stranger = {"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:role/none"}, "Action": "kms:*"}
    assert (
        "invalid principals"
        in fails(malformed, lambda: kms.create_key(Policy=policy(owner, stranger)))["Error"]["Message"]
    )
    locked = policy({"Principal": {"Service": "logs.amazonaws.com"}, "Action": "kms:*"})
    assert "update the key policy" in fails(malformed, lambda: kms.create_key(Policy=locked))["Error"]["Message"]
    kms.create_key(Policy=locked, BypassPolicyLockoutSafetyCheck=True)
    key = kms.create_key(Policy=policy(owner))["KeyMetadata"]["KeyId"]
    fails(malformed, lambda: kms.put_key_policy(KeyId=key, Policy=locked))
    assert kms.get_key_policy(KeyId=key)["Policy"] == policy(owner)


@row("kms-rotation")
def kms_rotation(cloud: Cloud) -> None:
    kms = cloud.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=200)
    found = kms.get_key_rotation_status(KeyId=key)
    assert (found["KeyRotationEnabled"], found["RotationPeriodInDays"]) == (True, 200)
    assert found["NextRotationDate"]
    fails("ValidationException", lambda: kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=10))


@row("kms-deletion")
def kms_deletion(cloud: Cloud) -> None:
    kms = cloud.client("kms")
    made = kms.create_key()["KeyMetadata"]
    key = made["KeyId"]
    fails("ValidationException", lambda: kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=3))
    answer = kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    assert (answer["KeyId"], answer["KeyState"]) == (made["Arn"], "PendingDeletion")
    for refused in (
        lambda: kms.schedule_key_deletion(KeyId=key),
        lambda: kms.enable_key_rotation(KeyId=key),
        lambda: kms.create_alias(AliasName=f"alias/{fresh('a')}", TargetKeyId=key),
        lambda: kms.tag_resource(KeyId=key, Tags=[{"TagKey": "a", "TagValue": "b"}]),
    ):
        fails("KMSInvalidStateException", refused)
    assert made["Arn"] in cloud.control("GET", "inventory")["kms.key-pending-deletion"]
    kms.cancel_key_deletion(KeyId=key)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Disabled"
    fails("KMSInvalidStateException", lambda: kms.cancel_key_deletion(KeyId=key))
    fails("DisabledException", lambda: kms.enable_key_rotation(KeyId=key))
    with Cloud() as other:
        kms = other.client("kms")
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
        other.advance(8 * 86400)
        fails("NotFoundException", lambda: kms.describe_key(KeyId=key))


@row("logs-key")
def logs_key(cloud: Cloud) -> None:
    kms, logs, name = cloud.client("kms"), cloud.client("logs"), f"/{fresh('group')}"
    owner = {"Principal": {"AWS": ROOT}, "Action": "kms:*"}
    plain = kms.create_key(Policy=policy(owner))["KeyMetadata"]["Arn"]
    shared = policy(owner, {"Principal": {"Service": f"logs.{REGION}.amazonaws.com"}, "Action": "kms:Encrypt*"})
    good = kms.create_key(Policy=shared)["KeyMetadata"]["Arn"]
    for bad in (plain, f"arn:aws:kms:{REGION}:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555"):
        fails("InvalidParameterException", lambda bad=bad: logs.create_log_group(logGroupName=name, kmsKeyId=bad))
    logs.create_log_group(logGroupName=name, kmsKeyId=good, tags={"a": "b"})
    show = lambda: logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"][0]
    assert (show()["kmsKeyId"], show()["logGroupClass"]) == (good, "STANDARD")
    logs.disassociate_kms_key(logGroupName=name)
    assert "kmsKeyId" not in show()
    logs.associate_kms_key(logGroupName=name, kmsKeyId=good)
    assert show()["kmsKeyId"] == good


@row("logs-retention")
def logs_retention(cloud: Cloud) -> None:
    logs, name = cloud.client("logs"), f"/{fresh('group')}"
    logs.create_log_group(logGroupName=name)
    fails("InvalidParameterException", lambda: logs.put_retention_policy(logGroupName=name, retentionInDays=13))
    logs.put_retention_policy(logGroupName=name, retentionInDays=14)


@row("logs-named")
def logs_named(cloud: Cloud) -> None:
    logs, names = cloud.client("logs"), [f"/{fresh('group')}" for _ in range(3)]
    for name in names[:2]:
        logs.create_log_group(logGroupName=name)
    found = lambda asked: [one["logGroupName"] for one in logs.describe_log_groups(logGroupIdentifiers=asked)["logGroups"]]
    assert found(names[1:]) == names[1:2]
    assert found(names[2:]) == []
    both = lambda: logs.describe_log_groups(logGroupIdentifiers=names, logGroupNamePrefix="/")
    fails("InvalidParameterException", both)
    fails("InvalidParameterException", lambda: found([f"/{index}" for index in range(51)]))


@row("logs-protection")
def logs_protection(cloud: Cloud) -> None:
    logs, name = cloud.client("logs"), f"/{fresh('group')}"
    logs.create_log_group(logGroupName=name, deletionProtectionEnabled=True)
    assert logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"][0]["deletionProtectionEnabled"] is True
    fails("ValidationException", lambda: logs.delete_log_group(logGroupName=name))
    logs.put_log_group_deletion_protection(logGroupIdentifier=name, deletionProtectionEnabled=False)
    logs.delete_log_group(logGroupName=name)


@row("kms-aws-keys")
def kms_aws_keys(cloud: Cloud) -> None:
    kms = cloud.client("kms")
    before = cloud.control("GET", "inventory").get("kms.key")
    assert kms.describe_key(KeyId="alias/aws/ebs")["KeyMetadata"]["KeyManager"] == "AWS"
    assert cloud.control("GET", "inventory").get("kms.key") == before


@row("logs-tags")
def logs_tags(cloud: Cloud) -> None:
    logs = cloud.client("logs")
    arn = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/{fresh('none')}"
    fails("ResourceNotFoundException", lambda: logs.list_tags_for_resource(resourceArn=arn))


@row("dashboard-tags")
def dashboard_tags(cloud: Cloud) -> None:
    cloudwatch, name = cloud.client("cloudwatch"), fresh("dashboard")
    tags = lambda value: [{"Key": "a", "Value": value}]
    put = lambda value: cloudwatch.put_dashboard(DashboardName=name, DashboardBody='{"widgets":[]}', Tags=tags(value))
    put("first")
    arn = cloudwatch.get_dashboard(DashboardName=name)["DashboardArn"]
    show = lambda: cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"]
    put("second")
    assert show() == tags("first")
    cloudwatch.tag_resource(ResourceARN=arn, Tags=tags("third"))
    assert show() == tags("third")
    cloudwatch.delete_dashboards(DashboardNames=[name])
    cloudwatch.put_dashboard(DashboardName=name, DashboardBody='{"widgets":[]}')
    assert show() == []


@row("cloudwatch-cbor")
def cloudwatch_cbor(cloud: Cloud) -> None:
    import urllib.error
    import urllib.request

    from bedplate_cloud import cbor

    scope = f"AWS4-HMAC-SHA256 Credential=x/20260101/{REGION}/monitoring/aws4_request, SignedHeaders=host, Signature=x"
    headers = {"Authorization": scope, "smithy-protocol": "rpc-v2-cbor", "Content-Type": "application/cbor"}

    def ask(operation: str, **params: Any) -> Any:
        url = f"{cloud.endpoint}/service/GraniteServiceVersion20100801/operation/{operation}"
        try:
            answer = urllib.request.urlopen(urllib.request.Request(url, cbor.encode(params), headers))
        except urllib.error.HTTPError as error:
            return cbor.decode(error.read())
        assert answer.headers["smithy-protocol"] == "rpc-v2-cbor"
        return cbor.decode(answer.read())

    name = fresh("dashboard")
    body = json.dumps({"widgets": []})
    ask("PutDashboard", DashboardName=name, DashboardBody=body)
    assert ask("GetDashboard", DashboardName=name)["DashboardBody"] == body
    assert [one["DashboardName"] for one in ask("ListDashboards", DashboardNamePrefix=name)["DashboardEntries"]] == [
        name
    ]
    ask("DeleteDashboards", DashboardNames=[name])
    assert ask("GetDashboard", DashboardName=name)["__type"].endswith("#DashboardNotFoundError")
    alarm = {
        "AlarmName": name,
        "Namespace": "AWS/RDS",
        "MetricName": "CPUUtilization",
        "Statistic": "Average",
        "Period": 60,
    }
    alarm |= {
        "EvaluationPeriods": 5,
        "Threshold": 80.0,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
    }
    ask("PutMetricAlarm", **alarm, Tags=[{"Key": "a", "Value": "b"}], Dimensions=[{"Name": "D", "Value": "x"}])
    found = ask("DescribeAlarms", AlarmNames=[name])["MetricAlarms"][0]
    assert isinstance(found["Threshold"], float) and found["Threshold"] == 80.0
    assert found["TreatMissingData"] == "notBreaching"
    assert ask("ListTagsForResource", ResourceARN=found["AlarmArn"])["Tags"] == [{"Key": "a", "Value": "b"}]
    ask("TagResource", ResourceARN=found["AlarmArn"], Tags=[{"Key": "c", "Value": "d"}])
    ask("UntagResource", ResourceARN=found["AlarmArn"], TagKeys=["a"])
    assert ask("ListTagsForResource", ResourceARN=found["AlarmArn"])["Tags"] == [{"Key": "c", "Value": "d"}]
    ask("DeleteAlarms", AlarmNames=[name])
    assert not ask("DescribeAlarms", AlarmNames=[name]).get("MetricAlarms")


@row("trust-anyone")
def trust_anyone(cloud: Cloud) -> None:
    """Any credentials are the same caller, in any region."""
    for region in (REGION, "eu-central-1"):
        assert cloud.client("sts", region).get_caller_identity()["Account"] == ACCOUNT
    assert trust("ec2.amazonaws.com")


@row("tagging-resources")
def tagging_resources(cloud: Cloud) -> None:
    api, ec2, iam = cloud.client("resourcegroupstaggingapi"), cloud.client("ec2"), cloud.client("iam")
    mark = fresh("mark")
    filters = [{"Key": "Mark", "Values": [mark]}]
    kinds = lambda **more: {
        one["ResourceARN"].split(":", 5)[2] + ":" + one["ResourceARN"].split(":", 5)[5].split("/")[0]
        for one in api.get_resources(TagFilters=filters, **more)["ResourceTagMappingList"]
    }
    vpc = ec2.create_vpc(CidrBlock="10.60.0.0/16", TagSpecifications=tags("vpc", Mark=mark))["Vpc"]["VpcId"]
    for _ in range(3):
        ec2.allocate_address(Domain="vpc", TagSpecifications=tags("elastic-ip", Mark=mark))
    pairs = [{"Key": "Mark", "Value": mark}]
    iam.create_role(RoleName=fresh("role"), AssumeRolePolicyDocument=trust("ec2.amazonaws.com"), Tags=pairs)
    iam.create_policy(PolicyName=fresh("policy"), PolicyDocument=policy({}), Tags=pairs)
    iam_kinds = {one for one in kinds() if one.startswith("iam")}
    assert iam_kinds == {"iam:policy"}, "roles are not in it"
    assert {"ec2:vpc", "ec2:elastic-ip"} <= kinds()
    assert kinds(ResourceTypeFilters=["ec2:elastic-ip"]) == {"ec2:elastic-ip"}
    assert kinds(ResourceTypeFilters=["s3"]) == set()
    first = api.get_resources(TagFilters=filters, ResourcesPerPage=2)
    assert len(first["ResourceTagMappingList"]) == 2 and first["PaginationToken"]
    pages = list(api.get_paginator("get_resources").paginate(TagFilters=filters, ResourcesPerPage=2))
    found = [one["ResourceARN"] for page in pages for one in page["ResourceTagMappingList"]]
    assert len(found) == len(set(found)) == 5
    arn = f"arn:aws:ec2:{REGION}:{ACCOUNT}:vpc/{vpc}"
    assert [one["ResourceARN"] for one in api.get_resources(ResourceARNList=[arn])["ResourceTagMappingList"]] == [arn]
    fails("InvalidParameterException", lambda: api.get_resources(ResourceARNList=[arn], TagFilters=filters))
    fails("InvalidParameterException", lambda: api.get_resources(ResourcesPerPage=101))
    fails("PaginationTokenExpiredException", lambda: api.get_resources(PaginationToken="nonsense"))
    fails("InvalidParameterException", lambda: api.tag_resources(ResourceARNList=[arn], Tags={"aws:x": "y"}))
    unknown = arn[:-4] + "0000"
    assert list(api.tag_resources(ResourceARNList=[arn, unknown], Tags={"a": "b"})["FailedResourcesMap"]) == [unknown]
    assert {"Key": "a", "Value": "b"} in ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["Tags"]
    api.untag_resources(ResourceARNList=[arn], TagKeys=["a", "Mark"])
    assert kinds(ResourceTypeFilters=["ec2:vpc"]) == set()
    limit = {"Amount": "1", "Unit": "USD"}
    budget = {"BudgetName": mark, "BudgetType": "COST", "TimeUnit": "MONTHLY", "BudgetLimit": limit}
    cloud.client("budgets").create_budget(AccountId=ACCOUNT, Budget=budget, ResourceTags=pairs)
    cloud.client("cloudwatch").put_dashboard(DashboardName=mark, DashboardBody='{"widgets":[]}', Tags=pairs)
    assert kinds(ResourceTypeFilters=["budgets", "cloudwatch"]) == {"budgets:budget", "cloudwatch:dashboard"}
    assert mark in api.get_tag_values(Key="Mark")["TagValues"]


@row("iam-details")
def iam_details(cloud: Cloud) -> None:
    iam = cloud.client("iam")
    arn = iam.create_policy(PolicyName=fresh("policy"), PolicyDocument=policy({}))["Policy"]["Arn"]
    found = iam.get_account_authorization_details(Filter=["LocalManagedPolicy"])
    mine = next(one for one in found["Policies"] if one["Arn"] == arn)
    assert mine["PolicyName"] == arn.rpartition("/")[2] and mine["PolicyId"] and not found["RoleDetailList"]
    fails("ValidationError", lambda: iam.get_account_authorization_details(Filter=["role"]))


@row("pages-more")
def pages_more(_: Cloud) -> None:
    with Cloud("--page-size", "2") as small:
        cloudwatch, sns, secrets = small.client("cloudwatch"), small.client("sns"), small.client("secretsmanager")
        for number in range(3):
            name = f"page-{number}"
            sns.create_topic(Name=name)
            secrets.create_secret(Name=name, SecretString="x")
            cloudwatch.put_metric_alarm(
                AlarmName=name,
                Namespace="n",
                MetricName="m",
                Statistic="Sum",
                Period=60,
                EvaluationPeriods=1,
                Threshold=1,
                ComparisonOperator="GreaterThanThreshold",
            )
        sizes = lambda client, operation, key: [len(one[key]) for one in client.get_paginator(operation).paginate()]
        assert sizes(cloudwatch, "describe_alarms", "MetricAlarms") == [2, 1]
        assert sizes(sns, "list_topics", "Topics") == [2, 1]
        assert sizes(secrets, "list_secrets", "SecretList") == [2, 1]
        fails("InvalidNextToken", lambda: cloudwatch.describe_alarms(NextToken="nonsense"))
