//! The health watch: probes Odoo at the start, after failed connections, and at regular intervals.
//!
//! So the gateway starts without an Odoo and serves once there is one, the circuit breaker closes when Odoo is back, and an
//! upgrade of Odoo is noticed.

use std::time::Duration;

use tokio::time::{self, Instant};

use super::{Health, PROBE_TIME};
use crate::odoo::transport::circuit_breaker::BreakerState;

/// What it means where Odoo is not in proxy mode, and what to do.
pub const NO_PROXY_MODE: &str = "what is let through of wrong logins; set proxy_mode = True in Odoo's configuration, where nobody reaches Odoo past the gateway";
/// The interval of probes while Odoo answers.
const INTERVAL: Duration = Duration::from_secs(30);
/// The interval while it answers and does not serve the configured database.
const WITHOUT_DATABASE: Duration = Duration::from_secs(5);
/// The interval while it does not, and the shortest interval after a failed connection.
const SHORT_INTERVAL: Duration = Duration::from_secs(1);

impl Health {
    /// Watches for as long as it is polled.
    pub(in crate::odoo) async fn watch(&self) {
        let mut breaker = self.limit.breaker().subscribe();
        let mut answered = None;
        loop {
            let probe = self.probe().await;
            match &probe {
                Ok(release) if answered != Some(true) => {
                    tracing::info!(%release, "Odoo answers");
                    self.log_proxy_mode().await;
                }
                Err(error) if answered != Some(false) => {
                    tracing::warn!(error = error.for_operator(), "Odoo does not answer");
                }
                _ => {}
            }
            answered = Some(probe.is_ok());
            if probe.is_ok() {
                // One that does not answer now is asked again by the next probe.
                let _ = self.database(Instant::now() + PROBE_TIME).await;
            }
            let interval = if self.known_database() == Some(false) { WITHOUT_DATABASE } else { INTERVAL };
            time::sleep(SHORT_INTERVAL).await;
            if probe.is_ok() {
                let failed = async { breaker.wait_for(BreakerState::has_failures).await.map(drop) };
                let _ = time::timeout(interval - SHORT_INTERVAL, failed).await;
            }
        }
    }

    async fn log_proxy_mode(&self) {
        let mode = self.proxy_mode().await;
        let known = std::mem::replace(&mut *self.proxy_mode.lock(), mode);
        match mode {
            _ if mode == known => {}
            Some(true) => tracing::info!("Odoo is in proxy mode: it counts wrong logins by the callers' own addresses"),
            Some(false) => tracing::warn!(
                "Odoo is not in proxy mode: to it all callers have the gateway's address, so they share {}",
                NO_PROXY_MODE
            ),
            None => tracing::info!("Odoo does not tell whether it is in proxy mode"),
        }
    }
}
