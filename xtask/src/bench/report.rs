//! Figures as a table, as JSON, and beside those of an earlier run.

use std::fmt::Write;

use anyhow::{Context, Result};
use serde_json::{Value as Json, json};

/// One figure.
pub(crate) struct Row {
    /// What it is.
    pub(crate) figure: String,
    /// What was measured.
    pub(crate) value: f64,
    /// Its unit, behind the number.
    pub(crate) unit: &'static str,
    /// The most it may be, if that is agreed.
    pub(crate) at_most: Option<f64>,
    /// The command that measures it alone.
    pub(crate) command: String,
}

impl Row {
    fn is_kept(&self) -> Option<bool> {
        self.at_most.map(|most| self.value <= most)
    }
}

/// One row for each figure of these runs, with the median of what was measured.
pub(crate) fn medians(runs: Vec<Vec<Row>>) -> Vec<Row> {
    let mut rows: Vec<(Row, Vec<f64>)> = Vec::new();
    for row in runs.into_iter().flatten() {
        match rows.iter_mut().find(|(known, _)| known.figure == row.figure) {
            Some((_, values)) => values.push(row.value),
            None => {
                let value = row.value;
                rows.push((row, vec![value]));
            }
        }
    }
    let middle = |(row, values): (Row, _)| Row { value: median(values).unwrap_or(row.value), ..row };
    rows.into_iter().map(middle).collect()
}

/// The one in the middle, of any.
pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// A number with as many digits as say something.
fn number(value: f64) -> String {
    match value {
        value if value.fract() == 0.0 || value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

/// For `docs/performance.md`.
pub(crate) fn table(rows: &[Row], profile: &str) -> String {
    let mut text = format!("| figure ({profile} build) | measured | to reach | measured by |\n|---|--:|--:|---|\n");
    for row in rows {
        let most = row.at_most.map(|most| format!("≤ {}{}", number(most), row.unit)).unwrap_or_default();
        let mark = if row.is_kept() == Some(false) { " **missed**" } else { "" };
        writeln!(text, "| {} | {}{}{mark} | {most} | `{}` |", row.figure, number(row.value), row.unit, row.command)
            .expect("a String takes everything");
    }
    text
}

/// For a later run.
pub(crate) fn json(rows: &[Row], profile: &str) -> Json {
    let rows = rows.iter().map(|row| {
        json!({"figure": row.figure, "value": row.value, "unit": row.unit, "at_most": row.at_most, "command": row.command})
    });
    json!({"profile": profile, "rows": rows.collect::<Vec<_>>()})
}

/// What changed since an earlier run.
pub(crate) fn compare(rows: &[Row], before: &Json) -> Result<String> {
    let before = before["rows"].as_array().context("the file to compare with has no rows")?;
    let mut text = "| figure | before | now | change |\n|---|--:|--:|--:|\n".to_owned();
    for row in rows {
        let old = before.iter().find(|old| old["figure"] == row.figure.as_str()).and_then(|old| old["value"].as_f64());
        let Some(old) = old else { continue };
        let change = if old == 0.0 { String::new() } else { format!("{:+.0} %", (row.value / old - 1.0) * 100.0) };
        writeln!(
            text,
            "| {} | {}{} | {}{} | {change} |",
            row.figure,
            number(old),
            row.unit,
            number(row.value),
            row.unit
        )
        .expect("a String takes everything");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(value: f64) -> Row {
        Row { figure: "calls".to_owned(), value, unit: " s", at_most: Some(2.0), command: "cargo".to_owned() }
    }

    #[test]
    fn a_missed_figure_is_marked() {
        assert!(table(&[row(2.5)], "debug").contains("| 2.50 s **missed** | ≤ 2 s |"));
        assert!(table(&[row(1.5)], "debug").contains("| 1.50 s | ≤ 2 s |"));
    }

    #[test]
    fn of_several_runs_the_median_counts() {
        let other = |value| Row { figure: "seconds".to_owned(), ..row(value) };
        let found = medians(vec![vec![row(3.0), other(1.0)], vec![row(1.0)], vec![row(2.0)]]);
        let found: Vec<_> = found.iter().map(|row| (row.figure.as_str(), row.value)).collect();
        assert_eq!(found, [("calls", 2.0), ("seconds", 1.0)]);
    }

    #[test]
    fn a_later_run_is_compared_figure_by_figure() -> Result<()> {
        let before = json(&[row(2.0)], "debug");
        assert!(compare(&[row(1.5)], &before)?.contains("| calls | 2 s | 1.50 s | -25 % |"));
        assert!(compare(&[row(1.5)], &Json::Null).is_err());
        Ok(())
    }
}
