//! What a new record is known again by, when it was made together with others.
//!
//! A mark is a value that was sent for a stored text, whole number or many2one, in a form that leaves out what Odoo and its
//! modules most often change on the way: case, spaces and punctuation.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::schema::{Field, Kind, Schema};

/// The marks of one record, by field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Marks(Vec<(String, String)>);

impl Marks {
    /// Of the fields that may be read.
    pub(super) fn of(values: &Value, schema: &Schema, is_readable: impl Fn(&str, &Field) -> bool) -> Self {
        let none = Map::new();
        let values = values.as_object().unwrap_or(&none).iter();
        let marked = |(name, value): (&String, &Value)| {
            let field = schema.field(name).filter(|field| field.is_column)?;
            let is_one =
                matches!(field.kind, Kind::Text | Kind::Integer | Kind::Many2one(_)) && is_readable(name, field);
            Some((name.clone(), mark(value).filter(|_| is_one)?))
        };
        Self(values.filter_map(marked).collect())
    }

    /// There is a field in which they differ for certain.
    pub(super) fn are_told_from(&self, other: &Self) -> bool {
        self.0.iter().any(|(field, mark)| other.get(field).is_some_and(|theirs| theirs != mark))
    }

    fn get(&self, field: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name == field).map(|(_, mark)| mark.as_str())
    }

    /// Whether a row of these fields may be this record.
    fn fit(&self, row: &Value, fields: &[String]) -> bool {
        fields.iter().all(|field| self.get(field).is_none_or(|own| mark(&row[field]).as_deref() == Some(own)))
    }
}

/// The fields to be read so that records can be told apart: one, where it is different in each.
pub(super) fn telling_fields(marks: &[Marks]) -> Vec<String> {
    let names: Vec<&String> = marks.iter().flat_map(|marks| marks.0.iter().map(|(name, _)| name)).collect();
    let tells_all = |name: &&&String| {
        let different: HashSet<&str> = marks.iter().filter_map(|marks| marks.get(name)).collect();
        different.len() == marks.len()
    };
    if let Some(name) = names.iter().find(tells_all) {
        return vec![(*name).clone()];
    }
    let mut fields: Vec<String> = Vec::new();
    for name in names {
        let differs = marks.iter().any(|one| one.get(name) != marks[0].get(name));
        if differs && !fields.contains(name) {
            fields.push(name.clone());
        }
    }
    fields
}

/// The id of each record, as far as it is certain. `ids` are as Odoo gave them, which is in the order of the records as a
/// rule; `rows` are what it has in these fields.
pub(super) fn assign(marks: &[Marks], ids: &[i64], rows: &[Value], fields: &[String]) -> Vec<Option<i64>> {
    let row_of = |id: &i64| rows.iter().find(|row| row["id"].as_i64() == Some(*id)).unwrap_or(&Value::Null);
    let rows: Vec<&Value> = ids.iter().map(row_of).collect();
    let candidates = |own: &Marks| (0..rows.len()).filter(|&at| own.fit(rows[at], fields)).collect::<Vec<_>>();
    let candidates: Vec<Vec<usize>> = marks.iter().map(candidates).collect();
    let in_order: Vec<bool> = candidates.iter().enumerate().map(|(own, fitting)| fitting.contains(&own)).collect();
    let strays = in_order.iter().filter(|fits| !**fits).count();
    if strays == 0 {
        return ids.iter().copied().map(Some).collect();
    }
    let is_only_one = |own: usize, at: usize| {
        candidates[own] == [at] && (0..marks.len()).all(|other| other == own || !candidates[other].contains(&at))
    };
    let certain = |own: usize| match candidates[own][..] {
        [at] if is_only_one(own, at) => Some(ids[at]),
        _ => None,
    };
    let mut told: Vec<Option<i64>> = (0..marks.len()).map(certain).collect();
    // One that Odoo has changed beyond recognition is the one that is left over.
    if let [own] = (0..told.len()).filter(|&own| told[own].is_none()).collect::<Vec<_>>()[..] {
        told[own] = ids.iter().copied().find(|id| !told.contains(&Some(*id)));
    }
    told
}

/// A value as it is compared; none where there is nothing to compare.
fn mark(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => number.as_i64().map(|number| number.to_string()),
        Value::String(text) => {
            let plain: String = text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
            Some(plain).filter(|plain| !plain.is_empty())
        }
        // A many2one with its name.
        Value::Array(pair) => pair.first().and_then(Value::as_i64).map(|id| id.to_string()),
        _ => None,
    }
}

/// Whether a value takes no more than so many bytes, roughly.
pub(super) fn is_within(value: &Value, most: usize) -> bool {
    fn take(value: &Value, left: &mut usize) -> bool {
        let own = 16 + value.as_str().map_or(0, str::len);
        let Some(rest) = left.checked_sub(own) else { return false };
        *left = rest;
        match value {
            Value::Array(items) => items.iter().all(|item| take(item, left)),
            Value::Object(entries) => entries.iter().all(|(_, value)| take(value, left)),
            _ => true,
        }
    }
    take(value, &mut { most })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn marks(values: &Value) -> Marks {
        let described = json!({
            "name": {"type": "char", "store": true},
            "ref": {"type": "char", "store": true},
            "parent_id": {"type": "many2one", "relation": "res.partner", "store": true},
            "comment": {"type": "html", "store": true},
            "hidden": {"type": "char", "store": true},
        });
        let schema = Schema::new("res.partner", serde_json::from_value(described).unwrap());
        Marks::of(values, &schema, |name, _| name != "hidden")
    }

    fn told(sent: &[Value], rows: &[Value]) -> Vec<Option<i64>> {
        let sent: Vec<Marks> = sent.iter().map(marks).collect();
        let ids: Vec<i64> = rows.iter().map(|row| row["id"].as_i64().unwrap()).collect();
        assign(&sent, &ids, rows, &telling_fields(&sent))
    }

    #[test]
    fn records_in_their_order_are_told_by_one_field_that_is_different_in_each() {
        let sent = [json!({"name": "a", "ref": "x"}), json!({"name": "a", "ref": "y"})];
        assert_eq!(telling_fields(&sent.each_ref().map(marks)), ["ref"]);
        assert_eq!(told(&sent, &[json!({"id": 7, "ref": "x"}), json!({"id": 8, "ref": "y"})]), [Some(7), Some(8)]);
    }

    #[test]
    fn records_in_another_order_are_found_by_what_they_have() {
        let sent = [json!({"name": "a"}), json!({"name": "b"}), json!({"name": "c"})];
        let rows = [json!({"id": 7, "name": "b"}), json!({"id": 8, "name": "c"}), json!({"id": 9, "name": "a"})];
        assert_eq!(told(&sent, &rows), [Some(9), Some(7), Some(8)]);
    }

    #[test]
    fn what_odoo_writes_otherwise_is_known_again_and_one_that_is_unknown_is_the_one_left_over() {
        let sent = [json!({"name": " +32 (2) 290"}), json!({"name": "Ab"}), json!({"name": "c"})];
        let rows =
            [json!({"id": 7, "name": "+322290"}), json!({"id": 8, "name": "AB"}), json!({"id": 9, "name": "other"})];
        assert_eq!(told(&sent, &rows), [Some(7), Some(8), Some(9)]);
    }

    #[test]
    fn nobody_is_given_a_record_that_may_be_anothers() {
        let sent = [json!({"name": "a"}), json!({"name": "b"}), json!({"name": "c"})];
        let rows = [json!({"id": 7, "name": "x"}), json!({"id": 8, "name": "y"}), json!({"id": 9, "name": "c"})];
        assert_eq!(told(&sent, &rows), [None, None, Some(9)]);
        // Two that are given for one.
        let rows = [json!({"id": 7, "name": "b"}), json!({"id": 8, "name": "b"}), json!({"id": 9, "name": "c"})];
        assert_eq!(told(&sent, &rows), [None, None, Some(9)]);
    }

    #[test]
    fn what_has_no_field_that_differs_is_not_told_apart() {
        let one = marks(&json!({"name": "a", "comment": "<p>1</p>"}));
        assert!(!one.are_told_from(&marks(&json!({"name": "A!", "comment": "<p>2</p>"}))));
        assert!(!one.are_told_from(&marks(&json!({"ref": "b"}))));
        assert!(!marks(&json!({"hidden": "a"})).are_told_from(&marks(&json!({"hidden": "b"}))));
        assert!(one.are_told_from(&marks(&json!({"name": "b"}))));
        assert!(marks(&json!({"parent_id": 7})).are_told_from(&marks(&json!({"parent_id": 8}))));
    }

    #[test]
    fn the_size_of_a_record_counts_its_texts_at_every_depth() {
        let lines = json!({"lines": [[0, 0, {"text": "x".repeat(100)}]]});
        assert!(is_within(&lines, 500) && !is_within(&lines, 100));
    }
}
