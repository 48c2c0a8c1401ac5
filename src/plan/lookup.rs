//! Lookups: which record does `{"code": "TH"}` mean?
//!
//! Where a lookup has several keys, all must match: one of them is looked up by, the others narrow the search.
//! All lookups of a payload are collected as questions first, each different one once, and then asked together: one
//! [`Query`] for all the values of one field of one model, with those of other calls where they come at the same time.
//! Values are asked for together only where `read` gives what `search` compares; every other question is asked by itself.

use std::collections::HashMap;

use futures_util::future;
use serde_json::{Value, json};

use super::{Error, known::Known, query::Query, shown};
use crate::{
    config::{CompanyFilter, Compat, LookupKeys},
    odoo::{CachedLookups, Caller, Kind, LookupCriteria, Rpc},
    policy::{Denied, Touch},
};

/// So many queries of one call are under way at once.
pub(super) const SIDE_BY_SIDE: usize = 4;

/// "Which records of `model` have `value` in `field`, and the values of `beside` in their fields?"
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Question {
    pub(super) model: String,
    pub(super) field: String,
    pub(super) value: Value,
    /// The other keys, in the order of their names.
    pub(super) beside: Vec<(String, Value)>,
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
#[derive(Debug, Clone)]
pub(super) struct Lookup<'p> {
    /// The relational field whose value it is, and whether that leads to many records.
    pub(super) field: &'p str,
    pub(super) is_for_many: bool,
    /// Where the field leads.
    pub(super) model: &'p str,
    /// What is looked up by: at least one field, with the value that it must have.
    pub(super) keys: Vec<(&'p str, &'p Value)>,
    pub(super) company: Option<i64>,
}

/// How lookups are filtered by company, and which of their keys count.
#[derive(Debug, Clone, Copy)]
pub(super) struct Filter<'c> {
    pub(super) mode: CompanyFilter,
    pub(super) skip: &'c [String],
    pub(super) keys: LookupKeys,
}

impl<'c> Filter<'c> {
    pub(super) fn of(compat: &'c Compat) -> Self {
        Self { mode: compat.company_filter, skip: &compat.company_filter_skip, keys: compat.lookup_keys }
    }
}

/// Why a lookup cannot be asked.
#[derive(Debug)]
pub(super) enum Unasked {
    Denied(Denied),
    /// The related model has no such field.
    NoField(String),
}

impl From<Denied> for Unasked {
    fn from(denied: Denied) -> Self {
        Self::Denied(denied)
    }
}

/// The different questions of one payload.
#[derive(Debug, Default, Clone)]
pub(super) struct Questions {
    asked: Vec<Question>,
    index: HashMap<String, usize>,
}

impl Questions {
    /// Notes a lookup, which reads the related model, and gives its number.
    ///
    /// A lookup that names an id or a company is not filtered by company. A dotted path leads through other models and
    /// is left for Odoo to judge.
    pub(super) fn add(&mut self, known: &Known<'_>, filter: Filter<'_>, lookup: Lookup<'_>) -> Result<usize, Unasked> {
        let Lookup { model, mut keys, .. } = lookup;
        // Lookups with the same keys are the same question, in whatever order they stand.
        keys.sort_unstable_by_key(|(key, _)| *key);
        // The place among the keys of one whose values can be asked for together.
        let mut comparable = None;
        for (place, (key, value)) in keys.iter().enumerate() {
            known.policy().decide(Touch::Read { model, field: key })?;
            let is_comparable = if *key == "id" { value.is_i64() } else { is_comparable(known, model, key, value)? };
            if is_comparable && comparable.is_none() {
                comparable = Some(place);
            }
        }
        let names_its_record = keys.iter().any(|(key, _)| matches!(*key, "id" | "company_id"));
        let company = if names_its_record { None } else { company_of(known, filter, model, lookup.company)? };
        let (field, value) = keys.remove(comparable.unwrap_or_default());
        let beside: Vec<_> = keys.into_iter().map(|(key, value)| (key.to_owned(), value.clone())).collect();
        let number =
            *self.index.entry(json!([model, field, value, beside, company]).to_string()).or_insert_with(|| {
                self.asked.push(Question {
                    model: model.to_owned(),
                    field: field.to_owned(),
                    value: value.clone(),
                    beside,
                    company,
                    is_comparable: comparable.is_some(),
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
        Ok(number)
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
            let key = (question.model.as_str(), question.field.as_str(), &question.beside, question.company);
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
        let memory = caller.cached_lookups(&query.by);
        let (mut found, mut open) = (Vec::new(), Vec::new());
        for &number in batch {
            match recall(&memory, &self.asked[number].value).await {
                Some(ids) => found.push((number, ids)),
                None => open.push(number),
            }
        }
        if !found.is_empty() {
            caller.note_cached_lookup(&first.model);
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

/// Whether the value can be recognised in what `read` gives of the field.
fn is_comparable(known: &Known<'_>, model: &str, key: &str, value: &Value) -> Result<bool, Unasked> {
    let Some(seen) = known.model(model)? else { return Ok(false) };
    let described = seen.read(key)?;
    if described.is_none() && !key.contains('.') {
        return Err(Unasked::NoField(key.to_owned()));
    }
    Ok(described.is_some_and(|field| match field.kind {
        Kind::Text => field.is_column && value.is_string(),
        Kind::Integer => field.is_column && value.is_i64(),
        _ => false,
    }))
}

/// The company that lookups in the model are kept to, if any.
fn company_of(known: &Known<'_>, filter: Filter<'_>, model: &str, company: Option<i64>) -> Result<Option<i64>, Denied> {
    let Some(seen) = known.model(model)? else { return Ok(None) };
    let is_filtered =
        filter.mode != CompanyFilter::Off && seen.has_company() && !filter.skip.iter().any(|skip| skip == model);
    Ok(company.filter(|_| is_filtered))
}

async fn recall(memory: &Option<CachedLookups<'_>>, value: &Value) -> Option<Vec<i64>> {
    memory.as_ref()?.get(value).await
}

impl Question {
    fn query(&self, filter: Filter<'_>) -> Query {
        let Self { model, field, company, beside, .. } = self;
        let by =
            LookupCriteria { model: model.clone(), field: field.clone(), company: *company, beside: beside.clone() };
        Query { by, mode: filter.mode }
    }

    /// All keys with their values.
    pub(super) fn keys(&self) -> impl Iterator<Item = (&str, &Value)> + Clone {
        let beside = self.beside.iter().map(|(field, value)| (field.as_str(), value));
        std::iter::once((self.field.as_str(), &self.value)).chain(beside)
    }

    /// The names of all keys, for a sentence.
    pub(super) fn fields(&self) -> String {
        self.keys().map(|(field, _)| field).collect::<Vec<_>>().join(", ")
    }

    /// What is looked up, for a sentence: the value, or `name = A, company_id = 2` where there are several.
    pub(super) fn shown(&self) -> String {
        if self.beside.is_empty() {
            return shown(&self.value);
        }
        self.keys().map(|(field, value)| format!("{field} = {}", shown(value))).collect::<Vec<_>>().join(", ")
    }
}
