//! What is counted of queued calls. A client's name is the operator's own word; those with the most calls have series of their own,
//! the others are counted together.

use std::{sync::atomic::AtomicU64, time::Duration};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::{Family, MetricConstructor},
        gauge::Gauge,
        histogram::Histogram,
    },
    registry::{Registry, Unit},
};

use super::names::{MOST, OTHER};

/// From a claim that finds nothing to one that waits for other writers, in seconds.
const TIMES: [f64; 10] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 1.0, 10.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallsLabels {
    client: String,
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ClientLabel {
    client: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndLabel {
    end: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WhyLabel {
    why: &'static str,
}

#[derive(Debug, Clone, Copy)]
struct Times;

impl MetricConstructor<Histogram> for Times {
    fn new_metric(&self) -> Histogram {
        Histogram::new(TIMES)
    }
}

/// The metrics of queued calls.
#[derive(Debug)]
pub struct Queue {
    calls: Family<CallsLabels, Gauge>,
    blocked: Family<ClientLabel, Gauge>,
    paused: Family<ClientLabel, Gauge>,
    oldest: Family<ClientLabel, Gauge<f64, AtomicU64>>,
    up: Gauge,
    attempts: Family<EndLabel, Counter>,
    stops: Family<WhyLabel, Counter>,
    callbacks: Family<EndLabel, Counter>,
    claims: Histogram,
}

/// The queue of one client, as it was found.
#[derive(Debug, Clone, Default)]
pub struct Found {
    pub client: String,
    pub queued: u64,
    pub dead: u64,
    pub in_doubt: u64,
    pub blocked_keys: u64,
    pub oldest: Duration,
    pub is_paused: bool,
}

impl Queue {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let queue = Self {
            calls: Family::default(),
            blocked: Family::default(),
            paused: Family::default(),
            oldest: Family::default(),
            up: Gauge::default(),
            attempts: Family::default(),
            stops: Family::default(),
            callbacks: Family::default(),
            claims: Times.new_metric(),
        };
        let Self { calls, blocked, paused, oldest, up, attempts, stops, callbacks, claims } = &queue;
        registry.register("queue_calls", "Calls in the store that wait, by client and state", calls.clone());
        let help = "Ordering keys whose calls wait for one that is tried again";
        registry.register("queue_blocked_keys", help, blocked.clone());
        registry.register("queue_paused", "Whether the queue of a client is paused", paused.clone());
        let help = "How long ago the oldest queued call of a client was accepted";
        registry.register_with_unit("queue_oldest_age", help, Unit::Seconds, oldest.clone());
        registry.register("store_up", "Whether the store answers", up.clone());
        registry.register("queue_attempts", "Attempts of queued calls, by what became of the call", attempts.clone());
        registry.register("queue_stops", "Queues that were paused by themselves, by the reason", stops.clone());
        registry.register("callbacks", "Attempts to tell a client the end of a call", callbacks.clone());
        let help = "How long it took to claim a call, or to find none";
        registry.register_with_unit("queue_claim_duration", help, Unit::Seconds, claims.clone());
        queue
    }

    /// An attempt of a call has ended.
    pub fn attempt(&self, end: &'static str) {
        self.attempts.get_or_create(&EndLabel { end }).inc();
    }

    /// A queue was paused by itself.
    pub fn stop(&self, why: &'static str) {
        self.stops.get_or_create(&WhyLabel { why }).inc();
    }

    /// A client was told, or was not.
    pub fn callback(&self, end: &'static str) {
        self.callbacks.get_or_create(&EndLabel { end }).inc();
    }

    pub fn claim(&self, took: Duration) {
        self.claims.observe(took.as_secs_f64());
    }

    /// Whether the store has answered.
    pub fn store(&self, is_up: bool) {
        self.up.set(i64::from(is_up));
    }

    /// All queues, as they were found a moment ago.
    pub fn found(&self, mut found: Vec<Found>) {
        found.sort_by_key(|found| std::cmp::Reverse(found.queued.saturating_add(found.dead)));
        let others = found.split_off(found.len().min(MOST));
        let merged = others.into_iter().reduce(|all, found| Found {
            client: OTHER.to_owned(),
            queued: all.queued.saturating_add(found.queued),
            dead: all.dead.saturating_add(found.dead),
            in_doubt: all.in_doubt.saturating_add(found.in_doubt),
            blocked_keys: all.blocked_keys.saturating_add(found.blocked_keys),
            oldest: all.oldest.max(found.oldest),
            is_paused: all.is_paused || found.is_paused,
        });
        found.extend(merged.map(|merged| Found { client: OTHER.to_owned(), ..merged }));
        self.calls.clear();
        self.blocked.clear();
        self.paused.clear();
        self.oldest.clear();
        let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        for Found { client, queued, dead, in_doubt, blocked_keys, oldest, is_paused } in found {
            for (state, calls) in [("queued", queued), ("dead", dead), ("in_doubt", in_doubt)] {
                self.calls.get_or_create(&CallsLabels { client: client.clone(), state }).set(number(calls));
            }
            let label = ClientLabel { client };
            self.blocked.get_or_create(&label).set(number(blocked_keys));
            self.paused.get_or_create(&label).set(i64::from(is_paused));
            self.oldest.get_or_create(&label).set(oldest.as_secs_f64());
        }
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text;

    use super::*;

    #[test]
    fn the_clients_with_the_most_calls_have_series_of_their_own() {
        let mut registry = Registry::default();
        let queue = Queue::register(&mut registry);
        let found = |number: u64| Found { client: format!("c{number}"), queued: number, ..Found::default() };
        queue.found((0..500).map(found).collect());
        queue.found((0..103).map(found).collect());
        let mut text = String::new();
        text::encode(&mut text, &registry).unwrap();
        let depths = text.lines().filter(|line| line.starts_with("queue_calls{") && line.contains("\"queued\""));
        let depths: Vec<&str> = depths.collect();
        assert_eq!(depths.len(), MOST + 1);
        assert!(depths.contains(&"queue_calls{client=\"c102\",state=\"queued\"} 102"), "{depths:?}");
        assert!(depths.contains(&"queue_calls{client=\"other\",state=\"queued\"} 3"), "{depths:?}");
    }
}
