//! A failed call to AWS, as the engine sees it.

use serde::{Deserialize, Serialize};

/// What a failure means for the engine. The table from service error codes to classes is in `bedplate-aws`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// It does not exist.
    NotFound,
    /// Something with this name or these properties exists already.
    AlreadyExists,
    /// It is in use or being changed: the same call will go through later.
    Busy,
    /// Something it needs has not spread through AWS yet (a fresh role, a fresh principal).
    NotYet,
    /// The client token was used before with other parameters, or for a resource that is gone.
    TokenSpent,
    /// Too many calls; the SDK's own retries are used up.
    Throttled,
    /// The caller may not do this.
    Denied,
    /// A service quota is reached.
    Quota,
    /// AWS does not accept the request as it is.
    Invalid,
    /// It exists and does not belong to this stack.
    Foreign,
    /// It is ours, and a setting of it is in somebody else's hands.
    Conflict,
    /// AWS could not be reached, or failed without saying why.
    Unreachable,
    /// Anything else.
    Other,
}

/// A failed call: what was asked, what AWS answered, and what that means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{operation} failed: {code}: {message}")]
pub struct CallError {
    /// The service and operation as IAM names them: `ec2:CreateVpc`.
    pub operation: String,
    /// The service's error code: `VpcLimitExceeded`.
    pub code: String,
    /// The service's message.
    pub message: String,
    /// The request id to give to AWS support.
    pub request_id: Option<String>,
    /// What the failure means.
    pub class: Class,
}

impl CallError {
    /// A failure that bedplate itself found in an answer: a field that must be there is missing, say.
    pub fn local(operation: &str, code: &str, message: impl Into<String>, class: Class) -> Self {
        Self {
            operation: operation.to_owned(),
            code: code.to_owned(),
            message: message.into(),
            request_id: None,
            class,
        }
    }

    /// An answer of AWS that lacks what its documentation promises.
    pub fn malformed(operation: &str, missing: &str) -> Self {
        Self::local(operation, "MalformedAnswer", format!("the answer has no {missing}"), Class::Other)
    }
}
