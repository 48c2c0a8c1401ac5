//! The cache of lookup results, for the models that `[lookup_cache]` names. By default no lookups are cached, since a link to
//! the wrong record is worse than a slow call.
//!
//! What must stay true: a result is only used with the credential that it was read with; an empty result is never cached; a
//! write to a model through the gateway invalidates all results of that model, including those of lookups under way.

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

use crate::odoo::credential::Fingerprint;

/// The maximum number of cached values. The least used are evicted.
const MAX_VALUES: u64 = 100_000;

/// What a lookup compares: the field of a model, the company, and further fields.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LookupCriteria {
    pub model: String,
    pub field: String,
    pub company: Option<i64>,
    /// Further fields with the values that the records must have.
    pub beside: Vec<(String, Value)>,
    pub comparison: Comparison,
    pub archived: Archived,
}

/// How the values of a lookup are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Comparison {
    Equal,
    /// Texts, in whatever case.
    IgnoringCase,
    /// The values are external ids.
    ExternalId,
    /// The values are names, as Odoo's `name_search` finds them: what counts as a name is the model's own.
    Name,
}

/// Whether a lookup finds archived records. Where it does, the name of the field that says which are archived.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Archived {
    /// It finds what Odoo finds by default.
    Hidden,
    /// They are found as all others.
    Counted(String),
    /// They are told apart from those that are found.
    Told(String),
}

/// The records that a lookup found for one value.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct FoundRecords {
    pub ids: Vec<i64>,
    /// Archived records that match; see [`Archived::Told`].
    pub archived: Vec<i64>,
}

#[derive(Debug)]
pub(in crate::odoo) struct LookupCache {
    models: BTreeMap<String, Model>,
    found: Cache<Key, Found>,
}

#[derive(Debug)]
struct Model {
    keep: Duration,
    /// Counts the writes. It is part of the key, so that a write makes all earlier entries unreachable.
    writes: AtomicU64,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    scope: Arc<Scope>,
    value: String,
}

/// For which credential, by which criteria, and after which write.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Scope {
    credential: Fingerprint,
    criteria: LookupCriteria,
    /// The domain that the policy enforces for the model.
    enforced_domain: Option<String>,
    writes: u64,
}

#[derive(Debug, Clone)]
struct Found {
    ids: Arc<[i64]>,
    keep: Duration,
}

/// Each entry expires after the time that is configured for its model.
struct PerModel;

impl Expiry<Key, Found> for PerModel {
    fn expire_after_create(&self, _: &Key, found: &Found, _: Instant) -> Option<Duration> {
        Some(found.keep)
    }
}

/// The cached results of lookups by the same criteria, as of the last write.
#[derive(Debug)]
pub struct CachedLookups<'r> {
    found: &'r Cache<Key, Found>,
    scope: Arc<Scope>,
    keep: Duration,
}

impl LookupCache {
    /// None where no model is configured.
    pub(in crate::odoo) fn build(keep: &BTreeMap<String, Duration>) -> Option<Self> {
        let model =
            |(name, keep): (&String, &Duration)| (name.clone(), Model { keep: *keep, writes: AtomicU64::new(0) });
        let found = Cache::builder().max_capacity(MAX_VALUES).expire_after(PerModel).build();
        (!keep.is_empty()).then(|| Self { models: keep.iter().map(model).collect(), found })
    }

    /// The results for these criteria; none where lookups of the model are not cached. It must be taken before the lookup is
    /// sent, so that a write in between keeps the result out of the cache.
    pub(in crate::odoo) fn of(
        &self,
        credential: Fingerprint,
        criteria: &LookupCriteria,
        enforced_domain: Option<String>,
    ) -> Option<CachedLookups<'_>> {
        let model = self.models.get(&criteria.model)?;
        let writes = model.writes.load(Relaxed);
        let scope = Arc::new(Scope { credential, criteria: criteria.clone(), enforced_domain, writes });
        Some(CachedLookups { found: &self.found, scope, keep: model.keep })
    }

    /// The model has been written, or a cached result is wrong.
    pub(in crate::odoo) fn invalidate(&self, model: &str) {
        if let Some(model) = self.models.get(model) {
            model.writes.fetch_add(1, Relaxed);
        }
    }

    pub(in crate::odoo) fn invalidate_all(&self) {
        self.found.invalidate_all();
    }
}

impl CachedLookups<'_> {
    /// The cached ids of the records with this value.
    pub async fn get(&self, value: &Value) -> Option<FoundRecords> {
        let key = Key { scope: self.scope.clone(), value: value.to_string() };
        Some(FoundRecords { ids: self.found.get(&key).await?.ids.to_vec(), archived: Vec::new() })
    }

    /// Caches the result for a value, unless it is empty.
    pub async fn keep(&self, value: &Value, ids: &[i64]) {
        if !ids.is_empty() {
            let key = Key { scope: self.scope.clone(), value: value.to_string() };
            self.found.insert(key, Found { ids: ids.into(), keep: self.keep }).await;
        }
    }
}
