//! Request coalescing: calls of the same user that arrive at the same time share RPCs to Odoo.
//!
//! This folder decides which calls share an RPC and when it is sent ([`batcher`]), and which new record belongs to which call
//! ([`record_matching`]); the folder `caller` makes the RPCs. There are three kinds: new records of a model ([`creates`]),
//! lookups by a field ([`lookups`]), equal reads ([`reads`]). It imports `model`, `auth::credential`, `cache` and the concurrency limit.
//!
//! What must stay true: a call gets the same answer as if it had been sent alone. A read that Odoo is working on answers no
//! call that arrived later.

pub(in crate::odoo) mod batcher;
pub(in crate::odoo) mod creates;
pub(in crate::odoo) mod learned;
pub(in crate::odoo) mod lookups;
pub(in crate::odoo) mod reads;
pub(in crate::odoo) mod record_matching;

use std::sync::Arc;

use self::{batcher::Batcher, creates::Creates, learned::Learned, lookups::Lookups, reads::Reads};
use super::transport::concurrency_limit::UpstreamLimit;
use crate::{config, metrics::Metrics};

/// The batchers of one Odoo, and what has been learnt about its models and users.
#[derive(Debug)]
pub(in crate::odoo) struct Batching {
    pub(in crate::odoo) creates: Arc<Batcher<Creates>>,
    pub(in crate::odoo) lookups: Arc<Batcher<Lookups>>,
    pub(in crate::odoo) reads: Arc<Batcher<Reads>>,
    pub(in crate::odoo) learned: Learned,
    metrics: Arc<Metrics>,
}

impl Batching {
    pub(in crate::odoo) fn build(config: &config::Upstream, limit: &Arc<UpstreamLimit>, metrics: Arc<Metrics>) -> Self {
        Self {
            creates: Batcher::build(config, limit),
            lookups: Batcher::build(config, limit),
            reads: Batcher::build(config, limit),
            learned: Learned::new(),
            metrics,
        }
    }

    /// The number of calls that wait for a batch.
    pub(in crate::odoo) fn waiting(&self) -> usize {
        self.creates.waiting() + self.lookups.waiting() + self.reads.waiting()
    }

    /// Forgets what was learnt about models and users: Odoo has been replaced.
    pub(in crate::odoo) fn forget_all(&self) {
        self.learned.forget_all();
    }

    /// Counts a call that was answered by the RPC of another one.
    pub(in crate::odoo) fn count_shared(&self, what: &'static str) {
        self.metrics.shared(what);
    }
}
