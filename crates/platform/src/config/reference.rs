//! The reference page of the settings, made from the schema.

use std::fmt::Write;

use serde_json::Value;

use super::schema::{Setting, doc, properties, root, settings};

const BEGIN: &str = "\
# Settings

Everything that `platform.toml` can say. What is not marked as required has a default and can be left out; a setting or
a table that is not on this page is refused, and so is a value outside its range.

This page and [platform.schema.json](platform.schema.json), for editors, are made from the code by `cargo xtask docs`.

**Several environments in one file.** `[environments.production]` and `[environments.development]` hold what is different there,
in the same words: `[environments.development.network]` has settings of `[network]`. Tables are merged; a value or a list takes
the place of the one for all. `environment` says which is in force, and `--environment` or `BEDPLATE_ENVIRONMENT` go before
it. Each environment is a stack of its own, `<project_name>-<environment>`, with a state of its own; since names follow from
`project_name`, give each its own `account_id` or its own `project_name`. Every table is checked, whichever is chosen. `bedplate
config` shows what is in force, and where each value stands.
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
