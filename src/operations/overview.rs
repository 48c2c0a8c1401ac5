//! What happened lately: calls, failures and durations over time, by route, model and client, and the causes of failures.
//!
//! Invariants: all readers share one overview of a window, and one is being made at a time; how often it is made is bounded by
//! what it takes. What is held is bounded, whatever names senders choose: those beyond the first [`count::NAMES`] are counted
//! together.

mod count;
mod durations;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;
use uuid::Uuid;

use self::count::Counting;
pub(super) use self::durations::Durations;
use super::calls::Calls;
use crate::log::Error;

/// An overview is made at most so often.
const FRESH: Duration = Duration::from_secs(1);
/// And takes at most this part of the time: consoles that are open must not slow calls down.
const SHARE: u32 = 200;
/// But it is never older.
const STALE: Duration = Duration::from_secs(30);

/// How far back an overview goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Window {
    #[default]
    Hour,
    Day,
    Week,
}

impl Window {
    pub const ALL: [Self; 3] = [Self::Hour, Self::Day, Self::Week];

    /// Its name in addresses.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hour => "1h",
            Self::Day => "24h",
            Self::Week => "7d",
        }
    }

    /// The window with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|window| window.name() == name)
    }

    /// How many slots it has, and how long each is.
    const fn slots(self) -> (i64, SignedDuration) {
        match self {
            Self::Hour => (60, SignedDuration::from_mins(1)),
            Self::Day => (72, SignedDuration::from_mins(20)),
            Self::Week => (84, SignedDuration::from_hours(2)),
        }
    }
}

/// The calls of a window.
#[derive(Debug, Clone)]
pub struct Overview {
    pub window: Window,
    /// When the first slot begins.
    pub since: Timestamp,
    pub until: Timestamp,
    pub all: Counted,
    /// The earliest first, without a gap; the last one has not ended.
    pub slots: Vec<Slot>,
    pub routes: Groups,
    pub models: Groups,
    /// By client or login.
    pub callers: Groups,
    /// The causes of failures, the most frequent first.
    pub causes: Vec<Cause>,
    /// How many failures had other causes.
    pub other_causes: u64,
}

/// Calls of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Counted {
    pub calls: u64,
    pub failed: u64,
    /// Those of the failed that a policy does not allow.
    pub denied: u64,
    pub in_doubt: u64,
    pub ignored: u64,
    /// What half of them, 95 and 99 of a hundred took at most, in milliseconds; `None` where none has ended. Each is within
    /// 1/32 of a duration that was measured.
    pub took: Option<[f64; 3]>,
}

/// A part of the window.
#[derive(Debug, Clone, Copy)]
pub struct Slot {
    pub begin: Timestamp,
    pub calls: Counted,
}

/// Calls by name, the most called first.
#[derive(Debug, Clone, Default)]
pub struct Groups {
    /// The empty name stands for calls that have none.
    pub named: Vec<(String, Counted)>,
    /// All others together, where there are others.
    pub others: Option<Counted>,
}

/// Why calls failed or are in doubt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    pub error: String,
    pub model: String,
    /// The place in the payload, without positions in lists; empty where the error names none.
    pub path: String,
    pub count: u64,
    pub first: Timestamp,
    pub last: Timestamp,
    /// The latest of the calls.
    pub example: Uuid,
}

/// The overviews of a log, for all who look at it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Overviews {
    calls: Calls,
    made: Arc<[Mutex<Option<Made>>; Window::ALL.len()]>,
}

#[derive(Debug)]
struct Made {
    overview: Arc<Overview>,
    at: Instant,
    took: Duration,
}

impl Overviews {
    pub fn new(calls: Calls) -> Self {
        Self { calls, made: Arc::default() }
    }

    /// The overview of a window, up to about now.
    ///
    /// # Errors
    /// The log cannot be read.
    pub async fn of(&self, window: Window) -> Result<Arc<Overview>, Error> {
        let mut made = self.made[window as usize].lock().await;
        if let Some(made) = &*made
            && made.at.elapsed() < FRESH.max(made.took * SHARE).min(STALE)
        {
            return Ok(made.overview.clone());
        }
        let begun = Instant::now();
        let overview = Arc::new(overview(&self.calls, window, Timestamp::now()).await?);
        let at = Instant::now();
        *made = Some(Made { overview: overview.clone(), at, took: at - begun });
        Ok(overview)
    }
}

/// The overview of a window that ends at this time.
///
/// # Errors
/// The log cannot be read.
pub async fn overview(calls: &Calls, window: Window, until: Timestamp) -> Result<Overview, Error> {
    calls
        .read(move |archive| {
            let mut counting = Counting::new(window, until);
            archive.briefs(counting.since(), |names, briefs| counting.add(names, briefs))?;
            Ok(counting.end())
        })
        .await
}

#[cfg(test)]
mod tests;
