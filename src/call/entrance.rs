//! Who calls, and whether that caller is let in at all: before anything of the call reaches Odoo.
//!
//! First a client proves who it is, by a key or a signature; only then is it told what is wrong with it. Whether Odoo accepts a
//! credential of its own, Odoo says later.

use std::sync::Arc;

use super::{
    Error, Request, auth,
    clients::{Client, is_within},
    signature::Delivery,
};
use crate::{
    app::App,
    limits::{LoginAttempt, Share},
    odoo::{Credential, Party},
    policy::{Policy, Touch},
};

/// Who calls, as far as the request alone tells.
#[derive(Debug)]
pub(super) enum Shown<'c> {
    /// A credential of Odoo's.
    Own(Credential),
    /// A key of the gateway's.
    Client(&'c Client),
    /// A signature of a client's.
    Signed(&'c Client, Delivery),
    /// The operator acts as a client.
    Operator(&'c Client),
}

/// A caller that is let in.
pub(super) struct Entered {
    pub(super) credential: Credential,
    pub(super) policy: Arc<Policy>,
    /// The delivery that the call is, where it is signed.
    pub(super) delivery: Option<Delivery>,
    /// Whose turn at Odoo it takes.
    pub(super) party: Party,
    /// Odoo has yet to say whether it knows the credential.
    pub(super) attempt: Option<LoginAttempt>,
    /// Counts the call for as long as it goes on.
    _share: Option<Share>,
}

impl Entered {
    /// Who calls is known without Odoo: a client with its key or signature, the operator, or a credential that Odoo has
    /// accepted lately.
    pub(super) fn is_proven(&self) -> bool {
        self.attempt.is_none()
    }
}

impl Shown<'_> {
    /// The client's name, where it is one.
    pub(super) fn client(&self) -> Option<Arc<str>> {
        match self {
            Self::Own(_) => None,
            Self::Client(client) | Self::Signed(client, _) | Self::Operator(client) => Some(client.name.clone()),
        }
    }
}

/// Who it is.
pub(super) fn prove<'a>(app: &'a App, request: &Request) -> Result<Shown<'a>, Error> {
    let (clients, headers) = (&app.clients, &request.headers);
    let signed = |client: &'a Client| {
        let verifier = client.verifier.as_ref().ok_or(Error::UnknownClient)?;
        let body = request.body.as_ref().map_err(|error| Error::Body(error.clone()))?;
        Ok(Shown::Signed(client, verifier.verify(headers, body)?))
    };
    if let Some(name) = request.replay.as_ref().and_then(|replay| replay.client.as_deref()) {
        return clients.by_name(name).map(Shown::Operator).ok_or(Error::UnknownClient);
    }
    match (&request.hook, &request.client) {
        (Some(hook), _) => {
            let client = clients.by_name(&hook.client).ok_or(Error::UnknownClient)?;
            if client.verifier.is_some() {
                return signed(client);
            }
            match auth::shown(headers, clients)? {
                Shown::Client(shown) if shown.name == client.name => Ok(Shown::Client(shown)),
                _ => Err(Error::UnknownClient),
            }
        }
        (None, Some(name)) => signed(clients.by_name(name).ok_or(Error::UnknownClient)?),
        (None, None) => auth::shown(headers, clients),
    }
}

/// Whether it may come in, now and to this route. What it takes of its share is given back with what this gives.
pub(super) async fn enter(app: &App, shown: Shown<'_>, request: &Request) -> Result<Entered, Error> {
    let address = request.address;
    let (client, delivery, share) = match shown {
        Shown::Own(credential) => return enter_with_own(app, credential, request).await,
        Shown::Operator(client) => (client, None, None),
        Shown::Client(client) => (client, None, Some(client.admit(address)?)),
        Shown::Signed(client, delivery) => (client, Some(delivery), Some(client.admit(address)?)),
    };
    client.policy.decide(Touch::Route(request.route))?;
    if let Some(delivery) = &delivery {
        delivery.take(request.id).await?;
    }
    let (credential, policy) = (client.credential.clone(), client.policy.clone());
    let party = Party::client(&client.name);
    Ok(Entered { credential, policy, delivery, party, attempt: None, _share: share })
}

async fn enter_with_own(app: &App, credential: Credential, request: &Request) -> Result<Entered, Error> {
    let address = request.address;
    let policy = app.policy.clone();
    policy.decide(Touch::Route(request.route))?;
    let network = crate::limits::network(address);
    let party = app.odoo.party(Some(&credential), network).await;
    // The operator has calls made again from this machine, with whatever credential there is.
    if request.replay.is_some() {
        return Ok(Entered { credential, policy, delivery: None, party, attempt: None, _share: None });
    }
    if !app.config.policy.are_taken {
        return Err(Error::OwnCredentials);
    }
    // A cookie comes by itself with every request of a browser, also with one that a foreign page makes; such a page cannot
    // send JSON as JSON.
    if matches!(credential, Credential::Session(_)) && !auth::is_json(&request.headers) {
        return Err(Error::ContentType);
    }
    is_within(address, &app.config.policy.rules.addresses)?;
    let fingerprint = credential.fingerprint();
    let share = app.paces.admit(fingerprint).await?;
    let attempt = match app.odoo.knows(&fingerprint) {
        true => None,
        false => Some(app.attempts.begin(network, fingerprint).await?),
    };
    Ok(Entered { credential, policy, delivery: None, party, attempt, _share: share })
}
