//! The kinds of values that settings have, each with the rule that a text has to follow to be one.

mod account;
mod aws;
mod data;
mod kubernetes;

use schemars::Schema;
use serde_json::json;

pub use self::account::{AccountId, Amount, Email, ProjectName, Region};
pub use self::aws::{
    CertificateArn, EndpointService, HttpPath, InstanceType, Ipv4Cidr, KeyAlias, PrincipalArn, RetentionDays,
    SslPolicy, ZoneId,
};
pub use self::data::{
    AttributeName, AuroraVersion, CacheClass, DailyWindow, DatabaseClass, DatabaseName, DatabaseUser, ObjectPrefix,
    RedisVersion, SecretPrefix, TableName, WeeklyWindow,
};
pub use self::kubernetes::{
    AddonName, DnsLabel, KubernetesVersion, LabelKey, LabelValue, NamespaceLabelKey, NodeGroupName,
};

pub(super) use self::aws::cidr;
pub(super) use self::kubernetes::{labels_schema, namespace_labels_schema};

use super::error::{Fault, shown};

/// The rule of one kind of value, under the name that the schema's `format` has for it.
pub(super) struct Format {
    pub(super) name: &'static str,
    /// What a value is called, with its article.
    pub(super) noun: &'static str,
    /// What a text has to be, after "write".
    pub(super) rule: &'static str,
    pub(super) example: &'static str,
    pub(super) check: fn(&str) -> Result<(), Why>,
}

/// Every rule; a format of the schema that is missing here fails a test.
static FORMATS: [&Format; 39] = [
    &AccountId::FORMAT,
    &AddonName::FORMAT,
    &Amount::FORMAT,
    &AttributeName::FORMAT,
    &AuroraVersion::FORMAT,
    &CacheClass::FORMAT,
    &CertificateArn::FORMAT,
    &DailyWindow::FORMAT,
    &DatabaseClass::FORMAT,
    &DatabaseName::FORMAT,
    &DatabaseUser::FORMAT,
    &DnsLabel::FORMAT,
    &Email::FORMAT,
    &EndpointService::FORMAT,
    &HttpPath::FORMAT,
    &InstanceType::FORMAT,
    &Ipv4Cidr::FORMAT,
    &KeyAlias::FORMAT,
    &KubernetesVersion::FORMAT,
    &LabelKey::FORMAT,
    &LabelValue::FORMAT,
    &NamespaceLabelKey::FORMAT,
    &NodeGroupName::FORMAT,
    &ObjectPrefix::FORMAT,
    &PrincipalArn::FORMAT,
    &ProjectName::FORMAT,
    &RedisVersion::FORMAT,
    &Region::FORMAT,
    &SecretPrefix::FORMAT,
    &SslPolicy::FORMAT,
    &TableName::FORMAT,
    &WeeklyWindow::FORMAT,
    &ZoneId::FORMAT,
    &super::cidr::VpcCidr::FORMAT,
    &super::costs::BilledService::FORMAT,
    &super::organization::OrganizationTarget::FORMAT,
    &super::organization::RoleName::FORMAT,
    &super::tags::TagKey::FORMAT,
    &super::tags::TagValue::FORMAT,
];

impl Format {
    /// The rule that the schema calls `name`.
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        FORMATS.into_iter().find(|format| format.name == name)
    }

    /// What is wrong with a text, if anything.
    pub(super) fn fault(&self, text: &str) -> Result<(), Fault> {
        (self.check)(text).map_err(|why| self.explain(text, why))
    }

    /// A message about a text that breaks the rule.
    pub(super) fn explain(&self, text: &str, Why { why, help }: Why) -> Fault {
        let help = help.unwrap_or_else(|| format!("write {}, for example `{}`", self.rule, self.example));
        Fault::new(format!("`{}` is not {}", shown(text), self.noun), why, help)
    }

    /// The schema of a value of this kind.
    pub(super) fn schema(&self) -> Schema {
        let mut schema = Schema::default();
        schema.insert("type".to_owned(), json!("string"));
        schema.insert("format".to_owned(), json!(self.name));
        schema.insert("x-rule".to_owned(), json!(self.rule));
        schema.insert("examples".to_owned(), json!([self.example]));
        schema
    }
}

/// Why a text breaks a rule, and what to do if that is more than the rule itself says.
#[derive(Debug)]
pub(super) struct Why {
    why: String,
    help: Option<String>,
}

impl Why {
    pub(super) fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), help: None }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Declares a kind of value: a type that holds only what its rule accepts, and the rule as `FORMAT`.
macro_rules! value {
    (
        $(#[$meta:meta])*
        $name:ident($inner:ty) {
            format: $format:literal,
            noun: $noun:literal,
            rule: $rule:literal,
            example: $example:literal,
            parse: $parse:path,
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name($inner);

        impl $name {
            pub(in crate::config) const FORMAT: crate::config::values::Format = crate::config::values::Format {
                name: $format,
                noun: $noun,
                rule: $rule,
                example: $example,
                check: |text| $parse(text).map(drop),
            };
        }

        impl std::str::FromStr for $name {
            type Err = crate::config::error::Fault;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $parse(text).map(Self).map_err(|why| Self::FORMAT.explain(text, why))
            }
        }

        impl TryFrom<String> for $name {
            type Error = crate::config::error::Fault;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0.to_string()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                Self::FORMAT.schema()
            }
        }
    };
}

/// A [`value`] that is a text itself.
macro_rules! text {
    (
        $(#[$meta:meta])*
        $name:ident {
            format: $format:literal,
            noun: $noun:literal,
            rule: $rule:literal,
            example: $example:literal,
            check: $check:path,
        }
    ) => {
        crate::config::values::value! {
            $(#[$meta])*
            $name(String) {
                format: $format,
                noun: $noun,
                rule: $rule,
                example: $example,
                parse: Self::parse,
            }
        }

        impl $name {
            fn parse(text: &str) -> Result<String, crate::config::values::Why> {
                $check(text).map(|()| text.to_owned())
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
    };
}

/// Gives texts a constructor for the defaults in this program, which a test holds to the rules.
macro_rules! known {
    ($($name:ident),*) => {
        $(impl $name {
            pub(in crate::config) fn known(text: &'static str) -> Self {
                Self(text.to_owned())
            }
        })*
    };
}

pub(super) use {known, text, value};

/// Accepts `min` to `max` characters.
pub(super) fn length(text: &str, min: usize, max: usize) -> Result<(), Why> {
    match text.chars().count() {
        0 if min > 0 => Err(Why::new("it is empty")),
        count if count < min => Err(Why::new(format!("it has {count} characters; it needs at least {min}"))),
        count if count > max => Err(Why::new(format!("it has {count} characters; at most {max} fit"))),
        _ => Ok(()),
    }
}

/// Accepts a text in which every character is `allowed`, and otherwise names the first that is not.
pub(super) fn characters(text: &str, allowed: impl Fn(char) -> bool) -> Result<(), Why> {
    match text.chars().find(|character| !allowed(*character)) {
        Some(' ') => Err(Why::new("it has a space in it")),
        Some(character) => Err(Why::new(format!("`{}` is not allowed in it", shown(&character.to_string())))),
        None => Ok(()),
    }
}

/// Accepts a text that is `right`.
pub(super) fn ensure(right: bool, why: &str) -> Result<(), Why> {
    if right { Ok(()) } else { Err(Why::new(why)) }
}

/// Lower-case ASCII letters, digits and hyphens.
pub(super) fn lower(character: char) -> bool {
    matches!(character, 'a'..='z' | '0'..='9' | '-')
}

/// Whether a text begins and ends with a letter or digit.
pub(super) fn framed(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.ends_with(|last: char| last.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests;
