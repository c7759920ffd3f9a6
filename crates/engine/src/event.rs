//! What happens while a plan is carried out, for whoever shows it.

use crate::EffectError;
use bedplate_model::{Address, CallError, Outsider};
use bedplate_plan::Action;
use std::time::Duration;

/// Something that happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// An effect begins.
    Started {
        /// The resource.
        address: &'a Address,
        /// What is done to it. A replacement is a create and a delete.
        action: Action,
    },
    /// AWS works on a resource; in AWS's words.
    Waiting {
        /// The resource.
        address: &'a Address,
        /// AWS's word for its state.
        state: &'a str,
        /// Since when.
        elapsed: Duration,
        /// How long it usually takes.
        expected: Duration,
    },
    /// A call failed in a way that passes, and will be repeated.
    Retrying {
        /// The resource.
        address: &'a Address,
        /// The failure.
        error: &'a CallError,
    },
    /// It cannot be removed yet.
    Held {
        /// The resource.
        address: &'a Address,
        /// What is in the way.
        by: &'a [Outsider],
    },
    /// What others left behind under its name was removed.
    Swept {
        /// The resource.
        address: &'a Address,
        /// What was removed.
        leftover: &'a Outsider,
    },
    /// An effect is complete.
    Finished {
        /// The resource.
        address: &'a Address,
        /// What was done to it.
        action: Action,
        /// How long it took.
        elapsed: Duration,
    },
    /// An effect failed.
    Failed {
        /// The resource.
        address: &'a Address,
        /// Why.
        error: &'a EffectError,
    },
    /// An effect was not tried.
    Skipped {
        /// The resource.
        address: &'a Address,
        /// The resource whose failure stands in its way; `None` after an interruption.
        because: Option<&'a Address>,
    },
}

/// Takes events. Called from the engine's own task: must return at once.
pub trait Sink: Send + Sync {
    /// Takes one event.
    fn event(&self, event: Event<'_>);
}

/// Shows nothing.
#[derive(Clone, Copy, Debug)]
pub struct Silent;

impl Sink for Silent {
    fn event(&self, _event: Event<'_>) {}
}
