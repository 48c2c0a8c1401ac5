//! Odoo, as it is reached from outside: RPCs, the protocols that carry them, and what comes back.
//!
//! Everything that a caller asks for runs as that caller ([`Caller`]), with the caller's own credential or that of its
//! `[[client]]` entry; the gateway has no rights of its own. The database is the configured one: no caller can name another.
//! This module knows nothing of serving HTTP.
//!
//! The folders, bottom to top; each imports only those before it:
//!
//! - `model`: what an RPC is and what comes back: RPCs, errors, schemas, traces
//! - `credential`: what a caller proves itself with
//! - `locks`: keyed locks for calls that may create the same record
//! - `created`: the records that calls were answered with, by which unknown outcomes are settled
//! - `transport`: one HTTP exchange, the concurrency limit with its fair queue, the circuit breaker, retries
//! - `protocol`: session, JSON-RPC, JSON-2 and XML-RPC, and which of them takes a credential
//! - `cache`: single flight, and what is kept of Odoo's answers
//! - `auth`: logins, sessions, the user behind a credential
//! - `health`: whether Odoo answers, and which release it is
//! - `batch`: which calls share an RPC
//! - `caller`: Odoo as one caller sees it
//!
//! One circle remains: `caller` and [`Odoo`] import each other, since `Caller` is made from an `Odoo`, and is part of the public
//! face of this module. Within a folder, a head file and the files below it know each other.

mod auth;
mod batch;
mod cache;
mod caller;
mod created;
mod credential;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod health;
mod locks;
mod model;
mod protocol;
mod transport;

use std::{collections::BTreeMap, net::IpAddr, sync::Arc, time::Duration};

use dashmap::DashMap;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use self::{
    auth::authenticator::Authenticator,
    batch::Batching,
    cache::{lookup_cache::LookupCache, schema_cache::SchemaCache},
    created::CreatedRecords,
    health::Health,
    locks::KeyLocks,
    protocol::{endpoint::Endpoint, session},
    transport::{RequestOptions, Transport, retries::Retries},
};
pub use self::{
    auth::{
        access::RotatedCookie,
        failed_login_budget::{BudgetedLogin, FailedLoginBudget},
    },
    cache::lookup_cache::{Archived, CachedLookups, Comparison, FoundRecords, LookupCriteria},
    caller::{
        Caller, KeyExpiry, LookupError, Sending,
        external_ids::{EXTERNAL_IDS, ExternalId, Named},
    },
    created::{Look, Sought},
    credential::{Credential, Fingerprint},
    health::{Capacity, NO_PROXY_MODE},
    locks::{NotTaken, RecordKey, Session, SharedLock, SharedLocks, Taken},
    model::{
        effect::Effect,
        error::{Error, Unsettled, Why},
        rpc::{Page, Rpc, SHOWN},
        schema::{Bond, Choice, DefinitionField, Field, Kept, Kind, Properties, Schema},
        trace::{Made, Trace},
    },
    protocol::release::Release,
    transport::{
        Unusable,
        concurrency_limit::{Change, Limit, RequestClass, UpstreamLimit},
        origin::{Flow, Origin, TraceParent},
        public_address::PublicAddress,
        tls::{TlsError, tls},
    },
};
use crate::{config, metrics::Metrics};

/// A schema younger than this is not read again, however much a call doubts it.
const DOUBTLESS: Duration = Duration::from_secs(1);

/// The Odoo behind this gateway.
#[derive(Debug)]
pub struct Odoo {
    endpoint: Arc<Endpoint>,
    limit: Arc<UpstreamLimit>,
    auth: Arc<Authenticator>,
    health: Health,
    /// How long one RPC may take.
    timeout: Duration,
    schemas: SchemaCache,
    /// Which methods are called on records, learnt from Odoo's refusals, as Odoo does not tell it beforehand.
    methods: Arc<DashMap<(String, String), Takes>>,
    /// None where the configuration turns batching off.
    batching: Option<Arc<Batching>>,
    /// None where the configuration names no models.
    lookup_cache: Option<Arc<LookupCache>>,
    /// Serialises calls that may create the same record.
    key_locks: Arc<KeyLocks>,
    created: Arc<CreatedRecords>,
}

/// What a method is called on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    Records,
    Model,
}

impl Odoo {
    /// Sets up the connection to Odoo. It connects to nothing yet.
    ///
    /// # Errors
    /// The configured address or certificate authorities cannot be used.
    pub fn build(
        config: &config::Upstream,
        lookup_cache: &BTreeMap<String, Duration>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, Unusable> {
        Self::with_limit(UpstreamLimit::build(config), config, lookup_cache, metrics, Arc::default())
    }

    /// Sets up the connection for a changed configuration, while calls to this one are under way. The new one gets the locks of
    /// records that may be created and, where the URL is the same, shares the permits of the concurrency limit; their number
    /// changes when the new limit is applied.
    ///
    /// # Errors
    /// As [`Self::build`].
    pub fn rebuild(
        &self,
        config: &config::Upstream,
        lookup_cache: &BTreeMap<String, Duration>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, Unusable> {
        let limit = match self.endpoint.transport.is_at(&config.url) {
            true => self.limit.successor(config),
            false => UpstreamLimit::build(config),
        };
        let new = Self::with_limit(limit, config, lookup_cache, metrics, self.created_of(config))?;
        Ok(Self { key_locks: self.key_locks.clone(), ..new })
    }

    /// The records that were created in the database of the configuration, if it is this one's.
    fn created_of(&self, config: &config::Upstream) -> Arc<CreatedRecords> {
        let is_same = self.endpoint.transport.is_at(&config.url) && self.endpoint.database == config.database;
        if is_same { self.created.clone() } else { Arc::default() }
    }

    /// Shares the locks of records that may be created with other gateways, from now on and after each rebuild.
    pub fn share_locks(&self, shared: Arc<dyn SharedLocks>) {
        self.key_locks.share(shared);
    }

    /// Whether the file of certificate authorities has not changed since it was loaded.
    pub fn has_current_ca(&self) -> bool {
        self.endpoint.transport.has_current_ca()
    }

    fn with_limit(
        limit: UpstreamLimit,
        config: &config::Upstream,
        lookup_cache: &BTreeMap<String, Duration>,
        metrics: Arc<Metrics>,
        created: Arc<CreatedRecords>,
    ) -> Result<Self, Unusable> {
        let limit = Arc::new(limit);
        let transport = Transport::build(config, limit.clone(), metrics.clone())?;
        let retries = Retries::build(config)?;
        let probe_timeout = config.connect_timeout + health::PROBE_TIME;
        let endpoint =
            Arc::new(Endpoint::new(transport, retries, config.database.clone(), config.protocol, probe_timeout));
        let auth = Arc::new(Authenticator::new(endpoint.clone()));
        let schemas = SchemaCache::new();
        let methods = Arc::<DashMap<_, _>>::default();
        let batching = config.batch.then(|| Arc::new(Batching::build(config, &limit, metrics)));
        let lookup_cache = LookupCache::build(lookup_cache).map(Arc::new);
        let forget = {
            let (auth, schemas, methods) = (auth.clone(), schemas.clone(), methods.clone());
            let (batching, lookup_cache, created) = (batching.clone(), lookup_cache.clone(), created.clone());
            move || {
                auth.forget_all();
                created.forget_all();
                schemas.invalidate_all();
                methods.clear();
                if let Some(batching) = &batching {
                    batching.forget_all();
                }
                if let Some(cache) = &lookup_cache {
                    cache.invalidate_all();
                }
            }
        };
        let health = Health::new(endpoint.clone(), limit.clone(), auth.clone(), forget);
        Ok(Self {
            endpoint,
            limit,
            auth,
            health,
            timeout: config.timeout,
            schemas,
            methods,
            batching,
            lookup_cache,
            key_locks: Arc::default(),
            created,
        })
    }

    /// Notes records that a call was answered with by an earlier process, so that they are not taken for those of a create whose
    /// answer was lost.
    pub fn note_created(&self, model: &str, ids: &[i64]) {
        self.created.note_earlier(model, ids);
    }

    /// Takes back that records belong to a call: an attempt of it made them whose end is not known, and the next one looks for them.
    pub fn free_created(&self, model: &str, ids: &[i64]) {
        self.created.free(model, ids);
    }

    pub fn database(&self) -> &str {
        &self.endpoint.database
    }

    /// Whether Odoo has accepted this credential lately, and not refused it since.
    pub fn knows(&self, credential: &Fingerprint) -> bool {
        self.auth.has_accepted(credential)
    }

    /// Whether the circuit breaker is open: connections fail one after another, and calls fail at once.
    pub fn is_down(&self) -> bool {
        self.limit.breaker().is_open()
    }

    /// Odoo has accepted this credential, which belongs to the user with this id.
    pub async fn note_accepted(&self, credential: Fingerprint, uid: i64) {
        self.auth.note_accepted(credential, uid).await;
    }

    /// The error by which Odoo refused this credential within the last minute.
    pub async fn refusal(&self, credential: &Credential) -> Option<Error> {
        self.auth.refusal(credential).await
    }

    /// Odoo has refused this credential, or a request with it.
    pub async fn note_refusal(&self, credential: &Credential, error: &Error) {
        self.auth.note_refusal(credential, error).await;
    }

    /// The flow of a caller in the fair queue: its user's where Odoo has accepted the credential, else that of all unknown
    /// callers from `address`.
    pub async fn flow(&self, credential: Option<&Credential>, address: IpAddr) -> Flow {
        self.auth.flow(credential, address).await
    }

    /// The budget of failed logins, which every login that Odoo counts has to pass.
    pub fn failed_logins(&self) -> &FailedLoginBudget {
        self.auth.failed_logins()
    }

    /// The concurrency limit and the circuit breaker, which all requests to Odoo share.
    pub fn limit(&self) -> Arc<UpstreamLimit> {
        self.limit.clone()
    }

    /// The number of requests that Odoo works on, and of calls that wait for it.
    pub fn load(&self) -> (usize, usize) {
        let (in_flight, waiting) = self.limit.load();
        let batched = self.batching.as_ref().map_or(0, |batching| batching.waiting());
        (in_flight, waiting + batched + self.key_locks.waiting())
    }

    /// Watches Odoo's health for as long as it is polled.
    pub async fn watch(self: Arc<Self>) {
        tokio::join!(self.health.watch(), self.limit.watch());
    }

    /// Whether Odoo is in proxy mode; none where that cannot be found out.
    pub async fn proxy_mode(&self) -> Option<bool> {
        self.health.proxy_mode().await
    }

    /// How far Odoo's clock is before the gateway's, by its last answer.
    pub fn clock_ahead(&self) -> SignedDuration {
        let now = Timestamp::now();
        self.endpoint.transport.clock.at(now).duration_since(now)
    }

    /// Whether Odoo is ready: its release, asked now within a short time, or as last seen where Odoo is only slow to answer.
    ///
    /// # Errors
    /// Odoo cannot be reached, or does not answer and was not seen before.
    pub async fn readiness(&self) -> Result<Release, Error> {
        self.health.readiness().await
    }

    /// The release as it was last seen. Odoo is asked only where none has been seen yet.
    ///
    /// # Errors
    /// Odoo does not answer, or not with a release.
    pub async fn release(&self, until: Instant) -> Result<Release, Error> {
        self.endpoint.release(until).await
    }

    /// The release as it was last seen, without a question to Odoo.
    pub fn known_release(&self) -> Option<Release> {
        self.endpoint.known_release()
    }

    /// Odoo's major version, such as 19.
    ///
    /// # Errors
    /// As [`Self::release`].
    pub async fn version(&self, until: Instant) -> Result<u16, Error> {
        self.endpoint.version(until).await
    }

    /// Whether Odoo answers this number of requests at a time.
    pub async fn capacity(&self, wanted: u16) -> Capacity {
        self.health.capacity(wanted).await
    }

    /// The databases that Odoo serves at this address; `None` where it, or a proxy before it, does not list them.
    ///
    /// # Errors
    /// Odoo does not answer.
    pub async fn list_databases(&self) -> Result<Option<Vec<String>>, Error> {
        let until = Instant::now() + self.timeout;
        let options = RequestOptions { class: RequestClass::New, until, origin: Origin::default(), work: None };
        match session::databases(&self.endpoint.transport, options).await {
            Ok(names) => Ok(serde_json::from_value(names).ok()),
            // A 404 without an envelope is no matter of a database here: the path is closed.
            Err(Error::Fault(_) | Error::TurnedAway { .. } | Error::NoSuchDatabase(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether Odoo serves the configured database; `None` where this version does not tell without a login.
    ///
    /// # Errors
    /// Odoo does not answer.
    pub async fn serves_database(&self) -> Result<Option<bool>, Error> {
        self.health.database(Instant::now() + self.timeout).await
    }

    /// Whether Odoo served the configured database when it was asked last, without a question to Odoo.
    pub fn known_database(&self) -> Option<bool> {
        self.health.known_database()
    }

    /// As [`Self::serves_database`], within a short time; as last seen where the answer does not come.
    pub async fn serves_database_now(&self) -> Option<bool> {
        self.health.database_now().await
    }
}
