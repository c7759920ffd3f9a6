//! A secret. Its value never passes through a specification, an output or the state.

use super::Sensitive;
use crate::{Arn, Aws, at_once::at_once, error::Sent};
use aws_sdk_secretsmanager::{
    operation::describe_secret::DescribeSecretOutput,
    types::{Filter, FilterNameStringType, Tag},
};
use bedplate_model::{
    CallError, Class, Creation, Id, Observation, Observed, Owner, Phase, Readiness, Reconcile, Record, Resolved, Step,
    TAG_STACK, Tags, Terraform, Which,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Secrets Manager asks for the recovery window only when the secret is deleted, and keeps it nowhere before: the secret
/// carries it in a tag of its own. `read` shows it as the field it is.
const TAG_WINDOW: &str = "bedplate:recovery-window";

/// What Secrets Manager itself takes when it is not told.
const DEFAULT_WINDOW: i64 = 30;

/// The label of the version that is read when no other is asked for.
const CURRENT: &str = "AWSCURRENT";

/// A secret.
///
/// Deleting one only schedules the deletion. A secret that waits for it does not exist for the engine, but keeps its name:
/// `create` takes it back, with its value, when it stood at the same address of the same stack.
#[derive(Debug)]
pub enum Secret {}

/// Settings of a secret.
#[derive(Clone, Debug, Record)]
pub struct SecretSpec<P: Phase> {
    /// Its name, 1 to 512 characters of letters, digits and `/_+=.@-`.
    #[refuse]
    pub name: P::Of<String>,
    /// What it is for. Up to 2048 characters.
    pub description: P::Of<String>,
    /// The ARN of the key its value is encrypted with; none takes Secrets Manager's own.
    #[aws("KmsKeyId")]
    pub kms_key: P::Of<Option<Arn>>,
    /// What it holds at first. Only the creation looks at it: a later value is the operator's and is never overwritten.
    #[aws("GenerateSecretString")]
    pub initial_value: P::Of<InitialValue>,
    /// Days it can be taken back after its deletion, 7 to 30; 0 deletes it at once and for good.
    #[aws(none)]
    pub recovery_window_days: P::Of<u8>,
}

/// Outputs of a secret.
#[derive(Clone, Debug, Record)]
pub struct SecretOutputs<P: Phase> {
    /// Its ARN, which ends in six random characters.
    pub arn: P::Of<Arn>,
    /// Its name.
    #[named]
    pub name: P::Of<String>,
    /// The id of its current version. Another one means another value.
    pub version_id: P::Of<String>,
}

/// What a secret holds at first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InitialValue {
    /// A text that Secrets Manager draws.
    Random(RandomText),
    /// A JSON object whose values say what the operator has to fill in. Nothing secret.
    Placeholder(BTreeMap<String, String>),
}

/// A text that Secrets Manager draws.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RandomText {
    /// How many characters it has, 1 to 4096.
    pub length: u16,
    /// Whether it has no punctuation.
    pub exclude_punctuation: bool,
    /// Further characters it does not have.
    pub exclude_characters: String,
    /// The JSON object it is put into; none makes the text the whole value.
    pub template: Option<Template>,
}

/// A JSON object that a drawn text is put into.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    /// What else is in it. Nothing secret.
    pub fields: BTreeMap<String, String>,
    /// The key under which the drawn text stands.
    pub key: String,
}

impl Reconcile for Secret {
    const KIND: &'static str = "secrets.secret";
    const DOC: &'static str = "A secret.";
    const CLOUDFORMATION: Option<&'static str> = Some("AWS::SecretsManager::Secret");
    const TERRAFORM: &'static [Terraform] = &[Terraform { kind: "aws_secretsmanager_secret", id: "{name}" }];
    const ACTIONS: &'static [&'static str] = &[
        "secretsmanager:CreateSecret",
        "secretsmanager:DeleteSecret",
        "secretsmanager:DescribeSecret",
        "secretsmanager:GetRandomPassword",
        "secretsmanager:ListSecrets",
        "secretsmanager:PutSecretValue",
        "secretsmanager:RestoreSecret",
        "secretsmanager:TagResource",
        "secretsmanager:UntagResource",
        "secretsmanager:UpdateSecret",
        // Secrets Manager uses the key with the caller's rights.
        "kms:Decrypt",
        "kms:GenerateDataKey",
    ];
    type Cloud = Aws;
    type Spec<P: Phase> = SecretSpec<P>;
    type Outputs<P: Phase> = SecretOutputs<P>;

    fn identity(spec: &SecretSpec<Observed>) -> Option<Id> {
        spec.name.as_ref().map(Id::new)
    }

    async fn read(cloud: &Aws, which: Which<'_>) -> Result<Vec<Observation<Self>>, CallError> {
        let mut names = Vec::new();
        match which {
            Which::Ids(ids) => names.extend(ids.iter().map(|id| id.as_str().to_owned())),
            // The filters match beginnings, each for itself.
            Which::Owned(stack) => {
                let filter = |key, value: &str| Filter::builder().key(key).values(value).build();
                let request = cloud.secrets.list_secrets().filters(filter(FilterNameStringType::TagKey, TAG_STACK));
                let request = request.filters(filter(FilterNameStringType::TagValue, stack.as_str()));
                let mut pages = request.into_paginator().send();
                while let Some(page) = pages.next().await {
                    names.extend(
                        page.sent()?.secret_list.unwrap_or_default().into_iter().filter_map(|entry| entry.name),
                    );
                }
            }
        }
        let secrets = at_once(names.iter().map(|name| describe(cloud, name))).await?;
        let seen = secrets.iter().flatten().filter_map(observe);
        Ok(seen.filter(|seen| which.covers(&seen.id, seen.tags.as_ref().unwrap_or(&Tags::new()))).collect())
    }

    async fn create(cloud: &Aws, spec: &SecretSpec<Resolved>, creation: &Creation) -> Result<Id, CallError> {
        let id = Id::new(&spec.name);
        let tags = to_tags(&creation.tags, spec.recovery_window_days);
        match describe(cloud, &spec.name).await? {
            Some(before) if is_of(&before, &creation.owner) => {
                if before.deleted_date.is_some() {
                    cloud.secrets.restore_secret().secret_id(&spec.name).send().await.sent()?;
                }
                cloud.secrets.tag_resource().secret_id(&spec.name).set_tags(Some(tags)).send().await.sent()?;
                if current_version(&before).is_none() {
                    let value = draw(cloud, &spec.initial_value).await?;
                    let request = cloud.secrets.put_secret_value().secret_id(&spec.name);
                    let request = request.client_request_token(&creation.token).secret_string(value.expose());
                    request.send().await.sent().map_err(|error| value.redact(error))?;
                }
                return Ok(id);
            }
            Some(before) if before.deleted_date.is_some() => {
                return Err(CallError::local(
                    "secretsmanager:CreateSecret",
                    "ScheduledForDeletion",
                    format!("a secret of the name {id} that does not belong here waits for its deletion"),
                    Class::Foreign,
                ));
            }
            _ => {}
        }
        let value = draw(cloud, &spec.initial_value).await?;
        let request = cloud.secrets.create_secret().name(&spec.name).description(&spec.description);
        let request = request.set_kms_key_id(spec.kms_key.clone().map(String::from)).set_tags(Some(tags));
        let request = request.client_request_token(&creation.token).secret_string(value.expose());
        request.send().await.sent().map_err(|error| value.redact(error))?;
        Ok(id)
    }

    async fn update(cloud: &Aws, step: &Step<'_, Self>) -> Result<(), CallError> {
        let (name, wanted) = (step.id.as_str(), step.wanted);
        if step.changes(&["description", "kms_key"]) {
            let request = cloud.secrets.update_secret().secret_id(name).description(&wanted.description);
            // An empty text stands for Secrets Manager's own key. What is not sent stays.
            let key = || wanted.kms_key.as_ref().map_or("", Arn::as_str).to_owned();
            let request = request.set_kms_key_id(step.changes(&["kms_key"]).then(key));
            request.client_request_token(&step.creation.token).send().await.sent()?;
        }
        if step.changes(&["recovery_window_days"]) {
            let tags = to_tags(&Tags::new(), wanted.recovery_window_days);
            cloud.secrets.tag_resource().secret_id(name).set_tags(Some(tags)).send().await.sent()?;
        }
        Ok(())
    }

    async fn tag(cloud: &Aws, id: &Id, set: &Tags, remove: &[String]) -> Result<(), CallError> {
        if !set.is_empty() {
            let tags = set.iter().map(|(key, value)| to_tag(key, value)).collect();
            cloud.secrets.tag_resource().secret_id(id.as_str()).set_tags(Some(tags)).send().await.sent()?;
        }
        if !remove.is_empty() {
            let request = cloud.secrets.untag_resource().secret_id(id.as_str());
            request.set_tag_keys(Some(remove.to_vec())).send().await.sent()?;
        }
        Ok(())
    }

    async fn delete(cloud: &Aws, id: &Id) -> Result<(), CallError> {
        let secret = describe(cloud, id.as_str()).await?.filter(|secret| secret.deleted_date.is_none());
        let Some(secret) = secret else { return Ok(()) };
        let window = tags(&secret).get(TAG_WINDOW).and_then(|days| days.parse().ok()).unwrap_or(DEFAULT_WINDOW);
        let request = cloud.secrets.delete_secret().secret_id(id.as_str());
        let request = match window {
            0 => request.force_delete_without_recovery(true),
            days => request.recovery_window_in_days(days),
        };
        request.send().await.sent().map(drop)
    }

    fn tolerate(wanted: &SecretSpec<Observed>, seen: &mut SecretSpec<Observed>) {
        // It is of the past.
        seen.initial_value = wanted.initial_value.clone();
    }
}

/// The secret of this name, also when it waits for its deletion.
async fn describe(cloud: &Aws, name: &str) -> Result<Option<DescribeSecretOutput>, CallError> {
    cloud.secrets.describe_secret().secret_id(name).send().await.found()
}

/// What a new secret holds.
async fn draw(cloud: &Aws, initial: &InitialValue) -> Result<Sensitive, CallError> {
    let random = match initial {
        InitialValue::Placeholder(fields) => return Ok(Sensitive::new(serde_json::json!(fields).to_string())),
        InitialValue::Random(random) => random,
    };
    let request = cloud.secrets.get_random_password().password_length(random.length.into());
    let request = request.exclude_punctuation(random.exclude_punctuation);
    let excluded = Some(random.exclude_characters.clone()).filter(|excluded| !excluded.is_empty());
    let drawn = request.set_exclude_characters(excluded).send().await.sent()?.random_password;
    let drawn = drawn.ok_or_else(|| CallError::malformed("secretsmanager:GetRandomPassword", "RandomPassword"))?;
    Ok(Sensitive::new(fill(random.template.as_ref(), drawn)))
}

/// The drawn text in its template.
fn fill(template: Option<&Template>, drawn: String) -> String {
    let Some(template) = template else { return drawn };
    let mut fields = template.fields.clone();
    fields.insert(template.key.clone(), drawn);
    serde_json::json!(fields).to_string()
}

/// Whether it stood at this address of this stack, in whatever generation.
fn is_of(secret: &DescribeSecretOutput, owner: &Owner) -> bool {
    Owner::from_tags(&tags(secret)).is_some_and(|before| before.stack == owner.stack && before.address == owner.address)
}

fn current_version(secret: &DescribeSecretOutput) -> Option<&str> {
    let mut versions = secret.version_ids_to_stages()?.iter();
    versions.find(|(_, stages)| stages.iter().any(|stage| stage == CURRENT)).map(|(version, _)| version.as_str())
}

fn tags(secret: &DescribeSecretOutput) -> Tags {
    let pairs = secret.tags().iter().filter_map(|tag| Some((tag.key()?.to_owned(), tag.value()?.to_owned())));
    pairs.filter(|(key, _)| !key.starts_with("aws:")).collect()
}

fn to_tags(tags: &Tags, window: u8) -> Vec<Tag> {
    let window = (TAG_WINDOW.to_owned(), window.to_string());
    tags.iter().chain([(&window.0, &window.1)]).map(|(key, value)| to_tag(key, value)).collect()
}

fn to_tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build()
}

fn observe(secret: &DescribeSecretOutput) -> Option<Observation<Secret>> {
    let name = secret.name().filter(|_| secret.deleted_date().is_none())?;
    let mut tags = tags(secret);
    // Without the tag it reads as 255, which no setting is: so it is written.
    let window = tags.remove(TAG_WINDOW).and_then(|days| days.parse().ok()).unwrap_or(u8::MAX);
    Some(Observation {
        id: Id::new(name),
        tags: Some(tags),
        readiness: Readiness::Ready,
        spec: SecretSpec {
            name: Some(name.to_owned()),
            description: Some(secret.description().unwrap_or_default().to_owned()),
            kms_key: Some(secret.kms_key_id().map(Arn::new)),
            initial_value: None,
            recovery_window_days: Some(window),
        },
        outputs: secret.arn().zip(current_version(secret)).map(|(arn, version)| SecretOutputs {
            arn: Arn::new(arn),
            name: name.to_owned(),
            version_id: version.to_owned(),
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_secretsmanager::primitives::DateTime;
    use serde_json::json;

    #[test]
    fn a_secret_is_read_as_aws_shows_it() {
        let sdk = DescribeSecretOutput::builder()
            .name("fintech/redis-auth")
            .arn("arn:aws:secretsmanager:us-east-1:797923187401:secret:fintech/redis-auth-AbCdEf")
            .description("auth")
            .kms_key_id("arn:aws:kms:us-east-1:797923187401:key/k")
            .version_ids_to_stages("old", vec!["AWSPREVIOUS".to_owned()])
            .version_ids_to_stages("new", vec![CURRENT.to_owned()])
            .tags(to_tag("Name", "x"))
            .tags(to_tag(TAG_WINDOW, "7"));
        let seen = observe(&sdk.clone().build()).unwrap();
        assert_eq!(
            seen.spec.to_json(),
            json!({
                "name": "fintech/redis-auth", "description": "auth",
                "kms_key": "arn:aws:kms:us-east-1:797923187401:key/k", "recovery_window_days": 7,
            })
        );
        assert_eq!(seen.tags.unwrap(), Tags::from([("Name".into(), "x".into())]));
        assert_eq!(seen.outputs.unwrap().version_id, "new");

        assert!(observe(&sdk.deleted_date(DateTime::from_secs(0)).build()).is_none());
    }

    #[test]
    fn a_drawn_text_is_put_into_its_template() {
        let template = Template { fields: [("user".to_owned(), "a".to_owned())].into(), key: "password".to_owned() };
        assert_eq!(fill(Some(&template), "p\"w".to_owned()), r#"{"password":"p\"w","user":"a"}"#);
        assert_eq!(fill(None, "pw".to_owned()), "pw");
    }

    #[test]
    fn the_initial_value_is_no_difference_later() {
        let sdk = DescribeSecretOutput::builder().name("s").build();
        let mut seen = observe(&sdk).unwrap().spec;
        let wanted = SecretSpec { initial_value: Some(InitialValue::Placeholder(BTreeMap::new())), ..seen.clone() };
        Secret::tolerate(&wanted, &mut seen);
        assert_eq!(seen.initial_value, wanted.initial_value);
    }
}
