//! How a call ended that was neither refused nor is to be made by others.

use uuid::Uuid;

use super::Outcome;
use crate::{errors::Code, execute::Done, store};

/// The end of a call that was not refused.
pub(super) enum Ended {
    /// It was carried out.
    Made(Done),
    /// There is nothing to do, for this reason.
    Ignored { why: String, code: Option<Code> },
    /// A delivery of several calls.
    Several(Outcome),
    /// It was made before under the same key, and this is what was answered.
    Known { of: Uuid, outcome: Outcome },
    /// It is in the queue, or a call with the same key is under way.
    Queued {
        id: Uuid,
        state: store::State,
        /// It was accepted before, under the same key.
        is_repeat: bool,
        /// Its caller prefers that.
        is_preferred: bool,
    },
}
