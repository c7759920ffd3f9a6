//! The reference page of the settings, made from the schema.

use std::fmt::Write;

use serde_json::Value;

use super::schema::{Setting, doc, properties, root, settings};

const BEGIN: &str = "\
# Settings

Everything that `platform.toml` can say. What is not marked as required has a default and can be left out; a setting or
a table that is not on this page is refused, and so is a value outside its range.

This page and [platform.schema.json](platform.schema.json), for editors, are made from the code by `cargo xtask docs`.
";

/// The page, in Markdown.
pub fn reference_page() -> String {
    let mut page = BEGIN.to_owned();
    let mut table: Option<String> = None;
    for setting in settings() {
        if table.as_ref() != Some(&setting.table) {
            heading(&mut page, &setting.table);
            table = Some(setting.table.clone());
        }
        row(&mut page, &setting);
    }
    page
}

fn heading(page: &mut String, table: &str) {
    let title = if table.is_empty() { "The top of the file".to_owned() } else { format!("`[{table}]`") };
    let description = if table.is_empty() { String::new() } else { format!("{}\n\n", doc(schema_of(table))) };
    write!(page, "\n## {title}\n\n{description}").expect("a text takes all");
    page.push_str("| setting | type | default | range | what it is |\n|---|---|---|---|---|\n");
}

fn row(page: &mut String, setting: &Setting) {
    let default = match (&setting.default, setting.required) {
        (_, true) => "required".to_owned(),
        (Some(default), false) => format!("`{default}`"),
        (None, false) => "see there".to_owned(),
    };
    let cells = [
        format!("`{}`", setting.key),
        setting.kind.clone(),
        default,
        setting.range.clone().unwrap_or_default(),
        setting.doc.clone(),
    ];
    writeln!(page, "| {} |", cells.map(|cell| cell.replace('|', "\\|")).join(" | ")).expect("a text takes all");
}

fn schema_of(table: &str) -> &'static Value {
    let inner = |schema: &'static Value, key: &str| properties(schema).and_then(|known| known.get(key));
    table.split('.').try_fold(root(), inner).unwrap_or(&Value::Null)
}
