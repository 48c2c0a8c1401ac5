//! What callers who come at the same time do together: `lanes` says who goes with whom, `caller` what is done.

use std::sync::Arc;

use dashmap::DashSet;

use super::{
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
    metrics: Arc<Metrics>,
}

impl Together {
    pub(super) fn build(config: &config::Upstream, metrics: Arc<Metrics>) -> Self {
        Self {
            creates: Lanes::build(config),
            lookups: Lanes::build(config),
            reads: Lanes::build(config),
            kept_apart: DashSet::new(),
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
