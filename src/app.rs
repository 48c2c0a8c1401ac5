//! Assembly: everything that runs, built from a configuration, and built again by a reload.
//!
//! What must not be there twice goes over from one [`Site`] to the next: the log, the calls under way, what is counted, and what
//! is known of an Odoo whose section is the same. It may import everything but admin and cli.

use std::sync::Arc;

use secrecy::ExposeSecret;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    call::{
        AnsweredBefore, OpenKeys, QueueRoom, Service, Turns,
        auth::clients::{self, Clients},
    },
    config::{self, Config},
    fetch::{self, Fetcher},
    hook::{self, Captures, Hooks},
    http::{Site, serve::tls},
    limits::{ConcurrencyLimit, LoginThrottle, RateLimits, RefusedLines},
    log::{self, Log},
    memory::Memory,
    metrics::Metrics,
    odoo::{self, Odoo},
    proxy::{self, Proxy},
    store::{self, Clock, Spans, Store},
    telemetry::{self, Telemetry},
};

/// What a reload leaves as it is.
#[derive(Default)]
struct Kept {
    tasks: TaskTracker,
    metrics: Arc<Metrics>,
    refused_lines: Arc<RefusedLines>,
    login_throttle: Arc<LoginThrottle>,
    requests: Arc<ConcurrencyLimit>,
    memory: Option<Arc<Memory>>,
    open_keys: Arc<OpenKeys>,
    turns: Turns,
    room: Arc<QueueRoom>,
    stop: CancellationToken,
    telemetry: Telemetry,
}

/// Why the gateway cannot start, or not with a new configuration.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Log(#[from] log::Error),
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error("cannot set up the connection to Odoo: {0}")]
    Odoo(#[from] odoo::Unusable),
    #[error(transparent)]
    Client(#[from] clients::Unusable),
    #[error(transparent)]
    Files(#[from] fetch::Unusable),
    #[error(transparent)]
    Hook(#[from] hook::Unusable),
    #[error("cannot set up the connection to Odoo: {0}")]
    Proxy(#[from] proxy::Unusable),
    #[error(transparent)]
    Tls(#[from] tls::Error),
    #[error(transparent)]
    Telemetry(#[from] telemetry::Unusable),
}

/// Builds what serves a configuration. It opens the log and the store, and connects to nothing yet, so that an Odoo or a PostgreSQL
/// that is down does not keep the gateway from starting. `stop` ends what is passed on without an end of its own, such as websockets.
///
/// # Errors
/// The log or the store cannot be opened, or a file that the configuration names cannot be used.
pub async fn build(config: Config, stop: CancellationToken) -> Result<Arc<Site>, Error> {
    let metrics = Arc::<Metrics>::default();
    let odoo = Arc::new(Odoo::build(&config.upstream, &config.lookup_cache, metrics.clone())?);
    let store = Arc::new(open_store(&config).await?);
    if let Some(locks) = store.locks() {
        odoo.share_locks(Arc::new(locks));
    }
    // The log comes last: of what cannot start it should have nothing.
    let begin = |config: &Config| Log::open(&config.log);
    let telemetry = Telemetry::build(&config.telemetry)?;
    assemble(config, odoo, store, begin, Kept { metrics, stop, telemetry, ..Kept::default() })
}

/// The same gateway with another configuration. The sections of [`Config::kept_until_restart`] must be the same.
///
/// # Errors
/// A file that the configuration names cannot be used.
pub fn rebuild(site: &Site, config: Config) -> Result<Arc<Site>, Error> {
    let calls = &site.calls;
    // The certificates in the file may have changed under the same name.
    let is_same = config.upstream == calls.config.upstream
        && config.lookup_cache == calls.config.lookup_cache
        && calls.odoo.has_current_ca();
    let odoo = match is_same {
        true => calls.odoo.clone(),
        false => Arc::new(calls.odoo.rebuild(&config.upstream, &config.lookup_cache, calls.metrics.clone())?),
    };
    let log = |_: &Config| Ok(calls.log.clone());
    let kept = Kept {
        tasks: calls.tasks.clone(),
        metrics: calls.metrics.clone(),
        refused_lines: calls.refused_lines.clone(),
        login_throttle: calls.login_throttle.clone(),
        requests: site.requests.clone(),
        memory: Some(calls.memory.clone()),
        open_keys: calls.open_keys.clone(),
        turns: calls.turns.clone(),
        room: calls.room.clone(),
        stop: site.proxy.stop(),
        telemetry: calls.telemetry.clone(),
    };
    let site = assemble(config, odoo, calls.store.clone(), log, kept)?;
    // From here on, this configuration counts.
    site.calls.odoo.limit().apply();
    Ok(site)
}

/// The store of this configuration: a PostgreSQL that gateways share, or a file.
async fn open_store(config: &Config) -> Result<Store, store::Error> {
    let delivery = &config.delivery;
    let spans = Spans { lease: delivery.lease, keep: delivery.keep, callback: delivery.max_age };
    match &config.cluster.url {
        Some(url) => Store::shared(url.expose_secret(), spans, Clock::of_this_machine()),
        None => Store::in_folder(&delivery.directory, spans, Clock::of_this_machine()).await,
    }
}

fn assemble(
    config: Config,
    odoo: Arc<Odoo>,
    store: Arc<Store>,
    log: impl FnOnce(&Config) -> Result<Log, log::Error>,
    kept: Kept,
) -> Result<Arc<Site>, Error> {
    let Kept {
        tasks,
        metrics,
        refused_lines,
        login_throttle,
        requests,
        memory,
        open_keys,
        turns,
        room,
        stop,
        telemetry,
    } = kept;
    let clients = Clients::load(&config.clients)?;
    let hooks = Hooks::load(&config.hooks)?;
    let captures = Captures::of(&config);
    let files = Arc::new(Fetcher::build(&config.files)?);
    let rules = &config.policy.rules;
    let (policy, rate_limits) = (Arc::new(rules.policy.clone()), RateLimits::new(rules));
    let proxy = Proxy::build(&config.upstream, &config.proxy, odoo.clone(), login_throttle.clone(), stop)?;
    let tls = tls::load(&config.tls)?;
    let most = config.limits.bodies.as_u64();
    let memory = memory.unwrap_or_else(|| Memory::new(most));
    memory.limit_to(most);
    // Before anybody calls: what the operator has configured goes before what strangers try.
    for credential in clients.iter().filter_map(|client| client.credential().ok()) {
        odoo.failed_logins().trust(credential.fingerprint());
    }
    for (client, lack) in clients.missing() {
        tracing::warn!(client, "this client is not served: {lack}");
    }
    for (hook, lack) in hooks.missing() {
        tracing::warn!(hook, "this hook can fetch nothing: {lack}");
    }
    metrics
        .admit(config.clients.iter().map(|client| client.name.as_str()), config.hooks.iter().map(config::Hook::name));
    let log = log(&config)?;
    let calls = Service {
        config: Arc::new(config),
        odoo,
        clients,
        policy,
        rate_limits,
        login_throttle,
        hooks,
        captures,
        turns,
        files,
        log,
        store,
        answered_before: AnsweredBefore::default(),
        open_keys,
        room,
        metrics,
        telemetry,
        refused_lines,
        memory,
        tasks,
    };
    Ok(Arc::new(Site { calls: Arc::new(calls), proxy, tls, requests }))
}
