//! One who looks at what there is, without making a call: authenticated and limited as for a call, and not in the log.

use std::sync::Arc;

use super::{
    Error, Service,
    auth::{self, Shown, clients::Client, clients::is_within, shown},
    stored_calls::Asking,
};
use crate::{
    limits::{Share, network},
    log::Who,
    odoo::{self, Credential, Flow, Origin, RotatedCookie, Trace},
    policy::Policy,
};

/// Whose eyes are looked through.
#[derive(Debug, Clone, Copy)]
pub enum Eyes<'e> {
    /// Those of the caller that the headers prove.
    Own,
    /// Those of a `[[client]]`, for who may act as any.
    Client(&'e str),
}

/// The user of Odoo behind one who looks. It counts against the limits of its caller while it is there.
pub struct Looker {
    pub caller: odoo::Caller,
    _share: Option<Share>,
}

impl Service {
    /// The user of Odoo behind one who looks.
    ///
    /// # Errors
    /// Nothing is proven, the caller may not call now, or Odoo does not accept the credential or does not answer.
    pub async fn looker(&self, asking: &Asking, eyes: Eyes<'_>) -> Result<Looker, Error> {
        match eyes {
            Eyes::Client(name) => {
                let client = self.clients.by_name(name).ok_or(auth::Error::UnknownClient)?;
                self.as_client(asking, client, None).await
            }
            Eyes::Own => match shown(&asking.headers, &self.clients)? {
                Shown::Client(client) => {
                    let share = client.admit(asking.address)?;
                    self.as_client(asking, client, Some(share)).await
                }
                Shown::Own(credential) => self.as_user(asking, credential).await,
                Shown::Signed(..) | Shown::Trusted(_) => Err(auth::Error::UnknownClient.into()),
            },
        }
    }

    async fn as_client(&self, asking: &Asking, client: &Client, share: Option<Share>) -> Result<Looker, Error> {
        client.check_term()?;
        let flow = Flow::client(&client.name);
        let caller = self.identified(asking, client.credential()?.clone(), client.policy.clone(), flow).await;
        let who = Who { client: Some(client.name.to_string()), caller: None };
        let caller = caller.map_err(|error| self.as_client_account(&who, error.into()))?;
        Ok(Looker { caller, _share: share })
    }

    /// The user of Odoo with this credential.
    ///
    /// # Errors
    /// The credential is not taken, or Odoo does not accept it or does not answer.
    pub(super) async fn as_user(&self, asking: &Asking, credential: Credential) -> Result<Looker, Error> {
        let rules = &self.config.policy;
        if !rules.are_taken {
            return Err(auth::Error::OwnCredentials.into());
        }
        is_within(asking.address, &rules.rules.addresses)?;
        let (network, fingerprint) = (network(asking.address), credential.fingerprint());
        let share = self.rate_limits.admit(fingerprint).await?;
        let attempt = match self.odoo.knows(&fingerprint) {
            true => None,
            false => Some(self.login_throttle.begin(network, fingerprint).await?),
        };
        let flow: Flow = self.odoo.flow(Some(&credential), network).await;
        let caller = self.identified(asking, credential, self.policy.clone(), flow).await;
        if let Some(attempt) = attempt
            && caller.as_ref().is_err_and(odoo::Error::is_wrong_credential)
        {
            attempt.was_wrong();
        }
        Ok(Looker { caller: caller?, _share: share })
    }

    async fn identified(
        &self,
        asking: &Asking,
        credential: Credential,
        policy: Arc<Policy>,
        flow: Flow,
    ) -> Result<odoo::Caller, odoo::Error> {
        let origin = Origin { address: Some(asking.address), traceparent: None, flow };
        let until = asking.began + self.config.limits.call_timeout;
        let (trace, rotated) = (Arc::<Trace>::default(), RotatedCookie::default());
        odoo::Caller::identify(&self.odoo, credential, policy, trace, rotated, origin, until).await
    }
}
