"""Checks of what a platform has on request: cost reports, their queries, and an organization's policies."""

import json
from typing import Any

from .harness import ACCOUNT, REGION, Cloud, fails, fresh, row

REPORT = {
    "TimeUnit": "HOURLY",
    "Format": "Parquet",
    "Compression": "Parquet",
    "AdditionalSchemaElements": ["RESOURCES"],
    "AdditionalArtifacts": ["ATHENA"],
    "S3Prefix": "reports",
    "S3Region": REGION,
    "ReportVersioning": "OVERWRITE_REPORT",
}


def delivery_bucket(cloud: Cloud) -> str:
    """A bucket that lets reports in."""
    s3, name = cloud.client("s3"), fresh("reports")
    s3.create_bucket(Bucket=name)
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "billingreports.amazonaws.com"},
        "Action": ["s3:GetBucketAcl", "s3:GetBucketPolicy", "s3:PutObject"],
        "Resource": [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"],
    }
    s3.put_bucket_policy(Bucket=name, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    return name


@row("reports")
def reports(cloud: Cloud) -> None:
    cur, bucket = cloud.client("cur"), delivery_bucket(cloud)
    definition = lambda **more: {**REPORT, "ReportName": "r-0", "S3Bucket": bucket, **more}
    put = lambda **more: cur.put_report_definition(ReportDefinition=definition(**more), Tags=[{"Key": "a", "Value": "1"}])
    fails("ValidationException", lambda: put(S3Bucket="not-there"))
    fails("ValidationException", lambda: put(ReportVersioning="CREATE_NEW_REPORT"))
    put()
    fails("DuplicateReportNameException", put)
    for number in range(1, 10):
        put(ReportName=f"r-{number}")
    fails("ReportLimitReachedException", lambda: put(ReportName="r-10"))
    first = cur.describe_report_definitions()
    assert len(first["ReportDefinitions"]) == 5 and first["NextToken"]
    assert len(cur.describe_report_definitions(NextToken=first["NextToken"])["ReportDefinitions"]) == 5
    modify = lambda **more: cur.modify_report_definition(ReportName="r-0", ReportDefinition=definition(**more))
    fails("ValidationException", lambda: modify(TimeUnit="DAILY"))
    modify(S3Prefix="elsewhere")
    assert first["ReportDefinitions"][0]["S3Prefix"] == "reports"
    assert cur.describe_report_definitions()["ReportDefinitions"][0]["S3Prefix"] == "elsewhere"
    cur.tag_resource(ReportName="r-0", Tags=[{"Key": "b", "Value": "2"}])
    cur.untag_resource(ReportName="r-0", TagKeys=["a"])
    assert cur.list_tags_for_resource(ReportName="r-0")["Tags"] == [{"Key": "b", "Value": "2"}]
    assert len(cloud.control("GET", "inventory")["cur.report-definition"]) == 10
    for number in range(10):
        cur.delete_report_definition(ReportName=f"r-{number}")
    cur.delete_report_definition(ReportName="r-0")
    assert not cur.describe_report_definitions()["ReportDefinitions"]
    fails("InvalidSignatureException", lambda: cloud.client("cur", "eu-west-1").describe_report_definitions())


@row("workgroups")
def workgroups(cloud: Cloud) -> None:
    athena, name = cloud.client("athena"), fresh("group")
    results = {"OutputLocation": "s3://b/results/", "ExpectedBucketOwner": ACCOUNT}
    make = lambda **more: athena.create_work_group(
        Name=name, Configuration={"ResultConfiguration": results, **more}, Tags=[{"Key": "a", "Value": "1"}]
    )
    fails("InvalidRequestException", lambda: make(BytesScannedCutoffPerQuery=1))
    make(BytesScannedCutoffPerQuery=10_000_000)
    fails("InvalidRequestException", make)
    update = lambda **changes: athena.update_work_group(WorkGroup=name, ConfigurationUpdates=changes)
    update(BytesScannedCutoffPerQuery=20_000_000, ResultConfigurationUpdates={"RemoveExpectedBucketOwner": True})
    shown = athena.get_work_group(WorkGroup=name)["WorkGroup"]["Configuration"]
    assert shown["BytesScannedCutoffPerQuery"] == 20_000_000
    assert shown["ResultConfiguration"] == {"OutputLocation": "s3://b/results/"}
    athena.create_named_query(Name="q", Database="d", QueryString="select 1", WorkGroup=name)
    fails("InvalidRequestException", lambda: athena.delete_work_group(WorkGroup=name))
    athena.delete_work_group(WorkGroup=name, RecursiveDeleteOption=True)
    fails("InvalidRequestException", lambda: athena.get_work_group(WorkGroup=name))
    arn = f"arn:aws:athena:{REGION}:{ACCOUNT}:workgroup/{name}"
    fails("ResourceNotFoundException", lambda: athena.list_tags_for_resource(ResourceARN=arn))
    assert arn not in cloud.control("GET", "inventory").get("athena.workgroup", [])


@row("catalogue")
def catalogue(cloud: Cloud) -> None:
    glue, name = cloud.client("glue"), "catalogue_check"
    arn = f"arn:aws:glue:{REGION}:{ACCOUNT}:database/{name}"
    fails("EntityNotFoundException", lambda: glue.get_tags(ResourceArn=arn))
    glue.create_database(DatabaseInput={"Name": name}, Tags={"a": "1"})
    assert glue.get_tags(ResourceArn=arn)["Tags"] == {"a": "1"}
    assert cloud.control("GET", "inventory")["glue.database"] == [arn]
    glue.delete_database(Name=name)
    assert "glue.database" not in cloud.control("GET", "inventory")


def deny(**more: Any) -> str:
    """A service control policy."""
    statement = {"Effect": "Deny", "Action": "s3:*", "Resource": "*", **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@row("organization")
def organization(cloud: Cloud) -> None:
    own = cloud.client("organizations")
    fails("AWSOrganizationsNotInUseException", own.describe_organization)
    own.accept_handshake(HandshakeId="h-examplehandshakeid111")
    assert own.describe_organization()["Organization"]["MasterAccountId"] != ACCOUNT
    fails("AccessDeniedException", own.list_roots)
    own.leave_organization()
    own.create_organization(FeatureSet="ALL")
    fails("AlreadyInOrganizationException", lambda: own.create_organization(FeatureSet="ALL"))
    assert own.describe_organization()["Organization"]["MasterAccountId"] == ACCOUNT
    root = own.list_roots()["Roots"][0]
    assert root["PolicyTypes"] == []
    unit = own.create_organizational_unit(ParentId=root["Id"], Name="unit")["OrganizationalUnit"]["Id"]
    assert own.describe_organizational_unit(OrganizationalUnitId=unit)["OrganizationalUnit"]["Name"] == "unit"
    account = own.create_account(Email="a@example.com", AccountName="a")["CreateAccountStatus"]["AccountId"]
    assert own.describe_account(AccountId=account)["Account"]["Status"] == "ACTIVE"
    fails("AccountNotFoundException", lambda: own.describe_account(AccountId="999999999999"))
    fails("MasterCannotLeaveOrganizationException", own.leave_organization)
    fails("OrganizationNotEmptyException", own.delete_organization)
    own.delete_organizational_unit(OrganizationalUnitId=unit)
    cloud.control("POST", "reset")


@row("organization-policies")
def organization_policies(cloud: Cloud) -> None:
    own, kind = cloud.client("organizations"), "SERVICE_CONTROL_POLICY"
    own.create_organization(FeatureSet="ALL")
    root = own.list_roots()["Roots"][0]["Id"]
    make = lambda name, content: own.create_policy(Name=name, Description="d", Type=kind, Content=content)
    fails("MalformedPolicyDocumentException", lambda: make("p", deny(Principal="*")))
    fails("ConstraintViolationException", lambda: make("p", deny(Sid="x" * 6000)))
    policy = make("p", deny())["Policy"]["PolicySummary"]["Id"]
    fails("DuplicatePolicyException", lambda: make("p", deny()))
    attach = lambda target: own.attach_policy(PolicyId=policy, TargetId=target)
    fails("PolicyTypeNotEnabledException", lambda: attach(root))
    own.enable_policy_type(RootId=root, PolicyType=kind)
    fails("PolicyTypeAlreadyEnabledException", lambda: own.enable_policy_type(RootId=root, PolicyType=kind))
    fails("TargetNotFoundException", lambda: attach("ou-none-12345678"))
    attach(root)
    fails("DuplicatePolicyAttachmentException", lambda: attach(root))
    assert own.list_targets_for_policy(PolicyId=policy)["Targets"] == [{"TargetId": root, "Type": "ROOT"}]
    on_root = own.list_policies_for_target(TargetId=root, Filter=kind)["Policies"]
    assert [one["Id"] for one in on_root] == ["p-FullAWSAccess", policy]
    fails("PolicyInUseException", lambda: own.delete_policy(PolicyId=policy))
    own.update_policy(PolicyId=policy, Content=deny(Action="ec2:*"))
    assert "ec2:*" in own.describe_policy(PolicyId=policy)["Policy"]["Content"]
    own.tag_resource(ResourceId=policy, Tags=[{"Key": "a", "Value": "1"}])
    assert own.list_tags_for_resource(ResourceId=policy)["Tags"] == [{"Key": "a", "Value": "1"}]
    assert len(cloud.control("GET", "inventory")["organizations.policy"]) == 1
    own.detach_policy(PolicyId=policy, TargetId=root)
    fails("PolicyNotAttachedException", lambda: own.detach_policy(PolicyId=policy, TargetId=root))
    own.delete_policy(PolicyId=policy)
    fails("PolicyNotFoundException", lambda: own.describe_policy(PolicyId=policy))
    cloud.control("POST", "reset")
