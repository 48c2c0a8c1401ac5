//! What a person can do with a call from its page, and why something cannot be done.

use super::super::visit::Visit;
use crate::{
    log::{Call, CallState},
    operations::{calls::Calls, replay::Draft},
};

/// The ways on from a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ways {
    /// The person may look, and no more.
    LookOnly,
    Operator {
        /// Why it cannot be run again. Whether it should be is said on the next page.
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
        let draft = Draft::look(log, call, &visit.site.calls.config).await;
        let not_again = draft.err().map(|error| error.to_string());
        Self::Operator { not_again, can_settle: is_open_doubt(call) }
    }
}

/// Whether nobody knows yet what became of it.
pub(super) fn is_open_doubt(call: &Call) -> bool {
    call.state == CallState::InDoubt && call.settled.is_none() && !call.is_repeated()
}
