//! Idempotency keys: which key a call has, whose it is, and what it stands for.
//!
//! A key is the header `Idempotency-Key`; else `webhook-id`, as Standard Webhooks has it; else the header or the value of the body
//! that the `[[client]]` names; else, where the client says so, a hash of what is asked. A signed delivery has its own identity as
//! its key, and no other: its headers are not signed. Keys of different callers are apart.
//!
//! Searches and dry runs write nothing and have no key, unless they are signed: what stands in their headers is not looked at. What the operator has made
//! again has no key either, so that no replay is swallowed by the key of what it repeats.
//!
//! `place` reads keys, `digest` hashes what is asked.

mod digest;
mod place;

use std::{fmt, time::Duration};

pub use self::place::{IDEMPOTENCY_KEY, LONGEST, WEBHOOK_ID};
use http::HeaderMap;
use serde_json::{Map, Value};

use super::{
    Error,
    delivery::{Delivery, identity::Identity},
    incoming::{By, Incoming, Presented},
};
use crate::{config, odoo, route::Route};

/// Whose key it is. Keys with the same text are apart where this differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// A `[[client]]`, by its name.
    Client(String),
    /// A user of Odoo with a credential of its own.
    User { database: String, uid: i64 },
}

impl Scope {
    pub(super) fn of_user(caller: &odoo::Caller, database: &str) -> Self {
        Self::User { database: database.to_owned(), uid: caller.identity().uid }
    }
}

/// As it stands in the store.
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(name) => write!(f, "client {name}"),
            Self::User { database, uid } => write!(f, "user {uid} of {database}"),
        }
    }
}

/// A key with what it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) text: String,
    /// The same key with another digest is refused.
    pub(super) digest: [u8; 32],
    /// It is the identity of a signed delivery: its sender knows nothing of keys.
    pub(super) is_delivery: bool,
    /// How long it is known, where that is not the time of all others.
    pub(super) known_for: Option<Duration>,
}

/// The call that a key is looked for in.
#[derive(Clone, Copy)]
pub(super) struct Asked<'c> {
    pub(super) incoming: &'c Incoming,
    pub(super) route: Route,
    pub(super) model: &'c str,
    pub(super) vals: &'c Map<String, Value>,
    /// The delivery that it is made of.
    pub(super) delivery: Option<&'c Delivery>,
}

impl Asked<'_> {
    /// What the sender of a hook sent.
    fn sent(&self) -> Option<&Value> {
        self.delivery.map(|delivery| &delivery.shown["body"])
    }

    /// Whether it may write, as far as what is asked tells.
    pub(super) fn may_write(&self) -> bool {
        let is_dry_run = !matches!(self.vals.get("dry_run"), None | Some(Value::Null | Value::Bool(false)));
        self.route != Route::SearchData && !is_dry_run
    }
}

/// The key of a call; none where it has none.
///
/// # Errors
/// What stands in the place of a key cannot be one, or the client must have one and has none.
pub(super) fn key(
    asked: Asked<'_>,
    identity: Option<&Identity>,
    rules: Option<&config::Idempotency>,
) -> Result<Option<Key>, Error> {
    let headers = match (&asked.incoming.by, &asked.incoming.presented) {
        (By::Caller, Presented::Headers { headers, .. }) => headers,
        _ => return Ok(None),
    };
    // One that was seen by others must not be answered to them either, so it is taken whatever it asks for.
    if let Some(Identity { key, digest, known_for, .. }) = identity {
        return Ok(Some(Key { text: key.clone(), digest: *digest, is_delivery: true, known_for: *known_for }));
    }
    if !asked.may_write() {
        return Ok(None);
    }
    let Some(text) = given(asked, headers, rules)? else {
        return match rules {
            Some(rules) if rules.derived => {
                let digest = digest::of(asked);
                // No key that is sent has a blank in it.
                Ok(Some(Key {
                    text: format!("derived {}", const_hex::encode(digest)),
                    digest,
                    is_delivery: false,
                    known_for: None,
                }))
            }
            Some(rules) if rules.required => Err(Error::KeyRequired),
            _ => Ok(None),
        };
    };
    Ok(Some(Key { text, digest: digest::of(asked), is_delivery: false, known_for: None }))
}

/// The key that the caller gives.
fn given(asked: Asked<'_>, headers: &HeaderMap, rules: Option<&config::Idempotency>) -> Result<Option<String>, Error> {
    let own = rules.and_then(|rules| rules.header.as_ref());
    for name in [&IDEMPOTENCY_KEY, &WEBHOOK_ID].into_iter().chain(own) {
        if let Some(key) = place::in_header(headers, name)? {
            return Ok(Some(key));
        }
    }
    match rules.and_then(|rules| rules.path.as_deref()) {
        Some(path) => place::in_body(asked, path),
        None => Ok(None),
    }
}
