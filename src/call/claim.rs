//! A call with a key is claimed in the store before anything is planned, and its end is kept there.
//!
//! What must stay true:
//! - Of calls with one key, one is made at a time. A repetition waits for its end, until its own deadline.
//! - An end that may be followed by another try (`safe`) frees the key, unless an attempt before may have written. Every other end
//!   is kept, and answered again.
//! - A call in doubt is taken over by the next call with its key, which finds out what became of it
//!   before it writes.
//! - Where the store does not answer, a call with a key is refused before anything is sent; one without a key does not ask it.

use std::{sync::Arc, time::Duration};

use tokio::time::{self, Instant};

use super::{
    Error, Outcome, Service,
    auth::Refused,
    ended::Ended,
    idempotency::{Asked, Key, Scope},
    lease::Lease,
    open_keys::OpenKey,
    stored::stored,
};
use crate::{
    errors::Retry,
    store::{self, Accepted, Earlier, End, NewCall, Place, State, Ticket},
};

/// The pauses between two looks at a call that another gateway makes, from the first to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How long the store may take to keep an end before the answer goes out without it.
const END: Duration = Duration::from_secs(10);
/// How long the store may take to accept a call into the queue.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// How often an end is tried that the store did not take.
const TRIES: u32 = 12;
/// The longest name of a model that is stored beside a call; a caller may send any text.
const MODEL: usize = 256;

/// A call with a key that this gateway makes.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) lease: Arc<Lease>,
    /// What attempts before this one may have done.
    pub(super) earlier: Option<Earlier>,
    /// When these can have sent something, at the latest, by the clock of the store.
    sent_until: i64,
    is_delivery: bool,
    /// Some calls of its delivery are done, so that another attempt goes on from there.
    pub(super) has_progress: bool,
    _open: OpenKey,
}

/// What is kept of a call's end.
#[derive(Debug, Clone)]
enum Kept {
    End(End),
    /// This attempt wrote nothing, and what the ones before it did is not known.
    AsBefore {
        sent_until: i64,
    },
}

/// What becomes of a call with a key.
pub(super) enum Verdict {
    Make(Claim),
    /// It was made before.
    Ended(Ended),
}

/// Claims a call with a key, once no other call with that key is under way.
///
/// # Errors
/// The key was used for something else, its call has not ended in time, the delivery was taken before, or the store does not
/// answer.
pub(super) async fn claim(
    service: &Service,
    asked: Asked<'_>,
    scope: &Scope,
    key: &Key,
    may_be_queued: bool,
) -> Result<Verdict, Error> {
    let patience = service.config.limits.call_timeout;
    let until = asked.incoming.began + (patience - patience / 10);
    let call = new_call(asked, scope, Some(key), Place::AtOnce);
    let mut pause = FIRST_PAUSE;
    loop {
        let since = Instant::now();
        let claimed = |ticket: Ticket, earlier: Option<Earlier>| {
            let open = service.open_keys.open(ticket.id);
            let lease = Arc::new(Lease::keep(service.store.clone(), ticket, since));
            let sent_until = service.store.now().saturating_sub(earlier.map_or(0, since_last));
            let has_progress = lease.ticket().progress().is_some();
            // What came of the calls before is known; only an attempt that ended without a word may have begun another one.
            let earlier = earlier.filter(|earlier| !has_progress || earlier.unfinished > 0);
            let is_delivery = key.is_delivery;
            Ok(Verdict::Make(Claim { lease, earlier, sent_until, is_delivery, has_progress, _open: open }))
        };
        let accepted = time::timeout_at(until, service.store.accept(call.clone(), true)).await;
        let (id, state) = match accepted.map_err(|_| too_slow())?? {
            Accepted::New(Some(ticket)) => return claimed(ticket, None),
            Accepted::TakenOver { ticket, earlier } => return claimed(ticket, Some(earlier)),
            Accepted::New(None) => return Err(Error::Internal),
            Accepted::Reused { id } if key.is_delivery => return Err(replayed(id, State::Done)),
            Accepted::Reused { id } => return Err(Error::KeyReused { of: id }),
            Accepted::Closed { id, state, .. } | Accepted::Open { id, state } if key.is_delivery => {
                return Err(replayed(id, state));
            }
            Accepted::Closed { id, outcome, .. } => return Ok(Verdict::Ended(known(id, &outcome)?)),
            Accepted::Open { id, state: state @ State::Queued } if may_be_queued => {
                return Ok(Verdict::Ended(Ended::Queued { id, state, is_repeat: true, is_preferred: false }));
            }
            Accepted::Open { id, state } => (id, state),
        };
        tracing::debug!(call = %asked.incoming.id, first = %id, state = state.as_str(), "the call with this key has not ended");
        let looked = match service.open_keys.end_of(id) {
            Some(end) => time::timeout_at(until.min(Instant::now() + LONGEST_PAUSE), end).await.is_ok(),
            None => {
                time::sleep_until(until.min(Instant::now() + pause)).await;
                pause = LONGEST_PAUSE.min(pause * 2);
                false
            }
        };
        if !looked && Instant::now() >= until {
            return Err(Error::KeyInProgress { of: id });
        }
    }
}

/// The call as the store keeps it.
pub(super) fn new_call(asked: Asked<'_>, scope: &Scope, key: Option<&Key>, place: Place) -> NewCall {
    let incoming = asked.incoming;
    let (client, request) = match scope {
        Scope::Client(client) => {
            let request = stored(asked, client);
            (Some(client.clone()), request)
        }
        // Nobody but the caller has the credential, so nobody else can make it again.
        Scope::User { .. } => (None, Vec::new()),
    };
    NewCall {
        id: incoming.id,
        caller: scope.to_string(),
        client,
        key: key.map(|key| key.text.clone()),
        digest: key.map_or([0; 32], |key| key.digest),
        route: asked.route.name().to_owned(),
        model: asked.model.chars().take(MODEL).collect(),
        request,
        place,
        keep: key.and_then(|key| key.known_for),
        delivery: asked.delivery.map(|delivery| store::Delivery {
            hook: delivery.hook.name().to_owned(),
            id: delivery.identity.as_ref().and_then(|identity| identity.id.clone()),
        }),
    }
}

/// The outcome that is kept of a call.
///
/// # Errors
/// It cannot be read.
pub(super) fn known(id: uuid::Uuid, outcome: &[u8]) -> Result<Ended, Error> {
    let outcome = Outcome::of_bytes(outcome).map_err(|error| {
        tracing::error!(call = %id, %error, "what the store keeps of a call cannot be read");
        store::Error::Unavailable(format!("the outcome of call {id} cannot be read"))
    })?;
    Ok(Ended::Known { of: id, outcome })
}

/// A delivery that comes again. One that was accepted is as good as done for its sender; one in doubt is not.
pub(super) fn replayed(of: uuid::Uuid, state: State) -> Error {
    match state {
        State::InDoubt => Error::DeliveryInDoubt { of },
        State::Running => Refused::Replayed { of, is_done: false }.into(),
        State::Queued | State::Done | State::Dead | State::Dropped => Refused::Replayed { of, is_done: true }.into(),
    }
}

pub(super) fn too_slow() -> store::Error {
    store::Error::Unavailable("it gave no answer in time".to_owned())
}

impl Claim {
    /// Keeps the end of the call. Where the store does not take it, that is tried again for a while, and the lease is kept.
    pub(super) async fn end(self, store: &Arc<store::Store>, outcome: &Outcome) {
        let end = self.end_of(outcome);
        let Err(error) = keep(store, self.lease.ticket(), end.clone()).await else { return };
        tracing::error!(call = %self.lease.ticket().id, %error, "the end of a call with a key is not in the store");
        let store = store.clone();
        tokio::spawn(async move {
            let mut pause = FIRST_PAUSE;
            for _ in 0..TRIES {
                time::sleep(pause).await;
                pause *= 2;
                if keep(&store, self.lease.ticket(), end.clone()).await.is_ok() {
                    return;
                }
            }
        });
    }

    /// Frees the key, since nothing was written and the call is made otherwise.
    pub(super) async fn free(self, store: &store::Store) {
        if let Err(error) = keep(store, self.lease.ticket(), Kept::End(End::Free)).await {
            tracing::warn!(call = %self.lease.ticket().id, %error, "the key of a call could not be freed");
        }
    }

    fn end_of(&self, outcome: &Outcome) -> Kept {
        let in_doubt = |error: &str| End::InDoubt { outcome: outcome.to_bytes(), error: error.to_owned() };
        let Some(refusal) = outcome.error else { return Kept::End(End::Done { outcome: outcome.to_bytes() }) };
        Kept::End(match refusal.retry {
            Retry::Unsafe => in_doubt(refusal.code.as_str()),
            // The calls that are done stay done, and are not made again.
            Retry::Safe | Retry::No if self.has_progress => return Kept::AsBefore { sent_until: self.sent_until },
            Retry::Safe if self.earlier.is_some() => return Kept::AsBefore { sent_until: self.sent_until },
            Retry::Safe => End::Free,
            // Attempts before this one may have done what this one was refused.
            Retry::No if self.earlier.is_some() => in_doubt(refusal.code.as_str()),
            // Nothing was written, so its sender may send it again.
            Retry::No if self.is_delivery => End::Free,
            Retry::No => End::Done { outcome: outcome.to_bytes() },
        })
    }
}

fn since_last(earlier: Earlier) -> i64 {
    i64::try_from(earlier.since_last.as_millis()).unwrap_or(i64::MAX)
}

async fn keep(store: &store::Store, ticket: &Ticket, kept: Kept) -> Result<(), store::Error> {
    let kept = async {
        match kept {
            Kept::End(end) => store.finish(ticket, end, None).await,
            Kept::AsBefore { sent_until } => store.give_back(ticket, sent_until).await,
        }
    };
    match time::timeout(END, kept).await {
        Ok(Ok(true)) => Ok(()),
        Ok(Ok(false)) => {
            tracing::warn!(call = %ticket.id, "the lease of a call had ended, so that its end is not kept beside its key");
            Ok(())
        }
        Ok(Err(error)) => Err(error),
        Err(_) => Err(too_slow()),
    }
}
