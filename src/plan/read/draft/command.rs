//! Odoo's own commands, with the records that they create and edit.

use serde_json::Value;

use super::Draft;

/// One of Odoo's own commands.
#[derive(Debug, PartialEq)]
pub(in crate::plan) enum Command {
    /// `[0, _, values]`
    Create(Draft),
    /// `[1, id, values]`
    Update(i64, Draft),
    /// Any other, in the form in which it goes to Odoo.
    Plain(Value),
}

impl Command {
    /// The values of the record that is created or edited.
    pub(in crate::plan) fn draft(&self) -> Option<&Draft> {
        match self {
            Self::Create(draft) | Self::Update(_, draft) => Some(draft),
            Self::Plain(_) => None,
        }
    }

    /// The same, to complete it.
    pub(in crate::plan) fn draft_mut(&mut self) -> Option<&mut Draft> {
        match self {
            Self::Create(draft) | Self::Update(_, draft) => Some(draft),
            Self::Plain(_) => None,
        }
    }
}
