//! The third stage: the call is in the log, and the user of Odoo that it runs as is known.
//!
//! A caller that is proven without Odoo has its call recorded before Odoo is asked for the user behind it, so that the call can
//! be replayed where Odoo is away. The body of any other caller is not looked at before Odoo has accepted its credential.

use std::{sync::Arc, time::Instant};

use super::{
    Error,
    authenticated::Authenticated,
    claim::{self, Verdict},
    docket::{Docket, Stopped},
    ended::Ended,
    idempotency::{self, Asked, Scope},
    incoming::Incoming,
    lease::Lease,
    message::{Call, Envelope, take_domain},
    parsed::{self, Parsed},
    queued::{self, Fallback, Wish},
};
use crate::{
    config,
    fetch::CallFiles,
    key_texts::mask_keys,
    log::{self, Arrived, Entry, Received},
    memory,
    odoo::{self, Trace},
    plan::Noted,
    store::Earlier,
    wire::BodyError,
};

/// Above this size in memory, a body is parsed twice rather than copied for the log.
const READ_AGAIN: usize = 1 << 20;

/// A call that is in the log, with the user of Odoo that it runs as.
pub(super) struct Recorded<'s> {
    pub(super) authenticated: Authenticated<'s>,
    pub(super) call: Call,
    pub(super) entry: Entry,
    pub(super) caller: odoo::Caller,
    /// What the plan warned of.
    pub(super) noted: Noted,
    /// What is fetched for the call.
    pub(super) files: CallFiles,
    /// The right to make it, where it is in the store.
    pub(super) lease: Option<Arc<Lease>>,
    /// What earlier attempts to make it may have done.
    pub(super) earlier: Option<Earlier>,
}

/// What becomes of a call that is in the log.
pub(super) enum Step<'s> {
    Make(Box<Recorded<'s>>),
    Ended(Box<(Docket, Ended)>),
}

/// A call that is in the log.
struct Logged<'s> {
    authenticated: Authenticated<'s>,
    call: Call,
    entry: Entry,
}

impl<'s> Recorded<'s> {
    /// Parses the call, hands it to the log, and finds the user of Odoo behind its caller.
    ///
    /// # Errors
    /// There is no call in the body, the log cannot take it, or Odoo does not accept the credential or does not answer.
    pub(super) async fn of(
        mut authenticated: Authenticated<'s>,
        arrived: &Arrived,
        started: Instant,
        trace: &Arc<Trace>,
    ) -> Result<Step<'s>, Stopped> {
        if !authenticated.is_proven() {
            let caller = match authenticated.identify(trace).await {
                Ok(caller) => caller,
                Err(error) => return Err(authenticated.stop_stranger(error)),
            };
            authenticated.docket.who.caller = Some(shown(&caller));
            let logged = Logged::of(Parsed::of(authenticated).await?, arrived, started).await?;
            return logged.claimed_by_user(caller).await;
        }
        let mut logged = Logged::of(Parsed::of(authenticated).await?, arrived, started).await?;
        let client = logged.authenticated.docket.who.client.clone();
        // What a client has sent before is answered again without a word to Odoo.
        if let Some(client) = &client {
            match logged.claim(Scope::Client(client.clone())).await {
                Ok(None) => {}
                Ok(Some(ended)) => return Ok(logged.ended(ended)),
                Err(error) => return Err(close(logged.authenticated, logged.entry).stop(error)),
            }
        }
        let caller = match logged.authenticated.identify(trace).await {
            Ok(caller) => caller,
            Err(error) => return Err(close(logged.authenticated, logged.entry).stop(error)),
        };
        logged.entry.runs_as(shown(&caller));
        match client {
            Some(_) => Ok(Step::Make(Box::new(logged.runs_as(caller)))),
            None => logged.claimed_by_user(caller).await,
        }
    }

    /// What has to be closed at the end of the call.
    pub(super) fn close(self) -> Docket {
        Docket { warnings: self.noted.take(), ..close(self.authenticated, self.entry) }
    }
}

impl<'s> Logged<'s> {
    async fn of(parsed: Parsed<'s>, arrived: &Arrived, started: Instant) -> Result<Self, Stopped> {
        let Parsed { authenticated, asked: parsed::Asked { model, mut vals, sent } } = parsed;
        let Authenticated { service, incoming, weight, body, .. } = authenticated;
        let is_read_again = incoming.hook.is_none() && weight.parsed > READ_AGAIN;
        let logged = vals.as_mut().ok().map(|vals| if is_read_again { std::mem::take(vals) } else { vals.clone() });
        let who = authenticated.docket.who.clone();
        let received = Received { model: &model, vals: logged.unwrap_or_default(), sent, who };
        let entry = match service.log.receive(arrived.clone(), received, started).await {
            Ok(entry) => entry,
            Err(error) => return Err(authenticated.docket.stop(error)),
        };
        let call = match is_read_again {
            true => Envelope::read(body).call,
            false => vals.map(|vals| Call { model, vals }).map_err(Into::into),
        };
        let weighed = call.and_then(|call| take_domain(&call.vals, &service.config.limits).map(|()| call));
        match weighed {
            Ok(call) => Ok(Self { authenticated, call, entry }),
            Err(error) => Err(close(authenticated, entry).stop(error)),
        }
    }

    /// Claims the call in the store for a user with a credential of Odoo's, who is known only now.
    async fn claimed_by_user(mut self, caller: odoo::Caller) -> Result<Step<'s>, Stopped> {
        let scope = Scope::of_user(&caller, self.authenticated.service.odoo.database());
        match self.claim(scope).await {
            Ok(None) => Ok(Step::Make(Box::new(self.runs_as(caller)))),
            Ok(Some(ended)) => Ok(self.ended(ended)),
            Err(error) => Err(close(self.authenticated, self.entry).stop(error)),
        }
    }

    /// Claims the call in the store where it has a key. An end where it has been made before.
    async fn claim(&mut self, scope: Scope) -> Result<Option<Ended>, Error> {
        let Authenticated { service, incoming, body, delivery, docket, .. } = &mut self.authenticated;
        let rules = match &scope {
            Scope::Client(name) => service.clients.by_name(name).map(|client| &client.idempotency),
            Scope::User { .. } => None,
        };
        let sent = match &incoming.hook {
            Some(_) if delivery.is_none() && may_have_key(incoming, rules) => Some(Envelope::foreign(body)?),
            _ => None,
        };
        let asked = Asked { incoming, model: &self.call.model, vals: &self.call.vals, sent: sent.as_ref() };
        let key = idempotency::key(asked, delivery.as_ref(), rules)?;
        let wish = queued::wish(service, asked, &scope)?;
        if key.is_none() && wish == Wish::Never {
            return Ok(None);
        }
        // What the store is given, twice where it may be asked several times.
        memory::take(body.len().saturating_mul(2)).map_err(BodyError::from)?;
        match wish {
            Wish::Now { is_preferred } => {
                let accepted = queued::accept(service, &mut self.entry, asked, &scope, key.as_ref(), is_preferred);
                return accepted.await.map(Some);
            }
            Wish::IfAway => docket.fallback = Some(Box::new(Fallback::new(asked, &scope, key.as_ref()))),
            Wish::Never => {}
        }
        let Some(key) = key else { return Ok(None) };
        match claim::claim(service, asked, &scope, &key, queued::may_be_queued(wish, incoming)).await? {
            Verdict::Ended(ended) => Ok(Some(ended)),
            Verdict::Make(claim) => {
                docket.claim = Some(claim);
                Ok(None)
            }
        }
    }

    fn ended(self, ended: Ended) -> Step<'s> {
        Step::Ended(Box::new((close(self.authenticated, self.entry), ended)))
    }

    fn runs_as(self, caller: odoo::Caller) -> Recorded<'s> {
        let Self { authenticated, call, mut entry } = self;
        entry.note_credential(caller.credential().secret().clone());
        let files = CallFiles::new(authenticated.service.files.clone());
        let attempt = authenticated.incoming.by.attempt().map(|attempt| (attempt.lease.clone(), attempt.earlier));
        let claimed = || authenticated.docket.claim.as_ref().map(|claim| (claim.lease.clone(), claim.earlier));
        let (lease, earlier) = attempt.or_else(claimed).unzip();
        let earlier = earlier.flatten();
        Recorded { authenticated, call, entry, caller, noted: Noted::default(), files, lease, earlier }
    }
}

fn close(authenticated: Authenticated<'_>, entry: Entry) -> Docket {
    Docket { entry: Some(entry), ..authenticated.docket }
}

/// The user of Odoo, as the log shows one.
fn shown(caller: &odoo::Caller) -> log::Caller {
    log::Caller {
        credential: caller.credential().kind(),
        door: caller.protocol().name(),
        uid: caller.identity().uid,
        login: mask_keys(&caller.identity().login).into_owned(),
    }
}

/// Whether a call may have a key at all; if not, what was sent need not be parsed once more.
fn may_have_key(incoming: &Incoming, rules: Option<&config::Idempotency>) -> bool {
    let has_rules = rules.is_some_and(|rules| *rules != config::Idempotency::default());
    has_rules || idempotency::has_header(&incoming.presented)
}
