//! Security: the key that encrypts everything at rest, and the IAM roles.

use crate::{
    Layers,
    cost::{Cost, Declared},
    promise::{Promise, given, on},
};
use bedplate_aws::{
    Arn,
    eks::ClusterOutputs,
    iam::{OidcProvider, OidcProviderSpec, Role, RoleSpec, ServiceLinkedRole, ServiceLinkedRoleSpec},
    kms::{Alias, AliasSpec, Key, KeyOutputs, KeySpec},
};
use bedplate_model::{Draft, Input, Json, Reconcile};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// Declares the key and its alias.
pub(crate) fn key(layers: &mut Layers<'_>) -> KeyOutputs<Draft> {
    let settings = &layers.config.security;
    let policy = key_policy(layers);
    let key = layers.graph.add::<Key>(
        "security/key",
        KeySpec {
            description: format!("Encrypts everything of {} at rest", layers.config.stack()).into(),
            policy: Input::from_expression(policy),
            enabled: true.into(),
            rotation_days: Some(settings.key_rotation_period_days).into(),
            deletion_window_days: settings.key_deletion_window_days.into(),
        },
    );
    let name = format!("alias/{}", settings.key_alias);
    layers.graph.add::<Alias>("security/alias", AliasSpec { name: name.into(), target_key: key.id.clone() });
    layers.graph.output("kms_key_arn", &key.arn);
    key
}

/// Who may use the key. The account's root stands for the account: everybody else in it is let in by IAM, and nobody can
/// be locked out. CloudWatch Logs uses the key in its own name, and so do the services that publish to an encrypted topic;
/// the others make grants with the rights of whoever asks them.
fn key_policy(layers: &Layers<'_>) -> Json {
    let account = layers.config.account_id.as_str();
    let root = format!("arn:{}:iam::{account}:root", layers.facts.partition);
    json!({
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "Account",
                "Effect": "Allow",
                "Principal": {"AWS": root},
                "Action": "kms:*",
                // In a key's policy this means the key.
                "Resource": "*",
            },
            {
                "Sid": "LogGroupsOfTheAccount",
                "Effect": "Allow",
                "Principal": {"Service": layers.regional("logs")},
                "Action": [
                    "kms:Decrypt",
                    "kms:DescribeKey",
                    "kms:Encrypt",
                    "kms:GenerateDataKey",
                    "kms:GenerateDataKeyWithoutPlaintext",
                    "kms:ReEncryptFrom",
                    "kms:ReEncryptTo",
                ],
                "Resource": "*",
                "Condition": {
                    "ArnLike": {"kms:EncryptionContext:aws:logs:arn": layers.arn("logs", "log-group:*")},
                },
            },
            {
                // Without it the topic takes their messages, cannot encrypt them, and they are lost in silence.
                "Sid": "AlertsOfTheAccount",
                "Effect": "Allow",
                "Principal": {
                    "Service": ["budgets.amazonaws.com", "cloudwatch.amazonaws.com", "costalerts.amazonaws.com"],
                },
                "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
                "Resource": "*",
                "Condition": {"StringEquals": {"aws:SourceAccount": account}},
            },
        ],
    })
}

/// The role with which RDS writes what enhanced monitoring measures.
pub(crate) fn database_monitoring_role(layers: &mut Layers<'_>) -> Input<Arn> {
    // Instances by any name: those that the scaler adds are named by AWS.
    let trust = trust_from(layers, "monitoring.rds.amazonaws.com", "rds", "db:*");
    role(layers, "rds-monitoring", trust, &["service-role/AmazonRDSEnhancedMonitoringRole"], None)
}

/// AWS makes most of these when a service is first used, and the first use fails while they spread: so they come first.
pub(crate) fn service_linked_roles(layers: &mut Layers<'_>) {
    if !layers.config.security.service_linked_roles {
        return;
    }
    let config = layers.config;
    let (database, sessions) = (&config.database, &config.sessions);
    let services = [
        ("eks", config.cluster.enabled),
        ("eks-nodegroup", config.cluster.enabled),
        ("eks-fargate", config.cluster.enabled),
        ("rds", database.enabled),
        ("elasticache", config.cache.enabled),
        ("elasticloadbalancing", config.cluster.has_load_balancer()),
        // The replicas of the database and the capacity of the sessions table are scaled through these.
        ("rds.application-autoscaling", database.enabled && database.autoscaling.enabled),
        ("dynamodb.application-autoscaling", sessions.enabled && sessions.autoscaling.enabled),
    ];
    for (service, _) in services.into_iter().filter(|(_, needed)| *needed) {
        let spec = ServiceLinkedRoleSpec { service: format!("{service}.amazonaws.com").into() };
        layers.graph.add::<ServiceLinkedRole>(&service_linked_role(service), spec);
    }
}

/// The address of a service's role.
pub(crate) fn service_linked_role(service: &str) -> String {
    format!("security/service-linked-role/{service}")
}

/// The role with which EC2 writes flow logs into one log group.
pub(crate) fn flow_log_role(layers: &mut Layers<'_>, group: &Input<Arn>) -> Input<Arn> {
    let trust = trust_from(layers, "vpc-flow-logs.amazonaws.com", "ec2", "vpc-flow-log/*");
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
                "Resource": [group, Input::join([group.cast(), ":*".into()])],
            },
            {
                // A list of groups cannot be limited to one of them.
                "Effect": "Allow",
                "Action": "logs:DescribeLogGroups",
                "Resource": layers.arn("logs", "log-group:*"),
            },
        ],
    });
    role(layers, "flow-logs", trust, &[], Some(("log-group", policy)))
}

/// The roles of the cluster's parts.
pub(crate) struct ClusterRoles {
    /// Of the control plane.
    pub(crate) cluster: Input<Arn>,
    /// With which Fargate starts pods. Pods do not get it.
    pub(crate) fargate: Input<Arn>,
    /// Of the nodes.
    pub(crate) node: Input<Arn>,
}

/// Declares the roles that the cluster is made with.
pub(crate) fn cluster_roles(layers: &mut Layers<'_>) -> ClusterRoles {
    let name = layers.config.cluster_name();
    let trust = trust_from(layers, "eks.amazonaws.com", "eks", &format!("cluster/{name}"));
    let policies = ["AmazonEKSClusterPolicy", "AmazonEKSVPCResourceController"];
    let cluster = role(layers, "cluster", trust, &policies, None);

    // EKS documents the ARN for this principal and not the account, which the ARN names anyway.
    let profiles = layers.arn("eks", &format!("fargateprofile/{name}/*"));
    let condition = json!({"ArnLike": {"aws:SourceArn": profiles}});
    let trust = trust_policy(json!({"Service": "eks-fargate-pods.amazonaws.com"}), "sts:AssumeRole", condition);
    let fargate = role(layers, "fargate", trust, &["AmazonEKSFargatePodExecutionRolePolicy"], None);

    // EC2 gives the role to instances and knows no such conditions.
    let trust = trust_policy(json!({"Service": "ec2.amazonaws.com"}), "sts:AssumeRole", json!({}));
    let policies = ["AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy", "AmazonEC2ContainerRegistryReadOnly"];
    let node = role(layers, "node", trust, &policies, None);
    ClusterRoles { cluster, fargate, node }
}

/// What belongs to the application.
pub(crate) struct Belongings {
    pub(crate) secrets: Vec<Input<Arn>>,
    pub(crate) table: Option<Input<Arn>>,
    pub(crate) bucket: Input<Arn>,
}

/// Declares the cluster's issuer as an identity provider, and the role of the application's service account. Returns the
/// role's ARN.
pub(crate) fn application(
    layers: &mut Layers<'_>,
    cluster: &ClusterOutputs<Draft>,
    belongings: &Belongings,
    key: &Input<Arn>,
) -> Input<Arn> {
    const AUDIENCE: &str = "sts.amazonaws.com";
    let provider = layers.graph.add::<OidcProvider>(
        "security/oidc-provider",
        OidcProviderSpec { url: cluster.issuer.clone(), client_ids: BTreeSet::from([AUDIENCE.to_owned()]).into() },
    );
    let settings = &layers.config.cluster;
    let subject = format!("system:serviceaccount:{}:{}", settings.namespace, settings.service_account);
    let of_token = |claim: &str| Input::join([provider.issuer.clone(), claim.into()]);
    let condition: Input<BTreeMap<String, String>> =
        Input::entries([(of_token(":aud"), AUDIENCE.into()), (of_token(":sub"), subject.into())]);
    let condition = json!({"StringEquals": condition});
    let trust = trust_policy(json!({"Federated": provider.arn}), "sts:AssumeRoleWithWebIdentity", condition);
    let policy = application_policy(layers, belongings, key);
    let role = self::role(layers, "app", trust, &[], Some(("application", policy)));
    layers.graph.output("app_role_arn", &role);
    role
}

/// What the application may do, and nothing else in the account.
///
/// The role waits for all of it, so that it names each by its ARN and no pattern stands for others to come. It loses no
/// time by that: it waits for the cluster's issuer anyway, and of the database only for the cluster, which has its secret
/// minutes before the first instance runs.
fn application_policy(layers: &Layers<'_>, belongings: &Belongings, key: &Input<Arn>) -> Json {
    let Belongings { secrets, table, bucket } = belongings;
    let services = ["dynamodb", "s3", "secretsmanager"].map(|service| layers.regional(service));
    let mut statements = vec![
        json!({
            "Sid": "Secrets",
            "Effect": "Allow",
            "Action": ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"],
            "Resource": secrets,
        }),
        json!({
            "Sid": "Key",
            "Effect": "Allow",
            "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
            "Resource": key,
            "Condition": {"StringEquals": {"kms:ViaService": services}},
        }),
        json!({"Sid": "DataLake", "Effect": "Allow", "Action": "s3:ListBucket", "Resource": bucket}),
        json!({
            "Sid": "DataLakeObjects",
            "Effect": "Allow",
            "Action": ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"],
            "Resource": Input::join([bucket.cast(), "/*".into()]),
        }),
    ];
    if let Some(table) = table {
        statements.push(json!({
            "Sid": "Sessions",
            "Effect": "Allow",
            "Action": [
                "dynamodb:BatchGetItem",
                "dynamodb:BatchWriteItem",
                "dynamodb:ConditionCheckItem",
                "dynamodb:DeleteItem",
                "dynamodb:DescribeTable",
                "dynamodb:GetItem",
                "dynamodb:PutItem",
                "dynamodb:Query",
                "dynamodb:UpdateItem",
            ],
            "Resource": table,
        }));
    }
    json!({"Version": "2012-10-17", "Statement": statements})
}

/// Lets a service assume a role, and only for a resource of this account: otherwise anybody could name the role in a
/// resource of another account, and the service would act for them.
fn trust_from(layers: &Layers<'_>, principal: &str, service: &str, resource: &str) -> Json {
    let condition = json!({
        "StringEquals": {"aws:SourceAccount": layers.config.account_id.as_str()},
        "ArnLike": {"aws:SourceArn": layers.arn(service, resource)},
    });
    trust_policy(json!({"Service": principal}), "sts:AssumeRole", condition)
}

fn trust_policy(principal: Json, action: &str, condition: Json) -> Json {
    let mut statement = json!({"Effect": "Allow", "Principal": principal, "Action": action});
    if condition != json!({}) {
        statement["Condition"] = condition;
    }
    json!({"Version": "2012-10-17", "Statement": [statement]})
}

/// Declares a role with policies of AWS and one of its own.
fn role(layers: &mut Layers<'_>, name: &str, trust: Json, managed: &[&str], own: Option<(&str, Json)>) -> Input<Arn> {
    let partition = &layers.facts.partition;
    let managed = managed.iter().map(|policy| Arn::new(format!("arn:{partition}:iam::aws:policy/{policy}")));
    let managed: BTreeSet<Arn> = managed.collect();
    let own: Json = own.into_iter().map(|(name, policy)| (name.to_owned(), policy)).collect();
    let spec = RoleSpec {
        name: layers.config.name(&format!("{name}-role")).into(),
        path: "/".into(),
        trust: Input::from_expression(trust),
        permissions_boundary: None.into(),
        managed_policies: managed.into(),
        inline_policies: Input::from_expression(own),
    };
    layers.graph.add::<Role>(&format!("security/role/{name}"), spec).arn
}

/// What the layer costs ("AWS Key Management Service pricing").
pub(crate) fn costs(declared: &Declared<'_>) -> Vec<Cost> {
    vec![Cost::monthly("KMS key", declared.count::<Key>("security"), 1.0)]
}

/// What comes on top.
pub(crate) const COSTS_ON_TOP: &str = "requests to the key, older key material after rotations";

/// What protects the key.
pub(crate) const PROMISES: &[Promise] = &[
    Promise::new("the key rotates by itself", "security/key", Key::KIND, |key, _| given(key, "rotation_days")),
    Promise::new("the key can be used", "security/key", Key::KIND, |key, _| on(key, "enabled")),
];
