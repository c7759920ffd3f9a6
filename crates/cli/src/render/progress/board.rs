//! The live picture of a run: layers, what AWS is working on, what waits for it, and how long it may still take. Pure: it
//! is told the time and the size, and gives lines.

use crate::render::{about, plan::action_word};
use bedplate_engine::{Event, described};
use bedplate_model::Address;
use bedplate_plan::{Action, Plan, Schemas, schedule};
use bedplate_platform::LAYERS;
use owo_colors::OwoColorize;
use petgraph::graph::NodeIndex;
use std::time::Duration;

/// How many of those that wait are named.
const NAMED: usize = 2;
const BAR: usize = 20;

/// What is known of a run while it goes on.
#[derive(Debug)]
pub(super) struct Board {
    effects: Vec<Effect>,
    /// The layers that have something to do, in the order of the platform.
    layers: Vec<String>,
    /// When the last event came, so that events need no clock of their own.
    now: Duration,
}

#[derive(Debug)]
struct Effect {
    address: Address,
    action: Action,
    /// How long it usually takes.
    expected: Duration,
    /// How long it usually takes until everything that waits for it is done.
    remaining: Duration,
    next: Vec<usize>,
    progress: Stage,
}

#[derive(Debug, PartialEq)]
enum Stage {
    Waiting,
    /// Since when, and AWS's word for what it does.
    Running(Duration, Option<String>),
    Done,
    Failed,
    Skipped,
}

impl Board {
    /// For a plan of which nothing is done yet.
    pub(super) fn new(plan: &Plan, schemas: &dyn Schemas) -> Self {
        let schedule = schedule(plan, schemas);
        let effect = |node: NodeIndex| {
            let (change, action) = described(plan, schedule.graph[node]);
            Effect {
                address: change.address.clone(),
                action,
                expected: schemas.schema(&change.kind).map_or(Duration::ZERO, |schema| schema.pace().expected),
                remaining: schedule.remaining[node.index()],
                next: schedule.graph.neighbors(node).map(NodeIndex::index).collect(),
                progress: Stage::Waiting,
            }
        };
        let effects: Vec<Effect> = schedule.graph.node_indices().map(effect).collect();
        let mut layers: Vec<String> = effects.iter().map(|effect| effect.address.layer().to_owned()).collect();
        layers.sort_by_key(|layer| {
            (LAYERS.iter().position(|known| known == layer).unwrap_or(LAYERS.len()), layer.clone())
        });
        layers.dedup();
        Self { effects, layers, now: Duration::ZERO }
    }

    /// How much is done: `[17/110]`.
    pub(super) fn counts(&self) -> String {
        format!("[{}/{}]", self.done(), self.effects.len())
    }

    fn done(&self) -> usize {
        self.count(|effect| effect.progress == Stage::Done)
    }

    fn count(&self, which: impl Fn(&Effect) -> bool) -> usize {
        self.effects.iter().filter(|effect| which(effect)).count()
    }

    /// Takes an event that happened `now` after the start.
    pub(super) fn event(&mut self, now: Duration, event: &Event<'_>) {
        self.now = now;
        match event {
            Event::Started { address, action } => {
                self.set(|it| it.is(address, *action) && it.progress == Stage::Waiting, Stage::Running(now, None));
            }
            Event::Finished { address, action, .. } => {
                self.set(|it| it.is(address, *action) && it.running().is_some(), Stage::Done);
            }
            Event::Failed { address, .. } => {
                self.set(|it| it.address == **address && it.running().is_some(), Stage::Failed)
            }
            Event::Skipped { address, .. } => {
                self.set(
                    |it| {
                        it.address == **address && !matches!(it.progress, Stage::Done | Stage::Failed | Stage::Skipped)
                    },
                    Stage::Skipped,
                );
            }
            Event::Waiting { address, state, .. } => {
                self.mention(address, state);
            }
            Event::Retrying { address, error } => self.mention(address, &format!("trying again: {}", error.code)),
            Event::Held { .. } | Event::Swept { .. } => {}
        }
    }

    /// Shows this of what runs.
    fn mention(&mut self, address: &Address, what: &str) {
        for effect in self.effects.iter_mut().filter(|it| it.address == *address) {
            if let Stage::Running(_, word) = &mut effect.progress {
                *word = Some(what.to_owned());
            }
        }
    }

    fn set(&mut self, which: impl Fn(&Effect) -> bool, stage: Stage) {
        if let Some(effect) = self.effects.iter_mut().find(|effect| which(effect)) {
            effect.progress = stage;
        }
    }

    /// How long it may still take, `now` after the start: the longest way from what runs to the end.
    pub(super) fn left(&self, now: Duration) -> Duration {
        let left = |effect: &Effect| match effect.progress {
            Stage::Waiting => effect.remaining,
            Stage::Running(since, _) => effect.remaining.saturating_sub(now.saturating_sub(since).min(effect.expected)),
            _ => Duration::ZERO,
        };
        self.effects.iter().map(left).max().unwrap_or_default()
    }

    /// The picture `now` after the start, at most `width` wide and `height` high.
    pub(super) fn draw(&self, now: Duration, width: usize, height: usize) -> Vec<String> {
        let room = height.saturating_sub(2);
        let wanted: Vec<(usize, Vec<usize>)> =
            (0..self.layers.len()).map(|layer| (layer, self.running(layer))).collect();
        // Where there is no room, first goes what is complete or has not begun, then the shortest waits.
        let lines: usize = wanted.iter().map(|(_, running)| 1 + running.len()).sum();
        let quiet = lines > room;
        let shown: Vec<_> = wanted.into_iter().filter(|(_, running)| !quiet || !running.is_empty()).collect();
        let per_layer = room.checked_div(shown.len()).unwrap_or_default().saturating_sub(1).max(1);
        let column = self.layers.iter().map(|layer| layer.chars().count()).max().unwrap_or_default();
        let mut lines = Vec::new();
        for (layer, running) in &shown {
            lines.push(self.layer(*layer, column));
            let most = if quiet { per_layer } else { running.len() };
            lines.extend(running.iter().take(most).map(|&effect| self.line(&self.effects[effect], now, width)));
        }
        lines.truncate(room);
        lines.push(self.summary(now));
        lines
    }

    /// What runs in a layer, the longest way first.
    fn running(&self, layer: usize) -> Vec<usize> {
        let of_layer = |&index: &usize| {
            let effect = &self.effects[index];
            effect.address.layer() == self.layers[layer] && effect.running().is_some()
        };
        let mut running: Vec<usize> = (0..self.effects.len()).filter(of_layer).collect();
        running.sort_by_key(|&index| std::cmp::Reverse(self.effects[index].remaining));
        running
    }

    fn layer(&self, layer: usize, column: usize) -> String {
        let layer = &self.layers[layer];
        let all = self.count(|effect| effect.address.layer() == layer);
        let done = self.count(|effect| effect.address.layer() == layer && effect.progress == Stage::Done);
        let failed = self.count(|effect| effect.address.layer() == layer && effect.progress == Stage::Failed);
        let filled = BAR * done / all.max(1);
        let bar = format!("{}{}", "━".repeat(filled).green(), "─".repeat(BAR - filled).dimmed());
        let pad = " ".repeat(column - layer.chars().count());
        let failed = if failed > 0 { format!("  {}", format!("{failed} failed").red()) } else { String::new() };
        format!("{}{pad}  {bar}  {done} of {all}{failed}", layer.bold())
    }

    fn line(&self, effect: &Effect, now: Duration, width: usize) -> String {
        let Some((since, word)) = effect.running() else { return String::new() };
        let name = effect.address.as_str().split_once('/').map_or(effect.address.as_str(), |(_, rest)| rest);
        let word = word.map_or_else(|| verb(effect.action).to_owned(), str::to_lowercase);
        let elapsed = now.saturating_sub(since);
        let usual = if elapsed.as_secs() <= effect.expected.as_secs() { "of about" } else { "instead of" };
        let mut text = format!("  {name}: {word}, {} {usual} {}", about(elapsed), about(effect.expected));
        let waiting: Vec<&Effect> =
            effect.next.iter().map(|&next| &self.effects[next]).filter(|it| it.progress == Stage::Waiting).collect();
        if !waiting.is_empty() {
            let names: Vec<&str> = waiting.iter().take(NAMED).map(|it| it.address.as_str()).collect();
            let more = waiting.len().saturating_sub(NAMED);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            text.push_str(&format!("; then {}{more}", names.join(", ")));
        }
        if text.chars().count() > width {
            text = text.chars().take(width.saturating_sub(1)).chain(['…']).collect();
        }
        text.cyan().to_string()
    }

    fn summary(&self, now: Duration) -> String {
        let running = self.count(|effect| effect.running().is_some());
        let left = self.left(now);
        let left = if left.is_zero() { String::new() } else { format!(" · about {} left", about(left)) };
        format!("{} of {} done · {running} running · {}{left}", self.done().bold(), self.effects.len(), about(now),)
    }
}

impl Effect {
    fn is(&self, address: &Address, action: Action) -> bool {
        self.address == *address && self.action == action
    }

    fn running(&self) -> Option<(Duration, Option<&str>)> {
        match &self.progress {
            Stage::Running(since, word) => Some((*since, word.as_deref())),
            _ => None,
        }
    }
}

fn verb(action: Action) -> &'static str {
    match action {
        Action::Create => "creating",
        Action::Update | Action::Replace => "updating",
        Action::Delete => "deleting",
        Action::Adopt | Action::Forget => action_word(action),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::plan::samples;
    use bedplate_aws::KINDS;
    use bedplate_engine::Kinds;

    const MINUTE: Duration = Duration::from_secs(60);

    fn plain(board: &Board, now: Duration, width: usize, height: usize) -> String {
        anstream::adapter::strip_str(&board.draw(now, width, height).join("\n")).to_string()
    }

    fn started() -> Board {
        let plan = samples::plan();
        let mut board = Board::new(&plan, &Kinds::new(KINDS));
        for change in &plan.changes {
            let action = if change.action == Action::Replace { Action::Delete } else { change.action };
            if change.address.as_str() != "cluster/node-group" {
                board.event(Duration::ZERO, &Event::Started { address: &change.address, action });
            }
        }
        let (vpc, cluster) = (Address::new("network/vpc").unwrap(), Address::new("cluster/cluster").unwrap());
        let elapsed = Duration::from_secs(1);
        board.event(MINUTE, &Event::Finished { address: &vpc, action: Action::Update, elapsed });
        board.event(
            4 * MINUTE,
            &Event::Waiting { address: &cluster, state: "CREATING", elapsed: 4 * MINUTE, expected: 9 * MINUTE },
        );
        board
    }

    #[test]
    fn a_run_at_two_sizes() {
        let board = started();
        let wide = plain(&board, 4 * MINUTE, 120, 40);
        let small = plain(&board, 4 * MINUTE, 60, 8);
        assert!(small.lines().count() <= 8 && small.lines().all(|line| line.chars().count() <= 60), "{small}");
        insta::assert_snapshot!(format!("{wide}\n\n{small}"));
    }

    #[test]
    fn what_is_left_shrinks_while_the_longest_way_runs_and_never_grows() {
        let board = started();
        let mut before = board.left(Duration::ZERO);
        assert!(before >= 9 * MINUTE, "{before:?}");
        for minute in 1..30 {
            let left = board.left(minute * MINUTE);
            assert!(left <= before, "{left:?} after {before:?}");
            before = left;
        }
    }
}
