//! One attempt of a queued call: a call of its own in the log, whose outcome is recorded as the accepted call's.

use std::{sync::Arc, time::Duration};

use tokio::time::{self, Instant};
use uuid::Uuid;

use super::{
    Shared, callback,
    chance::chance,
    gate::Pass,
    retry::{self, Next, Stop, Tried},
    stops,
};
use crate::{
    call::{self, Attempt, Lease, Outcome, Service, StoredRequest, Unreadable},
    errors::Code,
    log,
    metrics::Delivered,
    store::{self, Claimed, Earlier, End, Ticket},
};

/// How long the store is asked to take the end of an attempt.
const RECORDING: Duration = Duration::from_secs(600);
const RECORDING_PAUSE: Duration = Duration::from_secs(1);
/// The pause of a call whose client's queue is stopped: it is the first when the queue goes on.
const STOPPED: Duration = Duration::from_millis(100);

/// A call that a worker has, and what it came to.
struct Ended {
    outcome: Outcome,
    next: Next,
}

/// Makes a call, and records what became of it.
pub(super) async fn make(shared: &Shared, service: &Arc<Service>, claimed: Claimed, asked: Instant, pass: Pass) {
    let max_age = service.config.delivery.max_age;
    let attempts = claimed.earlier.map_or(0, |earlier| earlier.attempts).saturating_add(1);
    let tried = Tried { attempts, age: claimed.age, max_age };
    let ticket = claimed.ticket.clone();
    let lease = Arc::new(Lease::keep(service.store.clone(), ticket.clone(), asked));
    let (hook, ended) = match given_up(&claimed, tried) {
        Some(ended) => (StoredRequest::of_bytes(&claimed.request).ok().and_then(|request| request.hook), ended),
        None => {
            let (hook, outcome) = carry_out(service, &claimed, lease.clone()).await;
            let next = retry::next(&outcome, tried, chance());
            let is_away = outcome.error.is_some_and(|refusal| retry::is_away(refusal.code));
            if is_away {
                pass.was_not_answered()
            } else {
                pass.was_answered()
            }
            let is_unsettled = unsettled(&claimed).is_some();
            (hook, if is_unsettled { in_doubt(outcome, next, tried) } else { Ended { outcome, next } })
        }
    };
    let client = &claimed.client;
    match ended.next {
        Next::Stop(stop) => {
            if let (Stop::Account, Some(client)) = (stop, service.clients.by_name(client)) {
                shared.stops.refused(client);
            }
            stops::stop(service, client, stop).await;
        }
        _ => shared.schedule.is_accepted(client),
    }
    let became = became(&ended);
    let (end, counted) = end(ended, ticket.id, tried);
    let told = callback::body(service, client, ticket.id, &end);
    let is_ours = record(service, &ticket, end, told).await;
    service.metrics.queue.attempt(if is_ours { counted } else { "lost" });
    if let (Some(hook), Some(became), true) = (hook, became, is_ours) {
        service.metrics.deliveries.count(&hook, client, became);
    }
    drop(lease);
}

/// What became of a delivery; none where it is tried again.
fn became(ended: &Ended) -> Option<Delivered> {
    match ended.next {
        Next::Done if ended.outcome.state == log::State::Ignored => Some(Delivered::Ignored),
        Next::Done => Some(Delivered::Done),
        Next::Dead | Next::TooOld => Some(Delivered::Dead),
        Next::InDoubt => Some(Delivered::InDoubt),
        Next::Again { .. } | Next::Stop(_) => None,
    }
}

/// A call that is not made again, whatever would come of it.
fn given_up(claimed: &Claimed, tried: Tried) -> Option<Ended> {
    let unfinished = claimed.earlier.map_or(0, |earlier| earlier.unfinished);
    if unfinished >= retry::MOST_UNFINISHED {
        tracing::error!(call = %claimed.ticket.id, unfinished, "a queued call is given up: the gateway ended each time while it made it");
        let outcome = Outcome::refused(&call::Error::Poison { unfinished });
        return Some(Ended { outcome, next: Next::Dead });
    }
    if tried.age > tried.max_age {
        let is_unsettled = unsettled(claimed).is_some();
        let outcome = Outcome::refused(&call::Error::TooOld { max_age: tried.max_age, last: None, is_unsettled });
        return Some(Ended { outcome, next: if is_unsettled { Next::InDoubt } else { Next::TooOld } });
    }
    None
}

/// The end of an attempt of a call that one before it may have done: what this one was refused, that one may have written.
fn in_doubt(outcome: Outcome, next: Next, tried: Tried) -> Ended {
    match next {
        Next::Dead => Ended { outcome, next: Next::InDoubt },
        Next::TooOld => {
            let last = outcome.error.map(|refusal| refusal.code);
            let error = call::Error::TooOld { max_age: tried.max_age, last, is_unsettled: true };
            Ended { outcome: Outcome::refused(&error), next: Next::InDoubt }
        }
        next => Ended { outcome, next },
    }
}

/// What attempts before this one may have done; none where all of them have ended with a word of their own, and wrote nothing.
fn unsettled(claimed: &Claimed) -> Option<Earlier> {
    claimed.earlier.filter(|earlier| earlier.unfinished > 0)
}

/// The hook that the call came by, and its outcome.
async fn carry_out(service: &Arc<Service>, claimed: &Claimed, lease: Arc<Lease>) -> (Option<String>, Outcome) {
    let request = match StoredRequest::of_bytes(&claimed.request) {
        Ok(request) => request,
        Err(error) => {
            tracing::error!(call = %claimed.ticket.id, %error, "a queued call cannot be read");
            let error = match error {
                // A gateway of that version may come back.
                Unreadable::Newer(_) => call::Error::Store(store::Error::Unavailable(error.to_string())),
                Unreadable::Broken(_) => call::Error::Internal,
            };
            return (None, Outcome::refused(&error));
        }
    };
    let hook = request.hook.clone();
    let attempt = Attempt::of(claimed, &request, lease);
    let attempt = Attempt { earlier: unsettled(claimed), ..attempt };
    let incoming = match request.into_incoming(attempt, &service.hooks) {
        Ok(incoming) => incoming,
        Err(error) => {
            tracing::warn!(call = %claimed.ticket.id, %error, "a delivery cannot be made");
            return (hook, Outcome::refused(&error));
        }
    };
    let outcome = match service.start(incoming, ()).await {
        Ok(answered) => answered.outcome,
        Err(error) => {
            tracing::error!(call = %claimed.ticket.id, %error, "an attempt failed inside the gateway");
            Outcome::refused(&call::Error::Internal)
        }
    };
    (hook, outcome)
}

/// What the store is told, and how it is counted.
fn end(ended: Ended, id: Uuid, tried: Tried) -> (End, &'static str) {
    let Ended { outcome, next } = ended;
    let code = outcome.error.map(|refusal| refusal.code);
    let error = || code.map_or_else(String::new, |code| code.as_str().to_owned());
    match next {
        Next::Done => (End::Done { outcome: outcome.to_bytes() }, "done"),
        Next::Again { after } => {
            tracing::debug!(call = %id, error = error(), ?after, "a queued call is tried again");
            (End::Again { after, error: error() }, "again")
        }
        Next::Stop(_) => (End::Again { after: STOPPED, error: error() }, "stopped"),
        Next::Dead => {
            tracing::warn!(call = %id, error = error(), "a queued call was refused for good");
            (End::Dead { outcome: outcome.to_bytes(), error: error() }, "dead")
        }
        Next::TooOld => {
            let last = code.filter(|code| *code != Code::TooOld);
            tracing::warn!(call = %id, last = error(), "a queued call could not be delivered in time");
            let outcome = Outcome::refused(&call::Error::TooOld { max_age: tried.max_age, last, is_unsettled: false });
            (End::Dead { outcome: outcome.to_bytes(), error: Code::TooOld.as_str().to_owned() }, "dead")
        }
        Next::InDoubt => {
            tracing::warn!(call = %id, error = error(), "it is not known whether a queued call was done");
            (End::InDoubt { outcome: outcome.to_bytes(), error: error() }, "in_doubt")
        }
    }
}

/// Records the end of an attempt, also where the store is away for a while. Whether the call was still this worker's.
async fn record(service: &Arc<Service>, ticket: &Ticket, end: End, told: Option<(String, Vec<u8>)>) -> bool {
    let until = Instant::now() + RECORDING;
    loop {
        let error = match service.store.finish(ticket, end.clone(), told.clone()).await {
            Ok(true) => return true,
            Ok(false) => {
                tracing::warn!(call = %ticket.id, "the end of an attempt is not recorded: another worker has the call");
                return false;
            }
            Err(error) => error,
        };
        if Instant::now() >= until {
            tracing::error!(call = %ticket.id, %error, "the end of an attempt could not be recorded");
            return false;
        }
        tracing::warn!(call = %ticket.id, %error, "the end of an attempt could not be recorded yet");
        time::sleep(RECORDING_PAUSE.mul_f64(0.5 + chance() / 2.0)).await;
    }
}
