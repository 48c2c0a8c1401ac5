//! The search key of a call: the fields by which the records that it is about are found, with their values.
//!
//! Every field must be equal to its value, or to one of the values of a list. An empty value is refused: a sender's missing value
//! would stand for all the records that have none. The values are converted by the type of their field, like those of a payload.

use serde_json::{Map, Value, json};

use super::{
    Error,
    error::Mistakes,
    lookup::{ARCHIVED, Filter, NO_EXTERNAL_ID, XML_ID, any_activity, folded, folded_terms, no_id},
    policy_check::denied,
    schema_view::SchemaView,
    value::{self, Use, is_empty_key, lacks_name},
    wording::wrong,
};
use crate::{
    odoo::{Archived, ExternalId},
    policy::Touch,
};

/// A search key with at least one field, none of whose values is empty.
#[derive(Debug, Clone)]
pub(super) struct SearchKey {
    /// As it was sent: an answer repeats it.
    sent: Map<String, Value>,
    /// The same fields, each with its value as Odoo compares it.
    terms: Map<String, Value>,
    /// The external ids, which are no field.
    external_ids: Option<Vec<ExternalId>>,
    archived: Archived,
    /// The fields whose texts are compared in whatever case.
    folded: Vec<String>,
}

/// Checks one field of a search key, before its type is known.
fn check(field: &str, value: &Value) -> Result<(), Error> {
    if lacks_name(field) {
        let problem = format!("has {field:?} for a field; name the field");
        return Err(Error::WrongKind { path: "search_key".to_owned(), problem });
    }
    let path = format!("search_key.{field}");
    if is_empty_key(value) {
        let empty = if value.is_array() { "is an empty list, or has an empty value" } else { "is empty" };
        let problem = format!(
            "{empty}, and would match every record without a value; send a value, or false where none is meant"
        );
        return Err(Error::WrongKind { path, problem });
    }
    let inner = value.as_array().and_then(|values| values.iter().find(|value| value.is_array() || value.is_object()));
    match inner.or(Some(value).filter(|value| value.is_object())) {
        Some(nested) => Err(wrong(path, "a value or a list of values", nested)),
        None => Ok(()),
    }
}

impl SearchKey {
    /// # Errors
    /// It has no field, which would match every record; or a value is empty, or cannot be searched for.
    pub(super) fn read(sent: Map<String, Value>) -> Result<Self, Error> {
        if sent.is_empty() {
            return Err(Error::NoSearchKey);
        }
        let mut mistakes = Mistakes::default();
        for (field, value) in &sent {
            mistakes.take(check(field, value));
        }
        mistakes.and(Ok(()))?;
        let terms = sent.clone();
        Ok(Self { sent, terms, external_ids: None, archived: Archived::Hidden, folded: Vec::new() })
    }

    /// Converts the values by the types that the model's fields have. What leads through other models is left for Odoo to judge.
    ///
    /// `xml_id` and `archived` are no fields, unless the model has such. A key that names records by id or external id alone
    /// reaches archived ones, too.
    ///
    /// # Errors
    /// The policy denies a field, a value is of another type than its field, or no field is left.
    pub(super) fn convert(&mut self, schemas: &SchemaView<'_>, filter: Filter<'_>, model: &str) -> Result<(), Error> {
        let Some(view) = schemas.model(model).map_err(denied("model"))? else { return Ok(()) };
        let active = view.active().map(str::to_owned);
        let is_pseudo = |name: &str| view.kind(name).is_none();
        let counts = if active.is_some() && is_pseudo(ARCHIVED) { self.take_archived()? } else { false };
        if is_pseudo(XML_ID) {
            self.take_external_ids(schemas, model)?;
        }
        if self.terms.is_empty() && self.external_ids.is_none() {
            return Err(Error::NoSearchKey);
        }
        let is_named = self.terms.keys().all(|name| name == "id");
        self.archived = match active {
            Some(active) if counts || is_named => Archived::Counted(active),
            Some(active) if !self.terms.contains_key(&active) => Archived::Told(active),
            _ => Archived::Hidden,
        };
        let is_folded = |name: &&String| !name.contains('.') && filter.ignores_case(model, name);
        self.folded = self.terms.keys().filter(is_folded).cloned().collect();
        let mut mistakes = Mistakes::default();
        for (name, value) in self.terms.iter_mut().filter(|(name, _)| !name.contains('.')) {
            let path = format!("search_key.{name}");
            let Some(Some(field)) = mistakes.take(view.read(name).map_err(denied(&path))) else { continue };
            let convert = |value: &Value, path: &str| {
                if let ("id", Some(text), None) = (name.as_str(), value.as_str(), value::id(value)) {
                    return Err(Error::WrongKind { path: path.to_owned(), problem: no_id(text) });
                }
                value::converted(field, value, Use::Compare, path).map(|value| value.into_owned())
            };
            let converted = match &*value {
                Value::Array(values) => {
                    let values = values.iter().enumerate();
                    let converted = values.map(|(n, value)| mistakes.take(convert(value, &format!("{path}[{n}]"))));
                    converted.collect()
                }
                value => mistakes.take(convert(value, &path)),
            };
            *value = converted.unwrap_or_default();
        }
        mistakes.and(Ok(()))
    }

    /// Takes `archived` out of the terms; whether archived records count.
    fn take_archived(&mut self) -> Result<bool, Error> {
        match self.terms.shift_remove(ARCHIVED) {
            None => Ok(false),
            Some(Value::Bool(counts)) => Ok(counts),
            Some(other) => Err(wrong(format!("search_key.{ARCHIVED}"), "true or false", &other)),
        }
    }

    /// Takes the external ids out of the terms.
    fn take_external_ids(&mut self, schemas: &SchemaView<'_>, model: &str) -> Result<(), Error> {
        let Some(value) = self.terms.shift_remove(XML_ID) else { return Ok(()) };
        let path = format!("search_key.{XML_ID}");
        for field in ["id", XML_ID] {
            schemas.policy().decide(Touch::Read { model, field }).map_err(denied(&path))?;
        }
        let texts = value.as_array().map_or_else(|| std::slice::from_ref(&value), Vec::as_slice);
        let read = |value: &Value| value.as_str().and_then(ExternalId::parse);
        let ids: Option<Vec<ExternalId>> = texts.iter().map(read).collect();
        let problem = NO_EXTERNAL_ID.to_owned();
        self.external_ids = Some(ids.ok_or(Error::WrongKind { path, problem })?);
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

    /// The terms on fields, without those for external ids.
    pub(super) fn domain(&self) -> Vec<Value> {
        let mut domain = Vec::with_capacity(self.terms.len());
        for (field, value) in &self.terms {
            match value {
                Value::Array(values) if self.folded.contains(field) => domain.extend(folded_terms(field, values)),
                Value::String(_) if self.folded.contains(field) => {
                    domain.extend(folded_terms(field, std::slice::from_ref(value)));
                }
                Value::Array(_) => domain.push(json!([field, "in", value])),
                _ => domain.push(json!([field, "=", value])),
            }
        }
        match &self.archived {
            Archived::Hidden => {}
            Archived::Counted(active) | Archived::Told(active) => domain.push(any_activity(active)),
        }
        domain
    }

    pub(super) fn external_ids(&self) -> Option<&[ExternalId]> {
        self.external_ids.as_deref()
    }

    /// The field by which archived records are told apart from those that the key means.
    pub(super) fn tells_archived(&self) -> Option<&str> {
        match &self.archived {
            Archived::Told(active) => Some(active),
            Archived::Hidden | Archived::Counted(_) => None,
        }
    }

    /// The fields that [`Self::is_meant`] reads.
    pub(super) fn folded(&self) -> impl Iterator<Item = &str> {
        self.folded.iter().map(String::as_str)
    }

    /// Whether a record that Odoo found is meant: a search in whatever case also finds letters without their accents, where
    /// Odoo is set up so.
    pub(super) fn is_meant(&self, values: &Map<String, Value>) -> bool {
        self.folded.iter().all(|field| {
            let own = folded(&values[field]);
            match &self.terms[field] {
                Value::Array(values) => values.iter().any(|value| folded(value) == own),
                value => folded(value) == own,
            }
        })
    }

    /// The keys that a record lock is made of.
    pub(super) fn locked(&self) -> Map<String, Value> {
        let mut locked = self.terms.clone();
        for field in &self.folded {
            locked[field] = match &self.terms[field] {
                Value::Array(values) => values.iter().map(folded).collect(),
                value => folded(value),
            };
        }
        if self.external_ids.is_some() {
            locked.insert(XML_ID.to_owned(), self.sent[XML_ID].clone());
        }
        locked
    }

    /// Whether so many records are no more than the key names one by one: by a list of ids, or of values of one field.
    pub(super) fn names_each_of(&self, records: usize) -> bool {
        if self.external_ids.as_ref().is_some_and(|ids| records <= ids.len()) {
            return true;
        }
        let mut terms = self.terms.values();
        matches!((terms.next(), terms.next()), (Some(Value::Array(values)), None) if records <= values.len())
    }
}
