//! The clock of the store: leases and retries are measured by it.
//!
//! It never jumps while a gateway runs: between two readings of the store's own time it goes on by the monotonic clock of this
//! machine. Several gateways read the time of their PostgreSQL, so that their machines' clocks need not agree.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use jiff::Timestamp;
use parking_lot::Mutex;

/// Tells the time of a store, in milliseconds since 1970.
#[derive(Debug, Clone)]
pub struct Clock(Arc<Kind>);

#[derive(Debug)]
enum Kind {
    Running(Mutex<Reading>),
    Virtual(AtomicI64),
}

#[derive(Debug, Clone, Copy)]
struct Reading {
    millis: i64,
    at: Instant,
}

impl Clock {
    /// Begins with the time of this machine.
    pub fn of_this_machine() -> Self {
        let reading = Reading { millis: Timestamp::now().as_millisecond(), at: Instant::now() };
        Self(Arc::new(Kind::Running(Mutex::new(reading))))
    }

    /// Stands still, and is moved by a test.
    pub fn virtual_at(millis: i64) -> Self {
        Self(Arc::new(Kind::Virtual(AtomicI64::new(millis))))
    }

    pub fn now(&self) -> i64 {
        match &*self.0 {
            Kind::Running(reading) => {
                let Reading { millis, at } = *reading.lock();
                millis.saturating_add(i64::try_from(at.elapsed().as_millis()).unwrap_or(i64::MAX))
            }
            Kind::Virtual(millis) => millis.load(Relaxed),
        }
    }

    /// Moves a virtual clock, forth or back; a running one takes it for a reading of the store's time.
    pub fn set(&self, now: i64) {
        match &*self.0 {
            Kind::Running(reading) => *reading.lock() = Reading { millis: now, at: Instant::now() },
            Kind::Virtual(millis) => millis.store(now, Relaxed),
        }
    }

    /// Whether it is a test's.
    pub(super) fn is_virtual(&self) -> bool {
        matches!(&*self.0, Kind::Virtual(_))
    }
}

/// Milliseconds of a duration.
pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
