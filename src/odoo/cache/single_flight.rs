//! Single flight: concurrent requests for the same missing cache entry share one question, each with its own deadline.

use std::{
    hash::Hash,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use moka::future::Cache;
use tokio::time::{self, Instant};

use crate::odoo::model::error::Error;

/// The cached value, or the result of `fetch`, which is then cached. While another caller fetches the same key, its result is
/// awaited, until `until` at the latest. An error that only concerns that caller's own deadline or queue position is not
/// shared: the next caller fetches anew.
///
/// # Errors
/// Those of `fetch`, and [`Error::OutOfTime`] at `until`.
pub(in crate::odoo) async fn get_or_fetch<K, V, F>(
    cache: &Cache<K, V>,
    key: K,
    until: Instant,
    fetch: impl Fn() -> F,
) -> Result<V, Error>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    F: Future<Output = Result<V, Error>>,
{
    // The common case, without the cost of coordination.
    if let Some(known) = cache.get(&key).await {
        return Ok(known);
    }
    loop {
        let is_own = AtomicBool::new(false);
        let fetched = async {
            is_own.store(true, Relaxed);
            fetch().await
        };
        // Boxed, since a fetch may need further fetches, and their futures would be nested by value.
        let fetched = Box::pin(cache.try_get_with(key.clone(), Box::pin(fetched)));
        let outcome = time::timeout_at(until, fetched).await;
        let outcome: Result<V, Arc<Error>> = outcome.map_err(|_| Error::OutOfTime)?;
        match outcome {
            Err(error) if error.concerns_only_its_call() && !is_own.load(Relaxed) && Instant::now() < until => {}
            outcome => return outcome.map_err(|error| Error::clone(&error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, time::Duration};

    use super::*;
    use crate::odoo::model::error::Queue;

    #[tokio::test(start_paused = true)]
    async fn one_who_has_more_time_asks_again_when_the_first_gave_up() {
        let cache: Cache<u8, u8> = Cache::new(10);
        let now = Instant::now();
        let hurried = get_or_fetch(&cache, 1, now + Duration::from_secs(60), || async {
            time::sleep(Duration::from_secs(5)).await;
            Err(Error::Busy(Queue::Full(0)))
        });
        let patient = get_or_fetch(&cache, 1, now + Duration::from_secs(60), || async { Ok(7) });
        let (hurried, patient) = tokio::join!(hurried, patient);
        assert_eq!((hurried.unwrap_err().code().as_str(), patient.unwrap()), ("too_busy", 7));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_another_beyond_its_own_time() {
        let cache: Cache<u8, u8> = Cache::new(10);
        let (now, asked) = (Instant::now(), Cell::new(0));
        let slow = || async {
            asked.set(asked.get() + 1);
            time::sleep(Duration::from_secs(30)).await;
            Ok(7)
        };
        let patient = get_or_fetch(&cache, 1, now + Duration::from_secs(60), slow);
        let hurried = get_or_fetch(&cache, 1, now + Duration::from_secs(1), slow);
        let (patient, hurried) = tokio::join!(patient, hurried);
        assert_eq!((patient.unwrap(), hurried.unwrap_err().code().as_str(), asked.get()), (7, "out_of_time", 1));
    }
}
