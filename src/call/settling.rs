//! What a call may do to find out the outcome of its writes, from the configuration and what the store knows of it.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;

use super::recorded::Recorded;
use crate::{
    config,
    execute::{self, Marker, Right, Settling},
    store::Earlier,
};

impl Recorded<'_> {
    pub(super) fn settling(&self) -> Settling {
        let service = self.authenticated.service;
        let client = self.authenticated.docket.who.client.as_deref().and_then(|name| service.clients.by_name(name));
        // A worker tries again later, and makes other calls meanwhile.
        let waits = !self.authenticated.incoming.by.is_queued();
        Settling {
            deadline: self.caller.until(),
            longest_request: service.config.delivery.longest_request,
            earlier: self.earlier.map(|earlier| attempt_before(earlier, waits)),
            marker: self.marker(),
            safe_methods: client.map(|client| client.safe_methods.clone()).unwrap_or_default(),
            right: self.lease.clone().map(|lease| lease as Arc<dyn Right>),
        }
    }
}

impl Recorded<'_> {
    /// What marks the new record of a call that is in the store. The records of a list have one call, so they have none.
    fn marker(&self) -> Option<Marker> {
        let is_wanted = self.authenticated.service.config.delivery.marker == config::Marker::ExternalId;
        let is_one = self.call.vals.get("payload").is_some_and(serde_json::Value::is_object);
        let lease = self.lease.as_ref().filter(|_| is_wanted && is_one)?;
        let id = lease.ticket().id;
        Some(match self.authenticated.incoming.by.step() {
            Some(step) => Marker::of_step(id, step.number),
            None => Marker::of_call(id),
        })
    }
}

/// What the store knows of attempts before this one. Its times are those of its own clock; how long ago the last one can have sent
/// something is measured, so that it holds by this machine's clock, too.
fn attempt_before(earlier: Earlier, waits: bool) -> execute::Earlier {
    let now = Timestamp::now();
    let until = now.checked_sub(earlier.since_last).unwrap_or(now);
    let between = Duration::from_millis(u64::try_from(earlier.last.saturating_sub(earlier.first)).unwrap_or_default());
    let first = Timestamp::from_millisecond(earlier.first).unwrap_or(now);
    let since = until.checked_sub(between).unwrap_or(until).min(first);
    execute::Earlier { since, until, waits }
}
