//! `auto_create`: what to create where a lookup finds nothing.
//!
//! `{"<field>": {…}}` or a list of several. The addon creates everything that is listed for a field as soon as one
//! lookup of that field finds nothing. The gateway creates each missing record from the entry that fits its lookup, and
//! nothing else.

use serde_json::{Map, Value};

use super::question::Question;
use crate::{
    odoo::Comparison,
    plan::{Error, wording::wrong},
};

/// The maximum number of entries: each missing record is compared with all of them, and created by an RPC of its own.
const MAX_ENTRIES: usize = 1_000;

/// The entries of all fields.
#[derive(Debug, Default)]
pub(in crate::plan) struct AutoCreate {
    entries: Vec<Entry>,
}

/// The values of a record that may be created for lookups of `field`.
#[derive(Debug)]
pub(in crate::plan) struct Entry {
    field: String,
    pub(in crate::plan) path: String,
    pub(in crate::plan) values: Map<String, Value>,
}

/// An entry that fits a lookup.
#[derive(Debug, Clone, Copy)]
pub(in crate::plan) struct Fit<'e> {
    pub(in crate::plan) entry: &'e Entry,
    /// The entry's values show that the lookup will find the record; otherwise the lookup is repeated once the record
    /// exists.
    pub(in crate::plan) is_certain: bool,
}

impl AutoCreate {
    pub(in crate::plan) fn read(value: Option<&Value>) -> Result<Self, Error> {
        let fields = match value {
            None | Some(Value::Null | Value::Bool(false)) => return Ok(Self::default()),
            Some(Value::Object(fields)) => fields,
            Some(other) => return Err(wrong("auto_create", "an object", other)),
        };
        let mut entries = Vec::new();
        for (field, value) in fields {
            let path = format!("auto_create.{field}");
            match value {
                Value::Null | Value::Bool(false) => {}
                Value::Object(values) => entries.push(Entry { field: field.clone(), path, values: values.clone() }),
                Value::Array(items) => {
                    for (index, item) in items.iter().enumerate() {
                        let path = format!("{path}[{index}]");
                        let Value::Object(values) = item else {
                            return Err(wrong(path, "an object: one record", item));
                        };
                        entries.push(Entry { field: field.clone(), path, values: values.clone() });
                    }
                }
                other => return Err(wrong(path, "an object, or a list of objects", other)),
            }
        }
        if entries.len() > MAX_ENTRIES {
            let problem =
                format!("has {} records; more than {MAX_ENTRIES} are better made by calls of their own", entries.len());
            return Err(Error::WrongKind { path: "auto_create".to_owned(), problem });
        }
        Ok(Self { entries })
    }

    pub(in crate::plan) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entry from which a record that answers the question can be created.
    ///
    /// It is one that holds the very values that are looked up. Failing that, it is the only one that holds no other
    /// value in a field that is looked up by, since such a field may be computed. An entry with another value would
    /// never be found.
    pub(in crate::plan) fn fitting(&self, question: &Question) -> Option<Fit<'_>> {
        // A new record gets another id than the one that was looked for, and no external id.
        if question.keys().any(|(field, _)| field == "id") || question.comparison == Comparison::ExternalId {
            return None;
        }
        let of_field = self.entries.iter().filter(|entry| question.asked_by.contains(&entry.field));
        let is_equal =
            |own: &Value, field: &str, value: &Value| is_same(own, value) || question.is_equal(field, own, value);
        // What a model takes for a name may stand in any of its fields.
        if question.comparison == Comparison::Name
            && let Some(entry) = of_field.clone().find(|entry| entry.values.values().any(|own| *own == question.value))
        {
            return Some(Fit { entry, is_certain: false });
        }
        let holds = |entry: &&Entry| {
            question.keys().all(|(field, value)| entry.values.get(field).is_some_and(|own| is_equal(own, field, value)))
        };
        if let Some(entry) = of_field.clone().find(holds) {
            // The lookup does not find an archived record, or one of another company.
            let is_active = entry.values.get("active").is_none_or(|active| *active == Value::Bool(true));
            let company = entry.values.get("company_id").filter(|company| **company != Value::Bool(false));
            let is_near =
                company.is_none_or(|company| question.company.is_none_or(|near| company.as_i64() == Some(near)));
            return Some(Fit { entry, is_certain: is_active && is_near });
        }
        // A value that is a lookup itself is known only once the record exists.
        let may_hold = |entry: &&Entry| {
            let may_be = |own: &Value, field: &str, value: &Value| own.is_object() || is_equal(own, field, value);
            question.keys().all(|(field, value)| entry.values.get(field).is_none_or(|own| may_be(own, field, value)))
        };
        let mut silent = of_field.filter(may_hold);
        match (silent.next(), silent.next()) {
            (Some(entry), None) => Some(Fit { entry, is_certain: false }),
            _ => None,
        }
    }
}

/// Whether a value as it was sent is the one that is looked up, which has been converted by the type of its field: a number may
/// have become a text, and a text a number.
fn is_same(sent: &Value, sought: &Value) -> bool {
    match (sent, sought) {
        (Value::Number(number), Value::String(text)) | (Value::String(text), Value::Number(number)) => {
            number.to_string() == text.trim()
        }
        (sent, sought) => sent == sought,
    }
}
