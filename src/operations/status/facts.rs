//! How Odoo, the queue, the log and the store are at this moment.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::{
    call::Service,
    log::Error,
    log::Filter,
    operations::calls::{Calls, Query},
    store::Depth,
};

/// Facts are asked for again after this time at the earliest, by all readers together.
pub const FRESH: Duration = Duration::from_secs(3);
/// And at least so often, while somebody looks, however long they take.
pub const STALE: Duration = Duration::from_secs(10);
/// In between, they take at most this part of the time.
pub const SHARE: u32 = 200;
/// So many calls in doubt are counted.
pub const MOST_IN_DOUBT: usize = 500;
/// A difference of clocks below this one is of the network.
const NOTABLE: SignedDuration = SignedDuration::from_secs(5);

#[derive(Debug)]
pub struct Facts {
    /// Neither settled nor repeated with success; at most [`MOST_IN_DOUBT`].
    pub in_doubt: u64,
    pub odoo: Odoo,
    pub log: Log,
    pub store: Store,
    pub queues: Vec<Queue>,
    /// The secrets that are missing.
    pub missing: Vec<Missing>,
}

/// A client that is not served, or a hook that can fetch nothing, since its secret is missing.
#[derive(Debug)]
pub struct Missing {
    /// In words: what is degraded.
    pub degraded: String,
    pub why: String,
}

#[derive(Debug)]
pub struct Odoo {
    pub url: String,
    pub database: String,
    /// Its version and edition, or why it does not answer.
    pub version: Result<String, String>,
    /// Whether it serves the configured database; none where that is not known.
    pub has_database: Option<bool>,
    pub in_flight: u64,
    pub waiting: u64,
    /// How far its clock is from the gateway's, in words.
    pub clock: String,
}

#[derive(Debug)]
pub struct Log {
    pub since: Option<Timestamp>,
    /// Of its segments, in bytes.
    pub size: u64,
    pub most: u64,
    pub free: Option<u64>,
    pub min_free: u64,
    /// Why it takes no line.
    pub failure: Option<String>,
}

#[derive(Debug)]
pub struct Store {
    pub kind: &'static str,
    /// Why it does not answer.
    pub failure: Option<String>,
}

/// The queue of a client.
#[derive(Debug)]
pub struct Queue {
    pub client: String,
    pub queued: u64,
    /// How long the oldest has waited.
    pub oldest: Option<String>,
    pub oldest_seconds: Option<u64>,
    pub dead: u64,
    pub in_doubt: u64,
    pub blocked: u64,
    pub paused: Option<String>,
}

impl Facts {
    /// # Errors
    /// The log cannot be read.
    pub async fn of(service: &Service, calls: &Calls) -> Result<Self, Error> {
        let filter = Filter { in_doubt: true, ..Filter::default() };
        let in_doubt = calls.page(Query { filter, limit: Some(MOST_IN_DOUBT), cursor: None });
        let (in_doubt, extent, version, depths) =
            tokio::join!(in_doubt, calls.extent(), service.odoo.readiness(), service.store.depths());
        let config = &service.config;
        let (since, size) = extent?;
        let (in_flight, waiting) = service.odoo.load();
        let failure = depths.as_ref().err().map(ToString::to_string);
        let now = service.store.now();
        let waited = |depth: &Depth| {
            let oldest = depth.oldest.filter(|_| depth.queued > 0);
            oldest.map(|at| SignedDuration::from_millis(now.saturating_sub(at).max(0)))
        };
        let queues = depths.unwrap_or_default().into_iter().map(|depth| Queue {
            oldest: waited(&depth).map(in_words),
            oldest_seconds: waited(&depth).map(|waited| waited.as_secs().unsigned_abs()),
            client: depth.client,
            queued: depth.queued,
            dead: depth.dead,
            in_doubt: depth.in_doubt,
            blocked: depth.blocked_lanes,
            paused: depth.paused,
        });
        Ok(Self {
            in_doubt: in_doubt?.calls.len() as u64,
            odoo: Odoo {
                url: config.upstream.url.to_string(),
                database: service.odoo.database().to_owned(),
                version: version.map(|release| release.to_string()).map_err(|error| error.for_operator()),
                has_database: service.odoo.known_database(),
                in_flight: in_flight as u64,
                waiting: waiting as u64,
                clock: clock(service.odoo.clock_ahead()),
            },
            log: Log {
                since,
                size,
                most: config.log.max_total.as_u64(),
                free: service.log.load().1,
                min_free: config.log.min_free.as_u64(),
                failure: service.log.check().err().map(|error| error.to_string()),
            },
            store: Store { kind: if service.store.is_shared() { "PostgreSQL" } else { "SQLite" }, failure },
            queues: queues.collect(),
            missing: missing(service),
        })
    }

    /// How many ordering keys wait for an earlier call.
    pub fn blocked(&self) -> u64 {
        self.sum(|queue| queue.blocked)
    }

    pub fn sum(&self, of: fn(&Queue) -> u64) -> u64 {
        self.queues.iter().map(of).sum()
    }
}

fn missing(service: &Service) -> Vec<Missing> {
    let clients = service.clients.missing().map(|(client, lack)| Missing {
        degraded: format!("The client {client} is not served: a secret is missing"),
        why: lack.to_string(),
    });
    let hooks = service.hooks.missing().map(|(hook, lack)| Missing {
        degraded: format!("The hook {hook} can fetch nothing: a secret is missing"),
        why: lack.to_string(),
    });
    clients.chain(hooks).collect()
}

fn clock(ahead: SignedDuration) -> String {
    match ahead {
        ahead if ahead.abs() < NOTABLE => "in step".to_owned(),
        ahead if ahead.is_positive() => format!("{} ahead", in_words(ahead)),
        behind => format!("{} behind", in_words(behind.abs())),
    }
}

/// A span, roughly: `7 s`, `12 min`, `3 h`, `4 d`.
pub fn in_words(span: SignedDuration) -> String {
    match span.as_secs() {
        seconds @ ..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds @ 7200..172_800 => format!("{} h", seconds / 3600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_of_clocks_is_told_from_five_seconds_on() {
        let told = [0, -4_999, 5_000, -300_000].map(|ms| clock(SignedDuration::from_millis(ms)));
        assert_eq!(told, ["in step", "in step", "5 s ahead", "5 min behind"]);
    }
}
