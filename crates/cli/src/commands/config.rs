//! `config`: the settings in force and where each came from.

use crate::{args::Globals, exit::Exit, render::Printer, session};
use anyhow::{Context, Result};
use bedplate_model::Json;
use bedplate_platform::config::Config;
use owo_colors::OwoColorize;
use serde_json::json;
use std::collections::BTreeMap;

/// A setting in force.
struct Setting {
    path: String,
    value: Json,
    origin: Origin,
}

/// Where a value came from.
enum Origin {
    /// A line of the file.
    File(usize),
    /// A variable of the environment.
    Environment(&'static str),
    Default,
}

pub(crate) fn run(globals: &Globals, printer: &Printer) -> Result<Exit> {
    let file = session::load_config(globals)?;
    let mut config = file.clone();
    session::region_from_environment(globals, &mut config)?;
    let chosen = session::environment(globals)?;
    let lines = Config::lines(&fs_err::read_to_string(&globals.config)?, chosen);
    let mut settings = Vec::new();
    let whole = serde_json::to_value(&config).context("cannot show the configuration")?;
    collect(&whole, "", &lines, &mut settings);
    if config.region != file.region {
        for setting in settings.iter_mut().filter(|setting| setting.path == "region") {
            setting.origin = Origin::Environment("AWS_REGION");
        }
    }
    if chosen.is_some() {
        for setting in settings.iter_mut().filter(|setting| setting.path == "environment") {
            setting.origin = Origin::Environment("--environment or BEDPLATE_ENVIRONMENT");
        }
    }
    let name = globals.config.display().to_string();
    if printer.json {
        printer.document(
            &json!({"format": 1, "file": name, "settings": settings.iter().map(as_json).collect::<Vec<_>>()}),
        );
        return Ok(Exit::Done);
    }
    let mut table = "";
    for setting in &settings {
        let (parent, key) = setting.path.rsplit_once('.').unwrap_or(("", &setting.path));
        if parent != table {
            printer.result(&format!("\n[{}]", parent.bold()));
            table = parent;
        }
        let Ok(value) = toml::Value::try_from(&setting.value) else { continue };
        let origin = match &setting.origin {
            Origin::File(line) => format!("# {name}:{line}").cyan().to_string(),
            Origin::Environment(variable) => format!("# {variable}").yellow().to_string(),
            Origin::Default => "# default".dimmed().to_string(),
        };
        printer.result(&format!("{key} = {value}  {origin}"));
    }
    Ok(Exit::Done)
}

/// A table's settings before the tables in it, so that the result is TOML. What is not set and has no default is left out.
fn collect(json: &Json, path: &str, lines: &BTreeMap<String, usize>, settings: &mut Vec<Setting>) {
    let Some(object) = json.as_object() else { return };
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    for (key, value) in object.iter().filter(|(_, value)| !value.is_object() && !value.is_null()) {
        let path = below(key);
        let origin = lines.get(&path).map_or(Origin::Default, |line| Origin::File(*line));
        settings.push(Setting { path, value: value.clone(), origin });
    }
    for (key, value) in object.iter().filter(|(_, value)| value.is_object()) {
        collect(value, &below(key), lines, settings);
    }
}

fn as_json(setting: &Setting) -> Json {
    let origin = match &setting.origin {
        Origin::File(line) => json!({"file": line}),
        Origin::Environment(variable) => json!({"environment": variable}),
        Origin::Default => json!("default"),
    };
    json!({"path": setting.path, "value": setting.value, "origin": origin})
}
