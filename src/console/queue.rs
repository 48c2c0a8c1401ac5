//! The queue: calls that wait, are dead or in doubt, and what can be done with them.

use super::visit::{Shown, Visit, not_found};

pub(super) async fn answer(_visit: &Visit<'_>, _rest: &[&str]) -> Shown {
    Err(not_found())
}
