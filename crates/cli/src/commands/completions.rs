//! `completions SHELL`

use crate::{args::Cli, exit::Exit};
use clap::CommandFactory;

pub(crate) fn run(shell: clap_complete::Shell) -> Exit {
    clap_complete::generate(shell, &mut Cli::command(), "bedplate", &mut std::io::stdout());
    Exit::Done
}
