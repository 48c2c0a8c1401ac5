//! Lookups of several calls at the same time, by the same field of the same model, are one query.

use std::{collections::HashMap, mem, time::Instant};

use serde_json::Value;

use super::Caller;
use crate::odoo::{
    credential::Fingerprint,
    error::Error,
    lanes::{Batch, Turn, Work},
    lock,
    remembered::Memory,
};

/// Lookups by the values of one field, in the same name.
pub(in crate::odoo) enum Lookups {}

impl Work for Lookups {
    type Key = Key;
    /// The values, each different one once.
    type Job = Vec<Value>;
    /// The ids of the records that have each value, and how many calls were answered together.
    type Answer = (Vec<Vec<i64>>, usize);

    fn size(values: &Vec<Value>) -> usize {
        values.len()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::odoo) struct Key {
    who: Fingerprint,
    lookup: By,
    /// The domain that the model has for the caller.
    within: Option<String>,
}

/// By which field of which model, in which company, and what else must match.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct By {
    pub model: String,
    pub field: String,
    pub company: Option<i64>,
    /// Further fields, each with the value that the records must have in it.
    pub beside: Vec<(String, Value)>,
}

impl Caller {
    /// What is remembered of such lookups, where anything is.
    pub fn memory(&self, by: &By) -> Option<Memory<'_>> {
        let remembered = self.odoo.remembered.as_ref()?;
        let within = self.policy.domain(&by.model).map(ToString::to_string);
        remembered.of(self.access.credential.fingerprint(), by, within)
    }

    /// Notes that this call builds on what was remembered of a model.
    pub fn has_recalled(&self, model: &str) {
        lock(&self.recalled).push(model.to_owned());
    }

    /// Forgets what lookups found in these models: they have been written.
    pub fn forget_lookups_of<'m>(&self, models: impl IntoIterator<Item = &'m str>) {
        if let Some(remembered) = &self.odoo.remembered {
            models.into_iter().for_each(|model| remembered.forget(model));
        }
    }

    /// Forgets what lookups found in the models of which this call had any from memory; false where it had none. What Odoo
    /// refuses may be an id that is no longer there.
    pub fn forget_lookups(&self) -> bool {
        let models = mem::take(&mut *lock(&self.recalled));
        self.forget_lookups_of(models.iter().map(String::as_str));
        !models.is_empty()
    }

    /// Looks the values up, with those of others where they come at the same time. `ask` asks Odoo for some values: the ids of
    /// the records that have each. `shown` is the query for these values alone, for people.
    pub async fn look_up<E: From<Error>, F: Future<Output = Result<Vec<Vec<i64>>, E>>>(
        &self,
        by: By,
        values: &[Value],
        shown: impl FnOnce() -> Value,
        ask: impl Fn(Vec<Value>) -> F,
    ) -> Result<Vec<Vec<i64>>, E> {
        let Some(together) = self.together() else { return ask(values.to_vec()).await };
        let started = Instant::now();
        let within = self.policy.domain(&by.model).map(ToString::to_string);
        let key = Key { who: self.access.credential.fingerprint(), lookup: by, within };
        match together.lookups.turn(key, || values.to_vec(), self.until).await? {
            Turn::First(_place) => ask(values.to_vec()).await,
            Turn::Lead(batch) if batch.jobs.len() == 1 => ask(values.to_vec()).await,
            Turn::Lead(batch) => ask_all(batch, ask).await,
            Turn::Answer((found, of)) => {
                together.count("lookup");
                self.note_read(shown(), of, started);
                Ok(found)
            }
            Turn::Alone | Turn::Left => ask(values.to_vec()).await,
        }
    }
}

/// Asks for the values of all who go together; for one's own alone where that fails, as the others do then.
async fn ask_all<E, F: Future<Output = Result<Vec<Vec<i64>>, E>>>(
    batch: Batch<Lookups>,
    ask: impl Fn(Vec<Value>) -> F,
) -> Result<Vec<Vec<i64>>, E> {
    let mut all: Vec<Value> = Vec::new();
    let mut numbers: HashMap<String, usize> = HashMap::new();
    for value in batch.jobs.iter().flatten() {
        numbers.entry(value.to_string()).or_insert_with(|| {
            all.push(value.clone());
            all.len() - 1
        });
    }
    let Ok(found) = ask(all).await else {
        let own = batch.jobs.into_iter().next().unwrap_or_default();
        drop(batch.followers);
        return ask(own).await;
    };
    let of = batch.jobs.len();
    let found_for = |value: &Value| numbers.get(&value.to_string()).and_then(|&n| found.get(n)).cloned();
    let mut answers =
        batch.jobs.iter().map(|values| values.iter().map(|value| found_for(value).unwrap_or_default()).collect());
    let own = answers.next().unwrap_or_default();
    batch.followers.tell(answers.map(|answer| Some((answer, of))));
    Ok(own)
}
