//! How a command ends.

use crate::{advice::call_hint, render::Printer};
use bedplate_engine::SurveyError;
use bedplate_model::CallError;
use bedplate_platform::config::ConfigError;
use bedplate_state::StoreError;
use std::process::ExitCode;

/// The exit codes of `cli.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done, or nothing to do.
    Done,
    /// Something failed.
    Failed,
    /// Changes are pending.
    Pending,
    /// Interrupted; the state is saved.
    Interrupted,
}

impl Exit {
    pub(crate) fn code(self) -> ExitCode {
        ExitCode::from(match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Pending => 2,
            Self::Interrupted => 130,
        })
    }
}

/// Refused before anything was touched: exit code 3.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Refused {
    /// What and why.
    pub(crate) message: String,
    /// What to do next.
    pub(crate) hint: String,
}

impl Refused {
    #[expect(clippy::new_ret_no_self, reason = "it only ever travels as an error")]
    pub(crate) fn new(message: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
        Self { message: message.into(), hint: hint.into() }.into()
    }
}

/// Shows an error with what to do next, and gives its exit code.
pub(crate) fn report(printer: &Printer, error: &anyhow::Error) -> ExitCode {
    let hint = hint(error);
    // A configuration error is its own picture of the file.
    if let Some(error) = error.downcast_ref::<ConfigError>() {
        printer.picture(&error.to_string(), &error.render_colored());
    } else {
        printer.error(&format!("{error:#}"), hint.as_deref());
    }
    let refused = error.is::<Refused>() || error.is::<ConfigError>() || error.is::<StoreError>();
    ExitCode::from(if refused { 3 } else { 1 })
}

fn hint(error: &anyhow::Error) -> Option<String> {
    if let Some(refused) = error.downcast_ref::<Refused>() {
        return Some(refused.hint.clone());
    }
    let call = error.chain().find_map(|cause| {
        let survey = cause.downcast_ref::<SurveyError>().and_then(|survey| match survey {
            SurveyError::Call { source, .. } => Some(source),
            _ => None,
        });
        survey.or_else(|| cause.downcast_ref::<CallError>())
    });
    call.map(call_hint)
}
