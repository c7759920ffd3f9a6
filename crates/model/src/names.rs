//! What identifies things: addresses in the platform, ids in AWS, stacks, tags.

use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};

/// Where a resource stands in the platform: `network/subnet/app-a`. The first part is the layer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address(String);

/// A text that is no address.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not an address: use parts of a-z, 0-9, `.` and `-`, separated by `/`, like network/subnet/app-a")]
pub struct AddressError(String);

impl Address {
    /// Checks and takes an address.
    ///
    /// # Errors
    /// When a part is empty or has another character than `a-z`, `0-9`, `.` and `-`.
    pub fn new(text: impl Into<String>) -> Result<Self, AddressError> {
        let text = text.into();
        let fits =
            |part: &str| !part.is_empty() && part.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-'));
        if text.split('/').all(fits) { Ok(Self(text)) } else { Err(AddressError(text)) }
    }

    /// The address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first part: the layer the resource belongs to.
    pub fn layer(&self) -> &str {
        self.0.split('/').next().unwrap_or_default()
    }
}

impl TryFrom<String> for Address {
    type Error = AddressError;
    fn try_from(text: String) -> Result<Self, AddressError> {
        Self::new(text)
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What AWS calls a resource: an id it assigned, a name, an ARN, or `parent|child`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Id(String);

impl Id {
    /// Takes an id as it is.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The id of something that exists only inside a parent.
    pub fn child(parent: &str, child: &str) -> Self {
        Self(format!("{parent}|{child}"))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Parent and child of a [`Id::child`]; the parent is empty where there is none.
    pub fn split(&self) -> (&str, &str) {
        self.0.split_once('|').unwrap_or(("", &self.0))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The name of everything one configuration makes: `fintechglobal-production`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StackId(String);

impl StackId {
    /// Takes a name as it is.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StackId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Tags, sorted by key.
pub type Tags = BTreeMap<String, String>;

/// The tag that says which stack owns a resource.
pub const TAG_STACK: &str = "bedplate:stack";
/// The tag that says where in the stack it stands.
pub const TAG_ADDRESS: &str = "bedplate:address";
/// The tag that tells a replacement from what it replaces.
pub const TAG_GENERATION: &str = "bedplate:generation";

/// Who owns a resource, as its tags say. Ownership is read from AWS, so that the state file can be lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The stack.
    pub stack: StackId,
    /// The address in the stack.
    pub address: Address,
    /// Which of the resources made for this address it is.
    pub generation: u32,
}

impl Owner {
    /// The owner that `tags` name, if they name one.
    pub fn from_tags(tags: &Tags) -> Option<Self> {
        Some(Self {
            stack: StackId::new(tags.get(TAG_STACK)?),
            address: Address::new(tags.get(TAG_ADDRESS)?.as_str()).ok()?,
            generation: tags.get(TAG_GENERATION)?.parse().ok()?,
        })
    }

    /// The tags that name this owner.
    pub fn to_tags(&self) -> Tags {
        Tags::from([
            (TAG_STACK.to_owned(), self.stack.to_string()),
            (TAG_ADDRESS.to_owned(), self.address.to_string()),
            (TAG_GENERATION.to_owned(), self.generation.to_string()),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked() {
        assert!(Address::new("network/subnet/app-a").is_ok());
        for bad in ["", "/", "network//x", "Network", "a b", "a#b"] {
            assert!(Address::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_owner_survives_its_tags() {
        let owner = Owner { stack: StackId::new("s-production"), address: Address::new("a/b").unwrap(), generation: 3 };
        assert_eq!(Owner::from_tags(&owner.to_tags()), Some(owner));
        assert_eq!(Owner::from_tags(&Tags::new()), None);
    }
}
