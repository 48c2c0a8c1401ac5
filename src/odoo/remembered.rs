//! What lookups have found, of the models that `[lookup_cache]` names. Off where it names none: a link to the wrong record is
//! worse than a slow call.
//!
//! What must stay true: what was found in one name is given in that name alone; that nothing was found is never remembered;
//! a write through the gateway to a model forgets all that was found there, also what is being asked while it is written.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use moka::{Expiry, future::Cache};
use serde_json::Value;

use super::{caller::By, credential::Fingerprint};

/// So many values are remembered; the least used are dropped.
const MOST: u64 = 100_000;

#[derive(Debug)]
pub(super) struct Remembered {
    models: BTreeMap<String, Model>,
    found: Cache<Key, Found>,
}

#[derive(Debug)]
struct Model {
    keep: Duration,
    /// Counts what the model was written, so that what was found before is found no more.
    writes: AtomicU64,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    asked: Arc<Asked>,
    value: String,
}

/// In whose name, where, and since which write.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Asked {
    who: Fingerprint,
    by: By,
    /// The domain that the model has for the caller.
    within: Option<String>,
    writes: u64,
}

#[derive(Debug, Clone)]
struct Found {
    ids: Arc<[i64]>,
    keep: Duration,
}

/// How long each is kept is its model's own matter.
struct Kept;

impl Expiry<Key, Found> for Kept {
    fn expire_after_create(&self, _: &Key, found: &Found, _: Instant) -> Option<Duration> {
        Some(found.keep)
    }
}

/// What is remembered of one kind of lookup, as it stands now.
#[derive(Debug)]
pub struct Memory<'r> {
    found: &'r Cache<Key, Found>,
    asked: Arc<Asked>,
    keep: Duration,
}

impl Remembered {
    /// None where nothing is to be remembered.
    pub(super) fn build(keep: &BTreeMap<String, Duration>) -> Option<Self> {
        let model =
            |(name, keep): (&String, &Duration)| (name.clone(), Model { keep: *keep, writes: AtomicU64::new(0) });
        let found = Cache::builder().max_capacity(MOST).expire_after(Kept).build();
        (!keep.is_empty()).then(|| Self { models: keep.iter().map(model).collect(), found })
    }

    /// Before something is looked up: what was found is to be kept here.
    pub(super) fn of(&self, who: Fingerprint, by: &By, within: Option<String>) -> Option<Memory<'_>> {
        let model = self.models.get(&by.model)?;
        let asked = Arc::new(Asked { who, by: by.clone(), within, writes: model.writes.load(Relaxed) });
        Some(Memory { found: &self.found, asked, keep: model.keep })
    }

    /// The model was written, or what was found there is wrong.
    pub(super) fn forget(&self, model: &str) {
        if let Some(model) = self.models.get(model) {
            model.writes.fetch_add(1, Relaxed);
        }
    }

    pub(super) fn forget_all(&self) {
        self.found.invalidate_all();
    }
}

impl Memory<'_> {
    /// The ids of the records that have this value.
    pub async fn get(&self, value: &Value) -> Option<Vec<i64>> {
        let key = Key { asked: self.asked.clone(), value: value.to_string() };
        Some(self.found.get(&key).await?.ids.to_vec())
    }

    pub async fn keep(&self, value: &Value, ids: &[i64]) {
        if !ids.is_empty() {
            let key = Key { asked: self.asked.clone(), value: value.to_string() };
            self.found.insert(key, Found { ids: ids.into(), keep: self.keep }).await;
        }
    }
}
