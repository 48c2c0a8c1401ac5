//! The first stage: who calls, and whether that caller is served at all, before anything of the call reaches Odoo.
//!
//! A client first proves who it is, by a key or a signature; only then is it told what is wrong with it. Whether Odoo accepts a
//! credential of its own, Odoo says later ([`Authenticated::identify`]).

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use tokio::time;

use super::{
    Error, Service,
    auth::{self, Delivery, Shown, clients::Client, clients::is_within, is_json},
    claim::{replayed, too_slow},
    docket::{Docket, Stopped},
    idempotency::Scope,
    incoming::{Incoming, Presented},
    message::{Envelope, weigh},
};
use crate::{
    hook::RequestLine,
    limits::{LoginAttempt, Share, network},
    log::Who,
    memory::Weight,
    odoo::{self, Credential, Error as OdooError, Flow, Origin, Trace},
    policy::{Policy, Touch},
    route::Route,
};

/// A caller that is served.
pub(super) struct Authenticated<'s> {
    pub(super) service: &'s Service,
    pub(super) incoming: &'s Incoming,
    pub(super) docket: Docket,
    pub(super) body: &'s Bytes,
    /// What the body takes once it is parsed; nothing where it is that of a hook.
    pub(super) weight: Weight,
    /// The signed delivery that the call is.
    pub(super) delivery: Option<Delivery>,
    credential: Credential,
    policy: Arc<Policy>,
    /// The flow of the fair queue that it belongs to.
    flow: Flow,
    /// Odoo has yet to say whether it knows the credential.
    attempt: Option<LoginAttempt>,
    /// Counts the call against the caller's limits for as long as it goes on.
    _share: Option<Share>,
}

/// What a caller enters with.
struct Admitted {
    credential: Credential,
    policy: Arc<Policy>,
    flow: Flow,
    delivery: Option<Delivery>,
    attempt: Option<LoginAttempt>,
    share: Option<Share>,
}

impl<'s> Authenticated<'s> {
    /// Authenticates the caller, and takes the call's share of its limits.
    ///
    /// # Errors
    /// The body did not come or cannot be parsed within the limits; the caller proves nothing, may not call now, from there or
    /// this route; or its delivery was taken before.
    pub(super) async fn of(service: &'s Service, incoming: &'s Incoming) -> Result<Self, Stopped> {
        let shown = prove(service, incoming);
        let client = shown.as_ref().ok().and_then(Shown::client).as_deref().map(str::to_owned);
        let docket = Docket { who: Who { client, caller: None }, ..Docket::default() };
        let body = match &incoming.body {
            Ok(body) => body,
            Err(error) => return Err(docket.stop(error.clone())),
        };
        // The body of a hook may be of any form, and is read within bounds of its own (`hook/body`).
        let weight = match incoming.hook {
            Some(_) => Ok(Weight::default()),
            None => weigh(body, &service.config.limits),
        };
        let weight = match weight {
            Ok(weight) => weight,
            Err(error) => return Err(docket.stop(error)),
        };
        let admitted = async { admit(service, shown?, incoming).await };
        let Admitted { credential, policy, flow, delivery, attempt, share } = match admitted.await {
            Ok(admitted) => admitted,
            Err(error) => return Err(stop_stranger(docket, incoming, error)),
        };
        Ok(Self { service, incoming, docket, body, weight, delivery, credential, policy, flow, attempt, _share: share })
    }

    /// Whether who calls is known without Odoo: a client with its key or signature, the operator, or a credential that Odoo has
    /// accepted lately. Such a call is recorded before Odoo is asked anything, so that it can be replayed where Odoo is away.
    pub(super) fn is_proven(&self) -> bool {
        self.attempt.is_none()
    }

    /// The user of Odoo behind the caller. RPCs are noted in `trace` from here on.
    ///
    /// # Errors
    /// Odoo does not accept the credential, or does not answer.
    pub(super) async fn identify(&mut self, trace: &Arc<Trace>) -> Result<odoo::Caller, Error> {
        let (service, incoming) = (self.service, self.incoming);
        let patience = service.config.limits.call_timeout;
        let origin = Origin { address: Some(incoming.address), traceparent: incoming.traceparent, flow: self.flow };
        let (credential, policy) = (self.credential.clone(), self.policy.clone());
        let (trace, rotated) = (trace.clone(), incoming.rotated.clone());
        let until = incoming.began + (patience - patience / 10);
        let caller = odoo::Caller::identify(&service.odoo, credential, policy, trace, rotated, origin, until).await;
        if let Some(attempt) = self.attempt.take()
            && caller.as_ref().is_err_and(OdooError::is_wrong_credential)
        {
            attempt.was_wrong();
        }
        Ok(caller?)
    }

    /// Whether the caller may call another route than the one that it came by.
    ///
    /// # Errors
    /// Its policy denies it.
    pub(super) fn may_call(&self, route: Route) -> Result<(), Error> {
        Ok(self.policy.decide(Touch::Route(route))?)
    }

    /// Ends the call of a stranger: of its body, nothing but the id is looked at.
    pub(super) fn stop_stranger(self, error: Error) -> Stopped {
        stop_stranger(self.docket, self.incoming, error)
    }
}

fn stop_stranger(mut docket: Docket, incoming: &Incoming, error: Error) -> Stopped {
    let (None, Ok(body)) = (&incoming.hook, &incoming.body) else { return docket.stop(error) };
    match Envelope::id_of(body) {
        Ok(id) => docket.envelope_id = id,
        Err(error) => return docket.stop(error),
    }
    docket.stop(error)
}

/// What of a request may prove who sends it.
#[derive(Clone, Copy)]
struct Came<'r> {
    line: &'r RequestLine,
    headers: &'r HeaderMap,
}

impl Service {
    /// Whether what is presented proves who has sent a request.
    pub fn is_proven(&self, incoming: &Incoming) -> bool {
        prove(self, incoming).is_ok()
    }
}

/// Who it is, as far as what is presented tells.
pub(super) fn prove<'s>(service: &'s Service, incoming: &Incoming) -> Result<Shown<'s>, Error> {
    let clients = &service.clients;
    let client = |name: &str| clients.by_name(name).ok_or(auth::Error::UnknownClient);
    let (came, named) = match &incoming.presented {
        Presented::Client(name) => return Ok(Shown::Trusted(client(name)?)),
        Presented::Headers { line, headers, client } => (Came { line, headers }, client),
    };
    let signed = |client: &'s Client| -> Result<Shown<'s>, Error> {
        let verifier = client.verifier.as_ref().ok_or(auth::Error::UnknownClient)?;
        let body = incoming.body.as_ref().map_err(|error| Error::Body(error.clone()))?;
        Ok(Shown::Signed(client, verifier.verify(came.line, came.headers, body)?))
    };
    match (&incoming.hook, named) {
        (Some(to), _) => {
            let client = client(&to.hook.entry.client)?;
            if client.verifier.is_some() {
                return signed(client);
            }
            match auth::shown(came.headers, clients)? {
                Shown::Client(shown) if shown.name == client.name => Ok(Shown::Client(shown)),
                _ => Err(auth::Error::UnknownClient.into()),
            }
        }
        (None, Some(name)) => signed(client(name)?),
        (None, None) => Ok(auth::shown(came.headers, clients)?),
    }
}

/// Whether the caller is served, now and at this route.
async fn admit(service: &Service, shown: Shown<'_>, incoming: &Incoming) -> Result<Admitted, Error> {
    let address = incoming.address;
    let (client, delivery, share) = match shown {
        Shown::Own(credential) => return admit_own(service, credential, incoming).await,
        Shown::Trusted(client) => {
            if incoming.by.is_queued() {
                client.check_term()?;
            }
            client.check_ready()?;
            (client, None, None)
        }
        Shown::Client(client) => (client, None, Some(client.admit(address)?)),
        Shown::Signed(client, delivery) => (client, delivery, Some(client.admit(address)?)),
    };
    client.policy.decide(Touch::Route(incoming.route))?;
    // What identifies a delivery to a hook may stand in its body, which is read later.
    if let (Some(delivery), None) = (&delivery, &incoming.hook) {
        Box::pin(refuse_known(service, &client.name, &delivery.key())).await?;
    }
    let (credential, policy) = (client.credential()?.clone(), client.policy.clone());
    let flow = match incoming.by.is_queued() {
        true => Flow::queue(&client.name),
        false => Flow::client(&client.name),
    };
    Ok(Admitted { credential, policy, flow, delivery, attempt: None, share })
}

/// Refuses a delivery that the store knows already. Anyone who has seen a delivery can send it again.
pub(super) async fn refuse_known(service: &Service, client: &str, key: &str) -> Result<(), Error> {
    let scope = Scope::Client(client.to_owned()).to_string();
    let patience = service.config.limits.call_timeout;
    let known = time::timeout(patience, service.store.find_key(&scope, key)).await;
    match known.map_err(|_| too_slow())?? {
        Some(known) if !known.may_be_taken_over => Err(replayed(known.id, known.state)),
        _ => Ok(()),
    }
}

/// The same of a caller with a credential of Odoo's.
async fn admit_own(service: &Service, credential: Credential, incoming: &Incoming) -> Result<Admitted, Error> {
    let address = incoming.address;
    let policy = service.policy.clone();
    policy.decide(Touch::Route(incoming.route))?;
    let network = network(address);
    let flow = service.odoo.flow(Some(&credential), network).await;
    // The operator has calls made again from this machine, with whatever credential there is.
    if incoming.by.is_operator() {
        return Ok(Admitted { credential, policy, flow, delivery: None, attempt: None, share: None });
    }
    let rules = &service.config.policy;
    if !rules.are_taken {
        return Err(auth::Error::OwnCredentials.into());
    }
    // A browser sends a cookie with every request, also with one that a foreign page makes; such a page cannot send JSON
    // as JSON.
    let sends_json = match &incoming.presented {
        Presented::Headers { headers, .. } => is_json(headers),
        Presented::Client(_) => true,
    };
    if matches!(credential, Credential::Session(_)) && !sends_json {
        return Err(auth::Error::ContentType.into());
    }
    is_within(address, &rules.rules.addresses)?;
    let fingerprint = credential.fingerprint();
    let share = service.rate_limits.admit(fingerprint).await?;
    let attempt = match service.odoo.knows(&fingerprint) {
        true => None,
        false => Some(service.login_throttle.begin(network, fingerprint).await?),
    };
    Ok(Admitted { credential, policy, flow, delivery: None, attempt, share })
}
