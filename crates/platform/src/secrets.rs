//! The application's secrets, apart from the database's, which RDS makes. Nobody sees their values here: Secrets Manager
//! draws them, or the operator puts them in.

use crate::{
    Layers,
    cost::{Cost, Declared},
    promise::{Promise, given},
};
use bedplate_aws::{
    Arn,
    secrets::{InitialValue, RandomText, Secret, SecretOutputs, SecretSpec},
};
use bedplate_model::{Draft, Input, Reconcile};
use std::collections::BTreeMap;

/// The secrets.
pub(crate) struct Secrets {
    /// The cache's password.
    pub(crate) redis_auth: SecretOutputs<Draft>,
    /// All of them.
    pub(crate) arns: Vec<Input<Arn>>,
}

/// Declares the layer.
pub(crate) fn declare(layers: &mut Layers<'_>, key: &Input<Arn>) -> Secrets {
    let settings = &layers.config.secrets;
    // Letters and digits only: ElastiCache and URLs take few others, and the length makes up for it.
    let random = |length: u16| {
        let text = RandomText { length, exclude_punctuation: true, exclude_characters: String::new(), template: None };
        InitialValue::Random(text)
    };
    let here = ("example-service".to_owned(), "put the key here, and others beside it".to_owned());
    let placeholder = InitialValue::Placeholder(BTreeMap::from([here]));

    let auth = random(settings.redis_auth_length);
    let redis_auth = secret(layers, "redis-auth", settings.redis_auth(), "The password of the cache", auth, key);
    let keys = "Keys of other services, which the operator fills in";
    let api_keys = secret(layers, "api-keys", settings.api_keys(), keys, placeholder, key);
    let encryption = random(settings.encryption_key_length);
    let name = settings.encryption_key();
    let encryption_key =
        secret(layers, "encryption-key", name, "The application's own encryption key", encryption, key);

    layers.graph.output("redis_secret_arn", &redis_auth.arn);
    let arns = vec![redis_auth.arn.clone(), api_keys.arn, encryption_key.arn];
    Secrets { redis_auth, arns }
}

fn secret(
    layers: &mut Layers<'_>,
    address: &str,
    name: String,
    description: &str,
    value: InitialValue,
    key: &Input<Arn>,
) -> SecretOutputs<Draft> {
    let spec = SecretSpec {
        name: name.into(),
        description: description.into(),
        kms_key: key.cast(),
        initial_value: value.into(),
        recovery_window_days: layers.config.secrets.recovery_window_days.into(),
    };
    layers.graph.add::<Secret>(&format!("secrets/{address}"), spec)
}

/// What the layer costs ("AWS Secrets Manager pricing").
pub(crate) fn costs(declared: &Declared<'_>) -> Vec<Cost> {
    vec![Cost::monthly("secrets", declared.count::<Secret>("secrets"), 0.40)]
}

/// What comes on top.
pub(crate) const COSTS_ON_TOP: &str = "requests";

/// What protects the secrets.
pub(crate) const PROMISES: &[Promise] =
    &[Promise::new("secrets are encrypted with the key", "secrets", Secret::KIND, |secret, _| {
        given(secret, "kms_key")
    })];
