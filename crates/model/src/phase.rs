//! The three lives of a field: declared, resolved, observed.

use crate::Input;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value as Json;
use std::fmt::Debug;

/// What a field may hold: anything that survives a round trip through JSON.
///
/// The JSON form is what is compared, so a type must have one canonical form (a set is sorted, a policy is normalized).
pub trait Datum: Serialize + DeserializeOwned + Clone + Debug + PartialEq + Send + Sync + 'static {}
impl<T: Serialize + DeserializeOwned + Clone + Debug + PartialEq + Send + Sync + 'static> Datum for T {}

/// A phase of a specification: decides what a field of type `T` holds.
pub trait Phase: Clone + Debug + PartialEq + Send + Sync + 'static {
    /// What a field of `T` is in this phase.
    type Of<T: Datum>: Clone + Debug + PartialEq + Send + Sync + 'static;

    /// The field's JSON; `None` leaves it out.
    fn put<T: Datum>(field: &Self::Of<T>) -> Option<Json>;

    /// Reads the field from its JSON; `None` means that it is missing.
    ///
    /// # Errors
    /// Says what is wrong with the value.
    fn take<T: Datum>(json: Option<Json>) -> Result<Self::Of<T>, String>;
}

/// What the platform declares: values, and references to outputs of other resources.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft;

/// What is sent to AWS: every reference replaced by its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved;

/// What is known so far: AWS may not tell a field, and a plan may not know it before the apply.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed;

impl Phase for Draft {
    type Of<T: Datum> = Input<T>;

    fn put<T: Datum>(field: &Input<T>) -> Option<Json> {
        Some(field.expression().clone())
    }

    fn take<T: Datum>(json: Option<Json>) -> Result<Input<T>, String> {
        json.map(Input::from_expression).ok_or_else(missing)
    }
}

impl Phase for Resolved {
    type Of<T: Datum> = T;

    fn put<T: Datum>(field: &T) -> Option<Json> {
        Some(to_json(field))
    }

    fn take<T: Datum>(json: Option<Json>) -> Result<T, String> {
        serde_json::from_value(json.ok_or_else(missing)?).map_err(|error| error.to_string())
    }
}

impl Phase for Observed {
    type Of<T: Datum> = Option<T>;

    fn put<T: Datum>(field: &Option<T>) -> Option<Json> {
        field.as_ref().map(to_json)
    }

    fn take<T: Datum>(json: Option<Json>) -> Result<Option<T>, String> {
        // An unknown value inside a list or a text makes the whole field unknown.
        match json {
            Some(json) if crate::is_known(&json) => serde_json::from_value(json).map(Some).map_err(|e| e.to_string()),
            _ => Ok(None),
        }
    }
}

fn missing() -> String {
    "is missing".to_owned()
}

/// Writes a field as JSON. Fields are plain data, so this cannot fail.
pub(crate) fn to_json<T: Datum>(value: &T) -> Json {
    serde_json::to_value(value).expect("a datum is plain data with text keys")
}
