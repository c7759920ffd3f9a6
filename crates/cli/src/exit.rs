//! How a command ends.

use crate::{
    advice::{Advice, call_advice},
    render::Printer,
};
use bedplate_engine::SurveyError;
use bedplate_model::CallError;
use bedplate_platform::config::ConfigError;
use bedplate_state::StoreError;
use std::{io::ErrorKind, process::ExitCode};

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

/// What `preflight`, and `bootstrap` before its question, could not do. Nothing was touched, whatever failed: exit code 3, too.
#[derive(Debug, thiserror::Error)]
#[error("{0:#}")]
pub(crate) struct Beforehand(anyhow::Error);

impl Beforehand {
    pub(crate) fn refused(error: anyhow::Error) -> anyhow::Error {
        Self(error).into()
    }
}

/// Shows an error with what to do next, and gives its exit code.
pub(crate) fn report(printer: &Printer, error: &anyhow::Error) -> ExitCode {
    let beforehand = error.downcast_ref::<Beforehand>();
    let error = beforehand.map_or(error, |Beforehand(error)| error);
    let advice = advice(error);
    // A configuration error is its own picture of the file.
    if let Some(error) = error.downcast_ref::<ConfigError>() {
        printer.picture(&error.to_string(), &error.render_colored());
    } else {
        let request = call(error).and_then(|call| call.request_id.as_deref());
        printer.error(&with_request(format!("{error:#}"), request), advice.as_ref());
    }
    let refused =
        beforehand.is_some() || error.is::<Refused>() || error.is::<ConfigError>() || error.is::<StoreError>();
    ExitCode::from(if refused { 3 } else { 1 })
}

/// A message with the request that AWS's support can find it by.
pub(crate) fn with_request(message: String, request_id: Option<&str>) -> String {
    match request_id {
        Some(id) => format!("{message} (request id {id})"),
        None => message,
    }
}

fn advice(error: &anyhow::Error) -> Option<Advice> {
    if let Some(refused) = error.downcast_ref::<Refused>() {
        return Some(refused.hint.as_str().into());
    }
    if let Some(error) = error.downcast_ref::<StoreError>() {
        return Some(store_advice(error));
    }
    call(error).map(call_advice)
}

/// The call that failed, if it was one.
fn call(error: &anyhow::Error) -> Option<&CallError> {
    error.chain().find_map(|cause| {
        let survey = cause.downcast_ref::<SurveyError>().and_then(|survey| match survey {
            SurveyError::Call { source, .. } => Some(source),
            _ => None,
        });
        survey.or_else(|| cause.downcast_ref::<CallError>())
    })
}

/// What to do about a state that cannot be read, saved or locked.
pub(crate) fn store_advice(error: &StoreError) -> Advice {
    match error {
        StoreError::Io { source, .. } => match source.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "make room on that disk, then run the same command again",
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                "give yourself write access to that folder, or name another place with --state, then run the same command again"
            }
            _ => "see that the folder can be written, or name another place with --state, then run the same command again",
        }
        .into(),
        StoreError::Remote { source, .. } => match source.downcast_ref::<CallError>() {
            Some(call) => call_advice(call),
            None => "see that the bucket can be reached, then run the same command again".into(),
        },
        StoreError::Kept { source, .. } => store_advice(source),
        StoreError::Locked { .. } => {
            "the lock ends with the process that holds it: wait for it, or stop it and run the same command again".into()
        }
        StoreError::LockLost { .. } | StoreError::Moved { .. } => {
            "see that nobody else works on this stack (`bedplate state unlock` says who does), then run the same command again"
                .into()
        }
        // They say it themselves.
        StoreError::Format { .. } | StoreError::Unfit { .. } => {
            "do that, then run the same command again".into()
        }
    }
}
