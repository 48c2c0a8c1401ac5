//! The values of a write that can be compared with what Odoo has: which records may be the one that was written.
//!
//! Only plain values are compared, of fields that the caller's policy lets be read. Lines, files, HTML and computed fields are not:
//! Odoo changes what is sent for them. A text counts as changed where only case, blanks and punctuation differ, as of a telephone
//! number that a module puts in its own form.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Map, Value, json};

use crate::{
    odoo::{Caller, Field, Kept, Kind, SHOWN, Schema},
    policy::Touch,
};

/// Values that are equal to these digits are equal: Odoo rounds amounts to the digits of their field.
const TOLERANCE: f64 = 0.005_000_1;
/// The number of values that a message names.
const MOST_SHOWN: usize = 3;

/// The comparable values of one record that is written.
#[derive(Debug)]
pub(super) struct Written {
    values: Vec<(String, Kind, Value)>,
    /// Values are sent that cannot be compared.
    pub(super) has_others: bool,
    /// Lines are sent as commands that create records.
    pub(super) creates_lines: bool,
}

/// How much a record is like the one that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Likeness {
    Other,
    /// Half of the values or more.
    Similar,
    /// All values, some texts in another form, and at least one as it was sent.
    Changed,
    Equal,
}

/// How a value is like the one that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Match {
    Equal,
    Changed,
    Other,
}

impl Written {
    pub(super) fn of(caller: &Caller, schema: &Schema, values: &Map<String, Value>) -> Self {
        let policy = caller.policy();
        // A related field may show a field that is hidden.
        let is_readable = |name: &str, field: &Field| {
            (field.related.is_none() || !policy.narrows_fields())
                && policy.decide(Touch::Read { model: &schema.model, field: name }).is_ok()
        };
        Self::with(schema, values, is_readable)
    }

    fn with(schema: &Schema, values: &Map<String, Value>, is_readable: impl Fn(&str, &Field) -> bool) -> Self {
        let mut written = Self { values: Vec::new(), has_others: false, creates_lines: false };
        for (name, value) in values {
            let field = schema.field(name);
            let compared = field.filter(|field| {
                field.is_column && field.kept == Kept::Yes && is_plain(&field.kind, value) && is_readable(name, field)
            });
            match compared {
                Some(field) => written.values.push((name.clone(), field.kind.clone(), value.clone())),
                None => {
                    written.has_others = true;
                    written.creates_lines |= creates(value);
                }
            }
        }
        // The same values in another order are the same record.
        written.values.sort_by(|(one, ..), (other, ..)| one.cmp(other));
        written
    }

    /// Whether there is a value that tells this record from any other: no empty one, and more than yes or no.
    pub(super) fn is_telling(&self) -> bool {
        self.values.iter().any(|(_, kind, value)| *kind != Kind::Boolean && !is_empty(value))
    }

    /// The names of the compared fields.
    pub(super) fn fields(&self) -> impl Iterator<Item = &str> {
        self.values.iter().map(|(name, ..)| name.as_str())
    }

    /// Equal for records that cannot be told apart.
    pub(super) fn fingerprint(&self) -> u64 {
        let mut hash = DefaultHasher::new();
        for (name, _, value) in &self.values {
            (name, value.to_string()).hash(&mut hash);
        }
        hash.finish()
    }

    /// How much a row that was read is like this record.
    pub(super) fn likeness(&self, row: &Value) -> Likeness {
        let (mut equal, mut changed, mut has_own_text) = (0, 0, false);
        for (name, kind, value) in &self.values {
            match compared(kind, value, &row[name]) {
                Match::Equal => {
                    equal += 1;
                    has_own_text |= *kind == Kind::Text && value.as_str().is_some_and(|text| !text.trim().is_empty());
                }
                Match::Changed => changed += 1,
                Match::Other => {}
            }
        }
        match self.values.len() {
            0 => Likeness::Other,
            all if equal == all => Likeness::Equal,
            all if equal + changed == all && has_own_text => Likeness::Changed,
            all if 2 * (equal + changed) >= all => Likeness::Similar,
            _ => Likeness::Other,
        }
    }

    /// Some of the values, for a sentence: texts first.
    pub(super) fn shown(&self) -> String {
        let (mut texts, others): (Vec<_>, Vec<_>) =
            self.values.iter().filter(|(_, _, value)| !is_empty(value)).partition(|(_, kind, _)| *kind == Kind::Text);
        texts.extend(others);
        let shown = texts.into_iter().take(MOST_SHOWN).map(|(name, _, value)| match value {
            Value::String(text) => format!("{name} \"{}\"", text.chars().take(SHOWN).collect::<String>()),
            other => format!("{name} {other}"),
        });
        shown.collect::<Vec<_>>().join(", ")
    }
}

/// Whether a value of this kind comes back as it was sent.
fn is_plain(kind: &Kind, value: &Value) -> bool {
    let is_single = !value.is_array() && !value.is_object();
    match kind {
        Kind::Many2one(_) => value.is_i64() || is_empty(value),
        Kind::Boolean
        | Kind::Integer
        | Kind::Float
        | Kind::Text
        | Kind::Date
        | Kind::Datetime
        | Kind::Selection(_)
        | Kind::Reference => is_single,
        Kind::One2many(_) | Kind::Many2many(_) | Kind::Html | Kind::Binary | Kind::Free => false,
    }
}

/// Whether the values of one record, or of each of several, have a command that creates a record.
pub(super) fn creates_lines(values: &Value) -> bool {
    match values {
        Value::Object(values) => values.values().any(creates),
        Value::Array(records) => records.iter().any(creates_lines),
        _ => false,
    }
}

/// Whether a value has a command that creates a record: `[0, …, {values}]`, at whatever depth.
pub(super) fn creates(value: &Value) -> bool {
    let Value::Array(items) = value else { return false };
    match &items[..] {
        _ if created_by(value).is_some() => true,
        [_, _, Value::Object(values)] => values.values().any(creates),
        items => items.iter().any(creates),
    }
}

/// The values of the record that a command creates, if it is such a command.
pub(super) fn created_by(command: &Value) -> Option<&Map<String, Value>> {
    match &command.as_array()?[..] {
        // Python takes false and 0.0 for 0.
        [number, _, Value::Object(values)] if number.as_f64() == Some(0.0) || *number == json!(false) => Some(values),
        _ => None,
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.trim().is_empty(),
        _ => false,
    }
}

fn compared(kind: &Kind, sent: &Value, found: &Value) -> Match {
    let is_equal = match kind {
        Kind::Boolean => (*sent == json!(true)) == (*found == json!(true)),
        Kind::Integer => number(sent) == number(found),
        Kind::Float => (number(sent) - number(found)).abs() <= TOLERANCE.max(number(sent).abs() * 1e-9),
        // With its name, as `read` gives it.
        Kind::Many2one(_) => sent.as_i64() == found.as_i64().or_else(|| found[0].as_i64()),
        Kind::Text => {
            let (sent, found) = (text(sent), text(found));
            if sent == found {
                return Match::Equal;
            }
            let is_changed = !plain(&sent).is_empty() && plain(&sent) == plain(&found);
            return if is_changed { Match::Changed } else { Match::Other };
        }
        _ => text(sent) == text(found),
    };
    if is_equal { Match::Equal } else { Match::Other }
}

/// Odoo gives 0 for a number that has no value.
fn number(value: &Value) -> f64 {
    value.as_f64().or_else(|| value.as_str()?.trim().parse().ok()).unwrap_or_default()
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Null | Value::Bool(false) => String::new(),
        other => other.to_string(),
    }
}

fn plain(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(values: Value) -> Written {
        let described = json!({
            "name": {"type": "char", "store": true},
            "phone": {"type": "char", "store": true},
            "amount": {"type": "float", "store": true},
            "color": {"type": "integer", "store": true},
            "parent_id": {"type": "many2one", "relation": "m", "store": true},
            "day": {"type": "date", "store": true},
            "line_ids": {"type": "one2many", "relation": "l", "store": true},
            "note": {"type": "html", "store": true},
            "total": {"type": "float", "store": true, "readonly": true, "depends": ["amount"]},
            "secret": {"type": "char", "store": true},
        });
        let schema = Schema::new("m", serde_json::from_value(described).unwrap());
        Written::with(&schema, values.as_object().unwrap(), |name, _| name != "secret")
    }

    #[test]
    fn a_record_is_equal_where_all_plain_values_are_and_similar_where_half_of_them_are() {
        let sent = json!({"name": "a ", "color": 3, "parent_id": 7, "amount": 1.239, "line_ids": [[0, 0, {}]], "note": "<p>x</p>"});
        let one = written(sent);
        let row =
            |name, color, parent| json!({"id": 1, "name": name, "color": color, "parent_id": parent, "amount": 1.24});
        assert_eq!(one.likeness(&row("a", 3, json!([7, "p"]))), Likeness::Equal);
        assert_eq!(one.likeness(&row("b", 4, json!([7, "p"]))), Likeness::Similar);
        assert_eq!(one.likeness(&row("b", 4, json!(false))), Likeness::Other);
        assert!(one.has_others && one.creates_lines);
    }

    #[test]
    fn a_text_in_another_form_needs_one_that_came_as_it_was_sent() {
        let one = written(json!({"name": "a", "phone": "+32 (2) 290"}));
        assert_eq!(one.likeness(&json!({"name": "a", "phone": "+322290"})), Likeness::Changed);
        assert_eq!(one.likeness(&json!({"name": "A", "phone": "+322290"})), Likeness::Similar);
        assert_eq!(written(json!({"name": "A-11"})).likeness(&json!({"name": "A1-1"})), Likeness::Similar);
    }

    #[test]
    fn nothing_is_compared_that_may_not_be_read_or_is_computed() {
        let one = written(json!({"name": "a", "secret": "s", "total": 3.0}));
        assert_eq!(one.fields().collect::<Vec<_>>(), ["name"]);
        assert!(one.is_telling());
        for nothing in [json!({"secret": "s"}), json!({"name": "", "parent_id": false})] {
            assert!(!written(nothing).is_telling());
        }
        assert_eq!(written(json!({"secret": "s"})).likeness(&json!({})), Likeness::Other);
    }

    #[test]
    fn equal_values_in_another_order_are_the_same_record() {
        let [one, same, other] =
            [json!({"name": "a", "color": 1}), json!({"color": 1, "name": "a"}), json!({"name": "a", "color": 2})]
                .map(written);
        assert_eq!(one.fingerprint(), same.fingerprint());
        assert_ne!(one.fingerprint(), other.fingerprint());
        assert_eq!(one.shown(), "name \"a\", color 1");
    }

    #[test]
    fn an_empty_value_is_what_odoo_gives_for_it() {
        let one = written(json!({"name": false, "color": false, "parent_id": false, "amount": 0, "day": false}));
        let row = json!({"name": false, "color": 0, "parent_id": false, "amount": 0.0, "day": false});
        assert_eq!(one.likeness(&row), Likeness::Equal);
    }

    #[test]
    fn a_command_that_creates_is_seen_at_every_depth() {
        for command in [json!([[0, 0, {}]]), json!([[false, 0, {}]]), json!([[1, 7, {"x": [[0, 0, {}]]}]])] {
            assert!(creates(&command), "{command}");
        }
        for command in [json!([[4, 7, 0]]), json!([[6, 0, [1, 2]]]), json!([[1, 7, {"x": "y"}]]), json!("x")] {
            assert!(!creates(&command), "{command}");
        }
    }
}
