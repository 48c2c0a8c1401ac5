//! Odoo as one caller sees it, for the duration of one call to the gateway.
//!
//! Every RPC of a call goes through [`Caller`]: it applies the caller's policy, uses the caller's credential, retries, and
//! records the RPC in the call's trace. Once a call has begun to write, it shares nothing with other calls and is never refused
//! by the queue or the circuit breaker.

mod context;
mod creates;
pub(super) mod external_ids;
mod key_expiry;
mod lookups;
mod methods;
mod reads;
mod schemas;
mod settling;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use parking_lot::{Mutex, RwLock};
use serde_json::Value;
use tokio::{sync::OnceCell, time::Instant};

use self::context::CallContext;
pub use self::{key_expiry::KeyExpiry, lookups::LookupError, settling::Sending};
use super::{credential::Credential, model::effect::Effect};
use crate::{
    errors::Retry,
    odoo::{
        Odoo,
        auth::{
            access::{Access, RotatedCookie},
            identity::{CachedIdentity, Identity},
        },
        batch::Batching,
        locks::{Held, RecordKey, Taken},
        model::{
            error::{Error, Why},
            rpc::Rpc,
            schema::Schema,
            trace::Trace,
        },
        protocol::Protocol,
        transport::{RequestOptions, Work, concurrency_limit::RequestClass, origin::Origin, retries::Cost},
    },
    policy::{Policy, Touch},
};

/// One caller, for one call to the gateway.
#[derive(Debug)]
pub struct Caller {
    odoo: Arc<Odoo>,
    access: Access,
    user: Arc<CachedIdentity>,
    policy: Arc<Policy>,
    trace: Arc<Trace>,
    origin: Origin,
    /// The time by which the call must have begun to write.
    until: Instant,
    /// The call has written something, or may have.
    has_begun: AtomicBool,
    batching_disabled: AtomicBool,
    /// The models whose cached schema this call has used.
    cached_schemas_used: Mutex<Vec<String>>,
    schemas_read: Mutex<Vec<Arc<Schema>>>,
    /// The models of which this call has used cached lookups.
    cached_lookups_used: Mutex<Vec<String>>,
    /// The locks of the records that this call may create, until the call has ended.
    held: Mutex<Held>,
    /// Whether the user may give external ids to records, once it was asked for.
    makes_external_ids: OnceCell<bool>,
    context: RwLock<CallContext>,
}

impl Caller {
    /// The caller with this credential. Its RPCs are recorded in `trace`; a cookie that replaces its session goes into `rotated`.
    /// The call is abandoned unless it has begun to write by `until`.
    ///
    /// # Errors
    /// Odoo refuses the credential, or does not answer until `until`.
    pub async fn identify(
        odoo: &Arc<Odoo>,
        credential: Credential,
        policy: Arc<Policy>,
        trace: Arc<Trace>,
        rotated: RotatedCookie,
        origin: Origin,
        until: Instant,
    ) -> Result<Self, Error> {
        let access = odoo.auth.access(credential, rotated, until).await?;
        let options = RequestOptions { class: RequestClass::New, until, origin, work: None };
        let user = odoo.auth.identify(&access, options, &trace).await?;
        let origin = Origin { flow: origin.flow.or_user(user.identity.uid), ..origin };
        Ok(Self {
            odoo: odoo.clone(),
            access,
            user,
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
            makes_external_ids: OnceCell::new(),
            context: RwLock::default(),
        })
    }

    pub fn identity(&self) -> &Identity {
        &self.user.identity
    }

    /// The policy for this caller. Planning decides by it; here it restricts searches to their domains, and denies RPCs to models
    /// that must not be touched.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    pub fn credential(&self) -> &Credential {
        &self.access.credential
    }

    pub fn protocol(&self) -> Protocol {
        self.access.protocol
    }

    /// The time by which the call must have begun to write.
    pub fn until(&self) -> Instant {
        self.until
    }

    /// Odoo's major version, such as 19.
    ///
    /// # Errors
    /// It is not known yet, and Odoo does not answer.
    pub async fn version(&self) -> Result<u16, Error> {
        self.odoo.version(self.until).await
    }

    /// The time that Odoo has for one RPC.
    pub fn timeout(&self) -> Duration {
        self.odoo.timeout
    }

    /// Turns batching off for the rest of this call.
    pub fn go_alone(&self) {
        self.batching_disabled.store(true, Relaxed);
    }

    /// The key of the records of a model that have these values in these fields.
    pub fn record_key(&self, model: &str, terms: &[(&str, &Value)]) -> RecordKey {
        RecordKey::new(self.odoo.database(), model, terms)
    }

    /// Locks records that this call may create, in addition to those that it has locked, until the call has ended.
    ///
    /// # Errors
    /// [`Error::KeyBusy`] where another call held one of the locks until this call's deadline; [`Error::LocksUnavailable`].
    pub async fn lock_records(&self, keys: Vec<RecordKey>) -> Result<Taken, Error> {
        let held = std::mem::take(&mut *self.held.lock());
        let (held, taken) = self.odoo.key_locks.take(held, keys, self.options().until).await?;
        *self.held.lock() = held;
        Ok(taken)
    }

    /// Sees to it that this call still holds the locks that it shares with other gateways. It comes before the first write. Locks
    /// that were lost are taken anew; then the plan, too, has to be made anew.
    ///
    /// # Errors
    /// As [`Self::lock_records`].
    pub async fn confirm_locks(&self) -> Result<Taken, Error> {
        let held = std::mem::take(&mut *self.held.lock());
        let (held, taken) = self.odoo.key_locks.confirm(held, self.options().until).await?;
        *self.held.lock() = held;
        Ok(taken)
    }

    /// Batching, unless it is off for this call. The RPCs after a write are not batched: they belong to that write alone, and must
    /// not be refused.
    fn batching(&self) -> Option<&Batching> {
        let is_off = self.batching_disabled.load(Relaxed) || self.has_begun.load(Relaxed);
        self.odoo.batching.as_deref().filter(|_| !is_off)
    }

    /// Makes one RPC, with retries where they are safe and may help. A read may be answered by an equal one of another call. The
    /// result is that of the method, null where it returned nothing.
    ///
    /// # Errors
    /// The policy denies it, Odoo refuses it, or the outcome is unknown.
    pub async fn call(&self, rpc: &Rpc) -> Result<Value, Error> {
        self.policy.decide(Touch::Model(&rpc.model))?;
        self.read(&self.in_context(rpc.within(&self.policy)?)).await
    }

    async fn make(&self, rpc: &Rpc) -> Result<Value, Error> {
        let mut tries = self.odoo.endpoint.retries.begin();
        let creating = rpc.creates().then(|| self.odoo.created.begin(&rpc.model));
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
            // Once half of a write is in Odoo, both completing and undoing it need Odoo: wait until it is back.
            let cost = if options.class == RequestClass::Begun { Cost::Unlimited } else { Cost::Budgeted };
            if cost == Cost::Unlimited && matches!(outcome, Err(Error::Unreachable { .. })) {
                self.odoo.limit.breaker().wait_until_up(options.until).await;
            }
            if !tries.again(&outcome, rpc.repeatable, cost, options.until).await {
                if let (Some(creating), Ok(answer)) = (creating, &outcome) {
                    creating.answered(&rpc.written(answer));
                }
                return outcome;
            }
        }
    }

    /// The options of the next RPC. Once a write has begun, its completion does not depend on the call's deadline.
    fn options(&self) -> RequestOptions {
        let (class, until) = if self.has_begun.load(Relaxed) {
            (RequestClass::Begun, Instant::now() + self.odoo.timeout)
        } else {
            (RequestClass::New, self.until)
        };
        RequestOptions { class, until, origin: self.origin, work: None }
    }

    /// Makes an RPC that is safe to repeat, a second time if the first answer is lost.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn call_again(&self, rpc: &Rpc) -> Result<Value, Error> {
        match self.call(rpc).await {
            Err(error) if error.retry() == Retry::Unsafe => self.call(rpc).await,
            outcome => outcome,
        }
    }

    /// Whether an RPC failed because the deadline of this call has passed, which does not concern the others of a batch.
    fn is_own_deadline(&self, error: &Error) -> bool {
        match error {
            Error::OutOfTime => true,
            Error::NoAnswer { effect: Effect::Read, why: Why::TimedOut(_) } => Instant::now() >= self.until,
            _ => false,
        }
    }

    async fn send(&self, rpc: &Rpc, options: RequestOptions) -> Result<Value, Error> {
        let options = RequestOptions { work: Some(Work::of(rpc)), ..options };
        let (auth, context) = (&self.odoo.auth, &self.identity().context);
        // Boxed, as the futures of the protocols are deeply nested.
        match Box::pin(auth.call(&self.access, rpc, context, options, &self.trace)).await {
            // Odoo has not run the method.
            Err(Error::Fault(fault)) if !rpc.args.is_empty() && fault.refuses_names() => {
                let uid = self.identity().uid;
                let by_position = Box::pin(auth.call_by_position(&self.access, uid, rpc, context, options)).await;
                by_position.unwrap_or(Err(Error::Fault(fault)))
            }
            outcome => {
                if matches!(&outcome, Err(Error::Fault(fault)) if fault.is_out_of_connections()) {
                    self.odoo.limit.note_refusal();
                }
                outcome
            }
        }
    }
}
