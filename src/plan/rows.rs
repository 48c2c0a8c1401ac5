//! Records in Odoo's answers.
//!
//! An answer without the list that the method always gives is an error. Read as an empty list, it would mean that no
//! record matches, and a record would be created that exists already.

use serde_json::Value;

use crate::odoo::{Effect, Error, Rpc, Why};

/// The records in the answer of `search_read` or `read`, or in a part of another answer.
///
/// # Errors
/// The answer is not a list.
pub(crate) fn records(rpc: &Rpc, answer: Value) -> Result<Vec<Value>, Error> {
    match answer {
        Value::Array(records) => Ok(records),
        _ => Err(garbled(rpc, "no list of records")),
    }
}

/// The ids of records that were read.
///
/// # Errors
/// A record has no id.
pub(crate) fn ids<'r>(rpc: &Rpc, records: impl IntoIterator<Item = &'r Value>) -> Result<Vec<i64>, Error> {
    records.into_iter().map(|record| id(rpc, record)).collect()
}

/// The id of a record that was read. Lines that are not read themselves are ids, and `name_search` gives pairs of id and name.
///
/// # Errors
/// It has none.
pub(crate) fn id(rpc: &Rpc, record: &Value) -> Result<i64, Error> {
    let id = record.as_i64().or_else(|| record["id"].as_i64()).or_else(|| record[0].as_i64());
    id.ok_or_else(|| garbled(rpc, "a record without an id"))
}

fn garbled(rpc: &Rpc, what: &str) -> Error {
    Error::NoAnswer { effect: Effect::Read, why: Why::Garbled(format!("{}.{} gave {what}", rpc.model, rpc.method)) }
}
