//! The format of the log on disk: its files, their frames and checksums, and what a crash may leave of them.
//!
//! The bottom of the log: nothing here imports from [`super::write`], [`super::read`] or [`super::maintain`], nor knows what a
//! call is beyond the columns of [`index`]. docs/log-format.md describes the same for readers of other programs; a change here
//! that an older gateway cannot read needs a new [`segment::FORMAT`].
//!
//! Invariants: only [`fs`] touches the file system; a file under its final name is whole; the index is derived and may be
//! deleted at any time.

pub(super) mod blob;
pub(super) mod event;
pub(super) mod fs;
pub(super) mod index;
pub(super) mod line;
pub(super) mod lock;
pub(super) mod recovery;
pub(super) mod segment;
pub(super) mod total;
