//! Request coalescing: calls of the same user that arrive at the same time share RPCs to Odoo.
//!
//! This folder decides which calls share an RPC and when it is sent ([`batcher`]), and which new record belongs to which call
//! ([`record_matching`]); the folder `caller` makes the RPCs. There are three kinds: new records of a model ([`creates`]),
//! lookups by a field ([`lookups`]), equal reads ([`reads`]). It imports `model`, `auth::credential` and `cache`.
//!
//! What must stay true: a call gets the same answer as if it had been sent alone. A read that Odoo is working on answers no
//! call that arrived later.

pub(in crate::odoo) mod batcher;
pub(in crate::odoo) mod creates;
pub(in crate::odoo) mod lookups;
pub(in crate::odoo) mod reads;
pub(in crate::odoo) mod record_matching;

use std::{sync::Arc, time::Duration};

use dashmap::{DashMap, DashSet};
use moka::future::Cache;

use self::{batcher::Batcher, creates::Creates, lookups::Lookups, reads::Reads};
use crate::{config, metrics::Metrics, odoo::auth::credential::Fingerprint};

/// The batchers of one Odoo, and what has been learnt about its models and users.
#[derive(Debug)]
pub(in crate::odoo) struct Batching {
    pub(in crate::odoo) creates: Arc<Batcher<Creates>>,
    pub(in crate::odoo) lookups: Arc<Batcher<Lookups>>,
    pub(in crate::odoo) reads: Arc<Batcher<Reads>>,
    /// Models whose records are created one by one, since the new records of a batch could not be assigned to their calls.
    pub(in crate::odoo) unbatched: DashSet<(Fingerprint, String)>,
    /// Whether a user has lately read a record that it created in this model, so that its records can be told apart.
    pub(in crate::odoo) can_read_own: Cache<(Fingerprint, String), bool>,
    /// Whether a model has always returned the ids of new records in the order of the records.
    pub(in crate::odoo) returns_in_order: DashMap<String, bool>,
    metrics: Arc<Metrics>,
}

/// How long it is remembered whether a user can read its own records of a model, and of how many users and models.
const READERS_FRESH: Duration = Duration::from_secs(60);
const MAX_READERS: u64 = 10_000;

impl Batching {
    pub(in crate::odoo) fn build(config: &config::Upstream, metrics: Arc<Metrics>) -> Self {
        Self {
            creates: Batcher::build(config),
            lookups: Batcher::build(config),
            reads: Batcher::build(config),
            unbatched: DashSet::new(),
            returns_in_order: DashMap::new(),
            can_read_own: Cache::builder().max_capacity(MAX_READERS).time_to_live(READERS_FRESH).build(),
            metrics,
        }
    }

    /// The number of calls that wait for a batch.
    pub(in crate::odoo) fn waiting(&self) -> usize {
        self.creates.waiting() + self.lookups.waiting() + self.reads.waiting()
    }

    /// Counts a call that was answered by the RPC of another one.
    pub(in crate::odoo) fn count_shared(&self, what: &'static str) {
        self.metrics.shared(what);
    }
}
