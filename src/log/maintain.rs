//! Maintenance of a log: retention, verification, repair, and the settlement of calls in doubt.
//!
//! The top of the log: imports [`super::format`], [`super::write`] and [`super::read`].
//!
//! Invariants: verification changes nothing; a repair keeps every byte of a damaged file; no call in doubt is dropped.

pub(super) mod copy;
pub(super) mod repair;
pub(super) mod retention;
pub(super) mod settle;
pub(super) mod verify;
