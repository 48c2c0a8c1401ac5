//! What the gateway counts, in the forms that Prometheus reads.
//!
//! Every label has a small set of values, all of them the gateway's own words, routes, states, error codes, or the names of
//! clients and hooks, which are the operator's and of which a bounded number has series ([`names`]). What a caller sends is never
//! one. Gauges are read when somebody asks. Names follow Prometheus's conventions: seconds and bytes, `_total`, `_timestamp_seconds`;
//! `promtool check metrics` finds nothing to say.

mod deliveries;
mod form;
mod names;
mod process;
mod queue;
mod reading;
#[cfg(test)]
mod tests;

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicU64},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{
        counter::Counter,
        family::{Family, MetricConstructor},
        gauge::Gauge,
        histogram::Histogram,
        info::Info,
    },
    registry::{Registry, Unit},
};
use tokio::time::Instant;

pub use self::{
    deliveries::{Delivered, Deliveries},
    form::Form,
    queue::{Found, Queue},
    reading::{LogFigures, Reading, Watched},
};
use self::{names::Names, reading::Gauges};

type Seconds = Gauge<f64, AtomicU64>;

/// From a call that a cache answers to one that waits for a slow Odoo, in seconds.
const TIMES: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 120.0];
/// Connections that are turned away are told of once in this time.
const TOLD_EVERY: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    route: &'static str,
    state: &'static str,
    /// The error code; empty where there is none.
    code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ClientLabels {
    client: String,
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabel {
    route: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CodeLabel {
    code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LimitLabel {
    limit: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WhatLabel {
    what: &'static str,
}

#[derive(Debug, Clone, Copy)]
struct Times;

impl MetricConstructor<Histogram> for Times {
    fn new_metric(&self) -> Histogram {
        Histogram::new(TIMES)
    }
}

/// The label of callers that are no client of the configuration.
const NO_CLIENT: &str = "none";
/// The state of a call that ended well.
const DONE: &str = "done";
/// The outcome of an exchange with Odoo that Odoo answered.
const ANSWERED: &str = "answered";

/// A call that has ended.
#[derive(Debug, Clone, Copy)]
pub struct EndedCall<'c> {
    pub route: &'static str,
    pub state: &'static str,
    pub code: Option<&'static str>,
    /// The `[[client]]` that made it.
    pub client: Option<&'c str>,
    pub took: Duration,
}

/// What is counted as it happens.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    calls: Family<CallLabels, Counter>,
    call_times: Family<RouteLabel, Histogram, Times>,
    client_calls: Family<ClientLabels, Counter>,
    /// When a call of a route has last ended well.
    successes: Family<RouteLabel, Seconds>,
    passed: Family<CodeLabel, Counter>,
    passed_times: Histogram,
    odoo: Family<OutcomeLabel, Counter>,
    odoo_times: Histogram,
    /// When Odoo has last answered.
    answers: Family<OutcomeLabel, Seconds>,
    shared: Family<WhatLabel, Counter>,
    limited: Family<LimitLabel, Counter>,
    reloads: Family<OutcomeLabel, Counter>,
    last_reload: Gauge,
    reloaded: Seconds,
    gauges: Gauges,
    clients: Arc<Names>,
    hooks: Arc<Names>,
    /// Of queued calls.
    pub queue: Queue,
    pub deliveries: Deliveries,
    turned: Mutex<Option<Instant>>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::default();
        process::register(&mut registry);
        let own = registry.sub_registry_with_prefix("odoo_gateway");
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        own.register("build", "The program", build);
        let (clients, hooks) = (Arc::<Names>::default(), Arc::<Names>::default());
        let queue = Queue::register(own);
        let deliveries = Deliveries::register(own, hooks.clone(), clients.clone());
        let mut metrics = Self {
            registry: Registry::default(),
            calls: Family::default(),
            call_times: Family::new_with_constructor(Times),
            client_calls: Family::default(),
            successes: Family::default(),
            passed: Family::default(),
            passed_times: Times.new_metric(),
            odoo: Family::default(),
            odoo_times: Times.new_metric(),
            answers: Family::default(),
            shared: Family::default(),
            limited: Family::default(),
            reloads: Family::default(),
            last_reload: Gauge::default(),
            reloaded: Seconds::default(),
            gauges: Gauges::default(),
            clients,
            hooks,
            queue,
            deliveries,
            turned: Mutex::default(),
        };
        metrics.register(own);
        metrics.last_reload.set(1);
        metrics.reloaded.set(now());
        metrics.registry = registry;
        metrics
    }
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |now| now.as_secs_f64())
}

impl Metrics {
    fn register(&self, registry: &mut Registry) {
        registry.register("calls", "Calls of the routes that have ended", self.calls.clone());
        registry.register_with_unit("call_duration", "How long calls took", Unit::Seconds, self.call_times.clone());
        registry.register("client_calls", "Calls that have ended, by client", self.client_calls.clone());
        let help = "When a call of the route has last ended well";
        registry.register_with_unit("last_success_timestamp", help, Unit::Seconds, self.successes.clone());
        registry.register("requests", "Other requests, by status class or error code", self.passed.clone());
        registry.register_with_unit("request_duration", "How long they took", Unit::Seconds, self.passed_times.clone());
        registry.register("odoo_calls", "HTTP exchanges with Odoo for calls, by outcome", self.odoo.clone());
        registry.register_with_unit("odoo_call_duration", "How long they took", Unit::Seconds, self.odoo_times.clone());
        let help = "When an exchange with Odoo has last ended so";
        registry.register_with_unit("odoo_last_call_timestamp", help, Unit::Seconds, self.answers.clone());
        registry.register("shared", "What was done by the exchange of another call", self.shared.clone());
        registry.register("limited", "Connections and requests beyond a limit", self.limited.clone());
        registry.register("reloads", "Configurations that were read again", self.reloads.clone());
        let help = "Whether the configuration that was read last is in use";
        registry.register("config_last_reload_successful", help, self.last_reload.clone());
        let help = "When the configuration in use was read";
        let name = "config_last_reload_success_timestamp";
        registry.register_with_unit(name, help, Unit::Seconds, self.reloaded.clone());
        registry.register_collector(Box::new(self.gauges.clone()));
    }

    /// Gives the clients and hooks of a configuration series of their own, as far as their number is bounded.
    pub fn admit<'n>(&self, clients: impl IntoIterator<Item = &'n str>, hooks: impl IntoIterator<Item = &'n str>) {
        self.clients.admit(clients);
        self.hooks.admit(hooks);
    }

    pub fn call(&self, ended: EndedCall<'_>) {
        let EndedCall { route, state, code, client, took } = ended;
        self.calls.get_or_create(&CallLabels { route, state, code: code.unwrap_or_default() }).inc();
        self.call_times.get_or_create(&RouteLabel { route }).observe(took.as_secs_f64());
        let client = client.map_or_else(|| NO_CLIENT.to_owned(), |client| self.clients.label(client));
        self.client_calls.get_or_create(&ClientLabels { client, state }).inc();
        if state == DONE {
            self.successes.get_or_create(&RouteLabel { route }).set(now());
        }
    }

    /// A request that is no call: passed on, or refused.
    pub fn passed(&self, status: u16, code: Option<&'static str>, took: Duration) {
        let class = match status {
            100..=199 => "1xx",
            200..=299 => "2xx",
            300..=399 => "3xx",
            400..=499 => "4xx",
            _ => "5xx",
        };
        self.passed.get_or_create(&CodeLabel { code: code.unwrap_or(class) }).inc();
        self.passed_times.observe(took.as_secs_f64());
    }

    pub fn odoo(&self, outcome: &'static str, took: Duration) {
        self.odoo.get_or_create(&OutcomeLabel { outcome }).inc();
        self.odoo_times.observe(took.as_secs_f64());
        if outcome == ANSWERED {
            self.answers.get_or_create(&OutcomeLabel { outcome }).set(now());
        }
    }

    /// A record, a lookup or a read of one call that another call's exchange with Odoo has done.
    pub fn shared(&self, what: &'static str) {
        self.shared.get_or_create(&WhatLabel { what }).inc();
    }

    pub fn limited(&self, limit: &'static str) {
        self.limited.get_or_create(&LimitLabel { limit }).inc();
    }

    /// A connection that was not taken: counted always, told once in a while.
    pub fn turned_away(&self, peer: IpAddr, limit: &'static str) {
        self.limited(limit);
        let mut told = self.turned.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_none_or(|told| told.elapsed() > TOLD_EVERY) {
            *told = Some(Instant::now());
            tracing::warn!(%peer, limit, "connections beyond a limit are turned away");
        }
    }

    pub fn reloaded(&self, is_in_use: bool) {
        self.reloads.get_or_create(&OutcomeLabel { outcome: if is_in_use { "done" } else { "refused" } }).inc();
        self.last_reload.set(i64::from(is_in_use));
        if is_in_use {
            self.reloaded.set(now());
        }
    }

    /// Notes what was looked at, until it is looked at again.
    pub fn watch(&self, change: impl FnOnce(&mut Watched)) {
        self.gauges.watch(change);
    }

    /// Everything, in the form that was asked for.
    pub fn render(&self, reading: Reading, form: Form) -> String {
        self.gauges.read(reading);
        let mut text = String::new();
        // Writing to a String does not fail.
        let _ = text::encode(&mut text, &self.registry);
        match form {
            Form::OpenMetrics => text,
            Form::Text => form::to_text(&text),
        }
    }
}
