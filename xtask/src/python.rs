//! Python for the local cloud: a virtual environment of the project's own, made once and again when its pins change.

use std::{
    env, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};
use fs_err as fs;

use crate::{Workspace, process};

/// Newest first after whatever `python3` is: on most machines that one does.
const NAMES: &[&str] = &["python3", "python3.14", "python3.13", "python3.12", "python3.11"];

/// Complains in one line when this Python cannot make the environment. Debian packages venv and ensurepip separately.
const CHECK: &str = "
import sys
if sys.version_info < (3, 11): sys.exit('is Python %d.%d' % sys.version_info[:2])
try: import venv, ensurepip
except ImportError as error: sys.exit('has no module %s (on Debian and Ubuntu: apt install python%d.%d-venv)' % ((error.name,) + sys.version_info[:2]))
";

/// The Python of the local cloud's environment, which exists and is up to date after this.
pub(crate) fn set_up(workspace: &Workspace) -> Result<PathBuf> {
    // CI keeps environments outside its checkout.
    let directory = match env::var_os("BEDPLATE_VENV_DIR") {
        Some(all) => workspace.root.join(all).join("cloud"),
        None => workspace.root.join(".venv"),
    };
    ensure(&directory, &workspace.root.join("tests/cloud/requirements.txt"))
        .with_context(|| format!("cannot set up the Python environment in {}", directory.display()))
}

fn ensure(directory: &Path, requirements: &Path) -> Result<PathBuf> {
    let pins = fs::read_to_string(requirements)?;
    let python = directory.join("bin/python");
    let stamp = directory.join("bedplate-stamp");

    // Held to the end: two tasks started at once must not install over each other.
    fs::create_dir_all(directory)?;
    let lock = fs::File::create(directory.join("lock"))?;
    lock.lock()?;

    if is_current(&stamp, &python, &pins) {
        return Ok(python);
    }
    eprintln!("Setting up Python in {} …", directory.display());
    let base = find()?;
    // An environment without a stamp is one whose installation was interrupted, so the stamp goes first and comes last.
    if stamp.exists() {
        fs::remove_file(&stamp)?;
    }
    clear(directory)?;
    process::run(quiet(&base).args(["-m", "venv"]).arg(directory), "creating the virtual environment")?;
    process::run(
        quiet(&python)
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--no-input",
                "--disable-pip-version-check",
                "--require-hashes",
                "-r",
            ])
            .arg(requirements),
        "installing the pinned packages",
    )?;
    let version = version(&python).context("the new environment's Python does not run")?;
    let unfinished = directory.join("bedplate-stamp.new");
    fs::write(&unfinished, stamp_text(&version, &pins))?;
    fs::rename(unfinished, stamp)?;
    Ok(python)
}

/// Whether an installation of exactly these pins was finished and the Python it was made for still runs.
fn is_current(stamp: &Path, python: &Path, pins: &str) -> bool {
    fs::read_to_string(stamp)
        .is_ok_and(|text| version(python).is_some_and(|version| text == stamp_text(&version, pins)))
}

/// The pins themselves rather than a hash of them: as short to compare, and it shows what is installed.
fn stamp_text(version: &str, pins: &str) -> String {
    format!("# Python {version}\n{pins}")
}

/// The version of a Python, or `None` if it does not run (the system's Python it belongs to may be gone).
fn version(python: &Path) -> Option<String> {
    let script = "import platform; print(platform.python_version())";
    let output = Command::new(python).args(["-I", "-c", script]).stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Everything but the lock, which we hold.
fn clear(directory: &Path) -> Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        match entry.file_type()? {
            kind if kind.is_dir() => fs::remove_dir_all(entry.path())?,
            _ if entry.file_name() == "lock" => {}
            _ => fs::remove_file(entry.path())?,
        }
    }
    Ok(())
}

/// A Python that can make the environment.
pub(crate) fn find() -> Result<PathBuf> {
    // An environment that is active here may be anybody's; its Python serves to make another one all the same.
    let chosen = env::var_os("BEDPLATE_PYTHON");
    let candidates: Vec<PathBuf> = match &chosen {
        Some(path) => vec![path.into()],
        None => NAMES.iter().map(PathBuf::from).collect(),
    };
    let mut complaints = String::new();
    for candidate in candidates {
        match Command::new(&candidate).args(["-I", "-c", CHECK]).stdin(Stdio::null()).output() {
            Ok(output) if output.status.success() => return Ok(candidate),
            Ok(output) => {
                let text = String::from_utf8_lossy(&output.stderr);
                let first = text.lines().next().unwrap_or("does not run");
                complaints.push_str(&format!("\n  {} {first}", candidate.display()));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && chosen.is_none() => {}
            Err(error) => complaints.push_str(&format!("\n  {} does not start: {error}", candidate.display())),
        }
    }
    bail!(
        "no usable Python 3.11 or newer found{complaints}\n\
         Install one with its venv module (Debian, Ubuntu: apt install python3 python3-venv; macOS: brew install python), \
         or name one in BEDPLATE_PYTHON."
    )
}

/// Shows its output on standard error: standard output belongs to the task.
fn quiet(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).stdout(io::stderr());
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stand-in for an environment's Python, of version `version`.
    fn python(directory: &Path, version: &str) -> Result<PathBuf> {
        let path = directory.join("python");
        // Written by a shell: a file that we had open for writing could still be open, and not executable, in a process
        // another test starts at the same moment.
        let script = r#"printf '#!/bin/sh\necho %s\n' "$1" > "$2" && chmod +x "$2""#;
        process::run(Command::new("sh").args(["-c", script, "sh", version]).arg(&path), "writing a stand-in")?;
        Ok(path)
    }

    #[test]
    fn an_installation_is_current_only_if_finished_with_the_same_pins_and_python() -> Result<()> {
        let directory = tempfile::tempdir()?;
        let stamp = directory.path().join("stamp");
        let old = python(directory.path(), "3.11.7")?;
        assert!(!is_current(&stamp, &old, "moto==5.2.5"), "interrupted: no stamp");

        fs::write(&stamp, stamp_text("3.11.7", "moto==5.2.5"))?;
        assert!(is_current(&stamp, &old, "moto==5.2.5"));
        assert!(!is_current(&stamp, &old, "moto==5.2.6"), "other pins");
        assert!(!is_current(&stamp, Path::new("/nowhere/python"), "moto==5.2.5"), "its Python is gone");
        let new = python(directory.path(), "3.12.0")?;
        assert!(!is_current(&stamp, &new, "moto==5.2.5"), "another Python");
        Ok(())
    }

    #[test]
    fn clearing_keeps_the_lock() -> Result<()> {
        let directory = tempfile::tempdir()?;
        fs::write(directory.path().join("lock"), "")?;
        fs::write(directory.path().join("pyvenv.cfg"), "")?;
        fs::create_dir_all(directory.path().join("lib/python"))?;
        clear(directory.path())?;
        let left: Vec<_> =
            fs::read_dir(directory.path())?.map(|it| it.map(|it| it.file_name())).collect::<Result<_, _>>()?;
        assert_eq!(left, ["lock"]);
        Ok(())
    }
}
