//! How many different credentials an address may try in a minute, of which Odoo is not known to accept any.
//!
//! Each costs Odoo a call, and a wrong password its time to hash; and Odoo counts failed logins by address, which is the
//! gateway's for all callers. A credential that is in use is not held up by what others try from its address.

use std::{
    collections::HashSet,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use moka::future::Cache;

use super::Error;
use crate::odoo::Fingerprint;

const MOST: usize = 30;
const WITHIN: Duration = Duration::from_secs(60);
const ADDRESSES: u64 = 10_000;

type Tried = Arc<Mutex<HashSet<Fingerprint>>>;

#[derive(Debug)]
pub struct Attempts(Cache<IpAddr, Tried>);

/// A credential that is being tried.
pub(super) struct Attempt {
    tried: Tried,
    credential: Fingerprint,
}

impl Default for Attempts {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(ADDRESSES).time_to_live(WITHIN).build())
    }
}

impl Attempts {
    /// `address` is one that whoever calls cannot change at will.
    pub(super) async fn begin(&self, address: IpAddr, credential: Fingerprint) -> Result<Attempt, Error> {
        let tried = self.0.get_with(address, async { Tried::default() }).await;
        {
            let mut credentials = tried.lock().unwrap_or_else(PoisonError::into_inner);
            if credentials.len() >= MOST && !credentials.contains(&credential) {
                return Err(Error::TooManyAttempts);
            }
            credentials.insert(credential);
        }
        Ok(Attempt { tried, credential })
    }
}

impl Attempt {
    /// Odoo accepts it, or has not said that it does not.
    pub(super) fn forgive(self) {
        self.tried.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.credential);
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
