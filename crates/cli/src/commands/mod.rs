//! One file per command.

mod apply;
mod bootstrap;
mod completions;
mod config;
mod consent;
mod cost;
mod destroy;
mod drift;
mod graph;
mod import;
mod init;
pub(crate) mod kubeconfig;
mod man;
mod output;
mod plan;
mod preflight;
mod report;
mod state;
mod token;
mod verify;

use crate::{
    args::{Cli, Command},
    exit::Exit,
    render::Printer,
};
use anyhow::Result;

/// Carries out a command.
pub(crate) async fn run(cli: Cli, printer: &Printer) -> Result<Exit> {
    let globals = &cli.globals;
    match &cli.command {
        Command::Report(args) => report::run(globals, args, printer),
        Command::Init(args) => init::run(globals, args, printer).await,
        Command::Config(args) => config::run(globals, args, printer).await,
        Command::Preflight => preflight::run(globals, printer).await,
        Command::Plan(args) => plan::run(globals, args, printer).await,
        Command::Bootstrap(args) => bootstrap::run(globals, args, printer).await,
        Command::Apply(args) => apply::run(globals, args, printer).await,
        Command::Drift(args) => drift::run(globals, args, printer).await,
        Command::Destroy(args) => destroy::run(globals, args, printer).await,
        Command::Import(args) => import::run(globals, args, printer).await,
        Command::Cost => cost::run(globals, printer),
        Command::Verify => verify::run(globals, printer).await,
        Command::Man(args) => man::run(args, printer),
        Command::Output(args) => output::run(globals, args, printer).await,
        Command::Kubeconfig(args) => kubeconfig::run(globals, args, printer).await,
        Command::Token(args) => token::run(globals, args, printer).await,
        Command::Graph(args) => graph::run(globals, args, printer).await,
        Command::State(args) => state::run(globals, args, printer).await,
        Command::Completions { shell } => Ok(completions::run(*shell, printer)),
    }
}
