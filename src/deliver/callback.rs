//! Clients are told how their queued calls ended: a POST to the `callback_url`, signed as Standard Webhooks has it.
//!
//! What is to be told is stored with the end of the call, so that a client is told at least once, also after a restart; the call's
//! id is the `webhook-id`, by which it knows one that comes twice. Only public addresses are connected to, and those of
//! `[delivery] allow_private`; each connection resolves anew, and a redirect counts as a refusal. Nothing of the answer is read.

use std::{collections::HashMap, sync::Arc, time::Duration};

use http::{StatusCode, header};
use jiff::Timestamp;
use parking_lot::Mutex;
use reqwest::Url;
use serde_json::json;
use tokio::time::{self, Instant};
use uuid::Uuid;

use super::{Shared, chance::chance, retry};
use crate::{
    call::{Outcome, Service, auth::clients::Client},
    fetch,
    store::{End, State, Untold},
};

/// How long a receiver has for its answer.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often the store is looked at for others' ends.
const LOOK: Duration = Duration::from_secs(1);
/// The longest pause between two tries.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// Pauses begin with this, twice over.
const FIRST: u32 = 3;

/// Tells clients, one after another.
pub(super) struct Teller {
    shared: Arc<Shared>,
}

/// Receivers that did not take what they were told last: until when they are left alone, and how often it was so.
#[derive(Debug, Default)]
pub(super) struct Receivers(Mutex<HashMap<String, (u32, Instant)>>);

/// What came of telling.
enum Told {
    Yes,
    /// The receiver wants to be told nothing more (410, Standard Webhooks 1.0.0).
    Gone,
    No(String),
}

/// What the client is to be told, where it wants to be.
pub(super) fn body(service: &Service, client: &str, id: Uuid, end: &End) -> Option<(String, Vec<u8>)> {
    service.clients.by_name(client)?.callback.as_ref()?;
    let (state, outcome) = closed(end)?;
    let outcome = Outcome::of_bytes(outcome).ok()?;
    let (name, content) = outcome.member();
    let body = json!({
        "type": format!("call.{}", state.as_str()),
        "timestamp": Timestamp::now(),
        "data": {"call": id, "state": state.as_str(), "answer": {name: content}},
    });
    Some((client.to_owned(), body.to_string().into_bytes()))
}

/// The state that a call has after this end; none where it is still open.
fn closed(end: &End) -> Option<(State, &[u8])> {
    match end {
        End::Done { outcome } => Some((State::Done, outcome)),
        End::Dead { outcome, .. } => Some((State::Dead, outcome)),
        End::InDoubt { outcome, .. } => Some((State::InDoubt, outcome)),
        End::Free | End::Again { .. } => None,
    }
}

impl Teller {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Tells until the gateway stops.
    pub(super) async fn run(self) {
        let Shared { current, stop, .. } = &*self.shared;
        let mut failures = 0;
        while !stop.is_cancelled() {
            let service = current.site().calls.clone();
            let pause = match service.store.claim_callback().await {
                Ok(Some(untold)) => {
                    failures = 0;
                    self.tell(&service, untold).await;
                    continue;
                }
                Ok(None) => LOOK.mul_f64(0.5 + chance() / 2.0),
                Err(_) => {
                    // The workers say that the store is away.
                    failures += 1;
                    LOOK + retry::pause(failures, LONGEST / 60, chance())
                }
            };
            let _ = stop.run_until_cancelled(time::sleep(pause)).await;
        }
    }

    async fn tell(&self, service: &Arc<Service>, untold: Untold) {
        let receivers = &self.shared.receivers;
        let again = match receivers.is_left_alone(&untold.client) {
            Some(pause) => Some(pause),
            None => {
                let told = self.post(service.clients.by_name(&untold.client), &untold).await;
                let word = match &told {
                    Told::Yes => "told",
                    Told::Gone => "gone",
                    Told::No(_) => "failed",
                };
                service.metrics.queue.callback(word);
                match told {
                    Told::Yes | Told::Gone => {
                        receivers.took(&untold.client);
                        None
                    }
                    Told::No(why) => {
                        tracing::warn!(call = %untold.id, client = untold.client, why, "a client could not be told the end of its call");
                        receivers.refused(&untold.client);
                        Some(retry::pause(FIRST.saturating_add(untold.attempts), LONGEST, 0.5 + chance() / 2.0))
                    }
                }
            }
        };
        if let Err(error) = service.store.end_callback(&untold, again).await {
            // Its lease ends, and it is told once more.
            tracing::warn!(call = %untold.id, %error, "that a client was told could not be noted");
        }
    }

    async fn post(&self, client: Option<&Client>, untold: &Untold) -> Told {
        let Some(callback) = client.and_then(|client| client.callback.as_ref()) else {
            return Told::No("the configuration has no `callback_url` for it any more".to_owned());
        };
        let host = callback.url.host_str().unwrap_or_default();
        if !fetch::is_reachable(&callback.url, &self.shared.allow_private) {
            return Told::No(format!("{host} is no public address, and `[delivery] allow_private` does not name it"));
        }
        let time = Timestamp::now().as_second();
        let request = self
            .shared
            .http
            .post(callback.url.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header("webhook-id", untold.id.to_string())
            .header("webhook-timestamp", time)
            .header("webhook-signature", callback.signature(untold.id, time, &untold.body))
            .body(untold.body.clone())
            .timeout(PATIENCE);
        match request.send().await {
            Ok(response) if response.status().is_success() => Told::Yes,
            Ok(response) if response.status() == StatusCode::GONE => Told::Gone,
            Ok(response) => Told::No(format!("{host} answered {}", response.status().as_u16())),
            Err(error) => Told::No(format!("{host} does not take it: {}", reason(&callback.url, &error))),
        }
    }
}

/// The innermost cause: the outer ones name the URL, which may hold a secret.
fn reason(url: &Url, error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no answer within {} s", PATIENCE.as_secs());
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let words = cause.to_string();
    if words.contains(url.as_str()) { "no reason given".to_owned() } else { words }
}

impl Receivers {
    /// For how long a receiver is not tried at all, since the last call's end was not taken.
    fn is_left_alone(&self, client: &str) -> Option<Duration> {
        let (_, until) = self.0.lock().get(client).copied()?;
        Some(until.saturating_duration_since(Instant::now())).filter(|left| !left.is_zero())
    }

    fn took(&self, client: &str) {
        self.0.lock().remove(client);
    }

    fn refused(&self, client: &str) {
        let mut receivers = self.0.lock();
        let (failures, until) = receivers.entry(client.to_owned()).or_insert((0, Instant::now()));
        *failures = failures.saturating_add(1);
        *until = Instant::now() + retry::pause(*failures, LONGEST / 15, 1.0);
    }
}
