//! What `cargo xtask test` prepares, and where to find it when a test is run without it.

use std::{
    env,
    ffi::OsStr,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The workspace's root.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the workspace")
}

/// The program under test.
pub(crate) fn binary() -> PathBuf {
    prepared("BEDPLATE_TEST_BINARY", || {
        // Tests lie in target/debug/deps, the program in target/debug.
        let test = env::current_exe().expect("a test knows its own path");
        test.parent().and_then(Path::parent).expect("a target directory").join("bedplate")
    })
}

/// A Python that has boto3 and what the local cloud needs.
pub fn python() -> PathBuf {
    prepared("BEDPLATE_TEST_PYTHON", || root().join(".venv/bin/python"))
}

fn prepared(variable: &str, usual: impl FnOnce() -> PathBuf) -> PathBuf {
    let path = env::var_os(variable).map_or_else(usual, PathBuf::from);
    assert!(path.is_file(), "{} is missing: run `cargo xtask test`, which makes it", path.display());
    path
}

/// Says that a test, or a part of it, cannot do its work here. It must not look as if it had passed.
pub fn skip(test: &str, reason: &str) {
    eprintln!("SKIPPED: {test}: {reason}");
    if let Some(path) = env::var_os("BEDPLATE_TEST_SKIPS") {
        let mut file = fs_err::OpenOptions::new().append(true).create(true).open(path).expect("the file of skips");
        let line = format!("{test}: {}\n", reason.replace('\n', " "));
        file.write_all(line.as_bytes()).expect("the file of skips");
    }
}

/// Whether a program can be started.
pub fn has_program(name: impl AsRef<OsStr>, version: &str) -> bool {
    let mut command = Command::new(name);
    command.args(version.split(' ')).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
