//! When the API keys of clients expire in Odoo: asked once a day for each client that Odoo has accepted.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::time::Instant;

use crate::{
    call::Service,
    odoo::{Caller, KeyExpiry, Origin, RotatedCookie},
};

/// How long an answer counts.
const FRESH: Duration = Duration::from_secs(86_400);
/// After a failure, Odoo is asked again.
const AGAIN: Duration = Duration::from_secs(3600);
/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is known of the keys, by client.
#[derive(Debug, Default)]
pub(super) struct Keys(BTreeMap<String, Known>);

#[derive(Debug)]
struct Known {
    /// None where it does not end, or Odoo does not tell.
    end: Option<Timestamp>,
    ask_at: Instant,
}

impl Keys {
    /// Asks for the clients that it is time for, one after another.
    pub(super) async fn look(&mut self, service: &Arc<Service>, now: Instant) {
        self.0.retain(|name, _| service.clients.by_name(name).is_some());
        for client in service.clients.iter() {
            let is_due = self.0.get(&*client.name).is_none_or(|known| now >= known.ask_at);
            let Ok(credential) = client.credential() else { continue };
            if !is_due || client.check_term().is_err() || !service.odoo.knows(&credential.fingerprint()) {
                continue;
            }
            let caller = Caller::identify(
                &service.odoo,
                credential.clone(),
                client.policy.clone(),
                Arc::default(),
                RotatedCookie::default(),
                Origin::default(),
                now + PATIENCE,
            );
            let expiry = async { caller.await?.key_expiry(&client.name).await };
            let (end, wait) = match expiry.await {
                Ok(KeyExpiry::At(end)) => (Some(end), FRESH),
                Ok(KeyExpiry::Never | KeyExpiry::NotTold) => (None, FRESH),
                Err(error) => {
                    tracing::debug!(client = %client.name, error = error.for_operator(), "Odoo does not tell when a key expires");
                    (self.0.get(&*client.name).and_then(|known| known.end), AGAIN)
                }
            };
            self.0.insert(client.name.to_string(), Known { end, ask_at: now + wait });
        }
    }

    pub(super) fn ends(&self) -> BTreeMap<String, Timestamp> {
        self.0.iter().filter_map(|(name, known)| Some((name.clone(), known.end?))).collect()
    }
}
