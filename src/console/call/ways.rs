//! What a person can do with a call from its page, and why something cannot be done.

use super::super::visit::Visit;
use crate::{
    log::{Call, CallState},
    operations::{
        calls::Calls,
        replay::{Draft, Options},
    },
};

/// The ways on from a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ways {
    /// The person may look, and no more.
    LookOnly,
    Operator {
        /// Why it cannot be run again as it was; it may be possible with an edited payload, or by force.
        not_again: Option<String>,
        /// It is in doubt: a person can say what became of it.
        can_settle: bool,
    },
}

impl Ways {
    pub(super) async fn of(visit: &Visit<'_>, log: &Calls, call: &Call) -> Self {
        if !visit.is_operator() {
            return Self::LookOnly;
        }
        // Whether it succeeded is asked on the next page.
        let options = Options { force: true, ..Options::default() };
        let draft = Draft::of(log, call, &visit.site.calls.config, &options).await;
        let not_again = draft.err().map(|error| error.to_string());
        let is_open = call.settled.is_none() && !call.is_repeated();
        Self::Operator { not_again, can_settle: call.state == CallState::InDoubt && is_open }
    }
}
