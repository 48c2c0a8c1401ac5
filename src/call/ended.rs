//! How a call ended that was neither refused nor is to be made by others.

use uuid::Uuid;

use super::Outcome;
use crate::execute::Done;

/// The end of a call that was not refused.
pub(super) enum Ended {
    /// It was carried out.
    Made(Done),
    /// It was made before under the same key, and this is what was answered.
    Known { of: Uuid, outcome: Outcome },
}
