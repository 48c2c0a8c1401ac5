//! Whether a value that is sent is the one that a record has.
//!
//! Values are compared in one canonical form, a text, so that lines can be found by it among many. Numbers are compared by value,
//! relations by the ids of their records, in any order. Odoo has no null: an empty value of any type is equal to any other.

use std::fmt::Write;

use serde_json::{Number, Value};

/// The canonical form of a value, sent or read: a many2one is an id, `[id, name]` or false, a many2many a list of ids or the
/// command that sets one.
pub(super) fn canonical(value: &Value) -> String {
    let mut text = String::new();
    write(&mut text, value);
    text
}

/// The canonical form of a relation to these records.
pub(super) fn canonical_ids(ids: impl IntoIterator<Item = i64>) -> String {
    let mut ids: Vec<i64> = ids.into_iter().collect();
    if ids.is_empty() {
        return EMPTY.to_owned();
    }
    ids.sort_unstable();
    ids.dedup();
    format!("{ids:?}")
}

/// The ids in the value of a relation to many records, as Odoo gives it.
pub(super) fn ids_of(value: Option<&Value>) -> Vec<i64> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_i64).collect()
}

const EMPTY: &str = "-";

fn write(text: &mut String, value: &Value) {
    match value {
        Value::Null | Value::Bool(false) => text.push_str(EMPTY),
        Value::Bool(true) => text.push_str("true"),
        Value::Number(number) => write_number(text, number),
        Value::String(string) if string.is_empty() => text.push_str(EMPTY),
        Value::String(string) => push(text, format_args!("{string:?}")),
        Value::Array(items) => match &items[..] {
            [] => text.push_str(EMPTY),
            [id, Value::String(_)] if id.is_i64() => write(text, id),
            [Value::Array(command)] if command.first().and_then(Value::as_i64) == Some(SET) => {
                text.push_str(&canonical_ids(ids_of(command.get(2))));
            }
            ids if ids.iter().all(Value::is_i64) => text.push_str(&canonical_ids(ids_of(Some(value)))),
            items => {
                text.push('[');
                items.iter().for_each(|item| {
                    write(text, item);
                    text.push(',');
                });
                text.push(']');
            }
        },
        Value::Object(entries) if entries.is_empty() => text.push_str(EMPTY),
        Value::Object(entries) => {
            let mut entries: Vec<_> = entries.iter().collect();
            entries.sort_unstable_by_key(|(key, _)| *key);
            text.push('{');
            for (key, value) in entries {
                push(text, format_args!("{key:?}:"));
                write(text, value);
                text.push(',');
            }
            text.push('}');
        }
    }
}

/// Odoo's command that sets the records of a many2many.
const SET: i64 = 6;

fn write_number(text: &mut String, number: &Number) {
    match (number.as_i64(), number.as_f64()) {
        (Some(0), _) => text.push_str(EMPTY),
        (Some(integer), _) => push(text, format_args!("{integer}")),
        (None, Some(0.0)) => text.push_str(EMPTY),
        // `3.0` is 3.
        (None, Some(float)) => push(text, format_args!("{float}")),
        (None, None) => push(text, format_args!("{number}")),
    }
}

#[expect(clippy::expect_used, reason = "writing to a `String` cannot fail")]
fn push(text: &mut String, what: std::fmt::Arguments<'_>) {
    text.write_fmt(what).expect("a text takes what is written");
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn equal_values_have_one_form_however_odoo_gives_them() {
        let same = [
            (json!(3), json!(3.0)),
            (json!(0), json!(0.0)),
            (json!(false), json!("")),
            (json!(null), json!(false)),
            (json!(0), json!(false)),
            (json!(7), json!([7, "Azure"])),
            (json!([[6, 0, [2, 1]]]), json!([1, 2])),
            (json!([[6, 0, []]]), json!([])),
            (json!({"1": 100, "2": 0.5}), json!({"2": 0.5, "1": 100.0})),
        ];
        for (sent, old) in same {
            assert_eq!(canonical(&sent), canonical(&old), "{sent} {old}");
        }
    }

    #[test]
    fn different_values_have_different_forms() {
        let different = [
            (json!(3), json!("3")),
            (json!(true), json!(1)),
            (json!("a"), json!("A")),
            (json!(0.1), json!(0.100_000_1)),
            (json!([1, 2]), json!([1])),
            (json!({"1": 100.0}), json!({"2": 100.0})),
            (json!(9_007_199_254_740_993_i64), json!(9_007_199_254_740_992_i64)),
        ];
        for (sent, old) in different {
            assert_ne!(canonical(&sent), canonical(&old), "{sent} {old}");
        }
    }
}
