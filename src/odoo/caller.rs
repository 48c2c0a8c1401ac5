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

pub use self::lookups::By;
pub(super) use self::{creates::Creates, lookups::Lookups, reads::Reads};
use super::{
    Odoo, Takes,
    access::{Access, RotatedCookie},
    credential::Credential,
    door::{Door, JSON2_SINCE},
    error::{Error, Repeatable, Why},
    gate::Claim,
    identity::{Identity, Known},
    key_locks::{Held, RecordKey, Taken},
    lock,
    origin::Origin,
    retries::Expense,
    rpc::{Effect, Rpc},
    schema::{self, Schema},
    shared,
    together::Together,
    trace::Trace,
    transport::Terms,
};
use crate::{
    errors::Retry,
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
    goes_alone: AtomicBool,
    /// The models of this call whose schema came from memory.
    remembered: Mutex<Vec<String>>,
    /// Every schema that this call has read.
    seen: Mutex<Vec<Arc<Schema>>>,
    /// The models of which this call had lookups from memory.
    recalled: Mutex<Vec<String>>,
    /// The locks of the records that this call may create, until it has ended.
    held: Mutex<Held>,
}

impl Odoo {
    /// The user behind a credential, as Odoo says now.
    async fn ask_identity(&self, access: &Access, terms: Terms, trace: &Trace) -> Result<Arc<Known>, Error> {
        let mut tries = self.retries.begin();
        loop {
            let identity = Identity::ask(self, access, terms, trace).await;
            if !tries.again(&identity, Repeatable::Whole, Expense::Budgeted, terms.until).await {
                let identity = identity?;
                self.note_accepted(access.credential.fingerprint(), identity.uid).await;
                return Ok(Arc::new(Known::now(identity)));
            }
        }
    }

    /// Asks again beside the calls. What goes wrong is told to the next call, which asks for itself.
    async fn refresh_identity(self: Arc<Self>, credential: Credential, door: Door, terms: Terms) {
        let access = Access { credential, door, rotated: RotatedCookie::default() };
        if let Ok(known) = self.ask_identity(&access, terms, &Trace::default()).await {
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
        let terms = Terms { claim: Claim::New, until, origin };
        let ask = || odoo.ask_identity(&access, terms, &trace);
        let known = shared::get_or_ask(&odoo.identities, fingerprint, until, ask).await?;
        // What Odoo says of a session may come with a new cookie, which its owner must have.
        if !matches!(access.credential, Credential::Session(_)) && known.is_to_be_asked_again() {
            tokio::spawn(odoo.clone().refresh_identity(access.credential.clone(), access.door, terms));
        }
        let origin = Origin { party: origin.party.or_user(known.identity.uid), ..origin };
        Ok(Self {
            odoo: odoo.clone(),
            access,
            known,
            policy,
            trace,
            origin,
            until,
            has_begun: AtomicBool::new(false),
            goes_alone: AtomicBool::new(false),
            remembered: Mutex::default(),
            seen: Mutex::default(),
            recalled: Mutex::default(),
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

    pub fn door(&self) -> Door {
        self.access.door
    }

    /// Odoo's major version, such as 19.
    pub async fn version(&self) -> Result<u16, Error> {
        self.odoo.version(self.until).await
    }

    /// From now on, nothing is asked or written together with other calls.
    pub fn go_alone(&self) {
        self.goes_alone.store(true, Relaxed);
    }

    /// The key of the records of a model that are found by these fields and values.
    pub fn record_key(&self, model: &str, terms: &[(&str, &Value)]) -> RecordKey {
        RecordKey::new(&self.odoo.database, model, terms)
    }

    /// Locks records that this call may create, beside those that it holds, until it has ended: other calls for them wait.
    ///
    /// # Errors
    /// [`Error::KeyBusy`] where another call held one of them until this call's time was over.
    pub async fn lock_records(&self, keys: Vec<RecordKey>) -> Result<Taken, Error> {
        let held = std::mem::take(&mut *lock(&self.held));
        let (held, taken) = self.odoo.key_locks.take(held, keys, self.terms().until).await?;
        *lock(&self.held) = held;
        Ok(taken)
    }

    /// What is done together with other calls. Not so what follows a write: it belongs to that alone, and is not turned away.
    fn together(&self) -> Option<&Together> {
        let is_alone = self.goes_alone.load(Relaxed) || self.has_begun.load(Relaxed);
        self.odoo.together.as_ref().filter(|_| !is_alone)
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
            let terms = self.terms();
            let written = |answer: &Value| rpc.written(answer);
            let outcome = self.trace.note_written(rpc.render(), self.send(rpc, terms), written).await;
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
            let expense = if terms.claim == Claim::Begun { Expense::Any } else { Expense::Budgeted };
            if expense == Expense::Any && matches!(outcome, Err(Error::Unreachable { .. })) {
                self.odoo.gate.wait_for_link(terms.until).await;
            }
            if !tries.again(&outcome, rpc.repeatable, expense, terms.until).await {
                return outcome;
            }
        }
    }

    /// Once a write has begun, its end does not depend on the caller's patience.
    fn terms(&self) -> Terms {
        if self.has_begun.load(Relaxed) {
            Terms { claim: Claim::Begun, until: Instant::now() + self.odoo.timeout, origin: self.origin }
        } else {
            Terms { claim: Claim::New, until: self.until, origin: self.origin }
        }
    }

    /// Makes an RPC that can be repeated without harm, twice if its answer is lost.
    pub async fn call_again(&self, rpc: &Rpc) -> Result<Value, Error> {
        match self.call(rpc).await {
            Err(error) if error.retry() == Retry::Unsafe => self.call(rpc).await,
            outcome => outcome,
        }
    }

    async fn send(&self, rpc: &Rpc, terms: Terms) -> Result<Value, Error> {
        let context = &self.identity().context;
        // On the heap, as the ways through a door are many and deep.
        match Box::pin(self.odoo.enter(&self.access, rpc, context, terms, &self.trace)).await {
            // Odoo has not run the method.
            Err(Error::Fault(fault)) if !rpc.args.is_empty() && fault.refuses_names() => {
                let uid = self.identity().uid;
                let by_position = Box::pin(self.odoo.by_position(&self.access, uid, rpc, context, terms)).await;
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
        let schema = shared::get_or_ask(&self.odoo.schemas, key, self.terms().until, ask).await?;
        if schema.is_older_than(super::DOUBTLESS) {
            lock(&self.remembered).push(model.to_owned());
        }
        let mut seen = lock(&self.seen);
        seen.retain(|known| known.model != model);
        seen.push(schema.clone());
        drop(seen);
        Ok(schema)
    }

    /// The models whose fields this call has asked for so far, or had from memory.
    pub fn schemas_seen(&self) -> Vec<Arc<Schema>> {
        lock(&self.seen).clone()
    }

    /// Forgets the schemas that this call took from memory; false where there were none. A field that Odoo or the payload
    /// knows and the memory does not may be a new one.
    pub async fn forget_schemas(&self) -> bool {
        let models = std::mem::take(&mut *lock(&self.remembered));
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
    /// Odoo does not say which of the two a method is, but all doors refuse one wrong form before the method runs: JSON-2 a
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
        let refused_first = match self.access.door {
            Door::Session | Door::JsonRpc | Door::XmlRpc => Takes::Model,
            Door::Json2 => Takes::Records,
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
