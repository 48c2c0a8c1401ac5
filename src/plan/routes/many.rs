//! `create_data`, `update_data` and `create_update_data` of several records: `payload` is a list.
//!
//! All records are read, looked up and found together, so that a lookup that several share is asked once. What is wrong with
//! one record is an error of that record alone; what is wrong with the parameters that all have in common, or with a lookup that
//! Odoo refuses, is one of the whole request. `listed` takes the parameters apart, `reading` reads the
//! payloads, `find` finds the records to update, and `targets` says what each record is written to.

mod find;
mod listed;
mod reading;
mod targets;

use std::collections::HashMap;

use serde_json::{Map, Value};

pub use self::listed::MAX_RECORDS;
use self::{
    listed::Listed,
    reading::{Read, ReadAll, read_all},
    targets::{complete_records, narrow_records, refuse_languages, targets},
};
use super::{
    locked::resolve_under_locks,
    vals::{self, Vals},
    write::{self, Request, hash_of_answers},
};
use crate::{
    odoo::{Caller, RecordKey},
    plan::{
        Asked, Error, Many, Plan, Work,
        compile::{Shared, compile_many},
        complete::Means,
        error::{Mistakes, place},
        lookup::{Filter, record_locks},
        policy_check::denied,
        read::Draft,
        resolve::{Asking, Intent, Resolved},
        steps::Step,
        unfound, wording,
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

async fn plan(caller: &Caller, asked: Asked<'_>, kind: Kind) -> Result<Plan, Error> {
    let Asked { model, compat, .. } = asked;
    let listed = Listed::read(asked.vals, kind.has_search_key())?;
    let common = Asked { vals: &listed.common, ..asked };
    let mut common = Vals::read(caller, common, kind.parameters())?;
    if common.when.is_some() {
        return Err(wording::wrong("when", "left out of a list of records", &listed.common["when"]));
    }
    caller.policy().decide(Touch::Model(model)).map_err(denied("model"))?;
    let filter = Filter::of(compat);
    let read = read_all(caller, model, &common, &listed, (filter, asked.files)).await?;
    let ReadAll { mut records, questions, wanted, wrong } = read;
    refuse_same_key(caller, &records)?;

    let company = common_company(&records).unwrap_or_else(|| caller.company());
    let locks = locks(caller, kind, &records);
    let Vals { auto_create, dry_run, warnings, .. } = &mut common;
    let intent = if *dry_run { Intent::Show } else { Intent::Write };
    let asking = Asking { filter, company, auto_create, intent };
    let finding = || find::find_all(caller, model, &records);
    let (found, mut resolved) = resolve_under_locks(caller, asking, questions, locks, warnings, finding).await?;
    resolved.refuse()?;
    for (number, draft) in wrong {
        add_unfound(&resolved, model, &mut records[number], draft);
    }

    let mut targets = targets(caller, kind, listed.is_atomic, records, found).await?;
    let means = Means { filter, files: asked.files, is_dry_run: *dry_run };
    let named = complete_records(caller, means, model, &mut targets, &mut resolved).await?;
    if listed.is_atomic {
        refuse_languages(&mut targets);
    }
    narrow_records(caller, model, &mut targets, &mut resolved, warnings).await?;
    let answers = hash_of_answers(&resolved, targets.iter().flatten().map(|record| &record.target), named);
    let (lookups, named_ids) = (resolved.looked(), resolved.questions.take_named_ids());
    let is_atomic = listed.is_atomic;
    let shared = Shared { policy: caller.policy(), model, filter, company, wanted, is_atomic };
    let mut many = compile_many(shared, targets, resolved, warnings);
    place_errors(caller, asked.vals, &mut many).await;
    if is_atomic {
        refuse_any(&many)?;
    }
    if is_atomic {
        decide_atomic(caller, &many).await?;
    }
    let (dry_run, warnings) = (common.dry_run, common.warnings.into_vec());
    Ok(Plan { work: Work::Many(many), lookups, named_ids, warnings, dry_run, answers })
}

/// Adds the lookups that find nothing, or too much, to the mistakes of a record that was read with some.
fn add_unfound(resolved: &Resolved, model: &str, record: &mut Read<'_>, draft: Draft) {
    let Err(error) = record else { return };
    let mut mistakes = Mistakes::default();
    mistakes.note(error.clone());
    if !mistakes.have_denial() {
        unfound::note(resolved, model, draft, &mut mistakes);
    }
    if let Some(all) = mistakes.into_error() {
        *error = all;
    }
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

/// Refuses the whole request for what is wrong with any of its records.
fn refuse_any(many: &Many) -> Result<(), Error> {
    let mut mistakes = Mistakes::default();
    for error in many.records.iter().filter_map(|record| record.as_ref().err()) {
        mistakes.note(error.clone());
    }
    mistakes.and(Ok(()))
}

/// Puts the number of each record into the paths of its errors and warnings, and names the candidates of some ambiguous lookups.
async fn place_errors(caller: &Caller, vals: &Map<String, Value>, many: &mut Many) {
    let mut named = 0;
    for (number, record) in many.records.iter_mut().enumerate() {
        match record {
            Ok(record) => record.warnings.iter_mut().for_each(|warning| place(&mut warning.path, number)),
            Err(error) => {
                let mut own = error.clone().of_record(number);
                let is_of_lookup = |error: &Error| matches!(error, Error::Ambiguous(_) | Error::NoMatch(_));
                let of_lookups = own.each().iter().filter(|error| is_of_lookup(error)).count();
                if named < MAX_NAMED && of_lookups > 0 {
                    named += of_lookups;
                    own = own.with_candidates(caller).await;
                }
                *error = own.in_order(vals);
            }
        }
    }
}
