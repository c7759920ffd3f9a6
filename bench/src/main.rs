//! Measurements that need the engine itself; `cargo xtask bench` calls them. Each prints one JSON document.

mod engine;
mod makespan;
mod old_way;
mod paced;
mod rates;
mod replay;
mod simulated;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::path::PathBuf;

/// Measurements that need the engine itself.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Plans and applies as many made-up resources
    Engine {
        /// How many
        resources: usize,
    },
    /// Applies the platform of a configuration to a simulated AWS, in simulated time
    Makespan {
        /// The configuration
        config: PathBuf,
        /// How many such platforms at once
        #[arg(long, default_value_t = 1)]
        stacks: usize,
    },
    /// Bootstraps a platform into an empty cloud at the pace that AWS allows
    Paced {
        /// The configuration
        config: PathBuf,
        /// A state file, for what is decided once
        state: PathBuf,
        /// The endpoint of a local cloud
        endpoint: String,
    },
    /// Looks at a platform as a plan does, then sends the same requests one after the other
    Replay {
        /// The configuration
        config: PathBuf,
        /// The state file
        state: PathBuf,
        /// The endpoint of the local cloud
        endpoint: String,
        /// How often each is done
        #[arg(long, default_value_t = 5)]
        runs: usize,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let document = match Cli::parse().what {
        What::Engine { resources } => engine::measure(resources).await?,
        What::Makespan { config, stacks } => makespan::measure(&config, stacks).await?,
        What::Paced { config, state, endpoint } => paced::measure(&config, &state, &endpoint).await?,
        What::Replay { config, state, endpoint, runs } => replay::measure(&config, &state, &endpoint, runs).await?,
    };
    println!("{document:#}");
    Ok(())
}
