//! Development tasks: `cargo xtask help` lists them.
//!
//! They need Rust and Python 3.11 or newer and set up the rest themselves, inside the project.

use std::{env, path::PathBuf, process::ExitCode};

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

mod bench;
mod cloud;
mod demo;
mod docs;
mod figures;
mod localstack;
mod process;
mod prove;
mod python;
mod test;

/// Development tasks of bedplate. They need Rust and Python 3.11 or newer and set up the rest themselves.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Starts the local cloud, prints its endpoint when it is ready, and runs until Ctrl-C
    Cloud(cloud::Args),
    /// Starts LocalStack without Docker, prints its endpoint when it is ready, and runs until Ctrl-C
    Localstack(localstack::Args),
    /// Builds bedplate, bootstraps a whole platform in the local cloud, and leaves it running to play with
    Demo(demo::Args),
    /// Writes docs/settings.md, docs/platform.schema.json and docs/reference/ from the code
    Docs,
    /// Counts the API calls of the main job and writes docs/figures.md
    Figures,
    /// Cuts runs off at every instant and proves that the next one converges
    Prove(prove::Args),
    /// Measures speed, calls and size, and prints them as a table
    Bench(bench::Args),
    /// Checks and tests everything, and ends with the line "N passed, N failed, N skipped"
    Test(test::Args),
}

/// Where the project and its build are.
struct Workspace {
    root: PathBuf,
    /// The folder of cargo's dev profile, with `bedplate` in it once it is built.
    bin: PathBuf,
}

impl Workspace {
    fn find() -> Result<Self> {
        // Asked at run time: a target directory shared by several checkouts holds one xtask for all of them.
        let manifest =
            env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
        let root = manifest.parent().context("xtask has no parent folder")?.to_owned();
        // Where cargo puts things depends on flags, variables and configuration files. It put us there, too.
        let profile =
            env::current_exe()?.parent().and_then(|it| it.parent()).context("xtask is in no target folder")?.to_owned();
        Ok(Self { root, bin: profile.join("debug") })
    }

    /// The same with the optimized program.
    fn optimized(&self) -> Self {
        Self { root: self.root.clone(), bin: self.bin.with_file_name("release") }
    }

    fn bedplate(&self) -> PathBuf {
        self.bin.join(format!("bedplate{}", env::consts::EXE_SUFFIX))
    }
}

fn main() -> Result<ExitCode> {
    let task = Cli::parse().task;
    let workspace = Workspace::find()?;
    match task {
        Task::Cloud(args) => cloud::run(&workspace, &args),
        Task::Localstack(args) => localstack::run(&workspace, &args),
        Task::Demo(args) => demo::run(&workspace, &args),
        Task::Docs => docs::run(&workspace),
        Task::Figures => figures::run(&workspace),
        Task::Prove(args) => prove::run(&workspace, &args),
        Task::Bench(args) => bench::run(&workspace, &args),
        Task::Test(args) => test::run(&workspace, &args),
    }
}
