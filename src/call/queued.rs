//! Calls that are accepted into the queue, and made by a worker later.
//!
//! A call is accepted once its line is in the log and its row in the store, both on disk, and before Odoo is asked anything. Only
//! a `[[client]]` can have that: of other callers nobody but themselves has the credential. Searches and dry runs are answered at
//! once whatever is preferred, since there is nothing to deliver; RFC 7240, section 2, lets a preference be ignored.
//!
//! The calls of a lane are delivered one after another. By default a lane is a client, a model and a search key; a call without a
//! search key has a lane of its own, and so has every call with `ordering = "none"`. Lists that name their keys go one after
//! another for a whole model.

use std::sync::Arc;

use http::{HeaderMap, HeaderName};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use tokio::time;
use uuid::Uuid;

use super::{
    Error, Service,
    auth::clients::Client,
    claim::{self, replayed, too_slow},
    ended::Ended,
    idempotency::{Asked, Key, Scope},
    incoming::{By, Incoming, Presented},
    stored::StoredRequest,
};
use crate::{
    config::{Accept, Mode, Ordering, WhenDown},
    hook::Hook,
    log::Entry,
    store::{Accepted, NewCall, Place, State},
};

const PREFER: HeaderName = HeaderName::from_static("prefer");
/// A lane with a longer name is known by its hash.
const LONGEST: usize = 200;

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
    ordering: Ordering,
}

/// A call that is queued where Odoo turns out to be away.
#[derive(Debug)]
pub(super) struct Fallback {
    call: NewCall,
    hook: Option<Arc<Hook>>,
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
            ordering: client.ordering,
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
    let hook = asked.incoming.hook.as_ref().map(|to| &to.hook);
    let lane = lane(client, hook, asked.model, asked.vals, asked.incoming.id).await?;
    let call = claim::new_call(asked, scope, key, Place::Lane(lane));
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
    let accepted = time::timeout(claim::PATIENCE, service.store.accept(call, false)).await;
    let accepted = accepted.map_err(|_| too_slow()).and_then(|accepted| accepted);
    if !matches!(accepted, Ok(Accepted::New(_))) {
        service.room.give_back(&client);
    }
    match accepted? {
        Accepted::New(_) => Ok(Ended::Queued { id, state: State::Queued, is_repeat: false, is_preferred }),
        Accepted::Reused { id } if is_delivery => Err(replayed(id, State::Done)),
        Accepted::Open { id, state } | Accepted::Closed { id, state, .. } if is_delivery => Err(replayed(id, state)),
        Accepted::Reused { id } => Err(Error::KeyReused { of: id }),
        Accepted::Closed { id, outcome, .. } => claim::known(id, &outcome),
        Accepted::Open { id, state } => Ok(Ended::Queued { id, state, is_repeat: true, is_preferred }),
        // It was not to be taken over.
        Accepted::TakenOver { .. } => Err(Error::Internal),
    }
}

impl Fallback {
    pub(super) fn new(asked: Asked<'_>, scope: &Scope, key: Option<&Key>) -> Self {
        Self {
            call: claim::new_call(asked, scope, key, Place::AtOnce),
            hook: asked.incoming.hook.as_ref().map(|to| to.hook.clone()),
            is_delivery: key.is_some_and(|key| key.is_delivery),
        }
    }

    /// Puts the call into the queue, since Odoo is away. Its key must be free.
    ///
    /// # Errors
    /// As those of [`accept`].
    pub(super) async fn put(self, service: &Service, entry: &mut Entry) -> Result<Ended, Error> {
        let Self { mut call, hook, is_delivery } = self;
        let request = StoredRequest::of_bytes(&call.request).map_err(|_| Error::Internal)?;
        let client = service.clients.by_name(&request.client).ok_or(Error::AsyncNeedsClient)?;
        let lane = lane(client, hook.as_ref(), &request.model, &request.vals, call.id).await?;
        call.place = Place::Lane(lane);
        put(service, entry, call, is_delivery, false).await
    }
}

/// The lane of a call: calls of the same lane are made one after another.
async fn lane(
    client: &Client,
    hook: Option<&Arc<Hook>>,
    model: &str,
    vals: &Map<String, Value>,
    id: Uuid,
) -> Result<String, Error> {
    let own = || format!("call {id}");
    if Rules::of(client, hook.map(|hook| &**hook)).ordering == Ordering::None {
        return Ok(own());
    }
    let (of, key) = (model.to_owned(), by_search_key(vals));
    Ok(match key {
        Value::Null => own(),
        key => named(&client.name, &of, &key),
    })
}

/// What orders a call where nothing else is said; null where nothing does.
fn by_search_key(vals: &Map<String, Value>) -> Value {
    match vals.get("search_key") {
        Some(Value::Object(key)) if !key.is_empty() => sorted(&Value::Object(key.clone())),
        // A list of records, each with its own values.
        Some(Value::Array(names)) if !names.is_empty() => json!("*"),
        _ => Value::Null,
    }
}

fn named(client: &str, of: &str, key: &Value) -> String {
    let name = format!("{client}/{of}/{}", sorted(key));
    if name.len() <= LONGEST {
        return name;
    }
    let start: String = name.chars().take(LONGEST / 4).collect();
    format!("{start}… {}", const_hex::encode(Sha256::digest(name)))
}

/// The same value, with the keys of its objects in order.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(sorted).collect(),
        Value::Object(members) => {
            let mut members: Vec<(&String, Value)> = members.iter().map(|(key, value)| (key, sorted(value))).collect();
            members.sort_unstable_by_key(|(key, _)| *key);
            members.into_iter().map(|(key, value)| (key.clone(), value)).collect()
        }
        value => value.clone(),
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

    #[test]
    fn calls_with_the_same_search_key_have_the_same_lane_in_whatever_order_its_keys_stand() {
        let lane = |vals: Value| {
            let key = by_search_key(vals.as_object().unwrap());
            (key != Value::Null).then(|| named("shop", "res.partner", &key))
        };
        let one = lane(json!({"search_key": {"ref": "A", "company_id": {"name": "B", "id": 1}}}));
        assert_eq!(one.as_deref(), Some(r#"shop/res.partner/{"company_id":{"id":1,"name":"B"},"ref":"A"}"#));
        assert_eq!(one, lane(json!({"search_key": {"company_id": {"id": 1, "name": "B"}, "ref": "A"}, "payload": {}})));
        assert_ne!(one, lane(json!({"search_key": {"ref": "B"}})));
        for without in [json!({"payload": {}}), json!({"search_key": {}}), json!({"search_key": []})] {
            assert_eq!(lane(without.clone()), None, "{without}");
        }
        let (long, other) = ("x".repeat(300), "x".repeat(301));
        let long = lane(json!({"search_key": {"ref": long}})).unwrap();
        assert!(long.len() < 130 && Some(long) != lane(json!({"search_key": {"ref": other}})));
    }
}
