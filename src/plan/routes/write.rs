//! `create_data`, `update_data` and `create_update_data`: the values of one record, written into a new one or into
//! those that match.

use std::{
    collections::{BTreeSet, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
};

use futures_util::future;
use serde_json::Value;

use super::{
    company,
    existing::{self, Found, find, lines_of},
    locked::resolve_under_locks,
    new_record::{self, KeyValues, converted_key},
    vals::{self, Vals},
};
use crate::{
    config::Compat,
    fetch::CallFiles,
    odoo::{Caller, RecordKey},
    plan::{
        Asked, Error, Plan, Selection, WarningCode, Work,
        compile::{Existing, Target, WriteContext, compile},
        complete::{Means, complete},
        error::Mistakes,
        lookup::{Filter, Questions, record_locks},
        policy_check::denied,
        read::{Draft, Reader},
        resolve::{Asking, Intent, Resolved},
        schema_view::with_schemas,
        search_key::SearchKey,
        several::Several,
        unfound,
    },
    policy::Touch,
};

/// Plans a new record.
///
/// # Errors
/// See [`Error`].
pub async fn create_data(caller: &Caller, asked: Asked<'_>) -> Result<Plan, Error> {
    let Asked { model, .. } = asked;
    let (vals, mistakes) = Vals::read_all(caller, asked, &vals::CREATE)?;
    let mut request = Request::read(caller, model, (vals, None, mistakes), (asked.compat, asked.files)).await?;
    let ((), resolved) = request.resolve_with(caller, Vec::new(), || future::ready(Ok(()))).await?;
    request.plan(caller, resolved, Target::New { external_id: None, probe: None }).await
}

/// Plans an update of all the records that the search key matches. The addon answers success where none does; here that
/// is a warning. An update that replaces lines is serialised with others of the same search key, since both would
/// remove the same lines.
///
/// # Errors
/// See [`Error`].
pub async fn update_data(caller: &Caller, asked: Asked<'_>) -> Result<Plan, Error> {
    let Asked { model, .. } = asked;
    let (vals, mut mistakes) = Vals::read_all(caller, asked, &vals::UPDATE)?;
    let key = mistakes.take(vals.search_key());
    let mut request = Request::read(caller, model, (vals, key, mistakes), (asked.compat, asked.files)).await?;
    let has_lines = request.draft.has_lines();
    let has_lock = has_lines || request.vals.when.is_some();
    let (mut found, resolved) = request.find_and_resolve(caller, has_lock).await?;
    request.keep_matching(caller, &mut found).await?;
    if found.records.is_empty() {
        let but = found.but_archived();
        let message = format!("no record of `{model}` matches `search_key`; nothing was updated{but}");
        request.vals.warnings.note(WarningCode::NothingMatched, "search_key", message)?;
    }
    request.note_several(caller, &found)?;
    let target = request.existing(caller, found).await?;
    request.plan(caller, resolved, target).await
}

/// Plans an update where the search key matches, and otherwise a new record, into which the search key goes where the
/// payload does not have it. Calls with the same search key are serialised, so that they create one record.
///
/// # Errors
/// See [`Error`].
pub async fn create_update_data(caller: &Caller, asked: Asked<'_>) -> Result<Plan, Error> {
    let Asked { model, .. } = asked;
    let (vals, mut mistakes) = Vals::read_all(caller, asked, &vals::UPDATE)?;
    let key = mistakes.take(vals.search_key());
    let mut request = Request::read(caller, model, (vals, key, mistakes), (asked.compat, asked.files)).await?;
    let (mut found, resolved) = request.find_and_resolve(caller, true).await?;
    request.keep_matching(caller, &mut found).await?;
    request.note_several(caller, &found)?;
    let target = match found.records.is_empty() {
        true => request.new_record(caller, &found).await?,
        false => request.existing(caller, found).await?,
    };
    request.plan(caller, resolved, target).await
}

/// A write whose payload has been read, and whose questions are open.
pub(super) struct Request<'r> {
    pub(super) model: &'r str,
    pub(super) vals: Vals<'r>,
    pub(super) filter: Filter<'r>,
    pub(super) files: &'r CallFiles,
    pub(super) company: Option<i64>,
    pub(super) draft: Draft,
    /// Of one of several records, none: the questions of all stand together.
    pub(super) questions: Questions,
    pub(super) wanted: Selection,
    /// It finds the records to update.
    pub(super) key: Option<SearchKey>,
    /// What of the key goes into a new record.
    pub(super) key_values: Option<KeyValues>,
}

impl<'r> Request<'r> {
    /// Reads the payload, and the key of the records to update.
    ///
    /// # Errors
    /// There are mistakes. Further ones are looked for in Odoo's answers to those lookups that can be asked.
    async fn read(
        caller: &Caller,
        model: &'r str,
        (mut vals, key, mut mistakes): (Vals<'r>, Option<SearchKey>, Mistakes),
        (compat, files): (&'r Compat, &'r CallFiles),
    ) -> Result<Self, Error> {
        if let Err(error) = caller.policy().decide(Touch::Model(model)).map_err(denied("model")) {
            return mistakes.and(Err(error));
        }
        let filter = Filter::of(compat);
        let company = payload_company(caller, model, &mut vals, filter).await;
        let is_of_company = company.is_ok();
        let company = match company {
            Err(error @ Error::Odoo(_)) => return mistakes.and(Err(error)),
            company => mistakes.take(company).flatten().or(caller.company()),
        };
        let read = with_schemas(caller, |schemas| {
            let (mut warnings, mut mistakes) = (vals.warnings.anew(), Mistakes::default());
            let questions = Questions::default();
            let mut reader = Reader { schemas, filter, questions, warnings: &mut warnings, mistakes: &mut mistakes };
            let draft = reader.read(model, &vals.payload, "payload", company);
            let questions = reader.questions;
            let key = key.clone().map(|key| converted_key(schemas, filter, model, key, &vals.payload));
            let (key, key_values) = key.and_then(|key| mistakes.take(key)).unzip();
            let wanted = mistakes.take(Selection::read(schemas, model, &vals.result_field, "result_field"));
            schemas.note_denial(mistakes.first_denial());
            Ok((draft, questions, wanted, (key, key_values), warnings, mistakes))
        });
        let (mut draft, questions, wanted, (key, key_values), warnings, met) = match read.await {
            Err(error) => return mistakes.and(Err(error)),
            Ok(read) => read,
        };
        vals.warnings.extend(warnings);
        mistakes.take(met.and(Ok(())));
        // Lookups search in the company: without it, they say nothing.
        if !mistakes.is_empty() && is_of_company {
            let (auto_create, intent) = (&vals.auto_create, Intent::Refusal);
            let asking = Asking { filter, company, auto_create, intent };
            let (questions, draft) = (questions.clone(), std::mem::take(&mut draft));
            unfound::ask(caller, asking, questions, (model, draft), &mut mistakes).await;
        }
        if let Some(error) = mistakes.into_error() {
            return Err(error.with_candidates(caller).await);
        }
        let wanted = wanted.unwrap_or_else(|| Selection { model: model.to_owned(), fields: Vec::new() });
        Ok(Self { model, vals, filter, files, company, draft, questions, wanted, key, key_values })
    }

    /// Finds the records to update and answers the lookups, concurrently. With `is_serialised`, other calls with the
    /// same search key wait until this one has ended.
    async fn find_and_resolve(&mut self, caller: &Caller, is_serialised: bool) -> Result<(Found, Resolved), Error> {
        let fields = self.draft.old_fields();
        let (model, key) = (self.model, self.key.clone().ok_or(Error::NoSearchKey)?);
        let own = match is_serialised {
            true => record_locks::of_search_key(caller, model, &key.locked()),
            false => Vec::new(),
        };
        self.resolve_with(caller, own, || find(caller, model, &key, fields.clone())).await
    }

    /// Answers the lookups, and runs `find` concurrently, both under `locks`.
    async fn resolve_with<T, F: Future<Output = Result<T, Error>>>(
        &mut self,
        caller: &Caller,
        locks: Vec<RecordKey>,
        find: impl Fn() -> F,
    ) -> Result<(T, Resolved), Error> {
        let Vals { auto_create, warnings, dry_run, .. } = &mut self.vals;
        let questions = std::mem::take(&mut self.questions);
        let intent = if *dry_run { Intent::Show } else { Intent::Write };
        let asking = Asking { filter: self.filter, company: self.company, auto_create, intent };
        resolve_under_locks(caller, asking, questions, locks, warnings, find).await
    }

    /// Leaves out the records that do not match `when`.
    ///
    /// # Errors
    /// None of those that were found does ([`Error::NotWhen`]), or the domain cannot be searched for.
    async fn keep_matching(&self, caller: &Caller, found: &mut Found) -> Result<(), Error> {
        let Some(when) = self.vals.when.as_deref().filter(|_| !found.records.is_empty()) else { return Ok(()) };
        let ids: Vec<i64> = found.records.iter().map(|record| record.id).collect();
        let matching = existing::matching(caller, self.model, &ids, when).await?;
        found.records.retain(|record| matching.contains(&record.id));
        if found.records.is_empty() {
            return Err(Error::NotWhen { model: self.model.to_owned(), ids });
        }
        Ok(())
    }

    /// Warns where a key matches more records than it names, and no rule says how many may be written.
    pub(super) fn note_several(&mut self, caller: &Caller, found: &Found) -> Result<(), Error> {
        let records = found.records.len();
        let is_meant = self.key.as_ref().is_some_and(|key| key.names_each_of(records));
        if records < 2 || is_meant || caller.policy().most.write.is_some() {
            return Ok(());
        }
        let message = format!(
            "`search_key` matches {records} records of `{}`, and all of them are written; `[policy] max_records.write` limits their number",
            self.model
        );
        self.vals.warnings.note(WarningCode::SeveralMatched, "search_key", message)
    }

    /// The target of an upsert that finds nothing: a new record, which the search key goes into.
    pub(super) async fn new_record(&mut self, caller: &Caller, found: &Found) -> Result<Target, Error> {
        let warnings = &mut self.vals.warnings;
        if let Some(archived) = found.only_archived() {
            let message = format!("{archived}; a new record is made beside it");
            warnings.note(WarningCode::ArchivedMatch, "search_key", message)?;
        }
        if let Some(values) = self.key_values.take() {
            values.write(&mut self.draft, warnings)?;
        }
        let external_id = match &self.key {
            Some(key) => new_record::external_id(caller, key, found).await?,
            None => None,
        };
        let probe = self.key.as_ref().and_then(|key| new_record::probe(self.model, key, found));
        Ok(Target::New { external_id, probe })
    }

    /// The target of an update. Where new lines get files, the existing lines are read, archived ones too, to tell the
    /// new ones from them.
    pub(super) async fn existing(&self, caller: &Caller, found: Found) -> Result<Target, Error> {
        let Found { records: found, .. } = found;
        let mut before = HashSet::new();
        let ids: Vec<i64> = found.iter().map(|record| record.id).collect();
        for (field, model, inverse) in self.draft.fields_with_files().into_iter().filter(|_| !found.is_empty()) {
            let lines = lines_of(caller, self.model, &ids, field, model, inverse).await?;
            before.extend(lines.into_iter().map(|id| (field.to_owned(), id)));
        }
        let echo = self.key.as_ref().map(|key| key.sent().clone()).unwrap_or_default();
        Ok(Target::Existing(Existing { records: found, before, echo }))
    }

    /// What is wrong with a value that was to be closed, and whatever else is wrong with lookups.
    fn refusal(self, mut resolved: Resolved, error: Error) -> Error {
        if matches!(error, Error::Odoo(_)) {
            return error;
        }
        let mut mistakes = Mistakes::default();
        mistakes.take(resolved.refuse());
        mistakes.note(error.clone());
        for (model, draft) in resolved.take_missing_drafts() {
            unfound::note(&resolved, &model, draft, &mut mistakes);
        }
        unfound::note(&resolved, self.model, self.draft, &mut mistakes);
        mistakes.into_error().unwrap_or(error)
    }

    async fn plan(mut self, caller: &Caller, mut resolved: Resolved, target: Target) -> Result<Plan, Error> {
        let existing = match &target {
            Target::New { .. } => None,
            Target::Existing(existing) => Some(existing.ids()),
        };
        let means = Means { filter: self.filter, files: self.files, is_dry_run: self.vals.dry_run };
        let named = match complete(caller, means, self.model, &mut self.draft, &mut resolved, existing).await {
            Ok(named) => named,
            Err(error) => return Err(self.refusal(resolved, error).with_candidates(caller).await),
        };
        let mut several = Several::new(caller);
        several.narrow(self.model, &mut self.draft, &resolved, &mut self.vals.warnings).await?;
        several.narrow_missing(&mut resolved, &mut self.vals.warnings).await?;
        let specification = self.wanted.specification_for(caller).await?;
        let (lookups, named_ids) = (resolved.looked(), resolved.questions.take_named_ids());
        let answers = hash_of_answers(&resolved, [&target], named);
        let Self { model, filter, company, wanted, .. } = self;
        let context = WriteContext { policy: caller.policy(), model, filter, company, wanted, specification };
        let write = compile(context, self.draft, resolved, target, &mut self.vals.warnings);
        let write = match write {
            Err(error) => return Err(error.with_candidates(caller).await),
            Ok(write) => write,
        };
        Ok(Plan {
            work: Work::Write(write),
            lookups,
            named_ids,
            warnings: self.vals.warnings.into_vec(),
            dry_run: self.vals.dry_run,
            answers,
        })
    }
}

/// See [`Plan::answers`].
pub(super) fn hash_of_answers<'t>(
    resolved: &Resolved,
    targets: impl IntoIterator<Item = &'t Target>,
    named: u64,
) -> u64 {
    let mut hash = DefaultHasher::new();
    named.hash(&mut hash);
    resolved.matches.hash(&mut hash);
    for target in targets {
        hash_target(target, &mut hash);
    }
    hash.finish()
}

fn hash_target(target: &Target, hash: &mut DefaultHasher) {
    if let Target::Existing(Existing { records, before, .. }) = target {
        records.hash(hash);
        before.iter().collect::<BTreeSet<_>>().hash(hash);
    }
}

/// The company that the payload names. A lookup in its place is replaced by the id.
async fn payload_company(
    caller: &Caller,
    model: &str,
    vals: &mut Vals<'_>,
    filter: Filter<'_>,
) -> Result<Option<i64>, Error> {
    let named = vals.payload.get(company::FIELD);
    let Some(lookup @ Value::Object(_)) = named else { return Ok(named.and_then(Value::as_i64)) };
    let found = company::look_up(caller, model, lookup, filter, &mut vals.warnings).await?;
    let Some(found) = found else { return Ok(None) };
    let id = found.as_i64();
    vals.payload.to_mut().insert(company::FIELD.to_owned(), found);
    Ok(id)
}
