//! Odoo, as it is reached from outside: the calls, the protocols they go through, and what comes back.
//!
//! Everything a caller asks for runs as that caller ([`Caller`]), with the caller's own credential or that of its
//! `[[client]]` entry; the gateway has no rights of its own. The database is the configured one: no caller can name
//! another. This module knows nothing of serving HTTP.

mod auth;
mod batch;
mod cache;
mod caller;
mod health;
mod locks;
mod model;
mod protocol;
mod transport;

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, RwLock},
    time::Duration,
};

use dashmap::DashMap;
use moka::future::Cache;
use serde_json::Map;
use tokio::time::Instant;

use self::{
    auth::{access::Logins, identity},
    batch::Batching,
    cache::lookup_cache::LookupCache,
    locks::KeyLocks,
    protocol::{json_rpc, json2},
    transport::{RequestOptions, retries::Retries},
};
pub use self::{
    auth::{
        access::RotatedCookie,
        cooldown::{Cooldown, Try},
        credential::{Credential, Fingerprint},
        identity::Identity,
    },
    cache::lookup_cache::{CachedLookups, LookupCriteria},
    caller::Caller,
    health::{Capacity, NO_PROXY_MODE},
    locks::{RecordKey, Taken},
    model::{
        error::{Error, Repeatable, Why},
        fault::Fault,
        rpc::{Effect, Page, Reach, Rpc, SHOWN},
        schema::{Bond, Field, Kept, Kind, Properties, Schema},
        trace::{Made, Trace},
    },
    protocol::{
        Protocol,
        release::{Edition, Release},
    },
    transport::{
        Unusable,
        concurrency_limit::{Permit, RequestClass, UpstreamLimit},
        origin::{Flow, Origin, TraceParent},
        public_address::PublicAddress,
        tls::{TlsError, tls},
    },
};
use crate::{
    config::{self, ProtocolChoice},
    metrics::Metrics,
};

/// How long a model's fields, as a user sees them, may be out of date where nothing shows that they are.
const FRESH: Duration = Duration::from_secs(60);
/// A schema younger than this is not asked for again, however much a call doubts it.
const DOUBTLESS: Duration = Duration::from_secs(1);
const CACHED_CALLERS: u64 = 1_000;
/// For so long a credential that nobody uses is known as one that Odoo accepts, and so many are.
const KNOWN_UNUSED: Duration = Duration::from_secs(24 * 3_600);
const KNOWN: u64 = 10_000;
const CACHED_SCHEMAS: u64 = 10_000;

/// The Odoo behind this gateway.
#[derive(Debug)]
pub struct Odoo {
    transport: transport::Transport,
    limit: Arc<UpstreamLimit>,
    retries: Retries,
    /// How long one RPC may take.
    timeout: Duration,
    /// How long a probe may take: long enough for a connection to fail by itself.
    probe_timeout: Duration,
    database: String,
    protocol: ProtocolChoice,
    release: RwLock<Option<Release>>,
    logins: Logins,
    /// How many wrong logins Odoo is still given.
    cooldown: Cooldown,
    /// Whether Odoo believes what the gateway says of a caller's address; none while that is not known.
    proxy_mode: RwLock<Option<bool>>,
    identities: Cache<Fingerprint, Arc<identity::Known>>,
    /// The credentials that Odoo has accepted and not refused since, and the number of the user behind each.
    known: Cache<Fingerprint, i64>,
    schemas: Cache<(Fingerprint, String), Arc<Schema>>,
    /// Which methods take records, learnt from Odoo's refusals: it tells nobody beforehand.
    methods: DashMap<(String, String), Takes>,
    /// What callers do together; none where each is to be by itself.
    batching: Option<Batching>,
    /// What lookups found, of models that hardly change.
    lookup_cache: Option<LookupCache>,
    /// Calls that may create the same record go one after another.
    key_locks: Arc<KeyLocks>,
}

/// What a method is called on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    Records,
    Model,
}

impl Odoo {
    /// Connects to nothing yet.
    pub fn build(
        config: &config::Upstream,
        lookup_cache: &BTreeMap<String, Duration>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, Unusable> {
        let limit = Arc::new(UpstreamLimit::build(config));
        Ok(Self {
            transport: transport::Transport::build(config, limit.clone(), metrics.clone())?,
            limit,
            retries: Retries::build(config)?,
            timeout: config.timeout,
            probe_timeout: config.connect_timeout + health::PATIENCE,
            database: config.database.clone(),
            protocol: config.protocol,
            release: RwLock::default(),
            logins: Logins::new(),
            cooldown: Cooldown::default(),
            proxy_mode: RwLock::default(),
            identities: Cache::builder().max_capacity(CACHED_CALLERS).time_to_live(identity::FRESH).build(),
            known: Cache::builder().max_capacity(KNOWN).time_to_idle(KNOWN_UNUSED).build(),
            schemas: Cache::builder().max_capacity(CACHED_SCHEMAS).time_to_live(FRESH).build(),
            methods: DashMap::new(),
            lookup_cache: LookupCache::build(lookup_cache),
            batching: config.batch.then(|| Batching::build(config, metrics.clone())),
            key_locks: Arc::default(),
        })
    }

    /// With the locks of the one that it replaces: calls that began there are still under way.
    #[must_use]
    pub fn in_place_of(self, other: &Self) -> Self {
        Self { key_locks: other.key_locks.clone(), ..self }
    }

    pub fn database(&self) -> &str {
        &self.database
    }

    /// Odoo has accepted this credential lately, and not refused it since.
    pub fn knows(&self, credential: &Fingerprint) -> bool {
        self.known.contains_key(credential)
    }

    /// Odoo has accepted this credential, which is that of the user of this number.
    pub async fn note_accepted(&self, credential: Fingerprint, uid: i64) {
        self.known.insert(credential, uid).await;
    }

    /// Whose turn at Odoo a caller with this credential takes: its user's where Odoo has accepted it, else that of all
    /// strangers from `address`.
    pub async fn flow(&self, credential: Option<&Credential>, address: IpAddr) -> Flow {
        let Some(credential) = credential else { return Flow::Address(address) };
        let user = self.known.get(&credential.fingerprint()).await;
        user.map_or(Flow::Address(address), Flow::User)
    }

    /// What logins have to pass that Odoo counts where they are wrong.
    pub fn cooldown(&self) -> &Cooldown {
        &self.cooldown
    }

    /// The way to Odoo, which whatever else goes there shares.
    pub fn limit(&self) -> Arc<UpstreamLimit> {
        self.limit.clone()
    }

    /// How many calls Odoo works on, and how many wait for their turn.
    pub fn load(&self) -> (usize, usize) {
        let (in_flight, waiting) = self.limit.load();
        let together = self.batching.as_ref().map_or(0, Batching::waiting);
        (in_flight, waiting + together + self.key_locks.waiting())
    }

    /// Whether Odoo serves the configured database; `None` where this version has no way to tell without a login.
    pub async fn serves_database(&self) -> Result<Option<bool>, Error> {
        let until = Instant::now() + self.timeout;
        if self.version(until).await? < protocol::JSON2_SINCE {
            let options = RequestOptions { class: RequestClass::New, until, origin: Origin::default() };
            let exists = json_rpc::database_exists(&self.transport, &self.database, options).await;
            // The service may be closed to the world.
            return Ok(exists.ok().and_then(|exists| exists.as_bool()));
        }
        let no_key = "0".repeat(40).into();
        let rpc = Rpc::fields_get("res.users", &[]);
        let options = RequestOptions { class: RequestClass::New, until, origin: Origin::default() };
        match json2::call(&self.transport, &self.database, &no_key, &rpc, &Map::new(), options).await {
            Err(Error::NoSuchDatabase(_)) => Ok(Some(false)),
            Err(Error::WrongKey) => Ok(Some(true)),
            Err(error) => Err(error),
            Ok(_) => Ok(None),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
