//! Values of the required settings.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::json;

use super::{Format, Why, characters, ensure, length, lower, text};
use crate::config::error::Fault;

text! {
    /// The name from which all others are derived: 3 to 24 lower-case letters, digits and single hyphens.
    ///
    /// 24 characters, because `<name>-data-lake-<account>-<region>` has to fit into the 63 of a bucket's name (the report's bucket has a
    /// longer one, and a rule of its own); single
    /// hyphens, because RDS and ElastiCache refuse two in a row.
    ProjectName {
        format: "project-name",
        noun: "a project name",
        rule: "3 to 24 lower-case letters, digits and hyphens, beginning with a letter",
        example: "fintechglobal",
        check: project_name,
    }
}

fn project_name(text: &str) -> Result<(), Why> {
    length(text, 3, 24)?;
    if let Some(upper) = text.chars().find(char::is_ascii_uppercase) {
        return Err(Why::new(format!("`{upper}` is a capital letter, which names of buckets cannot have")));
    }
    characters(text, lower)?;
    ensure(text.starts_with(|first: char| first.is_ascii_lowercase()), "it does not begin with a letter")?;
    ensure(!text.starts_with("sg-"), "names of security groups cannot begin with `sg-`")?;
    ensure(!text.starts_with("internal-"), "names of load balancers cannot begin with `internal-`")?;
    ensure(!text.ends_with('-') && !text.contains("--"), "names made from it would have two hyphens in a row")
}

text! {
    /// The code of an AWS region of the commercial partition, for example `us-east-1`.
    Region {
        format: "region",
        noun: "a region",
        rule: "the code of an AWS region",
        example: "us-east-1",
        check: region,
    }
}

fn region(text: &str) -> Result<(), Why> {
    length(text, 1, 20)?;
    if let Some(region) = text.strip_suffix(|last: char| last.is_ascii_lowercase())
        && region_code(region)
    {
        return Err(Why::new("it is the name of an availability zone").help(format!("write `{region}`")));
    }
    ensure(region_code(text), "a region's code is an area, a direction and a number, joined by hyphens")?;
    let elsewhere = ["us-gov-", "cn-", "us-iso", "eu-isoe-", "eusc-"].iter().any(|prefix| text.starts_with(prefix));
    if elsewhere {
        return Err(Why::new("it lies in another partition of AWS, which does not know the budgets in us-east-1")
            .help("choose a region of the commercial partition, for example `us-east-1`"));
    }
    Ok(())
}

fn region_code(text: &str) -> bool {
    let mut parts = text.split('-').rev();
    let number = parts.next().is_some_and(|part| matches!(part.as_bytes(), [b'1'..=b'9']));
    let words: Vec<_> = parts.collect();
    number
        && words.len() >= 2
        && words.iter().all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase()))
}

text! {
    /// The twelve digits of an AWS account. A text and not a number: some begin with zero.
    AccountId {
        format: "account-id",
        noun: "an account id",
        rule: "the account's 12 digits in quotes",
        example: "123456789012",
        check: account_id,
    }
}

pub(super) fn account_id(text: &str) -> Result<(), Why> {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    if digits.len() == 12 && digits.len() + text.matches(['-', ' ']).count() == text.len() && digits != text {
        return Err(Why::new("AWS shows it in groups, but takes it without them").help(format!("write `\"{digits}\"`")));
    }
    characters(text, |character| character.is_ascii_digit())?;
    ensure(text.len() == 12, &format!("it has {} digits instead of 12", text.len()))
}

text! {
    /// An e-mail address that can also be the value of a tag.
    Email {
        format: "email-address",
        noun: "an e-mail address",
        rule: "one e-mail address",
        example: "team-platform@example.com",
        check: email,
    }
}

fn email(text: &str) -> Result<(), Why> {
    length(text, 1, 254)?;
    // The characters that addresses and values of tags have in common: the address is the value of the `Owner` tag.
    characters(text, |character| character.is_ascii_alphanumeric() || "+-=._/@".contains(character))?;
    let Some((local, domain)) = text.split_once('@') else {
        return Err(Why::new("it has no `@`"));
    };
    ensure(!local.is_empty(), "nothing stands before the `@`")?;
    ensure(!domain.contains('@'), "it has more than one `@`")?;
    let labels: Vec<_> = domain.split('.').collect();
    let right = labels
        .iter()
        .all(|label| super::framed(label) && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'));
    ensure(labels.len() >= 2 && right, "no domain such as `example.com` stands after the `@`")
}

/// An amount of US dollars, kept as the decimal number it was written as: no rounding, no trailing zeros added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Amount(String);

impl Amount {
    pub(in crate::config) const FORMAT: Format = Format {
        name: "usd-amount",
        noun: "an amount of US dollars",
        rule: "an amount in dollars, with cents after a point if need be",
        example: "5000",
        check: amount,
    };

    /// The amount as a number.
    pub fn dollars(&self) -> f64 {
        // Every text that the rule accepts is one.
        self.0.parse().unwrap_or_default()
    }

    /// The amount as AWS Budgets takes it, for example `5000` or `99.50`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// At most twelve digits and two after the point: few enough that a TOML float holds the amount exactly.
fn amount(text: &str) -> Result<(), Why> {
    if let Some(bare) = text.strip_prefix('$') {
        return Err(Why::new("the currency is US dollars already").help(format!("write `\"{}\"`", bare.trim())));
    }
    if text.contains(',') {
        return Err(Why::new("`,` may separate thousands or cents").help("write `5000` or `5000.50`"));
    }
    ensure(!text.starts_with('-'), "it is less than zero")?;
    let (whole, cents) = text.split_once('.').unwrap_or((text, "00"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    ensure(digits(whole) && digits(cents), "it is not a decimal number")?;
    ensure(whole.len() <= 12, "it has more than 12 digits")?;
    ensure(cents.len() <= 2, "it is more exact than a cent")?;
    ensure(text.bytes().any(|byte| matches!(byte, b'1'..=b'9')), "a budget of zero is used up at once")
}

impl std::str::FromStr for Amount {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::FORMAT.fault(text).map(|()| Self(text.to_owned()))
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl JsonSchema for Amount {
    fn schema_name() -> Cow<'static, str> {
        "Amount".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let mut schema = Self::FORMAT.schema();
        schema.insert("type".to_owned(), json!(["string", "number"]));
        schema
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AmountVisitor)
    }
}

/// Takes a text or a number; the number by its shortest decimal form, which is the written one.
struct AmountVisitor;

impl de::Visitor<'_> for AmountVisitor {
    type Value = Amount;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Amount::FORMAT.rule)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Amount, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Amount, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Amount, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Amount, E> {
        self.visit_str(&number.to_string())
    }
}
