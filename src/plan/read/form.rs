//! The forms that the value of a relation can have, told apart before it is read.

use serde_json::Value;

/// Whether a value holds Odoo's own commands.
pub(super) fn are_commands(value: &Value) -> bool {
    value.as_array().is_some_and(|items| !items.is_empty() && items.iter().all(Value::is_array))
}

/// Whether a value holds files, and not links to existing ones.
pub(super) fn are_files(value: &Value) -> bool {
    value.as_array().is_some_and(|items| !items.is_empty() && items.iter().all(Value::is_object))
}
