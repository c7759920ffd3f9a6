"""Checks of DynamoDB, S3, Secrets Manager, SNS, billing and load balancers."""

import json
import re
from typing import Any

from .harness import ACCOUNT, REGION, Cloud, Network, fails, fresh, make_role, row

KEYS = {
    "AttributeDefinitions": [{"AttributeName": "userId", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "userId", "KeyType": "HASH"}],
    "ProvisionedThroughput": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5},
}


def make_table(cloud: Cloud, **more: Any) -> str:
    """A table; returns its name without waiting for it."""
    name = fresh("table")
    cloud.client("dynamodb").create_table(TableName=name, **KEYS | more)
    return name


@row("table-states")
def table_states(cloud: Cloud) -> None:
    dynamodb, name = cloud.client("dynamodb"), make_table(cloud, DeletionProtectionEnabled=True)
    show = lambda: dynamodb.describe_table(TableName=name)["Table"]
    assert show()["TableStatus"] == "CREATING" and "BillingModeSummary" not in show()
    change = lambda **more: dynamodb.update_table(TableName=name, **more)
    more = {"ReadCapacityUnits": 6, "WriteCapacityUnits": 5}
    fails("ResourceInUseException", lambda: change(ProvisionedThroughput=more))
    cloud.advance()
    fails("ValidationException", lambda: change(ProvisionedThroughput=KEYS["ProvisionedThroughput"]))
    change(ProvisionedThroughput=more)
    assert show()["TableStatus"] == "UPDATING"
    fails("ResourceInUseException", lambda: dynamodb.delete_table(TableName=name))
    cloud.advance()
    key = cloud.client("kms").create_key()["KeyMetadata"]["Arn"]
    change(SSESpecification={"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": key})
    cloud.advance()
    assert show()["SSEDescription"]["KMSMasterKeyArn"] == key
    fails("ValidationException", lambda: dynamodb.delete_table(TableName=name))
    for view in ("KEYS_ONLY", "NEW_IMAGE"):
        change(StreamSpecification={"StreamEnabled": True, "StreamViewType": view})
        cloud.advance()
        assert show()["StreamSpecification"]["StreamViewType"] == view
        change(StreamSpecification={"StreamEnabled": False})
        cloud.advance()
    change(DeletionProtectionEnabled=False)
    assert show()["TableStatus"] == "ACTIVE"
    assert show()["TableArn"] in cloud.control("GET", "inventory")["dynamodb.table"]
    dynamodb.delete_table(TableName=name)
    assert show()["TableStatus"] == "DELETING"
    cloud.advance()
    fails("ResourceNotFoundException", show)


@row("table-expiry")
def table_expiry(cloud: Cloud) -> None:
    dynamodb, name = cloud.client("dynamodb"), make_table(cloud)
    backups = lambda: dynamodb.update_continuous_backups(
        TableName=name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )
    fails("ContinuousBackupsUnavailableException", backups)
    cloud.advance()
    backups()
    state = lambda: dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]["TimeToLiveStatus"]
    turn = lambda on: dynamodb.update_time_to_live(
        TableName=name, TimeToLiveSpecification={"Enabled": on, "AttributeName": "ttl"}
    )
    fails("ValidationException", lambda: turn(False))
    turn(True)
    assert state() == "ENABLING"
    fails("ValidationException", lambda: turn(False))
    cloud.advance()
    assert state() == "ENABLED"
    fails("ValidationException", lambda: turn(True))


@row("scaling-targets")
def scaling_targets(cloud: Cloud) -> None:
    scaling, table = cloud.client("application-autoscaling"), make_table(cloud)
    place = {"ServiceNamespace": "dynamodb", "ResourceId": f"table/{table}"}
    place["ScalableDimension"] = "dynamodb:table:ReadCapacityUnits"
    register = lambda **more: scaling.register_scalable_target(
        **{**place, "MinCapacity": 5, "MaxCapacity": 100, **more}
    )
    fails("ValidationException", lambda: register(ResourceId="table/none"))
    fails("ValidationException", lambda: register(MinCapacity=200))
    metric = {"PredefinedMetricType": "DynamoDBReadCapacityUtilization"}
    policy = {
        "TargetValue": 70.0,
        "PredefinedMetricSpecification": metric,
        "ScaleInCooldown": 60,
        "ScaleOutCooldown": 60,
    }
    put = lambda: scaling.put_scaling_policy(
        PolicyName="p", PolicyType="TargetTrackingScaling", TargetTrackingScalingPolicyConfiguration=policy, **place
    )
    fails("ObjectNotFoundException", put)
    arn = register(Tags={"a": "b"})["ScalableTargetARN"]
    assert scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"a": "b"}
    fails("ValidationException", lambda: register(Tags={"a": "b"}))
    register(MaxCapacity=50)
    fails("ValidationException", lambda: register(ScalableDimension="dynamodb:table:WriteCapacityUnits", Tags={"a": " "}))
    scaling.tag_resource(ResourceARN=arn, Tags={"c": "d"})
    scaling.untag_resource(ResourceARN=arn, TagKeys=["a"])
    found = scaling.describe_scalable_targets(ServiceNamespace="dynamodb", ResourceIds=[f"table/{table}"])[
        "ScalableTargets"
    ]
    assert "AWSServiceRoleForApplicationAutoScaling_DynamoDBTable" in found[0]["RoleARN"]
    assert put()["PolicyARN"] == put()["PolicyARN"]
    inventory = cloud.control("GET", "inventory")
    assert arn in inventory["application-autoscaling.target"]
    assert any(table in one for one in inventory["application-autoscaling.policy"])
    scaling.deregister_scalable_target(**place)
    inventory = cloud.control("GET", "inventory")
    assert not any(table in one for one in inventory.get("application-autoscaling.policy", []))
    assert not any(table in one for one in inventory.get("cloudwatch.alarm", []))
    fails("ObjectNotFoundException", lambda: scaling.deregister_scalable_target(**place))


def make_bucket(cloud: Cloud) -> str:
    """A bucket."""
    name = fresh("bedplate-check-bucket")
    cloud.client("s3").create_bucket(Bucket=name)
    return name


@row("bucket-tags")
def bucket_tags(cloud: Cloud) -> None:
    s3, name = cloud.client("s3"), fresh("bedplate-check-bucket")
    tags = [{"Key": "Project", "Value": "one & two"}]
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"Tags": tags})
    assert s3.get_bucket_tagging(Bucket=name)["TagSet"] == tags
    fails("NoSuchTagSet", lambda: s3.get_bucket_tagging(Bucket=make_bucket(cloud)))


@row("bucket-new")
def bucket_new(cloud: Cloud) -> None:
    s3, name = cloud.client("s3"), make_bucket(cloud)
    rules = s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    assert all(s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"].values())
    controls = s3.get_bucket_ownership_controls(Bucket=name)["OwnershipControls"]["Rules"]
    assert controls == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    s3.delete_public_access_block(Bucket=name)
    fails("NoSuchPublicAccessBlockConfiguration", lambda: s3.get_public_access_block(Bucket=name))


@row("object-conditions")
def object_conditions(cloud: Cloud) -> None:
    s3, name = cloud.client("s3"), make_bucket(cloud)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    put = lambda body, **condition: s3.put_object(Bucket=name, Key="state", Body=body, **condition)
    fails("NoSuchKey", lambda: put(b"0", IfMatch='"d41d8cd98f00b204e9800998ecf8427e"'))
    first = put(b"1", IfNoneMatch="*")["ETag"]
    fails("PreconditionFailed", lambda: put(b"2", IfNoneMatch="*"))
    second = put(b"2", IfMatch=first)["ETag"]
    fails("PreconditionFailed", lambda: put(b"3", IfMatch=first))
    answer = s3.get_object(Bucket=name, Key="state")
    assert (answer["Body"].read(), answer["ETag"]) == (b"2", second)
    assert len(s3.list_object_versions(Bucket=name)["Versions"]) == 2
    # What is deleted is not there, whatever versions are left.
    s3.delete_object(Bucket=name, Key="state")
    put(b"4", IfNoneMatch="*")


@row("bucket-lifecycle")
def bucket_lifecycle(cloud: Cloud) -> None:
    s3, name, target = cloud.client("s3"), make_bucket(cloud), make_bucket(cloud)
    rule = {"ID": "r", "Status": "Enabled", "Filter": {"ObjectSizeGreaterThan": 131072}}
    rule["NoncurrentVersionExpiration"] = {"NoncurrentDays": 90, "NewerNoncurrentVersions": 3}
    put = lambda days: s3.put_bucket_lifecycle_configuration(
        Bucket=name,
        LifecycleConfiguration={"Rules": [rule | {"Transitions": [{"Days": days, "StorageClass": "STANDARD_IA"}]}]},
    )
    fails("InvalidArgument", lambda: put(10))
    put(90)
    found = s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"][0]
    assert (found["Filter"], found["NoncurrentVersionExpiration"]) == (
        rule["Filter"],
        rule["NoncurrentVersionExpiration"],
    )
    format = {"PartitionedPrefix": {"PartitionDateSource": "EventTime"}}
    wanted = {"TargetBucket": target, "TargetPrefix": "access-logs/", "TargetObjectKeyFormat": format}
    log = lambda: s3.put_bucket_logging(Bucket=name, BucketLoggingStatus={"LoggingEnabled": wanted})
    fails("InvalidTargetBucketForLogging", log)
    statement = {"Effect": "Allow", "Principal": {"Service": "logging.s3.amazonaws.com"}, "Action": "s3:PutObject"}
    statement["Resource"] = f"arn:aws:s3:::{target}/*"
    tls = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": f"arn:aws:s3:::{target}/*"}
    tls["Condition"] = {"Bool": {"aws:SecureTransport": "false"}}
    s3.put_bucket_policy(Bucket=target, Policy=json.dumps({"Version": "2012-10-17", "Statement": [tls, statement]}))
    log()
    assert s3.get_bucket_logging(Bucket=name)["LoggingEnabled"] == wanted


@row("bucket-roots")
def bucket_roots(cloud: Cloud) -> None:
    s3, name, seen = cloud.client("s3"), make_bucket(cloud), []
    note = lambda http_response, **_: seen.append(re.search(rb"<(\w+)", http_response.content)[1].decode())
    s3.meta.events.register("after-call.s3", note, "roots")
    for ask in (
        s3.get_bucket_versioning,
        s3.list_bucket_intelligent_tiering_configurations,
        s3.get_bucket_notification_configuration,
        s3.get_bucket_accelerate_configuration,
        s3.get_bucket_request_payment,
    ):
        ask(Bucket=name)
    s3.meta.events.unregister("after-call.s3", note, "roots")
    assert seen == [
        "VersioningConfiguration",
        "ListBucketIntelligentTieringConfigurationsOutput",
        "NotificationConfiguration",
        "AccelerateConfiguration",
        "RequestPaymentConfiguration",
    ]


@row("bucket-tiering")
def bucket_tiering(cloud: Cloud) -> None:
    s3, name = cloud.client("s3"), make_bucket(cloud)
    tiers = lambda days: {"Id": "t", "Status": "Enabled", "Tierings": [{"Days": days, "AccessTier": "ARCHIVE_ACCESS"}]}
    put = lambda days: s3.put_bucket_intelligent_tiering_configuration(
        Bucket=name, Id="t", IntelligentTieringConfiguration=tiers(days)
    )
    get = lambda: s3.get_bucket_intelligent_tiering_configuration(Bucket=name, Id="t")[
        "IntelligentTieringConfiguration"
    ]
    fails("NoSuchConfiguration", get)
    fails("InvalidArgument", lambda: put(10))
    put(90)
    assert get() == tiers(90)
    listed = s3.list_bucket_intelligent_tiering_configurations(Bucket=name)
    assert listed["IntelligentTieringConfigurationList"] == [tiers(90)]
    s3.delete_bucket_intelligent_tiering_configuration(Bucket=name, Id="t")
    fails("NoSuchConfiguration", get)
    s3.head_bucket(Bucket=name)


@row("secrets-deletion")
def secrets_deletion(cloud: Cloud) -> None:
    manager, name = cloud.client("secretsmanager"), fresh("fintech/secret")
    manager.create_secret(Name=name, SecretString="a")
    manager.delete_secret(SecretId=name, RecoveryWindowInDays=7)
    fails("InvalidRequestException", lambda: manager.get_secret_value(SecretId=name))
    fails("InvalidRequestException", lambda: manager.create_secret(Name=name, SecretString="a"))
    fails("InvalidRequestException", lambda: manager.put_secret_value(SecretId=name, SecretString="b"))
    manager.restore_secret(SecretId=name)
    assert manager.get_secret_value(SecretId=name)["SecretString"] == "a"
    with Cloud() as other:
        manager = other.client("secretsmanager")
        manager.create_secret(Name=name, SecretString="a")
        manager.delete_secret(SecretId=name, RecoveryWindowInDays=7)
        other.advance(8 * 86400)
        fails("ResourceNotFoundException", lambda: manager.describe_secret(SecretId=name))


@row("secrets-update")
def secrets_update(cloud: Cloud) -> None:
    manager, name = cloud.client("secretsmanager"), fresh("secret")
    manager.create_secret(Name=name, SecretString="a", Description="d", Tags=[{"Key": "a", "Value": "b"}])
    show = lambda: manager.describe_secret(SecretId=name)
    versions = show()["VersionIdsToStages"]
    key = cloud.client("kms").create_key()["KeyMetadata"]["Arn"]
    manager.update_secret(SecretId=name, KmsKeyId=key)
    found = show()
    assert (found["Description"], found["KmsKeyId"], found["Tags"]) == ("d", key, [{"Key": "a", "Value": "b"}])
    assert found["VersionIdsToStages"] == versions
    fails("InvalidParameterException", lambda: manager.update_secret(SecretId=name, KmsKeyId=key[:-4] + "none"))
    manager.update_secret(SecretId=name, SecretString="b")
    assert show()["Tags"] and len(show()["VersionIdsToStages"]) == 2


@row("topic-mail")
def topic_mail(cloud: Cloud) -> None:
    sns = cloud.client("sns")
    topic = sns.create_topic(Name=fresh("topic"))["TopicArn"]
    ask = lambda **more: sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="a@example.com", **more)
    assert ask()["SubscriptionArn"] == "pending confirmation"
    arn = ask(ReturnSubscriptionArn=True)["SubscriptionArn"]
    listed = lambda: sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert [one["SubscriptionArn"] for one in listed()] == ["PendingConfirmation"]
    assert sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]["PendingConfirmation"] == "true"
    assert sns.get_topic_attributes(TopicArn=topic)["Attributes"]["SubscriptionsPending"] == "1"
    fails("InvalidParameter", lambda: sns.unsubscribe(SubscriptionArn="PendingConfirmation"))
    fails("InvalidParameter", lambda: sns.unsubscribe(SubscriptionArn=arn))
    assert cloud.control("POST", "confirm", {"topic": topic}) == {"confirmed": [arn]}
    assert [one["SubscriptionArn"] for one in listed()] == [arn]
    sns.unsubscribe(SubscriptionArn=arn)
    assert listed() == []


@row("topic-same")
def topic_same(cloud: Cloud) -> None:
    sns, name = cloud.client("sns"), fresh("topic")
    make = lambda value: sns.create_topic(Name=name, Tags=[{"Key": "a", "Value": value}])["TopicArn"]
    topic = make("b")
    assert make("b") == topic
    fails("InvalidParameter", lambda: make("c"))
    bad = {"TopicArn": topic, "AttributeName": "Policy", "AttributeValue": "{nope"}
    fails("InvalidParameter", lambda: sns.set_topic_attributes(**bad))


@row("budgets")
def budgets(cloud: Cloud) -> None:
    client, name = cloud.client("budgets"), fresh("budget")
    wanted = {
        "BudgetName": name,
        "BudgetType": "COST",
        "TimeUnit": "MONTHLY",
        "BudgetLimit": {"Amount": "100", "Unit": "USD"},
    }
    notice = {
        "NotificationType": "ACTUAL",
        "ComparisonOperator": "GREATER_THAN",
        "Threshold": 80.0,
        "ThresholdType": "PERCENTAGE",
    }
    mail = {"SubscriptionType": "EMAIL", "Address": "a@example.com"}
    with_mail = [{"Notification": notice, "Subscribers": [mail]}]
    create = lambda: client.create_budget(
        AccountId=ACCOUNT,
        Budget=wanted,
        NotificationsWithSubscribers=with_mail,
        ResourceTags=[{"Key": "a", "Value": "b"}],
    )
    create()
    fails("DuplicateRecordException", create)
    client.update_budget(AccountId=ACCOUNT, NewBudget=wanted | {"BudgetLimit": {"Amount": "200", "Unit": "USD"}})
    of = {"AccountId": ACCOUNT, "BudgetName": name}
    assert client.describe_budget(**of)["Budget"]["BudgetLimit"] == {"Amount": "200.0", "Unit": "USD"}
    client.create_subscriber(**of, Notification=notice, Subscriber=mail | {"Address": "b@example.com"})
    fails("DuplicateRecordException", lambda: client.create_subscriber(**of, Notification=notice, Subscriber=mail))
    assert len(client.describe_subscribers_for_notification(**of, Notification=notice)["Subscribers"]) == 2
    client.update_notification(**of, OldNotification=notice, NewNotification=notice | {"Threshold": 90.0})
    found = client.describe_budget_notifications_for_account(AccountId=ACCOUNT)["BudgetNotificationsForAccount"]
    assert [one["Notifications"][0]["Threshold"] for one in found if one["BudgetName"] == name] == [90.0]
    arn = f"arn:aws:budgets::{ACCOUNT}:budget/{name}"
    assert client.list_tags_for_resource(ResourceARN=arn)["ResourceTags"] == [{"Key": "a", "Value": "b"}]
    assert arn in cloud.control("GET", "inventory")["budgets.budget"]
    client.delete_budget(**of)
    fails("NotFoundException", lambda: client.describe_budget(**of))


@row("anomalies")
def anomalies(cloud: Cloud) -> None:
    ce = cloud.client("ce")
    wanted = {"MonitorName": "m", "MonitorType": "DIMENSIONAL", "MonitorDimension": "LINKED_ACCOUNT"}
    monitor = ce.create_anomaly_monitor(AnomalyMonitor=wanted, ResourceTags=[{"Key": "a", "Value": "b"}])["MonitorArn"]
    fails("ValidationException", lambda: ce.create_anomaly_monitor(AnomalyMonitor=wanted))
    impact = {"Key": "ANOMALY_TOTAL_IMPACT_ABSOLUTE", "Values": ["20"], "MatchOptions": ["GREATER_THAN_OR_EQUAL"]}
    topic = {"Type": "SNS", "Address": f"arn:aws:sns:{REGION}:{ACCOUNT}:t"}
    subscription = {
        "SubscriptionName": "s",
        "MonitorArnList": [monitor],
        "Subscribers": [topic],
        "Frequency": "IMMEDIATE",
        "ThresholdExpression": {"Dimensions": impact},
    }
    make = lambda **more: ce.create_anomaly_subscription(AnomalySubscription=subscription | more)["SubscriptionArn"]
    fails("ValidationException", lambda: make(Subscribers=[{"Type": "EMAIL", "Address": "a@example.com"}]))
    fails("UnknownMonitorException", lambda: make(MonitorArnList=[monitor + "x"]))
    arn = make()
    found = ce.get_anomaly_subscriptions(SubscriptionArnList=[arn])["AnomalySubscriptions"][0]
    assert found["ThresholdExpression"] == {"Dimensions": impact} and found["Subscribers"][0]["Status"] == "CONFIRMED"
    assert ce.list_tags_for_resource(ResourceArn=monitor)["ResourceTags"] == [{"Key": "a", "Value": "b"}]
    ce.delete_anomaly_subscription(SubscriptionArn=arn)
    ce.delete_anomaly_monitor(MonitorArn=monitor)
    assert not ce.get_anomaly_monitors()["AnomalyMonitors"]
    organizations = cloud.client("organizations")
    organizations.accept_handshake(HandshakeId="h-examplehandshakeid111")
    fails("ValidationException", lambda: ce.create_anomaly_monitor(AnomalyMonitor=wanted))
    of_services = wanted | {"MonitorDimension": "SERVICE"}
    ce.delete_anomaly_monitor(MonitorArn=ce.create_anomaly_monitor(AnomalyMonitor=of_services)["MonitorArn"])
    organizations.leave_organization()


@row("billing-region")
def billing_region(cloud: Cloud) -> None:
    client = cloud.client("budgets", "eu-central-1")
    fails("InvalidSignatureException", lambda: client.describe_budgets(AccountId=ACCOUNT))


def make_balancer(cloud: Cloud, net: Network, **more: Any) -> Any:
    """A load balancer over two public subnets."""
    elb = cloud.client("elbv2")
    arguments = {"Name": fresh("lb"), "Subnets": [net.public, net.private[1]], "Type": "application"} | more
    return elb.create_load_balancer(**arguments)["LoadBalancers"][0]


@row("balancer-states")
def balancer_states(cloud: Cloud) -> None:
    elb, net = cloud.client("elbv2"), Network(cloud)
    group, name = net.group(), fresh("lb")
    made = make_balancer(cloud, net, Name=name, SecurityGroups=[group])
    arn = made["LoadBalancerArn"]
    state = lambda: elb.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"][0]["State"]["Code"]
    assert (made["State"]["Code"], state()) == ("provisioning", "provisioning")
    cloud.advance()
    assert state() == "active"
    assert make_balancer(cloud, net, Name=name, SecurityGroups=[group])["LoadBalancerArn"] == arn
    fails("DuplicateLoadBalancerName", lambda: make_balancer(cloud, net, Name=name, Scheme="internal"))
    fails("ValidationError", lambda: make_balancer(cloud, net, Subnets=[net.public]))
    assert arn in cloud.control("GET", "inventory")["elbv2.load-balancer"]
    elb.delete_load_balancer(LoadBalancerArn=arn)
    fails("LoadBalancerNotFound", state)
    fails("DependencyViolation", lambda: net.ec2.delete_security_group(GroupId=group))
    cloud.advance()
    net.ec2.delete_security_group(GroupId=group)


@row("balancer-attributes")
def balancer_attributes(cloud: Cloud) -> None:
    elb, s3, bucket = cloud.client("elbv2"), cloud.client("s3"), make_bucket(cloud)
    arn = make_balancer(cloud, Network(cloud))["LoadBalancerArn"]
    show = lambda: {
        one["Key"]: one["Value"] for one in elb.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]
    }
    assert show()["idle_timeout.timeout_seconds"] == "60"

    def put(**values: str) -> None:
        pairs = [{"Key": key.replace("__", "."), "Value": value} for key, value in values.items()]
        elb.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=pairs)

    logs = {"access_logs__s3__enabled": "true", "access_logs__s3__bucket": bucket, "access_logs__s3__prefix": "alb"}
    fails("InvalidConfigurationRequest", lambda: put(**logs))
    statement = {"Effect": "Allow", "Principal": {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"}}
    statement |= {"Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{bucket}/alb/AWSLogs/{ACCOUNT}/*"}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    put(**logs, deletion_protection__enabled="true")
    assert show()["access_logs.s3.bucket"] == bucket
    fails("OperationNotPermitted", lambda: elb.delete_load_balancer(LoadBalancerArn=arn))
    put(deletion_protection__enabled="false")
    elb.delete_load_balancer(LoadBalancerArn=arn)


@row("balancer-tags")
def balancer_tags(cloud: Cloud) -> None:
    elb = cloud.client("elbv2")
    arn = make_balancer(cloud, Network(cloud))["LoadBalancerArn"]
    assert [one["ResourceArn"] for one in elb.describe_tags(ResourceArns=[arn])["TagDescriptions"]] == [arn]
    fails("LoadBalancerNotFound", lambda: elb.describe_tags(ResourceArns=[arn, arn[:-4] + "0000"]))
    fails("ValidationError", lambda: elb.describe_tags(ResourceArns=[arn] * 21))


@row("node-groups-attach")
def node_groups_attach(cloud: Cloud) -> None:
    eks, scaling, net, name = cloud.client("eks"), cloud.client("autoscaling"), Network(cloud), fresh("cluster")
    role = make_role(cloud, "eks.amazonaws.com", "AmazonEKSClusterPolicy")
    nodes = make_role(cloud, "ec2.amazonaws.com", "AmazonEKSWorkerNodePolicy")
    eks.create_cluster(name=name, roleArn=role, resourcesVpcConfig={"subnetIds": net.private})
    cloud.advance()
    of = {"clusterName": name, "nodegroupName": "system-ng"}
    eks.create_nodegroup(
        **of, subnets=net.private, nodeRole=nodes, scalingConfig={"minSize": 1, "desiredSize": 2, "maxSize": 3}
    )
    cloud.advance()
    group = eks.describe_nodegroup(**of)["nodegroup"]["resources"]["autoScalingGroups"][0]["name"]
    show = lambda: scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[group])["AutoScalingGroups"]
    assert (show()[0]["DesiredCapacity"], len(show()[0]["Instances"])) == (2, 2)
    make = {"Name": fresh("tg"), "Protocol": "HTTP", "Port": 30080, "VpcId": net.vpc, "TargetType": "instance"}
    arn = cloud.client("elbv2").create_target_group(**make)["TargetGroups"][0]["TargetGroupArn"]
    sources = {"AutoScalingGroupName": group, "TrafficSources": [{"Identifier": arn, "Type": "elbv2"}]}
    bad = {"AutoScalingGroupName": group, "TrafficSources": [{"Identifier": arn + "x", "Type": "elbv2"}]}
    fails("ValidationError", lambda: scaling.attach_traffic_sources(**bad))
    scaling.attach_traffic_sources(**sources)
    assert scaling.describe_traffic_sources(AutoScalingGroupName=group)["TrafficSources"][0]["Identifier"] == arn
    assert show()[0]["TargetGroupARNs"] == [arn]
    scaling.detach_load_balancer_target_groups(AutoScalingGroupName=group, TargetGroupARNs=[arn])
    assert show()[0]["TargetGroupARNs"] == []
    eks.update_nodegroup_config(**of, scalingConfig={"desiredSize": 3})
    cloud.advance()
    assert show()[0]["DesiredCapacity"] == 3
    eks.delete_nodegroup(**of)
    cloud.advance()
    assert show() == []
