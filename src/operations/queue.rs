//! The store of keys and queued calls, for an operator: what is in it, and calls that are tried again or dropped by a filter.
//!
//! The store is that of the gateway that this process is, or is opened beside the one that has it, or without one: its operations are
//! compare-and-set, so that no worker is disturbed. Who did what is recorded in the log, and said in the messages of this process.

use std::{path::PathBuf, sync::Arc};

use secrecy::ExposeSecret;
use serde_json::{Value, json};
use uuid::Uuid;

use super::acts;
use crate::{
    call::Service,
    config::Config,
    log::{Acted, Action, Operator},
    store::{self, Clock, Depth, Filter, Spans, State, Store, StoredCall},
};

/// So many calls are read at once.
const PAGE: u32 = 500;

/// Why the queue cannot be looked at or changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no store of keys and queued calls in `{}` yet; a gateway makes it", .0.display())]
    None(PathBuf),
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// The store, opened by an operator.
#[derive(Debug)]
pub struct Queue {
    store: Arc<Store>,
    record: Record,
}

/// Where it is recorded what is done.
#[derive(Debug)]
enum Record {
    Elsewhere(Box<Config>),
    Within(Arc<Service>),
}

impl Queue {
    /// That of the gateway that this process is.
    pub fn within(calls: Arc<Service>) -> Self {
        Self { store: calls.store.clone(), record: Record::Within(calls) }
    }

    /// The store of this configuration.
    ///
    /// # Errors
    /// There is none, it is of a newer version, or cannot be read or written.
    pub async fn open(config: &Config) -> Result<Self, Error> {
        let delivery = &config.delivery;
        let spans = Spans { lease: delivery.lease, keep: delivery.keep, callback: delivery.max_age };
        let store = match &config.cluster.url {
            Some(url) => Store::shared(url.expose_secret(), spans, Clock::of_this_machine())?,
            None if !Store::is_in(&delivery.directory) => return Err(Error::None(delivery.directory.clone())),
            None => Store::beside_gateway(&delivery.directory, spans).await?,
        };
        Ok(Self { store: Arc::new(store), record: Record::Elsewhere(Box::new(config.clone())) })
    }

    /// The time of the store, in milliseconds since 1970.
    pub fn now(&self) -> i64 {
        self.store.now()
    }

    /// At most so many calls of a filter, the oldest first; without a number, all of them.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn calls(&self, filter: &Filter, most: Option<usize>) -> Result<Vec<StoredCall>, Error> {
        let most = most.unwrap_or(usize::MAX);
        let (mut calls, mut after) = (Vec::new(), 0);
        while calls.len() < most {
            let left = u32::try_from(most - calls.len()).unwrap_or(PAGE).min(PAGE);
            let page = self.store.list(filter.clone(), after, left).await?;
            let Some(last) = page.last() else { break };
            after = last.seq;
            calls.extend(page);
        }
        Ok(calls)
    }

    /// One call, with its outcome.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn one(&self, id: Uuid) -> Result<Option<StoredCall>, Error> {
        Ok(self.store.find(id).await?)
    }

    /// How many calls of a filter there are in these states.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn count(&self, filter: &Filter, states: &[State]) -> Result<u64, Error> {
        let found = self.counts(filter).await?;
        Ok(found.iter().filter(|(state, _)| states.contains(state)).map(|(_, number)| number).sum())
    }

    /// How many calls of a filter there are in each state that has any.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn counts(&self, filter: &Filter) -> Result<Vec<(State, u64)>, Error> {
        Ok(self.store.count(filter.clone()).await?)
    }

    /// Puts the dead calls of a filter back into their lanes, in their order, and makes those due that wait for another try. How
    /// many.
    ///
    /// # Errors
    /// The store does not answer; some may have been changed.
    pub async fn retry(&self, filter: &Filter, operator: &Operator) -> Result<Done<u64>, Error> {
        let number = self.store.retry(filter).await?;
        tracing::info!(by = operator.by, number, "queued calls are tried again");
        Ok(self.recorded(number, with_calls(operator.does(Action::Retried), filter, number)).await)
    }

    /// Takes calls of a filter out that no worker has; their keys are free. How many.
    ///
    /// # Errors
    /// The store does not answer; some may have been dropped.
    pub async fn drop_calls(&self, filter: &Filter, operator: &Operator) -> Result<Done<u64>, Error> {
        let number = self.store.drop_calls(filter).await?;
        tracing::info!(by = operator.by, number, "queued calls were dropped");
        Ok(self.recorded(number, with_calls(operator.does(Action::Dropped), filter, number)).await)
    }

    /// Pauses the queue of a client. Whether it went on before.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn pause(&self, client: &str, why: &str, operator: &Operator) -> Result<Done<bool>, Error> {
        let is_new = self.store.pause(client, Some(why)).await?;
        tracing::info!(by = operator.by, client, why, is_new, "a queue is paused");
        let why = Some(why.to_owned());
        let acted = Acted { client: Some(client.to_owned()), why, ..operator.does(Action::Paused) };
        Ok(self.recorded(is_new, acted).await)
    }

    /// Lets the queue of a client go on. Whether it was paused before.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn resume(&self, client: &str, operator: &Operator) -> Result<Done<bool>, Error> {
        let was_paused = self.store.pause(client, None).await?;
        tracing::info!(by = operator.by, client, was_paused, "a queue goes on");
        let acted = Acted { client: Some(client.to_owned()), ..operator.does(Action::Resumed) };
        Ok(self.recorded(was_paused, acted).await)
    }

    /// Calls of a filter behind the one with this `seq`, the oldest first, at most so many.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn page(&self, filter: &Filter, after: i64, most: u32) -> Result<Vec<StoredCall>, Error> {
        Ok(self.store.list(filter.clone(), after, most).await?)
    }

    /// Records what has been done. That the log does not take it undoes nothing.
    async fn recorded<T>(&self, what: T, acted: Acted) -> Done<T> {
        let recorded = match &self.record {
            Record::Within(calls) => calls.log.acted(acted).await.map_err(Into::into),
            Record::Elsewhere(config) => acts::record(config, acted).await,
        };
        if let Err(error) = &recorded {
            tracing::warn!(%error, "what an operator did is not on the log's record");
        }
        Done { what, recorded }
    }

    /// How many calls each client has.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn depths(&self) -> Result<Vec<Depth>, Error> {
        Ok(self.store.depths().await?)
    }

    /// Closes a call in doubt as a person has found out. False where the store does not know it as one.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn settle(&self, id: Uuid, outcome: Option<Vec<u8>>) -> Result<bool, Error> {
        Ok(self.store.settle(id, outcome).await?)
    }
}

/// What was done to the queue, and whether the log has it.
#[derive(Debug)]
#[must_use]
pub struct Done<T> {
    pub what: T,
    pub recorded: Result<(), acts::Error>,
}

fn with_calls(acted: Acted, filter: &Filter, number: u64) -> Acted {
    Acted { of: filter.ids.clone(), filter: words(filter), number: Some(number), ..acted }
}

/// The conditions of a filter, as a query. Its ids are not among them.
fn words(filter: &Filter) -> String {
    let Filter { ids: _, states, client, model, route, error, lane, key, before, is_blocked } = filter;
    let mut query = form_urlencoded::Serializer::new(String::new());
    for state in states {
        query.append_pair("state", state.as_str());
    }
    let texts =
        [("client", client), ("model", model), ("route", route), ("error", error), ("lane", lane), ("key", key)];
    for (name, value) in texts {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    if let Some(before) = before {
        query.append_pair("before", &before.to_string());
    }
    if *is_blocked {
        query.append_pair("blocked", "1");
    }
    query.finish()
}

/// The depths of clients as JSON, for `queue stats --json` and `GET /queue`.
pub fn depths_to_json(depths: &[Depth], now: i64) -> Value {
    let clients = depths.iter().map(|depth| {
        let Depth { client, queued, oldest, dead, in_doubt, blocked_lanes, paused } = depth;
        let oldest = oldest.filter(|_| *queued > 0).map(|oldest| now.saturating_sub(oldest).max(0) / 1000);
        json!({
            "client": client, "queued": queued, "oldest_seconds": oldest, "blocked_keys": blocked_lanes, "dead": dead,
            "in_doubt": in_doubt, "paused": paused,
        })
    });
    let sum = |of: fn(&Depth) -> u64| depths.iter().map(of).sum::<u64>();
    json!({
        "queued": sum(|depth| depth.queued), "blocked_keys": sum(|depth| depth.blocked_lanes),
        "dead": sum(|depth| depth.dead), "in_doubt": sum(|depth| depth.in_doubt), "clients": clients.collect::<Value>(),
    })
}
