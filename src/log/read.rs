//! Reading: the calls that the lines of a log make up, the latest first, while a gateway writes it and when none does.
//!
//! Imports [`super::format`], never [`super::write`] or [`super::maintain`].
//!
//! Invariants: a reader takes no lock, changes nothing but the derived index, and uses whole lines only.

mod acts;
pub(super) mod archive;
mod assembly;
pub(super) mod brief;
pub(super) mod call;
pub(super) mod figures;
pub(super) mod filter;
pub(super) mod follow;
pub(super) mod news;
mod open_tables;
pub(super) mod page;
mod parallel;
mod progress;
pub(super) mod route;
mod select;
