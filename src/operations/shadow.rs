//! Shadow: recorded calls are made by the addon and by the gateway, and the answers are compared.
//!
//! For the way from the addon to the gateway: reads are sent to both. The addon has no dry run, so that of a write only the gateway's
//! plan is made, and the report says how many writes were not compared. A difference that docs/differences.md has is named by its
//! row there.
//!
//! Invariant: the addon gets reads alone. [`Addon::read`] takes a [`recorded::Read`], and `recorded` alone makes one, of a search or of a
//! method that is listed as one that only reads.

mod addon;
mod compare;
mod expected;
mod file;
mod recorded;
mod report;
mod run;

pub use self::{
    addon::Addon,
    file::call_of_line,
    recorded::{Methods, Recorded, taken},
    report::{Group, Report},
    run::{Shadow, Who},
};
