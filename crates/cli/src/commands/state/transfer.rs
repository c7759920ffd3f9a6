//! `state pull` and `state push`: the state as a file, from its place and back to it.

use super::edit::done;
use crate::{args::Globals, commands::consent, exit::Refused, render::Printer, session::Local};
use anyhow::{Context, Result};
use bedplate_state::{State, parse, write};
use serde_json::json;
use std::{io::Read, path::Path};

/// Prints the state as it is saved.
pub(super) async fn pull(globals: &Globals, printer: &Printer) -> Result<()> {
    let local = Local::open(globals).await?;
    let Some(state) = &local.saved else {
        return Err(Refused::new(
            format!("there is no state at {} yet", local.store.place()),
            "run `bedplate bootstrap`",
        ));
    };
    let text = String::from_utf8(write(state)).context("JSON is UTF-8")?;
    printer.result(text.trim_end());
    Ok(())
}

/// Puts a state in its place: one that follows the one that is there, or any where there is none.
pub(super) async fn push(globals: &Globals, file: Option<&Path>, yes: bool, printer: &Printer) -> Result<()> {
    let (called, bytes) = read(file)?;
    let state = parse(&bytes).map_err(|problem| {
        Refused::new(
            format!("{called} was not taken: {problem}"),
            "give a state as `bedplate state pull` prints it; nothing was touched",
        )
    })?;
    let local = Local::open_locked(globals, "state push").await?;
    local.check(&state, &called)?;
    if let Some(there) = &local.saved {
        if *there == state {
            done(printer, &json!({"format": 1, "pushed": false, "serial": state.serial}), "It is there already.");
            return Ok(());
        }
        let place = local.store.place();
        if let Some(reason) = refusal(there, &state) {
            return Err(Refused::new(
                format!("{called} was not taken: {reason}"),
                format!(
                    "`bedplate state pull` shows the state at {place}. If that one is wrong, move it away first; `bedplate state \
                     recover` rebuilds it from AWS"
                ),
            ));
        }
    }
    let question = format!("Save {called} (serial {}) at {}?", state.serial, local.store.place());
    if !consent::ask(printer, &question, yes).await? {
        return Ok(());
    }
    local.store.save(&write(&state)).await?;
    let text = format!("Saved at {}, serial {}.", local.store.place(), state.serial);
    done(printer, &json!({"format": 1, "pushed": true, "serial": state.serial}), &text);
    Ok(())
}

/// Why a state does not follow the one that is there.
fn refusal(there: &State, state: &State) -> Option<String> {
    if there.lineage != state.lineage {
        return Some(format!(
            "it is of another lineage ({}) than the state that is there ({})",
            state.lineage, there.lineage
        ));
    }
    if state.serial < there.serial {
        return Some(format!(
            "its serial {} is older than {}, that of the state that is there",
            state.serial, there.serial
        ));
    }
    (state.serial == there.serial)
        .then(|| format!("it has the serial {} of the state that is there and says something else", state.serial))
}

fn read(file: Option<&Path>) -> Result<(String, Vec<u8>)> {
    match file.filter(|path| path.as_os_str() != "-") {
        Some(path) => {
            let bytes = fs_err::read(path).map_err(|error| {
                Refused::new(
                    format!("{} cannot be read: {error}", path.display()),
                    "name a file, or give it on standard input",
                )
            })?;
            Ok((path.display().to_string(), bytes))
        }
        None => {
            let mut bytes = Vec::new();
            std::io::stdin().lock().read_to_end(&mut bytes).context("cannot read standard input")?;
            Ok(("what came on standard input".to_owned(), bytes))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bedplate_model::StackId;

    #[test]
    fn only_what_follows_is_taken() {
        let there = State { serial: 5, ..State::new(StackId::new("s"), "797923187401", "us-east-1") };
        let with = |serial| State { serial, ..there.clone() };
        assert_eq!(refusal(&there, &with(6)), None);
        assert!(refusal(&there, &with(4)).unwrap().contains("older"));
        let other = State { account: "1".to_owned(), ..with(5) };
        assert!(refusal(&there, &other).unwrap().contains("something else"));
        let stranger = State { serial: 9, ..State::new(StackId::new("s"), "797923187401", "us-east-1") };
        assert!(refusal(&there, &stranger).unwrap().contains("lineage"));
    }
}
