//! Odoo, as it is reached from outside: the calls, the doors they go through, and what comes back.
//!
//! Everything a caller asks for runs as that caller ([`Caller`]), with the caller's own credential; the gateway has no
//! rights of its own. The database is the configured one: no caller can name another. This module knows nothing of
//! serving HTTP.

mod credential;
mod error;
mod identity;
mod json2;
mod rpc;
mod schema;
mod session;
mod trace;
mod transport;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use dashmap::DashMap;
use futures_util::future;
use http::HeaderValue;
use moka::future::Cache;
use serde_json::{Map, Value};
use tokio::sync::OnceCell;

pub use self::{
    credential::{Credential, Fingerprint},
    error::{Error, Fault, Retry, Why},
    identity::Identity,
    rpc::{Effect, Page, Rpc},
    schema::{Field, Kind, Schema},
    trace::{Made, Trace},
};
use crate::config::{self, Protocol};

/// How long a user's language and company, and a model's fields, may be out of date.
const FRESH: Duration = Duration::from_secs(300);
/// A schema younger than this is not asked for again, however much a call doubts it.
const DOUBTLESS: Duration = Duration::from_secs(1);
const CACHED_CALLERS: u64 = 1_000;
const CACHED_SCHEMAS: u64 = 10_000;

/// The Odoo behind this gateway.
#[derive(Debug)]
pub struct Odoo {
    transport: transport::Transport,
    database: String,
    protocol: Protocol,
    version: OnceCell<u16>,
    identities: Cache<Fingerprint, Arc<Identity>>,
    schemas: Cache<(Fingerprint, String), Arc<Schema>>,
    /// Which methods take records, learnt from Odoo's refusals: it tells nobody beforehand.
    methods: DashMap<(String, String), Takes>,
}

/// What a method is called on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    Records,
    Model,
}

impl Odoo {
    /// Connects to nothing yet.
    pub fn build(config: &config::Upstream) -> Result<Self, reqwest::Error> {
        Ok(Self {
            transport: transport::Transport::build(config)?,
            database: config.database.clone(),
            protocol: config.protocol,
            version: OnceCell::new(),
            identities: Cache::builder().max_capacity(CACHED_CALLERS).time_to_live(FRESH).build(),
            schemas: Cache::builder().max_capacity(CACHED_SCHEMAS).time_to_live(FRESH).build(),
            methods: DashMap::new(),
        })
    }

    pub fn database(&self) -> &str {
        &self.database
    }

    /// Odoo's major version, such as 19; asked once.
    pub async fn version(&self) -> Result<u16, Error> {
        self.version.get_or_try_init(|| self.probe_version()).await.copied()
    }

    /// Odoo's major version, asked now: tells whether Odoo answers.
    pub async fn probe_version(&self) -> Result<u16, Error> {
        let answer = session::version(&self.transport).await?;
        let major = &answer["server_version_info"][0];
        // Odoo Online calls its releases between two versions `saas~18`.
        let text = major.as_u64().map_or_else(|| major.as_str().unwrap_or_default().to_owned(), |n| n.to_string());
        text.trim_start_matches(|c: char| !c.is_ascii_digit()).parse().map_err(|_| Error::NoAnswer {
            effect: Effect::Read,
            why: Why::Garbled("there is no Odoo version in it".to_owned()),
        })
    }

    /// Whether Odoo serves the configured database; `None` where this version has no way to tell without a login.
    pub async fn serves_database(&self) -> Result<Option<bool>, Error> {
        if self.version().await? < 19 {
            return Ok(None);
        }
        let no_key = "0".repeat(40).into();
        match json2::call(&self.transport, &self.database, &no_key, &Rpc::fields_get("res.users", &[]), &Map::new())
            .await
        {
            Err(Error::NoSuchDatabase(_)) => Ok(Some(false)),
            Err(Error::WrongKey) => Ok(Some(true)),
            Err(error) => Err(error),
            Ok(_) => Ok(None),
        }
    }

    /// The user behind a credential, from Odoo or from the last few minutes' memory. Whatever is asked of Odoo from here on
    /// is noted in `trace`.
    pub async fn caller(self: &Arc<Self>, credential: Credential, trace: Arc<Trace>) -> Result<Caller, Error> {
        self.check_door(&credential).await?;
        let rotated = Mutex::default();
        let ask = async { Identity::ask(self, &credential, &trace, &rotated).await.map(Arc::new) };
        let identity = self.identities.try_get_with(credential.fingerprint(), ask).await;
        let identity = identity.map_err(|error| Error::clone(&error))?;
        Ok(Caller { odoo: self.clone(), identity, credential, rotated, trace, remembered: Mutex::default() })
    }

    async fn check_door(&self, credential: &Credential) -> Result<(), Error> {
        match (credential, self.protocol) {
            (Credential::Session(_), Protocol::Auto | Protocol::Session) => Ok(()),
            (Credential::Key(_), Protocol::Auto | Protocol::Json2) => match self.version().await? {
                version if version < 19 => Err(Error::KeyNeedsLogin { version }),
                _ => Ok(()),
            },
            _ => Err(Error::DoorClosed { credential: credential.kind() }),
        }
    }
}

/// Odoo as one user sees it, for the length of one call to the gateway.
///
/// Every RPC is made with the caller's own credential, and noted in the call's trace.
#[derive(Debug)]
pub struct Caller {
    odoo: Arc<Odoo>,
    credential: Credential,
    identity: Arc<Identity>,
    rotated: Mutex<Option<HeaderValue>>,
    trace: Arc<Trace>,
    /// The models of this call whose schema came from memory.
    remembered: Mutex<Vec<String>>,
}

impl Caller {
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    pub fn credential(&self) -> &Credential {
        &self.credential
    }

    pub async fn version(&self) -> Result<u16, Error> {
        self.odoo.version().await
    }

    /// Makes one RPC. An answer that is no error is the method's own result, null where it returned nothing.
    pub async fn call(&self, rpc: &Rpc) -> Result<Value, Error> {
        self.trace.note(rpc.render(), self.send(rpc)).await
    }

    /// Makes an RPC that can be repeated without harm, twice if need be.
    pub async fn call_again(&self, rpc: &Rpc) -> Result<Value, Error> {
        match self.call(rpc).await {
            Err(error) if error.retry() != Retry::No => self.call(rpc).await,
            outcome => outcome,
        }
    }

    async fn send(&self, rpc: &Rpc) -> Result<Value, Error> {
        let result = match &self.credential {
            Credential::Session(cookie) => {
                session::call(&self.odoo.transport, cookie, rpc, &self.identity.context).await.and_then(|answer| {
                    if answer.rotated.is_some() {
                        *lock(&self.rotated) = answer.rotated;
                    }
                    answer.result
                })
            }
            Credential::Key(key) => {
                json2::call(&self.odoo.transport, &self.odoo.database, key, rpc, &self.identity.context).await
            }
        };
        if matches!(&result, Err(error) if error.is_about_credentials()) {
            self.odoo.identities.invalidate(&self.credential.fingerprint()).await;
        }
        result.map_err(|error| match error {
            Error::Fault(fault) if fault.is_unknown_model(&rpc.model) => Error::UnknownModel(rpc.model.clone()),
            error => error,
        })
    }

    /// A model's fields, from Odoo or from the last few minutes' memory.
    pub async fn schema(&self, model: &str) -> Result<Arc<Schema>, Error> {
        let key = (self.credential.fingerprint(), model.to_owned());
        let ask = async {
            let fields = self.call(&Rpc::fields_get(model, &schema::ATTRIBUTES)).await?;
            let fields: HashMap<String, Value> = serde_json::from_value(fields).map_err(|error| Error::NoAnswer {
                effect: Effect::Read,
                why: Why::Garbled(format!("fields_get of {model}: {error}")),
            })?;
            Ok(Arc::new(Schema::new(model, fields)))
        };
        let schema = self.odoo.schemas.try_get_with(key, ask).await.map_err(|error| Error::clone(&error))?;
        if schema.is_older_than(DOUBTLESS) {
            lock(&self.remembered).push(model.to_owned());
        }
        Ok(schema)
    }

    /// Forgets the schemas that this call took from memory; false where there were none. A field that Odoo or the payload
    /// knows and the memory does not may be a new one.
    pub async fn forget_schemas(&self) -> bool {
        let models = std::mem::take(&mut *lock(&self.remembered));
        for model in &models {
            self.odoo.schemas.invalidate(&(self.credential.fingerprint(), model.clone())).await;
        }
        !models.is_empty()
    }

    /// Several models' fields, asked for side by side.
    pub async fn schemas(&self, models: impl IntoIterator<Item = String>) -> Result<Vec<Arc<Schema>>, Error> {
        future::try_join_all(models.into_iter().map(|model| async move { self.schema(&model).await })).await
    }

    /// Calls a method on records, or on the model where the method takes no records.
    ///
    /// Odoo does not say which of the two a method is, but both doors refuse one wrong form before the method runs:
    /// `call_kw` a record method without ids, JSON-2 a model method with ids. So that form is tried first where nothing is
    /// known yet, and what is learnt is kept.
    pub async fn call_method(&self, on_records: Rpc) -> Result<Value, Error> {
        let name = (on_records.model.clone(), on_records.method.clone());
        let on_model = Rpc { ids: None, ..on_records.clone() };
        let refused_first = match self.credential {
            Credential::Session(_) => Takes::Model,
            Credential::Key(_) => Takes::Records,
        };
        let first = self.odoo.methods.get(&name).map_or(refused_first, |known| *known);
        let result = self.call(if first == Takes::Model { &on_model } else { &on_records }).await;
        match result {
            Err(Error::Fault(fault)) if fault.wants_ids() => {
                self.odoo.methods.insert(name, Takes::Records);
                self.call(&on_records).await
            }
            Err(Error::Fault(fault)) if fault.refuses_ids(&on_model.model, &on_model.method) => {
                self.odoo.methods.insert(name, Takes::Model);
                self.call(&on_model).await
            }
            Ok(_) => {
                // JSON-2 takes no ids for a model method too, so a call on no records shows nothing.
                if first == Takes::Model || on_records.ids.as_ref().is_some_and(|ids| !ids.is_empty()) {
                    self.odoo.methods.insert(name, first);
                }
                result
            }
            Err(_) => result,
        }
    }

    /// The `Set-Cookie` line of a session that Odoo rotated during this call: the caller must have it.
    pub fn rotated_cookie(&self) -> Option<HeaderValue> {
        lock(&self.rotated).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
