//! Writing: what of a call goes into its lines, and how these become durable.
//!
//! Imports [`super::format`], never [`super::read`] or [`super::maintain`].
//!
//! Invariants: every value that a caller or Odoo sent passes [`content`], which redacts it and moves large values to blobs; a
//! line is acknowledged after its sync; after a failed sync nothing is written any more.

pub(super) mod acted;
mod bell;
pub(super) mod content;
pub(super) mod entry;
pub(super) mod journal;
pub(super) mod open;
pub(super) mod open_calls;
pub(super) mod passed;
pub(super) mod record;
mod redact;
pub(super) mod secrets;
pub(super) mod told;
pub(super) mod writer;
