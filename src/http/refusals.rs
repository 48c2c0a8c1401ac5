//! How many refused requests have a line of their own in the log.
//!
//! Anybody can have requests refused, as fast as a network carries them; their lines must not push those of calls out of
//! the log. What is beyond is counted, and told in the process log.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// So many lines may be written at once, and so many more each second.
const BURST: f64 = 1_000.0;
const PER_SECOND: f64 = 10.0;
/// What had no line is told once in this time.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// The lines that may still be written.
#[derive(Debug)]
pub struct Refusals(Mutex<State>);

#[derive(Debug)]
struct State {
    left: f64,
    filled: Instant,
    untold: u64,
    told: Instant,
}

impl Default for Refusals {
    fn default() -> Self {
        let now = Instant::now();
        Self(Mutex::new(State { left: BURST, filled: now, untold: 0, told: now }))
    }
}

impl Refusals {
    /// Whether one more is written.
    pub fn take(&self) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        state.left = (state.left + now.duration_since(state.filled).as_secs_f64() * PER_SECOND).min(BURST);
        state.filled = now;
        let is_taken = state.left >= 1.0;
        if is_taken {
            state.left -= 1.0;
        } else {
            state.untold += 1;
        }
        if state.untold > 0 && now.duration_since(state.told) > TOLD_EVERY {
            tracing::warn!(requests = state.untold, "so many refused requests have no line in the log");
            (state.untold, state.told) = (0, now);
        }
        is_taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_written_in_part_and_a_trickle_whole() {
        let refusals = Refusals::default();
        assert_eq!((0..5_000).filter(|_| refusals.take()).count(), 1_000);
        tokio::time::advance(Duration::from_secs(3)).await;
        assert_eq!((0..100).filter(|_| refusals.take()).count(), 30);
    }
}
