//! Why an effect on one resource fails.

use bedplate_model::{CallError, Id, Outsider};
use bedplate_state::StoreError;
use std::time::Duration;

/// A failed effect.
#[derive(Debug, thiserror::Error)]
pub enum EffectError {
    /// A call failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The state could not be saved.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It exists and is not this stack's.
    #[error("{id} exists already and does not belong to this stack")]
    Foreign {
        /// Its id.
        id: Id,
    },
    /// AWS accepts the settings and does not show them.
    #[error("AWS accepted the change and still shows another value of {fields}")]
    WillNotSettle {
        /// The fields.
        fields: String,
    },
    /// A setting differs that cannot be changed in place, and the plan did not know: it changed since, or it was made by
    /// a run that was cut off and showed only now.
    #[error("{fields} cannot be changed in place: it has to be replaced")]
    NeedsReplacement {
        /// The fields.
        fields: String,
    },
    /// It takes too long.
    #[error("after {} AWS still says: {state}", spoken(*.after))]
    Deadline {
        /// How long it was waited for.
        after: Duration,
        /// The last word.
        state: String,
    },
    /// Something stands in the way of its removal.
    #[error("{}; held by {}", .call.to_string().trim_end_matches('.'), named(.by))]
    Held {
        /// The refusal.
        call: Box<CallError>,
        /// What is in the way.
        by: Vec<Outsider>,
    },
    /// It failed in AWS.
    #[error("AWS says it failed: {state}")]
    Broken {
        /// AWS's words.
        state: String,
    },
    /// It was there and is gone.
    #[error("{id} vanished while it was being worked on")]
    Vanished {
        /// Its id.
        id: Id,
    },
    /// A value it needs is not known although everything it depends on is ready.
    #[error("its setting {field} is not known although all it depends on is ready")]
    Unresolved {
        /// The field.
        field: String,
    },
    /// Its type is unknown, or its specification does not fit its type.
    #[error("{0}")]
    Misfit(String),
    /// The run was interrupted while waiting.
    #[error("interrupted")]
    Interrupted,
}

impl EffectError {
    /// The failed call, where it was one.
    pub fn call(&self) -> Option<&CallError> {
        match self {
            Self::Call(call) => Some(call),
            Self::Held { call, .. } => Some(call),
            _ => None,
        }
    }

    /// A short name for scripts: the service's code, or our own.
    pub fn code(&self) -> &str {
        match self {
            Self::Call(call) => &call.code,
            Self::Held { call, .. } => &call.code,
            Self::Store(_) => "StateNotSaved",
            Self::Foreign { .. } => "ForeignResource",
            Self::WillNotSettle { .. } => "WillNotSettle",
            Self::NeedsReplacement { .. } => "NeedsReplacement",
            Self::Deadline { .. } => "Deadline",
            Self::Broken { .. } => "FailedInAws",
            Self::Vanished { .. } => "Vanished",
            Self::Unresolved { .. } => "Unresolved",
            Self::Misfit(_) => "Misfit",
            Self::Interrupted => "Interrupted",
        }
    }
}

/// Minutes, and seconds where a run has little patience.
fn spoken(after: Duration) -> String {
    match after.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds => format!("{} min", seconds / 60),
    }
}

/// All of them in a sentence.
pub(crate) fn named(outsiders: &[Outsider]) -> String {
    outsiders.iter().map(Outsider::to_string).collect::<Vec<_>>().join(", ")
}
