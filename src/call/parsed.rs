//! The second stage: what is asked. Of a hook, its template makes the call of what its sender sent.

use bytes::Bytes;
use http::HeaderMap;
use serde_json::{Map, Value};

use super::{
    Error, Service,
    auth::clients::Client,
    authenticated::Authenticated,
    docket::Stopped,
    incoming::{Incoming, Presented, ToHook},
    message::{Call, Envelope},
};
use crate::{
    hook::{self, Made, Sent, SentBody},
    memory,
    wire::BodyError,
};

/// A call, by a caller that is served.
pub(super) struct Parsed<'s> {
    pub(super) authenticated: Authenticated<'s>,
    pub(super) asked: Asked,
}

/// What is asked. A template that fails has taken the body all the same, so that the call can be run again when the template is
/// mended.
pub(super) struct Asked {
    pub(super) model: String,
    pub(super) vals: Result<Map<String, Value>, hook::Error>,
    /// What the sender of a hook sent.
    pub(super) sent: Option<Value>,
}

impl<'s> Parsed<'s> {
    /// Takes the body apart. The id of the envelope is kept even where the rest is of no use.
    ///
    /// # Errors
    /// There is no room for what the body is parsed into, or it has no call in it.
    pub(super) async fn of(mut authenticated: Authenticated<'s>) -> Result<Self, Stopped> {
        match take_apart(&mut authenticated).await {
            Ok(asked) => Ok(Self { authenticated, asked }),
            Err(error) => Err(authenticated.docket.stop(error)),
        }
    }
}

async fn take_apart(authenticated: &mut Authenticated<'_>) -> Result<Asked, Error> {
    let Authenticated { service, incoming, body, weight, docket, .. } = authenticated;
    if let Err(full) = memory::take(weight.in_call(body.len())) {
        if incoming.hook.is_none() {
            docket.envelope_id = Envelope::id_of(body)?;
        }
        return Err(BodyError::from(full).into());
    }
    match &incoming.hook {
        None => {
            let Envelope { id, call } = Envelope::read(body);
            docket.envelope_id = id;
            let Call { model, vals } = call?;
            Ok(Asked { model, vals: Ok(vals), sent: None })
        }
        Some(to) => {
            let sent = sent(service, to, incoming, body);
            let shown = sent.to_json(match &sent.body {
                SentBody::Json(json) => Envelope::foreign(json)?,
                SentBody::Unreadable { .. } => Value::Null,
            });
            let made = match &sent.body {
                SentBody::Json(_) => to.hook.calls(to.hook.input(&sent)).await,
                SentBody::Unreadable { why, .. } => Err(hook::Error::Unreadable(why.clone())),
            };
            let made = made.map(|made| match made {
                Made::One(call) => call.vals,
                Made::Ignored(_) | Made::Several(_) => Map::new(),
            });
            Ok(Asked { model: to.hook.entry.model.clone(), vals: made, sent: Some(shown) })
        }
    }
}

/// What came to a hook.
fn sent(service: &Service, to: &ToHook, incoming: &Incoming, body: &Bytes) -> Sent {
    let (hook, none) = (&to.hook, HeaderMap::new());
    match (&to.kept, &incoming.presented) {
        (Some(kept), _) => kept.clone(),
        (None, Presented::Headers { line, headers, .. }) => {
            let hidden = service.clients.by_name(&hook.entry.client).map(Client::hidden).unwrap_or_default();
            Sent::new(hook.entry.path.written(), line, headers, hidden, hook.read(headers, body))
        }
        (None, Presented::Client(_)) => Sent { body: hook.read(&none, body), ..Sent::of_json(&Value::Null) },
    }
}
