//! Walks the table of resource types: what each says of itself, against the CloudFormation registry's schemas.
//!
//! The snapshot shows the whole table, so that a change of it is seen in review. Whoever adds a type updates it:
//! `INSTA_UPDATE=always cargo test -p bedplate-aws --test schema`.

use bedplate_aws::{Aws, KINDS};
use bedplate_model::{Change, Field, Kind, Order, Ownership, Recovery};
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

/// Fields that deliberately differ from their schema: kind, field, and why, with the source.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    (
        "logs.log_group",
        "class",
        "the schema lets it change, CloudWatch Logs does not: \"The value of logGroupClass can't be changed after a log \
         group is created\" (aws-sdk-cloudwatchlogs, CreateLogGroup)",
    ),
    (
        "budgets.budget",
        "name",
        "the schema has one property for all settings: \"You can change every part of a budget except for the budgetName \
         and the calculatedSpend\" (aws-sdk-budgets, UpdateBudget)",
    ),
    (
        "budgets.budget",
        "notifications",
        "the schema cannot change them, the service can: it has calls that make and delete one notification \
         (aws-sdk-budgets, CreateNotification, DeleteNotification)",
    ),
];

#[derive(Deserialize)]
struct Schemas {
    types: BTreeMap<String, Schema>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Schema {
    properties: Vec<String>,
    read_only_properties: Vec<String>,
    create_only_properties: Vec<String>,
    conditional_create_only_properties: Vec<String>,
}

impl Schema {
    /// What is wrong with a field of a specification. A property may be a path: `AccessConfig/AuthenticationMode`.
    fn problem(&self, field: &Field) -> Option<String> {
        let property = field.aws?;
        let top = property.split('/').next().unwrap_or(property);
        let lists = |list: &[String]| list.iter().any(|listed| listed == property || listed == top);
        if !self.properties.iter().any(|known| known == top) {
            return Some(format!("the schema has no property {top}; name the right one or say #[aws(none)]"));
        }
        if lists(&self.read_only_properties) {
            return Some(format!("{property} is read-only: it is an output"));
        }
        if lists(&self.conditional_create_only_properties) {
            return None;
        }
        match (lists(&self.create_only_properties), field.change) {
            (true, Change::Update) => Some(format!("{property} is create-only: say #[replace] or #[refuse]")),
            (false, Change::Replace | Change::Refuse) => Some(format!("{property} can be updated in place")),
            _ => None,
        }
    }
}

fn schemas() -> BTreeMap<String, Schema> {
    let schemas: Schemas = serde_json::from_str(include_str!("cloudformation-schemas.json")).unwrap();
    schemas.types
}

/// Fails with all problems at once.
#[track_caller]
fn assert_none(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

/// Whether it is made of lowercase letters, digits and `_`, beginning with a letter.
fn is_snake(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

#[test]
fn names_are_unique_and_of_one_shape() {
    let mut seen = BTreeSet::new();
    let mut problems = Vec::new();
    for kind in KINDS {
        let name = kind.name();
        if !name.split_once('.').is_some_and(|(service, kind)| is_snake(service) && is_snake(kind)) {
            problems.push(format!("{name}: a name is service.type"));
        }
        if !seen.insert(name) {
            problems.push(format!("{name}: is in the table twice"));
        }
    }
    assert_none(&problems);
}

#[test]
fn everything_is_documented() {
    let mut problems = Vec::new();
    for kind in KINDS {
        let fields = kind.fields().iter().chain(kind.output_fields()).map(|field| (field.name, field.doc));
        for (name, doc) in std::iter::once(("(type)", kind.doc())).chain(fields) {
            if !doc.ends_with('.') {
                problems.push(format!("{} {name}: its documentation is no sentence: {doc:?}", kind.name()));
            }
        }
    }
    assert_none(&problems);
}

#[test]
fn actions_are_named_one_by_one() {
    let mut problems = Vec::new();
    for kind in KINDS {
        let mut seen = BTreeSet::new();
        if kind.actions().is_empty() {
            problems.push(format!("{}: has no actions", kind.name()));
        }
        for action in kind.actions() {
            let fits = action.split_once(':').is_some_and(|(service, name)| {
                let lower = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
                !service.is_empty()
                    && service.chars().all(lower)
                    && name.starts_with(|c: char| c.is_ascii_uppercase())
                    && name.chars().all(|c| c.is_ascii_alphanumeric())
            });
            if !fits {
                problems.push(format!("{} {action}: an action is service:Action", kind.name()));
            }
            if !seen.insert(action) {
                problems.push(format!("{} {action}: is listed twice", kind.name()));
            }
        }
    }
    assert_none(&problems);
}

#[test]
fn change_policies_are_those_of_the_registry() {
    let schemas = schemas();
    let mut problems = Vec::new();
    let mut excused = BTreeSet::new();
    for kind in KINDS {
        let Some(cloudformation) = kind.cloudformation() else { continue };
        let Some(schema) = schemas.get(cloudformation) else {
            problems.push(format!("{}: tests/cloudformation-schemas.json lacks {cloudformation}", kind.name()));
            continue;
        };
        for field in kind.fields() {
            let key = (kind.name(), field.name);
            let exception = EXCEPTIONS.iter().find(|(kind, field, _)| (*kind, *field) == key);
            match (schema.problem(field), exception) {
                (Some(_), Some(_)) => _ = excused.insert(key),
                (Some(problem), None) => problems.push(format!("{}.{}: {problem}", key.0, key.1)),
                (None, _) => {}
            }
        }
    }
    let stale = EXCEPTIONS.iter().filter(|(kind, field, _)| !excused.contains(&(*kind, *field)));
    problems.extend(stale.map(|(kind, field, _)| format!("{kind}.{field}: its exception excuses nothing")));
    assert_none(&problems);
}

#[test]
fn the_table_is_as_reviewed() {
    let text = KINDS.iter().map(|kind| describe(*kind)).collect::<Vec<_>>().join("\n");
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("kinds", text);
    });
}

/// One resource type in a few lines: its facts, its fields (`name: type, change, property`), its outputs.
fn describe(kind: &dyn Kind<Aws>) -> String {
    let order = match kind.order() {
        Order::CreateFirst => "replaced create first",
        Order::DeleteFirst => "replaced delete first",
    };
    let ownership = match kind.ownership() {
        Ownership::Tags => "owned by tags",
        Ownership::Parent => "owned by its parent",
        Ownership::Shared => "shared",
    };
    let recovery = match kind.recovery() {
        Recovery::Name => "recovered by name",
        Recovery::Token => "recovered by token",
        Recovery::Tag => "recovered by tag",
    };
    let tags = if kind.tagged() { "tagged" } else { "not tagged" };
    let mut text = format!("{} ({})\n", kind.name(), kind.cloudformation().unwrap_or("not in CloudFormation"));
    writeln!(text, "  {order}, {ownership}, {recovery}, {tags}").unwrap();
    for field in kind.fields() {
        let change = match field.change {
            Change::Update => "update",
            Change::Replace => "replace",
            Change::Refuse => "refuse",
        };
        writeln!(text, "  {}: {}, {change}, {}", field.name, field.type_name, field.aws.unwrap_or("-")).unwrap();
    }
    for field in kind.output_fields() {
        let volatile = if field.volatile { ", volatile" } else { "" };
        let named = if field.named { ", named" } else { "" };
        writeln!(text, "  -> {}: {}{volatile}{named}", field.name, field.type_name).unwrap();
    }
    text
}
