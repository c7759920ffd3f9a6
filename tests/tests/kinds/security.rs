//! Fields of the key, the roles and the OIDC provider.

use crate::row::{Ids, Row, all, at, behind, call, document, set, sorted};
use bedplate_tests::{Cloud, JsonExt};
use serde_json::{Value, json};

const NODE: &str = "fintechglobal-node-role";

pub(crate) fn rows(ids: &dyn Ids) -> Vec<Row> {
    let mut rows = key(ids);
    rows.extend(roles(ids));
    rows
}

fn key(ids: &dyn Ids) -> Vec<Row> {
    let key = ids.id("security/key");
    let of = json!({"KeyId": key});
    let describe = |pointer: &str| at("kms", "describe_key", of.clone(), pointer);
    let tagged = of.clone();
    let root = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::797923187401:root"}, "Action": "kms:*", "Resource": "*",
    }]});
    let described = json!({"KeyId": key, "Description": "Theirs"});
    let policy = document(at("kms", "get_key_policy", of.clone(), "/Policy"));
    vec![
        set("kms.key", "security/key", "rotation_days", "security.key_rotation_period_days = 180")
            .plan(json!(365), json!(180))
            .seen(at("kms", "get_key_rotation_status", of.clone(), "/RotationPeriodInDays")),
        set("kms.key", "security/key", "deletion_window_days", "security.key_deletion_window_days = 7")
            .plan(json!(30), json!(7))
            // KMS asks for it when the key is deleted and not before: until then it is in a tag.
            .seen_as(
                move |cloud| {
                    json!(cloud.call("kms", "list_resource_tags", tagged.clone()).tags()["bedplate:deletion-window"])
                },
                json!("30"),
                json!("7"),
            ),
        behind("kms.key", "security/key", "description", call("kms", "update_key_description", described))
            .plan(json!("Encrypts everything of fintechglobal-production at rest"), json!("Theirs"))
            .seen(describe("/KeyMetadata/Description")),
        behind(
            "kms.key",
            "security/key",
            "policy",
            call("kms", "put_key_policy", json!({"KeyId": key, "Policy": root.to_string()})),
        )
        .seen_as(move |cloud| json!(policy(cloud).list("Statement").len() > 1), json!(true), json!(false)),
        behind("kms.alias", "security/alias", "target_key", |cloud| {
            let other = cloud.call("kms", "create_key", json!({"Description": OTHER_KEY}));
            let other = json!({"AliasName": "alias/fintech-data-key", "TargetKeyId": other["KeyMetadata"]["KeyId"]});
            cloud.call("kms", "update_alias", other);
        })
        .seen_as(
            at("kms", "describe_key", json!({"KeyId": "alias/fintech-data-key"}), "/KeyMetadata/Description"),
            json!("Encrypts everything of fintechglobal-production at rest"),
            json!(OTHER_KEY),
        ),
        // Last: what is encrypted with it cannot be read meanwhile.
        behind("kms.key", "security/key", "enabled", call("kms", "disable_key", of.clone()))
            .plan(json!(true), json!(false))
            .seen(describe("/KeyMetadata/Enabled")),
    ]
}

/// What another key says of itself.
const OTHER_KEY: &str = "Somebody else's";

fn roles(ids: &dyn Ids) -> Vec<Row> {
    let role = |pointer: &str| at("iam", "get_role", json!({"RoleName": NODE}), pointer);
    let policy = |name: &str| format!("arn:aws:iam::aws:policy/{name}");
    let own = |name: &str| json!({"RoleName": "fintechglobal-flow-logs-role", "PolicyName": name});
    let trust = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole",
    }]});
    let nothing = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"},
    ]});
    let mut more = own("theirs");
    more["PolicyDocument"] = json!(nothing.to_string());
    let provider = ids.output("security/oidc-provider", "arn");
    let boundary = policy("PowerUserAccess");
    let attached =
        ["AmazonEC2ContainerRegistryReadOnly", "AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy"].map(policy);
    vec![
        behind(
            "iam.role",
            "security/role/node",
            "trust",
            call("iam", "update_assume_role_policy", json!({"RoleName": NODE, "PolicyDocument": trust.to_string()})),
        )
        .seen_as(
            principal(role("/Role/AssumeRolePolicyDocument")),
            json!("ec2.amazonaws.com"),
            json!("lambda.amazonaws.com"),
        ),
        behind(
            "iam.role",
            "security/role/node",
            "permissions_boundary",
            call("iam", "put_role_permissions_boundary", json!({"RoleName": NODE, "PermissionsBoundary": boundary})),
        )
        .plan(Value::Null, json!(boundary))
        .seen(role("/Role/PermissionsBoundary/PermissionsBoundaryArn")),
        behind(
            "iam.role",
            "security/role/node",
            "managed_policies",
            call("iam", "detach_role_policy", json!({"RoleName": NODE, "PolicyArn": attached[2]})),
        )
        .plan(json!(attached), json!(attached[..2]))
        .seen(all(
            at("iam", "list_attached_role_policies", json!({"RoleName": NODE}), "/AttachedPolicies"),
            "PolicyArn",
        )),
        behind("iam.role", "security/role/flow-logs", "inline_policies.theirs", call("iam", "put_role_policy", more))
            .seen_as(
                sorted(at(
                    "iam",
                    "list_role_policies",
                    json!({"RoleName": "fintechglobal-flow-logs-role"}),
                    "/PolicyNames",
                )),
                json!(["log-group"]),
                json!(["log-group", "theirs"]),
            ),
        behind(
            "iam.oidc_provider",
            "security/oidc-provider",
            "client_ids",
            call(
                "iam",
                "add_client_id_to_open_id_connect_provider",
                json!({"OpenIDConnectProviderArn": provider, "ClientID": "theirs"}),
            ),
        )
        .plan(json!(["sts.amazonaws.com"]), json!(["sts.amazonaws.com", "theirs"]))
        .seen(sorted(at(
            "iam",
            "get_open_id_connect_provider",
            json!({"OpenIDConnectProviderArn": provider}),
            "/ClientIDList",
        ))),
    ]
}

/// The service that a trust policy names.
fn principal(policy: impl Fn(&Cloud) -> Value + 'static) -> impl Fn(&Cloud) -> Value {
    move |cloud| policy(cloud).plain()["Statement"]["Principal"]["Service"].clone()
}
