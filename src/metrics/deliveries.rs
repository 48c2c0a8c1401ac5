//! What is counted of deliveries to hooks. The names of hooks and clients are the operator's own words.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

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
pub struct Deliveries(Family<Labels, Counter>);

impl Deliveries {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let deliveries = Family::default();
        registry.register("deliveries", "Deliveries to hooks, by what became of them", Clone::clone(&deliveries));
        Self(deliveries)
    }

    /// Counts a delivery to a hook of the configuration.
    pub fn count(&self, hook: &str, client: &str, outcome: Delivered) {
        let labels = Labels { hook: hook.to_owned(), client: client.to_owned(), outcome: outcome.as_str() };
        self.0.get_or_create(&labels).inc();
    }
}
