//! An issuer of identity tokens that IAM trusts.

use super::{tags, to_tags};
use crate::{Arn, Aws, error::Sent};
use aws_sdk_iam::operation::get_open_id_connect_provider::GetOpenIdConnectProviderOutput;
use bedplate_model::{
    CallError, Class, Creation, Id, Observation, Observed, Phase, Readiness, Reconcile, Record, Resolved, Step, Tags,
    Terraform, Which,
};
use std::collections::BTreeSet;

/// An issuer of identity tokens that IAM trusts.
#[derive(Debug)]
pub enum OidcProvider {}

/// Settings of an OIDC provider.
///
/// Without thumbprints: IAM checks issuers with certificates of a public authority, as EKS has, by its own list.
#[derive(Clone, Debug, Record)]
pub struct OidcProviderSpec<P: Phase> {
    /// The issuer's URL, `https://…`; unique in the account.
    #[replace]
    pub url: P::Of<String>,
    /// The audiences its tokens may be for; `sts.amazonaws.com` for service accounts of EKS.
    #[aws("ClientIdList")]
    pub client_ids: P::Of<BTreeSet<String>>,
}

/// Outputs of an OIDC provider.
#[derive(Clone, Debug, Record)]
pub struct OidcProviderOutputs<P: Phase> {
    /// Its ARN, the federated principal of trust policies.
    #[named]
    pub arn: P::Of<Arn>,
    /// Its URL without `https://`: conditions of trust policies are about `<issuer>:sub` and `<issuer>:aud`.
    #[named]
    pub issuer: P::Of<String>,
}

impl Reconcile for OidcProvider {
    const KIND: &'static str = "iam.oidc_provider";
    const DOC: &'static str = "An issuer of identity tokens that IAM trusts.";
    const CLOUDFORMATION: Option<&'static str> = Some("AWS::IAM::OIDCProvider");
    const TERRAFORM: &'static [Terraform] = &[Terraform { kind: "aws_iam_openid_connect_provider", id: "{url}" }];
    const ACTIONS: &'static [&'static str] = &[
        "iam:CreateOpenIDConnectProvider",
        "iam:DeleteOpenIDConnectProvider",
        "iam:ListOpenIDConnectProviders",
        "iam:GetOpenIDConnectProvider",
        "iam:AddClientIDToOpenIDConnectProvider",
        "iam:RemoveClientIDFromOpenIDConnectProvider",
        "iam:TagOpenIDConnectProvider",
        "iam:UntagOpenIDConnectProvider",
    ];
    // CreateFirst (the default): only another URL replaces it, and that is another provider.
    type Cloud = Aws;
    type Spec<P: Phase> = OidcProviderSpec<P>;
    type Outputs<P: Phase> = OidcProviderOutputs<P>;

    /// The end of its ARN; the beginning names the account, which a specification does not know.
    fn identity(spec: &OidcProviderSpec<Observed>) -> Option<Id> {
        Some(Id::new(issuer(spec.url.as_ref()?)))
    }

    async fn read(cloud: &Aws, which: Which<'_>) -> Result<Vec<Observation<Self>>, CallError> {
        let recorded = |id: &Id| Some((id.clone(), Arn::new(cloud.recorded_output(Self::KIND, id, "arn")?)));
        let recorded = match which {
            Which::Ids(ids) => ids.iter().map(recorded).collect(),
            Which::Owned(_) => None,
        };
        let all: Vec<(Id, Arn)> = match recorded {
            Some(recorded) => recorded,
            None => list(cloud).await?,
        };
        let mut found = Vec::new();
        for (id, arn) in all {
            // The list shows no tags: for what is owned all are asked, of which an account has a handful.
            if matches!(which, Which::Ids(ids) if !ids.contains(&id)) {
                continue;
            }
            let request = cloud.iam.get_open_id_connect_provider().open_id_connect_provider_arn(arn.as_str());
            let Some(provider) = request.send().await.found()? else { continue };
            let seen = observe(id, arn, &provider);
            if which.covers(&seen.id, seen.tags.as_ref().expect("providers have tags")) {
                found.push(seen);
            }
        }
        Ok(found)
    }

    async fn create(cloud: &Aws, spec: &OidcProviderSpec<Resolved>, creation: &Creation) -> Result<Id, CallError> {
        let request = cloud.iam.create_open_id_connect_provider().url(&spec.url);
        let request = request.set_client_id_list(Some(spec.client_ids.iter().cloned().collect()));
        request.set_tags(to_tags(&creation.tags)).send().await.sent()?;
        Ok(Id::new(issuer(&spec.url)))
    }

    async fn update(cloud: &Aws, step: &Step<'_, Self>) -> Result<(), CallError> {
        let arn = arn_of(cloud, step.id).await?;
        let (iam, arn) = (&cloud.iam, arn.as_str());
        let seen = step.seen.client_ids.clone().unwrap_or_default();
        for client in step.wanted.client_ids.difference(&seen) {
            let request = iam.add_client_id_to_open_id_connect_provider().open_id_connect_provider_arn(arn);
            request.client_id(client).send().await.sent()?;
        }
        for client in seen.difference(&step.wanted.client_ids) {
            let request = iam.remove_client_id_from_open_id_connect_provider().open_id_connect_provider_arn(arn);
            request.client_id(client).send().await.sent()?;
        }
        Ok(())
    }

    async fn tag(cloud: &Aws, id: &Id, set: &Tags, remove: &[String]) -> Result<(), CallError> {
        let arn = arn_of(cloud, id).await?;
        if !set.is_empty() {
            let request = cloud.iam.tag_open_id_connect_provider().open_id_connect_provider_arn(arn.as_str());
            request.set_tags(to_tags(set)).send().await.sent()?;
        }
        if !remove.is_empty() {
            let request = cloud.iam.untag_open_id_connect_provider().open_id_connect_provider_arn(arn.as_str());
            request.set_tag_keys(Some(remove.to_vec())).send().await.sent()?;
        }
        Ok(())
    }

    async fn delete(cloud: &Aws, id: &Id) -> Result<(), CallError> {
        let arn = arn_of(cloud, id).await?;
        let request = cloud.iam.delete_open_id_connect_provider().open_id_connect_provider_arn(arn.as_str());
        request.send().await.sent().map(drop)
    }
}

/// The URL as IAM names the provider by it.
fn issuer(url: &str) -> &str {
    url.strip_prefix("https://").unwrap_or(url)
}

/// All providers of the account, in one call that has no pages.
async fn list(cloud: &Aws) -> Result<Vec<(Id, Arn)>, CallError> {
    let answer = cloud.iam.list_open_id_connect_providers().send().await.sent()?;
    let arns = answer.open_id_connect_provider_list().iter().filter_map(|provider| provider.arn());
    Ok(arns.filter_map(|arn| Some((Id::new(arn.split_once(":oidc-provider/")?.1), Arn::new(arn)))).collect())
}

async fn arn_of(cloud: &Aws, id: &Id) -> Result<Arn, CallError> {
    let found = list(cloud).await?.into_iter().find(|(other, _)| other == id);
    found.map(|(_, arn)| arn).ok_or_else(|| {
        let message = format!("IAM lists no OIDC provider {id}");
        CallError::local("iam:ListOpenIDConnectProviders", "NoSuchEntity", message, Class::NotFound)
    })
}

fn observe(id: Id, arn: Arn, provider: &GetOpenIdConnectProviderOutput) -> Observation<OidcProvider> {
    let issuer = id.as_str().to_owned();
    Observation {
        tags: Some(tags(provider.tags())),
        readiness: Readiness::Ready,
        spec: OidcProviderSpec {
            // IAM gives the URL back without its scheme.
            url: Some(format!("https://{issuer}")),
            client_ids: Some(provider.client_id_list().iter().cloned().collect()),
        },
        outputs: Some(OidcProviderOutputs { arn, issuer }),
        id,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_read_as_aws_shows_it() {
        let sdk = GetOpenIdConnectProviderOutput::builder()
            .url("oidc.eks.us-east-1.amazonaws.com/id/ABC")
            .client_id_list("sts.amazonaws.com")
            .build();
        let id = Id::new("oidc.eks.us-east-1.amazonaws.com/id/ABC");
        let arn = Arn::new("arn:aws:iam::797923187401:oidc-provider/oidc.eks.us-east-1.amazonaws.com/id/ABC");
        let seen = observe(id.clone(), arn, &sdk);
        let url = "https://oidc.eks.us-east-1.amazonaws.com/id/ABC";
        assert_eq!(seen.spec.to_json(), serde_json::json!({"url": url, "client_ids": ["sts.amazonaws.com"]}));
        assert_eq!(seen.outputs.unwrap().issuer, "oidc.eks.us-east-1.amazonaws.com/id/ABC");
        let wanted = OidcProviderSpec::<Observed> { url: Some(url.to_owned()), client_ids: None };
        assert_eq!(OidcProvider::identity(&wanted), Some(id));
    }
}
