//! What `check` says of clients and their API keys that expire within two weeks.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::finding::Finding;
use crate::{
    call::auth::clients::Client,
    config::Config,
    monitor::{AHEAD, expiring_clients},
    odoo::{Caller, KeyExpiry, Odoo, Origin, RotatedCookie},
};

/// How long Odoo may take to tell.
const PATIENCE: Duration = Duration::from_secs(30);

/// The clients whose `expires` is near.
pub(super) fn of_clients(config: &Config) -> Vec<Finding> {
    let now = Timestamp::now();
    let soon = expiring_clients(&config.clients, now).into_iter();
    let remedy = "give it a later `expires`, or make a new one by `odoo-gateway client new`";
    soon.map(|soon| Finding::warning("client", format!("`{}` {}", soon.client, when(soon.end, now)), remedy)).collect()
}

/// The client's API key, where it expires in Odoo soon.
pub(super) async fn of_key(odoo: &Arc<Odoo>, client: &Client) -> Option<Finding> {
    let caller = Caller::identify(
        odoo,
        client.credential().ok()?.clone(),
        client.policy.clone(),
        Arc::default(),
        RotatedCookie::default(),
        Origin::default(),
        Instant::now() + PATIENCE,
    );
    let now = Timestamp::now();
    match caller.await.ok()?.key_expiry(&client.name).await.ok()? {
        KeyExpiry::At(end) if end.duration_since(now) <= AHEAD => Some(Finding::warning(
            "client",
            format!("`{}`: its API key in Odoo {}", client.name, when(end, now)),
            "make a new one there (Preferences, Account Security) and put it in its place",
        )),
        _ => None,
    }
}

fn when(end: Timestamp, now: Timestamp) -> String {
    let left = end.duration_since(now);
    match left.is_negative() {
        true => format!("has expired on {end}"),
        false => format!("expires in {} days, on {end}", left.as_hours() / SignedDuration::from_hours(24).as_hours()),
    }
}
