//! Why a call that Odoo refused is planned anew: what the plan was built on may have been out of date.
//!
//! Each reason counts once in a call, so that a call is planned three times at most. What is refused for a reason that a change
//! explains, twice and with different plans, is answered `safe`: others are changing the same records at the same time.

use crate::{
    odoo::{Caller, Error as OdooError},
    plan,
};

/// What may have been out of date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doubt {
    /// The models' fields, which came from memory.
    Schemas,
    /// What Odoo, or the memory of lookups, said of records. An equal plan would be refused again.
    Answers,
}

/// The reasons that a call has had.
#[derive(Debug, Default)]
pub(super) struct Doubts {
    of_schemas: bool,
    of_answers: bool,
}

impl Doubts {
    /// Why it is worth another plan that Odoo refused a call so; what is in doubt is forgotten.
    pub(super) async fn of(&mut self, refused: &plan::Error, caller: &Caller) -> Option<Doubt> {
        let fault = match refused {
            plan::Error::Odoo(OdooError::Fault(fault)) => Some(fault),
            _ => None,
        };
        // What Odoo refuses may be the id of a record that is no longer there.
        let has_recalled = fault.is_some() && caller.forget_lookups();
        if fault.is_some_and(|fault| fault.doubts_schema()) && !self.of_schemas && caller.forget_schemas().await {
            self.of_schemas = true;
            return Some(Doubt::Schemas);
        }
        if (has_recalled || refused.may_come_of_a_change()) && !self.of_answers {
            self.of_answers = true;
            return Some(Doubt::Answers);
        }
        None
    }

    /// The refusal as it is answered, when no other plan is made.
    pub(super) fn word(&self, refused: plan::Error) -> plan::Error {
        if self.of_answers && refused.may_come_of_a_change() { refused.overtaken() } else { refused }
    }
}
