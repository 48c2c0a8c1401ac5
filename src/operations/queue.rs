//! The store of keys and queued calls, for an operator: what is in it, and calls that are tried again or dropped by a filter.
//!
//! The store is opened beside the gateway that has it, or without one: its operations are compare-and-set, so that no worker is
//! disturbed. Who did what is said in the messages of this process.

use std::path::PathBuf;

use secrecy::ExposeSecret;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    config::Config,
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
    store: Store,
}

impl Queue {
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
        Ok(Self { store })
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
        let found = self.store.count(filter.clone()).await?;
        Ok(found.iter().filter(|(state, _)| states.contains(state)).map(|(_, number)| number).sum())
    }

    /// Puts the dead calls of a filter back into their lanes, in their order, and makes those due that wait for another try. How
    /// many.
    ///
    /// # Errors
    /// The store does not answer; some may have been changed.
    pub async fn retry(&self, filter: &Filter, by: &str) -> Result<u64, Error> {
        let number = self.store.retry(filter).await?;
        tracing::info!(by, number, "queued calls are tried again");
        Ok(number)
    }

    /// Takes calls of a filter out that no worker has; their keys are free. How many.
    ///
    /// # Errors
    /// The store does not answer; some may have been dropped.
    pub async fn drop_calls(&self, filter: &Filter, by: &str) -> Result<u64, Error> {
        let number = self.store.drop_calls(filter).await?;
        tracing::info!(by, number, "queued calls were dropped");
        Ok(number)
    }

    /// Pauses the queue of a client. Whether it went on before.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn pause(&self, client: &str, why: &str, by: &str) -> Result<bool, Error> {
        let is_new = self.store.pause(client, Some(why)).await?;
        tracing::info!(by, client, why, is_new, "a queue is paused");
        Ok(is_new)
    }

    /// Lets the queue of a client go on. Whether it was paused before.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn resume(&self, client: &str, by: &str) -> Result<bool, Error> {
        let was_paused = self.store.pause(client, None).await?;
        tracing::info!(by, client, was_paused, "a queue goes on");
        Ok(was_paused)
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
