//! The command line.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// What `--version` says; `-V` says its first line.
const LONG_VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\ncommit: ",
    env!("BEDPLATE_COMMIT"),
    "\ntarget: ",
    env!("BEDPLATE_TARGET"),
    "\nrustc:  ",
    env!("BEDPLATE_RUSTC"),
);

/// Provision an AWS platform from one file.
///
/// Results go to stdout, everything else to stderr. Exit codes: 0 done or nothing to do; 1 error; 2 changes are pending
/// (plan --detailed-exitcode, drift); 3 refused before anything was touched; 130 interrupted, state saved.
#[derive(Debug, Parser)]
#[command(name = "bedplate", version, long_version = LONG_VERSION, propagate_version = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) globals: Globals,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Debug, Args)]
pub(crate) struct Globals {
    /// The configuration.
    #[arg(long, global = true, env = "BEDPLATE_CONFIG", default_value = "platform.toml", value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// The state: a file, or s3://bucket/key [default: state/<project_name>-<environment>.json beside the configuration].
    #[arg(long, global = true, env = "BEDPLATE_STATE", value_name = "PLACE")]
    pub(crate) state: Option<String>,
    /// The environment, `production` or `development` [default: what the configuration says].
    #[arg(long, global = true, env = "BEDPLATE_ENVIRONMENT", value_name = "NAME")]
    pub(crate) environment: Option<String>,
    /// The AWS profile.
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// The address of a local cloud, instead of AWS.
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) endpoint_url: Option<String>,
    /// One JSON document on stdout; progress as JSON lines on stderr.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// When to use colour.
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub(crate) color: Color,
    /// Show results and errors only.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Show calls that are repeated, and the calls made by operation.
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Color {
    pub(crate) fn apply(self) {
        let choice = match self {
            Self::Auto => anstream::ColorChoice::Auto,
            Self::Always => anstream::ColorChoice::Always,
            Self::Never => anstream::ColorChoice::Never,
        };
        choice.write_global();
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write a commented platform.toml, from flags or by asking; never overwrites.
    Init(InitArgs),
    /// Show the settings in force and where each came from, and the state, profile and endpoint that are used.
    Config(ConfigArgs),
    /// Answer whether a bootstrap would work; change nothing.
    Preflight,
    /// Show what would change and why, field by field.
    Plan(PlanArgs),
    /// Preflight, plan, ask, apply, show the outputs. Run it again: "no changes".
    Bootstrap(ConsentArgs),
    /// Plan and apply, or apply a saved plan.
    Apply(ApplyArgs),
    /// Show what differs in AWS from what was last applied.
    Drift(DriftArgs),
    /// Remove everything this stack owns, in reverse order.
    Destroy(DestroyArgs),
    /// Take over what exists: tag it as this stack's and record it; nothing else of it is changed.
    Import(ImportArgs),
    /// Estimate what the configuration costs a month, against its budgets; asks nobody.
    Cost,
    /// Say whether the running platform keeps its promises; exit with 1 when one is broken.
    Verify,
    /// Show the outputs.
    Output(OutputArgs),
    /// Print a kubeconfig for the cluster, or merge it into the user's; tokens come from `bedplate token`.
    Kubeconfig(KubeconfigArgs),
    /// Show what a run did and where its time went.
    Report(ReportArgs),
    /// Print a token for a cluster, as kubectl asks for it.
    Token(TokenArgs),
    /// Draw the dependency graph.
    Graph(GraphArgs),
    /// Look into the state, and set it right.
    #[command(subcommand)]
    State(StateCommand),
    /// Print the manual page, or write those of all commands.
    Man(ManArgs),
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// `init`
#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// The beginning of every resource's name.
    #[arg(long, value_name = "NAME")]
    pub(crate) project_name: Option<String>,
    /// The AWS region.
    #[arg(long)]
    pub(crate) region: Option<String>,
    /// The AWS account.
    #[arg(long, value_name = "ID")]
    pub(crate) account_id: Option<String>,
    /// Where alerts go.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) alert_email: Option<String>,
    /// The monthly budget in US dollars.
    #[arg(long, value_name = "USD")]
    pub(crate) monthly_budget_limit: Option<String>,
}

impl InitArgs {
    /// Whether nothing is left to ask.
    pub(crate) fn complete(&self) -> bool {
        let all = [&self.project_name, &self.region, &self.account_id, &self.alert_email, &self.monthly_budget_limit];
        all.iter().all(|it| it.is_some())
    }
}

/// `config`
#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    /// Print the JSON schema of the file instead, for editors.
    #[arg(long)]
    pub(crate) schema: bool,
}

/// `plan`
#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// Save the plan for `apply FILE`.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Exit with 2 when there is something to change.
    #[arg(long)]
    pub(crate) detailed_exitcode: bool,
    #[command(flatten)]
    pub(crate) targets: TargetArgs,
    /// Believe the state instead of looking at AWS: fast, and blind to what was changed outside bedplate.
    #[arg(long)]
    pub(crate) no_refresh: bool,
}

/// Which resources.
#[derive(Debug, Args)]
pub(crate) struct TargetArgs {
    /// Only this resource or layer, with what it needs (`network`, `cluster/addon/coredns`).
    #[arg(long = "target", value_name = "ADDR")]
    pub(crate) targets: Vec<String>,
}

/// Whether to ask.
#[derive(Debug, Args)]
pub(crate) struct ConsentArgs {
    /// Do not ask.
    #[arg(long)]
    pub(crate) yes: bool,
}

/// `apply`
#[derive(Debug, Args)]
pub(crate) struct ApplyArgs {
    /// A plan saved by `plan --out`, all of it; refused if the state moved since.
    #[arg(conflicts_with = "targets")]
    pub(crate) file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) consent: ConsentArgs,
    #[command(flatten)]
    pub(crate) targets: TargetArgs,
}

/// `drift`
#[derive(Debug, Args)]
pub(crate) struct DriftArgs {
    /// Put it back.
    #[arg(long)]
    pub(crate) repair: bool,
    #[command(flatten)]
    pub(crate) consent: ConsentArgs,
}

/// `destroy`
#[derive(Debug, Args)]
pub(crate) struct DestroyArgs {
    #[command(flatten)]
    pub(crate) consent: ConsentArgs,
    /// Remove protected resources too, and those of a production stack at all.
    #[arg(long)]
    pub(crate) lift_protection: bool,
    /// Delete everything in the buckets too, with all versions.
    #[arg(long)]
    pub(crate) empty_buckets: bool,
    /// Leave no last snapshots of the database and the cache.
    #[arg(long)]
    pub(crate) skip_final_snapshot: bool,
    #[command(flatten)]
    pub(crate) targets: TargetArgs,
}

/// `import`
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// Where the configuration declares it.
    #[arg(value_name = "ADDR", required_unless_present = "from_terraform", requires = "id")]
    pub(crate) address: Option<String>,
    /// What AWS calls it: an id, a name, an ARN, or `parent|name`, as the plan and `state show` write it.
    #[arg(value_name = "ID")]
    pub(crate) id: Option<String>,
    /// Take over what a Terraform state names (`terraform state pull`); what may be several declared resources is listed
    /// and left alone.
    #[arg(long, value_name = "FILE", conflicts_with = "address")]
    pub(crate) from_terraform: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) consent: ConsentArgs,
}

/// `output`
#[derive(Debug, Args)]
pub(crate) struct OutputArgs {
    /// One output only.
    pub(crate) name: Option<String>,
    /// The bare value of one output, without quotes.
    #[arg(long, requires = "name")]
    pub(crate) raw: bool,
}

/// `kubeconfig`
#[derive(Debug, Args)]
pub(crate) struct KubeconfigArgs {
    /// Write it to this file (mode 0600) instead of stdout.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Put it into the user's kubeconfig (KUBECONFIG, or ~/.kube/config) and make it the current context. What else is
    /// there stays, except comments.
    #[arg(long, conflicts_with = "out")]
    pub(crate) merge: bool,
}

/// `man`
#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Write the pages of all commands into this folder.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: Option<PathBuf>,
}

/// `token`
#[derive(Debug, Args)]
pub(crate) struct TokenArgs {
    /// The cluster's name.
    #[arg(long, value_name = "NAME")]
    pub(crate) cluster: String,
    /// The cluster's region.
    #[arg(long, value_name = "REGION")]
    pub(crate) region: String,
}

/// `report`
#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// The log of a run [default: that of the newest one, in the folder `<state>.runs`].
    pub(crate) file: Option<PathBuf>,
    /// As a page with a picture of time, in one file.
    #[arg(long)]
    pub(crate) html: bool,
}

/// `graph`
#[derive(Debug, Args)]
pub(crate) struct GraphArgs {
    /// The format; without it dot, or json with --json.
    #[arg(long, value_enum)]
    pub(crate) format: Option<GraphFormat>,
    /// Ask AWS too, and mark what was changed outside bedplate.
    #[arg(long)]
    pub(crate) drift: bool,
}

/// How to draw the graph.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum GraphFormat {
    /// For Graphviz.
    Dot,
    /// A picture.
    Svg,
    /// A page to search and walk around in, in one file.
    Html,
    /// Nodes and edges.
    Json,
}

/// `state`
#[derive(Debug, Subcommand)]
pub(crate) enum StateCommand {
    /// Print the address of every resource, one a line.
    List,
    /// Print what is recorded of one resource, as JSON.
    Show {
        /// Its address.
        address: String,
    },
    /// Record a resource at another address; its tag in AWS follows with the next apply.
    Mv {
        /// Where it is recorded.
        #[arg(value_name = "A")]
        from: String,
        /// Where it shall be recorded; the configuration declares the same type there.
        #[arg(value_name = "B")]
        to: String,
        #[command(flatten)]
        consent: ConsentArgs,
    },
    /// Forget a resource; it stays in AWS.
    Rm {
        /// Its address.
        #[arg(value_name = "ADDR")]
        address: String,
        #[command(flatten)]
        consent: ConsentArgs,
    },
    /// Say who holds the lock, and take it away from a run that is dead.
    Unlock(ConsentArgs),
    /// Find everything that belongs to the stack in AWS and record it; nothing in AWS is changed, and nothing is asked.
    Recover(ConsentArgs),
    /// Print the state as it is saved.
    Pull,
    /// Save a state that was pulled; one that is older or of another lineage is refused.
    Push {
        /// The file [default: standard input].
        file: Option<PathBuf>,
        #[command(flatten)]
        consent: ConsentArgs,
    },
}
