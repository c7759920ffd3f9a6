//! Expressions: a value, a reference to another resource's output, or a mixture of both.
//!
//! An [`Input`] is typed for the author and JSON underneath. Four forms mean something else than themselves:
//! `{"$ref": "network/vpc#id"}` is the output `id` of `network/vpc`, `{"$join": [..]}` is the text made of its parts,
//! `{"$entries": [[key, value], ..]}` is the object with these keys, which are expressions too, and `{"$unknown": true}`
//! is a value that exists only after the apply.

use crate::{Address, Datum, phase::to_json};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value as Json, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    marker::PhantomData,
};

const REF: &str = "$ref";
const JOIN: &str = "$join";
const ENTRIES: &str = "$entries";
const UNKNOWN: &str = "$unknown";

/// A value of `T`, or an expression that becomes one when the resources it refers to exist.
pub struct Input<T> {
    expression: Json,
    of: PhantomData<fn() -> T>,
}

impl<T> Input<T> {
    /// The output `field` of the resource at `address`.
    pub fn reference(address: &Address, field: &str) -> Self {
        Self::from_expression(json!({ REF: format!("{address}#{field}") }))
    }

    /// Takes an expression as it is. The type is checked when it is resolved.
    pub fn from_expression(expression: Json) -> Self {
        Self { expression, of: PhantomData }
    }

    /// The expression as JSON.
    pub fn expression(&self) -> &Json {
        &self.expression
    }

    /// The same expression as another type with the same JSON form: an id as text, a value as an optional one.
    pub fn cast<U>(&self) -> Input<U> {
        Input::from_expression(self.expression.clone())
    }
}

impl<C> Input<C> {
    /// A list or set of expressions.
    pub fn all<T>(items: impl IntoIterator<Item = Input<T>>) -> Self
    where
        C: FromIterator<T>,
    {
        Self::from_expression(Json::Array(items.into_iter().map(|item| item.expression).collect()))
    }
}

impl Input<String> {
    /// The text made of the parts, in order.
    pub fn join(parts: impl IntoIterator<Item = Input<String>>) -> Self {
        Self::from_expression(json!({ JOIN: parts.into_iter().map(|part| part.expression).collect::<Vec<_>>() }))
    }
}

impl<T> Input<BTreeMap<String, T>> {
    /// An object whose keys depend on other resources, as those of a trust policy's conditions do.
    pub fn entries(entries: impl IntoIterator<Item = (Input<String>, Input<T>)>) -> Self {
        let entries = entries.into_iter().map(|(key, value)| json!([key.expression, value.expression]));
        Self::from_expression(json!({ ENTRIES: entries.collect::<Vec<_>>() }))
    }
}

impl<T: Datum> From<T> for Input<T> {
    fn from(value: T) -> Self {
        Self::from_expression(to_json(&value))
    }
}

impl From<&str> for Input<String> {
    fn from(value: &str) -> Self {
        value.to_owned().into()
    }
}

// Not derived: a derive would ask the same of `T`.
impl<T> Clone for Input<T> {
    fn clone(&self) -> Self {
        Self::from_expression(self.expression.clone())
    }
}

impl<T> PartialEq for Input<T> {
    fn eq(&self, other: &Self) -> bool {
        self.expression == other.expression
    }
}

impl<T> std::fmt::Debug for Input<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.expression)
    }
}

/// Lets an input stand inside a larger expression: `json!({"Resource": key.arn})`.
impl<T> Serialize for Input<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.expression.serialize(serializer)
    }
}

/// The value that is known only after the apply.
pub fn unknown() -> Json {
    json!({ UNKNOWN: true })
}

/// Whether no part of a resolved expression is unknown.
pub fn is_known(json: &Json) -> bool {
    match json {
        Json::Object(map) => !map.contains_key(UNKNOWN) && map.values().all(is_known),
        Json::Array(items) => items.iter().all(is_known),
        _ => true,
    }
}

/// The resources an expression refers to.
pub fn references(expression: &Json) -> BTreeSet<Address> {
    fn walk(json: &Json, found: &mut BTreeSet<Address>) {
        match json {
            Json::Object(map) => match parse_ref(map) {
                Some((address, _)) => _ = found.insert(address),
                None => map.values().for_each(|value| walk(value, found)),
            },
            Json::Array(items) => items.iter().for_each(|item| walk(item, found)),
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    walk(expression, &mut found);
    found
}

/// Replaces every reference by what `lookup` gives for it; what it does not know becomes [`unknown`].
pub fn resolve(expression: &Json, lookup: &dyn Fn(&Address, &str) -> Option<Json>) -> Json {
    match expression {
        Json::Object(map) => {
            if let Some((address, field)) = parse_ref(map) {
                return lookup(&address, field).unwrap_or_else(unknown);
            }
            if let Some(Json::Array(parts)) = map.get(JOIN) {
                return join(parts.iter().map(|part| resolve(part, lookup)));
            }
            if let Some(Json::Array(pairs)) = map.get(ENTRIES) {
                return entries(pairs.iter().map(|pair| resolve(pair, lookup)));
            }
            Json::Object(map.iter().map(|(key, value)| (key.clone(), resolve(value, lookup))).collect())
        }
        Json::Array(items) => items.iter().map(|item| resolve(item, lookup)).collect(),
        other => other.clone(),
    }
}

fn join(parts: impl Iterator<Item = Json>) -> Json {
    let mut text = String::new();
    for part in parts {
        match part {
            Json::String(part) => text.push_str(&part),
            part if is_known(&part) => text.push_str(&part.to_string()),
            _ => return unknown(),
        }
    }
    Json::String(text)
}

/// An object with an unknown key is unknown as a whole: it cannot be compared.
fn entries(pairs: impl Iterator<Item = Json>) -> Json {
    let mut object = Map::new();
    for pair in pairs {
        let Json::Array(mut pair) = pair else { return unknown() };
        let (Some(value), Some(Json::String(key))) = (pair.pop(), pair.pop()) else { return unknown() };
        object.insert(key, value);
    }
    Json::Object(object)
}

fn parse_ref(map: &Map<String, Json>) -> Option<(Address, &str)> {
    let (address, field) = map.get(REF)?.as_str()?.split_once('#')?;
    Some((Address::new(address).ok()?, field))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vpc() -> Address {
        Address::new("network/vpc").unwrap()
    }

    #[test]
    fn references_are_found_at_any_depth() {
        let input: Input<String> = Input::reference(&vpc(), "id");
        let expression = json!({"a": [{"b": input}], "c": Input::join(["x".into(), input.clone()])});
        assert_eq!(references(&expression), BTreeSet::from([vpc()]));
    }

    #[test]
    fn resolution_replaces_references_and_joins_texts() {
        let input: Input<String> = Input::reference(&vpc(), "id");
        let joined = Input::join(["arn:".into(), input]);
        let known = resolve(joined.expression(), &|_, field| (field == "id").then(|| json!("vpc-1")));
        assert_eq!(known, json!("arn:vpc-1"));
        let later = resolve(joined.expression(), &|_, _| None);
        assert!(!is_known(&later));
    }

    #[test]
    fn keys_of_an_object_can_be_expressions() {
        let issuer: Input<String> = Input::reference(&vpc(), "issuer");
        let subject = Input::join([issuer.clone(), ":sub".into()]);
        let expression = json!({"StringEquals": Input::entries([(subject, Input::from("me".to_owned()))])});
        assert_eq!(references(&expression), BTreeSet::from([vpc()]));
        let known = resolve(&expression, &|_, _| Some(json!("oidc.example")));
        assert_eq!(known, json!({"StringEquals": {"oidc.example:sub": "me"}}));
        let later = resolve(&expression, &|_, _| None);
        assert!(!is_known(&later));
    }
}
