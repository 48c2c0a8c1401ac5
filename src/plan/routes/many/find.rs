//! The records that the search keys of a request match.
//!
//! Search keys that differ in one comparable value are asked for by one search, whose rows are told apart by that value. A value
//! that Odoo matched on other grounds than equality is asked for by itself, as every other search key is.

use std::collections::HashMap;

use futures_util::{FutureExt, StreamExt, stream};
use serde_json::{Value, json};

use super::{MAX_CONCURRENT, reading::Read};
use crate::{
    odoo::{Caller, ExternalId, Named, Page},
    plan::{
        Error,
        lookup::is_comparable,
        old_lines::{self, OldFields, OldRecord},
        routes::{
            existing::{self, Found, most_written, told_by},
            write::Request,
        },
        schema_view::with_schemas,
    },
};

/// The maximum number of search keys that one search is for.
const MAX_VALUES: usize = 500;

/// What was found for each record; `None` for one that has no search key, or an error already.
///
/// # Errors
/// An RPC fails, or gives no records.
pub(super) async fn find_all(
    caller: &Caller,
    model: &str,
    records: &[Read<'_>],
) -> Result<Vec<Option<Result<Found, Error>>>, Error> {
    let mut found: Vec<Option<Result<Found, Error>>> = Vec::new();
    found.resize_with(records.len(), || None);
    let named = name_all(caller, model, records).await?;
    for (number, named) in &named {
        if named.record().is_none() {
            found[*number] = Some(Ok(Found { named: vec![*named], ..Found::default() }));
        }
    }
    let searches = searches(caller, model, records, &named).await?;
    let mut alone: Vec<usize> = Vec::new();
    for search in searches {
        match search {
            Search::Alone(number) => alone.push(number),
            Search::Together(together) if together.values.len() == 1 => {
                alone.extend(together.values.into_iter().map(|(number, _)| number))
            }
            Search::Together(together) => {
                for some in together.values.chunks(MAX_VALUES) {
                    for (number, of_number) in together.ask(caller, model, records, some).await? {
                        match of_number {
                            Some(Ok(of_number)) => {
                                let named = named.get(&number).copied().into_iter().collect();
                                found[number] = Some(Ok(Found { named, ..of_number }));
                            }
                            Some(Err(error)) => found[number] = Some(Err(error)),
                            None => alone.push(number),
                        }
                    }
                }
            }
        }
    }
    let mut asked = Vec::with_capacity(alone.len());
    for number in alone {
        asked.push(find_alone(caller, number, &records[number]).boxed());
    }
    let mut asked = stream::iter(asked).buffered(MAX_CONCURRENT);
    while let Some((number, of_number)) = asked.next().await {
        found[number] = match of_number {
            Some(Err(error @ Error::Odoo(_))) => return Err(error),
            of_number => of_number,
        };
    }
    Ok(found)
}

/// What the external ids name, of the search keys that have one: all are asked for together.
async fn name_all(caller: &Caller, model: &str, records: &[Read<'_>]) -> Result<HashMap<usize, Named>, Error> {
    let one = |(number, record): (usize, &Read<'_>)| match record.as_ref().ok()?.key.as_ref()?.external_ids()? {
        [id] => Some((number, id.clone())),
        _ => None,
    };
    let (numbers, ids): (Vec<usize>, Vec<ExternalId>) = records.iter().enumerate().filter_map(one).unzip();
    let named = caller.external_ids(model, &ids).await?;
    Ok(numbers.into_iter().zip(named).collect())
}

/// What the search key of one record matches.
async fn find_alone(caller: &Caller, number: usize, record: &Read<'_>) -> (usize, Option<Result<Found, Error>>) {
    let Ok(request @ Request { key: Some(key), .. }) = record else { return (number, None) };
    let found = existing::find(caller, request.model, key, request.draft.old_fields()).await;
    (number, Some(found))
}

enum Search {
    Alone(usize),
    Together(Together),
}

/// Search keys that differ in the value of one field.
struct Together {
    field: String,
    /// The terms that all have in common.
    beside: Vec<Value>,
    /// The number of each record, and its value.
    values: Vec<(usize, Value)>,
}

/// The searches for all search keys.
async fn searches(
    caller: &Caller,
    model: &str,
    records: &[Read<'_>],
    named: &HashMap<usize, Named>,
) -> Result<Vec<Search>, Error> {
    with_schemas(caller, |schemas| {
        let mut searches: Vec<Search> = Vec::new();
        let mut known: HashMap<String, usize> = HashMap::new();
        for (number, record) in records.iter().enumerate() {
            let Ok(Request { key: Some(key), .. }) = record else { continue };
            let mut terms = key.domain();
            match (key.external_ids(), named.get(&number)) {
                (None, None) if key.folded().next().is_none() => {}
                (Some(_), Some(Named::Record { id, .. })) => terms.insert(0, json!(["id", "=", id])),
                (Some(_), Some(_)) => continue,
                _ => {
                    searches.push(Search::Alone(number));
                    continue;
                }
            }
            let comparable = terms.iter().position(|term| match (term[0].as_str(), term[1].as_str()) {
                (Some("id"), Some("=")) => term[2].is_i64(),
                (Some(field), Some("=")) => is_comparable(schemas, model, field, &term[2]).unwrap_or(false),
                _ => false,
            });
            let Some(place) = comparable else {
                searches.push(Search::Alone(number));
                continue;
            };
            let mut beside = terms;
            let term = beside.remove(place);
            let field = term[0].as_str().unwrap_or_default().to_owned();
            let key = json!([field, beside]).to_string();
            let value = (number, term[2].clone());
            let at = *known.entry(key).or_insert(searches.len());
            match searches.get_mut(at) {
                Some(Search::Together(together)) => together.values.push(value),
                _ => searches.push(Search::Together(Together { field, beside, values: vec![value] })),
            }
        }
        Ok(searches)
    })
    .await
}

impl Together {
    /// Searches for some of the values; `None` for a value of which the rows do not tell what it matches.
    async fn ask(
        &self,
        caller: &Caller,
        model: &str,
        records: &[Read<'_>],
        some: &[(usize, Value)],
    ) -> Result<Vec<(usize, Option<Result<Found, Error>>)>, Error> {
        let values: Vec<&Value> = some.iter().map(|(_, value)| value).collect();
        let mut domain = vec![json!([self.field, "in", values])];
        domain.extend(self.beside.iter().cloned());
        let requests = || some.iter().filter_map(|(number, _)| records[*number].as_ref().ok());
        let mut fields = OldFields::default();
        fields.add(&self.field);
        for request in requests() {
            fields.extend(request.draft.old_fields());
            if let Some(active) = request.key.as_ref().and_then(|key| told_by(caller, key)) {
                fields.add(active);
            }
        }
        let Page { limit, .. } = most_written(caller);
        // Each value may match as many records as may be written, and one more shows that there are too many.
        let limit = limit.map(|limit| limit.saturating_mul(some.len() as u64));
        let page = Page { limit, ..Page::default() };
        let found = old_lines::search(caller, model, Value::Array(domain), page, &fields).await?;
        let is_cut = limit.is_some_and(|limit| found.len() as u64 >= limit);
        let mut by_value: HashMap<String, Vec<OldRecord>> = HashMap::new();
        for record in found {
            let value = if self.field == "id" { json!(record.id) } else { record.values[&self.field].clone() };
            by_value.entry(value.to_string()).or_default().push(record);
        }
        let matched: Vec<Option<Vec<OldRecord>>> =
            values.iter().map(|value| by_value.remove(&value.to_string())).collect();
        // A row that has none of the values was matched on other grounds, so that one which seems to match nothing may be its.
        let has_strangers = !by_value.is_empty();
        let mut answers = Vec::with_capacity(some.len());
        for ((number, _), matched) in some.iter().zip(matched) {
            let is_known = !is_cut && (matched.is_some() || !has_strangers);
            let answer = match (is_known, &records[*number]) {
                (true, Ok(request)) => Some(of_key(caller, model, request, matched.unwrap_or_default())?),
                _ => None,
            };
            answers.push((*number, answer));
        }
        Ok(answers)
    }
}

/// What the search key of one record matches among these.
fn of_key(
    caller: &Caller,
    model: &str,
    request: &Request<'_>,
    found: Vec<OldRecord>,
) -> Result<Result<Found, Error>, Error> {
    let Some(key) = &request.key else { return Ok(Err(Error::NoSearchKey)) };
    match Found::of(caller, model, key, found) {
        Err(error @ Error::Odoo(_)) => Err(error),
        found => Ok(found),
    }
}
