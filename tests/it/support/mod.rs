//! What every test needs: the real Odoo, the gateway before it, and somebody who calls.

pub(crate) mod bad_network;
pub(crate) mod browser;
pub(crate) mod case;
pub(crate) mod client;
pub(crate) mod console;
pub(crate) mod fault;
pub(crate) mod gateway;
pub(crate) mod matcher;
pub(crate) mod net_log;
pub(crate) mod newer;
pub(crate) mod odoo;
pub(crate) mod postgres;
pub(crate) mod processes;
pub(crate) mod schemas;
pub(crate) mod segments;
pub(crate) mod small_disk;
pub(crate) mod terminal;
pub(crate) mod tls;

use std::time::{Duration, Instant};

/// Waits until something is so; fails when it has not come for long.
pub(crate) async fn poll(mut is_so: impl FnMut() -> bool) {
    poll_for(async || is_so()).await;
}

/// The same of what has to be asked for.
pub(crate) async fn poll_for(mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_so().await {
        assert!(Instant::now() < deadline, "it has not come");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
