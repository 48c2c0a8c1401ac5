//! The second stage: what is asked. Of a hook, its template makes the call of what its sender sent.

use http::HeaderMap;
use serde_json::{Map, Value};

use super::{
    Error, Service,
    auth::clients::Client,
    authenticated::Authenticated,
    docket::Stopped,
    incoming::Presented,
    message::{Call, Envelope},
};
use crate::{
    hook::{self, Hook, Sent},
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
        Some(hook) => by_template(service, hook, body, &incoming.presented).await,
    }
}

async fn by_template(
    service: &Service,
    hook: &std::sync::Arc<Hook>,
    body: &bytes::Bytes,
    presented: &Presented,
) -> Result<Asked, Error> {
    let signed = service.clients.by_name(&hook.client).and_then(Client::signature_header);
    let none = HeaderMap::new();
    let headers = match presented {
        Presented::Headers { headers, .. } => headers,
        Presented::Client(_) => &none,
    };
    let sent = Sent::new(body.clone(), headers, signed);
    let shown = sent.to_json(Envelope::foreign(body)?);
    Ok(Asked { model: hook.model.clone(), vals: hook.vals(sent).await, sent: Some(shown) })
}
