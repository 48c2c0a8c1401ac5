//! A token bucket: how often something may happen at once, and how often each second.

use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

/// Tokens that refill with time.
#[derive(Debug)]
pub(super) struct TokenBucket {
    burst: f64,
    per_second: f64,
    state: Mutex<(f64, Instant)>,
}

impl TokenBucket {
    pub(super) fn new(burst: f64, per_second: f64) -> Self {
        Self { burst, per_second, state: Mutex::new((burst, Instant::now())) }
    }

    /// Takes a token; `false` where there is none now.
    pub(super) fn take(&self) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (left, filled) = *state;
        let now = Instant::now();
        let left = (left + now.duration_since(filled).as_secs_f64() * self.per_second).min(self.burst);
        let is_taken = left >= 1.0;
        *state = (if is_taken { left - 1.0 } else { left }, now);
        is_taken
    }

    /// How many tokens there are now.
    pub(super) fn left(&self) -> f64 {
        let (left, filled) = *self.state.lock().unwrap_or_else(PoisonError::into_inner);
        (left + filled.elapsed().as_secs_f64() * self.per_second).min(self.burst)
    }

    /// Puts a token back.
    pub(super) fn put(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 = (state.0 + 1.0).min(self.burst);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_flood_gets_its_burst_and_a_trickle_all() {
        let bucket = TokenBucket::new(1_000.0, 10.0);
        assert_eq!((0..5_000).filter(|_| bucket.take()).count(), 1_000);
        tokio::time::advance(Duration::from_secs(3)).await;
        assert!((30.0..30.1).contains(&bucket.left()));
        assert_eq!((0..100).filter(|_| bucket.take()).count(), 30);
        tokio::time::advance(Duration::from_secs(86_400)).await;
        assert_eq!((0..5_000).filter(|_| bucket.take()).count(), 1_000);
    }
}
