//! Which calls may create the same record: the keys on which writes are serialised.
//!
//! A search key and a lookup by the same values of the same model are the same key, so that an upsert and an
//! `auto_create` of one record run one after another. Where several fields are named, the whole set is the key: a call
//! that names the record by other fields is not held back.

use serde_json::{Map, Value};

use super::{
    auto_create::AutoCreate,
    question::{Question, QuestionId},
};
use crate::odoo::{Caller, RecordKey};

/// Up to this number of values of one field, each value is a key; a longer list is one key as a whole.
const MAX_VALUES: usize = 100;

/// The keys of a search key. Each value of a list is a key.
pub(in crate::plan) fn of_search_key(caller: &Caller, model: &str, search_key: &Map<String, Value>) -> Vec<RecordKey> {
    let mut terms = search_key.iter();
    if let (Some((field, Value::Array(values))), None) = (terms.next(), terms.next())
        && values.len() <= MAX_VALUES
    {
        return values.iter().map(|value| caller.record_key(model, &[(field, value)])).collect();
    }
    let terms: Vec<(&str, &Value)> = search_key.iter().map(|(field, value)| (field.as_str(), only(value))).collect();
    vec![caller.record_key(model, &terms)]
}

/// The value of a list of one value; any other value as it is.
fn only(value: &Value) -> &Value {
    match value {
        Value::Array(values) if values.len() == 1 => &values[0],
        value => value,
    }
}

/// The keys of the questions that create a record where they find none.
pub(in crate::plan) fn of_lookups<'q>(
    caller: &Caller,
    questions: impl Iterator<Item = (QuestionId, &'q Question)>,
    auto_create: &AutoCreate,
) -> Vec<RecordKey> {
    if auto_create.is_empty() {
        return Vec::new();
    }
    let creating = questions.map(|(_, question)| question).filter(|question| auto_create.fitting(question).is_some());
    creating.map(|question| of_lookup(caller, question)).collect()
}

fn of_lookup(caller: &Caller, question: &Question) -> RecordKey {
    let compared: Vec<(&str, Value)> =
        question.keys().map(|(field, value)| (field, question.compared(field, value))).collect();
    let terms: Vec<(&str, &Value)> = compared.iter().map(|(field, value)| (*field, value)).collect();
    caller.record_key(&question.model, &terms)
}
