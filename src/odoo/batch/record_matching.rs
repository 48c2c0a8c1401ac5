//! Assigns the new records of a batch to the calls that sent them, by their values.
//!
//! A match value is a value that was sent for a stored text, integer or many2one, normalized so that it does not depend on what
//! Odoo and its modules most often change: case, spaces and punctuation.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use crate::odoo::model::schema::{Field, Kind, Schema};

/// The match values of one record, by field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::odoo) struct MatchValues(Vec<(String, String)>);

impl MatchValues {
    /// Only fields that are readable have match values.
    pub(in crate::odoo) fn of(values: &Value, schema: &Schema, is_readable: impl Fn(&str, &Field) -> bool) -> Self {
        let none = Map::new();
        let values = values.as_object().unwrap_or(&none).iter();
        let normalized = |(name, value): (&String, &Value)| {
            let field = schema.field(name).filter(|field| field.is_column)?;
            let is_identifying =
                matches!(field.kind, Kind::Text | Kind::Selection(_) | Kind::Integer | Kind::Many2one(_));
            let is_one = is_identifying && is_readable(name, field);
            Some((name.clone(), normalize(value).filter(|_| is_one)?))
        };
        Self(values.filter_map(normalized).collect())
    }

    /// Whether a field has different match values in both.
    pub(in crate::odoo) fn differ_from(&self, other: &Self) -> bool {
        self.0.iter().any(|(field, value)| other.get(field).is_some_and(|theirs| theirs != value))
    }

    fn get(&self, field: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name == field).map(|(_, value)| value.as_str())
    }

    /// Whether a row that was read may be this record.
    fn matches(&self, row: &Value, fields: &[String]) -> bool {
        fields.iter().all(|field| self.get(field).is_none_or(|own| normalize(&row[field]).as_deref() == Some(own)))
    }
}

/// The fields to be read back so that the records can be told apart: one, where its value is different in each record.
pub(in crate::odoo) fn distinguishing_fields(match_values: &[MatchValues]) -> Vec<String> {
    let names: Vec<&String> =
        match_values.iter().flat_map(|match_values| match_values.0.iter().map(|(name, _)| name)).collect();
    let tells_all = |name: &&&String| {
        let different: HashSet<&str> = match_values.iter().filter_map(|match_values| match_values.get(name)).collect();
        different.len() == match_values.len()
    };
    if let Some(name) = names.iter().find(tells_all) {
        return vec![(*name).clone()];
    }
    let mut fields: Vec<String> = Vec::new();
    for name in names {
        let differs = match_values.iter().any(|one| one.get(name) != match_values[0].get(name));
        if differs && !fields.contains(name) {
            fields.push(name.clone());
        }
    }
    fields
}

/// The id of each record, as far as it is certain. `ids` are in the order that Odoo returned, usually that of the records; `rows`
/// are the values that it has in `fields`.
pub(in crate::odoo) fn match_records(
    match_values: &[MatchValues],
    ids: &[i64],
    rows: &[Value],
    fields: &[String],
) -> Vec<Option<i64>> {
    let by_id: HashMap<i64, &Value> = rows.iter().filter_map(|row| Some((row["id"].as_i64()?, row))).collect();
    let rows: Vec<&Value> = ids.iter().map(|id| by_id.get(id).copied().unwrap_or(&Value::Null)).collect();
    // Nearly always. What follows compares each record with each row.
    if match_values.iter().zip(&rows).all(|(own, row)| own.matches(row, fields)) {
        return ids.iter().copied().map(Some).collect();
    }
    let candidates =
        |own: &MatchValues| (0..rows.len()).filter(|&at| own.matches(rows[at], fields)).collect::<Vec<_>>();
    let candidates: Vec<Vec<usize>> = match_values.iter().map(candidates).collect();
    let is_only_one = |own: usize, at: usize| {
        candidates[own] == [at] && (0..match_values.len()).all(|other| other == own || !candidates[other].contains(&at))
    };
    let certain = |own: usize| match candidates[own][..] {
        [at] if is_only_one(own, at) => Some(ids[at]),
        _ => None,
    };
    let mut assigned: Vec<Option<i64>> = (0..match_values.len()).map(certain).collect();
    // If all but one are assigned, the last id belongs to the last record, however Odoo has changed it.
    if let [own] = (0..assigned.len()).filter(|&own| assigned[own].is_none()).collect::<Vec<_>>()[..] {
        assigned[own] = ids.iter().copied().find(|id| !assigned.contains(&Some(*id)));
    }
    assigned
}

/// The form in which a value is compared; none where it cannot be compared.
fn normalize(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => number.as_i64().map(|number| number.to_string()),
        Value::String(text) => {
            let plain: String = text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
            Some(plain).filter(|plain| !plain.is_empty())
        }
        // A many2one that was read with its name.
        Value::Array(pair) => pair.first().and_then(Value::as_i64).map(|id| id.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn match_values(values: &Value) -> MatchValues {
        let described = json!({
            "name": {"type": "char", "store": true},
            "ref": {"type": "char", "store": true},
            "parent_id": {"type": "many2one", "relation": "res.partner", "store": true},
            "comment": {"type": "html", "store": true},
            "hidden": {"type": "char", "store": true},
        });
        let schema = Schema::new("res.partner", serde_json::from_value(described).unwrap());
        MatchValues::of(values, &schema, |name, _| name != "hidden")
    }

    fn matched(sent: &[Value], rows: &[Value]) -> Vec<Option<i64>> {
        let sent: Vec<MatchValues> = sent.iter().map(match_values).collect();
        let ids: Vec<i64> = rows.iter().map(|row| row["id"].as_i64().unwrap()).collect();
        match_records(&sent, &ids, rows, &distinguishing_fields(&sent))
    }

    #[test]
    fn records_in_their_order_are_told_by_one_field_that_is_different_in_each() {
        let sent = [json!({"name": "a", "ref": "x"}), json!({"name": "a", "ref": "y"})];
        assert_eq!(distinguishing_fields(&sent.each_ref().map(match_values)), ["ref"]);
        assert_eq!(matched(&sent, &[json!({"id": 7, "ref": "x"}), json!({"id": 8, "ref": "y"})]), [Some(7), Some(8)]);
    }

    #[test]
    fn records_in_another_order_are_found_by_what_they_have() {
        let sent = [json!({"name": "a"}), json!({"name": "b"}), json!({"name": "c"})];
        let rows = [json!({"id": 7, "name": "b"}), json!({"id": 8, "name": "c"}), json!({"id": 9, "name": "a"})];
        assert_eq!(matched(&sent, &rows), [Some(9), Some(7), Some(8)]);
    }

    #[test]
    fn what_odoo_writes_otherwise_is_known_again_and_one_that_is_unknown_is_the_one_left_over() {
        let sent = [json!({"name": " +32 (2) 290"}), json!({"name": "Ab"}), json!({"name": "c"})];
        let rows =
            [json!({"id": 7, "name": "+322290"}), json!({"id": 8, "name": "AB"}), json!({"id": 9, "name": "other"})];
        assert_eq!(matched(&sent, &rows), [Some(7), Some(8), Some(9)]);
    }

    #[test]
    fn nobody_is_given_a_record_that_may_be_anothers() {
        let sent = [json!({"name": "a"}), json!({"name": "b"}), json!({"name": "c"})];
        let rows = [json!({"id": 7, "name": "x"}), json!({"id": 8, "name": "y"}), json!({"id": 9, "name": "c"})];
        assert_eq!(matched(&sent, &rows), [None, None, Some(9)]);
        // Two that are given for one.
        let rows = [json!({"id": 7, "name": "b"}), json!({"id": 8, "name": "b"}), json!({"id": 9, "name": "c"})];
        assert_eq!(matched(&sent, &rows), [None, None, Some(9)]);
    }

    #[test]
    fn what_has_no_field_that_differs_is_not_told_apart() {
        let one = match_values(&json!({"name": "a", "comment": "<p>1</p>"}));
        assert!(!one.differ_from(&match_values(&json!({"name": "A!", "comment": "<p>2</p>"}))));
        assert!(!one.differ_from(&match_values(&json!({"ref": "b"}))));
        assert!(!match_values(&json!({"hidden": "a"})).differ_from(&match_values(&json!({"hidden": "b"}))));
        assert!(one.differ_from(&match_values(&json!({"name": "b"}))));
        assert!(match_values(&json!({"parent_id": 7})).differ_from(&match_values(&json!({"parent_id": 8}))));
    }
}
