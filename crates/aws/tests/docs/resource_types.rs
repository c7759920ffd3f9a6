//! `docs/reference/resource-types.md`.

use crate::{assert_is, row};
use bedplate_aws::{Aws, KINDS};
use bedplate_model::{Change, Field, Kind, Order, Ownership, Recovery};
use std::fmt::Write;

const BEGIN: &str = "\
# Resource types

Every type of resource that bedplate knows, with its settings and outputs as a plan and the state show them. A platform is
made of them by the settings of `platform.toml` ([settings](../settings.md)); this page says what a change of one means.

What a change of a field means, as AWS has it (the CloudFormation registry's schemas; a test compares them):

| change | what a plan does |
|---|---|
| update | AWS changes it in place. |
| replace | AWS cannot change it: another resource takes its place. The plan says so before, and what is missing for how long. |
| refuse | AWS cannot change it, and another resource would begin empty: the plan is refused, and a person decides. |

Where it depends on the values (a version moves up and not down), the plan gives the reason beside the field.

This page is made from the code by `cargo xtask docs`.
";

#[test]
fn the_page_of_resource_types_is_that_of_the_table() {
    let mut page = BEGIN.to_owned();
    page.push_str("\n| type | what it is |\n|---|---|\n");
    for kind in KINDS {
        let anchor = kind.name().replace('.', "");
        page.push_str(&row([format!("[`{}`](#{anchor})", kind.name()), kind.doc().to_owned()]));
    }
    for kind in KINDS {
        section(&mut page, *kind);
    }
    assert_is("resource-types.md", &page);
}

fn section(page: &mut String, kind: &dyn Kind<Aws>) {
    write!(page, "\n## {}\n\n{}", kind.name(), kind.doc()).unwrap();
    match kind.cloudformation() {
        Some(name) => writeln!(page, " In CloudFormation: `{name}`.").unwrap(),
        None => page.push('\n'),
    }
    writeln!(page, "\n{}\n", facts(kind)).unwrap();
    page.push_str("| setting | type | change | property in CloudFormation | what it is |\n|---|---|---|---|---|\n");
    for field in kind.fields() {
        let change = match field.change {
            Change::Update => "update",
            Change::Replace => "replace",
            Change::Refuse => "refuse",
        };
        let property = field.aws.map_or_else(String::new, |name| format!("`{name}`"));
        let doc = one_line(field.doc);
        page.push_str(&row([format!("`{}`", field.name), type_of(field), change.to_owned(), property, doc]));
    }
    if !kind.output_fields().is_empty() {
        page.push_str("\n| output | type | what it is |\n|---|---|---|\n");
        for field in kind.output_fields() {
            page.push_str(&row([format!("`{}`", field.name), type_of(field), one_line(field.doc)]));
        }
    }
}

/// What the engine knows of it, in words.
fn facts(kind: &dyn Kind<Aws>) -> String {
    let seconds = kind.pace().expected.as_secs();
    let made = match seconds {
        0..=5 => "Made at once".to_owned(),
        6..=89 => format!("Made in about {seconds} seconds"),
        _ => format!("Made in about {} minutes", (seconds + 30) / 60),
    };
    let order = match kind.order() {
        Order::CreateFirst => "a replacement is made before the old one goes",
        Order::DeleteFirst => "the old one goes before a replacement is made",
    };
    let ours = match kind.ownership() {
        Ownership::Tags => "ours by its ownership tags",
        Ownership::Parent => "ours because what it lies in is",
        Ownership::Shared => "the account's: used, and never removed",
    };
    let found = match kind.recovery() {
        Recovery::Name => "by its name",
        Recovery::Token => "by repeating the call with its token",
        Recovery::Tag => "by its ownership tag",
    };
    let lies = kind.contained_in().map_or_else(String::new, |inside| format!(" Lies in: `{inside}`."));
    format!("{made}; {order}; {ours}; found again after a cut-off {found}.{lies}")
}

fn type_of(field: &Field) -> String {
    let name = field.type_name;
    let optional = name.strip_prefix("Option<").and_then(|rest| rest.strip_suffix('>'));
    match optional {
        Some(inner) => format!("{}, or none", words(inner)),
        None => words(name),
    }
}

/// A Rust type as a reader of JSON would say it. What is neither is the type's own name.
fn words(name: &str) -> String {
    let inside = |outer: &str| name.strip_prefix(outer).and_then(|rest| rest.strip_prefix('<')?.strip_suffix('>'));
    for list in ["Vec", "BTreeSet"] {
        if let Some(inner) = inside(list) {
            return format!("list of {}", words(inner));
        }
    }
    if let Some((_, inner)) = inside("BTreeMap").and_then(|pair| pair.split_once(',')) {
        return format!("table of {}", words(inner));
    }
    match name {
        "String" => "text".to_owned(),
        "bool" => "true or false".to_owned(),
        "u8" | "u16" | "u32" | "u64" | "i32" | "i64" => "whole number".to_owned(),
        "f64" => "number".to_owned(),
        "Tags" => "table of text".to_owned(),
        "Json" => "document".to_owned(),
        other => format!("`{other}`"),
    }
}

fn one_line(doc: &str) -> String {
    doc.split_whitespace().collect::<Vec<_>>().join(" ")
}
