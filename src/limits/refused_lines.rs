//! How many refused requests have a line of their own in the log.
//!
//! Anybody can have requests refused, as fast as a network carries them; their lines must not push those of calls out of
//! the log. What is beyond is counted, and told in the process log.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::token_bucket::TokenBucket;

/// So many lines may be written at once, and so many more each second.
const BURST: f64 = 1_000.0;
const PER_SECOND: f64 = 10.0;
/// What had no line is told once in this time.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// The lines that may still be written.
#[derive(Debug)]
pub struct RefusedLines {
    lines: TokenBucket,
    /// How many had none since when.
    untold: Mutex<(u64, Instant)>,
}

impl Default for RefusedLines {
    fn default() -> Self {
        Self { lines: TokenBucket::new(BURST, PER_SECOND), untold: Mutex::new((0, Instant::now())) }
    }
}

impl RefusedLines {
    /// Whether one more is written.
    pub fn take(&self) -> bool {
        let is_taken = self.lines.take();
        let mut untold = self.untold.lock().unwrap_or_else(PoisonError::into_inner);
        untold.0 += u64::from(!is_taken);
        if untold.0 > 0 && untold.1.elapsed() > TOLD_EVERY {
            tracing::warn!(requests = untold.0, "so many refused requests have no line in the log");
            *untold = (0, Instant::now());
        }
        is_taken
    }
}
