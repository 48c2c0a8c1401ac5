//! From open questions to answers, and to the records that have to be created because a lookup found nothing.
//!
//! A missing record may hold lookups of its own, which may find nothing in turn. Each round asks one level of
//! questions, after taking the locks of the records that may be created for it. This file stands above `lookup` and
//! `read`, which do not know each other's missing records.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{
    Error, WarningCode, Warnings,
    error::Mistakes,
    lookup::{AutoCreate, Filter, Fit, LookupResult, Matches, Question, QuestionId, Questions, record_locks},
    read::{Draft, Reader},
    schema_view::with_schemas,
    wording,
};
use crate::odoo::{Caller, Taken};

/// Every question with its answer, and the records to create where nothing was found.
#[derive(Debug, Default)]
pub(super) struct Resolved {
    pub(super) questions: Questions,
    pub(super) matches: Matches,
    /// The records to create, each for the question that found none.
    pub(super) missing_records: BTreeMap<QuestionId, MissingRecord>,
    /// Questions that are answered by the record that is created for another one.
    pub(super) same: HashMap<QuestionId, QuestionId>,
    /// What is wrong with the records to create: nothing may be written.
    pub(super) mistakes: Mistakes,
}

/// A record to create.
#[derive(Debug)]
pub(super) struct MissingRecord {
    pub(super) draft: Draft,
    /// The values show that the lookup will find it.
    pub(super) is_certain: bool,
}

/// What the answers are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Intent {
    /// The call writes: the records that it may create are locked.
    Write,
    /// The plan is shown only.
    Show,
    /// The call is refused, and further mistakes are looked for.
    Refusal,
}

/// By what questions are answered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asking<'a> {
    pub(super) filter: Filter<'a>,
    /// The company of missing records that have none.
    pub(super) company: Option<i64>,
    pub(super) auto_create: &'a AutoCreate,
    pub(super) intent: Intent,
}

/// The maximum number of queries on each level for a call that is refused.
const MAX_QUERIES_OF_REFUSED: usize = 16;

/// The maximum depth of missing records that need one another.
const MAX_LEVELS: usize = 20;

/// Answers all questions. `None` where other calls held the lock of a record that this one came to need after some
/// questions had been answered: those answers are out of date.
///
/// # Errors
/// A query fails, the lock is not to be had in time, or the policy denies something of a missing record. What else is wrong with
/// missing records is among the answers.
pub(super) async fn resolve(
    caller: &Caller,
    asking: Asking<'_>,
    questions: Questions,
    warnings: &mut Warnings,
) -> Result<Option<Resolved>, Error> {
    let Asking { filter, company, auto_create, intent } = asking;
    let mut resolver = Resolver {
        caller,
        filter,
        company,
        auto_create,
        resolved: Resolved { questions, ..Resolved::default() },
        created_for: HashMap::new(),
        noted: warnings.anew(),
    };
    for _ in 0..MAX_LEVELS {
        let Resolved { questions, matches, .. } = &mut resolver.resolved;
        let open: Vec<QuestionId> = questions.unanswered(matches).map(|(id, _)| id).collect();
        let locks = record_locks::of_lookups(caller, questions.unanswered(matches), auto_create);
        if intent == Intent::Write && caller.lock_records(locks).await? == Taken::Anew {
            return Ok(None);
        }
        let tells = |question: &Question| !caller.counts_archived() && auto_create.fitting(question).is_some();
        let most = (intent == Intent::Refusal).then_some(MAX_QUERIES_OF_REFUSED);
        if let Err(error) = questions.ask(caller, filter, matches, most, tells).await {
            return Err(resolver.resolved.refuse().err().unwrap_or(error));
        }
        let missing = resolver.missing(open)?;
        if missing.is_empty() {
            warnings.extend(resolver.noted);
            return Ok(Some(resolver.resolved));
        }
        resolver.read(missing).await?;
        if resolver.resolved.mistakes.have_denial() {
            // Nothing more is asked of Odoo.
            return resolver.resolved.refuse().map(|()| None);
        }
    }
    let problem = format!("needs more than {MAX_LEVELS} missing records, each for the next");
    Err(Error::WrongKind { path: "auto_create".to_owned(), problem })
}

/// The questions of one call while they are being answered, level by level.
struct Resolver<'r> {
    caller: &'r Caller,
    filter: Filter<'r>,
    company: Option<i64>,
    auto_create: &'r AutoCreate,
    resolved: Resolved,
    /// By entry and company: the question for which a record is created from that entry.
    created_for: HashMap<(String, Option<i64>), QuestionId>,
    noted: Warnings,
}

impl<'r> Resolver<'r> {
    /// The questions of one level that found nothing, and for which a record is created. An entry creates one record, even
    /// if several different lookups fit it: the others are answered by that record.
    fn missing(&mut self, level: Vec<QuestionId>) -> Result<Vec<(QuestionId, Fit<'r>)>, Error> {
        let mut missing = Vec::new();
        for id in level.into_iter().filter(|id| self.resolved.matches[*id].is_empty()) {
            let question = self.resolved.questions.get(id);
            let Some(fit) = self.auto_create.fitting(question) else { continue };
            let key = (fit.entry.path.clone(), question.company.or(self.company));
            let first = *self.created_for.entry(key).or_insert(id);
            let archived = self.resolved.matches.archived(id);
            if !archived.is_empty() {
                let message = format!("{}; a new record is made beside it", wording::archived(archived));
                self.noted.note(WarningCode::ArchivedMatch, fit.entry.path.clone(), message)?;
            }
            if first != id && fit.is_certain {
                self.resolved.same.insert(id, first);
            } else {
                missing.push((id, fit));
            }
        }
        Ok(missing)
    }

    /// Reads the missing records, which may ask more questions.
    async fn read(&mut self, missing: Vec<(QuestionId, Fit<'r>)>) -> Result<(), Error> {
        let Self { resolved, filter, company, .. } = self;
        let fresh = self.noted.anew();
        let (missing_records, questions, noted, mistakes) = with_schemas(self.caller, |schemas| {
            let (mut noted, mut mistakes) = (fresh.anew(), Mistakes::default());
            let questions = resolved.questions.clone();
            let mut reader =
                Reader { schemas, filter: *filter, questions, warnings: &mut noted, mistakes: &mut mistakes };
            let mut missing_records = BTreeMap::new();
            for (id, fit) in &missing {
                let question = resolved.questions.get(*id);
                let company = question.company.or(*company);
                let draft = reader.read(&question.model, &fit.entry.values, &fit.entry.path, company);
                missing_records.insert(*id, MissingRecord { draft, is_certain: fit.is_certain });
            }
            let questions = reader.questions;
            schemas.note_denial(mistakes.first_denial());
            Ok((missing_records, questions, noted, mistakes))
        })
        .await?;
        mistakes.into_error().into_iter().for_each(|error| self.resolved.mistakes.note(error));
        self.noted.extend(noted);
        self.resolved.questions = questions;
        self.resolved.missing_records.extend(missing_records);
        Ok(())
    }
}

impl Resolved {
    /// The models and drafts of the records to create.
    pub(super) fn take_missing_drafts(&mut self) -> Vec<(String, Draft)> {
        let questions = &self.questions;
        let missing = self.missing_records.iter_mut();
        missing.map(|(id, missing)| (questions.get(*id).model.clone(), std::mem::take(&mut missing.draft))).collect()
    }

    /// # Errors
    /// Something is wrong with the records to create.
    pub(super) fn refuse(&mut self) -> Result<(), Error> {
        std::mem::take(&mut self.mistakes).and(Ok(()))
    }

    /// Whether the record that is created for this question answers others too.
    pub(super) fn is_shared(&self, question: QuestionId) -> bool {
        self.same.values().any(|first| *first == question)
    }

    /// What was looked up and found, for a rendered plan.
    pub(super) fn looked(&self) -> Vec<LookupResult> {
        let answered = self.questions.iter();
        let looked = answered.map(|(id, question)| LookupResult {
            model: question.model.clone(),
            field: question.field.clone(),
            value: question.value.clone(),
            beside: question.beside.clone(),
            ids: self.matches[id].to_vec(),
        });
        looked.collect()
    }

    /// The records to create, each after those that it needs itself.
    ///
    /// # Errors
    /// A record needs itself.
    pub(super) fn order(&self, main: &Draft) -> Result<Vec<QuestionId>, Error> {
        let mut order = Vec::new();
        self.visit(main, &mut Vec::new(), &mut HashSet::new(), &mut order)?;
        Ok(order)
    }

    fn visit(
        &self,
        draft: &Draft,
        within: &mut Vec<QuestionId>,
        done: &mut HashSet<QuestionId>,
        order: &mut Vec<QuestionId>,
    ) -> Result<(), Error> {
        for id in draft.questions() {
            let id = self.same.get(&id).copied().unwrap_or(id);
            let Some(missing) = self.missing_records.get(&id).filter(|_| !done.contains(&id)) else { continue };
            if within.contains(&id) || within.len() == MAX_LEVELS {
                let question = self.questions.get(id);
                return Err(Error::Circular { field: question.asked_by.join(", "), value: question.shown() });
            }
            within.push(id);
            self.visit(&missing.draft, within, done, order)?;
            within.pop();
            done.insert(id);
            order.push(id);
        }
        Ok(())
    }
}
