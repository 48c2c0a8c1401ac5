//! What the gateway counts, in the text form that Prometheus reads.
//!
//! Every label has a small set of values, all of them the gateway's own words, routes, states, error codes, or the names of
//! clients, which are the operator's. What a caller sends is never one. Gauges are read when somebody asks.

mod deliveries;
mod queue;

use std::{
    net::IpAddr,
    sync::{Mutex, PoisonError, atomic::AtomicU64},
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
    queue::{Found, Queue},
};

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

/// What is counted as it happens.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    calls: Family<CallLabels, Counter>,
    call_times: Family<RouteLabel, Histogram, Times>,
    passed: Family<CodeLabel, Counter>,
    passed_times: Histogram,
    odoo: Family<OutcomeLabel, Counter>,
    odoo_times: Histogram,
    shared: Family<WhatLabel, Counter>,
    limited: Family<LimitLabel, Counter>,
    reloads: Family<OutcomeLabel, Counter>,
    reloaded: Gauge,
    gauges: Gauges,
    /// Of queued calls.
    pub queue: Queue,
    pub deliveries: Deliveries,
    turned: Mutex<Option<Instant>>,
}

#[derive(Debug, Default)]
struct Gauges {
    connections: Gauge,
    requests: Gauge,
    body_bytes: Gauge,
    odoo_in_flight: Gauge,
    odoo_waiting: Gauge,
    odoo_up: Gauge,
    log_up: Gauge,
    log_waiting: Gauge,
    log_free: Gauge,
}

/// What the gauges show.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reading {
    pub connections: usize,
    pub requests: usize,
    pub body_bytes: usize,
    pub odoo_in_flight: usize,
    pub odoo_waiting: usize,
    pub odoo_up: bool,
    pub log_up: bool,
    pub log_waiting: usize,
    /// None where the disk does not tell.
    pub log_free: Option<u64>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("odoo_gateway");
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The program", build);
        let started = Gauge::<f64, AtomicU64>::default();
        started.set(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |now| now.as_secs_f64()));
        registry.register_with_unit("start_time", "When it was started", Unit::Seconds, started);
        let queue = Queue::register(&mut registry);
        let deliveries = Deliveries::register(&mut registry);
        let metrics = Self {
            registry: Registry::default(),
            calls: Family::default(),
            call_times: Family::new_with_constructor(Times),
            passed: Family::default(),
            passed_times: Times.new_metric(),
            odoo: Family::default(),
            odoo_times: Times.new_metric(),
            shared: Family::default(),
            limited: Family::default(),
            reloads: Family::default(),
            reloaded: Gauge::default(),
            gauges: Gauges::default(),
            queue,
            deliveries,
            turned: Mutex::default(),
        };
        let Self {
            calls,
            call_times,
            passed,
            passed_times,
            odoo,
            odoo_times,
            shared,
            limited,
            reloads,
            reloaded,
            gauges,
            ..
        } = &metrics;
        registry.register("calls", "Calls of the routes that have ended", calls.clone());
        registry.register_with_unit("call_duration", "How long calls took", Unit::Seconds, call_times.clone());
        registry.register("requests", "Other requests, by status class or error code", passed.clone());
        registry.register_with_unit("request_duration", "How long they took", Unit::Seconds, passed_times.clone());
        registry.register("odoo_calls", "HTTP exchanges with Odoo for calls, by outcome", odoo.clone());
        registry.register_with_unit("odoo_call_duration", "How long they took", Unit::Seconds, odoo_times.clone());
        registry.register("shared", "What was done by the exchange of another call", shared.clone());
        registry.register("limited", "Connections and requests beyond a limit", limited.clone());
        registry.register("reloads", "Configurations that were read again", reloads.clone());
        registry.register_with_unit("reload_time", "When the one in use was read", Unit::Seconds, reloaded.clone());
        registry.register("connections", "Connections that are open", gauges.connections.clone());
        registry.register("requests_under_way", "Requests that are under way", gauges.requests.clone());
        registry.register_with_unit(
            "bodies",
            "What bodies, calls and answers hold in memory",
            Unit::Bytes,
            gauges.body_bytes.clone(),
        );
        registry.register("odoo_in_flight", "Calls that Odoo works on", gauges.odoo_in_flight.clone());
        registry.register("odoo_waiting", "Calls that wait for their turn", gauges.odoo_waiting.clone());
        registry.register("odoo_up", "Whether Odoo can be reached", gauges.odoo_up.clone());
        registry.register("log_up", "Whether the log takes lines", gauges.log_up.clone());
        registry.register("log_waiting", "Lines that wait to be written", gauges.log_waiting.clone());
        registry.register_with_unit(
            "log_free",
            "What the disk of the log has left",
            Unit::Bytes,
            gauges.log_free.clone(),
        );
        metrics.reloaded.set(seconds());
        Self { registry, ..metrics }
    }
}

fn seconds() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| i64::try_from(now.as_secs()).unwrap_or(i64::MAX))
}

impl Metrics {
    pub fn call(&self, route: &'static str, state: &'static str, code: Option<&'static str>, took: Duration) {
        self.calls.get_or_create(&CallLabels { route, state, code: code.unwrap_or_default() }).inc();
        self.call_times.get_or_create(&RouteLabel { route }).observe(took.as_secs_f64());
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
        if is_in_use {
            self.reloaded.set(seconds());
        }
    }

    /// Everything, in OpenMetrics text.
    pub fn render(&self, reading: Reading) -> String {
        let number = |value: usize| i64::try_from(value).unwrap_or(i64::MAX);
        self.gauges.connections.set(number(reading.connections));
        self.gauges.requests.set(number(reading.requests));
        self.gauges.body_bytes.set(number(reading.body_bytes));
        self.gauges.odoo_in_flight.set(number(reading.odoo_in_flight));
        self.gauges.odoo_waiting.set(number(reading.odoo_waiting));
        self.gauges.odoo_up.set(i64::from(reading.odoo_up));
        self.gauges.log_up.set(i64::from(reading.log_up));
        self.gauges.log_waiting.set(number(reading.log_waiting));
        self.gauges.log_free.set(reading.log_free.map_or(-1, |free| i64::try_from(free).unwrap_or(i64::MAX)));
        let mut text = String::new();
        // Writing to a String does not fail.
        let _ = text::encode(&mut text, &self.registry);
        text
    }
}
