//! What a call may do to find out the outcome of its writes, from the configuration.

use std::time::Duration;

use super::recorded::Recorded;
use crate::execute::Settling;

/// Odoo's own `limit_time_real`.
const LONGEST_REQUEST: Duration = Duration::from_secs(120);

impl Recorded<'_> {
    pub(super) fn settling(&self) -> Settling {
        Settling {
            deadline: self.caller.until(),
            longest_request: LONGEST_REQUEST,
            earlier: None,
            safe_methods: Vec::new(),
        }
    }
}
