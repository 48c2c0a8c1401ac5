//! What became of a write whose answer was lost: it is found out before the call is answered.
//!
//! A create is looked for among the records that the caller's user has created since it was sent: one that is equal in all plain
//! values, and that no other call was answered with, is this call's. One that is not there may still appear, for as long as Odoo
//! works on a request (`[delivery] longest_request`). After that it is certain that nothing was done, and the create is sent once
//! more. Updates are read back, and deleted records are searched for.
//!
//! What must stay true:
//! - A create is never sent again unless it is certain that the first one did nothing.
//! - A record that another call was answered with, or that may have been there before, is never taken for this call's.
//! - After a wait, nothing is written for a call that another gateway may make by then ([`Right`]).
//! - Nothing that succeeds costs an RPC more. Each wait ends with the call's deadline.
//!
//! `created` finds out about creates, `changed` about updates and deletions. `compare` holds the values of records against each
//! other, `candidates` searches for new records, `looks` says when to look.

mod candidates;
mod changed;
mod compare;
mod created;
mod lines;
mod looks;

use std::{fmt, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use self::{compare::Written, looks::Looking};
use super::{failed::is_lost, marker::Marker};
use crate::{
    errors::Retry,
    odoo::{Caller, Effect, Error as OdooError, Rpc, Sending, Unsettled, Why},
    policy::Name,
};

/// What a call may do to find out the outcome of its writes.
#[derive(Debug, Clone)]
pub struct Settling {
    /// When it stops to look.
    pub deadline: Instant,
    /// How long Odoo works on a request at most: until then, what is not found may still appear.
    pub longest_request: Duration,
    /// An earlier attempt of this call, which a gateway has left without an end.
    pub earlier: Option<Earlier>,
    /// The methods that may be called again where the answer was lost.
    pub safe_methods: Vec<Name>,
    /// What the new record is known by, besides its values.
    pub marker: Option<Marker>,
    /// The right to make the call, where another gateway may take it. It is asked for again before a write that comes after a wait.
    pub right: Option<Arc<dyn Right>>,
}

/// The right to make a call.
pub trait Right: fmt::Debug + Send + Sync {
    /// Whether it lasts. Where that cannot be known it does not.
    fn lasts(&self) -> BoxFuture<'_, bool>;
}

/// How long a worker goes on looking when nothing can appear any more: a busy Odoo answers late.
const LAST_LOOKS: Duration = Duration::from_secs(30);

/// An earlier attempt of a call.
#[derive(Debug, Clone, Copy)]
pub struct Earlier {
    /// When it may have begun to write.
    pub since: Timestamp,
    /// When it may have sent something for the last time.
    pub until: Timestamp,
    /// Whether a caller waits for the call, so that its deadline ends the looking. A worker looks for as long as it takes.
    pub waits: bool,
}

/// A write that was done.
#[derive(Debug)]
pub(super) struct Sent {
    /// As Odoo answered it or, where it was found out, the ids.
    pub(super) answer: Value,
    /// Odoo has answered it.
    pub(super) is_answered: bool,
}

/// How a write is sent, and what else finds the record that it creates.
#[derive(Debug, Clone, Copy)]
pub(super) enum How<'p> {
    Alone,
    /// A new record may be created with those of other calls.
    Batched,
    /// The same. The search key finds the record; one with other values is updated.
    Keyed(&'p Rpc),
    /// The lookup for which the record is created finds it, whatever its values are.
    LookedUp(&'p Rpc),
}

/// What became of a write.
enum Outcome {
    /// It was done, with these records.
    Done(Vec<i64>),
    /// It is certain that it was not done.
    NotDone,
    /// Why it is not known.
    Unknown(String),
    /// Odoo could not be asked.
    Unread(OdooError),
}

/// Finds out the outcomes of one call's writes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settler<'c> {
    pub(super) caller: &'c Caller,
    pub(super) settling: &'c Settling,
}

impl Sent {
    fn answered(answer: Value) -> Self {
        Self { answer, is_answered: true }
    }

    fn found(ids: Vec<i64>) -> Self {
        Self { answer: json!(ids), is_answered: false }
    }
}

impl Settler<'_> {
    /// Sends a write, and finds out what became of it where its answer is lost. One that certainly did nothing is sent once more.
    ///
    /// # Errors
    /// Odoo or the policy refuses, or it cannot be found out whether it was done.
    pub(super) async fn send(&self, rpc: &Rpc, how: How<'_>) -> Result<Sent, OdooError> {
        if let Some(earlier) = self.settling.earlier {
            if let Some(ids) = self.of_earlier(rpc, how, earlier).await? {
                return Ok(Sent::found(ids));
            }
            self.check_right().await?;
        }
        let sending = self.caller.sending(&rpc.model);
        let sent = match how {
            How::Batched | How::Keyed(_) => self.caller.call_batched(rpc).await,
            How::Alone | How::LookedUp(_) => self.caller.call(rpc).await,
        };
        let lost = match sent {
            Err(error) if is_lost(&error) => error,
            sent => return sent.map(Sent::answered),
        };
        match self.outcome(rpc, how, sending, &lost).await {
            Outcome::Done(ids) => return Ok(Sent::found(ids)),
            Outcome::Unknown(why) => return Err(self.unsettled(rpc, sending, why, lost).await),
            Outcome::Unread(error) => return Err(self.unsettled(rpc, sending, unread(&error), lost).await),
            Outcome::NotDone => {
                self.check_right().await?;
                tracing::info!(model = %rpc.model, method = %rpc.method, "a write whose answer was lost was not done, and is sent again")
            }
        }
        let sending = self.caller.sending(&rpc.model);
        let lost = match self.caller.call(rpc).await {
            Err(error) if is_lost(&error) => error,
            sent => return sent.map(Sent::answered),
        };
        match self.outcome(rpc, how, sending, &lost).await {
            Outcome::Done(ids) => Ok(Sent::found(ids)),
            Outcome::NotDone => {
                let why = "it was sent twice, and both answers were lost; nothing of it was found".to_owned();
                Err(self.unsettled(rpc, sending, why, lost).await)
            }
            Outcome::Unknown(why) => Err(self.unsettled(rpc, sending, why, lost).await),
            Outcome::Unread(error) => Err(self.unsettled(rpc, sending, unread(&error), lost).await),
        }
    }

    /// Before a write that comes after a wait, in which another gateway may have taken the call.
    async fn check_right(&self) -> Result<(), OdooError> {
        match &self.settling.right {
            Some(right) if !right.lasts().await => Err(OdooError::RightLost),
            _ => Ok(()),
        }
    }

    /// The records that an earlier attempt has created, none of an update that it has done; `None` where it has not done it, or where
    /// it does no harm to write once more.
    ///
    /// # Errors
    /// It may still be at work, or it cannot be found out.
    async fn of_earlier(&self, rpc: &Rpc, how: How<'_>, earlier: Earlier) -> Result<Option<Vec<i64>>, OdooError> {
        let longest = self.settling.longest_request;
        let until = earlier.until.saturating_add(SignedDuration::try_from(longest).unwrap_or_default());
        let until = until.ok().map(|until| self.caller.odoo_time(until));
        let sending = Sending { since: self.caller.odoo_time(earlier.since), until, above: None };
        let gone_by = Timestamp::now().duration_since(earlier.until).unsigned_abs();
        let appears_until = Instant::now() + longest.saturating_sub(gone_by);
        let deadline = if earlier.waits { self.settling.deadline } else { appears_until + LAST_LOOKS };
        let looking = Looking { deadline, appears_until, was_done: false };
        let outcome = match rpc.method.as_str() {
            _ if rpc.creates() => self.created(rpc, how, sending, looking).await,
            "write" | "web_save" | "web_save_multi" if creates_lines(rpc) => self.updated(rpc, sending, looking).await,
            _ => Outcome::NotDone,
        };
        match outcome {
            Outcome::Done(ids) => Ok(Some(ids)),
            Outcome::NotDone => Ok(None),
            Outcome::Unknown(_) | Outcome::Unread(OdooError::OutOfTime) if Instant::now() < appears_until => {
                Err(OdooError::EarlierAttempt { wait: longest })
            }
            // Nothing was sent now; what the earlier attempt has done can be looked for later.
            Outcome::Unread(error) => Err(error),
            Outcome::Unknown(why) => Err(self.unsettled(rpc, sending, why, abandoned(rpc)).await),
        }
    }

    /// Refuses a method that an earlier attempt may have called, unless it may be called again.
    ///
    /// # Errors
    /// It is not known whether it was called.
    pub(super) async fn decide_method(&self, rpc: &Rpc) -> Result<(), OdooError> {
        let Some(earlier) = self.settling.earlier.filter(|_| rpc.effect == Effect::Write && !self.is_safe(rpc)) else {
            return Ok(());
        };
        let sending = Sending { since: self.caller.odoo_time(earlier.since), until: None, above: None };
        let why = "nothing tells whether a method was called".to_owned();
        Err(self.unsettled(rpc, sending, why, abandoned(rpc)).await)
    }

    /// Whether a method may be called again where it is not known whether it was called. A message is posted twice then.
    pub(super) fn is_safe(&self, rpc: &Rpc) -> bool {
        let is_named = |name: &Name| name.matches(&rpc.model, &rpc.method);
        rpc.method != "message_post" && self.settling.safe_methods.iter().any(is_named)
    }

    /// What became of a write whose answer was lost.
    async fn outcome(&self, rpc: &Rpc, how: How<'_>, sending: Sending, lost: &OdooError) -> Outcome {
        let looking = Looking {
            deadline: self.settling.deadline,
            appears_until: sent_by(lost) + self.settling.longest_request,
            was_done: was_done(lost),
        };
        match rpc.method.as_str() {
            _ if rpc.creates() => self.created(rpc, how, sending, looking).await,
            "write" | "web_save" | "web_save_multi" => self.updated(rpc, sending, looking).await,
            "unlink" => self.deleted(rpc, looking).await,
            // The same texts once more do no harm.
            "update_field_translations" => Outcome::NotDone,
            _ => Outcome::Unknown("nothing tells whether a method was called".to_owned()),
        }
    }

    /// The error for a write whose outcome is not known. Where Odoo has told the ids of which one is the record, those are told.
    async fn unsettled(&self, rpc: &Rpc, sending: Sending, why: String, lost: OdooError) -> OdooError {
        if matches!(lost, OdooError::NoAnswer { why: Why::Indistinguishable { .. }, .. }) {
            return lost;
        }
        let mut what = format!("`{}.{}`", rpc.model, rpc.method);
        if let (Ok(schema), Some(values)) = (self.caller.schema(&rpc.model).await, new_records(rpc).first()) {
            let shown = Written::of(self.caller, &schema, values).shown();
            what += &if shown.is_empty() { String::new() } else { format!(" with {shown}") };
        }
        let at = sending.since.strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
        OdooError::OutcomeUnknown(Box::new(Unsettled { what, at, why, lost: Box::new(lost) }))
    }
}

/// How the answer was lost to an earlier attempt.
fn abandoned(rpc: &Rpc) -> OdooError {
    OdooError::NoAnswer { effect: rpc.effect, why: Why::Broken("the gateway ended".to_owned()) }
}

/// Whether an update has lines that it creates.
fn creates_lines(rpc: &Rpc) -> bool {
    rpc.args.first().is_some_and(|(_, values)| compare::creates_lines(values))
}

/// The values of the records that a create makes.
fn new_records(rpc: &Rpc) -> Vec<&Map<String, Value>> {
    match rpc.args.first() {
        Some((_, Value::Array(records))) => records.iter().filter_map(Value::as_object).collect(),
        Some((_, Value::Object(values))) => vec![values],
        _ => Vec::new(),
    }
}

/// The latest time at which it can have been sent.
fn sent_by(lost: &OdooError) -> Instant {
    let now = Instant::now();
    match lost {
        OdooError::NoAnswer { why: Why::TimedOut(after), .. } => now.checked_sub(*after).unwrap_or(now),
        _ => now,
    }
}

/// Whether Odoo has carried it out, though its answer does not serve.
fn was_done(lost: &OdooError) -> bool {
    matches!(
        lost,
        OdooError::AnswerTooLarge { .. }
            | OdooError::AnswerNeedsTooMuch { .. }
            | OdooError::NoAnswer { why: Why::NotInXml(_) | Why::Indistinguishable { .. }, .. }
    )
}

/// Whether another look may succeed: Odoo is away, or busy.
fn may_pass(error: &OdooError) -> bool {
    error.retry() == Retry::Safe
}

fn unread(error: &OdooError) -> String {
    format!("Odoo could not be asked for it: {error}")
}
