//! The second stage: what is asked. Of a hook, its template makes the calls of what its sender sent.

use serde_json::{Map, Value};

use super::{
    Error,
    authenticated::{Authenticated, refuse_known},
    delivery::{Delivery, FirstCall, Read},
    docket::Stopped,
    incoming::{By, ToHook},
    message::{Call, Envelope},
};
use crate::{memory, route::Route, wire::BodyError};

/// A call, by a caller that is served.
pub(super) struct Parsed<'s> {
    pub(super) authenticated: Authenticated<'s>,
    pub(super) asked: Asked,
}

/// What is asked.
pub(super) struct Asked {
    pub(super) route: Route,
    pub(super) model: String,
    pub(super) vals: Map<String, Value>,
    /// The delivery that it is made of. Without a call of its own, model and values are those of none.
    pub(super) delivery: Option<Delivery>,
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
    let Authenticated { incoming, body, weight, docket, .. } = authenticated;
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
            Ok(Asked { route: incoming.route, model, vals, delivery: None })
        }
        Some(to) => Box::pin(delivered(authenticated, to)).await,
    }
}

async fn delivered(authenticated: &Authenticated<'_>, to: &ToHook) -> Result<Asked, Error> {
    let Authenticated { service, incoming, body, delivery: signed, .. } = authenticated;
    let read = Read::of(service, to, incoming, body, signed.as_ref()).await?;
    if let (By::Caller, Some(identity)) = (&incoming.by, read.identity()) {
        refuse_known(service, &to.hook.entry.client, &identity.key).await?;
    }
    let until = incoming.began + service.config.limits.call_timeout;
    let (delivery, FirstCall { route, model, vals }) = read.run(incoming, until).await?;
    if route != incoming.route {
        authenticated.may_call(route)?;
    }
    Ok(Asked { route, model, vals, delivery: Some(delivery) })
}
