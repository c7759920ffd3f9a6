//! Where in the file a setting stands.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

use super::{Environment, environments};

/// The line, from 1, of every setting in the file, by its dotted path: `cluster.node_group.max`.
pub(super) fn lines(text: &str, environment: Option<Environment>) -> BTreeMap<String, usize> {
    let (mut table, _) = DeTable::parse_recoverable(text);
    environments::overlay(table.get_mut(), environment);
    let mut lines = BTreeMap::new();
    collect(text, table.get_ref(), "", &mut lines);
    lines
}

fn collect(text: &str, table: &DeTable<'_>, path: &str, lines: &mut BTreeMap<String, usize>) {
    for (key, value) in table {
        let path = if path.is_empty() { key.get_ref().to_string() } else { format!("{path}.{}", key.get_ref()) };
        match value.get_ref() {
            DeValue::Table(inner) => collect(text, inner, &path, lines),
            // What was chosen elsewhere stands nowhere.
            _ if key.span().is_empty() => {}
            _ => {
                let before = text.get(..key.span().start).unwrap_or_default();
                lines.insert(path, before.matches('\n').count() + 1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_has_its_line() {
        let text = "region = \"eu-west-1\"\n\n[cluster]\nversion = \"1.33\"\nnode_group = { min = 1,\n max = 3 }\n";
        let expected =
            [("cluster.node_group.max", 6), ("cluster.node_group.min", 5), ("cluster.version", 4), ("region", 1)];
        assert_eq!(lines(text, None), expected.map(|(path, line)| (path.to_owned(), line)).into());
    }
}
