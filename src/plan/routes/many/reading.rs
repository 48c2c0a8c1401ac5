//! The payloads of all records, read with one list of questions.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::listed::Listed;
use crate::{
    fetch::CallFiles,
    odoo::Caller,
    plan::{
        Error, Selection, Warnings,
        lookup::{Filter, Questions},
        name_limits,
        read::{Draft, Reader},
        routes::{
            company,
            new_record::{self, KeyValues},
            vals::Vals,
            write::Request,
        },
        schema_view::{SchemaView, with_schemas},
        search_key::SearchKey,
    },
};

/// A record whose payload was read.
pub(super) type Read<'r> = Result<Request<'r>, Error>;

/// A record whose parameters were read, with the key that finds it.
struct Asking<'r> {
    vals: Vals<'r>,
    key: Option<SearchKey>,
    company: Option<i64>,
}

/// Reads all payloads, with the questions of all, and what is wanted of each record.
///
/// # Errors
/// The company of a record cannot be looked up, a model cannot be read, or nothing can be wanted of it.
pub(super) async fn read_all<'r>(
    caller: &Caller,
    model: &'r str,
    common: &Vals<'r>,
    listed: &'r Listed<'r>,
    (filter, files): (Filter<'r>, &'r CallFiles),
) -> Result<(Vec<Read<'r>>, Questions, Selection), Error> {
    let mut records = ask(common, listed);
    resolve_companies(caller, model, filter, &mut records).await?;
    let own_company = caller.company();
    for record in records.iter_mut().flatten() {
        record.company = record.company.or(own_company);
    }
    read(caller, model, common, (filter, files), records).await
}

/// The records as they are asked for, each with its own parameters.
fn ask<'l>(common: &Vals<'l>, listed: &'l Listed<'l>) -> Vec<Result<Asking<'l>, Error>> {
    let of_record = |number: usize| {
        let (payload, search_key) = listed.record(number)?;
        let key = search_key.map(|key| {
            name_limits::check_keys(&key, "search_key")?;
            SearchKey::read(key)
        });
        let (vals, key) = (common.of_record(payload), key.transpose()?);
        let company = vals.payload.get(company::FIELD).and_then(Value::as_i64);
        Ok(Asking { vals, key, company })
    };
    (0..listed.len()).map(of_record).collect()
}

/// Puts ids in the place of lookups of the company, each different one looked up once.
async fn resolve_companies(
    caller: &Caller,
    model: &str,
    filter: Filter<'_>,
    records: &mut [Result<Asking<'_>, Error>],
) -> Result<(), Error> {
    let mut known: HashMap<String, Result<Option<Value>, Error>> = HashMap::new();
    for record in records {
        let Ok(Asking { vals, company, .. }) = record else { continue };
        let Some(lookup @ Value::Object(_)) = vals.payload.get(company::FIELD) else { continue };
        let key = lookup.to_string();
        let found = match known.get(&key) {
            Some(found) => found.clone(),
            None => {
                let found = company::look_up(caller, model, lookup, filter, &mut vals.warnings).await;
                if let Err(error @ Error::Odoo(_)) = found {
                    return Err(error);
                }
                known.entry(key).or_insert(found).clone()
            }
        };
        match found {
            Ok(Some(id)) => {
                *company = id.as_i64();
                vals.payload.to_mut().insert(company::FIELD.to_owned(), id);
            }
            Ok(None) => {}
            Err(error) => *record = Err(error),
        }
    }
    Ok(())
}

async fn read<'r>(
    caller: &Caller,
    model: &'r str,
    common: &Vals<'r>,
    (filter, files): (Filter<'r>, &'r CallFiles),
    records: Vec<Result<Asking<'r>, Error>>,
) -> Result<(Vec<Read<'r>>, Questions, Selection), Error> {
    let (drafts, questions, wanted) = with_schemas(caller, |schemas| {
        let mut questions = Questions::default();
        let mut drafts = Vec::with_capacity(records.len());
        for (number, record) in records.iter().enumerate() {
            let Ok(Asking { vals, key, company }) = record else {
                drafts.push(None);
                continue;
            };
            let mut warnings = common.warnings.anew();
            let mut reader = Reader { schemas, filter, questions, warnings: &mut warnings };
            let draft = reader.read(model, &vals.payload, &format!("payload[{number}]"), *company);
            questions = reader.questions;
            let key = key.clone().map(|key| converted(schemas, filter, model, key, &vals.payload)).transpose();
            drafts.push(Some(key.and_then(|key| Ok((draft?, key, warnings)))));
        }
        let wanted = Selection::read(schemas, model, &common.result_field, "result_field")?;
        Ok((drafts, questions, wanted))
    })
    .await?;
    let nothing = Selection { model: model.to_owned(), fields: Vec::new() };
    let request = |(record, read): (Result<Asking<'r>, Error>, Option<Result<_, Error>>)| {
        let Asking { mut vals, company, .. } = record?;
        let Some(read) = read else { return Err(Error::NoSearchKey) };
        let (draft, key, warnings): (Draft, Option<(SearchKey, KeyValues)>, Warnings) = read?;
        let (key, key_values) = key.unzip();
        vals.warnings.extend(warnings);
        let wanted = nothing.clone();
        let questions = Questions::default();
        Ok(Request { model, vals, filter, files, company, draft, questions, wanted, key, key_values })
    };
    Ok((records.into_iter().zip(drafts).map(request).collect(), questions, wanted))
}

/// A search key with its values as Odoo compares them, and what of it goes into a new record.
fn converted(
    schemas: &SchemaView<'_>,
    filter: Filter<'_>,
    model: &str,
    mut key: SearchKey,
    payload: &Map<String, Value>,
) -> Result<(SearchKey, KeyValues), Error> {
    key.convert(schemas, filter, model)?;
    schemas.domain(model, &Value::Array(key.domain()), "search_key")?;
    let values = new_record::read(schemas, filter, model, &key, payload)?;
    Ok((key, values))
}
