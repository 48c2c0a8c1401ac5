//! Calls as they come in and end, as server-sent events.

use super::visit::{Shown, Visit, not_found};

pub(super) async fn answer(_visit: &Visit<'_>) -> Shown {
    Err(not_found())
}
