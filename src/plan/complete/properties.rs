//! The definitions of properties, and the values that records have already.
//!
//! A write replaces all values of a record's properties (16-19). What an update does not name is read, and written back.

mod definition;

use std::collections::{BTreeMap, HashMap};

use futures_util::future;
use serde_json::{Map, Value, json};

use self::definition::{Definition, values};
use super::place::{Container, Place, Record};
use crate::{
    odoo::{Caller, Rpc},
    plan::{
        Error,
        read::{DefinitionPlace, Open, OpenKind, PropertyValues, is_generated},
        rows,
    },
};

/// The first version whose `onchange` takes a specification of fields.
const ONCHANGE_BY_SPECIFICATION: u16 = 17;

/// The number of concurrent queries of one call.
const MAX_CONCURRENT: usize = 4;

/// Something to read for the properties of a call.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Query {
    /// The definitions in a container.
    Container { model: String, field: String, id: i64 },
    /// Definitions and values of existing records.
    Existing { model: String, field: String, ids: Vec<i64> },
    /// The definitions that a new record of these values, as JSON, would get.
    New { model: String, field: String, link: String, values: String },
}

/// What Odoo answered: by query, a list of properties for each record.
#[derive(Debug, Default)]
pub(super) struct Answers(HashMap<Query, Vec<Value>>);

impl Answers {
    /// Reads what the open properties need, each once.
    ///
    /// # Errors
    /// An RPC fails.
    pub(super) async fn ask(caller: &Caller, open: &[(&Open, &Place)]) -> Result<Self, Error> {
        let mut needed = Vec::new();
        for (open, place) in open {
            if let OpenKind::Properties(values) = &open.kind {
                needed.extend(queries(&open.field, values, place));
            }
        }
        let mut containers: BTreeMap<(String, String), Vec<i64>> = BTreeMap::new();
        let mut others = Vec::new();
        for query in needed {
            match query {
                Query::Container { model, field, id } => containers.entry((model, field)).or_default().push(id),
                other if !others.contains(&other) => others.push(other),
                _ => {}
            }
        }
        let mut answers = HashMap::new();
        for of in containers {
            answers.extend(read_containers(caller, of).await?);
        }
        for some in others.chunks(MAX_CONCURRENT) {
            let read = some.iter().cloned().map(|query| read(caller, query));
            answers.extend(future::try_join_all(read).await?.into_iter().flatten());
        }
        Ok(Self(answers))
    }

    /// The value to write at `open`: all properties of the record, by name.
    ///
    /// # Errors
    /// A name or label is unknown, a value does not fit, or the records to update differ in their properties.
    pub(super) fn close(&self, open: &Open, given: &PropertyValues, place: &Place) -> Result<Value, Error> {
        let refused = |problem: String| Error::WrongKind { path: open.path.clone(), problem };
        let mut definitions: Option<Vec<Definition>> = None;
        let mut old = Map::new();
        for query in queries(&open.field, given, place) {
            let Some(records) = self.0.get(&query) else { continue };
            let all: Vec<Vec<Definition>> = records.iter().map(Definition::all).collect();
            let is_existing = matches!(query, Query::Existing { .. });
            if is_existing {
                let present: Vec<_> = records.iter().map(values).collect();
                if present.windows(2).any(|two| two[0] != two[1]) || all.windows(2).any(|two| two[0] != two[1]) {
                    let problem = "has other properties or values in each of the records: update them one by one";
                    return Err(refused(problem.to_owned()));
                }
                old = present.into_iter().next().unwrap_or_default();
            }
            // The container that the payload names counts, where it names one.
            if definitions.is_none() {
                definitions = all.into_iter().next();
            }
        }
        let Some(definitions) = definitions else { return unknown(given) };
        old.retain(|name, _| definitions.iter().any(|definition| definition.name == *name));
        let mut named = Map::new();
        for value in &given.given {
            let definition = Definition::find(&definitions, value)?;
            if named.insert(definition.name.clone(), definition.convert(&value.value, &value.path)?).is_some() {
                let problem = format!("has the property `{}` twice", value.property);
                return Err(refused(problem));
            }
        }
        old.extend(named);
        Ok(Value::Object(old))
    }
}

/// Values of properties whose definitions are not known: Odoo's own names pass, and no others.
fn unknown(given: &PropertyValues) -> Result<Value, Error> {
    let DefinitionPlace { link, .. } = &given.definitions;
    if let Some(label) = given.given.iter().find(|value| !is_generated(&value.property)) {
        let problem = format!("names a property of a record that is not known: name that record in `{link}`");
        return Err(Error::WrongKind { path: label.path.clone(), problem });
    }
    let values = given.given.iter().map(|value| (value.property.clone(), value.value.clone()));
    Ok(Value::Object(values.collect()))
}

/// What has to be read for values at a place; the definitions first.
fn queries(field: &str, values: &PropertyValues, place: &Place) -> Vec<Query> {
    let DefinitionPlace { link, model: container, field: definitions } = &values.definitions;
    let mut queries = Vec::new();
    let named = place.container(link);
    if let Container::Record(id) = named {
        queries.push(Query::Container { model: container.clone(), field: definitions.clone(), id });
    }
    match (&place.record, named) {
        (Record::Existing(ids), _) => {
            queries.push(Query::Existing { model: place.model.clone(), field: field.to_owned(), ids: ids.clone() });
        }
        (Record::New, Container::Unnamed) => queries.push(Query::New {
            model: place.model.clone(),
            field: field.to_owned(),
            link: link.clone(),
            values: Value::Object(place.scalars.clone()).to_string(),
        }),
        _ => {}
    }
    queries
}

async fn read_containers(
    caller: &Caller,
    ((model, field), mut ids): ((String, String), Vec<i64>),
) -> Result<Vec<(Query, Vec<Value>)>, Error> {
    ids.sort_unstable();
    ids.dedup();
    let rpc = Rpc::read(&model, ids, json!([field]));
    let rows = rows::records(&rpc, caller.call(&rpc).await?)?;
    let ids = rows::ids(&rpc, &rows)?;
    let answer = |(id, mut row): (i64, Value)| {
        let query = Query::Container { model: model.clone(), field: field.clone(), id };
        (query, vec![row[&field].take()])
    };
    Ok(ids.into_iter().zip(rows).map(answer).collect())
}

async fn read(caller: &Caller, query: Query) -> Result<Option<(Query, Vec<Value>)>, Error> {
    let records = match &query {
        Query::Container { .. } => return Ok(None),
        Query::Existing { model, field, ids } => {
            let rpc = Rpc::read(model, ids.clone(), json!([field]));
            let mut rows = rows::records(&rpc, caller.call(&rpc).await?)?;
            rows.iter_mut().map(|row| row[field].take()).collect()
        }
        Query::New { model, field, link, values } => {
            if caller.version().await? < ONCHANGE_BY_SPECIFICATION {
                return Ok(None);
            }
            let values: Value = serde_json::from_str(values).unwrap_or_default();
            let arguments =
                [("values", values), ("field_names", json!([])), ("fields_spec", json!({link: {}, field: {}}))];
            let arguments = arguments.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            let rpc = Rpc::method(model, "onchange", Some(Vec::new()), arguments).reads();
            vec![caller.call(&rpc).await?["value"][field].take()]
        }
    };
    Ok(Some((query, records)))
}
