//! Calls that are accepted into the queue, and made by a worker later.
//!
//! A call is accepted once its line is in the log and its row in the store, both on disk, and before Odoo is asked anything. Only
//! a `[[client]]` can have that: of other callers nobody but themselves has the credential. Searches and dry runs are answered at
//! once whatever is preferred, since there is nothing to deliver; RFC 7240, section 2, lets a preference be ignored.

use std::sync::Arc;

use http::{HeaderMap, HeaderName};
use tokio::time;

use super::{
    Error, Service,
    auth::clients::Client,
    claim::{self, replayed},
    ended::Ended,
    idempotency::{Asked, Key, Scope},
    incoming::{By, Incoming, Presented},
    lane,
};
use crate::{
    config::{Accept, Mode, WhenDown},
    hook::Hook,
    log::Entry,
    store::{self, Accepted, NewCall, Place, State},
};

/// RFC 7240, section 2.
pub const PREFER: HeaderName = HeaderName::from_static("prefer");

/// Whether a call is to be queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    Never,
    /// Where Odoo turns out to be away before anything was written.
    IfAway,
    Now {
        is_preferred: bool,
    },
}

/// What of the configuration decides how a call is queued.
#[derive(Debug, Clone, Copy)]
struct Rules {
    mode: Mode,
    when_down: WhenDown,
}

/// A call that is queued where Odoo turns out to be away.
#[derive(Debug)]
pub(super) struct Fallback {
    call: NewCall,
    is_delivery: bool,
}

impl Rules {
    fn of(client: &Client, hook: Option<&Hook>) -> Self {
        Self {
            mode: hook.map_or(client.delivery, |hook| match hook.entry.accept {
                Accept::Store => Mode::Async,
                Accept::Answer => Mode::Sync,
            }),
            when_down: hook.and_then(|hook| hook.entry.when_down).unwrap_or(client.when_down),
        }
    }
}

/// Whether the call is to be queued.
///
/// # Errors
/// Its caller prefers that and is no `[[client]]`.
pub(super) fn wish(service: &Service, asked: Asked<'_>, scope: &Scope) -> Result<Wish, Error> {
    let headers = match (&asked.incoming.by, &asked.incoming.presented) {
        (By::Caller, Presented::Headers { headers, .. }) => headers,
        _ => return Ok(Wish::Never),
    };
    if !asked.may_write() {
        return Ok(Wish::Never);
    }
    let is_preferred = prefers_async(headers);
    let client = match scope {
        Scope::Client(name) => service.clients.by_name(name),
        Scope::User { .. } => None,
    };
    let Some(client) = client else {
        return if is_preferred { Err(Error::AsyncNeedsClient) } else { Ok(Wish::Never) };
    };
    Ok(match Rules::of(client, asked.incoming.hook.as_ref().map(|to| &*to.hook)) {
        _ if is_preferred => Wish::Now { is_preferred },
        Rules { mode: Mode::Async, .. } => Wish::Now { is_preferred },
        Rules { when_down: WhenDown::Queue, .. } if service.odoo.is_down() => Wish::Now { is_preferred },
        Rules { when_down: WhenDown::Queue, .. } => Wish::IfAway,
        Rules { when_down: WhenDown::Fail, .. } => Wish::Never,
    })
}

/// RFC 7240, section 4.1: the preference `respond-async`, among others and whatever its case.
fn prefers_async(headers: &HeaderMap) -> bool {
    let preferences = headers.get_all(PREFER).iter().filter_map(|value| value.to_str().ok());
    let mut tokens = preferences.flat_map(|value| value.split(',')).map(|preference| {
        let token = preference.split(';').next().unwrap_or_default();
        token.split('=').next().unwrap_or_default().trim()
    });
    tokens.any(|token| token.eq_ignore_ascii_case("respond-async"))
}

/// Puts a call into the queue. Its line in the log is on disk before.
///
/// # Errors
/// The log or the store cannot take it, the queue is full, or its key was used for something else.
pub(super) async fn accept(
    service: &Service,
    entry: &mut Entry,
    asked: Asked<'_>,
    scope: &Scope,
    key: Option<&Key>,
    is_preferred: bool,
) -> Result<Ended, Error> {
    let client = match scope {
        Scope::Client(name) => service.clients.by_name(name),
        Scope::User { .. } => None,
    };
    let client = client.ok_or(Error::AsyncNeedsClient)?;
    let call = claim::new_call(asked, scope, key, Place::Lane(lane::of(client, asked)));
    let is_delivery = key.is_some_and(|key| key.is_delivery);
    put(service, entry, call, is_delivery, is_preferred).await
}

async fn put(
    service: &Service,
    entry: &mut Entry,
    call: NewCall,
    is_delivery: bool,
    is_preferred: bool,
) -> Result<Ended, Error> {
    entry.announced().await?;
    let (id, client) = (call.id, call.client.clone().unwrap_or_default());
    let delivery = &service.config.delivery;
    service.room.take(&service.store, &client, delivery).await?;
    let call = Arc::new(call);
    let accepted = match store(service, &call).await {
        // It may be there. To store it again waits for what is being written, and finds it.
        Err(store::Error::Unconfirmed(_)) => store(service, &call).await.map_err(|error| match &call.key {
            Some(_) => Error::Store(error),
            None => Error::MayBeQueued { id, error },
        }),
        accepted => accepted.map_err(Error::Store),
    };
    let is_new = match &accepted {
        Ok(Accepted::New(_)) => true,
        Ok(Accepted::Open { id: known, .. }) => *known == id,
        _ => false,
    };
    if !is_new {
        service.room.give_back(&client);
    }
    match accepted? {
        Accepted::New(_) => Ok(Ended::Queued { id, state: State::Queued, is_repeat: false, is_preferred }),
        Accepted::Open { state, .. } if is_new => Ok(Ended::Queued { id, state, is_repeat: false, is_preferred }),
        Accepted::Reused { id } if is_delivery => Err(replayed(id, State::Done)),
        Accepted::Open { id, state } | Accepted::Closed { id, state, .. } if is_delivery => Err(replayed(id, state)),
        Accepted::Reused { id } => Err(Error::KeyReused { of: id }),
        Accepted::Closed { id, outcome, .. } => claim::known(id, &outcome),
        Accepted::Open { id, state } => Ok(Ended::Queued { id, state, is_repeat: true, is_preferred }),
        // It was not to be taken over.
        Accepted::TakenOver { .. } => Err(Error::Internal),
    }
}

/// Stores a call, within the time that a call has for that.
async fn store(service: &Service, call: &Arc<NewCall>) -> Result<Accepted, store::Error> {
    let accepted = time::timeout(claim::PATIENCE, service.store.accept(call.clone(), false)).await;
    accepted.unwrap_or_else(|_| Err(store::Error::Unconfirmed("it gave no answer in time".to_owned())))
}

impl Fallback {
    pub(super) fn new(client: &Client, asked: Asked<'_>, scope: &Scope, key: Option<&Key>) -> Self {
        let lane = lane::of(client, asked);
        Self {
            call: claim::new_call(asked, scope, key, Place::Lane(lane)),
            is_delivery: key.is_some_and(|key| key.is_delivery),
        }
    }

    /// Puts the call into the queue, since Odoo is away. Its key must be free.
    ///
    /// # Errors
    /// As those of [`accept`].
    pub(super) async fn put(self, service: &Service, entry: &mut Entry) -> Result<Ended, Error> {
        put(service, entry, self.call, self.is_delivery, false).await
    }
}

/// Whether Odoo turned out to be away, and nothing was written.
pub(super) fn is_away(error: &Error) -> bool {
    use crate::{errors::Retry, odoo::Error as OdooError};
    let is_away = |error: &OdooError| {
        matches!(
            error,
            OdooError::Unreachable { .. }
                | OdooError::Down { .. }
                | OdooError::NoAnswer { .. }
                | OdooError::Overloaded { .. }
        )
    };
    error.retry() == Retry::Safe && error.odoo().is_some_and(is_away)
}

/// Whether a repeated call may be answered that it is in the queue.
pub(super) fn may_be_queued(wish: Wish, incoming: &Incoming) -> bool {
    wish != Wish::Never && matches!(incoming.by, By::Caller)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_preference_is_found_among_others() {
        for (values, expected) in [
            (&["respond-async"][..], true),
            (&["return=minimal, Respond-Async; foo=bar , wait=10"], true),
            (&["wait=10", "respond-async"], true),
            (&["respond-async-not"], false),
            (&["wait=\"respond-async\""], false),
            (&[], false),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(PREFER, HeaderValue::from_static(value));
            }
            assert_eq!(prefers_async(&headers), expected, "{values:?}");
        }
    }
}
