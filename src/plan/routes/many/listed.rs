//! The parameters of a request with several records: which belong to each, and which to all.

use serde_json::{Map, Value};

use crate::plan::{Error, routes::vals::flag, wording::wrong};

/// The maximum number of records in one request.
pub const MAX_RECORDS: usize = 10_000;

/// The maximum number of records that one call creates: it is one transaction of Odoo.
const MAX_ATOMIC: usize = 1_000;

/// Whether the request has several records.
pub(super) fn is_list(vals: &Map<String, Value>) -> bool {
    matches!(vals.get("payload"), Some(Value::Array(_)))
}

/// The parameters of a request with several records.
#[derive(Debug)]
pub(super) struct Listed<'v> {
    payloads: &'v [Value],
    keys: Keys<'v>,
    /// The parameters that all records have in common.
    pub(super) common: Map<String, Value>,
    pub(super) is_atomic: bool,
}

/// The members of an object.
type Fields = Map<String, Value>;

/// Where the search key of a record comes from.
#[derive(Debug)]
enum Keys<'v> {
    None,
    /// One for each record.
    Each(Vec<&'v Map<String, Value>>),
    /// These fields, with their values in the payload.
    Fields(Vec<&'v str>),
}

impl<'v> Listed<'v> {
    /// # Errors
    /// There are too many records, or the search keys are none for them.
    pub(super) fn read(vals: &'v Map<String, Value>, has_search_key: bool) -> Result<Self, Error> {
        let payloads = vals.get("payload").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        if payloads.len() > MAX_RECORDS {
            let problem =
                format!("has {} records, more than the {MAX_RECORDS} that one request may have", payloads.len());
            return Err(Error::WrongKind { path: "payload".to_owned(), problem });
        }
        let is_atomic = flag(vals, "atomic")?.unwrap_or(false);
        if is_atomic && payloads.len() > MAX_ATOMIC {
            let problem = format!("is served for {MAX_ATOMIC} records at most, and there are {}", payloads.len());
            return Err(Error::WrongKind { path: "atomic".to_owned(), problem });
        }
        let keys = match vals.get("search_key") {
            Some(key) if has_search_key && !payloads.is_empty() => Keys::read(key, payloads.len())?,
            None if has_search_key && !payloads.is_empty() => return Err(Error::NoSearchKey),
            _ => Keys::None,
        };
        let is_own = |name: &str| match name {
            "payload" | "atomic" => true,
            "search_key" => has_search_key,
            _ => false,
        };
        let common = vals.iter().filter(|(name, _)| !is_own(name));
        let common = common.map(|(name, value)| (name.clone(), value.clone())).collect();
        Ok(Self { payloads, keys, common, is_atomic })
    }

    pub(super) fn len(&self) -> usize {
        self.payloads.len()
    }

    /// The payload of a record, and its search key where the route has one.
    ///
    /// # Errors
    /// The record is no object, or lacks a field of the search key.
    pub(super) fn record(&self, number: usize) -> Result<(&'v Fields, Option<Fields>), Error> {
        let payload = match &self.payloads[number] {
            Value::Object(payload) => payload,
            other => return Err(wrong("payload", "an object: one record", other)),
        };
        let key = match &self.keys {
            Keys::None => None,
            Keys::Each(keys) => Some(keys[number].clone()),
            Keys::Fields(fields) => Some(key_of(payload, fields)?),
        };
        Ok((payload, key))
    }
}

impl<'v> Keys<'v> {
    fn read(value: &'v Value, records: usize) -> Result<Self, Error> {
        const DUE: &str = "a list for a list of records: of field names, or of one object for each record";
        let path = || "search_key".to_owned();
        let Value::Array(entries) = value else { return Err(wrong("search_key", DUE, value)) };
        match entries.first() {
            None => Err(Error::NoSearchKey),
            Some(Value::String(_)) => {
                let name = |entry: &'v Value| entry.as_str().ok_or_else(|| wrong("search_key", DUE, entry));
                entries.iter().map(name).collect::<Result<_, _>>().map(Self::Fields)
            }
            Some(_) => {
                let key = |entry: &'v Value| entry.as_object().ok_or_else(|| wrong("search_key", DUE, entry));
                let keys: Vec<_> = entries.iter().map(key).collect::<Result<_, _>>()?;
                if keys.len() == records {
                    return Ok(Self::Each(keys));
                }
                let problem = format!("has {} keys for {records} records", keys.len());
                Err(Error::WrongKind { path: path(), problem })
            }
        }
    }
}

/// The search key of a record by its own values.
fn key_of(payload: &Map<String, Value>, fields: &[&str]) -> Result<Map<String, Value>, Error> {
    let term = |field: &&str| match payload.get(*field) {
        Some(value) => Ok(((*field).to_owned(), value.clone())),
        None => Err(Error::WrongKind {
            path: format!("payload.{field}"),
            problem: "is missing, and `search_key` names it".to_owned(),
        }),
    };
    fields.iter().map(term).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn vals(value: Value) -> Map<String, Value> {
        let Value::Object(vals) = value else { unreachable!() };
        vals
    }

    #[track_caller]
    fn check_refused(value: Value, path: &str, problem: &str) {
        let error = Listed::read(&vals(value), true).unwrap_err();
        assert_eq!(error.path(), Some(path));
        assert!(error.to_string().contains(problem), "{error}");
    }

    #[test]
    fn a_search_key_is_one_object_for_each_record_or_names_fields_of_the_payloads() {
        let each = vals(json!({"payload": [{"name": "a"}, {"name": "b"}], "search_key": [{"ref": "x"}, {"ref": "y"}]}));
        let listed = Listed::read(&each, true).unwrap();
        assert_eq!(listed.record(1).unwrap().1, Some(vals(json!({"ref": "y"}))));
        let named = vals(json!({"payload": [{"ref": "x"}, {"name": "b"}], "search_key": ["ref"], "strict": true}));
        let listed = Listed::read(&named, true).unwrap();
        assert_eq!(listed.common, vals(json!({"strict": true})));
        assert_eq!(listed.record(0).unwrap().1, Some(vals(json!({"ref": "x"}))));
        assert_eq!(listed.record(1).unwrap_err().path(), Some("payload.ref"));
    }

    #[test]
    fn keys_that_do_not_fit_the_records_are_refused() {
        let two = json!([{"name": "a"}, {"name": "b"}]);
        check_refused(json!({"payload": two, "search_key": [{"ref": "x"}]}), "search_key", "1 keys for 2 records");
        check_refused(json!({"payload": two, "search_key": {"ref": "x"}}), "search_key", "must be a list");
        check_refused(json!({"payload": two, "search_key": ["ref", 1]}), "search_key", "not a number");
        check_refused(json!({"payload": two, "search_key": []}), "search_key", "not found");
        check_refused(json!({"payload": two}), "search_key", "not found");
    }

    #[test]
    fn more_records_than_a_request_may_have_are_refused_with_the_number() {
        let payload = vec![json!({}); MAX_RECORDS + 1];
        check_refused(json!({"payload": payload, "search_key": ["ref"]}), "payload", "10001 records");
    }
}
