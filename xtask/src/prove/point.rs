//! The instants at which a run is cut off, and their names.

use std::fmt;

/// The signals of which each ends a run: a lost terminal, an abort, an alarm, a limit of CPU time, a second Ctrl-C, a polite
/// request. SIGPIPE and a SIGSEGV from outside end no program in Rust.
const SIGNALS: [&[i32]; 6] = [&[HANGUP], &[6], &[14], &[24], &[2, 2], TERMINATE];
const HANGUP: i32 = 1;
const TERMINATE: &[i32] = &[15];
const KILL: &[i32] = &[9];

/// Where a real kill happens. Looks while it waits and saves are fewer than calls, by about so much.
const MOMENTS: [(&str, u64); 5] = [("before", 1), ("committed", 1), ("answered", 1), ("written", 2), ("waiting", 3)];

/// One way to cut off a run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Point {
    /// At a moment of the undisturbed run, from the snapshot of the cloud and the disk at that instant.
    Moment { moment: String, state_lost: bool },
    /// By a signal, at moments that follow from the seed and this number.
    Signal(Signal, u64),
    /// By nothing: a share of all calls goes wrong, drawn from the seed and this number.
    Faults(u64),
}

const FAULTS: &str = "faults";

/// How a process is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Signal {
    /// SIGKILL.
    Kill,
    /// Other signals.
    Other,
    /// SIGKILL, and SIGKILL again in the run after it, once or twice.
    Double,
    /// SIGKILL, and the state file is lost.
    Lost,
}

impl Signal {
    pub(super) const ALL: [Self; 4] = [Self::Kill, Self::Other, Self::Double, Self::Lost];

    fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Other => "signal",
            Self::Double => "double",
            Self::Lost => "lost",
        }
    }
}

/// One real kill.
#[derive(Debug)]
pub(super) struct Kill {
    pub(super) signals: &'static [i32],
    /// At which call, look or save.
    pub(super) nth: u64,
    pub(super) when: &'static str,
}

impl Point {
    /// Reads what [`fmt::Display`] writes.
    pub(super) fn parse(text: &str) -> Self {
        if let Some((name, number)) = text.split_once('#')
            && let (Some(signal), Ok(number)) =
                (Signal::ALL.into_iter().find(|signal| signal.name() == name), number.parse())
        {
            return Self::Signal(signal, number);
        }
        if let Some(Ok(number)) = text.strip_prefix(FAULTS).and_then(|rest| rest.strip_prefix('#')).map(str::parse) {
            return Self::Faults(number);
        }
        match text.strip_suffix(":lost") {
            Some(moment) => Self::Moment { moment: moment.to_owned(), state_lost: true },
            None => Self::Moment { moment: text.to_owned(), state_lost: false },
        }
    }

    /// The row of the table it is counted in.
    pub(super) fn kind(&self) -> String {
        match self {
            Self::Moment { state_lost: true, .. } => "committed, state file lost".to_owned(),
            Self::Moment { moment, .. } => moment.rsplit(':').next().unwrap_or_default().to_owned(),
            Self::Signal(Signal::Kill, _) => "SIGKILL".to_owned(),
            Self::Signal(Signal::Other, _) => "other signals".to_owned(),
            Self::Signal(Signal::Double, _) => "SIGKILL twice or more".to_owned(),
            Self::Signal(Signal::Lost, _) => "SIGKILL, state file lost".to_owned(),
            Self::Faults(_) => "faults in 20 % of calls".to_owned(),
        }
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Moment { moment, state_lost } => write!(f, "{moment}{}", if *state_lost { ":lost" } else { "" }),
            Self::Signal(signal, number) => write!(f, "{}#{number}", signal.name()),
            Self::Faults(number) => write!(f, "{FAULTS}#{number}"),
        }
    }
}

impl Signal {
    /// How many of its kills have to be carried out for it to be what it is.
    pub(super) fn needed(self) -> usize {
        if self == Self::Double { 2 } else { 1 }
    }
}

/// The kills of a real one, the first in the run itself, the others in the runs after it. `changes` is how many changing
/// calls the undisturbed run makes. A moment that is drawn may never come: then another `draw` has another one.
pub(super) fn kills(signal: Signal, number: u64, draw: u64, seed: u64, changes: u64) -> Vec<Kill> {
    let mut random = Random(seed.wrapping_mul(1000) + number + (draw << 32));
    let mut one = |signals, up_to: u64| {
        let (when, share) = MOMENTS[random.below(MOMENTS.len() as u64) as usize];
        Kill { signals, nth: 1 + random.below((up_to / share).max(1)), when }
    };
    match signal {
        Signal::Kill | Signal::Lost => vec![one(KILL, changes)],
        Signal::Other => vec![one(other(number), changes)],
        Signal::Double => {
            let first = one(KILL, changes);
            let left = changes.saturating_sub(first.nth);
            vec![first, one(KILL, left / 2), one(KILL, left / 4)]
        }
    }
}

/// Whether a name is in a share of all names, which is another one for each seed.
pub(super) fn is_drawn(name: &str, seed: u64, percent: u32) -> bool {
    let mixed = name.bytes().fold(seed, |mixed, byte| Random(mixed ^ u64::from(byte)).below(u64::MAX));
    Random(mixed).below(100) < u64::from(percent)
}

/// One of the other signals. Under `nohup` the end of the terminal ends nothing: then it is a polite request.
fn other(number: u64) -> &'static [i32] {
    let signals = SIGNALS[number as usize % SIGNALS.len()];
    if signals == [HANGUP] && hangup_ignored() { TERMINATE } else { signals }
}

fn hangup_ignored() -> bool {
    let status = fs_err::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap_or_default();
    u64::from_str_radix(mask.trim(), 16).is_ok_and(|mask| mask & 1 == 1)
}

/// SplitMix64: the same numbers for the same seed, everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for text in
            ["ec2:CreateVpc#1:committed", "ec2:CreateVpc#1:committed:lost", "disk#12:written", "double#7", "faults#2"]
        {
            assert_eq!(Point::parse(text).to_string(), text);
        }
        assert_eq!(Point::parse("kill#3"), Point::Signal(Signal::Kill, 3));
        assert_eq!(Point::parse("disk#12:written").kind(), "written");
    }

    #[test]
    fn a_share_is_drawn_by_the_seed() {
        let drawn = |seed, percent| -> Vec<u32> {
            (0..1000).filter(|number| is_drawn(&format!("ec2:CreateTags#{number}:committed"), seed, percent)).collect()
        };
        assert_eq!((drawn(1, 0).len(), drawn(1, 100).len()), (0, 1000));
        assert!((280..380).contains(&drawn(1, 33).len()), "{}", drawn(1, 33).len());
        assert_eq!(drawn(1, 33), drawn(1, 33));
        assert_ne!(drawn(1, 33), drawn(2, 33));
    }

    #[test]
    fn a_seed_gives_the_same_kills_again() {
        let shown = |seed| format!("{:?}", kills(Signal::Double, 4, 0, seed, 170));
        assert_eq!(shown(1), shown(1));
        assert_ne!(shown(1), shown(2));
        assert_ne!(shown(1), format!("{:?}", kills(Signal::Double, 4, 1, 1, 170)));
        assert!((0..100).all(|number| (1..=170).contains(&kills(Signal::Kill, number, 0, 1, 170)[0].nth)));
    }
}
