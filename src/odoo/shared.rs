//! One question for all who ask the same at the same time, each with a patience of its own.

use std::{
    hash::Hash,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use moka::future::Cache;
use tokio::time::{self, Instant};

use super::error::Error;

/// The value from the cache, or what `ask` gives, which goes into the cache. Whoever comes while another asks waits for that
/// answer, until `until`; that the other's own time or turn was over is no answer.
pub(super) async fn get_or_ask<K, V, F>(
    cache: &Cache<K, V>,
    key: K,
    until: Instant,
    ask: impl Fn() -> F,
) -> Result<V, Error>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    F: Future<Output = Result<V, Error>>,
{
    // As a rule it is there, and nobody need be waited for.
    if let Some(known) = cache.get(&key).await {
        return Ok(known);
    }
    loop {
        let is_own = AtomicBool::new(false);
        let asked = async {
            is_own.store(true, Relaxed);
            ask().await
        };
        // On the heap: questions lead to questions, and their futures would stand within one another.
        let asked = Box::pin(cache.try_get_with(key.clone(), Box::pin(asked)));
        let outcome = time::timeout_at(until, asked).await;
        let outcome: Result<V, Arc<Error>> = outcome.map_err(|_| Error::OutOfTime)?;
        match outcome {
            Err(error) if error.is_of_the_asker() && !is_own.load(Relaxed) && Instant::now() < until => {}
            outcome => return outcome.map_err(|error| Error::clone(&error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, time::Duration};

    use super::*;
    use crate::odoo::error::Queue;

    #[tokio::test(start_paused = true)]
    async fn one_who_has_more_time_asks_again_when_the_first_gave_up() {
        let cache: Cache<u8, u8> = Cache::new(10);
        let now = Instant::now();
        let hurried = get_or_ask(&cache, 1, now + Duration::from_secs(60), || async {
            time::sleep(Duration::from_secs(5)).await;
            Err(Error::Busy(Queue::Full(0)))
        });
        let patient = get_or_ask(&cache, 1, now + Duration::from_secs(60), || async { Ok(7) });
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
        let patient = get_or_ask(&cache, 1, now + Duration::from_secs(60), slow);
        let hurried = get_or_ask(&cache, 1, now + Duration::from_secs(1), slow);
        let (patient, hurried) = tokio::join!(patient, hurried);
        assert_eq!((patient.unwrap(), hurried.unwrap_err().code().as_str(), asked.get()), (7, "out_of_time", 1));
    }
}
