//! Lookups that found nothing.

use serde_json::{Map, Value};

use crate::plan::hints::Nearby;

/// A lookup that found nothing.
#[derive(Debug, Clone, thiserror::Error)]
#[error("'{field}': '{value}' found no match.{nearby}")]
pub struct NoMatch {
    pub path: String,
    pub field: String,
    pub value: String,
    /// The model that was searched, and the values that a record must have there; none where that is not known.
    pub model: String,
    pub key: Map<String, Value>,
    pub nearby: Nearby,
}

impl NoMatch {
    /// What to do about it.
    pub(super) fn hint(&self) -> String {
        match (self.nearby.hint(), self.key.contains_key("id")) {
            (Some(hint), _) => hint.to_owned(),
            (None, true) => format!("name a record of `{}` that this user sees in Odoo", self.model),
            (None, false) => format!(
                "correct the value, make the `{}` in Odoo first, or say in `auto_create.{}` what to make of it",
                self.model, self.field
            ),
        }
    }
}
