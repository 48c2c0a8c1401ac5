//! Wakes the log's thread: at once for what somebody waits for, and once for any number of lines that nobody waits for.
//!
//! Invariant: what is put into the queue before a ring is found by a thread that waits after it, so that no line is left lying.
//! A ring that changes nothing costs no system call.

use std::{
    sync::{
        OnceLock,
        atomic::{
            AtomicU8,
            Ordering::{AcqRel, Acquire},
        },
    },
    thread::{self, Thread},
    time::Instant,
};

/// How soon a line is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Urgency {
    /// Nobody waits for it.
    Soon = 1,
    Now,
}

#[derive(Debug, Default)]
pub(super) struct Bell {
    /// The most urgent ring since the thread last heard one; 0 is none.
    rung: AtomicU8,
    thread: OnceLock<Thread>,
}

impl Bell {
    /// The thread that calls this hears the bell from here on.
    pub(super) fn answer(&self) {
        let _ = self.thread.set(thread::current());
    }

    pub(super) fn ring(&self, urgency: Urgency) {
        if self.rung.fetch_max(urgency as u8, AcqRel) < urgency as u8
            && let Some(thread) = self.thread.get()
        {
            thread.unpark();
        }
    }

    /// Waits for a ring that is as urgent, and for none longer than `until`. Either way, what has rung has been heard then: the
    /// queue is to be looked at.
    pub(super) fn wait(&self, urgency: Urgency, until: Instant) -> bool {
        loop {
            if self.rung.load(Acquire) >= urgency as u8 {
                self.rung.swap(0, AcqRel);
                return true;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                self.rung.swap(0, AcqRel);
                return false;
            }
            thread::park_timeout(left);
        }
    }
}
