//! Structs over a phase, as JSON and as a list of fields.

use serde_json::{Map, Value as Json};

/// A specification or outputs struct in one phase. Derived with `#[derive(Record)]`.
pub trait Record: Clone + std::fmt::Debug + Sized + Send + Sync + 'static {
    /// The fields in the order they are written.
    const FIELDS: &'static [Field];

    /// The struct as a JSON object.
    fn to_json(&self) -> Json;

    /// Reads the struct from a JSON object. Fields it does not know are ignored: an older version may have written them.
    ///
    /// # Errors
    /// Names the field that is missing or has the wrong type.
    fn from_json(json: Json) -> Result<Self, RecordError>;
}

/// One field of a [`Record`].
#[derive(Debug)]
pub struct Field {
    /// Its name, as in the state file and the plan.
    pub name: &'static str,
    /// Its doc comment.
    pub doc: &'static str,
    /// Its type, as written.
    pub type_name: &'static str,
    /// What a change of it means.
    pub change: Change,
    /// For outputs: whether an update in place may change it.
    pub volatile: bool,
    /// For outputs: whether it follows from the identity, so that it is the same again when the resource is made anew.
    pub named: bool,
    /// Its property in the CloudFormation registry schema, from which `change` is taken.
    pub aws: Option<&'static str>,
}

/// What a change of a field means for the resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// AWS changes it in place.
    Update,
    /// AWS cannot change it: the resource is replaced.
    Replace,
    /// AWS cannot change it and a replacement would lose data or more: a person must decide.
    Refuse,
}

/// A JSON object that does not fit its struct.
#[derive(Debug, thiserror::Error)]
#[error("field `{field}` {problem}")]
pub struct RecordError {
    /// The field's name.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: String,
}

/// The object in `json`, for the derived code.
///
/// # Errors
/// When it is none.
pub fn object(json: Json) -> Result<Map<String, Json>, RecordError> {
    match json {
        Json::Object(map) => Ok(map),
        _ => Err(RecordError { field: "(all)", problem: "is not an object".to_owned() }),
    }
}
