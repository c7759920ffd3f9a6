//! The row "Aurora PostgreSQL".

use crate::{ACCOUNT, BUILT, assert_has, call, data_subnets, id, key, scaler};
use bedplate_tests::{JsonExt, set};
use serde_json::{Value, json};

const CLUSTER: &str = "fintechglobal-aurora-cluster";

fn cluster() -> Value {
    call("rds", "describe_db_clusters", json!({"DBClusterIdentifier": CLUSTER}))["DBClusters"][0].clone()
}

#[test]
fn the_cluster_is_encrypted_protected_and_backed_up() {
    let cluster = cluster();
    let key = key();
    let expected = json!({
        "Status": "available",
        "Engine": "aurora-postgresql",
        "DatabaseName": "fintech",
        "MasterUsername": "fintechadmin",
        "StorageEncrypted": true,
        "KmsKeyId": key,
        "EnabledCloudwatchLogsExports": ["postgresql"],
        "BackupRetentionPeriod": 35,
        "HttpEndpointEnabled": true,
        "DeletionProtection": true,
        "CopyTagsToSnapshot": true,
        "DBSubnetGroup": "fintechglobal-aurora",
        "Port": 5432,
        "DatabaseInsightsMode": "standard",
        "PerformanceInsightsEnabled": true,
        "PerformanceInsightsKMSKeyId": key,
    });
    assert_has(&cluster, expected);
    let groups = set(cluster.list("VpcSecurityGroups"), "VpcSecurityGroupId");
    assert_eq!(groups, [id("network/security-group/database")].into());

    let version = json!({"Engine": "aurora-postgresql", "EngineVersion": cluster["EngineVersion"]});
    let versions = call("rds", "describe_db_engine_versions", version);
    assert_eq!(versions["DBEngineVersions"][0]["Status"], "available");

    let groups = call("rds", "describe_db_subnet_groups", json!({"DBSubnetGroupName": "fintechglobal-aurora"}));
    assert_eq!(set(groups["DBSubnetGroups"][0].list("Subnets"), "SubnetIdentifier"), data_subnets());
}

#[test]
fn its_password_is_managed_by_rds_under_our_key() {
    let secret = &cluster()["MasterUserSecret"];
    assert_has(secret, json!({"SecretStatus": "active", "KmsKeyId": key()}));
    let kept = call("secretsmanager", "describe_secret", json!({"SecretId": secret["SecretArn"]}));
    assert_has(&kept, json!({"OwningService": "rds", "RotationEnabled": true, "KmsKeyId": key()}));
}

#[test]
fn connections_need_tls() {
    let group = cluster().text("DBClusterParameterGroup").to_owned();
    let of = json!({"DBClusterParameterGroupName": group, "Source": "user"});
    let parameters = call("rds", "describe_db_cluster_parameters", of);
    let parameters = parameters.list("Parameters");
    assert_eq!(parameters.len(), 1);
    assert_has(&parameters[0], json!({"ParameterName": "rds.force_ssl", "ParameterValue": "1"}));
}

#[test]
fn writer_and_reader_are_watched() {
    let instances = call("rds", "describe_db_instances", json!({}));
    let instances = instances.list("DBInstances");
    assert_eq!(instances.len(), 2);
    let key = key();
    for instance in instances {
        let expected = json!({
            "DBInstanceStatus": "available",
            "DBClusterIdentifier": CLUSTER,
            "DBInstanceClass": "db.r6g.large",
            "PubliclyAccessible": false,
            "PerformanceInsightsEnabled": true,
            "PerformanceInsightsKMSKeyId": key,
            "MonitoringInterval": 60,
            "MonitoringRoleArn": format!("arn:aws:iam::{ACCOUNT}:role/fintechglobal-rds-monitoring-role"),
            "PendingModifiedValues": {},
        });
        assert_has(instance, expected);
        let parameters = set(instance.list("DBParameterGroups"), "DBParameterGroupName");
        assert_eq!(parameters, [id("database/parameters")].into());
    }
    let cluster = cluster();
    let members = cluster.list("DBClusterMembers");
    assert_eq!(members.iter().filter(|member| member["IsClusterWriter"] == true).count(), 1, "{members:?}");
}

#[test]
fn readers_follow_the_load() {
    let (target, policy) = scaler("rds", "rds:cluster:ReadReplicaCount");
    let resource = format!("cluster:{CLUSTER}");
    assert_has(&target, json!({"ResourceId": resource, "MinCapacity": 1, "MaxCapacity": 5}));
    assert_has(&policy, json!({"ResourceId": resource, "PolicyType": "TargetTrackingScaling"}));
    let expected = json!({
        "TargetValue": 70.0,
        "PredefinedMetricSpecification": {"PredefinedMetricType": "RDSReaderAverageCPUUtilization"},
        "ScaleInCooldown": 300,
        "ScaleOutCooldown": 60,
    });
    assert_has(&policy["TargetTrackingScalingPolicyConfiguration"], expected);
    // AWS ignores a target that is registered before the instances are available.
    let finished = BUILT.run.events("finished");
    let position = |address: &str| finished.iter().position(|event| event["address"] == address).expect(address);
    for instance in ["database/instance/1", "database/instance/2"] {
        assert!(position(instance) < position("database/scaling"), "{instance}");
    }
}
