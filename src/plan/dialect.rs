//! The forms of older versions of the addon (`[compat] dialect`), and what they mean in the current ones.
//!
//! This is the only place that knows them. 18.0.1 and 15.0.1 (seen in their sources) name a related record by a text, the records of
//! a many2many by `{"<field>": [values], "replace": true}`, which adds without `replace`, and answer a method's call in other words.
//! All else is as it is now. A form is told by its shape, and the current forms are taken beside the older ones.

use serde_json::{Map, Value, json};

use crate::config::Dialect;

/// Takes the place of `mode`: the records that are there are replaced.
const REPLACE: &str = "replace";

/// The records of a many2many in the form of 18.0.1.
#[derive(Debug, PartialEq)]
pub(super) struct OldLinks<'v> {
    /// The records that are there are replaced, and not added to.
    pub(super) replaces: bool,
    /// The field to look up by.
    pub(super) key: &'v str,
    /// Its values; one that stands alone is a list of one.
    values: &'v [Value],
    /// Further fields: the addon took the first alone.
    pub(super) ignored: Vec<&'v str>,
}

impl OldLinks<'_> {
    /// A lookup for each of the records.
    pub(super) fn records(&self) -> Vec<Value> {
        self.values.iter().map(|value| json!({ self.key: value })).collect()
    }
}

/// The name in the place of a many2one. A text of digits is a name, too: an id is a number.
pub(super) fn name(dialect: Dialect, value: &Value) -> Option<&str> {
    match (dialect, value) {
        (Dialect::V18_0_1, Value::String(name)) if !name.trim().is_empty() => Some(name),
        (Dialect::Current | Dialect::V18_0_1, _) => None,
    }
}

/// The records of a many2many, where they stand in the older form. `records`, or `mode` as a text, is of the current form.
pub(super) fn links(dialect: Dialect, value: &Map<String, Value>) -> Option<OldLinks<'_>> {
    let is_current = value.contains_key("records") || value.get("mode").is_some_and(Value::is_string);
    if dialect == Dialect::Current || is_current {
        return None;
    }
    let mut fields = value.iter().filter(|(key, _)| *key != REPLACE);
    let (key, values) = fields.next()?;
    let values = values.as_array().map_or(std::slice::from_ref(values), Vec::as_slice);
    let replaces = value.get(REPLACE).is_some_and(is_true);
    Some(OldLinks { replaces, key, values, ignored: fields.map(|(key, _)| key.as_str()).collect() })
}

/// What is answered when a method has been called.
pub(super) fn called(dialect: Dialect, method: &str) -> String {
    match dialect {
        Dialect::Current => format!("Function '{method}' called successfully"),
        Dialect::V18_0_1 => format!("Function {method} called successfully"),
    }
}

/// Whether Python takes the value for true.
fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(is_true) => *is_true,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(entries) => !entries.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: &Value, expected: Option<(bool, Value, &[&str])>) {
        let value = value.as_object().unwrap();
        let seen = links(Dialect::V18_0_1, value);
        let seen = seen.as_ref().map(|links| (links.replaces, json!(links.records()), links.ignored.as_slice()));
        assert_eq!(seen, expected);
        assert_eq!(links(Dialect::Current, value), None);
    }

    #[test]
    fn records_of_a_many2many_are_added_unless_they_replace() {
        let both = json!([{"name": "A"}, {"name": "B"}]);
        check(&json!({"name": ["A", "B"]}), Some((false, both.clone(), &[])));
        check(&json!({"replace": true, "name": ["A", "B"]}), Some((true, both.clone(), &[])));
        check(&json!({"name": ["A", "B"], "replace": 0}), Some((false, both, &[])));
        check(&json!({"id": 7, "color": [1]}), Some((false, json!([{"id": 7}]), &["color"])));
        check(&json!({"replace": true}), None);
    }

    #[test]
    fn the_current_form_of_a_many2many_is_taken_too() {
        check(&json!({"records": [{"name": "A"}]}), None);
        check(&json!({"mode": "add", "records": []}), None);
        // A field of that name.
        check(&json!({"mode": ["x"]}), Some((false, json!([{"mode": "x"}]), &[])));
    }

    #[test]
    fn a_text_is_a_name_in_the_older_form_alone() {
        assert_eq!(name(Dialect::V18_0_1, &json!("7")), Some("7"));
        for none in [json!(7), json!(" "), json!({"name": "A"}), json!(false)] {
            assert_eq!(name(Dialect::V18_0_1, &none), None, "{none}");
        }
        assert_eq!(name(Dialect::Current, &json!("A")), None);
    }
}
