//! What most commands begin with: the configuration, the state, the account, the declared platform.

use crate::{
    args::Globals,
    commands::kubeconfig,
    exit::Refused,
    render::{Printer, count},
};
use anyhow::{Context, Result};
use aws_config::{
    BehaviorVersion, ConfigLoader, Region, SdkConfig, profile::ProfileFileCredentialsProvider,
    provider_config::ProviderConfig, retry::RetryConfig, timeout::TimeoutConfig,
};
use bedplate_aws::{
    Aws, Belief, KINDS, Ledger, Recorded, StateObject, connections,
    facts::{self, Support},
    organizations,
};
use bedplate_engine::{Kinds, Recovered, Search, foresee, recover, search, settled, survey};
use bedplate_model::{Address, Json};
use bedplate_plan::{Graph, Observations, Options, Plan, make};
use bedplate_platform::{
    Facts,
    choices::{self, ChoiceError},
    config::{Config, Environment},
};
use bedplate_state::{
    Fallback, FileStore, FormatError, Holder, Lease, Lock, SharedStore, State, StoreError, parse, write,
};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// The configuration and the state, without a look at what exists.
pub(crate) struct Local {
    pub(crate) config: Config,
    pub(crate) store: Box<dyn SharedStore>,
    /// As saved; `None` when nothing was saved yet.
    pub(crate) saved: Option<State>,
    /// The calls that the store makes, where it is out there.
    pub(crate) stored: Ledger,
    /// Where the logs of the runs go.
    pub(crate) logs: PathBuf,
    lock: Option<Lock>,
}

impl Local {
    /// Reads both. Nothing is written.
    pub(crate) async fn open(globals: &Globals) -> Result<Self> {
        let mut local = Self::unread(globals).await?;
        local.read(globals).await?;
        Ok(local)
    }

    /// The same, and keeps other runs away as long as the value lives.
    pub(crate) async fn open_locked(globals: &Globals, command: &str) -> Result<Self> {
        let mut local = Self::unread(globals).await?;
        // Before it is read, so that what is planned is still true when it is done.
        local.lock = Some(local.take_lock(globals, command).await?);
        local.read(globals).await?;
        if local.store.remark().is_some()
            && let Some(state) = &local.saved
        {
            local.store.save(&write(state)).await?;
        }
        Ok(local)
    }

    /// The configuration, and the place of a state that was not read yet.
    pub(crate) async fn unread(globals: &Globals) -> Result<Self> {
        let mut config = load_config(globals)?;
        region_from_environment(globals, &mut config)?;
        let stored = Ledger::default();
        let store = store(globals, &config, &stored).await?;
        let logs = log_place(globals, &config);
        Ok(Self { config, store, saved: None, stored, logs, lock: None })
    }

    async fn read(&mut self, globals: &Globals) -> Result<()> {
        self.saved = load(self.store.as_ref()).await?;
        if let Some(remark) = self.store.remark() {
            Printer::new(globals).warning(&remark);
        }
        self.check_recorded()
    }

    async fn take_lock(&self, globals: &Globals, command: &str) -> Result<Lock, StoreError> {
        let now = jiff::ZonedDateTime::now().strftime("%Y-%m-%d %H:%M:%S %:z");
        let holder = Holder::this_process(command, now.to_string());
        let printer = Printer::new(globals);
        self.store.lock(&holder, &|line| printer.note(line)).await
    }

    /// Whether other runs are kept away for certain; `None` where they are not kept away at all.
    pub(crate) fn lease(&self) -> Option<&Arc<Lease>> {
        self.lock.as_ref().map(Lock::lease)
    }

    /// The state, or that of a stack that owns nothing yet.
    pub(crate) fn state(&self) -> State {
        let fresh = || {
            let (account, region) = (self.config.account_id.to_string(), self.config.region.to_string());
            State::new(self.config.stack_id(), account, region)
        };
        self.saved.clone().unwrap_or_else(fresh)
    }

    /// Saves a changed state.
    pub(crate) async fn save(&self, mut state: State) -> Result<(), StoreError> {
        state.serial += 1;
        self.store.save(&write(&state)).await
    }

    /// The platform as the recorded choices make it; `None` before the first run.
    pub(crate) fn recorded_graph(&self) -> Result<Option<Graph>> {
        let Some(state) = &self.saved else { return Ok(None) };
        let Some(facts) = choices::recorded(&self.config, &state.choices) else { return Ok(None) };
        Ok(Some(bedplate_platform::build(&self.config, &facts)?))
    }

    /// A state belongs to one stack, account and region.
    fn check_recorded(&self) -> Result<()> {
        self.saved.as_ref().map_or(Ok(()), |state| self.check(state, &format!("the state at {}", self.store.place())))
    }

    /// That a state is of the configured stack, account and region.
    pub(crate) fn check(&self, state: &State, called: &str) -> Result<()> {
        let (stack, account, region) =
            (self.config.stack_id().to_string(), self.config.account_id.to_string(), self.config.region.to_string());
        for (what, recorded, configured) in [
            ("account", &*state.account, &account),
            ("region", &state.region, &region),
            ("stack", state.stack.as_str(), &stack),
        ] {
            if recorded != configured {
                return Err(Refused::new(
                    format!("{called} is of {what} {recorded}, and the configuration says {configured}"),
                    format!(
                        "use the configuration it was made with, or give another state with --state; the {what} cannot be changed in place"
                    ),
                ));
            }
        }
        Ok(())
    }
}

/// The configuration, for the environment that is chosen.
pub(crate) fn load_config(globals: &Globals) -> Result<Config> {
    Ok(Config::load_for(&globals.config, environment(globals)?)?)
}

/// The environment that the options or the surroundings choose.
pub(crate) fn environment(globals: &Globals) -> Result<Option<Environment>> {
    let Some(name) = globals.environment.as_deref().filter(|name| !name.is_empty()) else { return Ok(None) };
    let names = Environment::ALL.map(Environment::as_str).join(" or ");
    let unknown = || Refused::new(format!("there is no environment `{name}`"), format!("--environment takes {names}"));
    Environment::named(name).map(Some).ok_or_else(unknown)
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

async fn load(store: &dyn SharedStore) -> Result<Option<State>, StoreError> {
    let Some(bytes) = store.load().await? else { return Ok(None) };
    parse(&bytes).map(Some).map_err(|problem| {
        let way_back = match problem {
            FormatError::Newer { .. } => "Use that version of bedplate, or a newer one".to_owned(),
            FormatError::Damaged(_) | FormatError::Changed => store.way_back(),
        };
        StoreError::Format { place: store.place(), way_back, problem }
    })
}

/// The place of the state: of `--state`, or a file beside the configuration.
async fn store(globals: &Globals, config: &Config, stored: &Ledger) -> Result<Box<dyn SharedStore>> {
    let folder = globals.config.parent().unwrap_or_else(|| Path::new("")).join("state");
    let Some(place) = &globals.state else {
        return Ok(Box::new(FileStore::new(default_state_path(globals, config))));
    };
    if let Some(address) = place.strip_prefix("s3://") {
        let Some((bucket, key)) = address.split_once('/').filter(|(bucket, key)| !bucket.is_empty() && !key.is_empty())
        else {
            return Err(Refused::new(
                format!("{place} names no object in a bucket"),
                "give a bucket and a key: --state s3://my-bucket/bedplate/production.json",
            ));
        };
        let sdk = sdk_config(globals, config.region.as_str()).await?;
        let far = StateObject::connect(&sdk, bucket, key, stored).await?;
        return Ok(Box::new(Fallback::new(far, folder.join(format!("{}.unsaved.json", config.stack())))));
    }
    if place.contains("://") {
        return Err(Refused::new(
            format!("a state cannot be kept at {place}"),
            "give a path or s3://bucket/key with --state or BEDPLATE_STATE",
        ));
    }
    Ok(Box::new(FileStore::new(place)))
}

/// A connection to the configured account.
pub(crate) struct Account {
    pub(crate) aws: Aws,
    caller: facts::Caller,
    /// The platform as the recorded choices make it, if they are recorded.
    recorded: Option<Graph>,
}

impl Account {
    /// Connects and checks the account.
    pub(crate) async fn connect(globals: &Globals, local: &Local) -> Result<Self> {
        let sdk = sdk_config(globals, local.config.region.as_str()).await?;
        let aws = Aws::new(&sdk);
        if let Some(lease) = local.lease() {
            let lease = Arc::clone(lease);
            aws.fence.guard(move || lease.holds());
        }
        let asked = sdk.endpoint_url().map_or_else(|| format!("AWS in {}", local.config.region), ToOwned::to_owned);
        let answer = tokio::spawn({
            let aws = aws.clone();
            async move { facts::caller(&aws).await }
        });
        // Meanwhile. What is wrong with the platform is told once the account is known to be the right one.
        let recorded = local.recorded_graph();
        let caller = answer.await?.with_context(|| format!("asking {asked} who makes the calls failed"))?;
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
        Ok(Self { aws, caller, recorded: recorded? })
    }
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
    pub(crate) caller: facts::Caller,
    pub(crate) kinds: Kinds<Aws>,
    pub(crate) graph: Graph,
    /// The state with the choices of this run, not saved yet.
    pub(crate) state: State,
    /// Where there was no state: the search for what the stack owns, which found nothing.
    search: Search,
}

impl Session {
    /// Connects, checks the account, and declares the platform. Nothing is changed.
    pub(crate) async fn open(globals: &Globals) -> Result<Self> {
        Self::connect(globals, Local::open(globals).await?).await
    }

    /// The same, and keeps other runs away as long as the value lives.
    pub(crate) async fn open_locked(globals: &Globals, command: &str) -> Result<Self> {
        Self::connect(globals, Local::open_locked(globals, command).await?).await
    }

    /// The same for a configuration and state that are already read.
    pub(crate) async fn connect(globals: &Globals, local: Local) -> Result<Self> {
        let account = Account::connect(globals, &local).await?;
        let state = local.state();
        Self::declare(local, account, state).await
    }

    /// The same. Where no state was saved, first finds everything that the stack owns: nothing that was made before a state
    /// got lost is made twice, or left when it is no longer declared.
    pub(crate) async fn open_or_find(globals: &Globals, local: Local, printer: &Printer) -> Result<Self> {
        if local.saved.is_some() {
            return Self::connect(globals, local).await;
        }
        let account = Account::connect(globals, &local).await?;
        let search = search_account(&local, &account).await;
        if search.owned.is_empty() {
            // What has no tags is found by its name when it is compared.
            let state = local.state();
            return Ok(Self { search, ..Self::declare(local, account, state).await? });
        }
        let (session, recovered) = Self::find_again(local, account, search).await?;
        printer.warning(&format!(
            "there is no state at {}, and the account has {} of this stack: found again by their tags and names",
            session.local.store.place(),
            count(recovered.found.len(), "resource")
        ));
        warn_unsearched(printer, &recovered);
        Ok(session)
    }

    /// Declares the platform for an account.
    async fn declare(local: Local, account: Account, mut state: State) -> Result<Self> {
        let Account { aws, caller, recorded } = account;
        let graph = match recorded {
            Some(graph) => graph,
            None => {
                let facts = decide(&aws, &local.config, &caller, &mut state).await?;
                bedplate_platform::build(&local.config, &facts)?
            }
        };
        Ok(Self { local, aws, caller, kinds: Kinds::new(KINDS), graph, state, search: Search::default() })
    }

    /// Says what in the configuration somebody may regret, unless nothing but results is asked for.
    pub(crate) fn warn(&self, printer: &Printer) {
        let warnings = self.local.config.warnings();
        warnings.iter().filter(|_| !printer.quiet).for_each(|warning| printer.warning(warning));
    }

    /// Declares the platform, with a state that knows everything that exists, found by ownership tags and names. It is not saved.
    pub(crate) async fn find_again(local: Local, account: Account, search: Search) -> Result<(Self, Recovered)> {
        // First what was chosen once, since the declared platform follows from it.
        let mut state = local.state();
        let specs = search.owned.iter().map(|piece| (&piece.owner.address, &piece.seen.spec));
        choices::find_again(&local.config, specs, &mut state.choices);
        let mut session = Self::declare(local, Account { recorded: None, ..account }, state).await?;

        let recovered = recover(&session.kinds, &session.aws, &session.graph, &session.state, search).await?;
        session.state = recovered.state.clone();
        Ok((session, recovered))
    }

    /// Looks at everything and compares.
    pub(crate) async fn plan(&self, graph: &Graph, options: &Options) -> Result<Plan> {
        self.search.complete(&self.kinds, graph, &self.state)?;
        let belief = if options.targets.is_some() { Belief::Tags } else { Belief::Records };
        let observations = self.survey(graph, options.targets.as_ref(), Recorded::new(&self.state, belief)).await?;
        let mut plan = make(graph, &self.state, &observations, &self.kinds, options)?;
        foresee(&self.kinds, &self.aws, &self.state, &mut plan).await?;
        Ok(plan)
    }

    /// The same for the whole platform, with every tag asked of its own service: the index of all tags may be late.
    pub(crate) async fn audit(&self) -> Result<Plan> {
        let observations = self.observe().await?;
        Ok(make(&self.graph, &self.state, &observations, &self.kinds, &Options::default())?)
    }

    /// What AWS shows of everything declared or recorded, with every tag asked of its own service.
    pub(crate) async fn observe(&self) -> Result<Observations> {
        self.survey(&self.graph, None, Recorded::new(&self.state, Belief::Nothing)).await
    }

    /// Looks at everything declared or recorded, or at the targets.
    async fn survey(
        &self,
        graph: &Graph,
        targets: Option<&BTreeSet<Address>>,
        recorded: Recorded,
    ) -> Result<Observations> {
        let aws = self.aws.surveying(recorded);
        Ok(survey(&self.kinds, &aws, graph, &self.state, targets).await?)
    }

    /// The stack's outputs, as far as they are known.
    pub(crate) fn outputs(&self, state: &State) -> Json {
        outputs(&self.graph, state)
    }
}

/// Searches the account for everything that the stack owns, by its tags.
pub(crate) async fn search_account(local: &Local, account: &Account) -> Search {
    let (kinds, stack) = (Kinds::new(KINDS), local.config.stack_id());
    settled(async || {
        // Types share answers. No tag is believed but its own service's.
        let aws = account.aws.surveying(Recorded::new(&local.state(), Belief::Nothing));
        search(&kinds, &aws, &stack).await
    })
    .await
}

/// Says which types could not be searched. None of them is declared, or its objects lie in a cluster.
pub(crate) fn warn_unsearched(printer: &Printer, recovered: &Recovered) {
    for (kind, error) in &recovered.unsearched {
        printer.warning(&format!("{kind} could not be searched for what the stack owns: {error}"));
    }
}

/// The stack's outputs, as far as they are known.
pub(crate) fn outputs(graph: &Graph, state: &State) -> Json {
    let lookup = |address: &Address, field: &str| state.output(address, field).cloned();
    let resolved = graph.outputs().iter().map(|(name, value)| (name.clone(), bedplate_model::resolve(value, &lookup)));
    let mut outputs: Json = resolved.filter(|(_, value)| bedplate_model::is_known(value)).collect();
    if let Some(text) = kubeconfig::text(&outputs, &state.region) {
        outputs["kubeconfig"] = Json::String(text);
    }
    outputs
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
pub(crate) async fn connect(globals: &Globals, region: &str) -> Result<Aws> {
    Ok(Aws::new(&sdk_config(globals, region).await?))
}

/// So long a call may stay without an answer: then its connection is taken for dead. On its own the SDK waits for ever. (The AWS
/// CLI and boto3 wait as long: botocore's Config, `read_timeout`.)
const SILENCE: Duration = Duration::from_secs(60);

async fn sdk_config(globals: &Globals, region: &str) -> Result<SdkConfig> {
    let loader = credentials(globals, region)?
        .region(Region::new(region.to_owned()))
        // The SDK's own retries: bounded, and slowed down as a whole when AWS throttles.
        .retry_config(RetryConfig::adaptive().with_max_attempts(6))
        .timeout_config(TimeoutConfig::builder().read_timeout(SILENCE).build());
    let config = loader.load().await;
    config.endpoint_url().map_or(Ok(()), check_endpoint)?;
    Ok(config)
}

/// That an endpoint is one, and has nothing secret in it that an error would show.
pub(crate) fn check_endpoint(url: &str) -> Result<()> {
    let refused = |why| {
        Err(Refused::new(
            format!("the address of the endpoint {why}"),
            "give --endpoint-url (or AWS_ENDPOINT_URL, or the profile's `endpoint_url`) as http://host:port or https://host:port",
        ))
    };
    let Some(rest) = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://")) else {
        return refused("does not begin with http:// or https://");
    };
    match rest.split(['/', '?', '#']).next() {
        Some("") | None => refused("names no host"),
        Some(host) if host.contains('@') => refused("has a user or a password in it, which AWS's API does not ask for"),
        Some(_) => Ok(()),
    }
}

/// Who asks, and where: as the options and the environment say.
pub(crate) fn credentials(globals: &Globals, region: &str) -> Result<ConfigLoader> {
    let connections = connections().map_err(|error| {
        Refused::new(
            error.to_string(),
            "correct the file, name another one, or unset AWS_CA_BUNDLE: then what the system trusts is trusted",
        )
    })?;
    let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(connections.clone());
    if let Some(profile) = &globals.profile {
        // On its own the SDK would rather take keys from the environment than those of a profile that somebody named.
        let surroundings = ProviderConfig::without_region().with_http_client(connections);
        let surroundings = surroundings.with_region(Some(Region::new(region.to_owned())));
        let named = ProfileFileCredentialsProvider::builder().profile_name(profile).configure(&surroundings).build();
        loader = loader.profile_name(profile).credentials_provider(named);
    }
    if let Some(endpoint) = &globals.endpoint_url {
        loader = loader.endpoint_url(endpoint);
    }
    Ok(loader)
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
    let member = match choices::needs_member(config) {
        true => {
            organizations::is_member(aws, &caller.account).await.context("asking AWS for the organization failed")?
        }
        false => false,
    };
    let found = choices::Found {
        partition: caller.partition.clone(),
        principal_arn: caller.principal_arn.as_ref().map(ToString::to_string),
        zones: zones.into_iter().map(|zone| zone.id).collect(),
        addon_versions: addons,
        member,
    };
    let decided = choices::decide(config, &found, &mut state.choices);
    if let Err(ChoiceError::NoSuchAddon { .. }) = &decided {
        // A version that EKS does not have has no add-ons either.
        cluster_version(aws, config).await?;
    }
    decided
        .map_err(|error| Refused::new(error.to_string(), "correct the configuration, then run the same command again"))
}

/// How far AWS supports the configured version of Kubernetes, and the versions in standard support. One that it does not have
/// is refused.
pub(crate) async fn cluster_version(aws: &Aws, config: &Config) -> Result<(Support, String)> {
    let version = config.cluster.version.to_string();
    let found = facts::cluster_version(aws, &version).await.context("asking AWS for the versions of EKS failed")?;
    let standard = found.standard.join(", ");
    let unknown = || {
        Refused::new(
            format!("EKS does not have Kubernetes {version}"),
            format!("set `version` in [cluster] to one of {standard}, then run the same command again"),
        )
    };
    Ok((found.support.ok_or_else(unknown)?, standard))
}
