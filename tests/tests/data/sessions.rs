//! The row "DynamoDB".

use crate::{assert_has, call, key, scaler};
use bedplate_tests::{JsonExt, set};
use serde_json::{Value, json};

const TABLE: &str = "fintech-sessions";

#[test]
fn the_table_has_its_keys_its_stream_and_our_key() {
    let table = &call("dynamodb", "describe_table", json!({"TableName": TABLE}))["Table"];
    let expected = json!({
        "TableStatus": "ACTIVE",
        "KeySchema": [
            {"AttributeName": "userId", "KeyType": "HASH"},
            {"AttributeName": "sessionId", "KeyType": "RANGE"},
        ],
        "StreamSpecification": {"StreamEnabled": true, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        "DeletionProtectionEnabled": true,
    });
    assert_has(table, expected);
    let attributes = table.list("AttributeDefinitions");
    assert_eq!(set(attributes, "AttributeName"), ["sessionId", "userId"].map(str::to_owned).into());
    assert_eq!(set(attributes, "AttributeType"), ["S".to_owned()].into(), "both are texts");
    assert_has(&table["ProvisionedThroughput"], json!({"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}));
    assert_has(&table["SSEDescription"], json!({"Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": key()}));
}

#[test]
fn sessions_end_and_can_be_restored() {
    let expiry = call("dynamodb", "describe_time_to_live", json!({"TableName": TABLE}));
    let expected = json!({"TimeToLiveStatus": "ENABLED", "AttributeName": "expiresAt"});
    assert_eq!(expiry["TimeToLiveDescription"], expected);
    let backups = call("dynamodb", "describe_continuous_backups", json!({"TableName": TABLE}));
    let backups = &backups["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"];
    assert_has(backups, json!({"PointInTimeRecoveryStatus": "ENABLED", "RecoveryPeriodInDays": 35}));
}

#[test]
fn capacity_follows_the_load() {
    for capacity in ["Read", "Write"] {
        let (target, policy) = scaler("dynamodb", &format!("dynamodb:table:{capacity}CapacityUnits"));
        let resource = Value::from(format!("table/{TABLE}"));
        assert_has(&target, json!({"ResourceId": resource, "MinCapacity": 5, "MaxCapacity": 100}));
        assert_has(&policy, json!({"ResourceId": resource, "PolicyType": "TargetTrackingScaling"}));
        let metric = format!("DynamoDB{capacity}CapacityUtilization");
        let expected = json!({
            "TargetValue": 70.0,
            "PredefinedMetricSpecification": {"PredefinedMetricType": metric},
            "ScaleInCooldown": 60,
            "ScaleOutCooldown": 60,
        });
        assert_has(&policy["TargetTrackingScalingPolicyConfiguration"], expected);
    }
}
