//! Odoo as one caller sees it, for the length of one call to the gateway.

mod creates;
mod lookups;
mod reads;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use futures_util::future;
use serde_json::Value;
use tokio::time::Instant;

use crate::{
    errors::Retry,
    odoo::{
        Odoo, Takes,
        auth::{
            access::{Access, RotatedCookie},
            credential::Credential,
            identity::{Identity, Known},
        },
        batch::Batching,
        cache::single_flight,
        lock,
        locks::{Held, RecordKey, Taken},
        model::{
            error::{Error, Repeatable, Why},
            rpc::{Effect, Rpc},
            schema::{self, Schema},
            trace::Trace,
        },
        protocol::{JSON2_SINCE, Protocol},
        transport::{RequestOptions, concurrency_limit::RequestClass, origin::Origin, retries::Cost},
    },
    policy::{Policy, Touch},
};

/// Every RPC is made with the caller's own credential, and noted in the call's trace.
#[derive(Debug)]
pub struct Caller {
    odoo: Arc<Odoo>,
    access: Access,
    known: Arc<Known>,
    policy: Arc<Policy>,
    trace: Arc<Trace>,
    origin: Origin,
    /// When the call must have begun to write.
    until: Instant,
    /// Something has been written, or may have been.
    has_begun: AtomicBool,
    /// The call asked to share nothing with others.
    batching_disabled: AtomicBool,
    /// The models of this call whose schema came from memory.
    cached_schemas_used: Mutex<Vec<String>>,
    /// Every schema that this call has read.
    schemas_read: Mutex<Vec<Arc<Schema>>>,
    /// The models of which this call had lookups from memory.
    cached_lookups_used: Mutex<Vec<String>>,
    /// The locks of the records that this call may create, until it has ended.
    held: Mutex<Held>,
}

impl Odoo {
    /// The user behind a credential, as Odoo says now.
    async fn ask_identity(&self, access: &Access, options: RequestOptions, trace: &Trace) -> Result<Arc<Known>, Error> {
        let mut tries = self.retries.begin();
        loop {
            let identity = Identity::ask(self, access, options, trace).await;
            if !tries.again(&identity, Repeatable::Whole, Cost::Budgeted, options.until).await {
                let identity = identity?;
                self.note_accepted(access.credential.fingerprint(), identity.uid).await;
                return Ok(Arc::new(Known::now(identity)));
            }
        }
    }

    /// Asks again beside the calls. What goes wrong is told to the next call, which asks for itself.
    async fn refresh_identity(self: Arc<Self>, credential: Credential, protocol: Protocol, options: RequestOptions) {
        let access = Access { credential, protocol, rotated: RotatedCookie::default() };
        if let Ok(known) = self.ask_identity(&access, options, &Trace::default()).await {
            self.identities.insert(access.credential.fingerprint(), known).await;
        }
    }
}

impl Caller {
    /// The user behind a credential, from Odoo or from the last few seconds' memory. Whatever is asked of Odoo from here on
    /// is noted in `trace`, and a cookie that replaces the caller's in `rotated`. A call that has not begun to write by
    /// `until` is given up.
    pub async fn identify(
        odoo: &Arc<Odoo>,
        credential: Credential,
        policy: Arc<Policy>,
        trace: Arc<Trace>,
        rotated: RotatedCookie,
        origin: Origin,
        until: Instant,
    ) -> Result<Self, Error> {
        let access = odoo.access(credential, rotated, until).await?;
        let fingerprint = access.credential.fingerprint();
        let options = RequestOptions { class: RequestClass::New, until, origin };
        let ask = || odoo.ask_identity(&access, options, &trace);
        let known = single_flight::get_or_fetch(&odoo.identities, fingerprint, until, ask).await?;
        // What Odoo says of a session may come with a new cookie, which its owner must have.
        if !matches!(access.credential, Credential::Session(_)) && known.is_to_be_asked_again() {
            tokio::spawn(odoo.clone().refresh_identity(access.credential.clone(), access.protocol, options));
        }
        let origin = Origin { flow: origin.flow.or_user(known.identity.uid), ..origin };
        Ok(Self {
            odoo: odoo.clone(),
            access,
            known,
            policy,
            trace,
            origin,
            until,
            has_begun: AtomicBool::new(false),
            batching_disabled: AtomicBool::new(false),
            cached_schemas_used: Mutex::default(),
            schemas_read: Mutex::default(),
            cached_lookups_used: Mutex::default(),
            held: Mutex::default(),
        })
    }

    pub fn identity(&self) -> &Identity {
        &self.known.identity
    }

    /// What may be done for this caller. Planning asks it; here it keeps searches within their domains, and no RPC goes to a
    /// model that must not be touched.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    pub fn credential(&self) -> &Credential {
        &self.access.credential
    }

    pub fn protocol(&self) -> Protocol {
        self.access.protocol
    }

    /// Odoo's major version, such as 19.
    pub async fn version(&self) -> Result<u16, Error> {
        self.odoo.version(self.until).await
    }

    /// From now on, nothing is asked or written together with other calls.
    pub fn go_alone(&self) {
        self.batching_disabled.store(true, Relaxed);
    }

    /// The key of the records of a model that are found by these fields and values.
    pub fn record_key(&self, model: &str, options: &[(&str, &Value)]) -> RecordKey {
        RecordKey::new(&self.odoo.database, model, options)
    }

    /// Locks records that this call may create, beside those that it holds, until it has ended: other calls for them wait.
    ///
    /// # Errors
    /// [`Error::KeyBusy`] where another call held one of them until this call's time was over.
    pub async fn lock_records(&self, keys: Vec<RecordKey>) -> Result<Taken, Error> {
        let held = std::mem::take(&mut *lock(&self.held));
        let (held, taken) = self.odoo.key_locks.take(held, keys, self.options().until).await?;
        *lock(&self.held) = held;
        Ok(taken)
    }

    /// What is done together with other calls. Not so what follows a write: it belongs to that alone, and is not turned away.
    fn batching(&self) -> Option<&Batching> {
        let is_alone = self.batching_disabled.load(Relaxed) || self.has_begun.load(Relaxed);
        self.odoo.batching.as_ref().filter(|_| !is_alone)
    }

    /// Makes one RPC, and again where that is safe and may help; one that reads is made for all who wait for the same. An
    /// answer that is no error is the method's own result, null where it returned nothing.
    pub async fn call(&self, rpc: &Rpc) -> Result<Value, Error> {
        self.policy.decide(Touch::Model(&rpc.model))?;
        self.read(&*rpc.within(&self.policy)?).await
    }

    async fn make(&self, rpc: &Rpc) -> Result<Value, Error> {
        let mut tries = self.odoo.retries.begin();
        loop {
            let options = self.options();
            let written = |answer: &Value| rpc.written(answer);
            let outcome = self.trace.note_written(rpc.render(), self.send(rpc, options), written).await;
            let is_written = match &outcome {
                Ok(_) => rpc.effect == Effect::Write,
                Err(error) => error.retry() == Retry::Unsafe,
            };
            if is_written {
                self.has_begun.store(true, Relaxed);
            }
            if rpc.effect == Effect::Write {
                self.forget_lookups_of([rpc.model.as_str()]);
            }
            // Half of a write is in Odoo, and the way on and the way back lead through it: its return is waited for.
            let cost = if options.class == RequestClass::Begun { Cost::Unlimited } else { Cost::Budgeted };
            if cost == Cost::Unlimited && matches!(outcome, Err(Error::Unreachable { .. })) {
                self.odoo.limit.breaker().wait_until_up(options.until).await;
            }
            if !tries.again(&outcome, rpc.repeatable, cost, options.until).await {
                return outcome;
            }
        }
    }

    /// Once a write has begun, its end does not depend on the caller's patience.
    fn options(&self) -> RequestOptions {
        if self.has_begun.load(Relaxed) {
            RequestOptions {
                class: RequestClass::Begun,
                until: Instant::now() + self.odoo.timeout,
                origin: self.origin,
            }
        } else {
            RequestOptions { class: RequestClass::New, until: self.until, origin: self.origin }
        }
    }

    /// Makes an RPC that can be repeated without harm, twice if its answer is lost.
    pub async fn call_again(&self, rpc: &Rpc) -> Result<Value, Error> {
        match self.call(rpc).await {
            Err(error) if error.retry() == Retry::Unsafe => self.call(rpc).await,
            outcome => outcome,
        }
    }

    async fn send(&self, rpc: &Rpc, options: RequestOptions) -> Result<Value, Error> {
        let context = &self.identity().context;
        // On the heap, as the ways through a protocol are many and deep.
        match Box::pin(self.odoo.enter(&self.access, rpc, context, options, &self.trace)).await {
            // Odoo has not run the method.
            Err(Error::Fault(fault)) if !rpc.args.is_empty() && fault.refuses_names() => {
                let uid = self.identity().uid;
                let by_position = Box::pin(self.odoo.by_position(&self.access, uid, rpc, context, options)).await;
                by_position.unwrap_or(Err(Error::Fault(fault)))
            }
            outcome => outcome,
        }
    }

    /// A model's fields, from Odoo or from the last minute's memory.
    pub async fn schema(&self, model: &str) -> Result<Arc<Schema>, Error> {
        let key = (self.access.credential.fingerprint(), model.to_owned());
        let ask = async || {
            let fields = self.call(&Rpc::fields_get(model, &schema::ATTRIBUTES)).await?;
            let fields: HashMap<String, Value> = serde_json::from_value(fields).map_err(|error| Error::NoAnswer {
                effect: Effect::Read,
                why: Why::Garbled(format!("fields_get of {model}: {error}")),
            })?;
            Ok(Arc::new(Schema::new(model, fields)))
        };
        let schema = single_flight::get_or_fetch(&self.odoo.schemas, key, self.options().until, ask).await?;
        if schema.is_older_than(crate::odoo::DOUBTLESS) {
            lock(&self.cached_schemas_used).push(model.to_owned());
        }
        let mut seen = lock(&self.schemas_read);
        seen.retain(|known| known.model != model);
        seen.push(schema.clone());
        drop(seen);
        Ok(schema)
    }

    /// The models whose fields this call has asked for so far, or had from memory.
    pub fn schemas_seen(&self) -> Vec<Arc<Schema>> {
        lock(&self.schemas_read).clone()
    }

    /// Forgets the schemas that this call took from memory; false where there were none. A field that Odoo or the payload
    /// knows and the memory does not may be a new one.
    pub async fn forget_schemas(&self) -> bool {
        let models = std::mem::take(&mut *lock(&self.cached_schemas_used));
        for model in &models {
            self.odoo.schemas.invalidate(&(self.access.credential.fingerprint(), model.clone())).await;
        }
        !models.is_empty()
    }

    /// Several models' fields, asked for side by side.
    pub async fn schemas(&self, models: impl IntoIterator<Item = String>) -> Result<Vec<Arc<Schema>>, Error> {
        future::try_join_all(models.into_iter().map(|model| async move { self.schema(&model).await })).await
    }

    /// Calls a method on records, or on the model where the method takes no records.
    ///
    /// Odoo does not say which of the two a method is, but all protocols refuse one wrong form before the method runs: JSON-2 a
    /// model method with ids, the others a record method without ids. So that form is tried first where nothing is known
    /// yet, and what is learnt is kept.
    pub async fn call_method(&self, on_records: Rpc) -> Result<Value, Error> {
        let result = self.call_either_way(on_records).await?;
        // The version is known by now, or it matters little.
        let is_old = self.version().await.is_ok_and(|version| version < JSON2_SINCE);
        Ok(if is_old { records_as_ids(result) } else { result })
    }

    async fn call_either_way(&self, on_records: Rpc) -> Result<Value, Error> {
        let name = (on_records.model.clone(), on_records.method.clone());
        let on_model = Rpc { ids: None, ..on_records.clone() };
        let refused_first = match self.access.protocol {
            Protocol::Session | Protocol::JsonRpc | Protocol::XmlRpc => Takes::Model,
            Protocol::Json2 => Takes::Records,
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
}

/// Records that a method returned, as Odoo 14-18 give them where the method does not say that it returns records: the text
/// `res.partner(3, 4)`. Odoo 19 gives the ids, and so does this.
fn records_as_ids(result: Value) -> Value {
    let ids = result.as_str().and_then(|text| {
        let (model, ids) = text.strip_suffix(')')?.split_once('(')?;
        let is_model = model.starts_with(|first: char| first.is_ascii_lowercase())
            && model.contains('.')
            && model.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'.' | b'_'));
        // Python writes a tuple of one with a comma behind it.
        let ids = match ids.strip_suffix(',') {
            Some(one) => vec![one],
            None if ids.is_empty() => Vec::new(),
            None => ids.split(", ").collect(),
        };
        let is_tuple = ids.len() != 1 || text.ends_with(",)");
        let ids = ids.into_iter().map(str::parse::<i64>).collect::<Result<Vec<_>, _>>().ok()?;
        (is_model && is_tuple).then_some(ids)
    });
    ids.map_or(result, Value::from)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn records_in_pythons_words_become_their_ids() {
        for (given, expected) in [
            (json!("res.partner(3,)"), json!([3])),
            (json!("res.partner(3, 4)"), json!([3, 4])),
            (json!("res.partner()"), json!([])),
            (json!("f(3)"), json!("f(3)")),
            (json!("v1.0(2)"), json!("v1.0(2)")),
            (json!("SO.2024(17,)"), json!("SO.2024(17,)")),
            (json!("res.partner(a)"), json!("res.partner(a)")),
            (json!("call +32 2 (0.30)"), json!("call +32 2 (0.30)")),
            (json!(7), json!(7)),
        ] {
            assert_eq!(records_as_ids(given.clone()), expected, "{given}");
        }
    }
}
