//! A call as the store keeps it, for as long as it is open: all that is needed to make it without its caller.
//!
//! It has no credential: it is made with the Odoo account that the configuration gives to its `[[client]]`. Of a hook, it has what
//! came: a template that was mended makes of it what it should have made.

use std::{fmt, net::IpAddr, sync::Arc};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    Error,
    idempotency::Asked,
    incoming::{Attempt, By, Incoming, Presented, ToHook},
    lease::Lease,
};
use crate::{
    hook::{Hooks, Sent},
    odoo::RotatedCookie,
    route::Route,
    store::{Claimed, Earlier},
};

/// The form of what is stored. A gateway reads the forms of earlier versions.
const VERSION: u32 = 2;

/// A call that is made by and by, or again, without its caller. It holds values that the log hides, so it has no `Debug` of them.
#[derive(Clone, PartialEq, Deserialize)]
pub struct StoredRequest {
    version: u32,
    pub route: Route,
    /// The `[[client]]` that it is made for.
    pub client: String,
    pub model: String,
    #[serde(default)]
    pub vals: Map<String, Value>,
    /// The hook that it came by.
    #[serde(default)]
    pub hook: Option<String>,
    /// What came to the hook, in the place of `vals`.
    #[serde(default)]
    pub sent: Option<Value>,
    /// The address that it came from.
    pub address: IpAddr,
    /// The size of the body that came, in bytes.
    pub size: usize,
}

/// The same, written from where it stands: a payload may be large.
#[derive(Serialize)]
struct Written<'c> {
    version: u32,
    route: Route,
    client: &'c str,
    model: &'c str,
    #[serde(skip_serializing_if = "Option::is_none")]
    vals: Option<&'c Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hook: Option<&'c str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sent: Option<&'c Value>,
    address: IpAddr,
    size: usize,
}

/// A call as it stands in the store.
pub(super) fn stored(asked: Asked<'_>, client: &str) -> Vec<u8> {
    let Asked { incoming, route, model, vals, delivery } = asked;
    let written = Written {
        version: VERSION,
        route,
        client,
        model,
        vals: delivery.is_none().then_some(vals),
        hook: delivery.map(|delivery| delivery.hook.name()),
        sent: delivery.map(|delivery| &delivery.shown),
        address: incoming.address,
        size: incoming.body.as_ref().map_or(0, Bytes::len),
    };
    // JSON can be written of whatever was JSON.
    serde_json::to_vec(&written).unwrap_or_default()
}

/// Why a stored call cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    #[error("a newer version of the gateway has stored the call (form {0})")]
    Newer(u32),
    #[error("what is stored of the call cannot be read: {0}")]
    Broken(#[from] serde_json::Error),
}

/// What is read of a stored call before its form is known.
#[derive(Deserialize)]
struct Form {
    version: u32,
}

impl StoredRequest {
    /// # Errors
    /// It is of a newer version, or broken.
    pub fn of_bytes(stored: &[u8]) -> Result<Self, Unreadable> {
        match serde_json::from_slice::<Form>(stored)?.version {
            ..=VERSION => Ok(serde_json::from_slice(stored)?),
            newer => Err(Unreadable::Newer(newer)),
        }
    }

    /// An attempt to make it: a call of its own in the log.
    ///
    /// # Errors
    /// The configuration has its hook no more.
    pub fn into_incoming(self, attempt: Attempt, hooks: &Hooks) -> Result<Incoming, Error> {
        let Self { route, client, model, vals, hook, sent, address, .. } = self;
        let (hook, body) = match (hook, sent) {
            (Some(name), Some(sent)) => {
                let hook = hooks.named(&name).ok_or(Error::UnknownHook(name))?.clone();
                (Some(ToHook { hook, kept: Some(Sent::of_json(&sent)) }), Vec::new())
            }
            _ => (None, serde_json::to_vec(&serde_json::json!({"model": model, "vals": vals})).unwrap_or_default()),
        };
        Ok(Incoming {
            id: Uuid::now_v7(),
            route,
            hook,
            presented: Presented::Client(client),
            by: By::Queue(attempt),
            address,
            traceparent: None,
            body: Ok(Bytes::from(body)),
            began: Instant::now(),
            rotated: RotatedCookie::default(),
        })
    }
}

impl fmt::Debug for StoredRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { route, client, model, .. } = self;
        f.debug_struct("StoredRequest")
            .field("route", route)
            .field("client", client)
            .field("model", model)
            .finish_non_exhaustive()
    }
}

impl Attempt {
    /// The attempt of a worker that has claimed a call.
    pub fn of(claimed: &Claimed, request: &StoredRequest, lease: Arc<Lease>) -> Self {
        let before = claimed.earlier.map_or(0, |Earlier { attempts, .. }| attempts);
        Self {
            of: claimed.ticket.id,
            number: before.saturating_add(1),
            hook: request.hook.clone(),
            earlier: claimed.earlier,
            lease,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn incoming() -> Incoming {
        Incoming {
            id: Uuid::now_v7(),
            route: Route::CreateData,
            hook: None,
            presented: Presented::Client("shop".to_owned()),
            by: By::Caller,
            address: IpAddr::from([127, 0, 0, 1]),
            traceparent: None,
            body: Ok(Bytes::from_static(b"{}")),
            began: Instant::now(),
            rotated: RotatedCookie::default(),
        }
    }

    #[test]
    fn a_call_is_read_back_from_the_store_as_it_was_accepted() {
        let vals = json!({"payload": {"b": 0.1, "a": [9_007_199_254_740_993_i64, null, "\u{0}é"]}});
        let incoming = incoming();
        let vals = vals.as_object().unwrap();
        let asked = Asked { incoming: &incoming, route: incoming.route, model: "res.partner", vals, delivery: None };
        let bytes = stored(asked, "shop");
        let again = StoredRequest::of_bytes(&bytes).unwrap();
        assert_eq!(
            serde_json::to_string(&again.vals).unwrap(),
            serde_json::to_string(vals).unwrap(),
            "in the same order"
        );
        let StoredRequest { route, client, model, hook, address, size, .. } = &again;
        assert_eq!((*route, &**client, &**model), (Route::CreateData, "shop", "res.partner"));
        assert_eq!((hook, *address, *size), (&None, IpAddr::from([127, 0, 0, 1]), 2));
        assert!(!format!("{again:?}").contains("payload"));
    }

    #[test]
    fn a_call_of_a_newer_version_is_not_guessed_at() {
        let newer = format!("{{\"version\": {}}}", VERSION + 1);
        assert!(matches!(StoredRequest::of_bytes(newer.as_bytes()), Err(Unreadable::Newer(3))));
        assert!(matches!(StoredRequest::of_bytes(b"{}"), Err(Unreadable::Broken(_))));
    }
}
