//! Records that are a part of those which a call makes (Odoo's `_inherits`): whether they were there before.

use serde_json::Value;

use super::{
    draft::{Draft, Slot},
    known::Known,
};
use crate::odoo::Bond;

/// What the record that a call makes, or one beside it, joins as a part of itself (Odoo's `_inherits`). Odoo may delete that
/// record with it: a product's document takes its attachment along (19).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Joins {
    #[default]
    Nothing,
    /// A record that an earlier call makes.
    Made,
    /// A record that was there before.
    Existing,
}

impl Draft {
    /// What the record and its lines join as a part of theirs; `is_made` says of which questions the call makes the record.
    pub(super) fn joins(&self, is_made: &impl Fn(usize) -> bool) -> Joins {
        let join = |(name, slot): &(String, Slot)| match slot {
            Slot::Lines { lines, .. } => lines.iter().map(|line| line.joins(is_made)).max().unwrap_or_default(),
            Slot::Commands { join: true, .. } => Joins::Existing,
            Slot::One { question, .. } if self.parts.contains(name) && is_made(*question) => Joins::Made,
            Slot::One { .. } | Slot::Plain(_) if self.parts.contains(name) => Joins::Existing,
            _ => Joins::Nothing,
        };
        self.fields.iter().map(join).max().unwrap_or_default()
    }
}

impl Known<'_> {
    /// Whether Odoo's own commands make records that join one which is there, as a part of theirs.
    pub(super) fn commands_join(&self, model: &str, commands: &Value) -> bool {
        match commands {
            Value::Array(items) => items.iter().any(|item| self.commands_join(model, item)),
            Value::Object(values) => self.schema(model).is_some_and(|schema| {
                values.iter().any(|(name, value)| match schema.field(name) {
                    Some(field) if field.bond == Bond::Part => names_a_record(value),
                    Some(field) => field.kind.relation().is_some_and(|relation| self.commands_join(relation, value)),
                    None => false,
                })
            }),
            _ => false,
        }
    }
}

/// A many2one's value that leads to a record. Odoo 14 takes a text for an id.
pub(super) fn names_a_record(value: &Value) -> bool {
    !matches!(value, Value::Null | Value::Bool(false)) && value.as_str() != Some("")
}
