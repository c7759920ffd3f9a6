//! The `[tags]` table.

use std::collections::BTreeMap;

use schemars::{Schema, SchemaGenerator, json_schema};

use super::error::{Fault, Finding};
use super::values::{Why, characters, ensure, length, text};

/// Of the 50 tags that AWS allows per resource, those that are left beside ours and the engine's.
const MAX_TAGS: usize = 40;

/// Tags that every resource has anyway, and the setting that gives each its value.
const OWN: [(&str, &str); 3] = [("Environment", "environment"), ("Project", "project_name"), ("Owner", "alert_email")];

text! {
    /// The key of a tag: 1 to 128 letters, digits, spaces and `+ - = . _ : / @`, without a space at either end.
    ///
    /// Source: Tagging AWS Resources user guide, "Tag naming limits and requirements".
    TagKey {
        format: "tag-key",
        noun: "the key of a tag",
        rule: "up to 128 letters, digits, spaces and `+ - = . _ : / @`",
        example: "CostCenter",
        check: tag_key,
    }
}

fn tag_key(text: &str) -> Result<(), Why> {
    length(text, 1, 128)?;
    characters(text, tag_character)?;
    trimmed(text)?;
    reserved(text, &["aws:", "bedplate:"])
}

text! {
    /// The value of a tag: 1 to 256 letters, digits, spaces and `+ - = . _ : / @`, without a space at either end.
    ///
    /// Most services take an empty one; Application Auto Scaling refuses it ("Tag values cannot be empty or blank").
    TagValue {
        format: "tag-value",
        noun: "the value of a tag",
        rule: "up to 256 letters, digits, spaces and `+ - = . _ : / @`",
        example: "4711",
        check: tag_value,
    }
}

fn tag_value(text: &str) -> Result<(), Why> {
    length(text, 1, 256)?;
    characters(text, tag_character)?;
    trimmed(text)?;
    reserved(text, &["aws:"])
}

fn tag_character(character: char) -> bool {
    character.is_alphanumeric() || " +-=._:/@".contains(character)
}

/// Cost Explorer takes spaces at the ends away (API reference, "ResourceTag"): the tag would differ for ever.
fn trimmed(text: &str) -> Result<(), Why> {
    ensure(text.trim() == text, "it begins or ends with a space, which not every service keeps")
}

fn reserved(text: &str, prefixes: &[&str]) -> Result<(), Why> {
    let lower = text.to_ascii_lowercase();
    match prefixes.iter().find(|prefix| lower.starts_with(**prefix)) {
        Some(prefix @ &"aws:") => Err(Why::new(format!("what begins with `{prefix}` belongs to AWS"))),
        Some(prefix) => Err(Why::new(format!("what begins with `{prefix}` says which stack a resource belongs to"))
            .help("choose another beginning")),
        None => Ok(()),
    }
}

/// The schema of the table: schemars has no way to say what a key has to be.
pub(super) fn schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "propertyNames": TagKey::FORMAT.schema(),
        "additionalProperties": TagValue::FORMAT.schema(),
        "maxProperties": MAX_TAGS,
        "x-rule": "keys up to 128 and values up to 256 letters, digits, spaces and `+ - = . _ : / @`",
    })
}

/// Keys that IAM, which does not tell `owner` from `Owner`, would refuse on a role (IAM user guide, "Tags for IAM
/// resources", case sensitivity).
pub(super) fn findings(tags: &BTreeMap<TagKey, TagValue>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut seen: BTreeMap<String, &TagKey> = BTreeMap::new();
    for key in tags.keys() {
        let folded = key.as_str().to_lowercase();
        let here = || vec!["tags".to_owned(), key.to_string()];
        if let Some((own, setting)) = OWN.iter().find(|(own, _)| own.to_lowercase() == folded) {
            findings.push(Finding::at_path(
                here(),
                Fault::new(
                    format!("the tag `{key}` is set already"),
                    format!("every resource has the tag `{own}` from the setting `{setting}`"),
                    "leave it out here, or choose another key",
                ),
            ));
        } else if let Some(other) = seen.insert(folded, key) {
            findings.push(Finding::at_path(
                here(),
                Fault::new(
                    format!("the tags `{other}` and `{key}` differ only in capital letters"),
                    "IAM takes them for the same key and refuses a role that has both",
                    "keep one of them",
                ),
            ));
        }
    }
    findings
}
