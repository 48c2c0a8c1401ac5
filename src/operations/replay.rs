//! Replay: which recorded calls may be made again, what each lacks for that, and what it becomes.
//!
//! A [`Selection`] names calls, a [`Draft`] is what a call would send, and an [`Executor`] sends it: in the gateway that runs,
//! or in this process where none does, with the same code and into the same log. The new call is linked to the one that it
//! repeats.
//!
//! Invariant: a call and its repetitions are one call. Where any of them succeeded, or may have, another one may do it twice,
//! so it is made by force only; while any of them runs, none is made.

mod again;
mod draft;
mod edit;
mod execute;
mod listed;
mod outcome;
mod request;
mod select;
mod survey;
mod works;

pub use self::{
    again::{Again, Made},
    draft::{Actor, Draft, NotReplayable, Options, Replay},
    execute::{Answer, Executor, Failure, NoAnswer},
    listed::{Group, Listed, groups},
    outcome::{Alike, Kind, Outcome, STOP_AFTER, Tally},
    request::ReplayRequest,
    select::{NotSelected, Selection},
    survey::Survey,
    works::{LISTED, MOST, Order, Progress, Work, Works},
};
