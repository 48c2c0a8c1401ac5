//! Lookups: which record does `{"code": "TH"}` mean?
//!
//! All lookups of a payload are collected as questions first, each different one once, and then asked together: one
//! [`Query`] for all the values of one field of one model, with those of other calls where they come at the same time.
//! Values are asked for together only where `read` gives what `search` compares; every other question is asked by itself.

use std::collections::HashMap;

use futures_util::future;
use serde_json::{Value, json};

use super::{Error, known::Known, query::Query};
use crate::{
    config::CompanyFilter,
    odoo::{By, Caller, Kind, Memory, Rpc},
    policy::{Denied, Touch},
};

/// So many queries of one call are under way at once.
pub(super) const SIDE_BY_SIDE: usize = 4;

/// "Which records of `model` have `value` in `field`?"
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Question {
    pub(super) model: String,
    pub(super) field: String,
    pub(super) value: Value,
    /// The company to look in, where the model has one and the lookup is filtered by it.
    pub(super) company: Option<i64>,
    /// Its value can be recognised in what `read` gives.
    is_comparable: bool,
    /// The fields whose lookups ask it.
    pub(super) asked_by: Vec<String>,
    /// How many places wait for the answer, and whether a record that is made in their place would do for all of them.
    pub(super) uses: usize,
    pub(super) is_for_many: bool,
}

/// A lookup as it stands in a payload.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lookup<'p> {
    /// The relational field whose value it is, and whether that leads to many records.
    pub(super) field: &'p str,
    pub(super) is_for_many: bool,
    /// Where the field leads.
    pub(super) model: &'p str,
    /// What is looked up by.
    pub(super) key: &'p str,
    pub(super) value: &'p Value,
    pub(super) company: Option<i64>,
}

/// How lookups are filtered by company.
#[derive(Debug, Clone, Copy)]
pub(super) struct Filter<'c> {
    pub(super) mode: CompanyFilter,
    pub(super) skip: &'c [String],
}

/// The different questions of one payload.
#[derive(Debug, Default, Clone)]
pub(super) struct Questions {
    asked: Vec<Question>,
    index: HashMap<String, usize>,
}

impl Questions {
    /// Notes a lookup, which reads the related model, and gives its number. `None` where that has no such field.
    ///
    /// A lookup by id is never filtered by company: an id means one record. A dotted path leads through other models and
    /// is left for Odoo to judge.
    pub(super) fn add(
        &mut self,
        known: &Known<'_>,
        filter: Filter<'_>,
        lookup: Lookup<'_>,
    ) -> Result<Option<usize>, Denied> {
        let Lookup { model, key, value, .. } = lookup;
        known.policy().decide(Touch::Read { model, field: key })?;
        let (mut company, mut is_comparable) = (None, value.is_i64());
        if key != "id"
            && let Some(seen) = known.model(model)?
        {
            let described = seen.read(key)?;
            if described.is_none() && !key.contains('.') {
                return Ok(None);
            }
            is_comparable = described.is_some_and(|field| match field.kind {
                Kind::Text => field.is_column && value.is_string(),
                Kind::Integer => field.is_column && value.is_i64(),
                _ => false,
            });
            let is_filtered = filter.mode != CompanyFilter::Off
                && seen.has_company()
                && !filter.skip.iter().any(|skip| skip == model);
            company = lookup.company.filter(|_| is_filtered);
        }
        let number = *self.index.entry(json!([model, key, value, company]).to_string()).or_insert_with(|| {
            self.asked.push(Question {
                model: model.to_owned(),
                field: key.to_owned(),
                value: value.clone(),
                company,
                is_comparable,
                asked_by: Vec::new(),
                uses: 0,
                is_for_many: true,
            });
            self.asked.len() - 1
        });
        let question = &mut self.asked[number];
        question.uses += 1;
        question.is_for_many &= lookup.is_for_many;
        if !question.asked_by.iter().any(|field| field == lookup.field) {
            question.asked_by.push(lookup.field.to_owned());
        }
        Ok(Some(number))
    }

    pub(super) fn get(&self, number: usize) -> &Question {
        &self.asked[number]
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Question> {
        self.asked.iter()
    }

    /// Asks Odoo the questions from number `first` on, side by side; the matching ids of each, in order.
    pub(super) async fn ask(&self, caller: &Caller, filter: Filter<'_>, first: usize) -> Result<Vec<Vec<i64>>, Error> {
        let mut batches: Vec<Vec<usize>> = Vec::new();
        let mut batch_of = HashMap::new();
        for (number, question) in self.asked.iter().enumerate().skip(first) {
            let key = (question.model.as_str(), question.field.as_str(), question.company);
            match batch_of.get(&key).filter(|_| question.is_comparable) {
                Some(&batch) => {
                    let batch: &mut Vec<usize> = &mut batches[batch];
                    batch.push(number);
                }
                None => {
                    if question.is_comparable {
                        batch_of.insert(key, batches.len());
                    }
                    batches.push(vec![number]);
                }
            }
        }
        let mut found = Vec::new();
        for some in batches.chunks(SIDE_BY_SIDE) {
            found.extend(future::try_join_all(some.iter().map(|batch| self.ask_batch(caller, filter, batch))).await?);
        }
        let mut answers = vec![Vec::new(); self.asked.len() - first];
        for (number, ids) in found.into_iter().flatten() {
            answers[number - first] = ids;
        }
        Ok(answers)
    }

    /// The values of one field, or one value of any.
    async fn ask_batch(
        &self,
        caller: &Caller,
        filter: Filter<'_>,
        batch: &[usize],
    ) -> Result<Vec<(usize, Vec<i64>)>, Error> {
        let first = &self.asked[batch[0]];
        let query = first.query(filter);
        let memory = caller.memory(&query.by);
        let (mut found, mut open) = (Vec::new(), Vec::new());
        for &number in batch {
            match recall(&memory, &self.asked[number].value).await {
                Some(ids) => found.push((number, ids)),
                None => open.push(number),
            }
        }
        if !found.is_empty() {
            caller.has_recalled(&first.model);
        }
        if open.is_empty() {
            return Ok(found);
        }
        let values: Vec<Value> = open.iter().map(|&number| self.asked[number].value.clone()).collect();
        let answers = if first.is_comparable {
            let shown = || query.rpc(&values).render();
            caller.look_up(query.by.clone(), &values, shown, |values| query.ask(caller, values)).await?
        } else {
            query.ask(caller, values).await?
        };
        for (number, ids) in open.into_iter().zip(answers) {
            if let Some(memory) = &memory {
                memory.keep(&self.asked[number].value, &ids).await;
            }
            found.push((number, ids));
        }
        Ok(found)
    }

    /// One question as a call of its own.
    pub(super) fn question(&self, filter: Filter<'_>, number: usize) -> Rpc {
        let question = &self.asked[number];
        question.query(filter).rpc(std::slice::from_ref(&question.value))
    }
}

async fn recall(memory: &Option<Memory<'_>>, value: &Value) -> Option<Vec<i64>> {
    memory.as_ref()?.get(value).await
}

impl Question {
    fn query(&self, filter: Filter<'_>) -> Query {
        let by = By { model: self.model.clone(), field: self.field.clone(), company: self.company };
        Query { by, mode: filter.mode }
    }
}
