//! What an address may try that nobody knows: so many different credentials in a minute, and so many refusals before each takes
//! its time.
//!
//! A credential that Odoo is not known to accept costs it a call, and a wrong password its time to hash; and Odoo counts failed
//! logins by address, which is the gateway's for all callers. What is in use is not held up by what others try from its address.

use std::{
    collections::HashSet,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use moka::future::Cache;
use tokio::time;

use super::Error;
use crate::{bucket::Bucket, odoo::Fingerprint};

const MOST: usize = 30;
const WITHIN: Duration = Duration::from_secs(60);
const ADDRESSES: u64 = 10_000;
/// So many refusals are told at once, and so many more each second. The others wait for `PAUSE`: whoever guesses as fast as it
/// gets answers leaves the machine to others.
const AT_ONCE: f64 = 200.0;
const PER_SECOND: f64 = 20.0;
const PAUSE: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub struct Attempts(Cache<IpAddr, Arc<Tried>>);

/// What an address has tried.
#[derive(Debug)]
struct Tried {
    credentials: Mutex<HashSet<Fingerprint>>,
    refusals: Bucket,
}

/// A credential that is being tried. Nothing of it shows in `Debug`.
pub struct Attempt {
    tried: Arc<Tried>,
    credential: Fingerprint,
}

impl Default for Attempts {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(ADDRESSES).time_to_live(WITHIN).build())
    }
}

impl Default for Tried {
    fn default() -> Self {
        Self { credentials: Mutex::default(), refusals: Bucket::new(AT_ONCE, PER_SECOND) }
    }
}

impl Attempts {
    /// `address` is one that whoever calls cannot change at will.
    pub async fn begin(&self, address: IpAddr, credential: Fingerprint) -> Result<Attempt, Error> {
        let tried = self.of(address).await;
        {
            let mut credentials = tried.credentials.lock().unwrap_or_else(PoisonError::into_inner);
            if credentials.len() >= MOST && !credentials.contains(&credential) {
                return Err(Error::TooManyAttempts);
            }
            credentials.insert(credential);
        }
        Ok(Attempt { tried, credential })
    }

    /// Comes back when a stranger from there may be told that it is refused.
    pub(super) async fn refuse(&self, address: IpAddr) {
        if !self.of(address).await.refusals.take() {
            time::sleep(PAUSE).await;
        }
    }

    async fn of(&self, address: IpAddr) -> Arc<Tried> {
        self.0.get_with(address, async { Arc::default() }).await
    }
}

impl Attempt {
    /// Odoo accepts it, or has not said that it does not.
    pub fn forgive(self) {
        self.tried.credentials.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.credential);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::odoo::Credential;

    fn credential(number: usize) -> Fingerprint {
        Credential::Key(number.to_string().into()).fingerprint()
    }

    #[tokio::test]
    async fn an_address_tries_so_many_wrong_ones_and_any_number_of_right_ones() {
        let attempts = Attempts::default();
        let address = IpAddr::from([192, 0, 2, 1]);
        for number in 0..1_000 {
            attempts.begin(address, credential(number)).await.unwrap().forgive();
        }
        for number in 0..MOST {
            drop(attempts.begin(address, credential(number)).await.unwrap());
        }
        assert!(matches!(attempts.begin(address, credential(MOST)).await, Err(Error::TooManyAttempts)));
        assert!(attempts.begin(address, credential(3)).await.is_ok());
        assert!(attempts.begin(IpAddr::from([192, 0, 2, 2]), credential(MOST)).await.is_ok());
    }
}
