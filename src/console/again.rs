//! Calls that are run again: one, as it was or edited, as a dry run with what would differ; and many, by a filter.

use super::visit::{Shown, Visit, not_found};

/// What is done with one call: `again` or `settle`.
pub(super) async fn of_one(_visit: &Visit<'_>, _id: &str, _work: &str) -> Shown {
    Err(not_found())
}

pub(super) async fn of_many(_visit: &Visit<'_>, _rest: &[&str]) -> Shown {
    Err(not_found())
}
