//! Field by field: what is wanted against what is seen.

use bedplate_model::{Field, Json, RecordError, Schema, Tags, is_known};

/// A field that is not as wanted.
#[derive(Clone, Debug)]
pub struct Difference {
    /// The field.
    pub field: &'static Field,
    /// What it is; `None` when AWS does not tell.
    pub before: Option<Json>,
    /// What it shall be, with unknown parts where the apply will decide.
    pub after: Json,
}

/// Compares the wanted settings with the seen ones.
///
/// A field that AWS does not tell is compared with `last`, the settings last sent, where these are known.
///
/// # Errors
/// When one of them does not fit the type.
pub fn differences(
    schema: &dyn Schema,
    wanted: &Json,
    seen: &Json,
    last: Option<&Json>,
) -> Result<Vec<Difference>, RecordError> {
    let known = schema.canonical(wanted)?;
    let seen = schema.tolerate(&known, seen)?;
    let last = last.map(|last| schema.canonical(last)).transpose()?;
    let mut found = Vec::new();
    for field in schema.fields() {
        let before = seen.get(field.name).or_else(|| last.as_ref()?.get(field.name));
        match (known.get(field.name), before) {
            (Some(after), Some(before)) if after == before => {}
            (Some(_), None) => {}
            (Some(after), Some(before)) => {
                found.push(Difference { field, before: Some(before.clone()), after: after.clone() });
            }
            // It will be known when what it refers to exists, and is then another one than now.
            (None, before) => {
                let after = wanted.get(field.name).filter(|after| !is_known(after)).cloned();
                if let Some(after) = after {
                    found.push(Difference { field, before: before.cloned(), after });
                }
            }
        }
    }
    Ok(found)
}

/// A tag that is not as wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagDifference {
    /// Its key.
    pub key: String,
    /// Its value now.
    pub before: Option<String>,
    /// The value it shall have; `None` to remove it.
    pub after: Option<String>,
}

/// Compares tags. Tags that we neither want nor once set belong to others and are left alone.
pub fn tag_differences(wanted: &Tags, seen: &Tags, last: &Tags) -> Vec<TagDifference> {
    let set = wanted.iter().filter(|(key, value)| seen.get(*key) != Some(value)).map(|(key, value)| TagDifference {
        key: key.clone(),
        before: seen.get(key).cloned(),
        after: Some(value.clone()),
    });
    let remove = last
        .keys()
        .filter(|key| !wanted.contains_key(*key))
        .filter_map(|key| Some(TagDifference { key: key.clone(), before: Some(seen.get(key)?.clone()), after: None }));
    set.chain(remove).collect()
}
