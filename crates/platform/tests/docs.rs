//! The pages that are made from the settings: as they are in `docs/`, or, for `cargo xtask docs`, written there.

use bedplate_platform::config::{json_schema, reference_page};
use std::{env, path::Path};

/// Set by `cargo xtask docs`.
const WRITE: &str = "BEDPLATE_WRITE_DOCS";

#[track_caller]
fn assert_is(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
    if env::var_os(WRITE).is_some() {
        fs_err::write(&path, text).unwrap();
    }
    let written = fs_err::read_to_string(&path).unwrap_or_default();
    assert!(written == text, "docs/{name} is not what the settings make: run `cargo xtask docs`");
}

#[test]
fn the_reference_page_is_that_of_the_settings() {
    assert_is("settings.md", &reference_page());
}

#[test]
fn the_schema_is_that_of_the_settings() {
    let schema = serde_json::to_string_pretty(&json_schema()).unwrap();
    assert_is("platform.schema.json", &format!("{schema}\n"));
}
