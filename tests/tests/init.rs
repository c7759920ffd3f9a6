//! `init`: what it asks, what it writes, and what it never does.

use bedplate_tests::{Cloud, JsonExt, Project, root};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::LazyLock};

const FLAGS: &[&str] = &[
    "init",
    "--project-name",
    "fintechglobal",
    "--region",
    "us-east-1",
    "--account-id",
    "797923187401",
    "--alert-email",
    "team-platform@yourcompany.com",
    "--monthly-budget-limit",
    "5000",
];

/// Nothing is ever made in it.
static CLOUD: LazyLock<Cloud> = LazyLock::new(Cloud::start);

/// An empty folder.
fn project() -> Project {
    let project = Project::new(&CLOUD);
    fs_err::remove_file(project.path("platform.toml")).unwrap();
    project
}

fn files(project: &Project) -> Vec<String> {
    let entries = fs_err::read_dir(project.path("")).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A setting or table that is commented out.
fn set(line: &str) -> Option<&str> {
    line.strip_prefix('#').filter(|rest| rest.starts_with(|it: char| it.is_ascii_lowercase() || it == '['))
}

fn settings(project: &Project) -> BTreeMap<String, Value> {
    let answer = project.run(&["config", "--json"]).ok().json();
    answer.list("settings").iter().map(|it| (it.text("path").to_owned(), it["value"].clone())).collect()
}

#[test]
fn what_is_there_is_not_overwritten() {
    let project = project();
    project.write("platform.toml", "mine");
    project.run(FLAGS).exits(3).says(&["platform.toml exists already", "--config"]);
    assert_eq!((project.read("platform.toml").as_str(), files(&project).len()), ("mine", 1));
    // Nor is the schema, which others may refer to.
    project.write("platform.schema.json", "mine, too");
    let written = project.run(&[FLAGS, &["--config", "other.toml", "--json"]].concat()).ok().json();
    assert_eq!(written, json!({"format": 1, "written": ["other.toml"]}));
    project.run(&[FLAGS, &["--config", "third.toml"]].concat()).ok().says(&["left platform.schema.json as it was"]);
    assert_eq!(project.read("platform.schema.json"), "mine, too");
}

#[test]
fn without_a_terminal_nobody_is_asked() {
    let project = project();
    let some = &FLAGS[..5];
    for args in [some, &[some, &["--json"]].concat()] {
        project
            .run(args)
            .exits(3)
            .says(&["nobody is there to ask", "--account-id, --alert-email, --monthly-budget-limit"]);
    }
    project.run_in_terminal(80, &[some, &["--json"]].concat(), &[], &[]).exits(3).has(&["--account-id"]);
    assert!(files(&project).is_empty());
}

#[test]
fn what_was_written_is_one_document() {
    let project = project();
    let written = project.run(&[FLAGS, &["--json"]].concat()).ok();
    assert_eq!(written.json(), json!({"format": 1, "written": ["platform.toml", "platform.schema.json"]}));
    assert_eq!(written.stderr, "");
    assert_eq!(files(&project), ["platform.schema.json", "platform.toml"]);
}

#[test]
fn the_schema_lies_beside_the_file_that_refers_to_it() {
    let project = project();
    project.run(FLAGS).ok().says(&["Wrote platform.toml and platform.schema.json", "`bedplate preflight`"]);
    assert!(project.read("platform.toml").starts_with("#:schema ./platform.schema.json\n"));
    let published = fs_err::read_to_string(root().join("docs/platform.schema.json")).unwrap();
    assert!(project.read("platform.schema.json") == published);
    fs_err::remove_file(project.path("platform.toml")).unwrap();
    assert!(project.run(&["config", "--schema"]).ok().stdout == published, "it needs no configuration");
}

#[test]
fn what_is_commented_out_is_what_is_in_force() {
    let project = project();
    for environment in ["production", "development"] {
        project.run(&[FLAGS, &["--environment", environment]].concat()).ok();
        let text = project.read("platform.toml");
        let expected = settings(&project);
        let lines: Vec<&str> = text.lines().map(|line| set(line).unwrap_or(line)).collect();
        assert!(text.lines().filter(|line| set(line).is_some()).count() > 150, "{text}");
        project.write("platform.toml", &lines.join("\n"));
        assert_eq!(settings(&project), expected, "{environment}");
        let from_file = project.run(&["config", "--json"]).ok().json();
        let defaults: Vec<&str> = from_file
            .list("settings")
            .iter()
            .filter(|it| it["origin"] == "default")
            .map(|it| it.text("path"))
            .collect();
        assert_eq!(defaults, [""; 0], "{environment}: the file does not name them");
        fs_err::remove_file(project.path("platform.toml")).unwrap();
    }
}

#[test]
fn in_a_terminal_it_asks_until_the_answer_is_right() {
    let project = project();
    let typed = [
        ("Project name", "Shop\r"),
        ("is a capital", "\u{8}\u{8}\u{8}\u{8}shop\r"),
        ("AWS region [us-east-1]", "eu-central-1\r"),
        // Whose the credentials are is known already.
        ("AWS account id [797923187401]", "\r"),
        ("E-mail address", "team@example.com\r"),
        ("Monthly budget in US dollars [5000]", "\r"),
    ];
    let run = project.run_in_terminal(80, &["init"], &[], &typed).ok().has(&["Wrote platform.toml"]);
    assert!(!run.stdout.contains("in quotes"), "{run}");
    let settings = settings(&project);
    let expected = [
        ("project_name", "shop"),
        ("region", "eu-central-1"),
        ("account_id", "797923187401"),
        ("alert_email", "team@example.com"),
    ];
    for (path, value) in expected {
        assert_eq!(settings[path], value);
    }
}

#[test]
fn who_leaves_it_has_written_nothing() {
    let project = project();
    let run = project.run_in_terminal(80, &["init"], &[], &[("Project name", "shop\r"), ("AWS region", "\u{3}")]);
    assert_eq!(run.code, Some(130), "{run}");
    assert!(run.stdout.contains("Nothing was written."), "{run}");
    assert!(files(&project).is_empty());
}

/// What a run would use, as `value (origin)`.
fn used(project: &Project, args: &[&str], environment: &[(&str, &str)]) -> BTreeMap<String, String> {
    let answer = project.run_with(&[&["config", "--json"], args].concat(), environment).ok().json();
    let used = answer["used"].as_object().unwrap().iter();
    used.map(|(name, it)| (name.clone(), format!("{} ({})", it["value"], it["origin"]))).collect()
}

#[test]
fn it_is_said_where_everything_comes_from() {
    // Without the option for the endpoint, which every other run of these tests has.
    let elsewhere = Project::new(&CLOUD).with_service_in("s3", &CLOUD);
    let endpoint = |origin: &str| format!("\"{}\" ({origin})", CLOUD.endpoint);
    let plain = used(&elsewhere, &[], &[]);
    assert_eq!(plain["file"], r#""platform.toml" ("default")"#);
    assert_eq!(plain["state"], r#""state/fintechglobal-production.json" ("default")"#);
    assert_eq!(plain["profile"], r#""default" ("default")"#);
    assert_eq!(plain["region"], r#""us-east-1" ({"file":2})"#);
    assert_eq!(plain["endpoint"], endpoint(r#"{"environment":"AWS_ENDPOINT_URL"}"#));
    assert_eq!(plain["endpoint of s3"], endpoint(r#"{"environment":"AWS_ENDPOINT_URL_S3"}"#));

    fs_err::copy(elsewhere.path("platform.toml"), elsewhere.path("other.toml")).unwrap();
    let variables = [
        ("BEDPLATE_CONFIG", "other.toml"),
        ("BEDPLATE_STATE", "s3://states/one.json"),
        ("BEDPLATE_ENVIRONMENT", "development"),
        ("AWS_PROFILE", "work"),
        ("AWS_REGION", "eu-west-1"),
    ];
    let from = |variable: &str| format!(r#"({{"environment":"{variable}"}})"#);
    let all = used(&elsewhere, &[], &variables);
    assert_eq!(all["file"], format!("\"other.toml\" {}", from("BEDPLATE_CONFIG")));
    assert_eq!(all["state"], format!("\"s3://states/one.json\" {}", from("BEDPLATE_STATE")));
    assert_eq!(all["profile"], format!("\"work\" {}", from("AWS_PROFILE")));
    assert_eq!(all["region"], format!("\"eu-west-1\" {}", from("AWS_REGION")));
    let environment = |args: &[&str]| {
        let answer = elsewhere.run_with(&[&["config", "--json"], args].concat(), &variables).ok().json();
        answer.list("settings").iter().find(|it| it["path"] == "environment").unwrap()["origin"].clone()
    };
    assert_eq!(environment(&[]), json!({"environment": "BEDPLATE_ENVIRONMENT"}));

    // Options go before variables.
    let options = [
        "--config",
        "platform.toml",
        "--state",
        "my.json",
        "--profile",
        "home",
        "--endpoint-url",
        "http://127.0.0.1:9",
    ];
    let all = used(&elsewhere, &options, &variables);
    assert_eq!(all["file"], r#""platform.toml" ({"option":"--config"})"#);
    assert_eq!(all["state"], r#""my.json" ({"option":"--state"})"#);
    assert_eq!(all["profile"], r#""home" ({"option":"--profile"})"#);
    assert_eq!(all["endpoint"], r#""http://127.0.0.1:9" ({"option":"--endpoint-url"})"#);
    assert!(!all.contains_key("endpoint of s3"), "{all:?}");
    assert_eq!(environment(&["--environment", "production"]), json!({"option": "--environment"}));

    // The profile may name an endpoint.
    elsewhere.write("aws", "[profile work]\nendpoint_url = http://127.0.0.1:8\n");
    for (prelude, endpoint) in [
        (
            "unset AWS_ENDPOINT_URL; export AWS_PROFILE=work AWS_CONFIG_FILE=aws",
            json!({"value": "http://127.0.0.1:8", "origin": "profile"}),
        ),
        ("unset AWS_ENDPOINT_URL", json!({"value": null, "origin": "default"})),
    ] {
        let answer = elsewhere.run_after(prelude, &["config", "--json"]).ok().json();
        assert_eq!(answer["used"]["endpoint"], endpoint, "{prelude}");
    }

    // For people, as comments: the whole is still a file that can be used.
    let text =
        elsewhere.run(&["config"]).ok().has(&["# state     state/fintechglobal-production.json  # default"]).stdout;
    elsewhere.write("again.toml", &text);
    elsewhere.run(&["plan", "--config", "again.toml"]).ok();
}
