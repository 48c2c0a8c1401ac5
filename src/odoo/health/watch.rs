//! Looks whether Odoo is there, and which one it is: at the start, when connections fail, and once in a while.
//!
//! So the gateway starts without an Odoo and serves when it comes, and an Odoo that is upgraded meanwhile is noticed:
//! what is remembered of it is forgotten then.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use tokio::time::{self, Instant};

use crate::odoo::{
    Odoo,
    model::{
        error::{Error, Why},
        rpc::Effect,
    },
    protocol::release::Release,
    transport::{RequestOptions, circuit_breaker::BreakerState, concurrency_limit::RequestClass, origin::Origin},
};

/// What it means where Odoo is not in proxy mode, and what to do.
pub const NO_PROXY_MODE: &str = "what is let through of wrong logins; set proxy_mode = True in Odoo's configuration, where nobody reaches Odoo past the gateway";
/// How often an Odoo that answers is asked for its version.
const ROUTINE: Duration = Duration::from_secs(30);
/// How soon an Odoo that did not answer is asked again.
const SOON: Duration = Duration::from_secs(1);
/// How long a question for readiness waits for Odoo.
const PROMPT: Duration = Duration::from_secs(2);
/// How long it may take to tell its version, once it is connected.
pub(in crate::odoo) const PATIENCE: Duration = Duration::from_secs(10);

impl Odoo {
    /// Watches for as long as it is polled.
    pub async fn watch(self: Arc<Self>) {
        let mut breaker = self.limit.breaker().subscribe();
        let mut answered = None;
        loop {
            let probe = self.probe().await;
            match &probe {
                Ok(release) if answered != Some(true) => {
                    tracing::info!(%release, "Odoo answers");
                    self.tell_proxy_mode().await;
                }
                Err(error) if answered != Some(false) => {
                    tracing::warn!(error = error.for_operator(), "Odoo does not answer");
                }
                _ => {}
            }
            answered = Some(probe.is_ok());
            time::sleep(SOON).await;
            if probe.is_ok() {
                let doubt = async { breaker.wait_for(BreakerState::has_failures).await.map(drop) };
                let _ = time::timeout(ROUTINE - SOON, doubt).await;
            }
        }
    }

    /// Whether Odoo is in proxy mode, as far as it tells: then it counts wrong logins by the callers' own addresses.
    pub async fn proxy_mode(&self) -> Option<bool> {
        let mode = self.transport.trusts_forwarded_headers(self.probe_timeout).await;
        self.cooldown.tell_addresses(mode == Some(true));
        mode
    }

    async fn tell_proxy_mode(&self) {
        let mode = self.proxy_mode().await;
        let known = std::mem::replace(&mut *self.proxy_mode.write().unwrap_or_else(PoisonError::into_inner), mode);
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

    /// The release, asked now: tells whether Odoo answers.
    pub async fn probe(&self) -> Result<Release, Error> {
        let options = RequestOptions {
            class: RequestClass::Probe,
            until: Instant::now() + self.probe_timeout,
            origin: Origin::default(),
        };
        let release = Release::ask(&self.transport, self.protocol, &self.database, options).await?;
        self.learn(release.clone());
        Ok(release)
    }

    /// The release, asked now; as it was last seen where Odoo is only slow to tell, as it is under load.
    pub async fn readiness(&self) -> Result<Release, Error> {
        match time::timeout(PROMPT, self.probe()).await {
            Ok(probed) => probed,
            Err(_) => match self.known_release() {
                Some(release) if !self.limit.breaker().subscribe().borrow().has_failures() => Ok(release),
                _ => Err(Error::NoAnswer { effect: Effect::Read, why: Why::TimedOut(PROMPT) }),
            },
        }
    }

    /// The release, as it was last seen; asked where it was not seen yet.
    pub async fn release(&self, until: Instant) -> Result<Release, Error> {
        if let Some(release) = self.known_release() {
            return Ok(release);
        }
        let options = RequestOptions {
            class: RequestClass::New,
            until: until.min(Instant::now() + self.probe_timeout),
            origin: Origin::default(),
        };
        let release = Release::ask(&self.transport, self.protocol, &self.database, options).await?;
        self.learn(release.clone());
        Ok(release)
    }

    /// Odoo's major version, such as 19.
    pub async fn version(&self, until: Instant) -> Result<u16, Error> {
        Ok(self.release(until).await?.major)
    }

    fn known_release(&self) -> Option<Release> {
        self.release.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn learn(&self, release: Release) {
        let known = self.release.write().unwrap_or_else(PoisonError::into_inner).replace(release.clone());
        if let Some(known) = known.filter(|known| *known != release) {
            tracing::warn!(was = %known, is = %release, "Odoo has been replaced; what was known of it is forgotten");
            self.identities.invalidate_all();
            self.known.invalidate_all();
            self.schemas.invalidate_all();
            self.methods.clear();
            self.logins.forget_all();
            if let Some(lookup_cache) = &self.lookup_cache {
                lookup_cache.invalidate_all();
            }
        }
    }
}
