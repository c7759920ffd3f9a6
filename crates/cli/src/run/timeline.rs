//! When each effect of a run began and ended, and which of them the whole run waited for. Pure.

use super::{Effect, Line, What};
use anyhow::{Result, bail};
use std::collections::BTreeMap;

/// A run, effect by effect.
#[derive(Debug)]
pub(crate) struct Timeline {
    pub(crate) command: String,
    pub(crate) stack: String,
    /// When it began, in local time.
    pub(crate) started: String,
    /// What was begun, in that order.
    pub(crate) spans: Vec<Span>,
    /// How many effects were not begun.
    pub(crate) untouched: usize,
    /// How long it took, in seconds.
    pub(crate) seconds: f64,
    pub(crate) ending: Ending,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Done,
    Failed,
    Interrupted,
    /// The log just stops: the process was killed.
    CutOff,
}

/// One effect; times in seconds since the start.
#[derive(Debug)]
pub(crate) struct Span {
    pub(crate) effect: Effect,
    pub(crate) from: f64,
    pub(crate) to: f64,
    pub(crate) finished: bool,
    pub(crate) failure: Option<String>,
    /// From when on AWS said what.
    pub(crate) waits: Vec<(f64, String)>,
    /// When a call was repeated, and why.
    pub(crate) retries: Vec<(f64, String)>,
    /// Whether the run would have been shorter, had this been.
    pub(crate) critical: bool,
}

impl Timeline {
    /// What the lines of a log tell.
    pub(crate) fn new(lines: &[Line]) -> Result<Self> {
        let Some(Line { what: What::Run { command, stack, started, effects, .. }, .. }) = lines.first() else {
            bail!("this is no log of a run: it does not begin with one");
        };
        let seconds = lines.last().map_or(0.0, |line| line.at);
        // By effect: its span. By address: what runs.
        let mut spans: BTreeMap<usize, Span> = BTreeMap::new();
        let mut order = Vec::new();
        let mut running: BTreeMap<&str, usize> = BTreeMap::new();
        let mut ending = Ending::CutOff;
        for Line { at, what } in lines {
            match what {
                What::Started { address, action } => {
                    let mut same =
                        effects.iter().enumerate().filter(|(_, it)| it.address == *address && it.action == *action);
                    let Some((index, effect)) = same.find(|(index, _)| !spans.contains_key(index)) else { continue };
                    let (waits, retries) = (Vec::new(), Vec::new());
                    let (from, to) = (*at, seconds);
                    let effect = effect.clone();
                    spans.insert(
                        index,
                        Span { effect, from, to, finished: false, failure: None, waits, retries, critical: false },
                    );
                    order.push(index);
                    running.insert(address, index);
                }
                What::Waiting { address, state } => {
                    if let Some(span) = running.get(&**address).and_then(|index| spans.get_mut(index))
                        && span.waits.last().is_none_or(|(_, last)| last != state)
                    {
                        span.waits.push((*at, state.clone()));
                    }
                }
                What::Retrying { address, operation, code, .. } => {
                    if let Some(span) = running.get(&**address).and_then(|index| spans.get_mut(index)) {
                        span.retries.push((*at, format!("{operation}: {code}")));
                    }
                }
                What::Finished { address, .. } => {
                    if let Some(span) = running.remove(&**address).and_then(|index| spans.get_mut(&index)) {
                        (span.to, span.finished) = (*at, true);
                    }
                }
                What::Failed { address, message, .. } => {
                    if let Some(span) = running.remove(&**address).and_then(|index| spans.get_mut(&index)) {
                        (span.to, span.failure) = (*at, Some(message.clone()));
                    }
                }
                What::End { ok, interrupted } => {
                    ending = match (ok, interrupted) {
                        (_, true) => Ending::Interrupted,
                        (true, _) => Ending::Done,
                        (false, _) => Ending::Failed,
                    };
                }
                What::Run { .. }
                | What::Held { .. }
                | What::Swept { .. }
                | What::Skipped { .. }
                | What::Call { .. } => {}
            }
        }
        mark_critical(&mut spans);
        let untouched = effects.len() - spans.len();
        let spans = order.into_iter().filter_map(|index| spans.remove(&index)).collect();
        let (command, stack, started) = (command.clone(), stack.clone(), started.clone());
        Ok(Self { command, stack, started, spans, untouched, seconds, ending })
    }

    /// What the run waited for, in the order of time.
    pub(crate) fn critical(&self) -> Vec<&Span> {
        let mut way: Vec<&Span> = self.spans.iter().filter(|span| span.critical).collect();
        way.sort_by(|a, b| a.from.total_cmp(&b.from));
        way
    }
}

impl Span {
    pub(crate) fn seconds(&self) -> f64 {
        self.to - self.from
    }
}

/// From what ended last back to what each waited for last.
fn mark_critical(spans: &mut BTreeMap<usize, Span>) {
    let latest = |spans: &BTreeMap<usize, Span>, among: &mut dyn Iterator<Item = usize>| {
        among.filter_map(|index| Some((index, spans.get(&index)?.to))).max_by(|a, b| a.1.total_cmp(&b.1)).map(|it| it.0)
    };
    let mut at = latest(spans, &mut spans.keys().copied());
    while let Some(index) = at {
        let after = match spans.get_mut(&index) {
            Some(span) if !span.critical => {
                span.critical = true;
                span.effect.after.clone()
            }
            _ => break,
        };
        at = latest(spans, &mut after.into_iter());
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::run::FORMAT;

    /// A run of four effects: a VPC, then a cluster and a table side by side, then a node group after the cluster.
    pub(crate) fn lines() -> Vec<Line> {
        let effect = |address: &str, kind: &str, expected, after: &[usize]| Effect {
            address: address.to_owned(),
            kind: kind.to_owned(),
            action: "create".to_owned(),
            expected,
            after: after.to_vec(),
        };
        let effects = vec![
            effect("network/vpc", "ec2.vpc", 1, &[]),
            effect("cluster/cluster", "eks.cluster", 540, &[0]),
            effect("sessions/table", "dynamodb.table", 10, &[]),
            effect("cluster/node-group", "eks.node_group", 150, &[1]),
        ];
        let started = |address: &str| What::Started { address: address.to_owned(), action: "create".to_owned() };
        let finished = |address: &str| What::Finished { address: address.to_owned(), action: "create".to_owned() };
        let waiting = |address: &str| What::Waiting { address: address.to_owned(), state: "CREATING".to_owned() };
        let line = |at, what| Line { at, what };
        vec![
            line(
                0.0,
                What::Run {
                    format: FORMAT,
                    command: "bootstrap".to_owned(),
                    stack: "fintechglobal-production".to_owned(),
                    started: "2026-11-23 16:00:00 +00:00".to_owned(),
                    effects,
                },
            ),
            line(0.1, started("network/vpc")),
            line(0.1, started("sessions/table")),
            line(1.0, finished("network/vpc")),
            line(1.0, started("cluster/cluster")),
            line(2.0, waiting("cluster/cluster")),
            line(9.0, waiting("cluster/cluster")),
            line(12.0, finished("sessions/table")),
            line(
                540.0,
                What::Retrying {
                    address: "cluster/cluster".to_owned(),
                    operation: "eks:DescribeCluster".to_owned(),
                    code: "ThrottlingException".to_owned(),
                    request_id: None,
                },
            ),
            line(545.0, finished("cluster/cluster")),
            line(545.0, started("cluster/node-group")),
            line(
                700.0,
                What::Failed {
                    address: "cluster/node-group".to_owned(),
                    code: "Other".to_owned(),
                    message: "no room".to_owned(),
                },
            ),
            line(700.5, What::End { ok: false, interrupted: false }),
        ]
    }

    #[test]
    fn the_critical_way_is_what_the_end_waited_for() {
        let timeline = Timeline::new(&lines()).unwrap();
        let way: Vec<&str> = timeline.critical().iter().map(|span| &*span.effect.address).collect();
        assert_eq!(way, ["network/vpc", "cluster/cluster", "cluster/node-group"]);
        assert_eq!(timeline.ending, Ending::Failed);
        let cluster = &timeline.spans[2];
        assert_eq!((cluster.from, cluster.to, cluster.waits.len(), cluster.retries.len()), (1.0, 545.0, 1, 1));
    }

    #[test]
    fn a_log_that_stops_is_a_run_that_was_cut_off() {
        let timeline = Timeline::new(&lines()[..6]).unwrap();
        assert_eq!((timeline.ending, timeline.untouched), (Ending::CutOff, 1));
        assert!(timeline.spans.iter().filter(|span| !span.finished).all(|span| span.to == 2.0));
    }

    #[test]
    fn calls_are_on_record_and_change_no_timeline() {
        let call = |at| {
            let text = format!(
                r#"{{"at":{at},"event":"call","operation":"eks:DescribeCluster","request_id":null,"status":200,"attempts":1,"seconds":0.1}}"#
            );
            serde_json::from_str::<Line>(&text).unwrap()
        };
        let without = Timeline::new(&lines()).unwrap();
        let mut lines = lines();
        lines.insert(1, call(-4.5));
        lines.insert(8, call(9.5));
        let with = Timeline::new(&lines).unwrap();
        assert_eq!(format!("{with:?}"), format!("{without:?}"));
    }

    #[test]
    fn something_else_is_no_log() {
        assert!(Timeline::new(&lines()[1..]).is_err());
        assert!(Timeline::new(&[]).is_err());
    }
}
