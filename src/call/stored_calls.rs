//! A caller asks what became of a call of its own that the store has: one that has an idempotency key, or is queued.
//!
//! It is authenticated as for a call. What is another caller's is not there for it.

use std::{net::IpAddr, sync::Arc};

use http::HeaderMap;
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    Error, Service,
    auth::{self, Shown, clients::is_within, shown},
    idempotency::Scope,
};
use crate::{
    limits::network,
    odoo::{self, Credential, Flow, Origin, RotatedCookie, Trace},
    store::StoredCall,
};

/// Who asks, and from where.
pub struct Asking {
    pub headers: HeaderMap,
    pub address: IpAddr,
    pub began: Instant,
}

impl Service {
    /// The call with this id, if it is the caller's.
    ///
    /// # Errors
    /// The caller proves nothing or may not call now, there is no such call of its own, or the store does not answer.
    pub async fn stored_call(&self, asking: &Asking, id: Uuid) -> Result<StoredCall, Error> {
        let caller = match shown(&asking.headers, &self.clients)? {
            Shown::Client(client) => {
                let _share = client.admit(asking.address)?;
                Scope::Client(client.name.to_string())
            }
            Shown::Own(credential) => self.user(asking, credential).await?,
            Shown::Signed(..) | Shown::Trusted(_) => return Err(auth::Error::UnknownClient.into()),
        };
        match self.store.find(id).await? {
            Some(call) if call.caller == caller.to_string() => Ok(call),
            _ => Err(Error::UnknownCall),
        }
    }

    /// The user of Odoo with this credential.
    async fn user(&self, asking: &Asking, credential: Credential) -> Result<Scope, Error> {
        let rules = &self.config.policy;
        if !rules.are_taken {
            return Err(auth::Error::OwnCredentials.into());
        }
        is_within(asking.address, &rules.rules.addresses)?;
        let (network, fingerprint) = (network(asking.address), credential.fingerprint());
        let _share = self.rate_limits.admit(fingerprint).await?;
        let attempt = match self.odoo.knows(&fingerprint) {
            true => None,
            false => Some(self.login_throttle.begin(network, fingerprint).await?),
        };
        let flow: Flow = self.odoo.flow(Some(&credential), network).await;
        let origin = Origin { address: Some(asking.address), traceparent: None, flow };
        let until = asking.began + self.config.limits.call_timeout;
        let (trace, rotated) = (Arc::<Trace>::default(), RotatedCookie::default());
        let policy = self.policy.clone();
        let caller = odoo::Caller::identify(&self.odoo, credential, policy, trace, rotated, origin, until).await;
        if let Some(attempt) = attempt
            && caller.as_ref().is_err_and(odoo::Error::is_wrong_credential)
        {
            attempt.was_wrong();
        }
        Ok(Scope::of_user(&caller?, self.odoo.database()))
    }
}
