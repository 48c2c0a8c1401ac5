//! The third stage: the call is in the log, and the user of Odoo that it runs as is known.
//!
//! A caller that is proven without Odoo has its call recorded before Odoo is asked for the user behind it, so that the call can
//! be replayed where Odoo is away. The body of any other caller is not looked at before Odoo has accepted its credential.

use std::{sync::Arc, time::Instant};

use super::{
    authenticated::Authenticated,
    docket::{Docket, Stopped},
    lease::Lease,
    message::{Call, Envelope, take_domain},
    parsed::{Asked, Parsed},
};
use crate::{
    fetch::CallFiles,
    key_texts::mask_keys,
    log::{self, Arrived, Entry, Received},
    odoo::{self, Trace},
    plan::Noted,
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
    ) -> Result<Self, Stopped> {
        if authenticated.is_proven() {
            let mut logged = Logged::of(Parsed::of(authenticated).await?, arrived, started).await?;
            return match logged.authenticated.identify(trace).await {
                Ok(caller) => {
                    logged.entry.runs_as(shown(&caller));
                    Ok(logged.runs_as(caller))
                }
                Err(error) => Err(close(logged.authenticated, logged.entry).stop(error)),
            };
        }
        match authenticated.identify(trace).await {
            Ok(caller) => {
                authenticated.docket.who.caller = Some(shown(&caller));
                let logged = Logged::of(Parsed::of(authenticated).await?, arrived, started).await?;
                Ok(logged.runs_as(caller))
            }
            Err(error) => Err(authenticated.stop_stranger(error)),
        }
    }

    /// What has to be closed at the end of the call.
    pub(super) fn close(self) -> Docket {
        Docket { warnings: self.noted.take(), ..close(self.authenticated, self.entry) }
    }
}

impl<'s> Logged<'s> {
    async fn of(parsed: Parsed<'s>, arrived: &Arrived, started: Instant) -> Result<Self, Stopped> {
        let Parsed { authenticated, asked: Asked { model, mut vals, sent } } = parsed;
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

    fn runs_as(self, caller: odoo::Caller) -> Recorded<'s> {
        let Self { authenticated, call, mut entry } = self;
        entry.note_credential(caller.credential().secret().clone());
        let files = CallFiles::new(authenticated.service.files.clone());
        let lease = authenticated.incoming.by.attempt().map(|attempt| attempt.lease.clone());
        Recorded { authenticated, call, entry, caller, noted: Noted::default(), files, lease }
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
