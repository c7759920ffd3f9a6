//! The pages that are made from the resource types: as they are in `docs/reference/`, or, for `cargo xtask docs`, written
//! there.

mod permissions;
mod resource_types;

use std::{env, path::Path};

/// Set by `cargo xtask docs`.
const WRITE: &str = "BEDPLATE_WRITE_DOCS";

#[track_caller]
fn assert_is(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference").join(name);
    if env::var_os(WRITE).is_some() {
        fs_err::write(&path, text).unwrap();
    }
    let written = fs_err::read_to_string(&path).unwrap_or_default();
    assert!(written == text, "docs/reference/{name} is not what the code makes: run `cargo xtask docs`");
}

/// A row of a Markdown table.
fn row<const N: usize>(cells: [String; N]) -> String {
    format!("| {} |\n", cells.map(|cell| cell.replace('|', "\\|").replace('\n', " ")).join(" | "))
}
