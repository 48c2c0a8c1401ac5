//! Everything that runs, built from the configuration and shared by all requests; and built again by a reload.
//!
//! A request keeps the [`App`] that it began with. What must not be there twice goes over from one to the next: the log, the
//! calls under way, what is counted, and what is known of an Odoo whose section is the same.

use std::sync::Arc;

use rustls::ServerConfig;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    call::clients::{self, Clients},
    config::Config,
    hook::{self, Hooks},
    http::tls,
    limits::{ConcurrencyLimit, LoginThrottle, RateLimits, RefusedLines},
    log::{self, Log},
    memory::Memory,
    metrics::Metrics,
    odoo::{self, Odoo},
    policy::Policy,
    proxy::{self, Proxy},
};

#[derive(Debug)]
pub struct App {
    pub config: Config,
    pub odoo: Arc<Odoo>,
    pub clients: Clients,
    /// What callers with an Odoo credential of their own may do, how fast, and how often they may try another one.
    pub policy: Arc<Policy>,
    pub paces: RateLimits,
    pub attempts: Arc<LoginThrottle>,
    pub hooks: Hooks,
    pub log: Log,
    pub proxy: Proxy,
    /// The calls under way. They outlive the connections they came by, and a stop waits for them.
    pub calls: TaskTracker,
    pub metrics: Arc<Metrics>,
    /// How many refused requests may still have lines of their own.
    pub refusals: Arc<RefusedLines>,
    /// What the public listener shows of itself, where it speaks TLS.
    pub tls: Option<Arc<ServerConfig>>,
    /// The requests under way.
    pub requests: Arc<ConcurrencyLimit>,
    /// What bodies, calls and answers hold.
    pub memory: Arc<Memory>,
    pub stop: CancellationToken,
}

/// What a reload leaves as it is.
#[derive(Default)]
struct Kept {
    calls: TaskTracker,
    metrics: Arc<Metrics>,
    refusals: Arc<RefusedLines>,
    attempts: Arc<LoginThrottle>,
    requests: Arc<ConcurrencyLimit>,
    memory: Option<Arc<Memory>>,
    stop: CancellationToken,
}

/// Why the gateway cannot start, or not with a new configuration.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Log(#[from] log::Error),
    #[error("cannot set up the connection to Odoo: {0}")]
    Odoo(#[from] odoo::Unusable),
    #[error(transparent)]
    Client(#[from] clients::Error),
    #[error(transparent)]
    Hook(#[from] hook::Unusable),
    #[error("cannot set up the connection to Odoo: {0}")]
    Proxy(#[from] proxy::Unusable),
    #[error(transparent)]
    Tls(#[from] tls::Error),
}

impl App {
    /// Opens the log; connects to nothing yet, so that an Odoo that is down does not keep the gateway from starting.
    pub fn build(config: Config) -> Result<Arc<Self>, Error> {
        let metrics = Arc::<Metrics>::default();
        let odoo = Arc::new(Odoo::build(&config.upstream, &config.lookup_cache, metrics.clone())?);
        // The log comes last: of what cannot start it should have nothing.
        let begin = |config: &Config| Log::open(&config.log);
        Self::assemble(config, odoo, begin, None, Kept { metrics, ..Kept::default() })
    }

    /// The same gateway with another configuration. The sections of [`Config::kept_until_restart`] must be the same.
    pub fn again(&self, config: Config) -> Result<Arc<Self>, Error> {
        // Certificates may have changed behind the same name.
        let is_same = config.upstream == self.config.upstream
            && config.lookup_cache == self.config.lookup_cache
            && config.upstream.ca.is_none();
        let odoo = match is_same {
            true => self.odoo.clone(),
            false => {
                let new = Odoo::build(&config.upstream, &config.lookup_cache, self.metrics.clone())?;
                Arc::new(new.in_place_of(&self.odoo))
            }
        };
        let log = |_: &Config| Ok(self.log.clone());
        let kept = Kept {
            calls: self.calls.clone(),
            metrics: self.metrics.clone(),
            refusals: self.refusals.clone(),
            attempts: self.attempts.clone(),
            requests: self.requests.clone(),
            memory: Some(self.memory.clone()),
            stop: self.stop.clone(),
        };
        Self::assemble(config, odoo, log, Some(&self.clients), kept)
    }

    fn assemble(
        config: Config,
        odoo: Arc<Odoo>,
        log: impl FnOnce(&Config) -> Result<Log, log::Error>,
        before: Option<&Clients>,
        kept: Kept,
    ) -> Result<Arc<Self>, Error> {
        let Kept { calls, metrics, refusals, attempts, requests, memory, stop } = kept;
        let clients = Clients::load_after(before, &config.clients)?;
        let hooks = Hooks::load(&config.hooks)?;
        let rules = &config.policy.rules;
        let (policy, paces) = (Arc::new(rules.policy.clone()), RateLimits::new(rules));
        let proxy = Proxy::build(&config.upstream, &config.proxy, odoo.clone(), attempts.clone(), stop.clone())?;
        let tls = tls::load(&config.tls)?;
        let most = config.limits.bodies.as_u64();
        let memory = memory.unwrap_or_else(|| Memory::new(most));
        memory.limit_to(most);
        // Before anybody calls: what the operator has configured goes before what strangers try.
        for client in clients.iter() {
            odoo.cooldown().trust(client.credential.fingerprint());
        }
        let log = log(&config)?;
        Ok(Arc::new(Self {
            config,
            odoo,
            clients,
            policy,
            paces,
            attempts,
            hooks,
            log,
            proxy,
            calls,
            metrics,
            refusals,
            tls,
            requests,
            memory,
            stop,
        }))
    }
}
