//! Queues that have stopped by themselves, and when each goes on: its client is in order again, or its account is tried once more.
//!
//! The store keeps that a queue is stopped, for all gateways; here is what this one knows of the account at that time.

use std::{collections::HashMap, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::time::Instant;

use super::retry::Stop;
use crate::{
    call::{Service, auth::clients::Client},
    odoo::Fingerprint,
};

/// How often an account that Odoo does not accept is tried again.
const TRIAL: Duration = Duration::from_secs(300);

/// The accounts that Odoo did not accept.
#[derive(Debug, Default)]
pub(super) struct Stops {
    refused: Mutex<HashMap<String, Refused>>,
}

#[derive(Debug, Clone, Copy)]
struct Refused {
    account: Fingerprint,
    at: Instant,
}

impl Stops {
    /// Odoo has refused the account of this client now.
    pub(super) fn refused(&self, client: &Client) {
        // What is missing is found by a reload, which makes another client.
        let Ok(credential) = client.credential() else { return };
        let refused = Refused { account: credential.fingerprint(), at: Instant::now() };
        self.refused.lock().insert(client.name.as_ref().to_owned(), refused);
    }

    /// Whether the queue of this client may go on, which was stopped for this reason.
    pub(super) fn may_go_on(&self, service: &Service, client: &str, stop: Stop) -> bool {
        let may_call = |entry: &&Client| entry.check_term().is_ok() && entry.check_ready().is_ok();
        let Some(entry) = service.clients.by_name(client).filter(may_call) else { return false };
        let Ok(credential) = entry.credential() else { return false };
        if stop != Stop::Account {
            return true;
        }
        let refused = self.refused.lock().get(client).copied();
        // One that was stopped by another gateway, or before a restart, is tried at once.
        refused.is_none_or(|refused| refused.account != credential.fingerprint() || refused.at.elapsed() >= TRIAL)
    }
}

/// Stops the queue of a client, and says so once.
pub(super) async fn stop(service: &Arc<Service>, client: &str, stop: Stop) {
    let why = stop.code().as_str();
    match service.store.pause(client, Some(why)).await {
        Ok(true) => {
            service.metrics.queue.stop(why);
            tracing::warn!(client, why, "the queue of a client is paused: its calls wait until that is mended");
        }
        Ok(false) => {}
        // The next attempt finds the same.
        Err(error) => tracing::warn!(client, why, %error, "the queue of a client could not be paused"),
    }
}
