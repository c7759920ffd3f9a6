//! The live picture of a run: layers, what AWS is working on, what waits for it, and how long it may still take. Pure: it
//! is told the time and the size, and gives lines.

use crate::render::about;
use bedplate_engine::{Event, described};
use bedplate_model::Address;
use bedplate_plan::{Action, Edge, Plan, Schemas, expected, schedule};
use bedplate_platform::LAYERS;
use owo_colors::OwoColorize;
use petgraph::{
    algo::toposort,
    graph::{EdgeReference, NodeIndex},
    visit::EdgeRef,
};
use std::time::Duration;

/// How many of those that wait are named.
const NAMED: usize = 2;
const BAR: usize = 20;
/// Beside a wider address `created in 12 s [63/120]` would not fit in 80 columns.
const WIDEST: usize = 48;

/// What is known of a run while it goes on.
#[derive(Debug)]
pub(super) struct Board {
    effects: Vec<Effect>,
    /// The effects' positions, each before those that wait for it.
    order: Vec<usize>,
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
    /// What waits until it is done.
    next: Vec<usize>,
    /// What waits until it exists.
    beside: Vec<usize>,
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
            let (beside, next): (Vec<_>, Vec<_>) =
                schedule.graph.edges(node).partition(|edge| *edge.weight() == Edge::Existence);
            let positions =
                |edges: Vec<EdgeReference<'_, Edge>>| edges.iter().map(|edge| edge.target().index()).collect();
            Effect {
                address: change.address.clone(),
                action,
                expected: expected(change, schemas),
                remaining: schedule.remaining[node.index()],
                next: positions(next),
                beside: positions(beside),
                progress: Stage::Waiting,
            }
        };
        let effects: Vec<Effect> = schedule.graph.node_indices().map(effect).collect();
        // A schedule has no cycles.
        let order = toposort(&schedule.graph, None).unwrap_or_default().into_iter().map(NodeIndex::index).collect();
        let mut layers: Vec<String> = effects.iter().map(|effect| effect.address.layer().to_owned()).collect();
        layers.sort_by_key(|layer| {
            (LAYERS.iter().position(|known| known == layer).unwrap_or(LAYERS.len()), layer.clone())
        });
        layers.dedup();
        Self { effects, order, layers, now: Duration::ZERO }
    }

    /// How much is done: `[17/110]`.
    pub(super) fn counts(&self) -> String {
        format!("[{}/{}]", self.done(), self.effects.len())
    }

    /// How wide the addresses are, apart from very long ones.
    pub(super) fn column(&self) -> usize {
        let widths = self.effects.iter().map(|effect| effect.address.as_str().chars().count());
        widths.filter(|width| *width <= WIDEST).max().unwrap_or_default()
    }

    /// How long that usually takes.
    pub(super) fn expected(&self, address: &Address, action: Action) -> Duration {
        self.effects.iter().find(|effect| effect.is(address, action)).map_or(Duration::ZERO, |effect| effect.expected)
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
                self.mention(address, &state.to_lowercase());
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

    /// How long it may still take, `now` after the start: the longest way to the end over what runs and what waits. `None` when
    /// there is nothing left to do. What takes longer than usual may end at any moment.
    pub(super) fn left(&self, now: Duration) -> Option<Duration> {
        let mut left = vec![None; self.effects.len()];
        for &index in self.order.iter().rev() {
            let effect = &self.effects[index];
            let own = match effect.progress {
                Stage::Waiting => effect.expected,
                Stage::Running(since, _) => effect.expected.saturating_sub(now.saturating_sub(since)),
                Stage::Done | Stage::Failed | Stage::Skipped => continue,
            };
            let latest =
                |of: &[usize]| -> Duration { of.iter().filter_map(|&next| left[next]).max().unwrap_or_default() };
            left[index] = Some((own + latest(&effect.next)).max(latest(&effect.beside)));
        }
        left.into_iter().flatten().max()
    }

    /// The picture `now` after the start, at most `width` wide and `height` high.
    pub(super) fn draw(&self, now: Duration, width: usize, height: usize) -> Vec<String> {
        let room = height.saturating_sub(2);
        let wanted: Vec<(usize, Vec<usize>)> =
            (0..self.layers.len()).map(|layer| (layer, self.running(layer))).collect();
        // Where there is no room, first goes what is complete or has not begun, then the shortest waits.
        let lines: usize = wanted.iter().map(|(_, running)| 1 + running.len()).sum();
        let quiet = lines > room;
        let mut shown: Vec<_> = wanted.into_iter().filter(|(_, running)| !quiet || !running.is_empty()).collect();
        if quiet {
            // A layer and what takes longest in it are two lines.
            shown.sort_by_key(|(_, running)| std::cmp::Reverse(self.effects[running[0]].remaining));
            shown.truncate((room / 2).max(1));
            shown.sort_by_key(|(layer, _)| *layer);
        }
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
        let skipped = self.count(|effect| effect.address.layer() == layer && effect.progress == Stage::Skipped);
        let failed = if failed > 0 { format!("  {}", format!("{failed} failed").red()) } else { String::new() };
        let skipped =
            if skipped > 0 { format!("  {}", format!("{skipped} not tried").yellow()) } else { String::new() };
        format!("{}{pad}  {bar}  {done} of {all}{failed}{skipped}", layer.bold())
    }

    fn line(&self, effect: &Effect, now: Duration, width: usize) -> String {
        let Some((since, word)) = effect.running() else { return String::new() };
        let name = effect.address.as_str().split_once('/').map_or(effect.address.as_str(), |(_, rest)| rest);
        let word = word.unwrap_or(verb(effect.action));
        let elapsed = now.saturating_sub(since);
        let usual = if elapsed.as_secs() <= effect.expected.as_secs() { "of about" } else { "instead of" };
        let mut text = format!("  {name}: {word}, {} {usual} {}", about(elapsed), about(effect.expected));
        let mut waiting: Vec<&Effect> =
            effect.next.iter().map(|&next| &self.effects[next]).filter(|it| it.progress == Stage::Waiting).collect();
        // What the end waits for longest is what people want to know of.
        waiting.sort_by_key(|it| std::cmp::Reverse(it.remaining));
        if !waiting.is_empty() {
            let named = |it: &&Effect| match it.address.as_str().split_once('/') {
                _ if it.address == effect.address => "the new one".to_owned(),
                Some((layer, rest)) if layer == effect.address.layer() => rest.to_owned(),
                _ => it.address.to_string(),
            };
            let names: Vec<String> = waiting.iter().take(NAMED).map(named).collect();
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
        let left = match self.left(now) {
            None => String::new(),
            Some(Duration::ZERO) => " · should be done by now".to_owned(),
            Some(left) => format!(" · about {} left", about(left.max(Duration::from_secs(1)))),
        };
        let failed = match self.count(|effect| effect.progress == Stage::Failed) {
            0 => String::new(),
            failed => format!(" · {}", format!("{failed} failed").red()),
        };
        let (done, all) = (self.done(), self.effects.len());
        format!("{} of {all} done{failed} · {running} running · {}{left}", done.bold(), about(now))
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
        Action::Adopt => "adopting",
        Action::Forget => "forgetting",
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::Run;
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
    fn a_run_with_a_failure_a_retry_and_waits_at_80_columns() {
        insta::assert_snapshot!(plain(&Run::new(true, false).until_the_middle().board, 4 * MINUTE, 80, 40));
    }

    #[test]
    fn a_run_with_a_failure_a_retry_and_waits_at_160_columns() {
        insta::assert_snapshot!(plain(&Run::new(true, false).until_the_middle().board, 4 * MINUTE, 160, 40));
    }

    #[test]
    fn what_is_left_shrinks_while_the_longest_way_runs_and_never_grows() {
        let board = started();
        let mut before = board.left(Duration::ZERO).unwrap();
        assert!(before >= 9 * MINUTE, "{before:?}");
        for minute in 1..30 {
            let left = board.left(minute * MINUTE).unwrap();
            assert!(left <= before, "{left:?} after {before:?}");
            before = left;
        }
    }

    /// A VPC; then a cluster and its nodes beside a database and its reader; and a bucket.
    fn platform() -> Board {
        let effect = |address: &str, minutes: u32, next: &[usize]| Effect {
            address: Address::new(address).unwrap(),
            action: Action::Create,
            expected: minutes * MINUTE,
            remaining: Duration::ZERO,
            next: next.to_vec(),
            beside: Vec::new(),
            progress: Stage::Waiting,
        };
        let effects = vec![
            effect("network/vpc", 1, &[1, 3]),
            effect("cluster/cluster", 9, &[2]),
            effect("cluster/nodes", 3, &[]),
            effect("database/cluster", 7, &[4]),
            effect("database/reader", 4, &[]),
            effect("storage/bucket", 1, &[]),
        ];
        Board { order: (0..effects.len()).collect(), effects, layers: Vec::new(), now: Duration::ZERO }
    }

    fn begin(board: &mut Board, minute: u32, address: &str) {
        let address = Address::new(address).unwrap();
        board.event(minute * MINUTE, &Event::Started { address: &address, action: Action::Create });
    }

    fn end(board: &mut Board, minute: u32, address: &str) {
        let (address, elapsed) = (Address::new(address).unwrap(), Duration::ZERO);
        board.event(minute * MINUTE, &Event::Finished { address: &address, action: Action::Create, elapsed });
    }

    fn skip(board: &mut Board, minute: u32, address: &str) {
        board.event(minute * MINUTE, &Event::Skipped { address: &Address::new(address).unwrap(), because: None });
    }

    /// What the last line says of the time that is left.
    fn shown(board: &Board, minute: u32) -> String {
        let picture = plain(board, minute * MINUTE, 80, 24);
        let line = picture.lines().last().unwrap_or_default().to_owned();
        line.rsplit(" · ").next().unwrap_or_default().to_owned()
    }

    #[test]
    fn what_only_has_to_exist_adds_no_time() {
        let mut board = platform();
        let cluster = board.effects.iter().position(|effect| effect.address.as_str() == "cluster/cluster").unwrap();
        board.effects[cluster].beside = std::mem::take(&mut board.effects[cluster].next);
        // The cluster no longer is on the longest way.
        assert_eq!(shown(&board, 0), "about 12 min left");
    }

    #[test]
    fn what_is_left_is_the_longest_way_and_shrinks_as_effects_finish() {
        let mut board = platform();
        // 1 + 9 + 3; all of them together take 25.
        assert_eq!(shown(&board, 0), "about 13 min left");
        begin(&mut board, 0, "network/vpc");
        begin(&mut board, 0, "storage/bucket");
        end(&mut board, 1, "network/vpc");
        begin(&mut board, 1, "cluster/cluster");
        begin(&mut board, 1, "database/cluster");
        assert_eq!(shown(&board, 1), "about 12 min left");
        assert_eq!(shown(&board, 6), "about 7 min left");
        // It took half its time: the other way is the longer one now.
        end(&mut board, 6, "cluster/cluster");
        begin(&mut board, 6, "cluster/nodes");
        assert_eq!(shown(&board, 6), "about 6 min left");
        end(&mut board, 7, "database/cluster");
        begin(&mut board, 7, "database/reader");
        assert_eq!(shown(&board, 7), "about 4 min left");
        for effect in ["cluster/nodes", "database/reader", "storage/bucket"] {
            end(&mut board, 9, effect);
        }
        assert_eq!(board.left(9 * MINUTE), None);
        assert_eq!(shown(&board, 9), "9 min", "nothing is left, so nothing is said of it");
    }

    #[test]
    fn what_takes_longer_than_usual_leaves_what_comes_after_it_and_never_nothing() {
        let mut board = platform();
        begin(&mut board, 0, "network/vpc");
        for minute in 1..60 {
            assert_eq!(shown(&board, minute), "about 12 min left", "after {minute} min");
        }
        end(&mut board, 60, "network/vpc");
        begin(&mut board, 60, "cluster/cluster");
        end(&mut board, 61, "cluster/cluster");
        for effect in ["database/cluster", "database/reader", "storage/bucket"] {
            skip(&mut board, 61, effect);
        }
        begin(&mut board, 61, "cluster/nodes");
        assert_eq!(shown(&board, 63), "about 1 min left");
        for minute in 64..180 {
            assert_eq!(shown(&board, minute), "should be done by now", "after {minute} min");
        }
    }

    #[test]
    fn what_is_skipped_takes_no_time() {
        let mut board = platform();
        begin(&mut board, 0, "network/vpc");
        // Something else failed that the nodes need, too.
        skip(&mut board, 0, "cluster/nodes");
        assert_eq!(shown(&board, 0), "about 12 min left", "1 + 7 + 4");
        skip(&mut board, 0, "database/reader");
        assert_eq!(shown(&board, 0), "about 10 min left", "1 + 9");
    }
}
