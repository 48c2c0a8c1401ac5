//! `create_data`, `update_data` and `create_update_data` of several records: `payload` is a list.
//!
//! All records are read, looked up and found together, so that a lookup that several share is asked once. What is wrong with
//! one record is an error of that record alone; what is wrong with the parameters that all have in common, or with a lookup that
//! Odoo refuses, is one of the whole request. `listed` takes the parameters apart, `find` finds the records to update.

mod find;
mod listed;

use std::collections::HashMap;

use futures_util::{FutureExt, StreamExt, stream};
use serde_json::{Map, Value};

use self::listed::Listed;
use super::{
    company,
    existing::Found,
    locked::{Scope, resolve_under_locks},
    new_record::{self, KeyValues},
    vals::{self, Vals},
    write::{self, Request, hash_of_answers},
};
use crate::{
    fetch::CallFiles,
    odoo::{Caller, RecordKey},
    plan::{
        Asked, Error, Many, Plan, Selection, WarningCode, Warnings, Work,
        compile::{RecordDraft, Shared, Target, compile_many},
        complete::{Means, complete_all},
        error::place,
        lookup::{Filter, Questions, XML_ID, record_locks},
        name_limits,
        policy_check::denied,
        read::{Draft, Languages, Reader},
        resolve::Resolved,
        schema_view::{SchemaView, with_schemas},
        search_key::SearchKey,
        several::Several,
        steps::Step,
    },
    policy::Touch,
};

/// Plans a new record, or several.
///
/// # Errors
/// See [`Error`].
pub async fn create_data(caller: &Caller, asked: Asked<'_>) -> Result<Plan, Error> {
    if listed::is_list(asked.vals) {
        plan(caller, asked, Kind::Create).await
    } else {
        write::create_data(caller, asked).await
    }
}

/// Plans an update of the records that a search key matches, or several.
///
/// # Errors
/// See [`Error`].
pub async fn update_data(caller: &Caller, asked: Asked<'_>) -> Result<Plan, Error> {
    if listed::is_list(asked.vals) {
        plan(caller, asked, Kind::Update).await
    } else {
        write::update_data(caller, asked).await
    }
}

/// Plans an update where the search key matches, and otherwise a new record; or several.
///
/// # Errors
/// See [`Error`].
pub async fn create_update_data(caller: &Caller, asked: Asked<'_>) -> Result<Plan, Error> {
    if listed::is_list(asked.vals) {
        plan(caller, asked, Kind::Upsert).await
    } else {
        write::create_update_data(caller, asked).await
    }
}

/// What is done with each record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Create,
    Update,
    Upsert,
}

impl Kind {
    fn parameters(self) -> &'static [&'static str] {
        match self {
            Self::Create => &vals::CREATE,
            Self::Update | Self::Upsert => &vals::UPDATE,
        }
    }

    fn has_search_key(self) -> bool {
        self != Self::Create
    }
}

/// The number of records that are prepared concurrently.
const MAX_CONCURRENT: usize = 4;
/// The number of records with a lookup that found several, or none, of which the candidates are named.
const MAX_NAMED: usize = 10;

/// A record whose parameters were read, with the key that finds it.
struct Asking<'r> {
    vals: Vals<'r>,
    key: Option<SearchKey>,
    company: Option<i64>,
}

async fn plan(caller: &Caller, asked: Asked<'_>, kind: Kind) -> Result<Plan, Error> {
    let Asked { model, compat, .. } = asked;
    let listed = Listed::read(asked.vals, kind.has_search_key())?;
    let common = Asked { vals: &listed.common, ..asked };
    let mut common = Vals::read(caller, common, kind.parameters())?;
    caller.policy().decide(Touch::Model(model)).map_err(denied("model"))?;
    let filter = Filter::of(compat);
    let mut records = ask(&common, &listed);
    resolve_companies(caller, model, filter, &mut records).await?;
    let own_company = caller.company();
    for record in records.iter_mut().flatten() {
        record.company = record.company.or(own_company);
    }

    let (records, questions, wanted) = read(caller, model, &common, (filter, asked.files), records).await?;
    refuse_same_key(caller, &records)?;

    let company = common_company(&records).unwrap_or(own_company);
    let locks = locks(caller, kind, &records);
    let Vals { auto_create, dry_run, warnings, .. } = &mut common;
    let scope = Scope { filter, company, auto_create, is_dry_run: *dry_run };
    let finding = || find::find_all(caller, model, &records);
    let (found, mut resolved) = resolve_under_locks(caller, scope, questions, locks, warnings, finding).await?;

    let mut targets = targets(caller, kind, listed.is_atomic, records, found).await?;
    let means = Means { filter, files: asked.files, is_dry_run: *dry_run };
    let named = complete_records(caller, means, model, &mut targets, &mut resolved).await?;
    if listed.is_atomic {
        refuse_languages(&mut targets);
    }
    narrow_records(caller, model, &mut targets, &mut resolved, warnings).await?;
    let answers = hash_of_answers(&resolved, targets.iter().flatten().map(|record| &record.target), named);
    let (lookups, named_ids) = (resolved.looked(), resolved.questions.named_ids().to_vec());
    let is_atomic = listed.is_atomic;
    let shared = Shared { policy: caller.policy(), model, filter, company, wanted, is_atomic };
    let mut many = compile_many(shared, targets, resolved, warnings);
    place_errors(caller, &mut many).await;
    if is_atomic && let Some(place) = many.records.iter().position(Result::is_err) {
        many.records.swap_remove(place)?;
    }
    if is_atomic {
        decide_atomic(caller, &many).await?;
    }
    let (dry_run, warnings) = (common.dry_run, common.warnings.into_vec());
    Ok(Plan { work: Work::Many(many), lookups, named_ids, warnings, dry_run, answers })
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

/// Refuses two records with the same search key: the second would not find what the first creates or changes.
fn refuse_same_key(caller: &Caller, records: &[Read<'_>]) -> Result<(), Error> {
    let mut first_of: HashMap<RecordKey, usize> = HashMap::new();
    for (number, record) in records.iter().enumerate() {
        let Ok(Request { model, key: Some(key), .. }) = record else { continue };
        for key in record_locks::of_search_key(caller, model, &key.locked()) {
            let first = *first_of.entry(key).or_insert(number);
            if first != number {
                let problem =
                    format!("is that of `payload[{first}]`; two records of one request must not have the same key");
                return Err(Error::WrongKind { path: format!("search_key[{number}]"), problem });
            }
        }
    }
    Ok(())
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

/// A record whose payload was read.
type Read<'r> = Result<Request<'r>, Error>;

/// Reads all payloads, with the questions of all.
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

/// The company of all records, where that is one.
fn common_company(records: &[Read<'_>]) -> Option<Option<i64>> {
    let mut companies = records.iter().flatten().map(|request| request.company);
    let first = companies.next()?;
    companies.all(|company| company == first).then_some(first)
}

/// The locks of the search keys. An update takes them only where it replaces lines.
fn locks(caller: &Caller, kind: Kind, records: &[Read<'_>]) -> Vec<RecordKey> {
    let mut locks = Vec::new();
    for request in records.iter().flatten() {
        let is_serialised = kind == Kind::Upsert || request.draft.has_lines();
        if let Some(key) = request.key.as_ref().filter(|_| is_serialised) {
            locks.extend(record_locks::of_search_key(caller, request.model, &key.locked()));
        }
    }
    locks
}

/// The records with what they are written to.
async fn targets(
    caller: &Caller,
    kind: Kind,
    is_atomic: bool,
    records: Vec<Read<'_>>,
    found: Vec<Option<Result<Found, Error>>>,
) -> Result<Vec<Result<RecordDraft, Error>>, Error> {
    let mut targets = Vec::with_capacity(records.len());
    for (record, found) in records.into_iter().zip(found) {
        targets.push(with_target(caller, kind, is_atomic, record, found).boxed());
    }
    let mut targets = stream::iter(targets).buffered(MAX_CONCURRENT);
    let mut all = Vec::new();
    while let Some(target) = targets.next().await {
        all.push(match target {
            Err(error @ Error::Odoo(_)) => return Err(error),
            target => target,
        });
    }
    refuse_same_record(&mut all);
    Ok(all)
}

/// Takes one of several matches where a field says which, in the records and in those that lookups did not find.
async fn narrow_records(
    caller: &Caller,
    model: &str,
    records: &mut [Result<RecordDraft, Error>],
    resolved: &mut Resolved,
    warnings: &mut Warnings,
) -> Result<(), Error> {
    let mut several = Several::new(caller);
    for record in records {
        let Ok(RecordDraft { draft, warnings, .. }) = record else { continue };
        if let Err(error) = several.narrow(model, draft, resolved, warnings).await {
            *record = Err(error);
        }
    }
    several.narrow_missing(resolved, warnings).await
}

/// Closes the values that reading left open, of all records together. Where that fails, each is closed by itself, so that the
/// failure is that of its record alone.
async fn complete_records(
    caller: &Caller,
    means: Means<'_>,
    model: &str,
    records: &mut [Result<RecordDraft, Error>],
    resolved: &mut Resolved,
) -> Result<u64, Error> {
    let all = records.iter_mut().flatten().map(open).collect();
    match complete_all(caller, means, model, all, resolved).await {
        Err(Error::Odoo(error)) => return Err(error.into()),
        Ok(named) => return Ok(named),
        Err(_) => {}
    }
    let mut named = 0;
    for record in records {
        let Ok(own) = record else { continue };
        match complete_all(caller, means, model, vec![open(own)], resolved).await {
            Ok(own) => named ^= own,
            Err(error) => *record = Err(error),
        }
    }
    Ok(named)
}

/// One call writes in one language: that of the request.
fn refuse_languages(records: &mut [Result<RecordDraft, Error>]) {
    for record in records {
        if record.as_ref().is_ok_and(|record| record.draft.languages != Languages::Calls) {
            let problem = "has texts in another language than that of the call, which `atomic` cannot write".to_owned();
            *record = Err(Error::WrongKind { path: "payload".to_owned(), problem });
        }
    }
}

/// The draft of a record, with the records that it is written to.
fn open(record: &mut RecordDraft) -> (&mut Draft, Option<Vec<i64>>) {
    let RecordDraft { draft, target, .. } = record;
    match target {
        Target::New { .. } => (draft, None),
        Target::Existing(existing) => (draft, Some(existing.ids())),
    }
}

/// Refuses a record whose search key finds what that of an earlier one finds: nothing says which of the two is to be kept.
fn refuse_same_record(records: &mut [Result<RecordDraft, Error>]) {
    let mut first_of: HashMap<i64, usize> = HashMap::new();
    for (number, record) in records.iter_mut().enumerate() {
        let Ok(RecordDraft { target: Target::Existing(existing), .. }) = record else { continue };
        let taken = existing.records.iter().find_map(|record| Some((record.id, *first_of.get(&record.id)?)));
        match taken {
            Some((id, first)) => {
                let problem = format!("finds the record {id}, as `search_key[{first}]` does");
                *record = Err(Error::WrongKind { path: "search_key".to_owned(), problem });
            }
            None => first_of.extend(existing.records.iter().map(|record| (record.id, number))),
        }
    }
}

/// Why a new record of an atomic list gets no external id: that takes a call of its own.
const NOT_ATOMIC: &str = "cannot be given to a new record of an atomic list: that takes a call of its own";

async fn with_target(
    caller: &Caller,
    kind: Kind,
    is_atomic: bool,
    record: Read<'_>,
    found: Option<Result<Found, Error>>,
) -> Result<RecordDraft, Error> {
    let mut request = record?;
    let target = match found.transpose()? {
        None => Target::New { external_id: None },
        Some(found) if found.records.is_empty() && kind == Kind::Upsert => {
            let target = request.new_record(caller, &found).await?;
            if is_atomic && matches!(target, Target::New { external_id: Some(_) }) {
                return Err(Error::WrongKind { path: format!("search_key.{XML_ID}"), problem: NOT_ATOMIC.to_owned() });
            }
            target
        }
        Some(found) => {
            if found.records.is_empty() {
                let (model, but) = (request.model, found.but_archived());
                let message = format!("no record of `{model}` matches `search_key`; nothing was updated{but}");
                request.vals.warnings.note(WarningCode::NothingMatched, "search_key", message)?;
            }
            request.note_several(caller, &found)?;
            request.existing(caller, found).await?
        }
    };
    let Request { vals, company, draft, .. } = request;
    Ok(RecordDraft { draft, target, company, warnings: vals.warnings })
}

/// The first version with a method that writes other values into each of several records.
const WRITES_EACH: u16 = 19;

/// Refuses what one transaction cannot do: new records of several companies, and different updates before Odoo 19.
async fn decide_atomic(caller: &Caller, many: &Many) -> Result<(), Error> {
    let refused = |problem: &str| Err(Error::WrongKind { path: "atomic".to_owned(), problem: problem.to_owned() });
    let (new, updates): (Vec<&Step>, Vec<&Step>) = many.main_steps().partition(|step| step.rpc.ids.is_none());
    if new.windows(2).any(|pair| pair[0].rpc.context != pair[1].rpc.context) {
        return refused("needs one call for all new records, and they belong to different companies");
    }
    let is_other = |pair: &[&Step]| {
        let [one, other] = pair else { return false };
        one.rpc.args != other.rpc.args || one.placeholders != other.placeholders
    };
    if updates.windows(2).any(is_other) && caller.version().await? < WRITES_EACH {
        return refused("needs one call for all updates, and before Odoo 19 there is none for different values");
    }
    Ok(())
}

/// Puts the number of each record into the paths of its errors and warnings, and names the candidates of some ambiguous lookups.
async fn place_errors(caller: &Caller, many: &mut Many) {
    let mut named = 0;
    for (number, record) in many.records.iter_mut().enumerate() {
        match record {
            Ok(record) => record.warnings.iter_mut().for_each(|warning| place(&mut warning.path, number)),
            Err(error) => {
                let mut own = error.clone().of_record(number);
                if named < MAX_NAMED && matches!(own, Error::Ambiguous(_) | Error::NoMatch { .. }) {
                    named += 1;
                    own = own.with_candidates(caller).await;
                }
                *error = own;
            }
        }
    }
}
