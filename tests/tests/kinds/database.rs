//! Fields of the database and of what scales its readers.

use crate::row::{Ids, Row, all, along, at, behind, call, set, set_second, sorted};
use bedplate_tests::Cloud;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const CLUSTER: &str = "fintechglobal-aurora-cluster";
const WRITER: &str = "fintechglobal-aurora-1";
const PARAMETERS: &str = "fintechglobal-aurora-postgresql16";

pub(crate) fn rows(ids: &dyn Ids) -> Vec<Row> {
    let mut rows = groups(ids);
    rows.extend(cluster(ids));
    rows.extend(cluster_behind(ids));
    rows.extend(instances(ids));
    rows.extend(scaling());
    rows
}

fn groups(ids: &dyn Ids) -> Vec<Row> {
    const KIND: &str = "rds.subnet_group";
    const ADDRESS: &str = "database/subnet-group";
    const NAME: &str = "fintechglobal-aurora";
    let show = |field: &str| {
        let name = json!({"DBSubnetGroupName": NAME});
        at("rds", "describe_db_subnet_groups", name, &format!("/DBSubnetGroups/0/{field}"))
    };
    let [a, b] = ["a", "b"].map(|letter| ids.id(&format!("network/subnet/data-{letter}")));
    let app = ids.id("network/subnet/app-a");
    let other = json!({
        "DBSubnetGroupName": NAME, "DBSubnetGroupDescription": "Theirs", "SubnetIds": [a, b, app],
    });
    let user = |operation: &'static str, group: &'static str| {
        let of = json!({group: PARAMETERS, "Source": "user"});
        move |cloud: &Cloud, name: &str| {
            let parameters = cloud.call("rds", operation, of.clone());
            let mut all = parameters["Parameters"].as_array().expect("a list").iter();
            all.find(|it| it["ParameterName"] == name).map_or(Value::Null, |it| it["ParameterValue"].clone())
        }
    };
    let of_cluster = user("describe_db_cluster_parameters", "DBClusterParameterGroupName");
    let of_instance = user("describe_db_parameters", "DBParameterGroupName");
    let slow = json!({"DBParameterGroupName": PARAMETERS, "Parameters": [
        {"ParameterName": "log_min_duration_statement", "ParameterValue": "500", "ApplyMethod": "immediate"},
    ]});
    vec![
        behind(KIND, ADDRESS, "description", call("rds", "modify_db_subnet_group", other))
            .plan(json!("The data subnets"), json!("Theirs"))
            .seen(show("DBSubnetGroupDescription")),
        along(KIND, ADDRESS, "subnets")
            .plan(json!(BTreeSet::from([&a, &b])), json!(BTreeSet::from([&a, &b, &app])))
            .seen(all(show("Subnets"), "SubnetIdentifier")),
        set(
            "rds.cluster_parameter_group",
            "database/cluster-parameters",
            "parameters.rds.force_ssl",
            "database.force_tls = false",
        )
        .plan(json!("1"), json!("0"))
        .seen(move |cloud| of_cluster(cloud, "rds.force_ssl")),
        behind(
            "rds.parameter_group",
            "database/parameters",
            "parameters.log_min_duration_statement",
            call("rds", "modify_db_parameter_group", slow),
        )
        .plan(Value::Null, json!("500"))
        .seen(move |cloud| of_instance(cloud, "log_min_duration_statement")),
    ]
}

const KIND: &str = "rds.cluster";
const ADDRESS: &str = "database/cluster";

fn show(field: &str) -> impl Fn(&Cloud) -> Value + use<> {
    let cluster = json!({"DBClusterIdentifier": CLUSTER});
    at("rds", "describe_db_clusters", cluster, &format!("/DBClusters/0/{field}"))
}

fn cluster(ids: &dyn Ids) -> Vec<Row> {
    let set = |path, line| set(KIND, ADDRESS, path, line);
    let key = ids.output("security/key", "arn");
    let advanced = "database.insights = \"advanced\"";
    let snapshot = |cloud: &Cloud| {
        use bedplate_tests::JsonExt;
        let cluster = cloud.call("rds", "describe_db_clusters", json!({"DBClusterIdentifier": CLUSTER}));
        json!(cluster["DBClusters"][0].tags().get("bedplate:final-snapshot"))
    };
    vec![
        set("port", "network.database_port = 5433").plan(json!(5432), json!(5433)).seen(show("Port")),
        set("backup_retention_days", "database.backup_retention_days = 20")
            .plan(json!(35), json!(20))
            .seen(show("BackupRetentionPeriod")),
        set("backup_window", "database.backup_window = \"06:00-07:00\"")
            .plan(json!("02:00-03:00"), json!("06:00-07:00"))
            .seen(show("PreferredBackupWindow")),
        set("maintenance_window", "database.maintenance_window = \"sat:08:00-sat:09:00\"")
            .plan(json!("sun:04:00-sun:05:00"), json!("sat:08:00-sat:09:00"))
            .seen(show("PreferredMaintenanceWindow")),
        set("deletion_protection", "database.deletion_protection = false")
            .plan(json!(true), json!(false))
            .seen(show("DeletionProtection")),
        set("logs", "database.log_types = [\"postgresql\", \"instance\"]")
            .plan(json!(["postgresql"]), json!(["instance", "postgresql"]))
            .seen(sorted(show("EnabledCloudwatchLogsExports"))),
        set("data_api", "database.data_api = false").plan(json!(true), json!(false)).seen(show("HttpEndpointEnabled")),
        set("iam_authentication", "database.iam_authentication = true")
            .plan(json!(false), json!(true))
            .seen(show("IAMDatabaseAuthenticationEnabled")),
        set("insights_mode", advanced).plan(json!("standard"), json!("advanced")).seen(show("DatabaseInsightsMode")),
        set("insights_days", advanced).plan(json!(7), json!(465)).seen(show("PerformanceInsightsRetentionPeriod")),
        set_second(KIND, ADDRESS, "insights_key", "database.insights = \"off\"").plan(json!(key), Value::Null).seen_as(
            show("PerformanceInsightsEnabled"),
            json!(true),
            json!(false),
        ),
        set("final_snapshot", "database.final_snapshot = false").plan(json!("final"), Value::Null).seen_as(
            snapshot,
            json!("final"),
            json!("none"),
        ),
    ]
}

fn cluster_behind(ids: &dyn Ids) -> Vec<Row> {
    let modify = |what: &'static str, value: Value| {
        let arguments = json!({"DBClusterIdentifier": CLUSTER, what: value, "ApplyImmediately": true});
        call("rds", "modify_db_cluster", arguments)
    };
    let behind = |path, act| behind(KIND, ADDRESS, path, act);
    let (group, other) = (ids.id("network/security-group/database"), ids.id("network/security-group/cache"));
    let key = ids.output("security/key", "arn");
    vec![
        behind("security_groups", modify("VpcSecurityGroupIds", json!([other])))
            .plan(json!([group]), json!([other]))
            .seen(all(show("VpcSecurityGroups"), "VpcSecurityGroupId")),
        behind("copy_tags_to_snapshot", modify("CopyTagsToSnapshot", json!(false)))
            .plan(json!(true), json!(false))
            .seen(show("CopyTagsToSnapshot")),
        behind("parameter_group", modify("DBClusterParameterGroupName", json!("default.aurora-postgresql16")))
            .plan(json!(PARAMETERS), json!("default.aurora-postgresql16"))
            .seen(show("DBClusterParameterGroup")),
        // Both instances run with the old one until they are restarted.
        restart(1),
        restart(2),
        // One more than scaling is allowed to add beside the reader that is always there.
        crate::row::behind(KIND, ADDRESS, "scaled_readers", |cloud| {
            for number in 1..=5 {
                let reader = json!({
                    "DBInstanceIdentifier": format!("application-autoscaling-{number}"),
                    "DBClusterIdentifier": CLUSTER,
                    "Engine": "aurora-postgresql",
                    "DBInstanceClass": "db.r6g.large",
                    "PromotionTier": 15,
                });
                cloud.call("rds", "create_db_instance", reader);
            }
            cloud.advance(600);
        })
        .plan(json!(4), json!(5))
        .seen_as(
            |cloud| {
                let all = cloud.call("rds", "describe_db_instances", json!({}));
                let all = all["DBInstances"].as_array().expect("a list").len();
                json!(if all > 6 { "too many" } else { "allowed" })
            },
            json!("allowed"),
            json!("too many"),
        ),
        // RDS changes no key of a password that it manages; but somebody may have taken the password over.
        crate::row::behind(KIND, ADDRESS, "secret_key", |cloud| {
            let arguments = json!({
                "DBClusterIdentifier": CLUSTER,
                "ManageMasterUserPassword": false,
                "MasterUserPassword": "theirs-and-long-enough",
                "ApplyImmediately": true,
            });
            cloud.call("rds", "modify_db_cluster", arguments);
            cloud.advance(120);
        })
        .plan(json!(key), json!(""))
        .seen_as(show("MasterUserSecret/KmsKeyId"), json!(key), Value::Null),
    ]
}

fn restart(number: u8) -> Row {
    let member = move |cloud: &Cloud| {
        let members = show("DBClusterMembers")(cloud);
        let mut members = members.as_array().expect("a list").iter();
        let name = format!("fintechglobal-aurora-{number}");
        let member = members.find(|it| it["DBInstanceIdentifier"] == name.as_str()).expect("a member");
        member["DBClusterParameterGroupStatus"].clone()
    };
    along("rds.instance", &format!("database/instance/{number}"), "restart_pending")
        .plan(json!(false), json!(true))
        .seen_as(member, json!("in-sync"), json!("pending-reboot"))
}

fn instances(ids: &dyn Ids) -> Vec<Row> {
    const KIND: &str = "rds.instance";
    const ADDRESS: &str = "database/instance/1";
    let show = |field: &str| {
        let instance = json!({"DBInstanceIdentifier": WRITER});
        at("rds", "describe_db_instances", instance, &format!("/DBInstances/0/{field}"))
    };
    let modify = |what: &'static str, value: Value| {
        let arguments = json!({"DBInstanceIdentifier": WRITER, what: value, "ApplyImmediately": true});
        call("rds", "modify_db_instance", arguments)
    };
    let role = "arn:aws:iam::797923187401:role/fintechglobal-rds-monitoring-role";
    let key = ids.output("security/key", "arn");
    let off = "database.monitoring_interval_seconds = 0";
    vec![
        set(KIND, ADDRESS, "class", "database.instance_class = \"db.r6g.xlarge\"")
            .plan(json!("db.r6g.large"), json!("db.r6g.xlarge"))
            .seen(show("DBInstanceClass")),
        set(KIND, ADDRESS, "monitoring_interval", "database.monitoring_interval_seconds = 30")
            .plan(json!(60), json!(30))
            .seen(show("MonitoringInterval")),
        set_second(KIND, ADDRESS, "monitoring_role", off).plan(json!(role), Value::Null).seen_as(
            {
                let interval = show("MonitoringInterval");
                move |cloud| json!(interval(cloud) != json!(0))
            },
            json!(true),
            json!(false),
        ),
        set(KIND, ADDRESS, "insights_days", "database.insights = \"advanced\"")
            .plan(json!(7), json!(465))
            .seen(show("PerformanceInsightsRetentionPeriod")),
        set_second(KIND, ADDRESS, "insights_key", "database.insights = \"off\"").plan(json!(key), Value::Null).seen_as(
            show("PerformanceInsightsEnabled"),
            json!(true),
            json!(false),
        ),
        set(KIND, ADDRESS, "auto_minor_upgrade", "database.auto_minor_version_upgrade = false")
            .plan(json!(true), json!(false))
            .seen(show("AutoMinorVersionUpgrade")),
        behind(KIND, ADDRESS, "promotion_tier", modify("PromotionTier", json!(9)))
            .plan(json!(0), json!(9))
            .seen(show("PromotionTier")),
        behind(KIND, ADDRESS, "publicly_accessible", modify("PubliclyAccessible", json!(true)))
            .plan(json!(false), json!(true))
            .seen(show("PubliclyAccessible")),
        behind(KIND, ADDRESS, "parameter_group", modify("DBParameterGroupName", json!("default.aurora-postgresql16")))
            .plan(json!(PARAMETERS), json!("default.aurora-postgresql16"))
            .seen(show("DBParameterGroups/0/DBParameterGroupName")),
    ]
}

fn scaling() -> Vec<Row> {
    const OF: &str = "ServiceNamespace";
    const METRIC: &str = "RDSReaderAverageDatabaseConnections";
    let target = |field: &str| {
        at(
            "application-autoscaling",
            "describe_scalable_targets",
            json!({OF: "rds"}),
            &format!("/ScalableTargets/0/{field}"),
        )
    };
    let policy = |field: &str| {
        let pointer = format!("/ScalingPolicies/0/TargetTrackingScalingPolicyConfiguration/{field}");
        at("application-autoscaling", "describe_scaling_policies", json!({OF: "rds"}), &pointer)
    };
    let other = json!({
        OF: "rds",
        "ResourceId": format!("cluster:{CLUSTER}"),
        "ScalableDimension": "rds:cluster:ReadReplicaCount",
        "PolicyName": "fintechglobal-aurora-readers",
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": {
            "TargetValue": 70.0,
            "PredefinedMetricSpecification": {"PredefinedMetricType": METRIC},
            "ScaleInCooldown": 300,
            "ScaleOutCooldown": 60,
            "DisableScaleIn": true,
        },
    });
    const TARGET: (&str, &str) = ("scaling.target", "database/scaling");
    const POLICY: (&str, &str) = ("scaling.policy", "database/scaling-policy");
    vec![
        set(TARGET.0, TARGET.1, "min", "database.autoscaling.min = 2")
            .plan(json!(1), json!(2))
            .seen(target("MinCapacity")),
        set(TARGET.0, TARGET.1, "max", "database.autoscaling.max = 7")
            .plan(json!(5), json!(7))
            .seen(target("MaxCapacity")),
        set(POLICY.0, POLICY.1, "target", "database.autoscaling.cpu_percent = 50")
            .plan(json!(70.0), json!(50.0))
            .seen(policy("TargetValue")),
        set(POLICY.0, POLICY.1, "scale_in_cooldown", "database.autoscaling.scale_in_cooldown_seconds = 600")
            .plan(json!(300), json!(600))
            .seen(policy("ScaleInCooldown")),
        set(POLICY.0, POLICY.1, "scale_out_cooldown", "database.autoscaling.scale_out_cooldown_seconds = 120")
            .plan(json!(60), json!(120))
            .seen(policy("ScaleOutCooldown")),
        behind(POLICY.0, POLICY.1, "metric", call("application-autoscaling", "put_scaling_policy", other))
            .plan(json!("RDSReaderAverageCPUUtilization"), json!(METRIC))
            .seen(policy("PredefinedMetricSpecification/PredefinedMetricType")),
        along(POLICY.0, POLICY.1, "disable_scale_in").plan(json!(false), json!(true)).seen(policy("DisableScaleIn")),
    ]
}
