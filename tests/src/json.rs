//! Short ways to look into answers.

use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Looks into a JSON value and says what it was when something is not there.
pub trait JsonExt {
    /// The text of a field.
    fn text(&self, field: &str) -> &str;
    /// The items of a list in a field.
    fn list(&self, field: &str) -> &[Value];
    /// The tags of an AWS resource in any of the shapes AWS has for them, without what is AWS's own.
    fn tags(&self) -> BTreeMap<String, String>;
    /// The item of a list whose `Name` tag is this.
    fn named(&self, name: &str) -> &Value;
    /// A policy document with single items in place of lists of one, which mean the same.
    fn plain(&self) -> Value;
}

impl JsonExt for Value {
    #[track_caller]
    fn text(&self, field: &str) -> &str {
        self[field].as_str().unwrap_or_else(|| panic!("no text {field} in {self:#}"))
    }

    #[track_caller]
    fn list(&self, field: &str) -> &[Value] {
        self[field].as_array().unwrap_or_else(|| panic!("no list {field} in {self:#}"))
    }

    #[track_caller]
    fn tags(&self) -> BTreeMap<String, String> {
        let tags = ["Tags", "tags", "TagSet", "TagList", "ResourceTags"].iter().find_map(|name| self.get(name));
        let pairs: Vec<(String, String)> = match tags {
            Some(Value::Object(map)) => map.iter().map(|(key, value)| (key.clone(), string(value))).collect(),
            Some(Value::Array(list)) => list.iter().map(pair).collect(),
            _ => Vec::new(),
        };
        pairs.into_iter().filter(|(key, _)| !key.starts_with("aws:")).collect()
    }

    #[track_caller]
    fn named(&self, name: &str) -> &Value {
        let list = self.as_array().unwrap_or_else(|| panic!("no list: {self:#}"));
        let found = list.iter().find(|item| item.tags().get("Name").is_some_and(|it| it == name));
        found.unwrap_or_else(|| panic!("nothing is named {name} in {self:#}"))
    }

    fn plain(&self) -> Value {
        match self {
            Value::Array(items) if items.len() == 1 => items[0].plain(),
            Value::Array(items) => items.iter().map(JsonExt::plain).collect(),
            Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), value.plain())).collect(),
            other => other.clone(),
        }
    }
}

/// `Key` and `Value` of most services, `TagKey` and `TagValue` of KMS.
fn pair(tag: &Value) -> (String, String) {
    let field = |names: [&str; 2]| names.iter().find_map(|name| tag.get(name)).map(string).unwrap_or_default();
    (field(["Key", "TagKey"]), field(["Value", "TagValue"]))
}

fn string(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The texts of one field of all items, sorted.
pub fn set<'a>(items: impl IntoIterator<Item = &'a Value>, field: &str) -> BTreeSet<String> {
    items.into_iter().map(|item| item.text(field).to_owned()).collect()
}

/// The document of `plan --json`.
#[derive(Debug, Clone)]
pub struct Plan(pub Value);

impl Plan {
    /// Checks the parts that every plan has.
    #[track_caller]
    pub(crate) fn new(document: Value) -> Self {
        assert_eq!(document["format"], 1, "{document:#}");
        let count = |action: &str| document.list("changes").iter().filter(|it| it["action"] == action).count();
        for action in ["create", "update", "replace", "delete", "adopt"] {
            assert_eq!(document["summary"][action], count(action), "{action} in {:#}", document["summary"]);
        }
        assert!(document["summary"]["unchanged"].is_u64() && document["api_calls"].is_object(), "{document:#}");
        Self(document)
    }

    /// All changes: address -> `["action", {"path": [before, after], …}]`.
    pub fn changes(&self) -> BTreeMap<&str, Value> {
        let changes = self.0.list("changes").iter();
        changes.map(|change| (change.text("address"), json!([change["action"], fields(change)]))).collect()
    }

    /// The addresses with this action.
    pub fn with(&self, action: &str) -> BTreeSet<&str> {
        let changes = self.0.list("changes").iter().filter(|change| change["action"] == action);
        changes.map(|change| change.text("address")).collect()
    }

    /// The change of one resource.
    #[track_caller]
    pub fn change(&self, address: &str) -> &Value {
        let found = self.0.list("changes").iter().find(|change| change["address"] == address);
        found.unwrap_or_else(|| panic!("no change of {address} in {:#}", self.0["changes"]))
    }

    /// That this resource changes because of something outside the program, and all of it is marked so.
    #[track_caller]
    pub fn assert_drift(&self, address: &str, action: &str, fields: &[(&str, Value, Value)]) {
        let change = self.change(address);
        assert_eq!(change["action"], action, "{change:#}");
        assert!(change.text("reason").contains("outside bedplate"), "{change:#}");
        if action != "create" {
            assert_eq!(fields_of(fields), self::fields(change), "{change:#}");
            assert!(change.list("fields").iter().all(|field| field["drift"] == true), "{change:#}");
        }
    }
}

fn fields(change: &Value) -> Value {
    let fields = change.list("fields").iter();
    fields.map(|field| (field.text("path").to_owned(), json!([field["before"], field["after"]]))).collect()
}

fn fields_of(fields: &[(&str, Value, Value)]) -> Value {
    fields.iter().map(|(path, before, after)| ((*path).to_owned(), json!([before, after]))).collect()
}

/// What [`Plan::changes`] says of one resource.
pub fn changed(action: &str, fields: &[(&str, Value, Value)]) -> Value {
    json!([action, fields_of(fields)])
}
