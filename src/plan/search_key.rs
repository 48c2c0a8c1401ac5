//! The search key of a call: the fields by which the records that it is about are found, with their values.
//!
//! Every field must be equal to its value, or to one of the values of a list. An empty value is refused: a sender's missing value
//! would stand for all the records that have none. The values are converted by the type of their field, like those of a payload.

use serde_json::{Map, Value, json};

use super::{
    Error, kind_of,
    policy_check::denied,
    schema_view::SchemaView,
    value::{self, Use, is_empty_key},
    wording::wrong,
};

/// A search key with at least one field, none of whose values is empty.
#[derive(Debug, Clone)]
pub(super) struct SearchKey {
    /// As it was sent: an answer repeats it.
    sent: Map<String, Value>,
    /// The same fields, each with its value as Odoo compares it.
    terms: Map<String, Value>,
}

impl SearchKey {
    /// # Errors
    /// It has no field, which would match every record; or a value is empty, or cannot be searched for.
    pub(super) fn read(sent: Map<String, Value>) -> Result<Self, Error> {
        if sent.is_empty() {
            return Err(Error::NoSearchKey);
        }
        for (field, value) in &sent {
            let path = format!("search_key.{field}");
            if is_empty_key(value) {
                let problem = format!(
                    "is empty ({}) and would match every record without a value; send a value, or false where none is meant",
                    if value.is_array() { "or has an empty value" } else { kind_of(value) }
                );
                return Err(Error::WrongKind { path, problem });
            }
            let inner =
                value.as_array().and_then(|values| values.iter().find(|value| value.is_array() || value.is_object()));
            if let Some(nested) = inner.or(Some(value).filter(|value| value.is_object())) {
                return Err(wrong(path, "a value or a list of values", nested));
            }
        }
        let terms = sent.clone();
        Ok(Self { sent, terms })
    }

    /// Converts the values by the types that the model's fields have. What leads through other models is left for Odoo to judge.
    ///
    /// # Errors
    /// The policy denies a field, or a value is of another type than its field.
    pub(super) fn convert(&mut self, schemas: &SchemaView<'_>, model: &str) -> Result<(), Error> {
        let Some(view) = schemas.model(model).map_err(denied("model"))? else { return Ok(()) };
        for (name, value) in self.terms.iter_mut().filter(|(name, _)| !name.contains('.')) {
            let path = format!("search_key.{name}");
            let Some(field) = view.read(name).map_err(denied(&path))? else { continue };
            let convert = |value: &Value, path: &str| {
                value::converted(field, value, Use::Compare, path).map(|value| value.into_owned())
            };
            let converted = match &*value {
                Value::Array(values) => {
                    let values = values.iter().enumerate();
                    values.map(|(n, value)| convert(value, &format!("{path}[{n}]"))).collect::<Result<_, _>>()?
                }
                value => convert(value, &path)?,
            };
            *value = converted;
        }
        Ok(())
    }

    /// The key as it was sent.
    pub(super) fn sent(&self) -> &Map<String, Value> {
        &self.sent
    }

    /// The fields with their converted values.
    pub(super) fn terms(&self) -> &Map<String, Value> {
        &self.terms
    }

    pub(super) fn domain(&self) -> Value {
        let term = |(field, value): (&String, &Value)| json!([field, if value.is_array() { "in" } else { "=" }, value]);
        self.terms.iter().map(term).collect()
    }

    /// Whether so many records are no more than the key names one by one: by a list of ids, or of values of one field.
    pub(super) fn names_each_of(&self, records: usize) -> bool {
        let mut terms = self.terms.values();
        matches!((terms.next(), terms.next()), (Some(Value::Array(values)), None) if records <= values.len())
    }
}
