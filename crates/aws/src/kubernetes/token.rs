//! Tokens with which a cluster knows who calls.

use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, SharedCredentialsProvider},
};
use aws_sdk_sts::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign},
    sign::v4::SigningParams,
};
use aws_types::SdkConfig;
use bedplate_model::{CallError, Class};
use std::{
    fmt,
    time::{Duration, SystemTime},
};
use tokio::sync::Mutex;

/// How a token begins (aws-iam-authenticator, "API Authorization from Outside a Cluster").
const PREFIX: &str = "k8s-aws-v1.";
/// The signed header that says for which cluster a token is.
const CLUSTER: &str = "x-k8s-aws-id";
/// The validity written into the request. EKS accepts the token for longer (see [`VALID`]), as `aws eks get-token` does.
const EXPIRES: Duration = Duration::from_secs(60);
/// EKS accepts a token for 15 minutes after it was signed; a minute less, for clocks that differ.
const VALID: Duration = Duration::from_secs(14 * 60);
/// Credentials that end within this time are asked for again.
const MARGIN: Duration = Duration::from_secs(5 * 60);
const OPERATION: &str = "sts:GetCallerIdentity";

/// A bearer token: a request to STS that is signed and not sent. Whoever has it is the caller to the cluster, so it is
/// never shown except by the command that is asked for it.
pub struct Token {
    text: String,
    expires: SystemTime,
}

impl Token {
    /// The token itself.
    pub fn reveal(&self) -> &str {
        &self.text
    }

    /// Until when the cluster accepts it.
    pub fn expires(&self) -> SystemTime {
        self.expires
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("expires", &self.expires).finish_non_exhaustive()
    }
}

/// Makes tokens of the caller's credentials.
pub(super) struct Signer {
    provider: Option<SharedCredentialsProvider>,
    region: String,
    /// The SDK's clients keep theirs to themselves, and asking for new ones may be a call.
    credentials: Mutex<Option<Credentials>>,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("region", &self.region).finish_non_exhaustive()
    }
}

impl Signer {
    pub(super) fn new(config: &SdkConfig) -> Self {
        let region = config.region().map(ToString::to_string).unwrap_or_default();
        Self { provider: config.credentials_provider(), region, credentials: Mutex::default() }
    }

    /// A fresh token for a cluster. Nothing is sent to AWS, except what the credentials themselves need.
    pub(super) async fn token(&self, cluster: &str) -> Result<Token, CallError> {
        let credentials = self.credentials().await?;
        let url = format!("{}/?Action=GetCallerIdentity&Version=2011-06-15", self.endpoint().await?);
        let now = SystemTime::now();
        let text = presigned(&url, cluster, &credentials, &self.region, now)?;
        let encoded = aws_smithy_types::base64::encode(&text).replace('+', "-").replace('/', "_");
        let end = now + VALID;
        Ok(Token {
            text: format!("{PREFIX}{}", encoded.trim_end_matches('=')),
            expires: credentials.expiry().map_or(end, |expiry| expiry.min(end)),
        })
    }

    async fn credentials(&self) -> Result<Credentials, CallError> {
        let mut kept = self.credentials.lock().await;
        let lasts =
            |credentials: &&Credentials| credentials.expiry().is_none_or(|expiry| expiry > SystemTime::now() + MARGIN);
        if let Some(credentials) = kept.as_ref().filter(lasts) {
            return Ok(credentials.clone());
        }
        let none = || failed("NoCredentials", "there are no credentials");
        let provider = self.provider.as_ref().ok_or_else(none)?;
        let fresh = provider.provide_credentials().await;
        let fresh = fresh.map_err(|error| failed("NoCredentials", &error.to_string()))?;
        Ok(kept.insert(fresh).clone())
    }

    /// AWS's own address of STS in the region, also where calls go to another one: only this is what a cluster asks.
    async fn endpoint(&self) -> Result<String, CallError> {
        let params = Params::builder().region(&self.region).use_global_endpoint(false).build();
        let params = params.map_err(|error| failed("NoEndpoint", &error.to_string()))?;
        let endpoint = DefaultResolver::new().resolve_endpoint(&params).await;
        Ok(endpoint.map_err(|error| failed("NoEndpoint", &error.to_string()))?.url().to_owned())
    }
}

/// The request with its signature in the query.
fn presigned(
    url: &str,
    cluster: &str,
    credentials: &Credentials,
    region: &str,
    time: SystemTime,
) -> Result<String, CallError> {
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(EXPIRES);
    let identity = credentials.clone().into();
    let params = SigningParams::builder().identity(&identity).region(region).name("sts").time(time).settings(settings);
    let params = params.build().map_err(|error| failed("NotSigned", &error.to_string()))?.into();
    let headers = [(CLUSTER, cluster)];
    let signed = SignableRequest::new("GET", url, headers.into_iter(), SignableBody::Bytes(&[]))
        .and_then(|request| sign(request, &params))
        .map_err(|error| failed("NotSigned", &error.to_string()))?;
    let (instructions, _) = signed.into_parts();
    let query = instructions.params().iter().map(|(name, value)| format!("&{name}={}", urlencoding::encode(value)));
    Ok(format!("{url}{}", query.collect::<String>()))
}

fn failed(code: &str, message: &str) -> CallError {
    CallError::local(OPERATION, code, message, Class::Denied)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    fn credentials() -> Credentials {
        Credentials::new("AKIDEXAMPLE", "secret-key", Some("session/token".to_owned()), None, "test")
    }

    fn signer(credentials: Credentials, region: &str) -> Signer {
        let provider = Some(SharedCredentialsProvider::new(credentials));
        Signer { provider, region: region.to_owned(), credentials: Mutex::default() }
    }

    #[test]
    fn a_request_is_signed_for_one_cluster() {
        let at = UNIX_EPOCH + Duration::from_secs(1_780_000_000);
        let url = "https://sts.eu-west-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15";
        let sign = |cluster| presigned(url, cluster, &credentials(), "eu-west-1", at).unwrap();
        let text = sign("one");
        let query: Vec<&str> = text.strip_prefix(url).unwrap().split('&').skip(1).collect();
        let names: Vec<&str> = query.iter().map(|pair| pair.split('=').next().unwrap()).collect();
        assert!(query.contains(&"X-Amz-Expires=60"), "{query:?}");
        assert!(query.contains(&"X-Amz-SignedHeaders=host%3Bx-k8s-aws-id"), "{query:?}");
        assert!(query.contains(&"X-Amz-Security-Token=session%2Ftoken"), "{query:?}");
        assert!(query.contains(&"X-Amz-Date=20260528T202640Z"), "{query:?}");
        assert!(names.contains(&"X-Amz-Signature") && names.contains(&"X-Amz-Credential"), "{names:?}");
        assert_ne!(text, sign("two"));
        assert!(!text.contains("secret-key"));
    }

    #[tokio::test]
    async fn a_token_names_the_regional_sts_and_is_never_shown() {
        for (region, host) in [
            ("eu-west-1", "https://sts.eu-west-1.amazonaws.com/"),
            ("cn-north-1", "https://sts.cn-north-1.amazonaws.com.cn/"),
        ] {
            let token = signer(credentials(), region).token("c").await.unwrap();
            let encoded = token.reveal().strip_prefix(PREFIX).unwrap();
            assert!(encoded.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'), "{encoded}");
            let padded = format!("{encoded}{}", "=".repeat((4 - encoded.len() % 4) % 4));
            let url = aws_smithy_types::base64::decode(padded.replace('-', "+").replace('_', "/")).unwrap();
            assert!(String::from_utf8(url).unwrap().starts_with(host));
            assert!(!format!("{token:?}").contains(&encoded[..20]));
        }
    }

    #[tokio::test]
    async fn a_token_ends_with_the_credentials() {
        let soon = SystemTime::now() + Duration::from_secs(120);
        let short = Credentials::new("AKIDEXAMPLE", "secret-key", None, Some(soon), "test");
        assert_eq!(signer(short, "eu-west-1").token("c").await.unwrap().expires(), soon);
        let long = signer(credentials(), "eu-west-1").token("c").await.unwrap().expires();
        assert!(long > SystemTime::now() + VALID - Duration::from_secs(60) && long <= SystemTime::now() + VALID);
    }
}
