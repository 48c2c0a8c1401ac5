//! The budget for failed logins, which keeps Odoo's login cooldown from locking out all callers.
//!
//! Odoo 14 to 19 counts failed logins per address, in each process, until one succeeds. From the tenth on
//! (`base.login_cooldown_after`; the fifth where that parameter has been deleted) each failed login locks that address out for a
//! minute, correct passwords included. An Odoo that is not in proxy mode sees the gateway's address for all callers, so they
//! share one token bucket: a failed login consumes a token, a successful one returns one, and time refills the bucket. A pair of
//! login and password that Odoo has accepted before needs no token. In proxy mode each address has a bucket of its own.
//!
//! Odoo counts logins for a session in all versions, and logins by JSON-RPC and XML-RPC before 16. It does not count API keys
//! sent by JSON-2, nor sessions.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use dashmap::DashSet;
use moka::{future::Cache, policy::EvictionPolicy};
use parking_lot::{Mutex, MutexGuard};
use tokio::{
    sync::Notify,
    time::{self, Instant},
};

use crate::odoo::{credential::Fingerprint, model::error::Error};

/// The number of failed logins that are let through at once: below the lower of Odoo's two thresholds.
const CAPACITY: f64 = 4.0;
/// The time for one more token: twice the minute of Odoo's cooldown, so that a correct login succeeds between two failed ones
/// whatever Odoo has counted.
const REFILL_TIME: Duration = Duration::from_secs(120);
const MAX_ADDRESSES: u64 = 10_000;
/// The maximum number of logins that are known to be correct, and for how long unused ones are kept.
const MAX_KNOWN: u64 = 10_000;
const KNOWN_UNUSED: Duration = Duration::from_secs(7 * 24 * 3_600);

/// The token buckets, and the logins that need no token.
#[derive(Debug)]
pub struct FailedLoginBudget {
    /// By address where Odoo sees the callers' addresses; otherwise the one bucket has the key `None`.
    buckets: Cache<Option<IpAddr>, Arc<TokenBucket>>,
    per_address: AtomicBool,
    known: Arc<KnownLogins>,
}

/// Logins that are considered correct.
#[derive(Debug)]
struct KnownLogins {
    accepted: Cache<Fingerprint, ()>,
    /// Logins from the configuration that Odoo has not refused.
    trusted: DashSet<Fingerprint>,
}

#[derive(Debug)]
struct TokenBucket {
    state: Mutex<State>,
    /// A login has returned or consumed its token.
    ended: Notify,
}

#[derive(Debug)]
struct State {
    left: f64,
    filled: Instant,
    /// The number of logins that have taken a token and wait for Odoo's answer.
    under_way: usize,
}

/// A login that is being attempted. If it is dropped without a verdict of Odoo, its token is returned.
#[derive(Debug)]
pub struct BudgetedLogin {
    bucket: Arc<TokenBucket>,
    known: Arc<KnownLogins>,
    credential: Option<Fingerprint>,
    holds_token: bool,
}

impl Default for FailedLoginBudget {
    fn default() -> Self {
        Self {
            // Recent addresses are kept.
            buckets: Cache::builder().max_capacity(MAX_ADDRESSES).eviction_policy(EvictionPolicy::lru()).build(),
            per_address: AtomicBool::new(false),
            known: Arc::new(KnownLogins {
                accepted: Cache::builder().max_capacity(MAX_KNOWN).time_to_idle(KNOWN_UNUSED).build(),
                trusted: DashSet::new(),
            }),
        }
    }
}

impl FailedLoginBudget {
    /// Sets whether Odoo counts by the callers' own addresses, as it does in proxy mode.
    pub(in crate::odoo) fn set_per_address(&self, per_address: bool) {
        self.per_address.store(per_address, Relaxed);
    }

    /// Considers a configured login correct until Odoo refuses it.
    pub fn trust(&self, credential: Fingerprint) {
        self.known.trusted.insert(credential);
    }

    /// Odoo has refused a secret that was sent with an RPC, and counted it.
    pub(in crate::odoo) async fn note_wrong(&self, address: Option<IpAddr>) {
        let bucket = self.bucket(address).await;
        let mut state = bucket.lock();
        state.fill();
        state.left = (state.left - 1.0).max(0.0);
    }

    async fn bucket(&self, address: Option<IpAddr>) -> Arc<TokenBucket> {
        let address = address.filter(|_| self.per_address.load(Relaxed));
        self.buckets.get_with(address, async { Arc::default() }).await
    }

    /// Begins a login from `address`. While all tokens are held by logins under way, it waits for one, until `until`.
    ///
    /// # Errors
    /// [`Error::LoginsHeld`] where no tokens are left and the login is not known to be correct; [`Error::OutOfTime`] at `until`.
    pub async fn begin(
        &self,
        address: Option<IpAddr>,
        credential: Option<Fingerprint>,
        until: Instant,
    ) -> Result<BudgetedLogin, Error> {
        let bucket = self.bucket(address).await;
        let is_known = match &credential {
            Some(credential) => {
                self.known.trusted.contains(credential) || self.known.accepted.get(credential).await.is_some()
            }
            None => false,
        };
        if !is_known {
            bucket.acquire(until).await?;
        }
        Ok(BudgetedLogin { bucket, known: self.known.clone(), credential, holds_token: !is_known })
    }
}

impl Default for TokenBucket {
    fn default() -> Self {
        let state = State { left: CAPACITY, filled: Instant::now(), under_way: 0 };
        Self { state: Mutex::new(state), ended: Notify::new() }
    }
}

impl TokenBucket {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    async fn acquire(&self, until: Instant) -> Result<(), Error> {
        loop {
            let ended = self.ended.notified();
            {
                let mut state = self.lock();
                state.fill();
                if state.left >= 1.0 {
                    state.left -= 1.0;
                    state.under_way += 1;
                    return Ok(());
                }
                if state.under_way == 0 {
                    return Err(no_budget());
                }
            }
            time::timeout_at(until, ended).await.map_err(|_| Error::OutOfTime)?;
        }
    }
}

impl State {
    fn fill(&mut self) {
        let now = Instant::now();
        self.give(now.duration_since(self.filled).div_duration_f64(REFILL_TIME));
        self.filled = now;
    }

    fn give(&mut self, tokens: f64) {
        self.left = (self.left + tokens).min(CAPACITY);
    }
}

impl BudgetedLogin {
    /// Odoo has accepted the login.
    pub async fn was_right(self) {
        if let Some(credential) = self.credential {
            self.known.accepted.insert(credential, ()).await;
        }
        let mut state = self.bucket.lock();
        state.fill();
        state.give(1.0);
    }

    /// Odoo has refused the login.
    pub async fn was_wrong(mut self) {
        if let Some(credential) = self.credential {
            self.known.trusted.remove(&credential);
            self.known.accepted.invalidate(&credential).await;
        }
        let mut state = self.bucket.lock();
        state.fill();
        if self.holds_token {
            state.under_way -= 1;
        } else {
            state.left = (state.left - 1.0).max(0.0);
        }
        drop(state);
        self.holds_token = false;
        self.bucket.ended.notify_waiters();
    }

    /// Odoo is in its cooldown: it has counted more failed logins than the gateway. During the cooldown it neither checks nor
    /// counts logins (14-19), so one token is left: one login at a time finds out whether the cooldown is over.
    pub fn was_held(self) {
        let mut state = self.bucket.lock();
        state.fill();
        // The token of this login is returned when it is dropped.
        state.left = if self.holds_token { 0.0 } else { state.left.min(1.0) };
    }
}

impl Drop for BudgetedLogin {
    fn drop(&mut self) {
        if self.holds_token {
            let mut state = self.bucket.lock();
            state.under_way -= 1;
            state.give(1.0);
            drop(state);
            self.bucket.ended.notify_waiters();
        }
    }
}

fn no_budget() -> Error {
    let words = "several wrong ones came in a row, and the gateway keeps Odoo from refusing the right ones too";
    Error::LoginsHeld { words: words.to_owned() }
}

#[cfg(test)]
mod tests {
    use futures_util::future;

    use super::*;
    use crate::odoo::credential::Credential;

    fn login(number: usize) -> Option<Fingerprint> {
        Some(Credential::Password { login: number.to_string(), password: "p".into() }.fingerprint())
    }

    fn address(last: u8) -> Option<IpAddr> {
        Some(IpAddr::from([192, 0, 2, last]))
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }

    /// How many of these failed logins are let through, each from an address of its own.
    async fn wrong(budget: &FailedLoginBudget, logins: std::ops::Range<usize>) -> usize {
        let mut through = 0;
        for number in logins {
            if let Ok(attempt) = budget.begin(address(number as u8), login(number), soon()).await {
                attempt.was_wrong().await;
                through += 1;
            }
        }
        through
    }

    #[tokio::test(start_paused = true)]
    async fn wrong_logins_stay_below_odoos_threshold_in_sum_and_known_ones_keep_a_way_in() {
        let budget = FailedLoginBudget::default();
        budget.begin(address(1), login(500), soon()).await.unwrap().was_right().await;
        assert_eq!(wrong(&budget, 0..100).await, 4);
        let refused = budget.begin(address(1), login(501), soon()).await.unwrap_err();
        assert_eq!(refused.code().as_str(), "logins_held");
        // Each right one makes room for one more.
        budget.begin(address(1), login(500), soon()).await.unwrap().was_right().await;
        assert_eq!(wrong(&budget, 0..100).await, 1);
        time::advance(REFILL_TIME).await;
        assert_eq!(wrong(&budget, 0..100).await, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_known_login_that_odoo_refuses_is_known_no_more() {
        let budget = FailedLoginBudget::default();
        budget.trust(login(1).unwrap());
        assert_eq!(wrong(&budget, 2..50).await, 4);
        budget.begin(address(1), login(1), soon()).await.unwrap().was_wrong().await;
        assert!(budget.begin(address(1), login(1), soon()).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn addresses_that_odoo_tells_apart_have_budgets_of_their_own() {
        let budget = FailedLoginBudget::default();
        budget.set_per_address(true);
        assert_eq!(wrong(&budget, 0..100).await, 100);
        for number in 0..20 {
            if let Ok(attempt) = budget.begin(address(200), login(number), soon()).await {
                attempt.was_wrong().await;
            }
        }
        assert!(budget.begin(address(200), login(50), soon()).await.is_err());
        assert!(budget.begin(address(201), login(50), soon()).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn many_right_logins_at_once_wait_for_each_other_and_all_get_in() {
        let budget = FailedLoginBudget::default();
        let log_in = async |number: usize| {
            let attempt = budget.begin(address(1), login(number), soon()).await.unwrap();
            time::sleep(Duration::from_millis(100)).await;
            attempt.was_right().await;
        };
        future::join_all((0..50).map(log_in)).await;
        // And none that got no answer costs a token.
        drop(budget.begin(address(1), login(60), soon()).await.unwrap());
        assert_eq!(wrong(&budget, 100..150).await, 4);
    }

    #[tokio::test(start_paused = true)]
    async fn when_odoo_takes_no_logins_one_stranger_at_a_time_looks_whether_it_does_again() {
        let budget = FailedLoginBudget::default();
        for number in 0..10 {
            budget.begin(address(1), login(number), soon()).await.unwrap().was_held();
        }
        let looks = budget.begin(address(1), login(10), soon()).await.unwrap();
        assert!(matches!(budget.begin(address(1), login(11), soon()).await, Err(Error::OutOfTime)));
        looks.was_wrong().await;
        assert!(matches!(budget.begin(address(1), login(11), soon()).await, Err(Error::LoginsHeld { .. })));
        time::advance(REFILL_TIME).await;
        assert!(budget.begin(address(1), login(11), soon()).await.is_ok());
    }
}
