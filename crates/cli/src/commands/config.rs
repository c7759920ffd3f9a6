//! `config`: the settings in force and where each came from, and what else a run goes by.

use crate::{
    args::{Cli, ConfigArgs, Globals},
    exit::Exit,
    render::Printer,
    session,
};
use anyhow::{Context, Result};
use aws_config::{BehaviorVersion, Region};
use bedplate_model::Json;
use bedplate_platform::config::{Config, json_schema};
use clap::{ArgMatches, CommandFactory, parser::ValueSource};
use owo_colors::OwoColorize;
use serde_json::json;
use std::{collections::BTreeMap, env};

/// A setting in force.
struct Setting {
    table: String,
    /// In its table.
    key: String,
    value: Json,
    origin: Origin,
}

/// What a run goes by that is no setting of the file.
struct Surrounding {
    name: String,
    /// `None` where the SDK decides, as it does for everybody.
    value: Option<String>,
    origin: Origin,
}

/// Where a value came from.
#[derive(Clone)]
enum Origin {
    /// A line of the file.
    File(usize),
    /// An option of the command line.
    Option(&'static str),
    /// A variable of the environment.
    Environment(String),
    /// AWS's own configuration files.
    Profile,
    Default,
}

pub(crate) async fn run(globals: &Globals, args: &ConfigArgs, printer: &Printer) -> Result<Exit> {
    if args.schema {
        printer.result(schema_text().trim_end());
        return Ok(Exit::Done);
    }
    let file = session::load_config(globals)?;
    let mut config = file.clone();
    session::region_from_environment(globals, &mut config)?;
    let chosen = session::environment(globals)?;
    let given = Given::read();
    let lines = Config::lines(&fs_err::read_to_string(&globals.config)?, chosen);
    let mut settings = Vec::new();
    let whole = with_derived(&config)?;
    collect(&whole, "", &lines, &mut settings);
    let mut came_from = |path: &str, origin: Origin| {
        settings
            .iter_mut()
            .filter(|setting| setting.path() == path)
            .for_each(|setting| setting.origin = origin.clone());
    };
    if variable("AWS_REGION").is_some() {
        came_from("region", Origin::Environment("AWS_REGION".to_owned()));
    }
    if chosen.is_some() {
        came_from("environment", given.origin("environment", "--environment", "BEDPLATE_ENVIRONMENT"));
    }
    let region = settings.iter().find(|setting| setting.path() == "region").map(|setting| setting.origin.clone());
    let around = surroundings(globals, &config, &given, region.unwrap_or(Origin::Default)).await;
    let mut endpoints = around.iter().filter(|it| it.name.starts_with("endpoint")).filter_map(|it| it.value.as_deref());
    endpoints.try_for_each(session::check_endpoint)?;
    let name = globals.config.display().to_string();
    if printer.json {
        let around: serde_json::Map<_, _> =
            around.iter().map(|it| (it.name.clone(), json!({"value": it.value, "origin": it.origin.json()}))).collect();
        let settings: Vec<_> = settings.iter().map(as_json).collect();
        printer.document(&json!({"format": 1, "file": name, "used": around, "settings": settings}));
        return Ok(Exit::Done);
    }
    // As comments, so that the whole is a file that can be used.
    for Surrounding { name: what, value, origin } in &around {
        let value = value.as_deref().unwrap_or("AWS");
        printer.result(&format!("# {what:<8}  {value}  {}", origin.shown(&name)));
    }
    printer.result("");
    let mut table = "";
    for setting in &settings {
        if setting.table != table {
            table = &setting.table;
            printer.result(&format!("\n[{}]", table.bold()));
        }
        let Ok(value) = toml::Value::try_from(&setting.value) else { continue };
        printer.result(&format!("{} = {value}  {}", quoted(&setting.key), setting.origin.shown(&name)));
    }
    Ok(Exit::Done)
}

/// The schema that is published, as `docs/platform.schema.json` has it.
pub(super) fn schema_text() -> String {
    format!("{:#}\n", json_schema())
}

/// The settings whose defaults follow from others, by their dotted paths.
pub(super) fn derived(config: &Config) -> [(&'static str, Json); 6] {
    [
        ("cache.final_snapshot", json!(config.cache_final_snapshot())),
        ("cluster.deletion_protection", json!(config.cluster_deletion_protection())),
        ("cluster.fargate_namespaces", json!(config.cluster.fargate_namespaces())),
        ("database.deletion_protection", json!(config.database_deletion_protection())),
        ("database.final_snapshot", json!(config.database_final_snapshot())),
        ("sessions.deletion_protection", json!(config.sessions_deletion_protection())),
    ]
}

fn with_derived(config: &Config) -> Result<Json> {
    let mut whole = serde_json::to_value(config).context("cannot show the configuration")?;
    for (path, value) in derived(config) {
        let (table, key) = path.split_once('.').context("a derived setting lies in a table")?;
        whole[table][key] = value;
    }
    Ok(whole)
}

/// Where the values of the command line came from.
struct Given(Option<ArgMatches>);

impl Given {
    /// A second time, because a parsed value does not say whether it was an option or a variable.
    fn read() -> Self {
        let matches = Cli::command().try_get_matches_from(env::args_os()).ok();
        Self(matches.and_then(|mut matches| matches.remove_subcommand()).map(|(_, matches)| matches))
    }

    fn origin(&self, id: &str, option: &'static str, variable: &str) -> Origin {
        match self.0.as_ref().and_then(|matches| matches.value_source(id)) {
            Some(ValueSource::CommandLine) => Origin::Option(option),
            Some(ValueSource::EnvVariable) => Origin::Environment(variable.to_owned()),
            _ => Origin::Default,
        }
    }
}

/// A variable that is set to something.
fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// What a run would use. Nobody is asked: the SDK reads its files and no more.
async fn surroundings(globals: &Globals, config: &Config, given: &Given, region: Origin) -> Vec<Surrounding> {
    let file = (Some(globals.config.display().to_string()), given.origin("config", "--config", "BEDPLATE_CONFIG"));
    let state = match &globals.state {
        Some(place) => place.clone(),
        None => session::log_place(globals, config).display().to_string(),
    };
    let state = (Some(state), given.origin("state", "--state", "BEDPLATE_STATE"));
    let profile = match (&globals.profile, variable("AWS_PROFILE")) {
        (Some(name), _) => (name.clone(), Origin::Option("--profile")),
        (None, Some(name)) => (name, Origin::Environment("AWS_PROFILE".to_owned())),
        (None, None) => ("default".to_owned(), Origin::Default),
    };
    let endpoint = match (&globals.endpoint_url, variable("AWS_ENDPOINT_URL")) {
        (Some(url), _) => (Some(url.clone()), Origin::Option("--endpoint-url")),
        (None, Some(url)) => (Some(url), Origin::Environment("AWS_ENDPOINT_URL".to_owned())),
        (None, None) => {
            let region = Region::new(config.region.to_string());
            let loader = aws_config::defaults(BehaviorVersion::latest()).region(region).profile_name(&profile.0);
            match loader.load().await.endpoint_url() {
                Some(url) => (Some(url.to_owned()), Origin::Profile),
                None => (None, Origin::Default),
            }
        }
    };
    let all = [
        ("file", file),
        ("state", state),
        ("profile", (Some(profile.0), profile.1)),
        ("region", (Some(config.region.to_string()), region)),
        ("endpoint", endpoint),
    ];
    let all = all.map(|(name, (value, origin))| Surrounding { name: name.to_owned(), value, origin });
    // They are before the other, for one service each.
    let single = env::vars().filter_map(|(variable, url)| {
        let service = variable.strip_prefix("AWS_ENDPOINT_URL_").filter(|_| globals.endpoint_url.is_none())?;
        let name = format!("endpoint of {}", service.to_lowercase());
        Some(Surrounding { name, value: Some(url), origin: Origin::Environment(variable) })
    });
    let mut single: Vec<_> = single.collect();
    single.sort_by(|one, other| one.name.cmp(&other.name));
    all.into_iter().chain(single).collect()
}

/// A table's settings before the tables in it, so that the result is TOML. What is not set and has no default is left out.
fn collect(json: &Json, path: &str, lines: &BTreeMap<String, usize>, settings: &mut Vec<Setting>) {
    let Some(object) = json.as_object() else { return };
    for (key, value) in object.iter().filter(|(_, value)| !value.is_object() && !value.is_null()) {
        let origin = lines.get(&below(path, key)).map_or(Origin::Default, |line| Origin::File(*line));
        settings.push(Setting { table: path.to_owned(), key: key.clone(), value: value.clone(), origin });
    }
    for (key, value) in object.iter().filter(|(_, value)| value.is_object()) {
        collect(value, &below(path, key), lines, settings);
    }
}

fn below(table: &str, key: &str) -> String {
    if table.is_empty() { key.to_owned() } else { format!("{table}.{key}") }
}

/// A key as TOML: those of the user's own may be any text.
fn quoted(key: &str) -> String {
    let bare = |it: char| it.is_ascii_alphanumeric() || "-_".contains(it);
    if key.chars().all(bare) { key.to_owned() } else { toml::Value::from(key).to_string() }
}

impl Setting {
    fn path(&self) -> String {
        below(&self.table, &self.key)
    }
}

impl Origin {
    fn json(&self) -> Json {
        match self {
            Self::File(line) => json!({"file": line}),
            Self::Option(option) => json!({"option": option}),
            Self::Environment(variable) => json!({"environment": variable}),
            Self::Profile => json!("profile"),
            Self::Default => json!("default"),
        }
    }

    /// For people, where `file` is the configuration's name.
    fn shown(&self, file: &str) -> String {
        match self {
            Self::File(line) => format!("# {file}:{line}").cyan().to_string(),
            Self::Option(name) => format!("# {name}").yellow().to_string(),
            Self::Environment(name) => format!("# {name}").yellow().to_string(),
            Self::Profile => "# the profile's `endpoint_url`".yellow().to_string(),
            Self::Default => "# default".dimmed().to_string(),
        }
    }
}

fn as_json(setting: &Setting) -> Json {
    json!({"path": setting.path(), "value": setting.value, "origin": setting.origin.json()})
}
