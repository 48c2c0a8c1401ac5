//! Clients: what each may do, when it called last, how often it may call, and keys that expire.

use super::visit::{Shown, Visit, not_found};

pub(super) async fn page(_visit: &Visit<'_>, _rest: &[&str]) -> Shown {
    Err(not_found())
}
