//! Hooks: what came by each, and a template tried on a body that was received.

use super::visit::{Shown, Visit, not_found};

pub(super) async fn answer(_visit: &Visit<'_>, _rest: &[&str]) -> Shown {
    Err(not_found())
}
