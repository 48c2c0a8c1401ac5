//! The third stage: the call is in the log, and the user of Odoo that it runs as is known.
//!
//! A caller that is proven without Odoo has its call recorded before Odoo is asked for the user behind it, so that the call can
//! be replayed where Odoo is away. The body of any other caller is not looked at before Odoo has accepted its credential.

use std::{borrow::Cow, sync::Arc, time::Instant};

use serde_json::Value;

use super::{
    Error,
    authenticated::Authenticated,
    claim::{self, Verdict},
    delivery::{Delivery, Todo, identity::Identity, several::Several},
    docket::{Docket, Stopped},
    ended::Ended,
    idempotency::{self, Asked, Scope},
    incoming::By,
    lane,
    lease::Lease,
    message::{Call, Envelope, take_domain},
    parsed::{self, Parsed},
    queued::{self, Fallback, Wish},
};
use crate::{
    fetch::CallFiles,
    hook::MadeCall,
    key_texts::mask_keys,
    log::{self, Arrived, Entry, Received},
    memory,
    odoo::{self, Trace},
    plan::Noted,
    route::Route,
    store::Earlier,
    wire::BodyError,
};

/// Above this size in memory, a body is parsed twice rather than copied for the log.
const READ_AGAIN: usize = 1 << 20;

/// A call that is in the log, with the user of Odoo that it runs as.
pub(super) struct Recorded<'s> {
    pub(super) authenticated: Authenticated<'s>,
    pub(super) route: Route,
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
    Several(Box<(Docket, Several<'s>)>),
    Ended(Box<(Docket, Ended)>),
}

/// A call that is in the log.
struct Logged<'s> {
    authenticated: Authenticated<'s>,
    route: Route,
    call: Call,
    delivery: Option<Delivery>,
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
        match logged.take_turn().await {
            Ok(None) => {}
            Ok(Some(ended)) => return Ok(logged.ended(ended)),
            Err(error) => return Err(close(logged.authenticated, logged.entry).stop(error)),
        }
        if let Some(delivery) = &mut logged.delivery
            && let Todo::Several(calls) = &mut delivery.todo
        {
            let calls = std::mem::take(calls);
            return Ok(logged.several(calls));
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
        let mut docket = Docket { warnings: self.noted.take(), ..close(self.authenticated, self.entry) };
        docket.reached.model = Some(self.call.model);
        docket
    }
}

impl<'s> Logged<'s> {
    async fn of(parsed: Parsed<'s>, arrived: &Arrived, started: Instant) -> Result<Self, Stopped> {
        let Parsed { authenticated, asked: parsed::Asked { route, model, mut vals, delivery } } = parsed;
        let Authenticated { service, incoming, weight, body, .. } = authenticated;
        let is_read_again = incoming.hook.is_none() && weight.parsed > READ_AGAIN;
        let dry_run = arrived.dry_run || vals.get("dry_run") == Some(&Value::Bool(true));
        let logged = if is_read_again { Cow::Owned(std::mem::take(&mut vals)) } else { Cow::Borrowed(&vals) };
        let who = authenticated.docket.who.clone();
        let sent = delivery.as_ref().and_then(|delivery| delivery.logged(incoming));
        let received = Received { model: &model, vals: logged, sent, who };
        let arrived = Arrived { route, dry_run, ..arrived.clone() };
        let entry = match service.log.receive(arrived, received, started).await {
            Ok(mut entry) => {
                if let Some(id) = delivery.as_ref().and_then(Delivery::id) {
                    entry.delivery_id(id);
                }
                entry
            }
            Err(error) => return Err(authenticated.docket.stop(error)),
        };
        let call = match is_read_again {
            true => Envelope::read(body).call,
            false => Ok(Call { model, vals }),
        };
        let weighed = call.and_then(|call| take_domain(&call.vals, &service.config.limits).map(|()| call));
        match weighed {
            Ok(call) => Ok(Self { authenticated, route, call, delivery, entry }),
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
        let Authenticated { service, incoming, body, delivery: signed, docket, .. } = &mut self.authenticated;
        let rules = match &scope {
            Scope::Client(name) => service.clients.by_name(name).map(|client| &client.idempotency),
            Scope::User { .. } => None,
        };
        let delivery = self.delivery.as_ref();
        if let Some(Delivery { todo: Todo::Nothing(why), .. }) = delivery {
            return Ok(Some(Ended::Ignored { why: why.clone(), code: None }));
        }
        let Call { model, vals } = &self.call;
        let asked = Asked { incoming, route: self.route, model, vals, delivery };
        let identity = match delivery {
            Some(delivery) => delivery.identity.clone(),
            None => signed.as_ref().map(Identity::of_signed),
        };
        let key = idempotency::key(asked, identity.as_ref(), rules)?;
        let wish = queued::wish(service, asked, &scope)?;
        if let (Some(Delivery { todo: Todo::Failed(error), .. }), Wish::Never | Wish::IfAway) = (delivery, wish) {
            return Err(error.clone().into());
        }
        if key.is_none() && wish == Wish::Never {
            return Ok(None);
        }
        // What the store is given, twice where it may be asked several times.
        memory::take(body.len().saturating_mul(2)).map_err(BodyError::from)?;
        match wish {
            Wish::Now { is_preferred } => {
                let accepted = queued::accept(service, &mut self.entry, asked, &scope, key.as_ref(), is_preferred);
                return Box::pin(accepted).await.map(Some);
            }
            Wish::IfAway => {
                let client = match &scope {
                    Scope::Client(name) => service.clients.by_name(name),
                    Scope::User { .. } => None,
                };
                docket.fallback = client.map(|client| Box::new(Fallback::new(client, asked, &scope, key.as_ref())));
            }
            Wish::Never => {}
        }
        let Some(key) = key else { return Ok(None) };
        let claimed = claim::claim(service, asked, &scope, &key, queued::may_be_queued(wish, incoming));
        match Box::pin(claimed).await? {
            Verdict::Ended(ended) => Ok(Some(ended)),
            Verdict::Make(claim) => {
                let (stored, before) = (claim.lease.ticket().id, claim.earlier.map_or(0, |earlier| earlier.attempts));
                if stored != incoming.id {
                    self.entry.takes_over(stored, before.saturating_add(1));
                }
                docket.claim = Some(claim);
                Ok(None)
            }
        }
    }

    fn ended(self, ended: Ended) -> Step<'s> {
        Step::Ended(Box::new((close(self.authenticated, self.entry), ended)))
    }

    /// Waits for the deliveries of the same key that go before, where the store does not order them. An end where a newer event of
    /// the key was done.
    async fn take_turn(&mut self) -> Result<Option<Ended>, Error> {
        let Self { authenticated, call, delivery: Some(delivery), .. } = self else { return Ok(None) };
        let Authenticated { service, incoming, docket, .. } = authenticated;
        let lane = lane::of_delivery(delivery, &call.model, &call.vals);
        if let (By::Caller, Some(lane)) = (&incoming.by, &lane) {
            let until = incoming.began + service.config.limits.call_timeout;
            docket.turn = Some(service.turns.take(lane, until).await?);
        }
        if let Some(why) = Box::pin(delivery.is_outdated(service, lane.as_deref())).await? {
            return Ok(Some(Ended::Ignored { why, code: None }));
        }
        docket.newest =
            lane.zip(delivery.version).map(|(lane, version)| (delivery.hook.name().to_owned(), lane, version));
        Ok(None)
    }

    fn several(self, calls: Vec<MadeCall>) -> Step<'s> {
        let Self { authenticated, delivery, entry, .. } = self;
        let incoming = authenticated.incoming;
        let (lease, earlier) = taken(&authenticated);
        let docket = close(authenticated, entry);
        match delivery {
            Some(delivery) => Step::Several(Box::new((docket, Several { incoming, delivery, calls, lease, earlier }))),
            None => Step::Ended(Box::new((docket, Ended::Ignored { why: String::new(), code: None }))),
        }
    }

    fn runs_as(self, caller: odoo::Caller) -> Recorded<'s> {
        let Self { authenticated, route, call, mut entry, .. } = self;
        entry.note_credential(caller.credential().secret().clone());
        let files = CallFiles::new(authenticated.service.files.clone());
        let (lease, earlier) = taken(&authenticated);
        Recorded { authenticated, route, call, entry, caller, noted: Noted::default(), files, lease, earlier }
    }
}

/// The right to make a call of the store, and what attempts before may have done.
fn taken(authenticated: &Authenticated<'_>) -> (Option<Arc<Lease>>, Option<Earlier>) {
    match &authenticated.docket.claim {
        Some(claim) => (Some(claim.lease.clone()), claim.earlier),
        None => authenticated.incoming.by.taken(),
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
