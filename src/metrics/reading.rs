//! The gauges: what is read at the moment when somebody asks, and what is looked at once in a while ([`Watched`]).
//!
//! What is not known has no sample, rather than one that looks like a measurement.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric},
    metrics::{
        MetricType,
        family::Family,
        gauge::{ConstGauge, Gauge},
    },
    registry::Unit,
};

use super::names::{MOST, OTHER};

/// What is read when somebody asks.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reading {
    pub connections: usize,
    pub max_connections: usize,
    pub requests: usize,
    pub max_requests: usize,
    pub body_bytes: usize,
    pub max_body_bytes: u64,
    pub odoo_in_flight: usize,
    pub max_odoo_in_flight: usize,
    pub odoo_waiting: usize,
    pub max_odoo_waiting: usize,
    pub odoo_up: bool,
    /// Whether Odoo serves the configured database, where it tells.
    pub database_up: Option<bool>,
    pub is_breaker_open: bool,
    pub log_up: bool,
    pub log_waiting: usize,
    /// None where the disk does not tell.
    pub log_free: Option<u64>,
    pub log_min_free: u64,
    pub max_log_bytes: u64,
}

/// What is looked at once in a while, and has no sample before.
#[derive(Debug, Clone, Default)]
pub struct Watched {
    pub log: Option<LogFigures>,
    /// The ends of certificates, by the key of the configuration, in seconds since 1970.
    pub certificates: BTreeMap<&'static str, i64>,
    /// When the API key by which a client reaches Odoo expires in Odoo, by the client's name.
    pub odoo_keys: BTreeMap<String, i64>,
    /// When a client's `[[client]] expires` ends, by its name.
    pub clients: BTreeMap<String, i64>,
}

/// What the log takes, and what of it waits for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogFigures {
    pub bytes: u64,
    pub segments: usize,
    pub in_doubt: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CertificateLabel {
    certificate: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ClientLabel {
    client: String,
}

/// The gauges of the gateway.
#[derive(Debug, Clone, Default)]
pub(super) struct Gauges(Arc<Mutex<(Reading, Watched)>>);

impl Gauges {
    pub(super) fn read(&self, reading: Reading) {
        self.0.lock().0 = reading;
    }

    pub(super) fn watch(&self, change: impl FnOnce(&mut Watched)) {
        change(&mut self.0.lock().1);
    }
}

impl Collector for Gauges {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let (reading, watched) = self.0.lock().clone();
        let samples = of_reading(&reading).into_iter().chain(of_watched(&watched));
        for (name, help, unit, value) in samples {
            // A family without a sample is told, too, so that its name is known.
            let gauge = encoder.encode_descriptor(name, help, unit.as_ref(), MetricType::Gauge)?;
            if let Some(value) = value {
                ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX)).encode(gauge)?;
            }
        }
        let certificates =
            watched.certificates.into_iter().map(|(certificate, at)| (CertificateLabel { certificate }, at));
        let help = "When a certificate of the configuration expires";
        times(&mut encoder, "certificate_expiry_timestamp", help, certificates)?;
        let help = "When the API key of a client expires in Odoo";
        times(&mut encoder, "client_key_expiry_timestamp", help, earliest(watched.odoo_keys))?;
        let help = "When a client of the configuration expires";
        times(&mut encoder, "client_expiry_timestamp", help, earliest(watched.clients))
    }
}

type Sample = (&'static str, &'static str, Option<Unit>, Option<u64>);

fn of_reading(reading: &Reading) -> [Sample; 18] {
    let Reading { connections, max_connections, requests, max_requests, body_bytes, max_body_bytes, .. } = *reading;
    let Reading {
        odoo_in_flight, max_odoo_in_flight, odoo_waiting, max_odoo_waiting, odoo_up, is_breaker_open, ..
    } = *reading;
    let Reading { log_up, log_waiting, log_free, log_min_free, max_log_bytes, .. } = *reading;
    let number = |value: usize| u64::try_from(value).ok();
    let flag = |value: bool| Some(u64::from(value));
    let bytes = || Some(Unit::Bytes);
    [
        ("connections", "Connections that are open", None, number(connections)),
        ("max_connections", "How many connections may be open", None, number(max_connections)),
        ("requests_in_flight", "Requests that are under way", None, number(requests)),
        ("max_requests_in_flight", "How many requests may be under way", None, number(max_requests)),
        ("bodies", "What bodies, calls and answers hold in memory", bytes(), number(body_bytes)),
        ("max_bodies", "What they may hold", bytes(), Some(max_body_bytes)),
        ("odoo_in_flight", "Calls that Odoo works on", None, number(odoo_in_flight)),
        ("max_odoo_in_flight", "How many calls Odoo is given at a time", None, number(max_odoo_in_flight)),
        ("odoo_waiting", "Calls that wait for their turn", None, number(odoo_waiting)),
        ("max_odoo_waiting", "How many calls may wait for their turn", None, number(max_odoo_waiting)),
        ("odoo_up", "Whether Odoo can be reached", None, flag(odoo_up)),
        ("database_up", "Whether Odoo serves the configured database", None, reading.database_up.map(u64::from)),
        ("odoo_breaker_open", "Whether the circuit breaker refuses calls", None, flag(is_breaker_open)),
        ("log_up", "Whether the log takes lines", None, flag(log_up)),
        ("log_waiting_lines", "Lines that wait to be written", None, number(log_waiting)),
        ("log_free", "What the disk of the log has left", bytes(), log_free),
        ("log_min_free", "Below this, no call is taken", bytes(), Some(log_min_free)),
        ("log_max", "Beyond this, the oldest segments of the log are dropped", bytes(), Some(max_log_bytes)),
    ]
}

fn of_watched(watched: &Watched) -> [Sample; 3] {
    let log = watched.log;
    let number = |value: usize| u64::try_from(value).ok();
    let in_doubt = log.and_then(|log| number(log.in_doubt));
    [
        ("log_size", "What the log holds on disk", Some(Unit::Bytes), log.map(|log| log.bytes)),
        ("log_segments", "Files that the log consists of", None, log.and_then(|log| number(log.segments))),
        ("log_in_doubt_calls", "Calls in doubt that nobody has settled", None, in_doubt),
    ]
}

fn times<L>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    times: impl Iterator<Item = (L, i64)>,
) -> Result<(), std::fmt::Error>
where
    L: Clone + std::hash::Hash + Eq + EncodeLabelSet,
{
    let family = Family::<L, Gauge>::default();
    for (label, at) in times {
        family.get_or_create(&label).set(at);
    }
    family.encode(encoder.encode_descriptor(name, help, Some(&Unit::Seconds), MetricType::Gauge)?)
}

/// The clients whose time ends first have series of their own; of the others, the first end is told.
fn earliest(ends: BTreeMap<String, i64>) -> impl Iterator<Item = (ClientLabel, i64)> {
    let mut ends: Vec<(String, i64)> = ends.into_iter().collect();
    ends.sort_by_key(|(_, at)| *at);
    let others = ends.split_off(ends.len().min(MOST));
    let others = others.into_iter().map(|(_, at)| at).min().map(|at| (OTHER.to_owned(), at));
    ends.into_iter().chain(others).map(|(client, at)| (ClientLabel { client }, at))
}
