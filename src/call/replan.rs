//! Why a call that Odoo refused is planned anew: what the plan was built on may be stale.
//!
//! Each reason counts once in a call, so that a call is planned three times at most. A call that is refused twice, with
//! different plans and for a reason that a change explains, is answered `safe`: others are changing the same records.

use crate::{
    odoo::{Caller, Error as OdooError},
    plan,
};

/// What may be stale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stale {
    /// The models' fields, which came from memory.
    Schemas,
    /// What Odoo, or the memory of lookups, said of records. An equal plan would be refused again.
    Answers,
}

/// The reasons that a call was planned anew for.
#[derive(Debug, Default)]
pub(super) struct Replans {
    for_schemas: bool,
    for_answers: bool,
}

impl Replans {
    /// Why another plan is worth it after this refusal; what may be stale is dropped from the caches.
    pub(super) async fn reason(&mut self, refused: &plan::Error, caller: &Caller) -> Option<Stale> {
        let fault = match refused {
            plan::Error::Odoo(OdooError::Fault(fault)) => Some(fault),
            _ => None,
        };
        // What Odoo refuses may be the id of a record that is no longer there.
        let has_recalled = fault.is_some() && caller.forget_lookups();
        if fault.is_some_and(|fault| fault.doubts_schema()) && !self.for_schemas && caller.forget_schemas().await {
            self.for_schemas = true;
            return Some(Stale::Schemas);
        }
        if (has_recalled || refused.may_come_of_a_change()) && !self.for_answers {
            self.for_answers = true;
            return Some(Stale::Answers);
        }
        None
    }

    /// The refusal as it is answered, when no other plan is made.
    pub(super) fn refusal(&self, refused: plan::Error) -> plan::Error {
        if self.for_answers && refused.may_come_of_a_change() { refused.overtaken() } else { refused }
    }
}
