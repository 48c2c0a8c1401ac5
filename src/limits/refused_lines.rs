//! A rate limit for the log lines of refused requests.
//!
//! Anyone can have requests refused, as fast as a network carries them; their lines must not push those of calls out of the
//! log. Refusals beyond the limit are counted, and the process log gets the number.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::token_bucket::TokenBucket;

/// Lines at once, and more each second.
const BURST: f64 = 1_000.0;
const PER_SECOND: f64 = 10.0;
/// Words for the operator in the process log at once, and more each second: strangers knock at many paths.
const WORDS: f64 = 5.0;
const WORDS_PER_SECOND: f64 = 1.0 / 60.0;
/// The number of refusals without a line is logged at most this often.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// The lines that may still be written.
#[derive(Debug)]
pub struct RefusedLines {
    lines: TokenBucket,
    words: TokenBucket,
    /// How many had none since when.
    untold: Mutex<(u64, Instant)>,
}

impl Default for RefusedLines {
    fn default() -> Self {
        Self {
            lines: TokenBucket::new(BURST, PER_SECOND),
            words: TokenBucket::new(WORDS, WORDS_PER_SECOND),
            untold: Mutex::new((0, Instant::now())),
        }
    }
}

impl RefusedLines {
    /// Whether the process log has a sentence for one more refusal.
    pub fn take_words(&self) -> bool {
        self.words.take()
    }

    /// Whether one more line is written.
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
