//! How far the writing of a list of records is, for whom looks on while it runs.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Counts the records of a list that have come to an end. It is written by one call, and read beside it.
#[derive(Debug, Default)]
pub struct Progress {
    of: AtomicUsize,
    written: AtomicUsize,
    failed: AtomicUsize,
}

/// So many of all records of a list have come to an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    pub written: usize,
    /// Refused, or of unknown outcome.
    pub failed: usize,
    pub of: usize,
}

impl Progress {
    /// Says how many records there are; without it, nothing is told.
    pub(super) fn begin(&self, of: usize) {
        self.of.store(of, Relaxed);
    }

    pub(super) fn add<T, E>(&self, end: &Result<T, E>) {
        let count = if end.is_ok() { &self.written } else { &self.failed };
        count.fetch_add(1, Relaxed);
    }

    /// How many have come to an end; `None` where no list is written.
    pub fn reached(&self) -> Option<Reached> {
        let of = self.of.load(Relaxed);
        let reached = Reached { written: self.written.load(Relaxed), failed: self.failed.load(Relaxed), of };
        (of > 0).then_some(reached)
    }
}
