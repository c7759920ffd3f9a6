//! `bedplate`: an AWS platform from one file, without Terraform.

mod advice;
mod args;
mod commands;
mod exit;
mod organization;
mod permissions;
mod quotas;
#[cfg(test)]
mod reference;
mod render;
mod run;
mod session;
mod signals;
mod versions;

use crate::{exit::Exit, signals::Signals};
use clap::Parser;
use std::process::ExitCode;
use tokio_util::sync::CancellationToken;

fn main() -> ExitCode {
    let args = match args::Cli::try_parse() {
        Ok(args) => args,
        Err(error) => {
            _ = error.print();
            // Not clap's own code: to a script, 2 says that changes are pending.
            return ExitCode::from(if error.use_stderr() { 3 } else { 0 });
        }
    };
    args.globals.color.apply();
    let printer = render::Printer::new(&args.globals);
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return exit::report(&printer, &anyhow::anyhow!(error).context("cannot start the runtime")),
    };
    let carried_out = async {
        let given_up = CancellationToken::new();
        tokio::spawn(signals::watch(Signals::listen()?, given_up.clone()));
        tokio::select! {
            biased;
            () = given_up.cancelled() => {
                printer.note("\nInterrupted.");
                Ok(Exit::Interrupted)
            }
            exit = commands::run(args, &printer) => exit,
        }
    };
    let carried_out = runtime.block_on(carried_out);
    // What is still open ends with the process: connections, and the wait for signals.
    runtime.shutdown_background();
    match carried_out {
        Ok(_) if !render::all_written() => ExitCode::FAILURE,
        Ok(exit) => exit.code(),
        Err(error) => exit::report(&printer, &error),
    }
}
