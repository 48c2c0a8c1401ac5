//! What the gateway knows about credentials: which Odoo accepts, which it refuses, and what authenticates their RPCs.
//!
//! What Odoo has refused is remembered for a minute: a login costs Odoo a third of a second of hashing, and after several failed
//! ones in a row it accepts none from this address for a minute (Odoo 14-19).

use std::{net::IpAddr, sync::Arc, time::Duration};

use moka::future::Cache;
use tokio::time::Instant;

use super::{
    access::{Access, RotatedCookie, RpcAuth},
    failed_login_budget::FailedLoginBudget,
    identity::{self, CachedIdentity},
};
use crate::odoo::{
    credential::{Credential, Fingerprint},
    model::error::Error,
    protocol::{Protocol, endpoint::Endpoint},
    transport::origin::Flow,
};

const REFUSED_FOR: Duration = Duration::from_secs(60);
const MAX_REFUSED: u64 = 10_000;
/// How long the result of a login is kept unused, and of how many credentials.
const LOGIN_UNUSED: Duration = Duration::from_secs(3_600);
const MAX_LOGINS: u64 = 1_000;
const MAX_IDENTITIES: u64 = 1_000;
/// How long an unused credential is known as one that Odoo accepts, and how many are.
const ACCEPTED_UNUSED: Duration = Duration::from_secs(24 * 3_600);
const MAX_ACCEPTED: u64 = 10_000;

#[derive(Debug)]
pub(in crate::odoo) struct Authenticator {
    pub(in crate::odoo) endpoint: Arc<Endpoint>,
    pub(super) failed_logins: FailedLoginBudget,
    /// The results of logins.
    pub(super) logins: Cache<Fingerprint, RpcAuth>,
    pub(super) refused: Cache<Fingerprint, Error>,
    pub(super) identities: Cache<Fingerprint, Arc<CachedIdentity>>,
    /// The credentials that Odoo has accepted and not refused since, with the id of their user.
    pub(super) accepted: Cache<Fingerprint, i64>,
}

impl Authenticator {
    pub(in crate::odoo) fn new(endpoint: Arc<Endpoint>) -> Self {
        Self {
            endpoint,
            failed_logins: FailedLoginBudget::default(),
            logins: Cache::builder().max_capacity(MAX_LOGINS).time_to_idle(LOGIN_UNUSED).build(),
            refused: Cache::builder().max_capacity(MAX_REFUSED).time_to_live(REFUSED_FOR).build(),
            identities: Cache::builder().max_capacity(MAX_IDENTITIES).time_to_live(identity::FRESH).build(),
            accepted: Cache::builder().max_capacity(MAX_ACCEPTED).time_to_idle(ACCEPTED_UNUSED).build(),
        }
    }

    /// Forgets everything except the budget for failed logins: Odoo has been replaced.
    pub(in crate::odoo) fn forget_all(&self) {
        self.logins.invalidate_all();
        self.refused.invalidate_all();
        self.identities.invalidate_all();
        self.accepted.invalidate_all();
    }

    pub(in crate::odoo) fn failed_logins(&self) -> &FailedLoginBudget {
        &self.failed_logins
    }

    /// Selects the protocol for a credential.
    ///
    /// # Errors
    /// Odoo has refused the credential within the last minute, or no protocol takes it.
    pub(in crate::odoo) async fn access(
        &self,
        credential: Credential,
        rotated: RotatedCookie,
        until: Instant,
    ) -> Result<Access, Error> {
        if let Some(refusal) = self.refusal(&credential).await {
            return Err(refusal);
        }
        let version = async || self.endpoint.version(until).await;
        let protocol = Protocol::select(&credential, self.endpoint.choice, version).await?;
        Ok(Access { credential, protocol, rotated })
    }

    pub(in crate::odoo) fn has_accepted(&self, credential: &Fingerprint) -> bool {
        self.accepted.contains_key(credential)
    }

    pub(in crate::odoo) async fn note_accepted(&self, credential: Fingerprint, uid: i64) {
        self.accepted.insert(credential, uid).await;
    }

    /// The flow of a caller: its user's where Odoo has accepted the credential, else that of all unknown callers from `address`.
    pub(in crate::odoo) async fn flow(&self, credential: Option<&Credential>, address: IpAddr) -> Flow {
        let Some(credential) = credential else { return Flow::Address(address) };
        let user = self.accepted.get(&credential.fingerprint()).await;
        user.map_or(Flow::Address(address), Flow::User)
    }

    /// The error by which Odoo refused this credential within the last minute.
    pub(in crate::odoo) async fn refusal(&self, credential: &Credential) -> Option<Error> {
        self.refused.get(&credential.fingerprint()).await
    }

    /// Forgets what depends on a credential that Odoo no longer accepts.
    pub(in crate::odoo) async fn note_refusal(&self, credential: &Credential, error: &Error) {
        let fingerprint = credential.fingerprint();
        if error.is_about_credentials() {
            self.identities.invalidate(&fingerprint).await;
            self.accepted.invalidate(&fingerprint).await;
            self.logins.invalidate(&fingerprint).await;
        }
        if error.is_refused_secret() {
            self.refused.insert(fingerprint, error.clone()).await;
        }
    }
}
