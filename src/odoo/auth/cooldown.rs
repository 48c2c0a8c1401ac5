//! Odoo's login cooldown: wrong logins that the gateway lets through stay below the number from which on Odoo takes none.
//!
//! Odoo 14 to 19 counts wrong logins by address, in each process, until one is right. From the tenth on
//! (`base.login_cooldown_after`; the fifth where that parameter is gone) each wrong one closes the protocol for that address for a
//! minute, to right passwords too. To an Odoo that is not in proxy mode all callers have the gateway's address, so here they
//! share one budget (token bucket): a wrong login takes a token, a right one gives one back, and so does time. A login that Odoo
//! has accepted before, login and password alike, needs none. In proxy mode each address has a budget of its own.
//!
//! What counts at Odoo: logins for a session in all versions, logins by JSON-RPC and XML-RPC before 16. API keys of JSON-2 and
//! sessions do not.

use std::{
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use dashmap::DashSet;
use moka::{future::Cache, policy::EvictionPolicy};
use tokio::{
    sync::Notify,
    time::{self, Instant},
};

use crate::odoo::{auth::credential::Fingerprint, model::error::Error};

/// Wrong logins that are let through at once: below the lower of Odoo's two thresholds.
const MOST: f64 = 4.0;
/// One more after so long. Twice the minute for which Odoo takes no logins, so that a right one gets in between two wrong ones
/// whatever Odoo has counted.
const ONE_MORE: Duration = Duration::from_secs(120);
const ADDRESSES: u64 = 10_000;
/// Logins that are known to be right, and for how long where nobody uses them.
const GOOD: u64 = 10_000;
const GOOD_UNUSED: Duration = Duration::from_secs(7 * 24 * 3_600);

#[derive(Debug)]
pub struct Cooldown {
    /// By address where Odoo tells them apart; that of all callers is under none.
    budgets: Cache<Option<IpAddr>, Arc<Budget>>,
    tells_addresses: AtomicBool,
    good: Arc<Good>,
}

/// Logins that are taken for right.
#[derive(Debug)]
struct Good {
    accepted: Cache<Fingerprint, ()>,
    /// Those of the configuration that Odoo has not refused.
    trusted: DashSet<Fingerprint>,
}

#[derive(Debug)]
struct Budget {
    state: Mutex<State>,
    ended: Notify,
}

#[derive(Debug)]
struct State {
    left: f64,
    filled: Instant,
    /// Logins at which Odoo is, each with a token of its own.
    under_way: usize,
}

/// A login that is tried. Where it ends without a verdict of Odoo's, its token is given back.
#[derive(Debug)]
pub struct Try {
    budget: Arc<Budget>,
    good: Arc<Good>,
    credential: Option<Fingerprint>,
    /// It has taken a token.
    is_counted: bool,
}

impl Default for Cooldown {
    fn default() -> Self {
        Self {
            // The latest are the ones to be remembered.
            budgets: Cache::builder().max_capacity(ADDRESSES).eviction_policy(EvictionPolicy::lru()).build(),
            tells_addresses: AtomicBool::new(false),
            good: Arc::new(Good {
                accepted: Cache::builder().max_capacity(GOOD).time_to_idle(GOOD_UNUSED).build(),
                trusted: DashSet::new(),
            }),
        }
    }
}

impl Cooldown {
    /// Whether Odoo counts by the callers' own addresses, as it does in proxy mode.
    pub(in crate::odoo) fn tell_addresses(&self, tells: bool) {
        self.tells_addresses.store(tells, Relaxed);
    }

    /// A login that the operator has configured: taken for right until Odoo refuses it.
    pub fn trust(&self, credential: Fingerprint) {
        self.good.trusted.insert(credential);
    }

    /// Odoo has refused a secret that came with a call, and counted it.
    pub(in crate::odoo) async fn note_wrong(&self, address: Option<IpAddr>) {
        let budget = self.budget(address).await;
        let mut state = budget.lock();
        state.fill();
        state.left = (state.left - 1.0).max(0.0);
    }

    async fn budget(&self, address: Option<IpAddr>) -> Arc<Budget> {
        let address = address.filter(|_| self.tells_addresses.load(Relaxed));
        self.budgets.get_with(address, async { Arc::default() }).await
    }

    /// Begins a login from `address`; waits until `until` while others that may turn out right have the tokens.
    ///
    /// # Errors
    ///
    /// `LoginsHeld` where the budget is used up, and the login is not known to be right.
    pub async fn begin(
        &self,
        address: Option<IpAddr>,
        credential: Option<Fingerprint>,
        until: Instant,
    ) -> Result<Try, Error> {
        let budget = self.budget(address).await;
        let is_good = match &credential {
            Some(credential) => {
                self.good.trusted.contains(credential) || self.good.accepted.get(credential).await.is_some()
            }
            None => false,
        };
        if !is_good {
            budget.take(until).await?;
        }
        Ok(Try { budget, good: self.good.clone(), credential, is_counted: !is_good })
    }
}

impl Default for Budget {
    fn default() -> Self {
        let state = State { left: MOST, filled: Instant::now(), under_way: 0 };
        Self { state: Mutex::new(state), ended: Notify::new() }
    }
}

impl Budget {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn take(&self, until: Instant) -> Result<(), Error> {
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
                    return Err(held());
                }
            }
            time::timeout_at(until, ended).await.map_err(|_| Error::OutOfTime)?;
        }
    }
}

impl State {
    fn fill(&mut self) {
        let now = Instant::now();
        self.give(now.duration_since(self.filled).div_duration_f64(ONE_MORE));
        self.filled = now;
    }

    fn give(&mut self, tokens: f64) {
        self.left = (self.left + tokens).min(MOST);
    }
}

impl Try {
    /// Odoo has accepted it.
    pub async fn was_right(self) {
        if let Some(credential) = self.credential {
            self.good.accepted.insert(credential, ()).await;
        }
        let mut state = self.budget.lock();
        state.fill();
        state.give(1.0);
    }

    /// Odoo has refused it.
    pub async fn was_wrong(mut self) {
        if let Some(credential) = self.credential {
            self.good.trusted.remove(&credential);
            self.good.accepted.invalidate(&credential).await;
        }
        let mut state = self.budget.lock();
        state.fill();
        if self.is_counted {
            state.under_way -= 1;
        } else {
            state.left = (state.left - 1.0).max(0.0);
        }
        drop(state);
        self.is_counted = false;
        self.budget.ended.notify_waiters();
    }

    /// Odoo takes no logins: it has counted more than the gateway. What it refuses then it does not look at, nor count (14-19),
    /// so one token is left: one login at a time shows whether Odoo takes any again.
    pub fn was_held(self) {
        let mut state = self.budget.lock();
        state.fill();
        // This one's own token comes back when it is dropped.
        state.left = if self.is_counted { 0.0 } else { state.left.min(1.0) };
    }
}

impl Drop for Try {
    fn drop(&mut self) {
        if self.is_counted {
            let mut state = self.budget.lock();
            state.under_way -= 1;
            state.give(1.0);
            drop(state);
            self.budget.ended.notify_waiters();
        }
    }
}

fn held() -> Error {
    let words = "several wrong ones came in a row, and the gateway keeps Odoo from refusing the right ones too";
    Error::LoginsHeld { words: words.to_owned() }
}

#[cfg(test)]
mod tests {
    use futures_util::future;

    use super::*;
    use crate::odoo::auth::credential::Credential;

    fn login(number: usize) -> Option<Fingerprint> {
        Some(Credential::Password { login: number.to_string(), password: "p".into() }.fingerprint())
    }

    fn address(last: u8) -> Option<IpAddr> {
        Some(IpAddr::from([192, 0, 2, last]))
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }

    /// How many of so many wrong logins get through, each from an address of its own.
    async fn wrong(cooldown: &Cooldown, logins: std::ops::Range<usize>) -> usize {
        let mut through = 0;
        for number in logins {
            if let Ok(tried) = cooldown.begin(address(number as u8), login(number), soon()).await {
                tried.was_wrong().await;
                through += 1;
            }
        }
        through
    }

    #[tokio::test(start_paused = true)]
    async fn wrong_logins_stay_below_odoos_threshold_in_sum_and_known_ones_keep_a_way_in() {
        let cooldown = Cooldown::default();
        cooldown.begin(address(1), login(500), soon()).await.unwrap().was_right().await;
        assert_eq!(wrong(&cooldown, 0..100).await, 4);
        let refused = cooldown.begin(address(1), login(501), soon()).await.unwrap_err();
        assert_eq!(refused.code().as_str(), "logins_held");
        // Each right one makes room for one more.
        cooldown.begin(address(1), login(500), soon()).await.unwrap().was_right().await;
        assert_eq!(wrong(&cooldown, 0..100).await, 1);
        time::advance(ONE_MORE).await;
        assert_eq!(wrong(&cooldown, 0..100).await, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_known_login_that_odoo_refuses_is_known_no_more() {
        let cooldown = Cooldown::default();
        cooldown.trust(login(1).unwrap());
        assert_eq!(wrong(&cooldown, 2..50).await, 4);
        cooldown.begin(address(1), login(1), soon()).await.unwrap().was_wrong().await;
        assert!(cooldown.begin(address(1), login(1), soon()).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn addresses_that_odoo_tells_apart_have_budgets_of_their_own() {
        let cooldown = Cooldown::default();
        cooldown.tell_addresses(true);
        assert_eq!(wrong(&cooldown, 0..100).await, 100);
        for number in 0..20 {
            if let Ok(tried) = cooldown.begin(address(200), login(number), soon()).await {
                tried.was_wrong().await;
            }
        }
        assert!(cooldown.begin(address(200), login(50), soon()).await.is_err());
        assert!(cooldown.begin(address(201), login(50), soon()).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn many_right_logins_at_once_wait_for_each_other_and_all_get_in() {
        let cooldown = Cooldown::default();
        let log_in = async |number: usize| {
            let tried = cooldown.begin(address(1), login(number), soon()).await.unwrap();
            time::sleep(Duration::from_millis(100)).await;
            tried.was_right().await;
        };
        future::join_all((0..50).map(log_in)).await;
        // And none that got no answer costs a token.
        drop(cooldown.begin(address(1), login(60), soon()).await.unwrap());
        assert_eq!(wrong(&cooldown, 100..150).await, 4);
    }

    #[tokio::test(start_paused = true)]
    async fn when_odoo_takes_no_logins_one_stranger_at_a_time_looks_whether_it_does_again() {
        let cooldown = Cooldown::default();
        for number in 0..10 {
            cooldown.begin(address(1), login(number), soon()).await.unwrap().was_held();
        }
        let looks = cooldown.begin(address(1), login(10), soon()).await.unwrap();
        assert!(matches!(cooldown.begin(address(1), login(11), soon()).await, Err(Error::OutOfTime)));
        looks.was_wrong().await;
        assert!(matches!(cooldown.begin(address(1), login(11), soon()).await, Err(Error::LoginsHeld { .. })));
        time::advance(ONE_MORE).await;
        assert!(cooldown.begin(address(1), login(11), soon()).await.is_ok());
    }
}
