//! What the settings are, as data: for the check of a file, for editors, and for the reference page.

use std::sync::OnceLock;

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::{Config, environments};

/// One setting, as the reference page shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The table: `cluster.node_group`; empty for the top of the file.
    pub table: String,
    /// The key in the table.
    pub key: String,
    /// What the value is, in words: `whole number`, `list of text`.
    pub kind: String,
    /// The default as TOML; `None` for a required setting and for one whose default depends on others.
    pub default: Option<String>,
    /// What the value has to keep to, in words, for example `2 to 3`.
    pub range: Option<String>,
    /// Whether a file without it is refused.
    pub required: bool,
    /// What the setting means.
    pub doc: String,
}

/// The JSON schema (draft 2020-12) of the configuration file, for editors that check TOML.
pub fn json_schema() -> Value {
    let mut schema = root().clone();
    let mut different = schema.clone();
    if let Value::Object(different) = &mut different {
        for key in ["$schema", "title", "description", "required"] {
            different.remove(key);
        }
        if let Some(Value::Object(properties)) = different.get_mut("properties") {
            properties.remove("environment");
        }
    }
    let one = json!({"$ref": "#/$defs/different"});
    schema["properties"][environments::KEY] = json!({
        "type": "object",
        "description": "What is different in one environment: tables are merged, anything else takes the place of the value \
                        for all. Chosen by `environment`, or by --environment and BEDPLATE_ENVIRONMENT.",
        "properties": {"production": one, "development": one},
        "additionalProperties": false,
    });
    schema["$defs"] = json!({"different": different});
    schema
}

/// Every setting: those at the top of the file first, then table by table, in alphabetical order.
pub fn settings() -> Vec<Setting> {
    let mut settings = Vec::new();
    collect(root(), "", &mut settings);
    settings
}

/// The schema, made once: without references, so that a setting's schema has everything about it, and without null,
/// which TOML does not have.
pub(super) fn root() -> &'static Value {
    static ROOT: OnceLock<Value> = OnceLock::new();
    ROOT.get_or_init(|| {
        let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
        let mut schema = settings.into_generator().into_root_schema_for::<Config>().to_value();
        without_null(&mut schema);
        schema
    })
}

/// Takes out of a schema what `Option` puts there.
fn without_null(schema: &mut Value) {
    let Value::Object(object) = schema else { return };
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|it| it != "null");
        if let [only] = &types[..] {
            let only = only.clone();
            object.insert("type".to_owned(), only);
        }
    }
    if object.get("default") == Some(&Value::Null) {
        object.remove("default");
    }
    if let Some(Value::Object(properties)) = object.get_mut("properties") {
        properties.values_mut().for_each(without_null);
    }
}

/// The settings and tables in a table, by key; a map with keys of the user's has none.
pub(super) fn properties(schema: &Value) -> Option<&Map<String, Value>> {
    schema.get("properties").and_then(Value::as_object)
}

/// The keys that a table has to have.
pub(super) fn required(schema: &Value) -> impl Iterator<Item = &str> {
    schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// The texts of a choice, if the schema is one.
pub(super) fn choices(schema: &Value) -> Option<Vec<&str>> {
    let list = |key: &str| schema.get(key).and_then(Value::as_array);
    match (list("oneOf"), list("enum")) {
        (Some(variants), _) => variants.iter().map(|variant| variant.get("const")?.as_str()).collect(),
        (None, Some(values)) => values.iter().map(Value::as_str).collect(),
        (None, None) => None,
    }
}

/// Whether the schema is of this JSON type.
pub(super) fn is(schema: &Value, name: &str) -> bool {
    match schema.get("type") {
        Some(Value::Array(types)) => types.iter().any(|it| it == name),
        Some(only) => only == name,
        None => name == "string" && choices(schema).is_some(),
    }
}

/// What a value is, with its article.
pub(super) fn kind(schema: &Value) -> &'static str {
    match () {
        () if is(schema, "string") && is(schema, "number") => "text or a number",
        () if is(schema, "string") => "text",
        () if is(schema, "integer") => "a whole number",
        () if is(schema, "boolean") => "true or false",
        () if is(schema, "array") => "a list",
        () => "a table",
    }
}

/// The least and the greatest number.
pub(super) fn bounds(schema: &Value) -> (Option<i64>, Option<i64>) {
    let bound = |key: &str| schema.get(key).and_then(|value| value.as_i64().or_else(|| Some(value.as_f64()? as i64)));
    (bound("minimum"), bound("maximum"))
}

/// The fewest and the most entries of a list.
pub(super) fn counts(schema: &Value) -> (u64, Option<u64>) {
    let count = |key: &str| schema.get(key).and_then(Value::as_u64);
    (count("minItems").unwrap_or(0), count("maxItems"))
}

/// What the setting means, from its doc comment.
pub(super) fn doc(schema: &Value) -> String {
    let doc = schema.get("description").and_then(Value::as_str).unwrap_or_default();
    doc.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A value of the schema as TOML: its default, or else the example of its rule.
pub(super) fn example(schema: &Value) -> Option<String> {
    let default = schema.get("default").filter(|value| value.as_array().is_none_or(|list| !list.is_empty()));
    if let Some(value) = default.or_else(|| schema.get("examples")?.get(0)) {
        return toml_text(value);
    }
    schema.get("items").and_then(example).map(|item| format!("[{item}]"))
}

/// A file with the required settings and nothing else.
pub(super) fn minimal_file() -> String {
    let line = |key: &str| Some(format!("{key} = {}\n", example(properties(root())?.get(key)?)?));
    required(root()).filter_map(line).collect::<String>()
}

fn toml_text(value: &Value) -> Option<String> {
    toml::Value::try_from(value).ok().map(|value| value.to_string())
}

fn collect(schema: &Value, table: &str, settings: &mut Vec<Setting>) {
    let Some(properties) = properties(schema) else { return };
    let (tables, keys): (Vec<_>, Vec<_>) =
        properties.iter().partition(|(_, schema)| self::properties(schema).is_some());
    for (key, property) in keys {
        settings.push(Setting {
            table: table.to_owned(),
            key: key.clone(),
            kind: kind_of_setting(property),
            default: property.get("default").and_then(toml_text),
            range: range(property),
            required: required(schema).any(|required| required == key),
            doc: doc(property),
        });
    }
    for (key, property) in tables {
        let name = if table.is_empty() { key.clone() } else { format!("{table}.{key}") };
        collect(property, &name, settings);
    }
}

fn kind_of_setting(schema: &Value) -> String {
    let kind = kind(schema).trim_start_matches("a ");
    match schema.get("items") {
        Some(items) => format!("list of {}", self::kind(items)),
        None => kind.to_owned(),
    }
}

/// What a value has to keep to, in words.
pub(super) fn range(schema: &Value) -> Option<String> {
    let values = || schema.get("enum")?.as_array().map(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>());
    if let Some(choices) = choices(schema) {
        return Some(choices.iter().map(|choice| format!("`{choice}`")).collect::<Vec<_>>().join(", "));
    }
    if let Some(values) = values() {
        return Some(values.join(", "));
    }
    if let Some(rule) = schema.get("x-rule").and_then(Value::as_str) {
        return Some(rule.to_owned());
    }
    if is(schema, "array") {
        let each = schema.get("items").and_then(range).map(|range| format!("each: {range}"));
        let count = match counts(schema) {
            (0, None) => None,
            (0, Some(most)) => Some(format!("at most {most}")),
            (least, None) => Some(format!("at least {least}")),
            (least, Some(most)) => Some(format!("{least} to {most}")),
        };
        return match (count, each) {
            (Some(count), Some(each)) => Some(format!("{count}; {each}")),
            (count, each) => count.or(each),
        };
    }
    match bounds(schema) {
        (Some(least), Some(most)) => Some(format!("{least} to {most}")),
        _ => None,
    }
}
