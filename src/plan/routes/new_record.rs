//! What an upsert does besides where its search key finds nothing: the key goes into the new record, so that the same
//! call finds it the next time, as values of its fields or as its external id.

use serde_json::{Map, Value, json};

use super::existing::Found;
use crate::{
    odoo::{Caller, EXTERNAL_IDS, ExternalId, Kept, Named, Page, Rpc},
    plan::{
        Error, WarningCode, Warnings,
        error::Mistakes,
        lookup::{Filter, Questions, XML_ID},
        policy_check::denied,
        read::{Draft, Reader},
        schema_view::{ModelView, SchemaView},
        search_key::SearchKey,
        warning::Noted,
    },
    policy::Touch,
};

/// The values of a search key as a new record gets them, and what is to be warned of where one is made.
#[derive(Debug)]
pub(super) struct KeyValues {
    pub(super) draft: Draft,
    /// The keys that are not written, each with the reason.
    unwritten: Vec<(String, &'static str)>,
}

/// Reads the values that the payload lacks.
///
/// # Errors
/// A value cannot be read.
fn read(
    schemas: &SchemaView<'_>,
    filter: Filter<'_>,
    model: &str,
    key: &SearchKey,
    payload: &Map<String, Value>,
) -> Result<KeyValues, Error> {
    let (mut values, mut unwritten) = (Map::new(), Vec::new());
    let Some(view) = schemas.model(model).map_err(denied("model"))? else {
        return Ok(KeyValues { draft: Draft::default(), unwritten });
    };
    let is_sent = |name: &str| payload.contains_key(name) || payload.contains_key(view.stored_name(name));
    for (name, value) in key.terms() {
        // What leads through a relation that is sent follows from that.
        if is_sent(name.split('.').next().unwrap_or(name)) {
            continue;
        }
        match written(schemas, view, name, value) {
            Ok(Some(value)) => drop(values.insert(name.clone(), value.clone())),
            Ok(None) => {}
            Err(why) => unwritten.push((name.clone(), why)),
        }
    }
    let mut noted = Warnings::noting(false, Noted::default());
    let (questions, mut mistakes) = (Questions::default(), Mistakes::default());
    let mut reader = Reader { schemas, filter, questions, warnings: &mut noted, mistakes: &mut mistakes };
    let draft = reader.read(model, &values, "search_key", None);
    mistakes.and(Ok(KeyValues { draft, unwritten }))
}

/// A search key with its values as Odoo compares them, and what of it goes into a new record.
///
/// # Errors
/// The policy denies a field, or a value cannot be compared or written.
pub(super) fn converted_key(
    schemas: &SchemaView<'_>,
    filter: Filter<'_>,
    model: &str,
    mut key: SearchKey,
    payload: &Map<String, Value>,
) -> Result<(SearchKey, KeyValues), Error> {
    key.convert(schemas, filter, model)?;
    schemas.domain(model, &Value::Array(key.domain()), "search_key")?;
    let values = read(schemas, filter, model, &key, payload)?;
    Ok((key, values))
}

/// The value that a new record gets for a key; `None` where Odoo computes the field, so that its value follows from
/// others.
fn written<'v>(
    schemas: &SchemaView<'_>,
    view: ModelView<'_>,
    name: &str,
    value: &'v Value,
) -> Result<Option<&'v Value>, &'static str> {
    let value = match value {
        Value::Array(values) => match &values[..] {
            [value] => value,
            _ => return Err("it has several values"),
        },
        value => value,
    };
    if name == "id" {
        return Err("Odoo gives a new record an id of its own");
    }
    if name.contains('.') {
        return Err("it is a field of another record");
    }
    let Ok(Some(field)) = view.write(name) else { return Err("it may not be written") };
    if view.kept(name) != Kept::Yes || !(field.is_stored || field.related.is_some()) {
        return Ok(None);
    }
    match field.kind.relation() {
        None => Ok(Some(value)),
        Some(relation) => {
            let is_plain = value.is_i64() || *value == Value::Bool(false);
            let is_allowed = schemas.link(view, name).is_ok() && schemas.policy().domain(relation).is_none();
            if is_plain && is_allowed { Ok(Some(value)) } else { Err("it names a record by a text, or by no id") }
        }
    }
}

impl KeyValues {
    /// Adds the values to the draft of the new record.
    ///
    /// # Errors
    /// The call is strict, and a key is not written.
    pub(super) fn write(self, draft: &mut Draft, warnings: &mut Warnings) -> Result<(), Error> {
        for (name, why) in self.unwritten {
            let message = format!(
                "`search_key.{name}` does not go into the new record, since {why}; unless `payload` has its value, the \
                 same call makes another record the next time"
            );
            warnings.note(WarningCode::SearchKeyNotWritten, format!("search_key.{name}"), message)?;
        }
        draft.fields.extend(self.draft.fields);
        draft.parts.extend(self.draft.parts);
        Ok(())
    }
}

/// The search that finds the new record by its key, after the answer to its creation was lost. Where the key is compared in whatever
/// case, or archived records have it, it does not tell the new record from others.
pub(super) fn probe(model: &str, key: &SearchKey, found: &Found) -> Option<Rpc> {
    let is_plain = !key.terms().is_empty() && key.external_ids().is_none() && key.folded().next().is_none();
    let is_free = found.archived.is_empty();
    let two = Page::first(2);
    (is_plain && is_free).then(|| Rpc::search_read(model, Value::Array(key.domain()), json!(["id"]), two))
}

/// The external id that the new record gets, where the search key has one.
///
/// # Errors
/// There are several, another record has it, or the caller may not give external ids to records.
pub(super) async fn external_id(caller: &Caller, key: &SearchKey, found: &Found) -> Result<Option<ExternalId>, Error> {
    let path = || format!("search_key.{XML_ID}");
    let refused = |problem: &str| Error::WrongKind { path: path(), problem: problem.to_owned() };
    let id = match key.external_ids() {
        None => return Ok(None),
        Some([id]) => id,
        Some(_) => return Err(refused("must be one external id where a record is made")),
    };
    // First, since what the id names is told only where external ids may be touched.
    for field in ["module", "name", "model", "res_id", "noupdate"] {
        caller.policy().decide(Touch::Write { model: EXTERNAL_IDS, field }).map_err(denied(&path()))?;
    }
    caller.policy().decide(Touch::Unchecked(EXTERNAL_IDS)).map_err(denied(&path()))?;
    match found.named.first() {
        Some(Named::OtherModel) => return Err(refused("names a record of another model")),
        Some(Named::Hidden) => return Err(refused("names a record that is gone, or that this user may not see")),
        Some(Named::Record { .. }) => return Err(refused("names a record that the other keys do not match")),
        Some(Named::Nothing) | None => {}
    }
    if caller.may_make_external_ids().await? { Ok(Some(id.clone())) } else { Err(Error::NoExternalIds) }
}
