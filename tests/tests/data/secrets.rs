//! The row "Secrets Manager", and that no value leaves it.

use crate::{BUILT, assert_has, call, key};
use bedplate_tests::{Cloud, JsonExt, Project};
use serde_json::{Value, json};
use std::path::Path;

const NAMES: [&str; 3] = ["fintech/redis-auth", "fintech/api-keys", "fintech/encryption-key"];

fn value(secret: &Value) -> String {
    call("secretsmanager", "get_secret_value", json!({"SecretId": secret})).text("SecretString").to_owned()
}

#[test]
fn all_are_under_our_key() {
    let key = key();
    for name in NAMES {
        let secret = call("secretsmanager", "describe_secret", json!({"SecretId": name}));
        assert_has(&secret, json!({"Name": name, "KmsKeyId": key}));
        assert!(secret.get("DeletedDate").is_none(), "{secret:#}");
    }
}

#[test]
fn values_are_generated_or_wait_for_the_operator() {
    let auth = value(&json!("fintech/redis-auth"));
    let encryption = value(&json!("fintech/encryption-key"));
    // ElastiCache takes 16 to 128 characters.
    for generated in [&auth, &encryption] {
        assert!(generated.len() == 64 && generated.chars().all(|c| c.is_ascii_alphanumeric()), "{}", generated.len());
    }
    assert_ne!(auth, encryption);
    // By Secrets Manager itself.
    assert_eq!(BUILT.cloud.calls()["secretsmanager:GetRandomPassword"], 2);
    let keys = value(&json!("fintech/api-keys"));
    assert!(serde_json::from_str::<Value>(&keys).unwrap().is_object(), "a placeholder in the form that is expected");
}

/// All files in a folder and in those in it.
fn files(folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs_err::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push((path.display().to_string(), fs_err::read(path).unwrap()));
        }
    }
}

#[test]
fn no_value_is_in_any_file_or_output() {
    let project = &BUILT.project;
    let aurora = call("rds", "describe_db_clusters", json!({}));
    let managed = value(&aurora["DBClusters"][0]["MasterUserSecret"]["SecretArn"]);
    let managed: Value = serde_json::from_str(&managed).unwrap();
    let password = managed.text("password");
    let mut values = vec![password.to_owned(), json!(password).to_string().trim_matches('"').to_owned()];
    values.extend([value(&json!("fintech/redis-auth")), value(&json!("fintech/encryption-key"))]);
    assert!(values.iter().all(|value| value.len() >= 16), "they are worth a search");

    let mut said = vec![
        ("bootstrap --json -v".to_owned(), BUILT.run.stdout.clone().into_bytes()),
        ("bootstrap --json -v, standard error".to_owned(), BUILT.run.stderr.clone().into_bytes()),
    ];
    // Plans with changes of the cache and the database, which are not applied.
    let other = project.path("other.toml");
    let settings = "[cache]\nnodes = 3\n[database]\ninstance_class = \"db.r6g.xlarge\"\n";
    fs_err::write(&other, format!("{}{settings}", bedplate_tests::FIVE_LINES)).unwrap();
    let (other, state) = (other.to_str().unwrap(), project.state_path());
    let changed = ["--config", other, "--state", state.to_str().unwrap()];
    for args in [
        &["plan", "-v"][..],
        &["plan", "--json", "-v"],
        &["plan", "--out", "saved.plan", "-v"],
        &["bootstrap", "--yes", "-v"],
        &["apply", "--yes", "-v", "--json"],
        &["drift", "-v", "--json"],
        &["output", "-v"],
        &["output", "--json"],
        &["graph", "--format", "json"],
        &["kubeconfig"],
        &["preflight", "--json", "-v"],
        &["state", "show", "secrets/redis-auth"],
        &["state", "show", "cache/redis"],
        &["state", "show", "database/cluster"],
    ] {
        let run = project.run(args).ok();
        said.push((args.join(" "), [run.stdout, run.stderr].concat().into_bytes()));
    }
    for args in [&["plan", "-v"][..], &["plan", "--json"], &["plan", "--out", "changed.plan"]] {
        let run = project.run(&[args, &changed].concat()).ok();
        assert!(run.stdout.contains("redis") && run.stdout.contains("db.r6g.xlarge"), "{run}");
        said.push((format!("{args:?} with changes"), [run.stdout, run.stderr].concat().into_bytes()));
    }
    files(project.path("").as_path(), &mut said);
    assert!(said.iter().any(|(name, _)| name.ends_with("fintechglobal-production.json")), "the state was searched");
    assert!(said.iter().any(|(name, _)| name.ends_with("changed.plan")), "the saved plan was searched");
    let logged = project.log("bootstrap").iter().filter(|line| line["event"] == "call").count();
    assert!(logged > 500 && said.iter().any(|(name, _)| name.ends_with("-bootstrap.jsonl")), "the log was searched");
    assert_none_of(&values, &said);
}

/// What was said and written, by where.
type Said = Vec<(String, Vec<u8>)>;

#[track_caller]
fn assert_none_of(values: &[String], said: &Said) {
    for (name, bytes) in said {
        for value in values {
            let found = bytes.windows(value.len()).any(|window| window == value.as_bytes());
            assert!(!found, "a secret's value is in {name}");
        }
    }
}

#[test]
fn no_value_is_said_by_a_rotation_a_failure_or_the_end() {
    let cloud = Cloud::start();
    let project = Project::with(&cloud, "[cluster]\nenabled = false\n[database]\nenabled = false");
    let mut said = Said::new();
    let mut run = |args: &[&str], code: i32| {
        let run = project.run(args).exits(code);
        said.push((args.join(" "), [run.stdout.as_bytes(), run.stderr.as_bytes()].concat()));
        // The state of this moment and the copy of the one before.
        files(project.path("").as_path(), &mut said);
        run
    };
    run(&["bootstrap", "--yes", "-v"], 0);
    let values: Vec<String> = NAMES
        .iter()
        .map(|name| {
            let planted = format!("planted0{}0{}", name.replace(['/', '-'], "0"), "x".repeat(20));
            let secret = json!({"SecretId": name, "SecretString": planted});
            cloud.call("secretsmanager", "put_secret_value", secret);
            planted
        })
        .collect();
    run(&["plan", "--out", "rotation.plan", "-v"], 0);
    // A service that repeats what it was sent.
    let words = format!("Invalid AuthToken: {}", values[0]);
    cloud.fail_next("elasticache:ModifyReplicationGroup", "InvalidParameterValue", &words);
    let failed = run(&["apply", "--yes", "-v", "--json"], 1);
    assert!(failed.stdout.contains("Invalid AuthToken"), "the failure is told all the same: {failed}");
    cloud.fail_next("elasticache:ModifyReplicationGroup", "InvalidParameterValue", &words);
    run(&["apply", "--yes", "-v"], 1);
    run(&["apply", "--yes", "-v"], 0);
    run(&["drift", "-v"], 0);
    run(&["destroy", "--yes", "--lift-protection", "-v"], 0);
    run(&["bootstrap", "--yes", "-v", "--json"], 0);
    let value = |name: &str| cloud.call("secretsmanager", "get_secret_value", json!({"SecretId": name}));
    assert_eq!(value(NAMES[0])["SecretString"], values[0], "it is in the secret itself, also when it comes back");
    assert!(said.iter().any(|(name, _)| name.ends_with(".backup")), "the copy of the state was searched");
    assert_none_of(&values, &said);
}
