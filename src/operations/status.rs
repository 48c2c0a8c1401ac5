//! How the gateway is: what runs and since when, how busy it is, how Odoo, queue, log and disk are, and what needs a person.
//!
//! The gateway that runs says it of itself, to an operator who asks over its admin listener. It holds no secret: it names clients,
//! addresses and files, and no key.

pub mod facts;
pub mod needs;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::facts::Facts;
use super::{
    calls::Calls,
    gateway::{self, RunningGateway},
    overview::{Durations, Window, overview},
};
pub use crate::current::Configuration;
use crate::{
    call::Service,
    config::Config,
    log::{self, CallState, Error},
    odoo,
};

/// So long the running gateway is waited for: it asks Odoo for its version where it does not know it.
const PATIENCE: Duration = Duration::from_secs(30);
/// Calls of this time are counted.
const LATELY: SignedDuration = SignedDuration::from_mins(5);
const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// How the gateway is. A member that another version has or lacks keeps nobody from reading the rest.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Status {
    pub process: Process,
    pub configuration: Configuration,
    pub calls: Recent,
    pub odoo: Odoo,
    pub queue: Queue,
    pub log: LogState,
    /// What needs a person, the most urgent first.
    #[serde(default)]
    pub needs: Vec<Need>,
}

/// The process.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Process {
    pub pid: u32,
    pub version: String,
    pub since: Timestamp,
    /// The public listener.
    pub url: String,
    /// The admin listener.
    pub admin: String,
}

/// The calls of the last five minutes; dry runs are none.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Recent {
    pub last_minute: u64,
    pub last_5_minutes: u64,
    pub failed: u64,
    /// Of the last five minutes, what half of them, 95 and 99 of a hundred took at most, in milliseconds.
    pub p50_ms: Option<f64>,
    pub p95_ms: Option<f64>,
    pub p99_ms: Option<f64>,
    /// Requests under way.
    pub requests: u64,
    pub most_requests: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Odoo {
    pub url: String,
    pub database: String,
    /// Its version and edition, where it answers.
    pub version: Option<String>,
    /// Why it does not answer.
    pub failure: Option<String>,
    /// Calls are refused at once, until it answers again.
    pub is_breaker_open: bool,
    pub in_flight: u64,
    pub most_in_flight: u64,
    pub waiting: u64,
    /// How the number of calls in flight came about; none from an older gateway.
    #[serde(default)]
    pub limit: Option<Limit>,
}

/// `[upstream] max_in_flight`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Limit {
    /// The gateway finds it; else it is configured.
    pub is_auto: bool,
    /// How the gateway has changed it last.
    pub changed: Option<Change>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Change {
    pub at: Timestamp,
    pub from: u64,
    pub to: u64,
    /// In words.
    pub why: String,
}

/// Calls that are queued, of all clients.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Queue {
    /// What holds it.
    pub store: String,
    pub failure: Option<String>,
    pub queued: u64,
    pub oldest_seconds: Option<u64>,
    /// Ordering keys that wait for an earlier call.
    pub blocked_keys: u64,
    pub dead: u64,
    pub in_doubt: u64,
    /// Clients whose queue is paused.
    pub paused: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LogState {
    pub directory: PathBuf,
    /// When its earliest line was written.
    pub since: Option<Timestamp>,
    /// In bytes, and at most.
    pub size: u64,
    pub most: u64,
    /// Of the disk, in bytes; below the least no call is taken.
    pub free: Option<u64>,
    pub least_free: u64,
    /// Why it takes no line.
    pub failure: Option<String>,
    /// Calls that are neither settled nor repeated with success.
    pub in_doubt: u64,
}

/// One thing to be looked at.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Need {
    /// Nothing works, or work is lost, until somebody does something.
    pub is_urgent: bool,
    pub title: String,
    pub words: String,
}

/// What the process knows of itself.
#[derive(Debug, Clone)]
pub struct Running {
    pub since: Timestamp,
    pub url: String,
    pub admin: String,
}

/// Why there is no status.
#[derive(Debug, thiserror::Error)]
pub enum NoStatus {
    #[error("no gateway runs: nothing writes the log in `{}`", .0.display())]
    NotRunning(PathBuf),
    #[error(transparent)]
    Gateway(#[from] gateway::Error),
    #[error("the gateway does not take the token beside its log")]
    WrongToken,
    #[error("the gateway that runs is of another version and gives no status")]
    OtherVersion,
}

impl Status {
    /// That of the gateway of this configuration, and the same as it came.
    ///
    /// # Errors
    /// None runs, or it gives none.
    pub async fn ask(config: &Config) -> Result<(Self, Value), NoStatus> {
        let folder = &config.log.directory;
        if !log::is_in_use(folder) {
            return Err(NoStatus::NotRunning(absolute(folder)));
        }
        let answer = RunningGateway::find(folder, PATIENCE)?.get("/status").await?;
        match answer.status.as_u16() {
            200 => {}
            401 => return Err(NoStatus::WrongToken),
            _ => return Err(NoStatus::OtherVersion),
        }
        let told = answer.json().await?;
        let status = serde_json::from_value(told.clone()).map_err(|_| NoStatus::OtherVersion)?;
        Ok((status, told))
    }

    /// That of this process. `requests` are under way.
    ///
    /// # Errors
    /// The log cannot be read.
    pub async fn of(
        running: &Running,
        configuration: Configuration,
        service: &Service,
        requests: u64,
    ) -> Result<Self, Error> {
        let config = &service.config;
        let calls = Calls::open(&config.log.directory)?;
        let now = Timestamp::now();
        let (facts, recent, day) =
            tokio::join!(Facts::of(service, &calls), recent(&calls, now), overview(&calls, Window::Day, now));
        let (facts, recent) = (facts?, recent?);
        let mut needs: Vec<Need> = needs::of(&facts, &day?, config).into_iter().map(Need::from).collect();
        if let Some(refused) = &configuration.refused {
            let title = "The changed configuration is not in use".to_owned();
            needs.push(Need { is_urgent: false, title, words: refused.clone() });
        }
        let limit = service.odoo.limit().now();
        Ok(Self {
            process: Process {
                pid: std::process::id(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                since: running.since,
                url: running.url.clone(),
                admin: running.admin.clone(),
            },
            configuration,
            calls: Recent { requests, most_requests: config.limits.requests.get() as u64, ..recent },
            queue: Queue::of(&facts),
            odoo: Odoo {
                url: facts.odoo.url.clone(),
                database: facts.odoo.database.clone(),
                version: facts.odoo.version.as_ref().ok().cloned(),
                failure: facts.odoo.version.as_ref().err().cloned(),
                is_breaker_open: !service.odoo.limit().breaker().is_up(),
                in_flight: facts.odoo.in_flight,
                most_in_flight: limit.permits as u64,
                waiting: facts.odoo.waiting,
                limit: Some(Limit::from(limit)),
            },
            log: LogState {
                directory: absolute(&config.log.directory),
                since: facts.log.since,
                size: facts.log.size,
                most: facts.log.most,
                free: facts.log.free,
                least_free: facts.log.min_free,
                failure: facts.log.failure.clone(),
                in_doubt: facts.in_doubt,
            },
            needs,
        })
    }
}

impl Queue {
    fn of(facts: &Facts) -> Self {
        Self {
            store: facts.store.kind.to_owned(),
            failure: facts.store.failure.clone(),
            queued: facts.sum(|queue| queue.queued),
            oldest_seconds: facts.queues.iter().filter_map(|queue| queue.oldest_seconds).max(),
            blocked_keys: facts.blocked(),
            dead: facts.sum(|queue| queue.dead),
            in_doubt: facts.sum(|queue| queue.in_doubt),
            paused: facts
                .queues
                .iter()
                .filter(|queue| queue.paused.is_some())
                .map(|queue| queue.client.clone())
                .collect(),
        }
    }
}

impl From<odoo::Limit> for Limit {
    fn from(limit: odoo::Limit) -> Self {
        let odoo::Limit { permits: _, is_auto, changed } = limit;
        let changed = changed.map(|odoo::Change { at, from, to, why }| Change {
            at,
            from: from as u64,
            to: to as u64,
            why: why.words().to_owned(),
        });
        Self { is_auto, changed }
    }
}

impl From<needs::Need> for Need {
    fn from(need: needs::Need) -> Self {
        Self { is_urgent: need.class == "bad", title: need.title, words: need.words }
    }
}

/// The folder, wherever the process was started.
fn absolute(folder: &Path) -> PathBuf {
    std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned())
}

/// The calls that have come in lately.
async fn recent(calls: &Calls, now: Timestamp) -> Result<Recent, Error> {
    let since = |ago| now.checked_sub(ago).unwrap_or(now);
    let (from, minute) = (since(LATELY), since(MINUTE).as_microsecond());
    calls
        .read(move |archive| {
            let (mut recent, mut times) = (Recent::default(), Durations::default());
            archive.briefs(from, |_, briefs| {
                for brief in briefs.iter().filter(|brief| brief.state != CallState::DryRun) {
                    recent.last_5_minutes += 1;
                    recent.last_minute += u64::from(brief.arrived >= minute);
                    recent.failed += u64::from(brief.state == CallState::Failed);
                    if let Some(took) = brief.took {
                        times.add(took);
                    }
                }
            })?;
            let [p50, p95, p99] = times.percentiles([50, 95, 99]).map_or([None; 3], |times| times.map(Some));
            Ok(Recent { p50_ms: p50, p95_ms: p95, p99_ms: p99, ..recent })
        })
        .await
}
