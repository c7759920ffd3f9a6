//! Secrets Manager.

mod secret;
mod sensitive;

pub use secret::{InitialValue, RandomText, Secret, SecretOutputs, SecretSpec, Template};
pub(crate) use sensitive::Sensitive;

use crate::{Arn, Aws, error::Sent};
use bedplate_model::CallError;

/// Reads the text of one version of a secret: for a call that needs it, at the moment of that call.
pub(crate) async fn reveal(cloud: &Aws, secret: &Arn, version: &str) -> Result<Sensitive, CallError> {
    let request = cloud.secrets.get_secret_value().secret_id(secret.as_str()).version_id(version);
    let text = request.send().await.sent()?.secret_string;
    text.map(Sensitive::new).ok_or_else(|| CallError::malformed("secretsmanager:GetSecretValue", "SecretString"))
}
