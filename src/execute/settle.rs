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
//! - Nothing that succeeds costs an RPC more. Each wait ends with the call's deadline.
//!
//! `compare` holds the values of records against each other, `candidates` searches.

mod candidates;
mod compare;

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tokio::time::{self, Instant};

use self::{
    candidates::{Candidate, Search},
    compare::{Likeness, Written},
};
use super::failed::is_lost;
use crate::{
    errors::Retry,
    odoo::{Caller, Error as OdooError, Rpc, Sending, Unsettled, Why},
    policy::Name,
};

/// The pauses between two looks, from the first to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// The number of looks after the time in which a record may still appear: Odoo may be away at the first.
const LAST_LOOKS: usize = 3;

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
}

/// An earlier attempt of a call.
#[derive(Debug, Clone, Copy)]
pub struct Earlier {
    /// When it may have begun to write.
    pub since: Timestamp,
    /// When it may have sent something for the last time.
    pub until: Timestamp,
    /// Whether the call waits until nothing of it can appear any more, rather than to be tried again later.
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

/// What became of a write.
enum Outcome {
    /// It was done, with these records.
    Done(Vec<i64>),
    /// It is certain that it was not done.
    NotDone,
    /// Why it is not known.
    Unknown(String),
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
    /// A create of one record may be sent with those of other calls where `is_batched`.
    ///
    /// # Errors
    /// Odoo or the policy refuses, or it cannot be found out whether it was done.
    pub(super) async fn send(&self, rpc: &Rpc, is_batched: bool) -> Result<Sent, OdooError> {
        if let Some(earlier) = self.settling.earlier
            && let Some(ids) = self.of_earlier(rpc, earlier).await?
        {
            return Ok(Sent::found(ids));
        }
        let sending = self.caller.sending(&rpc.model);
        let sent = if is_batched { self.caller.call_batched(rpc).await } else { self.caller.call(rpc).await };
        let lost = match sent {
            Err(error) if is_lost(&error) => error,
            sent => return sent.map(Sent::answered),
        };
        match self.outcome(rpc, sending, sent_by(&lost), &lost).await {
            Outcome::Done(ids) => return Ok(Sent::found(ids)),
            Outcome::Unknown(why) => return Err(self.unsettled(rpc, sending, why, lost).await),
            Outcome::NotDone => {
                tracing::info!(model = %rpc.model, method = %rpc.method, "a write whose answer was lost was not done, and is sent again")
            }
        }
        let sending = self.caller.sending(&rpc.model);
        let lost = match self.caller.call(rpc).await {
            Err(error) if is_lost(&error) => error,
            sent => return sent.map(Sent::answered),
        };
        match self.outcome(rpc, sending, sent_by(&lost), &lost).await {
            Outcome::Done(ids) => Ok(Sent::found(ids)),
            Outcome::NotDone => {
                let why = "it was sent twice, and both answers were lost; nothing of it was found".to_owned();
                Err(self.unsettled(rpc, sending, why, lost).await)
            }
            Outcome::Unknown(why) => Err(self.unsettled(rpc, sending, why, lost).await),
        }
    }

    /// The records that an earlier attempt has created, if it has.
    ///
    /// # Errors
    /// It may still be at work, or it cannot be found out.
    async fn of_earlier(&self, rpc: &Rpc, earlier: Earlier) -> Result<Option<Vec<i64>>, OdooError> {
        if !rpc.creates() {
            return Ok(None);
        }
        let sending = Sending { since: self.caller.odoo_time(earlier.since), above: None };
        let gone_by = Timestamp::now().duration_since(earlier.until).unsigned_abs();
        let left = self.settling.longest_request.saturating_sub(gone_by);
        let deadline = if earlier.waits { self.settling.deadline } else { Instant::now() };
        let search = Looking { deadline, appears_until: Instant::now() + left, was_done: false };
        match self.created(rpc, sending, search).await {
            Outcome::Done(ids) => Ok(Some(ids)),
            Outcome::NotDone => Ok(None),
            Outcome::Unknown(_) if !left.is_zero() => Err(OdooError::EarlierAttempt { wait: left }),
            Outcome::Unknown(why) => {
                let lost = Why::Broken("the gateway ended before".to_owned());
                let lost = OdooError::NoAnswer { effect: rpc.effect, why: lost };
                Err(self.unsettled(rpc, sending, why, lost).await)
            }
        }
    }

    /// What became of a write that was sent at this time.
    async fn outcome(&self, rpc: &Rpc, sending: Sending, sent: Instant, lost: &OdooError) -> Outcome {
        let looking = Looking {
            deadline: self.settling.deadline,
            appears_until: sent + self.settling.longest_request,
            was_done: was_done(lost),
        };
        match rpc.method.as_str() {
            _ if rpc.creates() => self.created(rpc, sending, looking).await,
            _ => Outcome::Unknown("nothing tells".to_owned()),
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

    /// What became of a create.
    async fn created(&self, rpc: &Rpc, sending: Sending, looking: Looking) -> Outcome {
        let (caller, model) = (self.caller, rpc.model.as_str());
        let schema = match caller.schema(model).await {
            Ok(schema) => schema,
            Err(error) => return unread(&error),
        };
        let written: Vec<Written> =
            new_records(rpc).into_iter().map(|values| Written::of(caller, &schema, values)).collect();
        if written.is_empty() || !written.iter().all(Written::is_telling) {
            return Outcome::Unknown("none of its values tells its record from others".to_owned());
        }
        let search = match Search::new(caller, rpc, &schema, sending, &written) {
            Ok(search) => search,
            Err(why) => return Outcome::Unknown(why),
        };
        let mut sought = caller.seek(model, written.iter().map(Written::fingerprint).collect());
        let mut looks = looking.begin();
        loop {
            let is_last = looks.is_last();
            let problem = match search.look().await {
                Ok(seen) => {
                    if !caller.creates_have_ended(model, looking.deadline).await {
                        return Outcome::Unknown(format!(
                            "other creates of `{model}` were under way, which may have made the records that were found"
                        ));
                    }
                    let is_cut = seen.is_cut;
                    let candidates = search.candidates(seen);
                    if let Some(ids) = sought.take(&equal(&written, &candidates)) {
                        return Outcome::Done(ids);
                    }
                    if is_last {
                        return absence(&search, &written, &candidates, is_cut, looking.was_done).await;
                    }
                    None
                }
                Err(error) if may_pass(&error) => Some(error),
                Err(error) => return unread(&error),
            };
            if !looks.again().await {
                return match problem {
                    Some(error) => unread(&error),
                    None => Outcome::Unknown(
                        "no new record has its values, and until [delivery] longest_request has passed one may appear"
                            .to_owned(),
                    ),
                };
            }
        }
    }
}

/// How long is looked.
#[derive(Debug, Clone, Copy)]
struct Looking {
    deadline: Instant,
    /// Until then, what was sent may still have an effect.
    appears_until: Instant,
    /// It is known that it was done, though not with which records.
    was_done: bool,
}

/// The looks of one settlement.
struct Looks {
    looking: Looking,
    pause: Duration,
    late: usize,
}

impl Looking {
    fn begin(self) -> Looks {
        Looks { looking: self, pause: FIRST_PAUSE, late: 0 }
    }
}

impl Looks {
    /// Whether a look that begins now is certain to find what was done.
    fn is_last(&self) -> bool {
        self.looking.was_done || Instant::now() >= self.looking.appears_until
    }

    /// Waits for the next look; false where there is none any more.
    async fn again(&mut self) -> bool {
        let Looking { deadline, appears_until, .. } = self.looking;
        let now = Instant::now();
        if self.is_last() {
            self.late += 1;
        }
        if now >= deadline || self.late >= LAST_LOOKS {
            return false;
        }
        let mut next = now + self.pause;
        if now < appears_until {
            next = next.min(appears_until);
        }
        time::sleep_until(next.min(deadline)).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        true
    }
}

/// For each record, the candidates with its values: those that have them as they were sent, else in another form.
fn equal(written: &[Written], candidates: &[Candidate]) -> Vec<Vec<i64>> {
    let with = |written: &Written, likeness: Likeness| -> Vec<i64> {
        let certain = candidates.iter().filter(|candidate| !candidate.is_doubtful);
        certain.filter(|candidate| written.likeness(&candidate.row) == likeness).map(|candidate| candidate.id).collect()
    };
    let of_one = |written: &Written| match with(written, Likeness::Equal) {
        none if none.is_empty() => with(written, Likeness::Changed),
        equal => equal,
    };
    let mut all: Vec<Vec<i64>> = written.iter().map(of_one).collect();
    // Records of one create come in their order.
    all.iter_mut().for_each(|ids| ids.sort_unstable());
    all
}

/// Whether it is certain that no record was created, where none was found that is this call's.
async fn absence(
    search: &Search<'_>,
    written: &[Written],
    candidates: &[Candidate],
    is_cut: bool,
    was_done: bool,
) -> Outcome {
    if was_done {
        return Outcome::Unknown("it was carried out, and no new record has its values".to_owned());
    }
    if is_cut {
        return Outcome::Unknown("too many records were created meanwhile to look through them".to_owned());
    }
    let is_like = |candidate: &&Candidate| {
        let least = if candidate.is_doubtful { Likeness::Changed } else { Likeness::Similar };
        written.iter().any(|written| written.likeness(&candidate.row) >= least)
    };
    let alike: Vec<String> = candidates.iter().filter(is_like).take(5).map(|like| like.id.to_string()).collect();
    if !alike.is_empty() {
        return Outcome::Unknown(format!("what has such values, and may be it, is the record {}", alike.join(", ")));
    }
    match search.sees_own().await {
        Ok(true) => Outcome::NotDone,
        Ok(false) => Outcome::Unknown("this user may not see the records that it creates".to_owned()),
        Err(error) => unread(&error),
    }
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

fn unread(error: &OdooError) -> Outcome {
    Outcome::Unknown(format!("Odoo could not be asked: {error}"))
}
