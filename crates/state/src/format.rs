//! Files as bytes: JSON with a version and a checksum. The state is one; a saved plan is another.

use crate::State;
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

const CHECKSUM: &str = "checksum";

/// Bytes that are no file of this version.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// Not JSON, or something else.
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// The checksum differs from the contents.
    #[error("it was changed by something else than bedplate: its checksum does not fit its contents")]
    Changed,
    /// Written by a newer version.
    #[error("it was written by a newer bedplate (format {found}; this one reads up to {known})")]
    Newer {
        /// The file's version.
        found: u64,
        /// The newest version this code reads.
        known: u32,
    },
}

/// The state as pretty JSON with its checksum.
pub fn write(state: &State) -> Vec<u8> {
    seal(serde_json::to_value(state).expect("a state is plain data with text keys"))
}

/// Reads a state.
///
/// # Errors
/// When the bytes are damaged, were edited, or come from a newer version.
pub fn parse(bytes: &[u8]) -> Result<State, FormatError> {
    let json = unseal(bytes, "version", State::VERSION)?;
    serde_json::from_value(json).map_err(|error| FormatError::Damaged(error.to_string()))
}

/// An object as pretty JSON with a checksum of its contents.
pub fn seal(mut json: Json) -> Vec<u8> {
    let sum = checksum(&json);
    if let Json::Object(map) = &mut json {
        map.insert(CHECKSUM.to_owned(), Json::String(sum));
    }
    let mut bytes = serde_json::to_vec_pretty(&json).expect("JSON can be written");
    bytes.push(b'\n');
    bytes
}

/// Reads what [`seal`] wrote. The field `version` has the format's version, at most `newest`.
///
/// # Errors
/// When the bytes are damaged, were edited, or come from a newer version. The version is looked at first, so that a
/// newer file is not called damaged.
pub fn unseal(bytes: &[u8], version: &str, newest: u32) -> Result<Json, FormatError> {
    let mut json: Json = serde_json::from_slice(bytes).map_err(|error| FormatError::Damaged(error.to_string()))?;
    match json.get(version).and_then(Json::as_u64) {
        None => return Err(FormatError::Damaged(format!("it has no {version}"))),
        Some(found) if found > u64::from(newest) => return Err(FormatError::Newer { found, known: newest }),
        Some(_) => {}
    }
    let sum = json.as_object_mut().and_then(|map| map.remove(CHECKSUM));
    if sum != Some(Json::String(checksum(&json))) {
        return Err(FormatError::Changed);
    }
    Ok(json)
}

/// Over the compact form: white space does not matter, and keys are sorted.
fn checksum(json: &Json) -> String {
    hex(&Sha256::digest(json.to_string()))
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bedplate_model::StackId;

    fn sample() -> State {
        let mut state = State::new(StackId::new("fintechglobal-production"), "797923187401", "us-east-1");
        state.choices.insert("zones".to_owned(), serde_json::json!(["use1-az1"]));
        state
    }

    #[test]
    fn a_state_survives_its_file() {
        let state = sample();
        assert_eq!(parse(&write(&state)).unwrap(), state);
    }

    #[test]
    fn every_truncation_is_refused() {
        let bytes = write(&sample());
        // The last byte is the newline after the closing brace.
        for end in 0..bytes.len() - 1 {
            assert!(parse(&bytes[..end]).is_err(), "{end} bytes were accepted");
        }
    }

    #[test]
    fn no_flipped_bit_goes_unnoticed() {
        let state = sample();
        let bytes = write(&state);
        for index in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[index] ^= 1 << bit;
                // White space may change into other white space; nothing else may.
                if let Ok(parsed) = parse(&flipped) {
                    assert_eq!(parsed, state, "byte {index} bit {bit}");
                }
            }
        }
    }

    #[test]
    fn a_newer_file_is_called_newer() {
        let text = String::from_utf8(write(&sample())).unwrap().replace("\"version\": 1", "\"version\": 9");
        assert!(matches!(parse(text.as_bytes()), Err(FormatError::Newer { found: 9, known: 1 })));
    }
}
