//! The rows of `platform.md`'s table "Security".

use crate::BUILT;
use bedplate_tests::{JsonExt, set};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const ACCOUNT: &str = "797923187401";

#[test]
fn the_key_rotates_and_keeps_its_account() {
    let kms = |operation: &str| BUILT.cloud.call("kms", operation, json!({"KeyId": "alias/fintech-data-key"}));
    let key = kms("describe_key");
    let metadata = &key["KeyMetadata"];
    assert_eq!(metadata["KeyId"], BUILT.project.id("security/key"), "the alias leads to it");
    assert_eq!(metadata["Enabled"], true);
    assert_eq!(metadata["KeySpec"], "SYMMETRIC_DEFAULT");
    let id = json!({"KeyId": metadata["KeyId"]});
    let rotation = BUILT.cloud.call("kms", "get_key_rotation_status", id.clone());
    assert_eq!(rotation["KeyRotationEnabled"], true);
    assert_eq!(rotation["RotationPeriodInDays"], 365);

    let policy = BUILT.cloud.call("kms", "get_key_policy", id);
    let policy = serde_json::from_str::<Value>(policy.text("Policy")).unwrap().plain();
    let statements = policy.list("Statement");
    let root = &statements[0];
    assert_eq!(root["Principal"]["AWS"], format!("arn:aws:iam::{ACCOUNT}:root"));
    assert_eq!((&root["Effect"], &root["Action"]), (&json!("Allow"), &json!("kms:*")));
    let logs = statements.iter().find(|it| it["Principal"]["Service"] == "logs.us-east-1.amazonaws.com").unwrap();
    let context = &logs["Condition"]["ArnLike"]["kms:EncryptionContext:aws:logs:arn"];
    assert_eq!(context, &format!("arn:aws:logs:us-east-1:{ACCOUNT}:log-group:*"), "only for groups of this account");
    assert!(statements.iter().all(|it| it["Principal"] != "*" && it["Principal"]["AWS"] != "*"), "{policy:#}");
}

/// The one statement of a role's trust policy, attached policies and the names of its own policies.
fn role(name: &str) -> (Value, BTreeSet<String>, BTreeSet<String>) {
    let name = json!({"RoleName": format!("fintechglobal-{name}-role")});
    let role = BUILT.cloud.iam("get_role", name.clone());
    let attached = BUILT.cloud.iam("list_attached_role_policies", name.clone());
    let own = BUILT.cloud.iam("list_role_policies", name);
    let own = own.list("PolicyNames").iter().filter_map(Value::as_str).map(str::to_owned).collect();
    (
        role["Role"]["AssumeRolePolicyDocument"]["Statement"].plain(),
        set(attached.list("AttachedPolicies"), "PolicyName"),
        own,
    )
}

#[test]
fn every_role_has_its_policies_and_trusts_one_service() {
    for (name, service, policies, own) in [
        ("cluster", "eks.amazonaws.com", &["AmazonEKSClusterPolicy", "AmazonEKSVPCResourceController"][..], None),
        ("fargate", "eks-fargate-pods.amazonaws.com", &["AmazonEKSFargatePodExecutionRolePolicy"], None),
        (
            "node",
            "ec2.amazonaws.com",
            &["AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy", "AmazonEC2ContainerRegistryReadOnly"],
            None,
        ),
        ("rds-monitoring", "monitoring.rds.amazonaws.com", &["AmazonRDSEnhancedMonitoringRole"], None),
        ("flow-logs", "vpc-flow-logs.amazonaws.com", &[], Some("log-group")),
    ] {
        let (trust, attached, inline) = role(name);
        assert_eq!(trust["Principal"], json!({"Service": service}), "{name}");
        assert_eq!(trust["Action"], "sts:AssumeRole", "{name}");
        // EC2 knows no such condition.
        if name != "node" {
            assert!(trust["Condition"].to_string().contains(ACCOUNT), "{name}: a confused deputy could use it");
        }
        assert_eq!(attached, policies.iter().map(|it| (*it).to_owned()).collect(), "{name}");
        assert_eq!(inline, own.iter().map(|it: &&str| (*it).to_owned()).collect(), "{name}");
    }
}

#[test]
fn flow_logs_may_write_into_their_group_only() {
    let policy = json!({"RoleName": "fintechglobal-flow-logs-role", "PolicyName": "log-group"});
    let policy = &BUILT.cloud.iam("get_role_policy", policy)["PolicyDocument"];
    let group = format!("arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/aws/vpc/fintechglobal-flow-logs");
    assert_eq!(policy["Statement"][0]["Resource"], json!([group, format!("{group}:*")]));
}

#[test]
fn the_service_account_has_least_privilege() {
    let cluster = BUILT.cloud.eks("describe_cluster", json!({"name": "fintechglobal-cluster"}));
    let issuer = cluster["cluster"]["identity"]["oidc"].text("issuer").trim_start_matches("https://").to_owned();
    let arn = format!("arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer}");
    let provider = BUILT.cloud.iam("get_open_id_connect_provider", json!({"OpenIDConnectProviderArn": arn}));
    assert_eq!(provider["Url"], issuer);
    assert_eq!(provider["ClientIDList"], json!(["sts.amazonaws.com"]));

    let (trust, attached, own) = role("app");
    assert_eq!(
        trust,
        json!({
            "Effect": "Allow",
            "Principal": {"Federated": arn},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": {
                format!("{issuer}:aud"): "sts.amazonaws.com",
                format!("{issuer}:sub"): "system:serviceaccount:fintech-prod:fintech-api",
            }},
        })
    );
    assert!(attached.is_empty());
    assert_eq!(own, ["application".to_owned()].into());
    let policy = json!({"RoleName": "fintechglobal-app-role", "PolicyName": "application"});
    let policy = &BUILT.cloud.iam("get_role_policy", policy)["PolicyDocument"];
    for statement in policy.list("Statement") {
        let text = statement.to_string();
        assert!(statement["Resource"] != "*" && !text.contains(":*\""), "{text}");
    }
    // The four secrets, the key, the table, the data lake, and nothing else.
    let statements = policy.list("Statement").iter();
    let resources = statements.flat_map(|it| match &it["Resource"] {
        Value::Array(items) => items.clone(),
        one => vec![one.clone()],
    });
    let resources: BTreeSet<String> = resources.map(|it| it.as_str().expect("an ARN").to_owned()).collect();
    let secrets = BUILT.cloud.call("secretsmanager", "list_secrets", json!({}));
    let mut expected = set(secrets.list("SecretList"), "ARN");
    assert_eq!(expected.len(), 4, "{expected:?}");
    let key = BUILT.cloud.call("kms", "describe_key", json!({"KeyId": "alias/fintech-data-key"}));
    let table = BUILT.cloud.call("dynamodb", "describe_table", json!({"TableName": "fintech-sessions"}));
    let lake = format!("arn:aws:s3:::fintechglobal-data-lake-{ACCOUNT}-us-east-1");
    let others = [key["KeyMetadata"].text("Arn"), table["Table"].text("TableArn"), &lake, &format!("{lake}/*")];
    expected.extend(others.map(str::to_owned));
    assert_eq!(resources, expected);
}

#[test]
fn service_linked_roles_are_there() {
    let inventory = BUILT.cloud.inventory();
    let names: BTreeSet<&str> =
        inventory["iam.service-linked-role"].iter().filter_map(|arn| arn.rsplit('/').next()).collect();
    let expected = [
        "AWSServiceRoleForAmazonEKS",
        "AWSServiceRoleForAmazonEKSNodegroup",
        "AWSServiceRoleForAmazonEKSForFargate",
        "AWSServiceRoleForRDS",
        "AWSServiceRoleForElastiCache",
        "AWSServiceRoleForElasticLoadBalancing",
        "AWSServiceRoleForApplicationAutoScaling_RDSCluster",
        "AWSServiceRoleForApplicationAutoScaling_DynamoDBTable",
    ];
    assert_eq!(names, expected.into());
}
