//! Asks before something is changed.

use crate::{exit::Refused, render::Printer};
use anyhow::{Context, Result};
use std::io::{BufRead, IsTerminal};

/// Whether to go on. Without a terminal and without `--yes` nothing is changed.
pub(crate) fn ask(printer: &Printer, question: &str, yes: bool) -> Result<bool> {
    if yes {
        return Ok(true);
    }
    if printer.json || !std::io::stdin().is_terminal() {
        return Err(Refused::new("nobody is there to ask, and --yes is not given", "read the plan, then add --yes"));
    }
    printer.question(question);
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).context("cannot read the answer")?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
