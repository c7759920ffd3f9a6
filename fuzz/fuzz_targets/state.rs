//! A state file of any bytes is refused or read, and what is read is written as it was.

#![no_main]

use bedplate_state::{parse, seal, write};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = parse(bytes);
    // No luck finds a checksum, so that the contents are tried under one that fits.
    if let Ok(json) = serde_json::from_slice::<serde_json::Value>(bytes)
        && json.is_object()
        && let Ok(state) = parse(&seal(json))
    {
        assert_eq!(parse(&write(&state)).expect("what was written is read"), state);
    }
});
