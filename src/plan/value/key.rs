//! Keys that hold nothing: a sender's missing value must not stand for the records that have none.

use serde_json::Value;

/// Whether a field has no name, or a part of a path has none. Odoo 19 breaks down on the first (`TypeError: Empty field name`).
pub(in crate::plan) fn lacks_name(field: &str) -> bool {
    field.split('.').any(|part| part.trim().is_empty())
}

/// Whether a value of a lookup or search key is empty: `null`, a blank text, an empty list or object, or a list with one of
/// them. `false` is not: it says that the field has no value.
pub(in crate::plan) fn is_empty_key(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(items) => items.is_empty() || items.iter().any(is_empty_key),
        Value::Object(entries) => entries.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}
