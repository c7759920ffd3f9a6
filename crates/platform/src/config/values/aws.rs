//! Values that AWS services give meaning to.

use std::borrow::Cow;
use std::fmt;

use ipnet::Ipv4Net;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::account::account_id;
use super::{Why, characters, ensure, framed, known, length, lower, text, value};
use crate::config::error::Fault;

value! {
    /// An IPv4 address range.
    Ipv4Cidr(Ipv4Net) {
        format: "ipv4-cidr",
        noun: "an IPv4 range",
        rule: "an IPv4 range in CIDR form",
        example: "203.0.113.0/24",
        parse: cidr,
    }
}

impl Ipv4Cidr {
    pub(in crate::config) const ANYWHERE: Self = Self(Ipv4Net::new_assert(std::net::Ipv4Addr::UNSPECIFIED, 0));

    /// The range.
    pub const fn net(&self) -> Ipv4Net {
        self.0
    }
}

/// Reads a range, whose address has to be its first one: AWS stores that one, and would differ from the file for ever.
pub(in crate::config) fn cidr(text: &str) -> Result<Ipv4Net, Why> {
    if text.parse::<std::net::Ipv4Addr>().is_ok() {
        return Err(Why::new("it is one address without a length").help(format!("write `{text}/32` for this address")));
    }
    let net: Ipv4Net = text.parse().map_err(|_| Why::new("it is not four numbers, a slash and a length up to 32"))?;
    if net != net.trunc() {
        let start = net.trunc();
        return Err(Why::new(format!("a /{} does not begin at {}", net.prefix_len(), net.addr()))
            .help(format!("write `{start}`, the range that this address lies in")));
    }
    Ok(net)
}

text! {
    /// The id of an availability zone, the same in every account: `use1-az1`.
    ZoneId {
        format: "zone-id",
        noun: "a zone id",
        rule: "the id of an availability zone",
        example: "use1-az1",
        check: zone_id,
    }
}

fn zone_id(text: &str) -> Result<(), Why> {
    let digits = |part: &str| (1..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    let area = |part: &str| {
        let letters = part.trim_end_matches(|last: char| last.is_ascii_digit());
        (2..=6).contains(&letters.len())
            && letters.bytes().all(|byte| byte.is_ascii_lowercase())
            && digits(&part[letters.len()..])
    };
    if text.split_once("-az").is_some_and(|(before, number)| area(before) && digits(number)) {
        return Ok(());
    }
    let name = text.matches('-').count() == 2 && text.ends_with(|last: char| last.is_ascii_lowercase());
    if name {
        return Err(Why::new("it is a zone's name, which means another zone in every account")
            .help("write the id: `aws ec2 describe-availability-zones` lists them as ZoneId"));
    }
    Err(Why::new("a zone's id is a short form of the region, `-az` and a number"))
}

text! {
    /// The service part of an interface endpoint's name: `ecr.api` in `com.amazonaws.us-east-1.ecr.api`.
    EndpointService {
        format: "endpoint-service",
        noun: "a service with an interface endpoint",
        rule: "the last part of an endpoint's service name",
        example: "ecr.api",
        check: endpoint_service,
    }
}

fn endpoint_service(text: &str) -> Result<(), Why> {
    length(text, 1, 64)?;
    if let Some(rest) = text.strip_prefix("com.amazonaws.") {
        let service = rest.split_once('.').map_or(rest, |(_, service)| service);
        return Err(Why::new("the region's part is added by bedplate").help(format!("write `\"{service}\"`")));
    }
    if matches!(text, "s3" | "dynamodb") {
        return Err(Why::new("its gateway endpoint reaches it already, and costs nothing")
            .help("leave it out here; `gateway_endpoints` has it"));
    }
    characters(text, |character| lower(character) || character == '.')?;
    ensure(framed(text) && !text.contains(".."), "it does not begin and end with a letter or digit")
}

text! {
    /// The alias of a KMS key, without `alias/`.
    KeyAlias {
        format: "key-alias",
        noun: "a key's alias",
        rule: "letters, digits, `-`, `_` and `/`",
        example: "fintech-data-key",
        check: key_alias,
    }
}

fn key_alias(text: &str) -> Result<(), Why> {
    length(text, 1, 250)?;
    if let Some(rest) = text.strip_prefix("alias/") {
        return Err(Why::new("`alias/` is added by bedplate").help(format!("write `\"{rest}\"`")));
    }
    characters(text, |character| character.is_ascii_alphanumeric() || "-_/".contains(character))?;
    ensure(!text.starts_with("aws/"), "aliases that begin with `aws/` belong to AWS")
}

text! {
    /// The ARN of an IAM role or user.
    PrincipalArn {
        format: "principal-arn",
        noun: "the ARN of a role or user",
        rule: "the ARN of an IAM role or user",
        example: "arn:aws:iam::123456789012:role/platform-admin",
        check: principal_arn,
    }
}

fn principal_arn(text: &str) -> Result<(), Why> {
    let parts = arn(text)?;
    if parts.service == "sts" && parts.resource.starts_with("assumed-role/") {
        let role = parts.resource.split('/').nth(1).unwrap_or_default();
        return Err(Why::new("it is a session of a role, which ends").help(format!(
            "write the role itself, with its path if it has one: `arn:aws:iam::{}:role/{role}`",
            parts.account
        )));
    }
    ensure(parts.service == "iam" && parts.region.is_empty(), "it is not an ARN of IAM")?;
    let name = parts.resource.strip_prefix("role/").or_else(|| parts.resource.strip_prefix("user/"));
    ensure(
        name.is_some_and(|name| !name.is_empty() && !name.starts_with('/') && !name.ends_with('/')),
        "it names neither a role nor a user",
    )?;
    characters(parts.resource, |character| character.is_ascii_graphic())
}

text! {
    /// The ARN of a certificate in Certificate Manager.
    CertificateArn {
        format: "certificate-arn",
        noun: "the ARN of a certificate",
        rule: "the ARN of a certificate in Certificate Manager",
        example: "arn:aws:acm:us-east-1:123456789012:certificate/12345678-1234-1234-1234-123456789012",
        check: certificate_arn,
    }
}

impl CertificateArn {
    /// The region of the certificate.
    pub fn region(&self) -> &str {
        self.0.split(':').nth(3).unwrap_or_default()
    }

    /// The account of the certificate.
    pub fn account(&self) -> &str {
        self.0.split(':').nth(4).unwrap_or_default()
    }
}

fn certificate_arn(text: &str) -> Result<(), Why> {
    let parts = arn(text)?;
    ensure(parts.service == "acm" && !parts.region.is_empty(), "it is not an ARN of Certificate Manager")?;
    let id = parts.resource.strip_prefix("certificate/").unwrap_or_default();
    ensure(!id.is_empty(), "it names no certificate")?;
    characters(id, lower)
}

/// The parts of an ARN that rules look at.
struct Arn<'a> {
    service: &'a str,
    region: &'a str,
    account: &'a str,
    resource: &'a str,
}

fn arn(text: &str) -> Result<Arn<'_>, Why> {
    length(text, 1, 2048)?;
    let mut parts = text.splitn(6, ':');
    let mut next = || parts.next().unwrap_or_default();
    let (scheme, partition) = (next(), next());
    let arn = Arn { service: next(), region: next(), account: next(), resource: next() };
    ensure(scheme == "arn" && partition == "aws", "it does not begin with `arn:aws:`")?;
    account_id(arn.account).map_err(|_| Why::new("its fifth part is not an account of 12 digits"))?;
    Ok(arn)
}

text! {
    /// An EC2 instance type.
    InstanceType {
        format: "instance-type",
        noun: "an instance type",
        rule: "an EC2 instance type",
        example: "t3.medium",
        check: instance_type,
    }
}

fn instance_type(text: &str) -> Result<(), Why> {
    length(text, 1, 32)?;
    characters(text, |character| lower(character) || character == '.')?;
    let right =
        text.split_once('.').is_some_and(|(family, size)| framed(family) && framed(size) && !size.contains('.'));
    if right {
        return Ok(());
    }
    match text.strip_prefix("db.").or_else(|| text.strip_prefix("cache.")) {
        Some(rest) => Err(Why::new("it is the class of a database or cache").help(format!("write `\"{rest}\"`"))),
        None => Err(Why::new("an instance type is a family, a point and a size")),
    }
}

text! {
    /// The path of an HTTP request.
    HttpPath {
        format: "http-path",
        noun: "a path",
        rule: "a path that begins with `/`",
        example: "/healthz",
        check: http_path,
    }
}

fn http_path(text: &str) -> Result<(), Why> {
    length(text, 1, 1024)?;
    ensure(text.starts_with('/'), "it does not begin with `/`")?;
    characters(text, |character| character.is_ascii_graphic())
}

text! {
    /// The name of a security policy of Elastic Load Balancing.
    SslPolicy {
        format: "ssl-policy",
        noun: "a security policy",
        rule: "the name of a security policy of Elastic Load Balancing",
        example: "ELBSecurityPolicy-TLS13-1-2-2021-06",
        check: ssl_policy,
    }
}

fn ssl_policy(text: &str) -> Result<(), Why> {
    length(text, 1, 128)?;
    ensure(text.starts_with("ELBSecurityPolicy-"), "its name does not begin with `ELBSecurityPolicy-`")?;
    characters(text, |character| character.is_ascii_alphanumeric() || character == '-')
}

known!(EndpointService, HttpPath, InstanceType, KeyAlias, SslPolicy);

/// How many days CloudWatch Logs keeps a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct RetentionDays(u16);

impl RetentionDays {
    /// What CloudWatch Logs accepts (API reference, PutRetentionPolicy, `retentionInDays`).
    pub const ACCEPTED: [u16; 22] =
        [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

    pub(in crate::config) const THREE_MONTHS: Self = Self(90);
    pub(in crate::config) const ONE_YEAR: Self = Self(365);

    /// The number of days.
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl TryFrom<u16> for RetentionDays {
    type Error = Fault;

    fn try_from(days: u16) -> Result<Self, Self::Error> {
        if Self::ACCEPTED.contains(&days) {
            return Ok(Self(days));
        }
        let nearest = Self::ACCEPTED.into_iter().find(|accepted| *accepted > days).unwrap_or(3653);
        Err(Fault::new(
            format!("CloudWatch Logs cannot keep a log for {days} days"),
            "it accepts only some numbers of days",
            format!("write {nearest}, the nearest number that keeps it as long"),
        ))
    }
}

impl From<RetentionDays> for u16 {
    fn from(days: RetentionDays) -> Self {
        days.0
    }
}

impl fmt::Display for RetentionDays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl JsonSchema for RetentionDays {
    fn schema_name() -> Cow<'static, str> {
        "RetentionDays".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "enum": Self::ACCEPTED })
    }
}
