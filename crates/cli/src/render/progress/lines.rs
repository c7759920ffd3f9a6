//! What is said of each event, in lines: all of it in a log, and beside a live picture what the picture does not keep. Pure: it
//! is told the time.

use super::board::Board;
use crate::render::{about, spoken};
use bedplate_engine::Event;
use bedplate_model::Address;
use bedplate_plan::Action;
use owo_colors::OwoColorize;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// The same is mentioned again only after this time.
const REMIND: Duration = Duration::from_secs(30);
/// How often a call is repeated without a word: most obstacles are gone within seconds.
const PATIENCE: u32 = 5;
/// What usually takes so long is mentioned when it begins, or nothing would be said of it for minutes.
const LONG: Duration = Duration::from_secs(60);
/// Below that the first mention of a wait has no time yet.
const BRIEF: Duration = Duration::from_secs(5);

/// What was said already.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// Whether a live picture shows what runs and what waits.
    live: bool,
    /// Whether every repeated call is mentioned.
    verbose: bool,
    /// The last mention of each wait.
    waits: BTreeMap<Address, (String, Duration)>,
    /// How often calls of each were repeated, and when that was mentioned.
    repeats: BTreeMap<Address, (u32, Option<Duration>)>,
    skipped: BTreeSet<Address>,
}

impl Lines {
    pub(super) fn new(live: bool, verbose: bool) -> Self {
        Self { live, verbose, ..Self::default() }
    }

    /// What to say of an event that happened `now` after the start, and that the board knows already.
    pub(super) fn of(&mut self, event: &Event<'_>, now: Duration, board: &Board) -> Vec<String> {
        let column = board.column();
        let line = |address: &Address, text: &str| format!("  {address:<column$}  {text}");
        let faint = |address: &Address, text: &str| vec![line(address, &text.dimmed().to_string())];
        match event {
            Event::Started { .. } | Event::Waiting { .. } | Event::Skipped { .. } if self.live => Vec::new(),
            Event::Started { address, action } => match board.expected(address, *action) {
                usual if usual < LONG => Vec::new(),
                usual => faint(address, &format!("begun, usually takes about {}", about(usual))),
            },
            Event::Waiting { address, state, elapsed, expected } => {
                let last = self.waits.get(*address);
                if last.is_some_and(|(word, at)| word == state && elapsed.saturating_sub(*at) < REMIND) {
                    return Vec::new();
                }
                self.waits.insert((*address).clone(), ((*state).to_owned(), *elapsed));
                let mut text = state.to_lowercase();
                if *elapsed >= BRIEF {
                    let usual = if elapsed.as_secs() <= expected.as_secs() { "of about" } else { "instead of" };
                    text.push_str(&format!(", {} {usual} {}", about(*elapsed), about(*expected)));
                }
                faint(address, &text)
            }
            Event::Retrying { address, error } if self.verbose => {
                faint(address, &format!("{}: {}, trying again", error.operation, error.code))
            }
            Event::Retrying { address, error } => {
                let (repeated, mentioned) = self.repeats.entry((*address).clone()).or_default();
                *repeated += 1;
                if *repeated <= PATIENCE || mentioned.is_some_and(|at| now.saturating_sub(at) < REMIND) {
                    return Vec::new();
                }
                *mentioned = Some(now);
                faint(address, &format!("trying again and again: {error}"))
            }
            Event::Held { address, by } => {
                by.iter().map(|one| line(address, &format!("{} {one}", "held by".yellow()))).collect()
            }
            Event::Swept { address, leftover } => vec![line(address, &format!("{} {leftover}", "swept".red()))],
            Event::Finished { address, action, elapsed } => {
                let progress = board.counts();
                vec![line(address, &format!("{} in {} {}", done_word(*action), spoken(*elapsed), progress.dimmed()))]
            }
            Event::Failed { address, error } => vec![line(address, &format!("{} {error}", "failed:".red().bold()))],
            // Effects of one resource are skipped together.
            Event::Skipped { address, .. } if !self.skipped.insert((*address).clone()) => Vec::new(),
            Event::Skipped { address, because: Some(because) } => {
                vec![line(address, &format!("{} waits for {because}", "not tried:".yellow()))]
            }
            Event::Skipped { address, because: None } => vec![line(address, &"not tried".yellow().to_string())],
        }
    }
}

fn done_word(action: Action) -> String {
    match action {
        Action::Create => "created".green().to_string(),
        Action::Update => "updated".yellow().to_string(),
        Action::Replace => "replaced".magenta().to_string(),
        Action::Delete => "deleted".red().to_string(),
        Action::Adopt => "adopted".cyan().to_string(),
        Action::Forget => "forgotten".dimmed().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::Run;

    #[test]
    fn a_run_in_a_log() {
        insta::assert_snapshot!(Run::new(false, false).until_the_end());
    }

    #[test]
    fn beside_a_picture_only_what_it_does_not_keep() {
        insta::assert_snapshot!(Run::new(true, false).until_the_end());
    }

    #[test]
    fn with_all_details_every_repeated_call_is_mentioned() {
        let text = Run::new(false, true).until_the_end();
        assert_eq!(text.matches("ec2:DeleteSubnet: DependencyViolation, trying again").count(), 8, "{text}");
    }
}
