//! Lookups, batched with those of other calls, and their cache.

use std::{collections::HashMap, mem, time::Instant};

use serde_json::Value;

use super::Caller;
use crate::odoo::{
    batch::{
        batcher::{Batch, Dispatch},
        lookups::{Key, Lookups},
    },
    cache::lookup_cache::{CachedLookups, FoundRecords, LookupCriteria},
    model::error::Error,
};

/// An error of a lookup. The calls of a batch share those that come from Odoo.
pub trait LookupError: From<Error> {
    /// The error of Odoo, if it is one.
    fn odoo_error(&self) -> Option<&Error>;
}

impl Caller {
    /// The cached results of such lookups; none where the configuration does not cache lookups of the model.
    pub fn cached_lookups(&self, criteria: &LookupCriteria) -> Option<CachedLookups<'_>> {
        // A language or company of the call's own finds other records.
        if self.has_context() {
            return None;
        }
        let enforced_domain = self.policy.domain(&criteria.model).map(ToString::to_string);
        self.odoo.lookup_cache.as_ref()?.of(self.access.credential.fingerprint(), criteria, enforced_domain)
    }

    /// Records that this call builds on cached lookups of a model.
    pub fn note_cached_lookup(&self, model: &str) {
        self.cached_lookups_used.lock().push(model.to_owned());
    }

    /// Invalidates the cached lookups of these models: they have been written.
    pub fn forget_lookups_of<'m>(&self, models: impl IntoIterator<Item = &'m str>) {
        if let Some(cache) = &self.odoo.lookup_cache {
            models.into_iter().for_each(|model| cache.invalidate(model));
        }
    }

    /// Invalidates the cached lookups of the models for which this call has used any; false where it has used none. A refusal
    /// by Odoo may be due to an id that no longer exists.
    pub fn forget_lookups(&self) -> bool {
        let models = mem::take(&mut *self.cached_lookups_used.lock());
        self.forget_lookups_of(models.iter().map(String::as_str));
        !models.is_empty()
    }

    /// The records with each of the values. The lookup may share one query with those of other calls. `ask` sends the
    /// query for given values to Odoo; `shown` is the query for these values alone, as it is shown to people.
    ///
    /// # Errors
    /// Those of `ask`, and those of waiting for a batch.
    pub async fn look_up<E: LookupError, F: Future<Output = Result<Vec<FoundRecords>, E>>>(
        &self,
        criteria: LookupCriteria,
        values: &[Value],
        shown: impl FnOnce() -> Value,
        ask: impl Fn(Vec<Value>) -> F,
    ) -> Result<Vec<FoundRecords>, E> {
        let Some(batching) = self.batching() else { return ask(values.to_vec()).await };
        let started = Instant::now();
        let enforced_domain = self.policy.domain(&criteria.model).map(ToString::to_string);
        let key = Key {
            credential: self.access.credential.fingerprint(),
            criteria,
            enforced_domain,
            context: self.context_key(),
        };
        match batching.lookups.join(key, || values.to_vec(), self.until).await? {
            Dispatch::Immediate(_slot) => ask(values.to_vec()).await,
            Dispatch::Lead(batch) if batch.jobs.len() == 1 => ask(values.to_vec()).await,
            Dispatch::Lead(batch) => self.ask_all(batch, values, ask).await,
            Dispatch::Answered((outcome, batch_size)) => {
                batching.count_shared("lookup");
                self.note_shared_read(shown(), batch_size, started, outcome.as_ref().err());
                Ok(outcome?)
            }
            Dispatch::Single | Dispatch::Abandoned => ask(values.to_vec()).await,
        }
    }

    /// Asks for the values of the whole batch, and answers the followers. An error that may be due to one call's values is not
    /// shared: then each call asks for its own values.
    async fn ask_all<E: LookupError, F: Future<Output = Result<Vec<FoundRecords>, E>>>(
        &self,
        batch: Batch<Lookups>,
        own: &[Value],
        ask: impl Fn(Vec<Value>) -> F,
    ) -> Result<Vec<FoundRecords>, E> {
        let mut all: Vec<Value> = Vec::new();
        let mut numbers: HashMap<String, usize> = HashMap::new();
        for value in batch.jobs.iter().flatten() {
            numbers.entry(value.to_string()).or_insert_with(|| {
                all.push(value.clone());
                all.len() - 1
            });
        }
        let batch_size = batch.jobs.len();
        let found = match ask(all).await {
            Ok(found) => found,
            Err(error) if error.odoo_error().is_some_and(|error| self.is_own_deadline(error)) => {
                batch.followers.rejoin();
                return Err(error);
            }
            Err(error) => match error.odoo_error().filter(|error| !error.splits_batch()) {
                Some(shared) => {
                    batch.followers.answer((1..batch_size).map(|_| Some((Err(shared.clone()), batch_size))));
                    return Err(error);
                }
                None => {
                    drop(batch.followers);
                    return ask(own.to_vec()).await;
                }
            },
        };
        let found_for = |values: &Vec<Value>| -> Option<Vec<FoundRecords>> {
            values.iter().map(|value| found.get(*numbers.get(&value.to_string())?).cloned()).collect()
        };
        let mut answers = batch.jobs.iter().map(found_for);
        let leaders = answers.next().flatten();
        batch.followers.answer(answers.map(|found| Some((Ok(found?), batch_size))));
        match leaders {
            Some(found) => Ok(found),
            None => ask(own.to_vec()).await,
        }
    }
}
