//! `completions SHELL`

use crate::{args::Cli, exit::Exit, render::Printer};
use clap::CommandFactory;

pub(crate) fn run(shell: clap_complete::Shell, printer: &Printer) -> Exit {
    // Not to stdout itself: clap panics when nobody reads on.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "bedplate", &mut script);
    printer.result(String::from_utf8_lossy(&script).trim_end());
    Exit::Done
}
