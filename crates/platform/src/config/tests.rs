//! Loading, what follows from a configuration, and that no input makes it panic.

mod messages;
mod rules;

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::Value;

use super::values::Format;
use super::*;

/// The file of the reference design, as docs and users have it.
const REFERENCE: &str = r#"
    project_name = "fintechglobal"
    region       = "us-east-1"
    account_id   = "797923187401"
    alert_email  = "team-platform@yourcompany.com"
    monthly_budget_limit = "5000"
"#;

/// The reference file with more after it.
fn with(more: &str) -> Result<Config, ConfigError> {
    Config::parse(&format!("{}{more}", REFERENCE.trim_start().replace("    ", "")), "platform.toml")
}

fn config(more: &str) -> Config {
    with(more).unwrap_or_else(|error| panic!("{error}"))
}

/// The message about the reference file with more after it.
fn refused(more: &str) -> String {
    with(more).expect_err("this is refused").to_string()
}

/// Every setting with its default, or with the example for a required one.
fn every_setting() -> String {
    let mut text = super::schema::minimal_file();
    let mut last = String::new();
    for setting in settings() {
        if setting.table != last {
            text.push_str(&format!("[{}]\n", setting.table));
            last = setting.table;
        }
        match setting.default {
            Some(default) => text.push_str(&format!("{} = {default}\n", setting.key)),
            None => text.push_str(&format!("# {}\n", setting.key)),
        }
    }
    text
}

#[test]
fn the_reference_file_loads_as_it_is() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("terraform.tfvars");
    fs_err::write(&path, REFERENCE).expect("a file");
    let config = Config::load(&path).unwrap_or_else(|error| panic!("{error}"));

    assert_eq!(config.project_name.as_str(), "fintechglobal");
    assert_eq!(config.region.as_str(), "us-east-1");
    assert_eq!(config.account_id.as_str(), "797923187401");
    assert_eq!(config.alert_email.as_str(), "team-platform@yourcompany.com");
    assert_eq!(config.monthly_budget_limit.as_str(), "5000");
    assert_eq!(config.environment, Environment::Production);
    assert!(config.tags.is_empty());
    assert_eq!(config.network, Network::default());
    assert_eq!(config.security, Security::default());
    assert_eq!(config.cluster, Cluster::default());
    assert_eq!(config.database, Database::default());
    assert_eq!(config.cache, Cache::default());
    assert_eq!(config.sessions, Sessions::default());
    assert_eq!(config.storage, Storage::default());
    assert_eq!(config.secrets, Secrets::default());
    assert_eq!(config.monitoring, Monitoring::default());
    assert_eq!(config.costs, Costs::default());
}

#[test]
fn names_follow_from_project_and_environment() {
    let production = config("");
    assert_eq!(production.stack(), "fintechglobal-production");
    assert_eq!(production.cluster_name(), "fintechglobal-cluster");
    let development = config("environment = \"development\"");
    assert_eq!(development.stack(), "fintechglobal-development");
    assert!(production.is_production() && !development.is_production());
}

#[test]
fn protection_follows_the_environment_unless_it_is_set() {
    assert!(config("").cluster_deletion_protection());
    assert!(!config("environment = \"development\"").cluster_deletion_protection());
    assert!(!config("cluster.deletion_protection = false").cluster_deletion_protection());
    assert!(config("environment = \"development\"\ncluster.deletion_protection = true").cluster_deletion_protection());
}

#[test]
fn the_public_endpoint_is_there_for_somebody_only() {
    assert!(!config("").cluster.public_endpoint());
    assert!(config("cluster.public_access_cidrs = [\"203.0.113.0/24\"]").cluster.public_endpoint());
}

#[test]
fn fargate_namespaces_follow_the_namespace() {
    let names = |more: &str| -> Vec<String> {
        config(more).cluster.fargate_namespaces().iter().map(ToString::to_string).collect()
    };
    assert_eq!(names(""), ["default", "fintech-prod", "kube-system"]);
    assert_eq!(names("cluster.namespace = \"shop\""), ["default", "kube-system", "shop"]);
    assert_eq!(names("cluster.fargate_namespaces = []"), [""; 0]);
}

#[test]
fn nat_gateways_are_one_per_zone_or_one() {
    assert_eq!(config("network.zones = 3").network.nat_gateway_count(), 3);
    assert_eq!(config("network.nat_gateways = \"single\"").network.nat_gateway_count(), 1);
}

#[test]
fn tags_are_ours_and_the_users() {
    let tags = config("[tags]\nCostCenter = \"4711\"\n\"a key\" = \"a value\"").resource_tags();
    let tags: Vec<_> = tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let owner = "Owner=team-platform@yourcompany.com";
    assert_eq!(tags, ["CostCenter=4711", "Environment=production", owner, "Project=fintechglobal", "a key=a value"]);
}

#[test]
fn a_budget_keeps_the_digits_it_was_written_with() {
    let budget = |amount: &str| {
        let text = REFERENCE.replace("\"5000\"", amount);
        Config::parse(&text, "platform.toml").unwrap_or_else(|error| panic!("{error}")).monthly_budget_limit
    };
    for (written, kept) in [
        ("\"5000\"", "5000"),
        ("\"5000.50\"", "5000.50"),
        ("5000", "5000"),
        ("5_000", "5000"),
        ("5000.5", "5000.5"),
        ("5000.0", "5000"),
        ("0.07", "0.07"),
        ("999999999999.99", "999999999999.99"),
    ] {
        assert_eq!(budget(written).as_str(), kept, "{written}");
    }
}

#[test]
fn a_zone_without_eks_is_fine_without_a_cluster() {
    config("cluster.enabled = false\nnetwork.zone_ids = [\"use1-az3\", \"use1-az1\"]");
}

#[test]
fn a_file_with_every_default_says_nothing_new() {
    let text = every_setting();
    let explicit = Config::parse(&text, "platform.toml").unwrap_or_else(|error| panic!("{error}"));
    let implicit = Config::parse(&super::schema::minimal_file(), "platform.toml").expect("the smallest file");
    assert_eq!(Config { written: implicit.written.clone(), ..explicit.clone() }, implicit);
    let written = toml::to_string(&explicit).expect("TOML");
    assert_eq!(Config::parse(&written, "platform.toml").unwrap_or_else(|error| panic!("{error}")), explicit);
}

#[test]
fn every_setting_is_documented_and_bounded() {
    let settings = settings();
    for setting in &settings {
        let name = format!("{}.{}", setting.table, setting.key);
        assert!(setting.doc.ends_with('.'), "{name} has no description that is a sentence");
        let free = setting.kind == "true or false";
        assert!(free || setting.range.is_some(), "{name} has no range");
    }
    let unique: BTreeSet<_> = settings.iter().map(|setting| (&setting.table, &setting.key)).collect();
    assert_eq!(unique.len(), settings.len());
    let required: Vec<_> = settings.iter().filter(|setting| setting.required).map(|it| it.key.as_str()).collect();
    assert_eq!(required, ["account_id", "alert_email", "monthly_budget_limit", "project_name", "region"]);
}

/// Calls `look` for a schema and everything in it.
fn walk(schema: &Value, look: &mut dyn FnMut(&Value)) {
    look(schema);
    for key in ["items", "additionalProperties", "propertyNames"] {
        schema.get(key).into_iter().for_each(|inner| walk(inner, look));
    }
    super::schema::properties(schema).into_iter().flatten().for_each(|(_, inner)| walk(inner, look));
}

#[test]
fn the_schema_says_nothing_that_the_check_does_not_hold() {
    let known = [
        "$schema",
        "title",
        "description",
        "type",
        "properties",
        "required",
        "additionalProperties",
        "propertyNames",
        "default",
        "examples",
        "format",
        "x-rule",
        "minimum",
        "maximum",
        "enum",
        "oneOf",
        "items",
        "minItems",
        "maxItems",
        "uniqueItems",
        "maxProperties",
    ];
    walk(super::schema::root(), &mut |schema| {
        for key in schema.as_object().into_iter().flatten().map(|(key, _)| key.as_str()) {
            assert!(known.contains(&key), "{key} in {schema:#}");
        }
        if let Some(format) = schema.get("format").and_then(Value::as_str)
            && super::schema::is(schema, "string")
        {
            assert!(Format::named(format).is_some(), "no rule is called {format}");
        }
        if super::schema::properties(schema).is_some() {
            assert_eq!(schema["additionalProperties"], false, "a table takes any key: {schema:#}");
        }
    });
}

/// What is published beside it: the same settings, each optional, for each environment.
#[test]
fn the_published_schema_has_the_settings_for_every_environment_too() {
    let published = json_schema();
    let settings = |schema: &Value| schema["properties"].as_object().unwrap().clone();
    let (mut all, mut different) = (settings(super::schema::root()), settings(&published["$defs"]["different"]));
    assert!(all.remove("environment").is_some());
    assert_eq!(all, different);
    assert_eq!(different.remove("environments"), None);
    assert_eq!(published["$defs"]["different"].get("required"), None);
    for environment in super::Environment::ALL {
        let place = &published["properties"]["environments"]["properties"][environment.as_str()];
        assert_eq!(place, &serde_json::json!({"$ref": "#/$defs/different"}));
    }
}

/// Reads a text and, if it is refused, shows why in every way.
fn survive(text: &str) {
    let Err(error) = Config::parse(text, "platform.toml") else { return };
    assert!(!error.problems().is_empty());
    assert!(!error.to_string().is_empty() && !error.render_colored().is_empty());
    let is_toml = toml::de::DeTable::parse(text).is_ok();
    for problem in error.problems() {
        let _ = error.position(problem);
        assert!(!problem.what().is_empty() && !problem.help().is_empty());
        assert_eq!(problem.key().is_empty(), !is_toml, "the check let something pass: {}\n{text}", problem.what());
    }
}

/// A change to a text: where, how much of it goes, and what comes instead.
fn change() -> impl Strategy<Value = (usize, usize, String)> {
    let pieces = [
        "\n",
        "\"",
        "[",
        "]",
        "[[",
        "]]",
        "=",
        ".",
        "{",
        "}",
        "#",
        "\\",
        "'''",
        "0",
        "-1",
        "1.5",
        "nan",
        "true",
        "[]",
        "\u{0}",
        "ä",
        "\u{1f600}",
        "\r",
        "\t",
        "\u{feff}",
        "0x7fffffffffffffff",
        "9999999999999999999999",
        "1979-05-27",
        "aws:",
        "/0",
        "\u{202e}",
        "\u{1b}[31m",
    ];
    let piece = prop_oneof![proptest::sample::select(pieces.to_vec()).prop_map(str::to_owned), "\\PC{0,8}"];
    (any::<prop::sample::Index>(), 0..12_usize, piece)
        .prop_map(|(at, length, piece)| (at.index(100_000), length, piece))
}

proptest! {
    #![proptest_config(ProptestConfig {
        // PROPTEST_CASES asks for more.
        cases: ProptestConfig::default().cases.max(300),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn changed_files_never_panic(changes in prop::collection::vec(change(), 1..6)) {
        let mut text = every_setting();
        for (at, length, piece) in changes {
            let start = text.floor_char_boundary(at % (text.len() + 1));
            let end = text.ceil_char_boundary((start + length).min(text.len()));
            text.replace_range(start..end, &piece);
        }
        survive(&text);
    }

    #[test]
    fn values_of_any_kind_never_panic(at in any::<prop::sample::Index>(), value in prop::sample::select(&[
        "0", "-1", "1.5", "inf", "nan", "true", "[]", "[[]]", "{}", "{ a = 1 }", "\"\"", "\"\\u0000\"", "\" \"",
        "\"ä/ö\"",
        "[1, \"a\", {}]", "[\"\", \"\"]", "1979-05-27", "9223372036854775807", "99999999999999999999", "0xff", "1e300",
        "\"0.0.0.0/0\"", "\"arn:aws:iam::\"", "\"255.255.255.255/16\"", "[\"0.0.0.0/33\", \"::/0\"]", "\"use1-az\"",
    ][..])) {
        let text = every_setting();
        let lines: Vec<_> = text.lines().filter(|line| line.contains(" = ")).collect();
        let line = lines[at.index(lines.len())];
        let key = line.split(" = ").next().unwrap_or_default();
        survive(&text.replacen(&format!("\n{line}\n"), &format!("\n{key} = {value}\n"), 1));
    }

    #[test]
    fn any_text_never_panics(text in "\\PC*") {
        survive(&text);
    }
}

#[test]
fn what_is_off_unless_asked_for_has_no_effect_and_says_so() {
    let idle = |more: &str| {
        let warnings = config(more).warnings();
        warnings.into_iter().filter(|warning| warning.contains("has no effect")).collect::<Vec<_>>()
    };
    let [warning] = &idle("[organization]\nprotect_cloudtrail = true\n")[..] else { panic!("one warning") };
    assert!(
        warning.contains("organization.protect_cloudtrail") && warning.contains("organization.enabled"),
        "{warning}"
    );
    assert_eq!(idle("[costs.report]\nretention_days = 90\n").len(), 1);
    let targets = "targets = [\"ou-ab12-cdef3456\"]\n";
    // It was asked for, or somebody knows that it is off.
    assert_eq!(idle(&format!("[organization]\nenabled = true\n{targets}")), [""; 0]);
    assert_eq!(idle(&format!("[organization]\nenabled = false\n{targets}")), [""; 0]);
    assert_eq!(idle(""), [""; 0]);
}
