//! The engine: looks at what exists, and carries out a plan. Knows neither AWS nor a terminal.

mod effect;
mod event;
mod import;
mod journal;
mod kinds;
mod make;
mod poller;
mod recover;
mod remove;
mod survey;
mod sweep;
mod walk;

pub use effect::EffectError;
pub use event::{Event, Silent, Sink};
pub use import::{Candidate, Import, ImportError, Matched, Unmatched, import, matching};
pub use journal::Journal;
pub use kinds::Kinds;
pub use recover::{Foreign, Owned, Recovered, Search, recover, search, settled};
pub use survey::{SurveyError, survey};
pub use sweep::foresee;
pub use walk::{Done, Engine, Failure, Outcome, Skipped, described};
