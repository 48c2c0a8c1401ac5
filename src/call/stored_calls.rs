//! A caller asks what became of a call of its own that the store has: one that has an idempotency key, or is queued.
//!
//! It is authenticated as for a call. What is another caller's is not there for it.

use std::net::IpAddr;

use http::HeaderMap;
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    Error, Service,
    auth::{self, Shown, shown},
    idempotency::Scope,
};
use crate::store::StoredCall;

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
            Shown::Own(credential) => {
                let looker = self.as_user(asking, credential).await?;
                Scope::of_user(&looker.caller, self.odoo.database())
            }
            Shown::Signed(..) | Shown::Trusted(_) => return Err(auth::Error::UnknownClient.into()),
        };
        match self.store.find(id).await? {
            Some(call) if call.caller == caller.to_string() => Ok(call),
            _ => Err(Error::UnknownCall),
        }
    }
}
