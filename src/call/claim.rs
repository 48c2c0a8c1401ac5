//! A call with a key is claimed in the store before anything is planned, and its end is kept there.
//!
//! What must stay true:
//! - Of calls with one key, one is made at a time. Whoever repeats it waits for its end, for as long as its own time lasts.
//! - An end that may be followed by another try (`safe`) frees the key. Every other end is kept, and answered again.
//! - An end of which nobody knows whether it was done is given to whoever repeats the key: that call finds out what became of it
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
    stored::StoredRequest,
};
use crate::{
    errors::Retry,
    log,
    store::{self, Accepted, Earlier, End, NewCall, Place, State, Ticket},
};

/// The pauses between two looks at a call that another gateway makes, from the first to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How long the store may take to keep an end before the answer goes out without it.
const END: Duration = Duration::from_secs(10);
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
    is_delivery: bool,
    _open: OpenKey,
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
pub(super) async fn claim(service: &Service, asked: Asked<'_>, scope: &Scope, key: &Key) -> Result<Verdict, Error> {
    let patience = service.config.limits.call_timeout;
    let until = asked.incoming.began + (patience - patience / 10);
    let call = new_call(asked, scope, Some(key), Place::AtOnce);
    let mut pause = FIRST_PAUSE;
    loop {
        let since = Instant::now();
        let claimed = |ticket: Ticket, earlier| {
            let open = service.open_keys.open(ticket.id);
            let lease = Arc::new(Lease::keep(service.store.clone(), ticket, since));
            Ok(Verdict::Make(Claim { lease, earlier, is_delivery: key.is_delivery, _open: open }))
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
            let request = StoredRequest::new(incoming, client, asked.model, asked.vals).to_bytes();
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
        route: incoming.route.name().to_owned(),
        model: asked.model.chars().take(MODEL).collect(),
        request,
        place,
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

/// A delivery that comes again. One that was accepted is as good as done for its sender.
pub(super) fn replayed(of: uuid::Uuid, state: State) -> Error {
    Refused::Replayed { of, is_done: state != State::Running }.into()
}

pub(super) fn too_slow() -> store::Error {
    store::Error::Unavailable("it gave no answer in time".to_owned())
}

impl Claim {
    /// Keeps the end of the call. Where the store does not take it, that is tried again for a while, and the lease is kept.
    pub(super) async fn end(self, store: &Arc<store::Store>, outcome: &Outcome) {
        let end = self.end_of(outcome);
        let Err(error) = finish(store, self.lease.ticket(), end.clone()).await else { return };
        tracing::error!(call = %self.lease.ticket().id, %error, "the end of a call with a key is not in the store");
        let store = store.clone();
        tokio::spawn(async move {
            let mut pause = FIRST_PAUSE;
            for _ in 0..TRIES {
                time::sleep(pause).await;
                pause *= 2;
                if finish(&store, self.lease.ticket(), end.clone()).await.is_ok() {
                    return;
                }
            }
        });
    }

    fn end_of(&self, outcome: &Outcome) -> End {
        let kept = || outcome.to_bytes();
        match outcome.error {
            Some(refusal) if refusal.retry == Retry::Unsafe => {
                End::InDoubt { outcome: kept(), error: refusal.code.as_str().to_owned() }
            }
            Some(refusal) if refusal.retry == Retry::Safe => End::Free,
            // Nothing was written, so its sender may send it again.
            Some(_) if self.is_delivery => End::Free,
            _ if outcome.state == log::State::InDoubt => End::InDoubt { outcome: kept(), error: String::new() },
            _ => End::Done { outcome: kept() },
        }
    }
}

async fn finish(store: &store::Store, ticket: &Ticket, end: End) -> Result<(), store::Error> {
    match time::timeout(END, store.finish(ticket, end, None)).await {
        Ok(Ok(true)) => Ok(()),
        Ok(Ok(false)) => {
            tracing::warn!(call = %ticket.id, "the lease of a call had ended, so that its end is not kept beside its key");
            Ok(())
        }
        Ok(Err(error)) => Err(error),
        Err(_) => Err(too_slow()),
    }
}
