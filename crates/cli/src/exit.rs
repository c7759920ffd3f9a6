//! How a command ends.

use crate::render::Printer;
use bedplate_engine::SurveyError;
use bedplate_model::{CallError, Class};
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

/// What to do about a failed call.
pub(crate) fn call_hint(error: &CallError) -> String {
    let request = match &error.request_id {
        Some(id) => format!(" (request id {id})"),
        None => String::new(),
    };
    let advice = match error.class {
        Class::Denied if error.code.contains("Expired") => {
            "the credentials have expired: sign in again (`aws sso login`, or renew the session), then run the same command".to_owned()
        }
        Class::Denied => format!(
            "the caller may not do this: allow the action `{}` in its IAM policy, then run the same command again",
            error.operation
        ),
        Class::Quota => format!(
            "a quota of the account is reached ({}): remove what is not needed or ask for more in the Service Quotas \
             console, then run the same command again",
            error.code
        ),
        Class::Throttled => "AWS is throttling this account: run the same command again in a minute".to_owned(),
        Class::Unreachable => {
            "AWS did not answer, or failed without saying why: check the network, the region, --endpoint-url and the \
             credentials, then run the same command again"
                .to_owned()
        }
        Class::Busy => {
            "something is still in use or being changed: run the same command again in a few minutes".to_owned()
        }
        Class::NotYet => "a fresh role has not spread through AWS yet: run the same command again".to_owned(),
        Class::Invalid => format!(
            "AWS does not accept the request: see the message above, and the documentation of {}",
            error.operation
        ),
        _ => "run the same command again; it goes on where this run stopped".to_owned(),
    };
    format!("{advice}{request}")
}
