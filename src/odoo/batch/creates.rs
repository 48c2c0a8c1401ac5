//! Batched creates: which new records may share one `create`.
//!
//! Odoo creates all records of a call or none. When it refuses a batch, each record is created by its own call, so that an
//! invalid record costs the others time only. When it accepts one, each call must get the id of its own record. A model may
//! return the ids in another order than the records, so the new records are read back and compared with what was sent. Models
//! that do so sort records by which fields they have, or by a boolean in them, and then confuse records themselves
//! (`calendar.event` with and without `recurrency`, Odoo 14-19): only records of the same shape share a batch.
//!
//! A user may have the right to create records and not to read them. So the records of a user are batched only after this user
//! has read one of its own: while others wait, the first call reads its record back, once in a while per user and model.

use http::HeaderValue;
use serde_json::Value;

use crate::odoo::{
    batch::{batcher::BatchKind, record_matching::MatchValues},
    credential::Fingerprint,
    model::{error::Error, rpc::Rpc},
};

/// Larger records are not batched: Odoo limits the size of a request, and a batch contains many records.
const MAX_RECORD_SIZE: usize = 64 << 10;

/// Creates of one model with the same credential and context.
pub(in crate::odoo) enum Creates {}

impl BatchKind for Creates {
    type Key = Key;
    type Job = Record;
    type Answer = Answer;
    const CONCURRENT: bool = true;

    /// Records of the same shape that can be told apart afterwards, or equal ones.
    fn may_share(one: &Record, other: &Record) -> bool {
        one.values == other.values
            || (has_same_shape(&one.values, &other.values) && one.match_values.differ_from(&other.match_values))
    }
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::odoo) struct Key {
    pub(in crate::odoo) credential: Fingerprint,
    pub(in crate::odoo) model: String,
    pub(in crate::odoo) context: String,
}

pub(in crate::odoo) struct Record {
    pub(in crate::odoo) values: Value,
    pub(in crate::odoo) match_values: MatchValues,
}

/// The outcome of one record of a batch.
pub(in crate::odoo) struct Answer {
    /// The id of the new record.
    pub(in crate::odoo) created: Result<i64, Error>,
    /// The number of records in the batch.
    pub(in crate::odoo) batch_size: usize,
    /// The cookie by which Odoo replaced the session of the leader's call.
    pub(in crate::odoo) rotated: Option<HeaderValue>,
}

/// The values of an RPC that creates exactly one record, if it is small enough to be batched.
pub(in crate::odoo) fn batchable_record(rpc: &Rpc) -> Option<&Value> {
    let [(_, Value::Array(records))] = &rpc.args[..] else { return None };
    let [values] = &records[..] else { return None };
    let is_create = rpc.method == "create" && rpc.ids.is_none() && rpc.kwargs.is_empty();
    (is_create && fits_within(values, MAX_RECORD_SIZE)).then_some(values)
}

/// Whether two records have the same fields, and equal booleans in them.
pub(in crate::odoo) fn has_same_shape(one: &Value, other: &Value) -> bool {
    let (Some(one), Some(other)) = (one.as_object(), other.as_object()) else { return false };
    let is_alike = |(name, value): (&String, &Value)| {
        other.get(name).is_some_and(|theirs| (!value.is_boolean() && !theirs.is_boolean()) || value == theirs)
    };
    one.len() == other.len() && one.iter().all(is_alike)
}

/// Whether a value takes at most `max` bytes, roughly.
fn fits_within(value: &Value, max: usize) -> bool {
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
    take(value, &mut { max })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_size_of_a_record_counts_its_texts_at_every_depth() {
        let lines = json!({"lines": [[0, 0, {"text": "x".repeat(100)}]]});
        assert!(fits_within(&lines, 500) && !fits_within(&lines, 100));
    }
}
