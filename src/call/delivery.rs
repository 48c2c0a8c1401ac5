//! A delivery to a hook: what came, what identifies and orders it, and what its template made of it.
//!
//! Nothing here asks Odoo. What is fetched, and the template, come last, so that a delivery that is known, or that is stored before it
//! is done, costs no more than its expressions.
//!
//! What must stay true:
//! - A body or a template that is wrong does not lose the delivery: that is what its calls come to, when they are to be made.
//! - What identifies a delivery is what its sender calls it (`delivery_id`), else the content that was signed.
//!
//! `identity` is what it is known by, `newer` the order of events, `several` makes the calls of a list.

pub(super) mod identity;
pub(super) mod newer;
pub(super) mod several;

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use self::identity::Identity;
use super::{
    Error, Service, auth,
    auth::clients::Client,
    incoming::{By, Incoming, Presented, ToHook},
    message::Envelope,
};
use crate::{
    config::Accept,
    hook::{self, Hook, Input, Made, MadeCall, Sent, SentBody},
    memory,
    route::Route,
    wire::BodyError,
};

/// A delivery that was read.
pub(super) struct Delivery {
    pub(super) hook: Arc<Hook>,
    /// What came, as log and store have it.
    pub(super) shown: Value,
    pub(super) identity: Option<Identity>,
    /// What orders it: none where its hook does not say, null where nothing orders it.
    pub(super) key: Option<Value>,
    /// The version of the event, where an older one is to be ignored.
    pub(super) version: Option<f64>,
    pub(super) todo: Todo,
    /// What was fetched for it.
    pub(super) fetched: Option<Value>,
    pub(super) input: Input,
}

/// What is to be done for a delivery.
pub(super) enum Todo {
    /// The call that its template made.
    Call,
    /// Calls that its template made, one after another.
    Several(Vec<MadeCall>),
    /// Nothing, for this reason.
    Nothing(String),
    /// Its template, an expression or its body is wrong.
    Failed(hook::Error),
    /// Its template is run when its calls are made.
    Later,
}

/// A call that was made of a delivery; empty where none was.
pub(super) struct FirstCall {
    pub(super) route: Route,
    pub(super) model: String,
    pub(super) vals: Map<String, Value>,
}

/// A delivery whose template was not run yet.
pub(super) struct Read {
    hook: Arc<Hook>,
    sent: Sent,
    shown: Value,
    input: Input,
    identity: Result<Option<Identity>, hook::Error>,
}

impl Delivery {
    /// What its sender calls it.
    pub(super) fn id(&self) -> Option<&str> {
        self.identity.as_ref().and_then(|identity| identity.id.as_deref())
    }

    /// What the log keeps of it with a call: of an attempt, what was fetched for it alone, since the rest is with the delivery.
    pub(super) fn logged(&self, incoming: &Incoming) -> Option<Value> {
        let mut shown = match incoming.by {
            By::Caller | By::Operator { .. } => self.shown.clone(),
            By::Queue(_) | By::Step(_) if self.fetched.is_none() => return None,
            By::Queue(_) | By::Step(_) => json!({}),
        };
        if let Some(fetched) = &self.fetched {
            shown["fetched"] = fetched.clone();
        }
        Some(shown)
    }
}

impl Read {
    /// Reads what came, and what identifies it. `signed` is what its signature says of it.
    ///
    /// # Errors
    /// The templates are busy, or there is no room for what the body is parsed into: nothing is known of it yet.
    pub(super) async fn of(
        service: &Service,
        to: &ToHook,
        incoming: &Incoming,
        body: &Bytes,
        signed: Option<&auth::Delivery>,
    ) -> Result<Self, Error> {
        let hook = to.hook.clone();
        let mut sent = sent(service, to, incoming, body)?;
        if let SentBody::Json(json) = &sent.body {
            memory::take(memory::weigh(json).in_call(0)).map_err(BodyError::from)?;
        }
        let parsed = match &sent.body {
            SentBody::Json(json) => Envelope::foreign(json).map_err(|error| error.to_string()),
            SentBody::Unreadable { .. } => Ok(Value::Null),
        };
        let parsed = parsed.unwrap_or_else(|why| {
            if let SentBody::Json(json) = &sent.body {
                sent.body = SentBody::Unreadable { text: String::from_utf8_lossy(json).into_owned(), why };
            }
            Value::Null
        });
        let (shown, input) = (sent.to_json(parsed), hook.input(&sent));
        let identity = identity::of(&hook, &input, &sent, signed).await;
        if let Err(hook::Error::Busy) = identity {
            return Err(hook::Error::Busy.into());
        }
        Ok(Self { hook, sent, shown, input, identity })
    }

    /// What identifies it, as far as that is known.
    pub(super) fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref().ok().and_then(Option::as_ref)
    }

    /// Fetches what the hook says and runs its template, unless that is to be done later. With the call that was made, where it was
    /// one.
    ///
    /// # Errors
    /// What may pass: the templates are busy, or what is to be fetched is not to be had now.
    pub(super) async fn run(self, incoming: &Incoming, until: Instant) -> Result<(Delivery, FirstCall), Error> {
        let Self { hook, sent, shown, mut input, identity } = self;
        let is_stored = matches!(incoming.by, By::Caller) && hook.entry.accept == Accept::Store;
        let key = hook.key(&input).await;
        if let Err(hook::Error::Busy) = key {
            // Without its key it would overtake others.
            return Err(hook::Error::Busy.into());
        }
        let version = newer::version(&hook, &input).await;
        let mut first = FirstCall { route: hook.entry.route, model: hook.entry.model.clone(), vals: Map::new() };
        let mut fetched = None;
        let checked = match (&sent.body, &identity, &key, &version) {
            (SentBody::Unreadable { why, .. }, ..) => Err(hook::Error::Unreadable(why.clone())),
            (_, Err(error), ..) | (.., Err(error), _) | (.., Err(error)) => Err(error.clone()),
            _ => Ok(()),
        };
        let todo = match checked {
            Err(error) => Todo::Failed(error),
            Ok(()) if is_stored && hook.entry.fetch.is_some() => Todo::Later,
            Ok(()) => {
                let made = async {
                    fetched = hook.fetched(&input, until).await?;
                    if let Some(fetched) = &fetched {
                        input = input.clone().with("fetched", fetched.clone());
                    }
                    input = input.clone().with("results", json!([]));
                    hook.calls(input.clone()).await
                };
                match made.await {
                    Ok(Made::Ignored(why)) => Todo::Nothing(why),
                    Ok(Made::One(MadeCall { route, model, vals })) => {
                        first = FirstCall { route, model, vals };
                        Todo::Call
                    }
                    Ok(Made::Several(calls)) => Todo::Several(calls),
                    // It is stored all the same, and tried again.
                    Err(error) if error.is_retryable() && is_stored => Todo::Later,
                    Err(error) if error.is_retryable() => return Err(error.into()),
                    Err(error) => Todo::Failed(error),
                }
            }
        };
        let (identity, key, version) = (identity.ok().flatten(), key.unwrap_or_default(), version.unwrap_or_default());
        Ok((Delivery { hook, shown, identity, key, version, todo, fetched, input }, first))
    }
}

/// What came to a hook.
///
/// # Errors
/// There is no room for what is made of the body.
fn sent(service: &Service, to: &ToHook, incoming: &Incoming, body: &Bytes) -> Result<Sent, hook::Error> {
    let (hook, none, limits) = (&to.hook, HeaderMap::new(), &service.config.limits);
    Ok(match (&to.kept, &incoming.presented) {
        (Some(kept), _) => {
            let mut kept = kept.clone();
            hook.read_again(&mut kept, limits)?;
            kept
        }
        (None, Presented::Headers { line, headers, .. }) => {
            let hidden = service.clients.by_name(&hook.entry.client).map(Client::hidden).unwrap_or_default();
            Sent::new(hook.entry.path.written(), line, headers, hidden, hook.read(headers, body, limits)?)
        }
        (None, Presented::Client(_)) => Sent { body: hook.read(&none, body, limits)?, ..Sent::of_json(&Value::Null) },
    })
}
