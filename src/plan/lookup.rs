//! Lookups: which record does `{"code": "TH"}` mean?
//!
//! All lookups of a payload are collected as questions first, each different one once, and then asked together: one query
//! for all the values of one field of one model, `[field, "in", values]`. A query's rows are matched to the questions by
//! value, which is sound only where `read` gives what `search` compares; every other question is asked by itself.

use std::collections::HashMap;

use futures_util::future;
use serde_json::{Value, json};

use super::{Error, known::Known};
use crate::{
    config::CompanyFilter,
    odoo::{Caller, Kind, Page, Rpc},
    policy::{Denied, Touch},
};

/// More rows than this beside one for each value, and a query's values are asked for one by one instead: somewhere in
/// them is a value that half of the table has.
const SPARE_ROWS: u64 = 200;
/// A value that more records have than this is refused, even where several may be linked.
pub(super) const MOST: usize = 100;

/// So many queries of one call are under way at once.
const SIDE_BY_SIDE: usize = 4;

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

    async fn ask_batch(
        &self,
        caller: &Caller,
        filter: Filter<'_>,
        batch: &[usize],
    ) -> Result<Vec<(usize, Vec<i64>)>, Error> {
        let mut found = Vec::new();
        let mut rest = batch.to_vec();
        if batch.len() > 1 {
            let limit = batch.len() as u64 + SPARE_ROWS;
            let rows = rows(caller.call(&self.query(filter, batch, limit)).await?);
            if (rows.len() as u64) < limit {
                rest.clear();
                let mut by_value: HashMap<String, Vec<&Value>> = HashMap::new();
                for row in &rows {
                    by_value.entry(row[&self.asked[batch[0]].field].to_string()).or_default().push(row);
                }
                let answers: Vec<_> =
                    batch.iter().map(|&n| (n, by_value.remove(&self.asked[n].value.to_string()))).collect();
                // A row that fits no value was matched by Odoo on other grounds than equality: let Odoo say which.
                let has_strangers = !by_value.is_empty();
                for (number, rows) in answers {
                    match rows {
                        None if has_strangers => rest.push(number),
                        rows => found.push((number, self.asked[number].choose(rows.unwrap_or_default().into_iter()))),
                    }
                }
            }
        }
        for some in rest.chunks(SIDE_BY_SIDE) {
            let alone = some.iter().map(|&number| async move {
                let rows = rows(caller.call(&self.question(filter, number)).await?);
                Ok::<_, Error>((number, self.asked[number].choose(rows.iter())))
            });
            found.extend(future::try_join_all(alone).await?);
        }
        Ok(found)
    }

    /// One question as a call of its own.
    pub(super) fn question(&self, filter: Filter<'_>, number: usize) -> Rpc {
        self.query(filter, &[number], MOST as u64 + 1)
    }

    fn query(&self, filter: Filter<'_>, batch: &[usize], limit: u64) -> Rpc {
        let first = &self.asked[batch[0]];
        let values = || batch.iter().map(|&number| &self.asked[number].value).collect::<Vec<_>>();
        let (term, field) = match batch {
            [_] => (json!([first.field, "=", first.value]), "id"),
            _ => (json!([first.field, "in", values()]), first.field.as_str()),
        };
        let mut domain = vec![term];
        let mut fields = vec![field];
        let mut page = Page::first(limit);
        if let Some(company) = first.company {
            domain.push(match filter.mode {
                CompanyFilter::Exact => json!(["company_id", "=", company]),
                _ => json!(["company_id", "in", [company, false]]),
            });
            fields.push("company_id");
            // The company's own come first, records of no company last, so that a limit does not cut off the wrong ones.
            page.order = Some("company_id, id".to_owned());
        }
        Rpc::search_read(&first.model, Value::Array(domain), json!(fields), page)
    }
}

impl Question {
    /// The ids of the rows, of the company's own alone where it has any.
    fn choose<'r>(&self, rows: impl Iterator<Item = &'r Value>) -> Vec<i64> {
        let is_own = |row: &Value| self.company.is_some() && row["company_id"][0].as_i64() == self.company;
        let (own, shared): (Vec<&Value>, Vec<&Value>) = rows.partition(|row| is_own(row));
        let chosen = if own.is_empty() { shared } else { own };
        chosen.into_iter().filter_map(|row| row["id"].as_i64()).collect()
    }
}

fn rows(result: Value) -> Vec<Value> {
    match result {
        Value::Array(rows) => rows,
        _ => Vec::new(),
    }
}
