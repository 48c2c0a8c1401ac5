//! What has to be closed when a call ends, however it ends. Each stage hands it to the next one.

use std::time::Instant;

use serde_json::Value;

use super::{Error, claim::Claim, lane::Turn, queued::Fallback};
use crate::{
    log::{Entry, Who},
    plan::Warning,
};

/// What is known of a call that is under way, and what has to be closed at its end.
#[derive(Default)]
pub(super) struct Docket {
    pub(super) who: Who,
    /// The `id` of the caller's envelope.
    pub(super) envelope_id: Value,
    /// The call in the store, where it has a key: its end is kept.
    pub(super) claim: Option<Claim>,
    /// The call is queued where Odoo turns out to be away.
    pub(super) fallback: Option<Box<Fallback>>,
    /// What the plan warned of, for a refusal.
    pub(super) warnings: Vec<Warning>,
    /// The turn of a delivery among those with the same key.
    pub(super) turn: Option<Turn>,
    /// Hook, lane and version of an event that is noted where it was done.
    pub(super) newest: Option<(String, String, f64)>,
    pub(super) reached: Reached,
    /// The call in the log, once it has been received.
    pub(super) entry: Option<Entry>,
}

/// What a trace tells of the stages of a call: when each was over, and for which model it is.
#[derive(Debug, Clone, Default)]
pub(super) struct Reached {
    pub(super) recorded: Option<Instant>,
    pub(super) planned: Option<Instant>,
    pub(super) model: Option<String>,
}

/// A call that ends before there is an outcome of Odoo's.
pub(super) struct Stopped {
    pub(super) docket: Docket,
    pub(super) error: Error,
}

impl Docket {
    /// Ends the call with an error.
    pub(super) fn stop(self, error: impl Into<Error>) -> Stopped {
        Stopped { docket: self, error: error.into() }
    }
}
