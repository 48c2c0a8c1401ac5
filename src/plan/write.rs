//! `create_data`, `update_data` and `create_update_data`: one record's values, or the same values into those that match.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
};

use futures_util::future;
use serde_json::{Map, Value, json};
use tokio::try_join;

use super::{
    Asked, Error, Plan, Warnings, Work,
    compile::{Setting, Target, compile},
    draft::{Draft, Reader},
    known::with_schemas,
    lookup::{Filter, Questions},
    resolve::{Resolved, resolve},
    same_record,
    selection::Selection,
    settle::{OldLines, Settler},
    touched::denied,
    vals::{self, Vals},
};
use crate::{
    config::Compat,
    errors::Code,
    odoo::{self, Caller, Page, RecordKey, Rpc},
    policy::Touch,
};

/// Plans a new record.
pub async fn create_data(caller: &Caller, asked: Asked<'_>) -> Result<Plan, Error> {
    let Asked { model, .. } = asked;
    let vals = Vals::read(caller, asked, &vals::CREATE)?;
    let mut request = Request::read(caller, model, vals, None, asked.compat).await?;
    let ((), resolved) = request.resolve_with(caller, Vec::new(), || future::ready(Ok(()))).await?;
    request.plan(caller, resolved, Target::New).await
}

/// Plans an update of all the records that the search key matches. The addon answers success where none does; here that
/// is said. An update that replaces lines is serialised with others of the same search key: both would take away the same ones.
pub async fn update_data(caller: &Caller, asked: Asked<'_>) -> Result<Plan, Error> {
    let Asked { model, .. } = asked;
    let vals = Vals::read(caller, asked, &vals::UPDATE)?;
    let domain = vals.search_domain()?;
    let mut request = Request::read(caller, model, vals, Some(&domain), asked.compat).await?;
    let has_lines = !request.draft.line_fields().is_empty();
    let (found, resolved) = request.find_and_resolve(caller, domain, has_lines).await?;
    if found.ids.is_empty() {
        let message = format!("no record of `{model}` matches `search_key`; nothing was updated");
        request.vals.warnings.note(Code::NothingMatched, "search_key", message)?;
    }
    let target = request.existing(caller, found).await?;
    request.plan(caller, resolved, target).await
}

/// Plans an update where the search key matches, and else a new record, into which the search key does not go. Calls with the
/// same search key are serialised, so that they make one record.
pub async fn create_update_data(caller: &Caller, asked: Asked<'_>) -> Result<Plan, Error> {
    let Asked { model, .. } = asked;
    let vals = Vals::read(caller, asked, &vals::UPDATE)?;
    let domain = vals.search_domain()?;
    let mut request = Request::read(caller, model, vals, Some(&domain), asked.compat).await?;
    let (found, resolved) = request.find_and_resolve(caller, domain, true).await?;
    let target = if found.ids.is_empty() { Target::New } else { request.existing(caller, found).await? };
    request.plan(caller, resolved, target).await
}

/// So often are lookups asked again because other calls went first. Each time the call holds more locks than before.
const MOST_TIMES: usize = 20;

/// A write that is understood, its questions still open.
struct Request<'r> {
    model: &'r str,
    vals: Vals<'r>,
    filter: Filter<'r>,
    company: Option<i64>,
    draft: Draft,
    questions: Questions,
    wanted: Selection,
}

/// The records that are to be updated, with the lines that they have now.
struct Found {
    ids: Vec<i64>,
    lines: OldLines,
}

impl<'r> Request<'r> {
    /// `domain` finds the records that are to be updated.
    async fn read(
        caller: &Caller,
        model: &'r str,
        mut vals: Vals<'r>,
        domain: Option<&Value>,
        compat: &'r Compat,
    ) -> Result<Self, Error> {
        caller.policy().decide(Touch::Model(model)).map_err(denied("model"))?;
        let filter = Filter::of(compat);
        let company = payload_company(caller, model, &mut vals, filter).await?.or(caller.identity().company);
        let strict = vals.warnings.is_strict();
        let (draft, questions, wanted, warnings) = with_schemas(caller, |known| {
            let mut warnings = Warnings::new(strict);
            let mut reader = Reader { known, filter, questions: Questions::default(), warnings: &mut warnings };
            let draft = reader.read(model, &vals.payload, "payload", company)?;
            let questions = reader.questions;
            if let Some(domain) = domain {
                known.domain(model, domain, "search_key")?;
            }
            let wanted = Selection::read(known, model, &vals.result_field, "result_field")?;
            Ok((draft, questions, wanted, warnings))
        })
        .await?;
        vals.warnings.extend(warnings);
        Ok(Self { model, vals, filter, company, draft, questions, wanted })
    }

    /// Finds the records to update and answers the lookups, side by side: neither needs the other. With `is_serialised`, other
    /// calls with the same search key wait until this one has ended.
    async fn find_and_resolve(
        &mut self,
        caller: &Caller,
        domain: Value,
        is_serialised: bool,
    ) -> Result<(Found, Resolved), Error> {
        let fields: Vec<String> = self.draft.line_fields().into_iter().map(str::to_owned).collect();
        let own = match is_serialised {
            true => same_record::of_search_key(caller, self.model, self.vals.search_key()?),
            false => Vec::new(),
        };
        let model = self.model;
        self.resolve_with(caller, own, || find(caller, model, domain.clone(), fields.clone())).await
    }

    /// Answers the lookups, and runs `find` beside them. Both come after the locks: what is read before may be what another
    /// call is about to change.
    async fn resolve_with<T, F: Future<Output = Result<T, Error>>>(
        &mut self,
        caller: &Caller,
        mut locks: Vec<RecordKey>,
        find: impl Fn() -> F,
    ) -> Result<(T, Resolved), Error> {
        let Vals { auto_create, warnings, dry_run, .. } = &mut self.vals;
        let mut questions = std::mem::take(&mut self.questions);
        locks.extend(same_record::of_lookups(caller, &questions, 0, auto_create));
        if !*dry_run {
            caller.lock_records(locks).await?;
        }
        for _ in 0..MOST_TIMES {
            // They are needed once more only where records may be created, and locks with them.
            let these = if auto_create.is_empty() { std::mem::take(&mut questions) } else { questions.clone() };
            let resolved = resolve(caller, self.filter, self.company, these, auto_create, warnings, *dry_run);
            if let (found, Some(resolved)) = try_join!(find(), resolved)? {
                return Ok((found, resolved));
            }
        }
        Err(odoo::Error::KeyBusy.into())
    }

    /// Where new lines get files, the lines that are there have to be known, archived ones too, to tell the new from them.
    async fn existing(&self, caller: &Caller, found: Found) -> Result<Target, Error> {
        let mut before = HashSet::new();
        for (field, model, inverse) in self.draft.fields_with_files().into_iter().filter(|_| !found.ids.is_empty()) {
            let lines = lines_of(caller, self.model, &found.ids, field, model, inverse).await?;
            before.extend(lines.into_iter().map(|id| (field.to_owned(), id)));
        }
        let echo = self.vals.search_key()?.clone();
        Ok(Target::Existing { ids: found.ids, lines: found.lines, before, echo })
    }

    async fn plan(mut self, caller: &Caller, resolved: Resolved, target: Target) -> Result<Plan, Error> {
        let specification = self.wanted.specification_for(caller).await?;
        let lookups = resolved.looked();
        let answers = hash_of_answers(&resolved, &target);
        let Self { model, filter, company, wanted, .. } = self;
        let setting = Setting { policy: caller.policy(), model, filter, company, wanted, specification };
        let write = compile(setting, self.draft, resolved, target, &mut self.vals.warnings);
        let write = match write {
            Err(error) => return Err(error.with_candidates(caller).await),
            Ok(write) => write,
        };
        Ok(Plan {
            work: Work::Write(write),
            lookups,
            warnings: self.vals.warnings.into_vec(),
            dry_run: self.vals.dry_run,
            answers,
        })
    }
}

/// See [`Plan::answers`].
fn hash_of_answers(resolved: &Resolved, target: &Target) -> u64 {
    let mut hash = DefaultHasher::new();
    resolved.found.hash(&mut hash);
    if let Target::Existing { ids, lines, before, .. } = target {
        ids.hash(&mut hash);
        lines.iter().collect::<BTreeMap<_, _>>().hash(&mut hash);
        before.iter().collect::<BTreeSet<_>>().hash(&mut hash);
    }
    hash.finish()
}

/// The ids of the lines of some records, archived ones too.
///
/// By the field that leads back, where there is one: the one2many itself may leave lines out (a contact's archived
/// contacts, for example).
pub(crate) async fn lines_of(
    caller: &Caller,
    model: &str,
    ids: &[i64],
    field: &str,
    line_model: &str,
    inverse: Option<&str>,
) -> Result<Vec<i64>, odoo::Error> {
    let rpc = match inverse {
        Some(inverse) => {
            let domain = json!([[inverse, "in", ids]]);
            let page = Page { order: Some("id".to_owned()), ..Page::default() };
            Rpc::search_read(line_model, domain, json!(["id"]), page).reaching_all()
        }
        None => Rpc::read(model, ids.to_vec(), json!([field])),
    };
    let rows = caller.call_again(&rpc.with_context("active_test", false)).await?;
    let rows = rows.as_array().map(Vec::as_slice).unwrap_or_default();
    let mut lines: Vec<i64> = match inverse {
        Some(_) => rows.iter().filter_map(|row| row["id"].as_i64()).collect(),
        None => {
            rows.iter().flat_map(|row| row[field].as_array().into_iter().flatten()).filter_map(Value::as_i64).collect()
        }
    };
    // Lines are made in the order in which they were sent, so their ids are in that order.
    lines.sort_unstable();
    Ok(lines)
}

async fn find(caller: &Caller, model: &str, domain: Value, line_fields: Vec<String>) -> Result<Found, Error> {
    let fields = if line_fields.is_empty() { json!(["id"]) } else { json!(line_fields) };
    let rows = caller.call(&Rpc::search_read(model, domain, fields, most_written(caller))).await?;
    let rows = rows.as_array().map(Vec::as_slice).unwrap_or_default();
    decide_written(caller, model, rows.len())?;
    let lines_of = |field: String| {
        let ids = rows.iter().flat_map(|row| row[&field].as_array().into_iter().flatten()).filter_map(Value::as_i64);
        let ids = ids.collect();
        (field, ids)
    };
    Ok(Found {
        ids: rows.iter().filter_map(|row| row["id"].as_i64()).collect(),
        lines: line_fields.into_iter().map(lines_of).collect(),
    })
}

/// One record more than may be changed, which shows that there are too many.
pub(super) fn most_written(caller: &Caller) -> Page {
    Page { limit: caller.policy().most.write.map(|most| most.saturating_add(1)), ..Page::default() }
}

pub(super) fn decide_written(caller: &Caller, model: &str, found: usize) -> Result<(), Error> {
    let records = u64::try_from(found).unwrap_or(u64::MAX);
    caller.policy().decide(Touch::WriteMany { model, records }).map_err(denied("search_key"))
}

/// The company that the payload names, resolved before anything else since it decides where all other lookups look. A
/// lookup in its place is replaced by the id.
async fn payload_company(
    caller: &Caller,
    model: &str,
    vals: &mut Vals<'_>,
    filter: Filter<'_>,
) -> Result<Option<i64>, Error> {
    let Some(company @ Value::Object(_)) = vals.payload.get("company_id") else {
        return Ok(vals.payload.get("company_id").and_then(Value::as_i64));
    };
    let alone = Map::from_iter([("company_id".to_owned(), company.clone())]);
    let strict = vals.warnings.is_strict();
    let (draft, questions, warnings) = with_schemas(caller, |known| {
        let mut warnings = Warnings::new(strict);
        let mut reader = Reader { known, filter, questions: Questions::default(), warnings: &mut warnings };
        let mut draft = reader.read(model, &alone, "payload", None)?;
        // The payload's own reading will say it.
        draft.computed.clear();
        let questions = reader.questions;
        Ok((draft, questions, warnings.without_unwritten()))
    })
    .await?;
    let found = questions.ask(caller, filter, 0).await?;
    let settled = Settler::of_found(&questions, &found, &mut vals.warnings).settle(model, draft, &OldLines::new(), "");
    let settled = match settled {
        Err(error) => return Err(error.with_candidates(caller).await),
        Ok(settled) => settled,
    };
    // A model without companies has no such value; the payload's own reading will say so.
    let Some(company) = settled.values.get("company_id").cloned() else { return Ok(None) };
    vals.warnings.extend(warnings);
    let id = company.as_i64();
    vals.payload.to_mut().insert("company_id".to_owned(), company);
    Ok(id)
}
