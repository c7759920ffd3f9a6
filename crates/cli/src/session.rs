//! What most commands begin with: the configuration, the state, the account, the declared platform.

use crate::{args::Globals, exit::Refused, render::Printer};
use anyhow::{Context, Result};
use aws_config::{BehaviorVersion, Region, retry::RetryConfig};
use bedplate_aws::{Aws, KINDS, facts};
use bedplate_engine::{Kinds, survey};
use bedplate_model::{Address, Json};
use bedplate_plan::{Graph, Observations, Options, Plan, make};
use bedplate_platform::{Facts, choices, config::Config};
use bedplate_state::{FileStore, Lock, State, Store, StoreError, parse};
use std::{collections::BTreeSet, path::PathBuf};

/// The configuration and the state, without AWS.
pub(crate) struct Local {
    pub(crate) config: Config,
    pub(crate) store: FileStore,
    /// As saved; `None` when nothing was saved yet.
    pub(crate) saved: Option<State>,
    /// Where the logs of the runs go.
    pub(crate) logs: PathBuf,
}

impl Local {
    /// Reads both. Nothing is written.
    pub(crate) async fn open(globals: &Globals) -> Result<Self> {
        let mut config = Config::load(&globals.config)?;
        region_from_environment(globals, &mut config)?;
        let store = FileStore::new(state_path(globals, &config)?);
        let saved = load(&store).await?;
        let logs = log_place(globals, &config);
        let local = Self { config, store, saved, logs };
        local.check_recorded()?;
        Ok(local)
    }

    /// The state, or that of a stack that owns nothing yet.
    pub(crate) fn state(&self) -> State {
        let fresh = || {
            let (account, region) = (self.config.account_id.to_string(), self.config.region.to_string());
            State::new(bedplate_model::StackId::new(self.config.stack()), account, region)
        };
        self.saved.clone().unwrap_or_else(fresh)
    }

    /// The platform as the recorded choices make it; `None` before the first run.
    pub(crate) fn recorded_graph(&self) -> Result<Option<Graph>> {
        let Some(state) = &self.saved else { return Ok(None) };
        let Some(facts) = choices::recorded(&self.config, &state.choices) else { return Ok(None) };
        Ok(Some(bedplate_platform::build(&self.config, &facts)?))
    }

    /// Takes the lock that keeps other runs away.
    pub(crate) fn lock(&self, command: &str) -> Result<Lock> {
        let now = jiff::ZonedDateTime::now().strftime("%Y-%m-%d %H:%M:%S %:z");
        Ok(self.store.lock(&format!("`bedplate {command}` (process {}) since {now}", std::process::id()))?)
    }

    /// A state belongs to one stack, account and region.
    fn check_recorded(&self) -> Result<()> {
        let Some(state) = &self.saved else { return Ok(()) };
        let (stack, account, region) =
            (self.config.stack(), self.config.account_id.to_string(), self.config.region.to_string());
        for (what, recorded, configured) in [
            ("stack", state.stack.as_str(), &stack),
            ("account", &state.account, &account),
            ("region", &state.region, &region),
        ] {
            if recorded != configured {
                return Err(Refused::new(
                    format!(
                        "the state at {} is of {what} {recorded}, and the configuration says {configured}",
                        self.store.place()
                    ),
                    format!(
                        "use the configuration it was made with, or give another state with --state; a {what} cannot be changed in place"
                    ),
                ));
            }
        }
        Ok(())
    }
}

/// The environment goes before the file, as everywhere with AWS; said aloud, because a platform in the wrong region is
/// expensive.
pub(crate) fn region_from_environment(globals: &Globals, config: &mut Config) -> Result<()> {
    let Some(region) = std::env::var("AWS_REGION").ok().filter(|region| !region.is_empty()) else { return Ok(()) };
    if region != config.region.to_string() {
        let file = globals.config.display();
        Printer::new(globals).warning(&format!("region {region} from AWS_REGION, not {} from {file}", config.region));
        config.region = region.parse().map_err(|fault| {
            Refused::new(format!("AWS_REGION is `{region}`: {fault}"), "set it to a region, or unset it")
        })?;
    }
    Ok(())
}

async fn load(store: &FileStore) -> Result<Option<State>, StoreError> {
    let Some(bytes) = store.load().await? else { return Ok(None) };
    parse(&bytes).map(Some).map_err(|problem| {
        let backup = store.backup_path();
        let way_back = match backup.exists() {
            true => {
                format!("Put the copy from before the last run back: mv '{}' '{}'", backup.display(), store.place())
            }
            false => format!("Put a copy of it back, or move it away: mv '{0}' '{0}.damaged'", store.place()),
        };
        StoreError::Format { place: store.place(), way_back, problem }
    })
}

fn state_path(globals: &Globals, config: &Config) -> Result<PathBuf> {
    if let Some(state) = &globals.state {
        if state.contains("://") {
            return Err(Refused::new(
                format!("this version keeps the state in a local file only, not at {state}"),
                "give a path with --state or BEDPLATE_STATE",
            ));
        }
        return Ok(PathBuf::from(state));
    }
    Ok(default_state_path(globals, config))
}

/// Where the logs of the runs go: beside the state, or where it would be by default when it is not a file.
pub(crate) fn log_place(globals: &Globals, config: &Config) -> PathBuf {
    match &globals.state {
        Some(path) if !path.contains("://") => PathBuf::from(path),
        _ => default_state_path(globals, config),
    }
}

fn default_state_path(globals: &Globals, config: &Config) -> PathBuf {
    let folder = globals.config.parent().unwrap_or_else(|| std::path::Path::new(""));
    folder.join("state").join(format!("{}.json", config.stack()))
}

/// A connection to the account, and the platform declared for it.
pub(crate) struct Session {
    pub(crate) local: Local,
    pub(crate) aws: Aws,
    pub(crate) kinds: Kinds<Aws>,
    pub(crate) graph: Graph,
    /// The state with the choices of this run, not saved yet.
    pub(crate) state: State,
}

impl Session {
    /// Connects, checks the account, and declares the platform. Nothing is changed.
    pub(crate) async fn open(globals: &Globals) -> Result<Self> {
        let local = Local::open(globals).await?;
        Self::connect(globals, local).await
    }

    /// The same for a configuration and state that are already read.
    pub(crate) async fn connect(globals: &Globals, local: Local) -> Result<Self> {
        let aws = connect(globals, local.config.region.as_str()).await;
        let caller = facts::caller(&aws).await.context("asking AWS who makes the calls failed")?;
        let configured = local.config.account_id.to_string();
        if caller.account != configured {
            return Err(Refused::new(
                format!(
                    "the credentials belong to account {} ({}), and account_id in {} is {configured}",
                    caller.account,
                    caller.arn,
                    globals.config.display()
                ),
                "use credentials of that account (--profile or AWS_PROFILE), or correct account_id",
            ));
        }
        let mut state = local.state();
        let facts = decide(&aws, &local.config, &caller, &mut state).await?;
        let graph = bedplate_platform::build(&local.config, &facts)?;
        Ok(Self { local, aws, kinds: Kinds::new(KINDS), graph, state })
    }

    /// Looks at everything and compares.
    pub(crate) async fn plan(&self, graph: &Graph, options: &Options) -> Result<Plan> {
        let observations = self.survey(graph).await?;
        Ok(make(graph, &self.state, &observations, &self.kinds, options)?)
    }

    /// Looks at everything declared or recorded.
    pub(crate) async fn survey(&self, graph: &Graph) -> Result<Observations> {
        Ok(survey(&self.kinds, &self.aws, graph, &self.state).await?)
    }

    /// The stack's outputs, as far as they are known.
    pub(crate) fn outputs(&self, state: &State) -> Json {
        outputs(&self.graph, state)
    }
}

/// The stack's outputs, as far as they are known.
pub(crate) fn outputs(graph: &Graph, state: &State) -> Json {
    let lookup = |address: &Address, field: &str| state.output(address, field).cloned();
    let resolved = graph.outputs().iter().map(|(name, value)| (name.clone(), bedplate_model::resolve(value, &lookup)));
    resolved.filter(|(_, value)| bedplate_model::is_known(value)).collect()
}

/// The addresses that the `--target`s name: resources, or all below a layer or folder.
pub(crate) fn targets(named: &[String], graph: &Graph, state: &State) -> Result<Option<BTreeSet<Address>>> {
    if named.is_empty() {
        return Ok(None);
    }
    let all: BTreeSet<&Address> = graph.iter().map(|(address, _)| address).chain(state.resources.keys()).collect();
    let mut chosen = BTreeSet::new();
    for name in named {
        let below = format!("{name}/");
        let matching = all.iter().filter(|address| address.as_str() == name || address.as_str().starts_with(&below));
        let before = chosen.len();
        chosen.extend(matching.map(|address| (*address).clone()));
        if chosen.len() == before {
            return Err(Refused::new(
                format!("--target {name} names no resource and no layer"),
                "`bedplate state list` and `bedplate graph --format json` show the addresses",
            ));
        }
    }
    Ok(Some(chosen))
}

/// The clients, with the credentials that the options and the environment name. Nothing is sent.
pub(crate) async fn connect(globals: &Globals, region: &str) -> Aws {
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        // The SDK's own retries: bounded, and slowed down as a whole when AWS throttles.
        .retry_config(RetryConfig::adaptive().with_max_attempts(6));
    if let Some(profile) = &globals.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(endpoint) = &globals.endpoint_url {
        loader = loader.endpoint_url(endpoint);
    }
    Aws::new(&loader.load().await)
}

/// Makes the choices that are made once: zones, administrators, add-on versions. They go into the state.
async fn decide(aws: &Aws, config: &Config, caller: &facts::Caller, state: &mut State) -> Result<Facts> {
    if let Some(facts) = choices::recorded(config, &state.choices) {
        return Ok(facts);
    }
    let zones = facts::zones(aws).await.context("asking AWS for the availability zones failed")?;
    let addons = match config.cluster.enabled {
        true => {
            let names = choices::addon_names(config);
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let version = config.cluster.version.to_string();
            facts::addon_versions(aws, &version, &names).await.context("asking AWS for the add-on versions failed")?
        }
        false => std::collections::BTreeMap::new(),
    };
    let found = choices::Found {
        partition: caller.partition.clone(),
        principal_arn: caller.principal_arn.as_ref().map(ToString::to_string),
        zones: zones.into_iter().map(|zone| zone.id).collect(),
        addon_versions: addons,
    };
    let facts = choices::decide(config, &found, &mut state.choices)
        .map_err(|error| Refused::new(error.to_string(), "correct the configuration"))?;
    Ok(facts)
}
