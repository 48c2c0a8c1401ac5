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
