//! What a person reads when settings are right for themselves but not together.

use insta::assert_snapshot;

use super::*;

#[test]
fn zones_that_do_not_match() {
    assert_snapshot!(refused("[network]\nzones = 3\nzone_ids = [\"use1-az1\", \"use1-az2\"]\n"), @r#"
    error: `network.zone_ids` names 2, but `network.zones` is 3
     --> platform.toml:8:12
      |
    7 | zones = 3
      |         -
    8 | zone_ids = ["use1-az1", "use1-az2"]
      |            ^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = note: a list of zones replaces the choice of zones, so both have to say how many there are
      = help: name one id per zone, or leave `zone_ids` out and let bedplate choose
    "#);
}

#[test]
fn a_zone_without_eks() {
    assert_snapshot!(refused("[network]\nzone_ids = [\"use1-az3\", \"use1-az1\"]\n"), @r#"
    error: EKS does not support the zone `use1-az3`
     --> platform.toml:7:12
      |
    7 | zone_ids = ["use1-az3", "use1-az1"]
      |            ^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = note: AWS places no control plane in use1-az3, usw1-az2, cac1-az3
      = help: choose another zone of the region, or leave `zone_ids` out and let bedplate choose
    "#);
}

#[test]
fn a_name_that_is_too_long_for_the_bucket_of_the_report() {
    let long = |name: &str, more: &str| {
        let text = REFERENCE.trim_start().replace("    ", "").replace("fintechglobal", name);
        let text = text.replace("us-east-1", "ap-southeast-1");
        Config::parse(&format!("{text}{more}"), "platform.toml")
    };
    let report = "[costs.report]\nenabled = true\n";
    let [shorter, longest] = ["abcdefghijklmnopqrstuv", "abcdefghijklmnopqrstuvwx"];
    assert_eq!(long(shorter, report).unwrap().report_bucket().len(), 63);
    assert_eq!(long(longest, "").unwrap().data_lake_bucket().len(), 62);
    assert_snapshot!(long(longest, report).unwrap_err(), @r#"
    error: the bucket `abcdefghijklmnopqrstuvwx-cost-reports-797923187401-ap-southeast-1` of the report has 65 characters
     --> platform.toml:1:16
      |
    1 | project_name = "abcdefghijklmnopqrstuvwx"
      |                ^^^^^^^^^^^^^^^^^^^^^^^^^^
    ...
    7 | enabled = true
      |           ----
      |
      = note: S3 takes 63 at most
      = help: shorten `project_name` by 2, or leave `enabled = true` out of `[costs.report]`
    "#);
}

#[test]
fn a_table_whose_scaling_policies_would_have_too_long_names() {
    let table = |length: usize, more: &str| format!("[sessions]\ntable = \"{}\"\n{more}", "t".repeat(length));
    for fits in [table(250, ""), table(255, "autoscaling.enabled = false\n")] {
        config(&fits);
    }
    let said = refused(&table(251, ""));
    assert!(said.contains("at most 250 characters, and this one has 251"), "{said}");
}

#[test]
fn listeners_on_one_port() {
    assert_snapshot!(refused("[network]\nhttp_port = 443\n"), @r"
    error: HTTP and HTTPS have the same port 443
     --> platform.toml:7:13
      |
    7 | http_port = 443
      |             ^^^
      |
      = note: a load balancer has one listener per port
      = help: give them different ports, for example 80 and 443
    ");
}

#[test]
fn node_counts_that_contradict_each_other() {
    assert_snapshot!(refused("[cluster.node_group]\nmin = 4\nmax = 6\ndesired = 3\nmax_unavailable = 9\n"), @r"
    error: `desired` is 3, but `min` is 4 and `max` is 6
     --> platform.toml:9:11
      |
    7 | min = 4
      |       -
    8 | max = 6
      |       -
    9 | desired = 3
      |           ^
      |
      = note: `desired` has to lie between the two; what the file leaves out has its default
      = help: change one of them so that `min` <= `desired` <= `max`

    error: 9 nodes may be missing, but there are never more than 6
      --> platform.toml:10:19
       |
     8 | max = 6
       |       -
     9 | desired = 3
    10 | max_unavailable = 9
       |                   ^
       |
       = note: an update would be allowed to stop every node at once
       = help: write a number from 1 to 6

    error: 2 problems in `platform.toml`; nothing was touched
    ");
}

#[test]
fn replica_counts_that_contradict_each_other() {
    assert_snapshot!(refused("[cluster.autoscaling]\nmin_replicas = 20\n"), @r"
    error: at least 20 pods are more than at most 10
     --> platform.toml:7:16
      |
    7 | min_replicas = 20
      |                ^^
      |
      = note: Kubernetes asks for `min_replicas` <= `max_replicas`
      = help: lower `min_replicas` or raise `max_replicas`
    ");
}

#[test]
fn autoscaling_without_metrics() {
    assert_snapshot!(refused("[cluster]\naddons = [\"vpc-cni\"]\n"), @r#"
    error: autoscaling is on, but the add-on `metrics-server` is not in the list
     --> platform.toml:7:10
      |
    7 | addons = ["vpc-cni"]
      |          ^^^^^^^^^^^
      |
      = note: the autoscaler reads CPU and memory from it, and without it would never scale
      = help: add `"metrics-server"` to the list, or write `enabled = false` in `[cluster.autoscaling]`
    "#);
    config("cluster.addons = []\ncluster.autoscaling.enabled = false");
}

#[test]
fn a_certificate_from_somewhere_else() {
    let arn = "arn:aws:acm:eu-west-1:123456789012:certificate/0a";
    assert_snapshot!(refused(&format!("[cluster.load_balancer]\ncertificate_arn = \"{arn}\"\n")), @r#"
    error: the certificate is in `eu-west-1`, but the platform in `us-east-1`
     --> platform.toml:7:19
      |
    2 | region   = "us-east-1"
      |            -----------
    ...
    7 | certificate_arn = "arn:aws:acm:eu-west-1:123456789012:certificate/0a"
      |                   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = note: a load balancer uses certificates of its own region only
      = help: request or import the certificate in `us-east-1`

    error: the certificate is in account 123456789012, but the platform in 797923187401
     --> platform.toml:7:19
      |
    3 | account_id   = "797923187401"
      |                --------------
    ...
    7 | certificate_arn = "arn:aws:acm:eu-west-1:123456789012:certificate/0a"
      |                   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = note: a load balancer uses certificates of its own account only
      = help: request or import the certificate in account 797923187401

    error: 2 problems in `platform.toml`; nothing was touched
    "#);
}

#[test]
fn tags_that_aws_or_bedplate_own() {
    let reserved = "\"aws:x\" = \"1\"\n\"Bedplate:stack\" = \"2\"\nowner = \"me\"\n";
    assert_snapshot!(refused(&format!("[tags]\n{reserved}Team = \"a\"\nteam = \"b\"\n")), @r#"
    error: `aws:x` is not the key of a tag
     --> platform.toml:7:1
      |
    7 | "aws:x" = "1"
      | ^^^^^^^
      |
      = note: what begins with `aws:` belongs to AWS
      = help: write up to 128 letters, digits, spaces and `+ - = . _ : / @`, for example `CostCenter`

    error: `Bedplate:stack` is not the key of a tag
     --> platform.toml:8:1
      |
    8 | "Bedplate:stack" = "2"
      | ^^^^^^^^^^^^^^^^
      |
      = note: what begins with `bedplate:` says which stack a resource belongs to
      = help: choose another beginning

    error: the tag `owner` is set already
     --> platform.toml:9:1
      |
    9 | owner = "me"
      | ^^^^^
      |
      = note: every resource has the tag `Owner` from the setting `alert_email`
      = help: leave it out here, or choose another key

    error: the tags `Team` and `team` differ only in capital letters
      --> platform.toml:11:1
       |
    11 | team = "b"
       | ^^^^
       |
       = note: IAM takes them for the same key and refuses a role that has both
       = help: keep one of them

    error: 4 problems in `platform.toml`; nothing was touched
    "#);
}

#[test]
fn reader_counts_that_contradict_each_other() {
    assert_snapshot!(refused("[database]\nreaders = 4\n[database.autoscaling]\nmin = 3\nmax = 2\n"), @r"
    error: there are 4 readers before scaling, which stops at 2
      --> platform.toml:7:11
       |
     7 | readers = 4
       |           ^
    ...
    10 | max = 2
       |       -
       |
       = note: scaling counts all readers, and takes away only those that it added
       = help: lower `readers` or raise `database.autoscaling.max`

    error: at least 3 readers are more than at most 2
      --> platform.toml:9:7
       |
     9 | min = 3
       |       ^
    10 | max = 2
       |       -
       |
       = note: what the file leaves out has its default
       = help: lower `min` or raise `max`

    error: 2 problems in `platform.toml`; nothing was touched
    ");
    config("[database]\nreaders = 6\n[database.autoscaling]\nenabled = false\n");
}

#[test]
fn windows_that_overlap() {
    assert_snapshot!(refused("[database]\nbackup_window = \"03:30-05:00\"\n[cache]\nmaintenance_window = \"mon:23:30-tue:03:30\"\n"), @r#"
    error: the windows 03:30-05:00 and sun:04:00-sun:05:00 overlap
     --> platform.toml:7:17
      |
    7 | backup_window = "03:30-05:00"
      |                 ^^^^^^^^^^^^^
      |
      = note: RDS makes no backup while it may restart the instances
      = help: move one of them

    error: the windows 03:00-04:00 and mon:23:30-tue:03:30 overlap
     --> platform.toml:9:22
      |
    9 | maintenance_window = "mon:23:30-tue:03:30"
      |                      ^^^^^^^^^^^^^^^^^^^^^
      |
      = note: ElastiCache makes no snapshot while it may replace the nodes
      = help: move one of them

    error: 2 problems in `platform.toml`; nothing was touched
    "#);
    config("database.backup_window = \"23:00-03:59\"\n");
}

#[test]
fn a_cache_with_nothing_to_fail_over_to() {
    assert_snapshot!(refused("[cache]\nnodes = 1\n"), @r"
    error: one node has nothing to fail over to
     --> platform.toml:7:9
      |
    7 | nodes = 1
      |         ^
      |
      = note: automatic failover puts a replica in the primary's place
      = help: write `nodes = 2`, or turn `automatic_failover` and `multi_az` off
    ");
    assert_snapshot!(refused("[cache]\nautomatic_failover = false\n"), @r"
    error: the nodes cannot be spread over the zones without automatic failover
     --> platform.toml:7:22
      |
    7 | automatic_failover = false
      |                      ^^^^^
      |
      = note: ElastiCache offers the one only with the other
      = help: turn `automatic_failover` on, or `multi_az` off
    ");
    config("[cache]\nnodes = 1\nautomatic_failover = false\nmulti_az = false\n");
}

#[test]
fn capacities_that_contradict_each_other() {
    assert_snapshot!(refused("[sessions]\nread_capacity = 3\nsort_key = \"userId\"\n"), @r#"
    error: `read_capacity` is 3, but scaling keeps it from 5 to 100
     --> platform.toml:7:17
      |
    7 | read_capacity = 3
      |                 ^
      |
      = note: scaling would change it at once
      = help: write a number from 5 to 100

    error: both keys are `userId`
     --> platform.toml:8:12
      |
    8 | sort_key = "userId"
      |            ^^^^^^^^
      |
      = note: items with the same partition key are told apart by the sort key
      = help: name another attribute

    error: 2 problems in `platform.toml`; nothing was touched
    "#);
    assert_snapshot!(refused("[sessions.autoscaling]\nmin = 200\n"), @r"
    error: a capacity of at least 200 is more than at most 100
     --> platform.toml:7:7
      |
    7 | min = 200
      |       ^^^
      |
      = note: what the file leaves out has its default
      = help: lower `min` or raise `max`
    ");
    config("[sessions]\nread_capacity = 3\nautoscaling.enabled = false\n");
}

#[test]
fn storage_classes_out_of_order() {
    assert_snapshot!(refused("[storage.archive]\ninfrequent_access_days = 160\ndeep_archive_days = 100\n[storage.tiering]\narchive_days = 200\n"), @r"
    error: Glacier after 180 days comes too soon after 160 days
     --> platform.toml:7:26
      |
    7 | infrequent_access_days = 160
      |                          ^^^
      |
      = note: S3 keeps objects in Infrequent Access for at least 30 days
      = help: write 190 or more

    error: Deep Archive after 100 days does not come after 180 days in Glacier
     --> platform.toml:8:21
      |
    8 | deep_archive_days = 100
      |                     ^^^
      |
      = note: objects move to colder storage only
      = help: write 181 or more; 90 days in Glacier are paid for anyway

    error: Deep Archive Access after 180 days does not come after 200 days
      --> platform.toml:10:16
       |
    10 | archive_days = 200
       |                ^^^
       |
       = note: objects move to colder tiers only
       = help: write 201 or more

    error: 3 problems in `platform.toml`; nothing was touched
    ");
}

#[test]
fn budgets_of_one_name() {
    let budgets = "\"Amazon DynamoDB\" = 1\n\"AWS dynamodb\" = 2\n\"x\" = 3\n\"Amazon S3\" = 0\n";
    assert_snapshot!(refused(&format!("[costs.service_budgets]\n{budgets}")), @r#"
    error: the budgets of `AWS dynamodb` and `Amazon DynamoDB` would have one name
     --> platform.toml:7:1
      |
    7 | "Amazon DynamoDB" = 1
      | ^^^^^^^^^^^^^^^^^
      |
      = note: only letters and digits count for it
      = help: take one of them out

    error: `x` is not a service on the bill
     --> platform.toml:9:1
      |
    9 | "x" = 3
      | ^^^
      |
      = note: it has 1 characters; it needs at least 2
      = help: write the name that `aws ce get-dimension-values --dimension SERVICE` shows, for example `Amazon Relational Database Service`

    error: `costs.service_budgets."Amazon S3"`: `0` is not an amount of US dollars
      --> platform.toml:10:15
       |
    10 | "Amazon S3" = 0
       |               ^
       |
       = note: a budget of zero is used up at once
       = help: write an amount in dollars, with cents after a point if need be, for example `5000`

    error: 3 problems in `platform.toml`; nothing was touched
    "#);
}

#[test]
fn policies_on_nothing() {
    assert_snapshot!(refused("[organization]\nenabled = true\n"), @r#"
    error: the policies of the organization apply to nothing
     --> platform.toml:7:11
      |
    7 | enabled = true
      |           ^^^^
      |
      = note: a policy has no effect before it is attached
      = help: write `targets = ["ou-…"]` in `[organization]`, or `enabled = false`
    "#);
}

#[test]
fn subnets_on_each_other() {
    assert_snapshot!(refused("[network]\nzones = 3\napp_subnet_slot = 3\n"), @r"
    error: the subnets from slot 1 and those from slot 3 lie on each other
     --> platform.toml:8:19
      |
    7 | zones = 3
      |         -
    8 | app_subnet_slot = 3
      |                   ^
      |
      = note: 3 zones take 3 slots of each tier
      = help: write 4 or more, and leave room for a zone to come
    ");
}

#[test]
fn subnets_outside_of_the_vpc() {
    assert_snapshot!(refused("[network]\ncidr = \"10.0.0.0/20\"\ndata_subnet_slot = 31\n"), @r#"
    error: the subnets from slot 31 lie outside of 10.0.0.0/20
     --> platform.toml:8:20
      |
    7 | cidr = "10.0.0.0/20"
      |        -------------
    8 | data_subnet_slot = 31
      |                    ^^
      |
      = note: it has 32 slots, counted from 0, and 2 zones take 2 of them
      = help: write 30 or less, or take a larger range
    "#);
}

#[test]
fn tiers_may_change_places() {
    let config = config("[network]\npublic_subnet_slot = 40\napp_subnet_slot = 2\ndata_subnet_slot = 0\n");
    let plan = config.network.subnets();
    let first = [&plan.public, &plan.app, &plan.data].map(|tier| tier[0].to_string());
    assert_eq!(first, ["10.0.40.0/24", "10.0.2.0/24", "10.0.0.0/24"]);
}
