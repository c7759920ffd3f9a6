//! A row of the table of fields, and how a batch of rows is carried out.

use bedplate_tests::{Cloud, JsonExt, Plan, Project};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Ids and ARNs of the resources of a platform that stands.
pub(crate) trait Ids {
    /// What AWS calls the resource at an address.
    fn id(&self, address: &str) -> String;
    /// One of its outputs.
    fn output(&self, address: &str, name: &str) -> String;
}

impl Ids for Project {
    fn id(&self, address: &str) -> String {
        Self::id(self, address)
    }

    fn output(&self, address: &str, name: &str) -> String {
        self.state()["resources"][address]["outputs"].text(name).to_owned()
    }
}

/// No platform at all: enough to list the rows.
pub(crate) struct NoIds;

impl Ids for NoIds {
    fn id(&self, address: &str) -> String {
        address.to_owned()
    }

    fn output(&self, address: &str, _name: &str) -> String {
        address.to_owned()
    }
}

type Look = Box<dyn Fn(&Cloud) -> Value>;
type Act = Box<dyn Fn(&Cloud)>;

/// How a field gets another value.
pub(crate) enum Way {
    /// By a line in `platform.toml`. The lines of one round stand in the file together; the second round has what excludes
    /// a line of the first one.
    Setting { round: u8, line: &'static str },
    /// By boto3, behind the program's back, because the platform always wants the same.
    Behind(Act),
    /// By what the row before does.
    Along,
}

/// One field of one resource in two states.
pub(crate) struct Row {
    /// The resource's type.
    pub(crate) kind: &'static str,
    /// The field, as a plan shows it: `parameters.maxmemory-policy`.
    pub(crate) path: &'static str,
    pub(crate) address: String,
    /// Its value from the five lines, as a plan shows it; `None` when only AWS's own answer is compared.
    pub(crate) usual: Option<Value>,
    /// Its other value, likewise.
    pub(crate) other: Option<Value>,
    pub(crate) way: Way,
    /// How boto3 sees it, and what it sees in both states.
    look: Look,
    told: [Value; 2],
}

impl Row {
    /// The type and the field.
    pub(crate) fn field(&self) -> String {
        format!("{}.{}", self.kind, self.path.split('.').next().unwrap_or_default())
    }

    /// What boto3 sees that it should not.
    fn mistold(&self, cloud: &Cloud, usual: bool) -> Option<String> {
        let [before, meanwhile] = &self.told;
        let expected = if usual { before } else { meanwhile };
        let seen = (self.look)(cloud);
        (seen != *expected).then(|| format!("{} of {}: {seen}, not {expected}", self.path, self.address))
    }
}

/// A row that a line in `platform.toml` changes.
pub(crate) fn set(kind: &'static str, address: &str, path: &'static str, line: &'static str) -> Builder {
    Builder { kind, path, address: address.to_owned(), way: Way::Setting { round: 1, line }, usual: None, other: None }
}

/// The same in the second round.
pub(crate) fn set_second(kind: &'static str, address: &str, path: &'static str, line: &'static str) -> Builder {
    Builder { way: Way::Setting { round: 2, line }, ..set(kind, address, path, line) }
}

/// A row that boto3 changes behind the program's back.
pub(crate) fn behind(kind: &'static str, address: &str, path: &'static str, act: impl Fn(&Cloud) + 'static) -> Builder {
    Builder { way: Way::Behind(Box::new(act)), ..set(kind, address, path, "") }
}

/// A row that the row before changes too.
pub(crate) fn along(kind: &'static str, address: &str, path: &'static str) -> Builder {
    Builder { way: Way::Along, ..set(kind, address, path, "") }
}

/// A row without what boto3 sees.
pub(crate) struct Builder {
    kind: &'static str,
    path: &'static str,
    address: String,
    way: Way,
    usual: Option<Value>,
    other: Option<Value>,
}

impl Builder {
    /// Its usual and its other value in a plan.
    pub(crate) fn plan(mut self, usual: Value, other: Value) -> Self {
        (self.usual, self.other) = (Some(usual), Some(other));
        self
    }

    /// What boto3 sees, where it is the same as in a plan.
    pub(crate) fn seen(self, look: impl Fn(&Cloud) -> Value + 'static) -> Row {
        let (usual, other) = (self.usual.clone().expect("a plan"), self.other.clone().expect("a plan"));
        self.seen_as(look, usual, other)
    }

    /// What boto3 sees in the usual and in the other state.
    pub(crate) fn seen_as(self, look: impl Fn(&Cloud) -> Value + 'static, usual: Value, other: Value) -> Row {
        let Self { kind, path, address, way, usual: before, other: after } = self;
        Row { kind, path, address, usual: before, other: after, way, look: Box::new(look), told: [usual, other] }
    }
}

/// A call by boto3, and where in its answer to look.
pub(crate) fn at(
    service: &'static str,
    operation: &'static str,
    arguments: Value,
    pointer: &str,
) -> impl Fn(&Cloud) -> Value + use<> {
    let pointer = pointer.to_owned();
    move |cloud| cloud.call(service, operation, arguments.clone()).pointer(&pointer).cloned().unwrap_or_default()
}

/// The texts of one field of all items in a list, sorted.
pub(crate) fn all(look: impl Fn(&Cloud) -> Value + 'static, field: &'static str) -> impl Fn(&Cloud) -> Value {
    move |cloud| json!(bedplate_tests::set(look(cloud).as_array().expect("a list"), field))
}

/// A list as a set.
pub(crate) fn sorted(look: impl Fn(&Cloud) -> Value + 'static) -> impl Fn(&Cloud) -> Value {
    move |cloud| json!(texts(&look(cloud)))
}

/// The texts of a list.
pub(crate) fn texts(list: &Value) -> BTreeSet<&str> {
    list.as_array().map(Vec::as_slice).unwrap_or_default().iter().filter_map(Value::as_str).collect()
}

/// A number in a text, as services write amounts.
pub(crate) fn number(look: impl Fn(&Cloud) -> Value + 'static) -> impl Fn(&Cloud) -> Value {
    move |cloud| json!(look(cloud).as_str().and_then(|text| text.parse::<f64>().ok()))
}

/// A JSON document in a text.
pub(crate) fn document(look: impl Fn(&Cloud) -> Value + 'static) -> impl Fn(&Cloud) -> Value {
    move |cloud| match look(cloud) {
        Value::String(text) => serde_json::from_str(&text).expect("a document"),
        other => other,
    }
}

/// A call by boto3 that changes something. Whatever it leaves busy is ready afterwards.
pub(crate) fn call(service: &'static str, operation: &'static str, arguments: Value) -> impl Fn(&Cloud) {
    move |cloud| {
        cloud.call(service, operation, arguments.clone());
        cloud.advance(120);
    }
}

/// Every row is in the plan with exactly its values, and nothing else changes than fields that have one in the table.
pub(crate) fn assert_planned(plan: &Plan, rows: &[&Row], table: &[Row], back: bool, drift: bool) {
    let mut problems = Vec::new();
    let known: BTreeSet<String> = table.iter().map(Row::field).collect();
    let mut shown: BTreeMap<(&str, &str), &Value> = BTreeMap::new();
    for change in plan.0.list("changes").iter().filter(|change| change["action"] == "update") {
        for field in change.list("fields") {
            let name = format!("{}.{}", change.text("kind"), field.text("path").split('.').next().unwrap_or_default());
            if !known.contains(&name) || field["drift"] != drift {
                problems.push(format!("{} of {}: {field}", name, change["address"]));
            }
            shown.insert((change.text("address"), field.text("path")), field);
        }
    }
    for row in rows {
        // Documents are shown by the part that changes.
        let part = format!("{}.", row.path);
        let mut fields = shown.iter().filter(|((address, path), _)| {
            *address == row.address && (*path == row.path || row.usual.is_none() && path.starts_with(&part))
        });
        let Some((_, field)) = fields.next() else {
            problems.push(format!("{} of {} is not in the plan", row.path, row.address));
            continue;
        };
        let (before, after) = if back { (&row.other, &row.usual) } else { (&row.usual, &row.other) };
        for (expected, name) in [(before, "before"), (after, "after")] {
            // What refers to something that is made again is known afterwards only.
            if let Some(expected) = expected
                && field[name] != *expected
                && field[name] != json!({"unknown": true})
            {
                problems.push(format!("{} of {}: {name} is {}, not {expected}", row.path, row.address, field[name]));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// That boto3 sees all rows in one state.
pub(crate) fn assert_told(cloud: &Cloud, rows: &[&Row], usual: bool) {
    let problems: Vec<String> = rows.iter().filter_map(|row| row.mistold(cloud, usual)).collect();
    assert!(problems.is_empty(), "boto3 sees {}", problems.join("\n"));
}

/// The lines of one round.
pub(crate) fn settings(rows: &[&Row]) -> String {
    let lines: BTreeSet<&str> = rows
        .iter()
        .filter_map(|row| match &row.way {
            Way::Setting { line, .. } => Some(*line),
            _ => None,
        })
        .collect();
    lines.into_iter().collect::<Vec<_>>().join("\n")
}

/// That `drift` shows what the plan shows, apart from what only follows from it: whoever refers to what has to be made again.
pub(crate) fn assert_drift_shows(project: &Project, plan: &Plan) {
    let drift = project.run(&["drift", "--json"]).exits(2).plan();
    assert_eq!(drift.with("create"), plan.with("create"));
    let drifted = plan.0.list("changes").iter().filter(|change| {
        change["action"] == "update" && change.list("fields").iter().any(|field| field["drift"] == true)
    });
    assert_eq!(drift.with("update"), drifted.map(|change| change.text("address")).collect());
    project.run(&["drift"]).exits(2);
}
