//! A call: what was asked, planned, done and answered, and what came before and after it.

use super::visit::{Shown, Visit, not_found};

pub(super) async fn page(_visit: &Visit<'_>, _id: &str) -> Shown {
    Err(not_found())
}
