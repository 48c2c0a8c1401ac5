//! What is counted of deliveries to hooks. The names of hooks and clients are the operator's own words, and bounded in number.

use std::sync::Arc;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

use super::names::Names;

/// What became of a delivery. One that is accepted is counted once more at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivered {
    /// Its sender has not proven who it is, or may not call now.
    Refused,
    /// It is stored, and made later.
    Accepted,
    /// It was there before.
    Repeated,
    Done,
    Ignored,
    /// It was refused within the request.
    Failed,
    /// It was accepted, and refused for good.
    Dead,
    InDoubt,
}

impl Delivered {
    fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Accepted => "accepted",
            Self::Repeated => "repeated",
            Self::Done => "done",
            Self::Ignored => "ignored",
            Self::Failed => "failed",
            Self::Dead => "dead",
            Self::InDoubt => "in_doubt",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    hook: String,
    client: String,
    outcome: &'static str,
}

/// The deliveries to each hook.
#[derive(Debug)]
pub struct Deliveries {
    counted: Family<Labels, Counter>,
    hooks: Arc<Names>,
    clients: Arc<Names>,
}

impl Deliveries {
    pub(super) fn register(registry: &mut Registry, hooks: Arc<Names>, clients: Arc<Names>) -> Self {
        let counted = Family::default();
        registry.register("deliveries", "Deliveries to hooks, by what became of them", Clone::clone(&counted));
        Self { counted, hooks, clients }
    }

    /// Counts a delivery to a hook of the configuration.
    pub fn count(&self, hook: &str, client: &str, outcome: Delivered) {
        let (hook, client) = (self.hooks.label(hook), self.clients.label(client));
        let labels = Labels { hook, client, outcome: outcome.as_str() };
        self.counted.get_or_create(&labels).inc();
    }
}
