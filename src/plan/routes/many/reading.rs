//! The payloads of all records, read with one list of questions.

use std::collections::HashMap;

use serde_json::Value;

use super::listed::Listed;
use crate::{
    fetch::CallFiles,
    odoo::Caller,
    plan::{
        Error, Selection,
        error::Mistakes,
        lookup::{Filter, Questions},
        name_limits,
        read::{Draft, Reader},
        routes::{company, new_record::converted_key, vals::Vals, write::Request},
        schema_view::with_schemas,
        search_key::SearchKey,
    },
};

/// A record whose payload was read.
pub(super) type Read<'r> = Result<Request<'r>, Error>;

/// All records, as they were read.
pub(super) struct ReadAll<'r> {
    pub(super) records: Vec<Read<'r>>,
    /// The questions of all of them.
    pub(super) questions: Questions,
    /// What is wanted of each.
    pub(super) wanted: Selection,
    /// What could be read of the records with mistakes, with their numbers.
    pub(super) wrong: Vec<(usize, Draft)>,
}

/// A record whose parameters were read, with the key that finds it.
struct Asking<'r> {
    vals: Vals<'r>,
    key: Option<SearchKey>,
    company: Option<i64>,
    /// What is wrong with its key.
    mistakes: Mistakes,
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
) -> Result<ReadAll<'r>, Error> {
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
        let mut mistakes = Mistakes::default();
        let (vals, key) = (common.of_record(payload), key.and_then(|key| mistakes.take(key)));
        let company = vals.payload.get(company::FIELD).and_then(Value::as_i64);
        Ok(Asking { vals, key, company, mistakes })
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
) -> Result<ReadAll<'r>, Error> {
    let (drafts, questions, wanted) = with_schemas(caller, |schemas| {
        let mut questions = Questions::default();
        let mut drafts = Vec::with_capacity(records.len());
        for (number, record) in records.iter().enumerate() {
            let Ok(Asking { vals, key, company, mistakes }) = record else {
                drafts.push(None);
                continue;
            };
            let (mut warnings, mut mistakes) = (common.warnings.anew(), mistakes.clone());
            let mut reader = Reader { schemas, filter, questions, warnings: &mut warnings, mistakes: &mut mistakes };
            let draft = reader.read(model, &vals.payload, &format!("payload[{number}]"), *company);
            questions = reader.questions;
            let key = key.clone().map(|key| converted_key(schemas, filter, model, key, &vals.payload));
            let key = key.and_then(|key| mistakes.take(key));
            drafts.push(Some((draft, key, warnings, mistakes)));
        }
        let wanted = Selection::read(schemas, model, &common.result_field, "result_field")?;
        Ok((drafts, questions, wanted))
    })
    .await?;
    let nothing = Selection { model: model.to_owned(), fields: Vec::new() };
    let mut all = ReadAll { records: Vec::with_capacity(drafts.len()), questions, wanted, wrong: Vec::new() };
    for (number, (record, read)) in records.into_iter().zip(drafts).enumerate() {
        let (Asking { mut vals, company, .. }, (draft, key, warnings, mistakes)) = match (record, read) {
            (Ok(asking), Some(read)) => (asking, read),
            (Err(error), _) => {
                all.records.push(Err(error));
                continue;
            }
            (Ok(_), None) => {
                all.records.push(Err(Error::NoSearchKey));
                continue;
            }
        };
        if let Some(error) = mistakes.into_error() {
            all.records.push(Err(error));
            all.wrong.push((number, draft));
            continue;
        }
        let (key, key_values) = key.unzip();
        vals.warnings.extend(warnings);
        let (wanted, questions) = (nothing.clone(), Questions::default());
        let request = Request { model, vals, filter, files, company, draft, questions, wanted, key, key_values };
        all.records.push(Ok(request));
    }
    Ok(all)
}
