//! Asks before something is changed.

use crate::{exit::Refused, render::Printer};
use anyhow::{Context, Result};
use std::io::{BufRead, IsTerminal};
use tokio::sync::oneshot;

/// Whether to go on. Without a terminal and without `--yes` nothing is changed.
pub(crate) async fn ask(printer: &Printer, question: &str, yes: bool) -> Result<bool> {
    if yes {
        return Ok(true);
    }
    if printer.json || !std::io::stdin().is_terminal() {
        return Err(Refused::new("nobody is there to ask, and --yes is not given", "read the plan, then add --yes"));
    }
    printer.question(question);
    let (answered, answer) = oneshot::channel();
    // A thread of its own, which the end of the process does not wait for: a signal ends the question, too.
    std::thread::spawn(move || {
        let mut answer = String::new();
        let read = std::io::stdin().lock().read_line(&mut answer);
        answered.send(read.map(|_| answer))
    });
    let answer = answer.await.context("nobody reads the answer")?.context("cannot read the answer")?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
