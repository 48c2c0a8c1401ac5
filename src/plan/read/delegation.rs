//! Delegation inheritance (Odoo's `_inherits`): whether the record that a new one delegates to existed before.

use serde_json::Value;

use super::draft::{Draft, Lines, Slot};
use crate::{
    odoo::Bond,
    plan::{
        lookup::QuestionId,
        schema_view::{SchemaView, names_a_record},
        steps::Delegation,
    },
};

impl Draft {
    /// What the record and its lines delegate to; `is_created` tells whether the call creates the record of a question.
    pub(in crate::plan) fn delegation(&self, is_created: &impl Fn(QuestionId) -> bool) -> Delegation {
        let of_field = |(name, slot): &(String, Slot)| match slot {
            Slot::Lines(Lines { lines, .. }) => {
                lines.iter().map(|line| line.draft.delegation(is_created)).fold(Delegation::None, Delegation::max)
            }
            Slot::Commands { join: true, .. } => Delegation::ToExisting,
            Slot::One { question, .. } if self.parts.contains(name) && is_created(*question) => Delegation::ToCreated,
            Slot::One { .. } | Slot::Plain(_) if self.parts.contains(name) => Delegation::ToExisting,
            _ => Delegation::None,
        };
        self.fields.iter().map(of_field).fold(Delegation::None, Delegation::max)
    }
}

/// Whether Odoo's own commands create records that delegate to an existing one.
pub(super) fn commands_delegate(schemas: &SchemaView<'_>, model: &str, commands: &Value) -> bool {
    match commands {
        Value::Array(items) => items.iter().any(|item| commands_delegate(schemas, model, item)),
        Value::Object(values) => schemas.schema(model).is_some_and(|schema| {
            values.iter().any(|(name, value)| match schema.field(name) {
                Some(field) if field.bond == Bond::Part => names_a_record(value),
                Some(field) => {
                    field.kind.relation().is_some_and(|relation| commands_delegate(schemas, relation, value))
                }
                None => false,
            })
        }),
        _ => false,
    }
}
