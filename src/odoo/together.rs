//! What callers who come at the same time do together: `lanes` says who goes with whom, `caller` what is done.

use std::sync::Arc;

use dashmap::{DashMap, DashSet};
use moka::future::Cache;

use super::{
    FRESH,
    caller::{Creates, Lookups, Reads},
    credential::Fingerprint,
    lanes::Lanes,
};
use crate::{config, metrics::Metrics};

#[derive(Debug)]
pub(super) struct Together {
    pub(super) creates: Arc<Lanes<Creates>>,
    pub(super) lookups: Arc<Lanes<Lookups>>,
    pub(super) reads: Arc<Lanes<Reads>>,
    /// Models whose records cannot be made together, since it cannot be told afterwards whose they are.
    pub(super) kept_apart: DashSet<(Fingerprint, String)>,
    /// Whether a user has lately read a record that it made in this model, so that its records can be told apart.
    pub(super) reads_own: Cache<(Fingerprint, String), bool>,
    /// Whether a model has given the ids of records that were told apart in the order of the records, each time.
    pub(super) keeps_order: DashMap<String, bool>,
    metrics: Arc<Metrics>,
}

/// Of so many users and models it is remembered whether they are read.
const READERS: u64 = 10_000;

impl Together {
    pub(super) fn build(config: &config::Upstream, metrics: Arc<Metrics>) -> Self {
        Self {
            creates: Lanes::build(config),
            lookups: Lanes::build(config),
            reads: Lanes::build(config),
            kept_apart: DashSet::new(),
            keeps_order: DashMap::new(),
            reads_own: Cache::builder().max_capacity(READERS).time_to_live(FRESH).build(),
            metrics,
        }
    }

    /// How many calls wait for others to end.
    pub(super) fn waiting(&self) -> usize {
        self.creates.waiting() + self.lookups.waiting() + self.reads.waiting()
    }

    /// Counts one that was answered by another's call to Odoo.
    pub(super) fn count(&self, what: &'static str) {
        self.metrics.shared(what);
    }
}
