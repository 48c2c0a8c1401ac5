//! The login throttle: how many unknown credentials an address may try in a minute, and how many refusals it gets before each
//! one is delayed.
//!
//! A credential that Odoo is not known to accept costs it a call, and a wrong password its time to hash; and Odoo counts failed
//! logins by address, which is the gateway's for all callers. What is in use is not held up by what others try from its address.

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use moka::{future::Cache, policy::EvictionPolicy};
use tokio::{sync::Semaphore, time};

use super::{Error, token_bucket::TokenBucket};
use crate::odoo::Fingerprint;

/// Wrong credentials that an address may try within `WITHIN`.
const MOST: usize = 30;
/// Unknown credentials that an address may have tried at the same time.
const UNDER_WAY: usize = 30;
const WITHIN: Duration = Duration::from_secs(60);
const ADDRESSES: u64 = 10_000;
/// A token bucket of refusals: this many at once, and so many more each second. Refusals beyond it are delayed by `PAUSE`, so
/// that a caller that guesses as fast as it gets answers leaves the machine to others.
const AT_ONCE: f64 = 200.0;
const PER_SECOND: f64 = 20.0;
const PAUSE: Duration = Duration::from_millis(500);
const PAUSES: usize = 400;

#[derive(Debug)]
pub struct LoginThrottle {
    by_address: Cache<IpAddr, Arc<Tried>>,
    pauses: Semaphore,
}

/// What an address has tried.
#[derive(Debug)]
struct Tried {
    credentials: Mutex<Credentials>,
    refusals: TokenBucket,
}

#[derive(Debug, Default)]
struct Credentials {
    wrong: HashSet<Fingerprint>,
    /// Those that are being tried, each by so many calls.
    under_way: HashMap<Fingerprint, usize>,
}

/// A credential that is being tried. Nothing of it shows in `Debug`.
pub struct LoginAttempt {
    tried: Arc<Tried>,
    credential: Fingerprint,
}

impl Default for LoginThrottle {
    fn default() -> Self {
        let by_address = Cache::builder()
            .max_capacity(ADDRESSES)
            .time_to_live(WITHIN)
            // The latest are the ones to be remembered.
            .eviction_policy(EvictionPolicy::lru())
            .build();
        Self { by_address, pauses: Semaphore::new(PAUSES) }
    }
}

impl Default for Tried {
    fn default() -> Self {
        Self { credentials: Mutex::default(), refusals: TokenBucket::new(AT_ONCE, PER_SECOND) }
    }
}

impl LoginThrottle {
    /// Begins an attempt with a credential. `address` must be one that the caller cannot change at will.
    ///
    /// # Errors
    /// Too many wrong credentials came from this address, or too many are being tried.
    pub async fn begin(&self, address: IpAddr, credential: Fingerprint) -> Result<LoginAttempt, Error> {
        let tried = self.of(address).await;
        {
            let mut credentials = tried.lock();
            let Credentials { wrong, under_way } = &*credentials;
            let is_new = !wrong.contains(&credential) && !under_way.contains_key(&credential);
            if is_new && (wrong.len() >= MOST || under_way.len() >= UNDER_WAY) {
                return Err(Error::TooManyAttempts);
            }
            *credentials.under_way.entry(credential).or_default() += 1;
        }
        Ok(LoginAttempt { tried, credential })
    }

    /// Returns when a refusal may be answered to this address: at once, or after `PAUSE`.
    pub async fn refuse(&self, address: IpAddr) {
        // However many addresses there are, not all requests that may be under way are to wait here.
        if !self.of(address).await.refusals.take()
            && let Ok(_pause) = self.pauses.try_acquire()
        {
            time::sleep(PAUSE).await;
        }
    }

    async fn of(&self, address: IpAddr) -> Arc<Tried> {
        self.by_address.get_with(address, async { Arc::default() }).await
    }
}

impl Tried {
    fn lock(&self) -> MutexGuard<'_, Credentials> {
        self.credentials.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LoginAttempt {
    /// Odoo does not accept the credential.
    pub fn was_wrong(self) {
        self.tried.lock().wrong.insert(self.credential);
    }
}

impl Drop for LoginAttempt {
    fn drop(&mut self) {
        let mut credentials = self.tried.lock();
        if let Some(calls) = credentials.under_way.get_mut(&self.credential) {
            *calls -= 1;
            if *calls == 0 {
                credentials.under_way.remove(&self.credential);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future;

    use super::*;
    use crate::odoo::Credential;

    fn credential(number: usize) -> Fingerprint {
        Credential::Key(number.to_string().into()).fingerprint()
    }

    #[tokio::test]
    async fn an_address_tries_so_many_wrong_ones_and_any_number_of_right_ones() {
        let attempts = LoginThrottle::default();
        let address = IpAddr::from([192, 0, 2, 1]);
        for number in 0..1_000 {
            drop(attempts.begin(address, credential(number)).await.unwrap());
        }
        // However many calls one credential makes at once.
        let calls = future::join_all((0..500).map(|_| attempts.begin(address, credential(0)))).await;
        assert!(calls.iter().all(Result::is_ok));
        drop(calls);
        let under_way =
            future::join_all((0..=UNDER_WAY).map(|number| attempts.begin(address, credential(number)))).await;
        assert_eq!(under_way.iter().filter(|attempt| attempt.is_err()).count(), 1);
        drop(under_way);
        for number in 0..MOST {
            attempts.begin(address, credential(number)).await.unwrap().was_wrong();
        }
        assert!(matches!(attempts.begin(address, credential(MOST)).await, Err(Error::TooManyAttempts)));
        assert!(attempts.begin(address, credential(3)).await.is_ok());
        assert!(attempts.begin(IpAddr::from([192, 0, 2, 2]), credential(MOST)).await.is_ok());
    }
}
