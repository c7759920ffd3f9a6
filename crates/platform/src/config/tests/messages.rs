//! What a person reads when a file, a key or a value is refused.

use insta::assert_snapshot;

use super::*;

/// The reference file with one line changed.
fn changed(key: &str, value: &str) -> String {
    let line = |line: &str| match line.trim().starts_with(key) {
        true => format!("{key} = {value}\n"),
        false => format!("{}\n", line.trim()),
    };
    let text: String = REFERENCE.trim().lines().map(line).collect();
    Config::parse(&text, "platform.toml").expect_err("this is refused").to_string()
}

#[test]
fn a_missing_file() {
    let error = Config::load("no/such/platform.toml").expect_err("no file").to_string();
    assert_snapshot!(error, @r#"
    error: there is no configuration at `no/such/platform.toml`
     |
     = help: run `bedplate init` to write one, or begin with these lines:
             project_name = "fintechglobal"
             region = "us-east-1"
             account_id = "123456789012"
             alert_email = "team-platform@example.com"
             monthly_budget_limit = "5000"
    "#);
}

#[test]
fn a_file_that_is_not_text() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("platform.toml");
    fs_err::write(&path, [0xff, 0xfe]).expect("a file");
    let error = Config::load(&path).expect_err("not text").to_string();
    assert_snapshot!(error.replace(&directory.path().display().to_string(), "DIR"), @r"
    error: the configuration `DIR/platform.toml` cannot be read
     |
     = note: failed to read from file `DIR/platform.toml`: stream did not contain valid UTF-8
     = help: `--config` names another file; a file for bedplate is UTF-8 text that you may read
    ");
}

#[test]
fn a_syntax_error() {
    assert_snapshot!(refused("[network\nzones = 2\n"), @r"
    error: unclosed table, expected `]`
     --> platform.toml:6:9
      |
    6 | [network
      |         ^
      |
      = note: the file is not TOML from here on, so that the rest of it was not checked
      = help: correct it, and see https://toml.io for how TOML is written
    ");
}

#[test]
fn a_key_written_twice() {
    assert_snapshot!(refused("region = \"eu-west-1\"\n"), @r#"
    error: duplicate key
     --> platform.toml:6:1
      |
    6 | region = "eu-west-1"
      | ^^^^^^
      |
      = note: the file is not TOML from here on, so that the rest of it was not checked
      = help: correct it, and see https://toml.io for how TOML is written
    "#);
}

#[test]
fn a_missing_setting() {
    assert_snapshot!(changed("region", "# TODO"), @r"
    error: string values must be quoted, expected literal string
     --> platform.toml:2:10
      |
    2 | region = # TODO
      |          ^
      |
      = note: the file is not TOML from here on, so that the rest of it was not checked
      = help: correct it, and see https://toml.io for how TOML is written
    ");
}

#[test]
fn an_unknown_setting_with_a_suggestion() {
    assert_snapshot!(refused("enviroment = \"development\"\n"), @r#"
    error: there is no setting `enviroment` at the top of the file
     --> platform.toml:6:1
      |
    6 | enviroment = "development"
      | ^^^^^^^^^^
      |
      = note: a setting that nothing reads would look as if it worked
      = help: did you mean `environment`?
    "#);
}

#[test]
fn an_unknown_table_with_a_suggestion() {
    assert_snapshot!(refused("[nework]\nzones = 2\n"), @r"
    error: there is no table `nework` at the top of the file
     --> platform.toml:6:2
      |
    6 | [nework]
      |  ^^^^^^
      |
      = note: a setting that nothing reads would look as if it worked
      = help: did you mean `network`?
    ");
}

#[test]
fn an_unknown_setting_without_a_suggestion() {
    assert_snapshot!(refused("[security]\nfirewall = true\n"), @r"
    error: there is no setting `firewall` in `[security]`
     --> platform.toml:7:1
      |
    7 | firewall = true
      | ^^^^^^^^
      |
      = note: a setting that nothing reads would look as if it worked
      = help: in `[security]` are key_alias, key_deletion_window_days, key_rotation_period_days, service_linked_roles
    ");
}

#[test]
fn a_setting_of_another_table() {
    assert_snapshot!(refused("[cluster]\ndesired = 2\n"), @r"
    error: there is no setting `desired` in `[cluster]`
     --> platform.toml:7:1
      |
    7 | desired = 2
      | ^^^^^^^
      |
      = note: a setting belongs to the last table whose name stands above it
      = help: it belongs to `[cluster.node_group]`
    ");
}

#[test]
fn a_setting_of_the_top_in_a_table() {
    assert_snapshot!(refused("[network]\nenvironment = \"development\"\n"), @r#"
    error: there is no setting `environment` in `[network]`
     --> platform.toml:7:1
      |
    7 | environment = "development"
      | ^^^^^^^^^^^
      |
      = note: a setting belongs to the last table whose name stands above it
      = help: it belongs to the top of the file, above every table
    "#);
}

#[test]
fn a_misspelt_setting_of_another_table() {
    assert_snapshot!(refused("[cluster]\nnat_gateway = \"single\"\n"), @r#"
    error: there is no setting `nat_gateway` in `[cluster]`
     --> platform.toml:7:1
      |
    7 | nat_gateway = "single"
      | ^^^^^^^^^^^
      |
      = note: a setting that nothing reads would look as if it worked
      = help: did you mean `nat_gateways`, which belongs to `[network]`?
    "#);
}

#[test]
fn a_table_inside_another_that_stands_alone() {
    assert_snapshot!(refused("[node_group]\nmin = 2\n"), @r"
    error: there is no table `node_group` at the top of the file
     --> platform.toml:6:2
      |
    6 | [node_group]
      |  ^^^^^^^^^^
      |
      = note: a table stands where its name says
      = help: it belongs to `[cluster]`
    ");
}

#[test]
fn a_number_out_of_range() {
    assert_snapshot!(refused("[network]\nzones = 7\n"), @r"
    error: `network.zones` cannot be `7`
     --> platform.toml:7:9
      |
    7 | zones = 7
      |         ^
      |
      = note: How many availability zones the platform spans. EKS, Aurora and the load balancer need two. No region has more than six
      = help: write a whole number from 2 to 6
    ");
}

#[test]
fn every_range_is_held() {
    for (table, key, low, high) in [
        ("network", "zones", 1, 7),
        ("network", "database_port", 1149, 65536),
        ("network", "cache_port", 1023, 65536),
        ("network", "http_port", 0, 65536),
        ("network", "https_port", 0, 65536),
        ("security", "key_deletion_window_days", 6, 31),
        ("security", "key_rotation_period_days", 89, 2561),
        ("cluster.node_group", "min", -1, 451),
        ("cluster.node_group", "desired", -1, 451),
        ("cluster.node_group", "max", 0, 451),
        ("cluster.node_group", "max_unavailable", 0, 101),
        ("cluster.node_group", "disk_size_gb", 19, 16385),
        ("cluster.autoscaling", "min_replicas", 0, 1001),
        ("cluster.autoscaling", "max_replicas", 0, 1001),
        ("cluster.autoscaling", "cpu_percent", 0, 101),
        ("cluster.autoscaling", "memory_percent", 0, 101),
        ("cluster.load_balancer", "node_port", 29999, 32768),
        ("database", "readers", -1, 16),
        ("database", "backup_retention_days", 0, 36),
        ("database.autoscaling", "min", -1, 16),
        ("database.autoscaling", "max", 0, 16),
        ("database.autoscaling", "cpu_percent", 0, 101),
        ("database.autoscaling", "scale_in_cooldown_seconds", -1, 3601),
        ("database.autoscaling", "scale_out_cooldown_seconds", -1, 3601),
        ("cache", "nodes", 0, 7),
        ("cache", "snapshot_retention_days", -1, 36),
        ("sessions", "read_capacity", 0, 40001),
        ("sessions", "write_capacity", 0, 40001),
        ("sessions", "recovery_period_days", 0, 36),
        ("sessions.autoscaling", "min", 0, 40001),
        ("sessions.autoscaling", "max", 0, 40001),
        ("sessions.autoscaling", "target_percent", 19, 91),
        ("sessions.autoscaling", "scale_in_cooldown_seconds", -1, 3601),
        ("sessions.autoscaling", "scale_out_cooldown_seconds", -1, 3601),
        ("storage", "noncurrent_version_days", 0, 3651),
        ("storage", "incomplete_upload_days", 0, 366),
        ("storage", "logs_retention_days", 0, 3651),
        ("storage.archive", "infrequent_access_days", 29, 3651),
        ("storage.archive", "glacier_days", 59, 3651),
        ("storage.archive", "deep_archive_days", 59, 3651),
        ("storage.tiering", "after_days", -1, 3651),
        ("storage.tiering", "archive_days", 89, 731),
        ("storage.tiering", "deep_archive_days", 179, 731),
        ("secrets", "redis_auth_length", 15, 129),
        ("secrets", "encryption_key_length", 31, 257),
        ("secrets", "recovery_window_days", 6, 31),
        ("monitoring.alarms", "period_minutes", 0, 61),
        ("monitoring.alarms", "periods", 0, 25),
        ("monitoring.alarms", "database_cpu_percent", 0, 101),
        ("monitoring.alarms", "database_free_memory_mib", 0, 1_048_577),
        ("monitoring.alarms", "cache_memory_percent", 0, 101),
        ("monitoring.alarms", "throttled_requests", -1, 1_000_001),
        ("monitoring.alarms", "server_errors", -1, 1_000_001),
        ("monitoring.alarms", "nat_errors", -1, 1_000_001),
        ("costs", "anomaly_impact_usd", 0, 1_000_001),
    ] {
        for value in [low, high] {
            let message = refused(&format!("[{table}]\n{key} = {value}\n"));
            let what = format!("`{table}.{key}` cannot be `{value}`");
            let range = format!("write a whole number from {} to {}", low + 1, high - 1);
            assert!(message.contains(&what) && message.contains(&range), "{message}");
        }
    }
}

#[test]
fn a_retention_that_cloudwatch_does_not_have() {
    assert_snapshot!(refused("[network]\nflow_logs_retention_days = 100\n"), @r"
    error: `network.flow_logs_retention_days` cannot be `100`
     --> platform.toml:7:28
      |
    7 | flow_logs_retention_days = 100
      |                            ^^^
      |
      = note: How many days flow logs are kept. CloudWatch Logs accepts only these values
      = help: write 120, or another of 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653
    ");
}

#[test]
fn an_unknown_choice() {
    assert_snapshot!(refused("network.nat_gateways = \"per_zone\"\n"), @r#"
    error: `network.nat_gateways` cannot be `per_zone`
     --> platform.toml:6:24
      |
    6 | network.nat_gateways = "per_zone"
      |                        ^^^^^^^^^^
      |
      = note: How many NAT gateways the private subnets go out through. Each one costs money by the hour
      = help: did you mean `"per-zone"`? It can be `"per-zone"` or `"single"`
    "#);
    assert!(refused("cluster.support_type = \"x\"\n").contains(r#"write `"STANDARD"` or `"EXTENDED"`"#));
}

#[test]
fn an_account_as_a_number() {
    assert_snapshot!(changed("account_id", "797923187401"), @r#"
    error: `account_id` has to be text, but is a whole number
     --> platform.toml:3:14
      |
    3 | account_id = 797923187401
      |              ^^^^^^^^^^^^
      |
      = note: a number has no zeros at its ends: 012 would be 12, and 1.30 would be 1.3
      = help: put it in quotes: `account_id = "797923187401"`
    "#);
}

#[test]
fn a_number_as_text() {
    assert_snapshot!(refused("network.database_port = \"5432\"\n"), @r#"
    error: `network.database_port` has to be a whole number, but is text
     --> platform.toml:6:25
      |
    6 | network.database_port = "5432"
      |                         ^^^^^^
      |
      = note: The port of the database, which its security group opens. Aurora accepts ports from 1150
      = help: leave the quotes out: `database_port = 5432`
    "#);
}

#[test]
fn a_switch_as_text() {
    assert_snapshot!(refused("network.flow_logs = \"yes\"\ncluster.enabled = \"true\"\n"), @r#"
    error: `network.flow_logs` has to be true or false, but is text
     --> platform.toml:6:21
      |
    6 | network.flow_logs = "yes"
      |                     ^^^^^
      |
      = note: Whether connections in the VPC are recorded in CloudWatch Logs
      = help: for example `flow_logs = true`

    error: `cluster.enabled` has to be true or false, but is text
     --> platform.toml:7:19
      |
    7 | cluster.enabled = "true"
      |                   ^^^^^^
      |
      = note: Whether there is a cluster at all. Without one the network and the data tiers are still built
      = help: leave the quotes out: `enabled = true`

    error: 2 problems in `platform.toml`; nothing was touched
    "#);
}

#[test]
fn one_value_where_a_list_belongs() {
    assert_snapshot!(refused("cluster.public_access_cidrs = \"203.0.113.0/24\"\n"), @r#"
    error: `cluster.public_access_cidrs` has to be a list, but is text
     --> platform.toml:6:31
      |
    6 | cluster.public_access_cidrs = "203.0.113.0/24"
      |                               ^^^^^^^^^^^^^^^^
      |
      = note: Who may reach the cluster's API from the internet. Empty turns the public endpoint off: then the API answers only inside the VPC, and bedplate has to run there to put objects into the cluster
      = help: for example `public_access_cidrs = ["203.0.113.0/24"]`
    "#);
}

#[test]
fn a_list_of_tables_and_a_value_where_a_table_belongs() {
    assert_snapshot!(refused("cluster = true\n[[network]]\n"), @r"
    error: `cluster` has to be a table, but is true or false
     --> platform.toml:6:11
      |
    6 | cluster = true
      |           ^^^^
      |
      = note: The EKS cluster, its nodes, and the application's place in it
      = help: write a line `[cluster]`, and its settings after it

    error: `network` has to be a table, but is a list
     --> platform.toml:7:1
      |
    7 | [[network]]
      | ^^^^^^^^^^^
      |
      = note: The VPC, its subnets, and what comes in and goes out
      = help: write `[network]` once, in single brackets

    error: 2 problems in `platform.toml`; nothing was touched
    ");
}

#[test]
fn a_list_that_is_empty_or_repeats() {
    let nodes = "[cluster.node_group]\ninstance_types = []\n";
    let addons = "[cluster]\naddons = [\"vpc-cni\", \"metrics-server\", \"vpc-cni\"]\n";
    assert_snapshot!(refused(&format!("{nodes}{addons}")), @r#"
    error: `cluster.node_group.instance_types` has 0 entries
     --> platform.toml:7:18
      |
    7 | instance_types = []
      |                  ^^
      |
      = note: The instance types, best first. With `ON_DEMAND` the first one that is available is taken
      = help: write 1 to 20 of them

    error: `cluster.addons` names `"vpc-cni"` twice
     --> platform.toml:9:40
      |
    9 | addons = ["vpc-cni", "metrics-server", "vpc-cni"]
      |           ---------                    ^^^^^^^^^
      |
      = note: naming it a second time changes nothing
      = help: take one of them out

    error: 2 problems in `platform.toml`; nothing was touched
    "#);
}

#[test]
fn a_value_that_breaks_its_rule_in_a_long_list() {
    let list = "[\n  \"203.0.113.0/24\",\n  \"203.0.113.7/24\",\n]\n";
    assert_snapshot!(refused(&format!("[cluster]\npublic_access_cidrs = {list}")), @r#"
    error: `cluster.public_access_cidrs`: `203.0.113.7/24` is not an IPv4 range
     --> platform.toml:9:3
      |
    9 |   "203.0.113.7/24",
      |   ^^^^^^^^^^^^^^^^
      |
      = note: a /24 does not begin at 203.0.113.7
      = help: write `203.0.113.0/24`, the range that this address lies in
    "#);
}

#[test]
fn a_range_that_is_too_small_for_the_subnets() {
    assert_snapshot!(refused("[network]\ncidr = \"10.0.0.0/23\"\n"), @r#"
    error: `network.cidr`: `10.0.0.0/23` is not the address range of a VPC
     --> platform.toml:7:8
      |
    7 | cidr = "10.0.0.0/23"
      |        ^^^^^^^^^^^^^
      |
      = note: 512 addresses are too few for the subnets: the load balancer's need a /27, and a /22 is the smallest that holds them all
      = help: write a range from /16 to /22, for example `10.0.0.0/16`
    "#);
}

#[test]
fn more_tags_than_fit() {
    let tags: String = (0..41).map(|number| format!("key{number} = \"\"\n")).collect();
    assert!(refused(&format!("[tags]\n{tags}")).contains("`tags` has 41 entries"));
}

#[test]
fn all_problems_at_once_in_the_order_of_the_file() {
    let text = "project_name = \"x\"\nregion = 1\n[cluster.node_group]\nmin = 9\n[network]\nzones = 9\n\
                zone_ids = [\"use1-az1\"]\n";
    let error = Config::parse(text, "platform.toml").expect_err("this is refused");
    let problems: Vec<_> = error.problems().iter().map(|problem| (problem.key(), error.position(problem))).collect();
    // The number of zones is wrong in itself, so nothing is said about how many ids fit to it.
    let expected = [
        ("project_name", Some((1, 16))),
        ("region", Some((2, 10))),
        ("cluster.node_group.desired", Some((4, 7))),
        ("network.zones", Some((6, 9))),
        ("account_id", None),
        ("alert_email", None),
        ("monthly_budget_limit", None),
    ];
    assert_eq!(problems, expected.map(|(key, position)| (key.to_owned(), position)));
    assert!(error.to_string().ends_with("error: 7 problems in `platform.toml`; nothing was touched"), "{error}");
}

#[test]
fn another_kind_of_file_is_not_shown_whole() {
    let other: String = (0..200).map(|number| format!("key{number} = 1\n")).collect();
    let error = with(&other).expect_err("this is refused");
    assert_eq!(error.problems().len(), 200);
    let end = "error: 200 problems in `platform.toml`, of which these are the first; nothing was touched";
    assert!(error.to_string().ends_with(end), "{error}");
    assert_eq!(error.to_string().matches("-->").count(), 50);
}

#[test]
fn colour_is_for_the_terminal_only() {
    let error = with("region = 1\n").expect_err("this is refused");
    assert!(error.render_colored().contains('\u{1b}') && !error.to_string().contains('\u{1b}'));
    let hostile = refused("\"\\u001b[31m\" = 1\n");
    assert!(!hostile.contains('\u{1b}'), "{hostile}");
}

#[test]
fn numbers_that_are_accepted_one_by_one() {
    assert!(refused("database.monitoring_interval_seconds = 20\n").contains("write 30, or another of 0, 1, 5, 10"));
    assert!(refused("costs.budget_alert_percents = [0]\n").contains("`costs.budget_alert_percents` cannot be `0`"));
    assert!(refused("costs.budget_alert_percents = []\n").contains("write 1 to 10 of them"));
}
