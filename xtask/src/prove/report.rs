//! The figures.

use std::{collections::BTreeMap, fmt::Write};

use serde_json::{Value as Json, json};

use super::{judge::Verdict, point::Point, scenario::SCENARIOS};

/// What was found, by scenario and kind of point.
pub(super) struct Report {
    /// What to say to `cargo xtask prove` to try the same again, apart from the point.
    options: String,
    rows: BTreeMap<(usize, &'static str, String), Row>,
    failures: Vec<Failure>,
}

#[derive(Clone, Copy, Default)]
struct Row {
    points: usize,
    /// Further ones that were not tried, because a kill there leaves what one of those that were tried leaves.
    same: usize,
    converged: usize,
    orphans: usize,
    duplicates: usize,
    prompts: usize,
}

struct Failure {
    name: String,
    problems: Vec<String>,
}

impl Report {
    /// Nothing yet, of a proof with these options.
    pub(super) fn new(options: String) -> Self {
        Self { options, rows: BTreeMap::new(), failures: Vec::new() }
    }

    /// Counts one point.
    pub(super) fn add(&mut self, scenario: &'static str, point: &Point, verdict: Verdict) {
        let row = self.row(scenario, point.kind());
        row.points += 1;
        row.converged += usize::from(verdict.converged());
        row.orphans += verdict.orphans;
        row.duplicates += verdict.duplicates;
        row.prompts += usize::from(verdict.prompted);
        if !verdict.converged() {
            self.failures.push(Failure { name: format!("{scenario}:{point}"), problems: verdict.problems });
        }
    }

    /// Counts points that leave what others leave.
    pub(super) fn same(&mut self, scenario: &'static str, when: &str, points: usize) {
        self.row(scenario, when.to_owned()).same += points;
    }

    fn row(&mut self, scenario: &'static str, kind: String) -> &mut Row {
        let order = SCENARIOS.iter().position(|known| known.name == scenario).unwrap_or_default();
        self.rows.entry((order, scenario, kind)).or_default()
    }

    /// Counts what could not be tried.
    pub(super) fn broken(&mut self, scenario: &str, error: &anyhow::Error) {
        self.failures.push(Failure { name: scenario.to_owned(), problems: vec![format!("{error:#}")] });
    }

    pub(super) fn failed(&self) -> usize {
        self.failures.len()
    }

    pub(super) fn converged(&self) -> usize {
        self.total().converged
    }

    fn total(&self) -> Row {
        self.rows.values().fold(Row::default(), |sum, row| Row {
            points: sum.points + row.points,
            same: sum.same + row.same,
            converged: sum.converged + row.converged,
            orphans: sum.orphans + row.orphans,
            duplicates: sum.duplicates + row.duplicates,
            prompts: sum.prompts + row.prompts,
        })
    }

    fn replay(&self, name: &str) -> String {
        format!("cargo xtask prove --only '{name}'{}", self.options)
    }

    /// The table, and how to try each failure again.
    pub(super) fn text(&self, seed: u64, lost: u32, seconds: u64) -> String {
        let mut text = "| run | cut off | tried | the same as another | converged | orphans | duplicates | prompts |\n\
             |---|---|--:|--:|--:|--:|--:|--:|\n"
            .to_owned();
        let mut line = |scenario: &str, kind: &str, row: &Row| {
            let Row { points, same, converged, orphans, duplicates, prompts } = row;
            let _ = writeln!(
                text,
                "| {scenario} | {kind} | {points} | {same} | {converged} | {orphans} | {duplicates} | {prompts} |"
            );
        };
        for ((_, scenario, kind), row) in &self.rows {
            line(scenario, kind, row);
        }
        line("**all**", "", &self.total());
        let _ = writeln!(text, "\nSeed {seed}, state file lost at {lost} % of the committed calls, {seconds} s.");
        for Failure { name, problems } in &self.failures {
            let _ = write!(text, "\n{name}: {}\n    {}\n", brief(problems), self.replay(name));
        }
        text
    }

    /// The same for programs.
    pub(super) fn json(&self, seed: u64, lost: u32, seconds: u64) -> Json {
        let figures = |row: &Row| {
            json!({
                "points": row.points, "same": row.same, "converged": row.converged, "orphans": row.orphans,
                "duplicates": row.duplicates, "prompts": row.prompts,
            })
        };
        let rows = self.rows.iter().map(|((_, scenario, kind), row)| {
            let mut row = figures(row);
            row["run"] = json!(scenario);
            row["cut_off"] = json!(kind);
            row
        });
        let failures = self.failures.iter().map(
            |Failure { name, problems }| json!({"point": name, "problems": problems, "replay": self.replay(name)}),
        );
        json!({
            "format": 1, "seed": seed, "lost_percent": lost, "seconds": seconds, "all": figures(&self.total()),
            "rows": rows.collect::<Vec<_>>(), "failures": failures.collect::<Vec<_>>(),
        })
    }
}

/// The first few. All of them are in the folder of the failure.
pub(super) fn brief(problems: &[String]) -> String {
    const SHOWN: usize = 4;
    let more = problems.len().saturating_sub(SHOWN);
    let shown = problems.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("; ");
    if more > 0 { format!("{shown}; and {more} more") } else { shown }
}
