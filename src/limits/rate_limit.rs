//! The rate limit of one caller (calls a second), and its concurrency limit (calls under way).

use std::sync::Arc;

use moka::future::Cache;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Error, token_bucket::TokenBucket};
use crate::{config::Rules, odoo::Fingerprint};

/// Callers whose limits are kept; one that is dropped from the cache begins anew.
const CALLERS: u64 = 10_000;

/// The limits of one caller.
#[derive(Debug)]
pub struct RateLimit {
    rate: Option<(u32, TokenBucket)>,
    in_flight: Option<(usize, Arc<Semaphore>)>,
}

/// A call's share; given back when it is dropped.
#[derive(Debug)]
pub struct Share {
    _place: Option<OwnedSemaphorePermit>,
}

/// What of the limits of one caller is used now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Used {
    /// Of the calls of a second: how many were made, and how many may be.
    pub rate: Option<(u32, u32)>,
    /// Calls under way, and how many may be.
    pub in_flight: Option<(usize, usize)>,
}

impl RateLimit {
    pub fn new(rules: &Rules) -> Self {
        let rate = rules.requests_per_second.map(|most| {
            let per_second = f64::from(most.get());
            (most.get(), TokenBucket::new(per_second, per_second))
        });
        let in_flight =
            rules.in_flight.map(|most| (most.get(), Arc::new(Semaphore::new(most.get().min(Semaphore::MAX_PERMITS)))));
        Self { rate, in_flight }
    }

    /// What is used now. It takes nothing.
    pub fn used(&self) -> Used {
        let rate = self.rate.as_ref().map(|(most, bucket)| {
            let left = (0..=*most).rev().find(|left| f64::from(*left) <= bucket.left()).unwrap_or_default();
            (most - left, *most)
        });
        let in_flight = self.in_flight.as_ref().map(|(most, places)| {
            let free = places.available_permits();
            ((*most).min(Semaphore::MAX_PERMITS).saturating_sub(free), *most)
        });
        Used { rate, in_flight }
    }

    /// Takes a share for one more call.
    ///
    /// # Errors
    /// A limit is reached.
    pub fn admit(&self) -> Result<Share, Error> {
        let place = match &self.in_flight {
            None => None,
            Some((most, places)) => {
                let place = places.clone().try_acquire_owned();
                Some(place.map_err(|_| Error::TooManyInFlight { most: *most })?)
            }
        };
        match &self.rate {
            Some((most, bucket)) if !bucket.take() => Err(Error::RateLimited { per_second: *most }),
            _ => Ok(Share { _place: place }),
        }
    }
}

/// The limits of callers with credentials of their own, one for each credential.
#[derive(Debug)]
pub struct RateLimits {
    rules: Rules,
    by_caller: Cache<Fingerprint, Arc<RateLimit>>,
}

impl RateLimits {
    pub fn new(rules: &Rules) -> Self {
        Self { rules: rules.clone(), by_caller: Cache::new(CALLERS) }
    }

    pub async fn admit(&self, caller: Fingerprint) -> Result<Option<Share>, Error> {
        if self.rules.requests_per_second.is_none() && self.rules.in_flight.is_none() {
            return Ok(None);
        }
        let pace = self.by_caller.get_with(caller, async { Arc::new(RateLimit::new(&self.rules)) }).await;
        pace.admit().map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[tokio::test(start_paused = true)]
    async fn what_is_used_is_told_and_given_back() {
        let written = "[upstream]\nurl = \"http://odoo\"\ndatabase = \"odoo\"\n\
                       [policy]\nrequests_per_second = 3\nin_flight = 2";
        let rules = Config::parse(written, "gateway.toml".as_ref()).unwrap().policy.rules;
        let limit = RateLimit::new(&rules);
        assert_eq!(limit.used(), Used { rate: Some((0, 3)), in_flight: Some((0, 2)) });
        let share = limit.admit().unwrap();
        assert_eq!(limit.used(), Used { rate: Some((1, 3)), in_flight: Some((1, 2)) });
        drop(share);
        assert_eq!(limit.used().in_flight, Some((0, 2)));
    }
}
