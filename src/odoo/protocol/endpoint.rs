//! The configured Odoo: how it is reached, its database, and its release as far as it is known.

use std::time::Duration;

use parking_lot::RwLock;
use tokio::time::Instant;

use super::release::Release;
use crate::{
    config::ProtocolChoice,
    odoo::{
        model::error::Error,
        transport::{RequestOptions, Transport, concurrency_limit::RequestClass, origin::Origin, retries::Retries},
    },
};

#[derive(Debug)]
pub(in crate::odoo) struct Endpoint {
    pub(in crate::odoo) transport: Transport,
    pub(in crate::odoo) retries: Retries,
    pub(in crate::odoo) database: String,
    pub(in crate::odoo) choice: ProtocolChoice,
    /// How long a probe may take: long enough for a connection attempt to fail by itself.
    pub(in crate::odoo) probe_timeout: Duration,
    release: RwLock<Option<Release>>,
}

/// The release that answered a probe.
#[derive(Debug)]
pub(in crate::odoo) struct Probed {
    pub(in crate::odoo) release: Release,
    /// The release that was known before, if it is another one: Odoo has been replaced.
    pub(in crate::odoo) replaced: Option<Release>,
}

impl Endpoint {
    pub(in crate::odoo) fn new(
        transport: Transport,
        retries: Retries,
        database: String,
        choice: ProtocolChoice,
        probe_timeout: Duration,
    ) -> Self {
        Self { transport, retries, database, choice, probe_timeout, release: RwLock::default() }
    }

    /// Asks for the release past queue and circuit breaker.
    ///
    /// # Errors
    /// Odoo does not answer, or not with a release.
    pub(in crate::odoo) async fn probe(&self) -> Result<Probed, Error> {
        let release = self.ask(RequestClass::Probe, Instant::now() + self.probe_timeout).await?;
        let known = self.release.write().replace(release.clone());
        let replaced = known.filter(|known| *known != release);
        Ok(Probed { release, replaced })
    }

    /// The release as it was last seen. Odoo is asked only where none has been seen yet.
    ///
    /// # Errors
    /// Odoo does not answer, or not with a release.
    pub(in crate::odoo) async fn release(&self, until: Instant) -> Result<Release, Error> {
        if let Some(release) = self.known_release() {
            return Ok(release);
        }
        let until = until.min(Instant::now() + self.probe_timeout);
        let release = self.ask(RequestClass::New, until).await?;
        // Only a probe replaces a release that is known, since a replaced Odoo has more consequences.
        Ok(self.release.write().get_or_insert(release).clone())
    }

    /// Odoo's major version, such as 19.
    ///
    /// # Errors
    /// As [`Self::release`].
    pub(in crate::odoo) async fn version(&self, until: Instant) -> Result<u16, Error> {
        Ok(self.release(until).await?.major)
    }

    pub(in crate::odoo) fn known_release(&self) -> Option<Release> {
        self.release.read().clone()
    }

    async fn ask(&self, class: RequestClass, until: Instant) -> Result<Release, Error> {
        let options = RequestOptions { class, until, origin: Origin::default(), work: None };
        Release::ask(&self.transport, self.choice, &self.database, options).await
    }
}
