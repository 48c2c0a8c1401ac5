//! From open questions to answers, and to the records that have to be made because a lookup found nothing.
//!
//! What is made may hold lookups of its own, which may find nothing in turn; each round asks one level of them, when it holds
//! the locks of the records that may be created for it.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{
    Error, Warnings,
    auto_create::AutoCreate,
    draft::{Draft, Reader},
    known::with_schemas,
    lookup::{Filter, Questions},
    same_record,
    steps::Looked,
};
use crate::odoo::{Caller, Taken};

/// Every question with what was found, and what is to be made where nothing was.
#[derive(Debug, Default)]
pub(super) struct Resolved {
    pub(super) questions: Questions,
    /// The ids found, by the question's number.
    pub(super) found: Vec<Vec<i64>>,
    /// By the question's number.
    pub(super) makings: BTreeMap<usize, Making>,
    /// Questions that are answered by a record which is made for another one, by that one.
    pub(super) same: HashMap<usize, usize>,
}

/// A record to be made.
#[derive(Debug)]
pub(super) struct Making {
    pub(super) draft: Draft,
    /// Its values show that the lookup will find it.
    pub(super) is_certain: bool,
}

/// How many missing records may need one another in a row.
const MOST_LEVELS: usize = 20;

/// Answers all questions. `None` where other calls went first with a record that this one came to need, after some questions
/// had been answered: they must be asked again.
pub(super) async fn resolve(
    caller: &Caller,
    filter: Filter<'_>,
    company: Option<i64>,
    questions: Questions,
    auto_create: &AutoCreate,
    warnings: &mut Warnings,
    is_dry_run: bool,
) -> Result<Option<Resolved>, Error> {
    let mut resolved = Resolved { questions, ..Resolved::default() };
    let mut noted = Warnings::new(warnings.is_strict());
    let mut made_for: HashMap<(String, Option<i64>), usize> = HashMap::new();
    for _ in 0..MOST_LEVELS {
        let first = resolved.found.len();
        let locks = same_record::of_lookups(caller, &resolved.questions, first, auto_create);
        if !is_dry_run && caller.lock_records(locks).await? == Taken::Anew {
            return Ok(None);
        }
        resolved.found.extend(resolved.questions.ask(caller, filter, first).await?);
        let missing: Vec<_> = (first..resolved.found.len())
            .filter(|&number| resolved.found[number].is_empty())
            .filter_map(|number| Some((number, auto_create.fitting(resolved.questions.get(number))?)))
            .collect();
        // An entry makes one record, however many different lookups it fits.
        let missing: Vec<_> = missing
            .into_iter()
            .filter(|(number, fit)| {
                // What the record is made of, its company besides.
                let key = (fit.entry.path.clone(), resolved.questions.get(*number).company.or(company));
                let first = *made_for.entry(key).or_insert(*number);
                let is_answered_by_first = first != *number && fit.is_certain;
                if is_answered_by_first {
                    resolved.same.insert(*number, first);
                }
                !is_answered_by_first
            })
            .collect();
        if missing.is_empty() {
            warnings.extend(noted);
            return Ok(Some(resolved));
        }
        let strict = noted.is_strict();
        let (makings, questions, of_level) = with_schemas(caller, |known| {
            let mut noted = Warnings::new(strict);
            let questions = resolved.questions.clone();
            let mut reader = Reader { known, filter, questions, warnings: &mut noted };
            let mut makings = BTreeMap::new();
            for (number, fit) in &missing {
                let question = resolved.questions.get(*number);
                let model = question.model.clone();
                let draft = reader.read(&model, &fit.entry.values, &fit.entry.path, question.company.or(company))?;
                makings.insert(*number, Making { draft, is_certain: fit.is_certain });
            }
            let questions = reader.questions;
            Ok((makings, questions, noted))
        })
        .await?;
        noted.extend(of_level);
        resolved.questions = questions;
        resolved.makings.extend(makings);
    }
    let problem = format!("needs more than {MOST_LEVELS} missing records, each for the next");
    Err(Error::WrongKind { path: "auto_create".to_owned(), problem })
}

impl Resolved {
    /// The record that is made for this question answers others too.
    pub(super) fn is_shared(&self, number: usize) -> bool {
        self.same.values().any(|first| *first == number)
    }

    /// What was looked up and found, for whoever wants to see it.
    pub(super) fn looked(&self) -> Vec<Looked> {
        let answered = self.questions.iter().zip(&self.found);
        let looked = answered.map(|(question, ids)| Looked {
            model: question.model.clone(),
            field: question.field.clone(),
            value: question.value.clone(),
            beside: question.beside.clone(),
            ids: ids.clone(),
        });
        looked.collect()
    }

    /// The records to be made, each after those that it needs itself.
    pub(super) fn order(&self, main: &Draft) -> Result<Vec<usize>, Error> {
        let mut order = Vec::new();
        self.visit(main, &mut Vec::new(), &mut HashSet::new(), &mut order)?;
        Ok(order)
    }

    fn visit(
        &self,
        draft: &Draft,
        within: &mut Vec<usize>,
        done: &mut HashSet<usize>,
        order: &mut Vec<usize>,
    ) -> Result<(), Error> {
        for number in draft.questions() {
            let number = self.same.get(&number).copied().unwrap_or(number);
            let Some(making) = self.makings.get(&number).filter(|_| !done.contains(&number)) else { continue };
            if within.contains(&number) || within.len() == MOST_LEVELS {
                let question = self.questions.get(number);
                return Err(Error::Circular { field: question.asked_by.join(", "), value: question.shown() });
            }
            within.push(number);
            self.visit(&making.draft, within, done, order)?;
            within.pop();
            done.insert(number);
            order.push(number);
        }
        Ok(())
    }
}
