//! Values that Kubernetes and EKS give meaning to.

use schemars::{Schema, SchemaGenerator, json_schema};

use super::{Format, Why, characters, ensure, framed, known, length, lower, text};

text! {
    /// A Kubernetes version, major and minor: `1.35`. A text and not a number, for which 1.30 and 1.3 were the same.
    KubernetesVersion {
        format: "kubernetes-version",
        noun: "a Kubernetes version",
        rule: "a major and a minor version in quotes",
        example: "1.35",
        check: kubernetes_version,
    }
}

fn kubernetes_version(text: &str) -> Result<(), Why> {
    let minor = text.strip_prefix("1.");
    let two = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit()) && !part.starts_with('0');
    if minor.is_some_and(two) {
        return Ok(());
    }
    let version = text.strip_prefix('v').unwrap_or(text);
    let parts: Vec<_> = version.split('.').collect();
    if let ["1", minor, ..] = parts[..]
        && two(minor)
    {
        return Err(Why::new("EKS names versions without `v` and chooses the patch itself")
            .help(format!("write `\"1.{minor}\"`")));
    }
    Err(Why::new("EKS names versions by 1, a point and two digits"))
}

text! {
    /// A name in Kubernetes that is also a DNS label: of a namespace, a service, a service account.
    DnsLabel {
        format: "dns-label",
        noun: "a Kubernetes name",
        rule: "up to 63 lower-case letters, digits and hyphens",
        example: "fintech-prod",
        check: dns_label,
    }
}

fn dns_label(text: &str) -> Result<(), Why> {
    length(text, 1, 63)?;
    characters(text, lower)?;
    // Services are stricter than namespaces here (RFC 1035 against RFC 1123); one rule for both is easier to keep.
    ensure(text.starts_with(|first: char| first.is_ascii_lowercase()), "it does not begin with a letter")?;
    ensure(framed(text), "it ends with a hyphen")
}

text! {
    /// The name of a managed node group.
    NodeGroupName {
        format: "node-group-name",
        noun: "the name of a node group",
        rule: "up to 63 letters, digits, `-` and `_`, beginning with a letter or digit",
        example: "system-ng",
        check: node_group_name,
    }
}

fn node_group_name(text: &str) -> Result<(), Why> {
    length(text, 1, 63)?;
    characters(text, |character| character.is_ascii_alphanumeric() || "-_".contains(character))?;
    ensure(text.starts_with(|first: char| first.is_ascii_alphanumeric()), "it does not begin with a letter or digit")
}

text! {
    /// The name of an EKS add-on.
    AddonName {
        format: "addon-name",
        noun: "the name of an add-on",
        rule: "the name that `aws eks describe-addon-versions` shows",
        example: "metrics-server",
        check: addon_name,
    }
}

fn addon_name(text: &str) -> Result<(), Why> {
    length(text, 1, 100)?;
    characters(text, |character| lower(character) || character == '_')?;
    ensure(framed(text), "it does not begin and end with a letter or digit")
}

text! {
    /// The key of a Kubernetes label, with or without a prefix.
    LabelKey {
        format: "label-key",
        noun: "the key of a label",
        rule: "up to 63 letters, digits, `-`, `_` and `.`, with a domain and `/` before them if need be",
        example: "role",
        check: label_key,
    }
}

fn label_key(text: &str) -> Result<(), Why> {
    qualified(text)?;
    let prefix = text.split_once('/').map(|(prefix, _)| prefix).unwrap_or_default();
    let reserved = ["kubernetes.io", "k8s.io", "eks.amazonaws.com"]
        .iter()
        .any(|domain| prefix == *domain || prefix.strip_suffix(domain).is_some_and(|sub| sub.ends_with('.')));
    ensure(!reserved, "its prefix belongs to Kubernetes or EKS")
}

/// A name with or without a domain before it.
fn qualified(text: &str) -> Result<(), Why> {
    let name = match text.split_once('/') {
        Some((prefix, name)) => {
            length(prefix, 1, 253)?;
            characters(prefix, |character| lower(character) || character == '.')?;
            ensure(framed(prefix), "its prefix is not a domain")?;
            name
        }
        None => text,
    };
    length(name, 1, 63)?;
    label_characters(name)
}

text! {
    /// The key of a label of a namespace. Kubernetes has some of its own there, which say what pods may do.
    NamespaceLabelKey {
        format: "namespace-label-key",
        noun: "the key of a label",
        rule: "up to 63 letters, digits, `-`, `_` and `.`, with a domain and `/` before them if need be",
        example: "pod-security.kubernetes.io/enforce",
        check: namespace_label_key,
    }
}

fn namespace_label_key(text: &str) -> Result<(), Why> {
    qualified(text)?;
    let taken = ["kubernetes.io/metadata.name", "app.kubernetes.io/managed-by"].contains(&text);
    ensure(!taken, "it is set already")
}

text! {
    /// The value of a Kubernetes label.
    LabelValue {
        format: "label-value",
        noun: "the value of a label",
        rule: "up to 63 letters, digits, `-`, `_` and `.`",
        example: "system",
        check: label_value,
    }
}

fn label_value(text: &str) -> Result<(), Why> {
    length(text, 0, 63)?;
    if text.is_empty() { Ok(()) } else { label_characters(text) }
}

fn label_characters(text: &str) -> Result<(), Why> {
    characters(text, |character| character.is_ascii_alphanumeric() || "-_.".contains(character))?;
    ensure(framed(text), "it does not begin and end with a letter or digit")
}

/// The schema of a table of labels: schemars has no way to say what a key has to be.
pub(in crate::config) fn labels_schema(_: &mut SchemaGenerator) -> Schema {
    labels(&LabelKey::FORMAT)
}

/// The same for the labels of a namespace.
pub(in crate::config) fn namespace_labels_schema(_: &mut SchemaGenerator) -> Schema {
    labels(&NamespaceLabelKey::FORMAT)
}

fn labels(key: &Format) -> Schema {
    json_schema!({
        "type": "object",
        "propertyNames": key.schema(),
        "additionalProperties": LabelValue::FORMAT.schema(),
        "maxProperties": 50,
        "x-rule": "keys and values up to 63 letters, digits, `-`, `_` and `.`",
    })
}

known!(AddonName, DnsLabel, KubernetesVersion, LabelKey, LabelValue, NodeGroupName);
