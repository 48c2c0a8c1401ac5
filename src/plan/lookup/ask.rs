//! Asks Odoo the questions of a payload: those about one field of one model together, the others by themselves.

use std::{collections::HashMap, ops::Index};

use futures_util::future;
use serde_json::Value;

use super::{
    query::{MAX_CONCURRENT, Query},
    question::{Filter, Question, QuestionId, Questions},
};
use crate::{
    odoo::{CachedLookups, Caller, FoundRecords},
    plan::Error,
};

/// What a lookup found, for a rendered plan.
#[derive(Debug, Clone)]
pub struct LookupResult {
    pub model: String,
    pub field: String,
    pub value: Value,
    /// The other keys and their values.
    pub beside: Vec<(String, Value)>,
    pub ids: Vec<i64>,
}

/// The ids of the matching records, by question. Questions are answered in the order of their ids.
#[derive(Debug, Default, Hash)]
pub(in crate::plan) struct Matches(Vec<FoundRecords>);

/// The id of a record that is supposed to be there: no record of Odoo has it.
const SUPPOSED: i64 = 0;

impl Index<QuestionId> for Matches {
    type Output = [i64];

    fn index(&self, id: QuestionId) -> &[i64] {
        &self.0[id.0].ids
    }
}

impl Matches {
    /// The archived records that match, of a question that may create a record.
    pub(in crate::plan) fn archived(&self, id: QuestionId) -> &[i64] {
        &self.0[id.0].archived
    }
}

impl Questions {
    /// The questions that have no answer in `matches` yet.
    pub(in crate::plan) fn unanswered(&self, matches: &Matches) -> impl Iterator<Item = (QuestionId, &Question)> {
        self.iter().skip(matches.0.len())
    }

    /// Asks Odoo the unanswered questions concurrently, and adds the answers to `matches`. `tells` says of which
    /// questions archived records are told apart. With `most`, so many queries are made; the other questions are supposed to find one
    /// record each.
    ///
    /// # Errors
    /// A query fails; `matches` stays as it was.
    pub(in crate::plan) async fn ask(
        &self,
        caller: &Caller,
        filter: Filter<'_>,
        matches: &mut Matches,
        most: Option<usize>,
        tells: impl Fn(&Question) -> bool,
    ) -> Result<(), Error> {
        let mut batches: Vec<(Query, Vec<QuestionId>)> = Vec::new();
        let mut batch_of = HashMap::new();
        for (id, question) in self.unanswered(matches) {
            let query = question.query(filter, tells(question));
            match batch_of.get(&query.by).filter(|_| question.is_comparable) {
                Some(&batch) => {
                    let (_, ids): &mut (Query, Vec<QuestionId>) = &mut batches[batch];
                    ids.push(id);
                }
                None => {
                    if question.is_comparable {
                        batch_of.insert(query.by.clone(), batches.len());
                    }
                    batches.push((query, vec![id]));
                }
            }
        }
        let unasked = batches.split_off(most.map_or(batches.len(), |most| most.min(batches.len())));
        let mut found = Vec::new();
        for some in batches.chunks(MAX_CONCURRENT) {
            found.extend(
                future::try_join_all(some.iter().map(|(query, batch)| self.ask_batch(caller, query, batch))).await?,
            );
        }
        let mut found: HashMap<QuestionId, FoundRecords> = found.into_iter().flatten().collect();
        let supposed = || FoundRecords { ids: vec![SUPPOSED], archived: Vec::new() };
        found.extend(unasked.into_iter().flat_map(|(_, ids)| ids).map(|id| (id, supposed())));
        #[expect(clippy::expect_used, reason = "each question is in one batch, and a batch answers all of its own")]
        let answers = self.unanswered(matches).map(|(id, _)| found.remove(&id).expect("every question is answered"));
        let answers: Vec<FoundRecords> = answers.collect();
        matches.0.extend(answers);
        Ok(())
    }

    /// Asks the questions of one batch: all about one field, or a single one.
    async fn ask_batch(
        &self,
        caller: &Caller,
        query: &Query,
        batch: &[QuestionId],
    ) -> Result<Vec<(QuestionId, FoundRecords)>, Error> {
        let memory = caller.cached_lookups(&query.by);
        let (mut found, mut open) = (Vec::new(), Vec::new());
        for &id in batch {
            match recall(&memory, &self.get(id).value).await {
                Some(records) => found.push((id, records)),
                None => open.push(id),
            }
        }
        if !found.is_empty() {
            caller.note_cached_lookup(&query.by.model);
        }
        if open.is_empty() {
            return Ok(found);
        }
        let values: Vec<Value> = open.iter().map(|&id| self.get(id).value.clone()).collect();
        let answers = if batch.iter().any(|&id| self.get(id).is_comparable) {
            let shown = || query.rpc(&values).render();
            caller.look_up(query.by.clone(), &values, shown, |values| query.ask(caller, values)).await?
        } else {
            query.ask(caller, values).await?
        };
        for (id, records) in open.into_iter().zip(answers) {
            if let Some(memory) = &memory {
                memory.keep(&self.get(id).value, &records.ids).await;
            }
            found.push((id, records));
        }
        Ok(found)
    }
}

async fn recall(memory: &Option<CachedLookups<'_>>, value: &Value) -> Option<FoundRecords> {
    memory.as_ref()?.get(value).await
}

#[cfg(test)]
impl Matches {
    /// Answers all questions without Odoo.
    pub(in crate::plan) fn of(questions: &Questions, answer: impl Fn(&Question) -> Vec<i64>) -> Self {
        let found = |question| FoundRecords { ids: answer(question), archived: Vec::new() };
        Self(questions.iter().map(|(_, question)| found(question)).collect())
    }
}
