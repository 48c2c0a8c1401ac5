//! Whether Odoo answers, which release it is, whether it serves the configured database, whether it is in proxy mode, and how many requests it answers at a time.
//!
//! It imports `model`, `transport`, `protocol` and `auth`. What has to be forgotten when Odoo is replaced is given to it as a
//! function, so that it does not depend on the caches.

mod capacity;
mod database;
mod watch;

use std::{fmt, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::time;

pub use self::{capacity::Capacity, watch::NO_PROXY_MODE};
use super::{
    auth::authenticator::Authenticator,
    model::{
        effect::Effect,
        error::{Error, Why},
    },
    protocol::{endpoint::Endpoint, release::Release},
    transport::concurrency_limit::UpstreamLimit,
};

/// How long a probe may take once it is connected.
pub(in crate::odoo) const PROBE_TIME: Duration = Duration::from_secs(10);
/// How long a readiness check waits for Odoo.
const READINESS_TIME: Duration = Duration::from_secs(2);

/// What is known about the health of one Odoo.
pub(in crate::odoo) struct Health {
    endpoint: Arc<Endpoint>,
    limit: Arc<UpstreamLimit>,
    auth: Arc<Authenticator>,
    /// Whether Odoo is in proxy mode; none while that is unknown.
    proxy_mode: Mutex<Option<bool>>,
    /// Whether Odoo serves the configured database; none while that is unknown.
    database: Mutex<Option<bool>>,
    /// Drops every cache entry that came from a replaced Odoo.
    forget: Box<dyn Fn() + Send + Sync>,
}

impl Health {
    pub(in crate::odoo) fn new(
        endpoint: Arc<Endpoint>,
        limit: Arc<UpstreamLimit>,
        auth: Arc<Authenticator>,
        forget: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        Self {
            endpoint,
            limit,
            auth,
            proxy_mode: Mutex::default(),
            database: Mutex::default(),
            forget: Box::new(forget),
        }
    }

    /// Asks Odoo for its release now. If it is another one than before, everything that was known of Odoo is forgotten.
    ///
    /// # Errors
    /// Odoo does not answer, or not with a release.
    pub(in crate::odoo) async fn probe(&self) -> Result<Release, Error> {
        let probed = self.endpoint.probe().await?;
        if let Some(known) = probed.replaced {
            tracing::warn!(was = %known, is = %probed.release, "Odoo has been replaced; what was known of it is forgotten");
            (self.forget)();
        }
        Ok(probed.release)
    }

    /// As [`Self::probe`], within a short time. An Odoo that is only slow to answer, as under load, is ready as the release that
    /// was last seen.
    ///
    /// # Errors
    /// Odoo cannot be reached, or does not answer and was not seen before.
    pub(in crate::odoo) async fn readiness(&self) -> Result<Release, Error> {
        match time::timeout(READINESS_TIME, self.probe()).await {
            Ok(probed) => probed,
            Err(_) => match self.endpoint.known_release() {
                Some(release) if self.limit.breaker().is_up() => Ok(release),
                _ => Err(Error::NoAnswer { effect: Effect::Read, why: Why::TimedOut(READINESS_TIME) }),
            },
        }
    }

    /// Asks whether Odoo is in proxy mode; none where that cannot be found out. In proxy mode it counts failed logins by the
    /// callers' own addresses.
    pub(in crate::odoo) async fn proxy_mode(&self) -> Option<bool> {
        let mode = self.endpoint.transport.trusts_forwarded_headers(self.endpoint.probe_timeout).await;
        self.auth.failed_logins().set_per_address(mode == Some(true));
        mode
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Health").field("proxy_mode", &self.proxy_mode).finish_non_exhaustive()
    }
}
