//! A pace: so many beginnings a second, and each caller waits for the next one.

use std::{num::NonZeroU32, time::Duration};

use tokio::time;

use super::token_bucket::TokenBucket;

/// What may be begun at once after a pause, as a part of a second's.
const BURST: f64 = 0.1;

/// So many beginnings a second, with small bursts.
#[derive(Debug)]
pub struct Pace {
    bucket: TokenBucket,
    between: Duration,
}

impl Pace {
    pub fn new(per_second: NonZeroU32) -> Self {
        let per_second = f64::from(per_second.get());
        let bucket = TokenBucket::new((per_second * BURST).max(1.0), per_second);
        Self { bucket, between: Duration::from_secs_f64(1.0 / per_second) }
    }

    /// Waits until one more may begin.
    pub async fn next(&self) {
        while !self.bucket.take() {
            time::sleep(self.between.max(Duration::from_millis(1))).await;
        }
    }

    /// What was waited for has not begun after all.
    pub fn give_back(&self) {
        self.bucket.put();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_second_has_so_many_beginnings() {
        let pace = Pace::new(NonZeroU32::new(50).unwrap());
        let started = time::Instant::now();
        for _ in 0..505 {
            pace.next().await;
        }
        let took = started.elapsed();
        assert!((Duration::from_millis(9_900)..Duration::from_millis(10_200)).contains(&took), "{took:?}");
        pace.give_back();
        let before = time::Instant::now();
        pace.next().await;
        assert_eq!(before.elapsed(), Duration::ZERO);
    }
}
