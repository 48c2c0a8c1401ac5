//! How many calls may still be queued: counted in memory, since a count in the store takes longer the more there are.
//!
//! What the store counts is read anew every few seconds, and what was accepted here since then is added. So a cap may be passed by
//! what other gateways accept within such a time. Counting takes a small part of the time, however long the queue is.

use std::{collections::HashMap, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::time::{self, Instant};

use super::claim::too_slow;
use crate::{
    config,
    store::{Error, Store},
};

/// How old a count may be, and a part of the time that counting may take: then a count may be older, up to the longest age.
const AGE: Duration = Duration::from_secs(2);
const PART: u32 = 20;
const LONGEST_AGE: Duration = Duration::from_secs(10);
/// How long the first count may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The calls that are queued, by client.
#[derive(Debug, Default)]
pub struct QueueRoom(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    clients: HashMap<String, u64>,
    /// The sum of `clients`.
    all: u64,
    /// Accepted here since the count began that is under way.
    added: HashMap<String, u64>,
    /// From when on they are counted anew; none where they never were counted.
    count_at: Option<Instant>,
    is_being_read: bool,
}

impl QueueRoom {
    /// Takes the room for one call of a client.
    ///
    /// # Errors
    /// The queue is full, or its calls were never counted and the store does not answer.
    pub(super) async fn take(
        self: &Arc<Self>,
        store: &Arc<Store>,
        client: &str,
        caps: &config::Delivery,
    ) -> Result<(), Error> {
        if self.0.lock().count_at.is_none() {
            time::timeout(PATIENCE, self.count(store)).await.map_err(|_| too_slow())??;
        }
        let mut counts = self.0.lock();
        if !counts.is_being_read && counts.count_at.is_none_or(|at| at <= Instant::now()) {
            counts.is_being_read = true;
            let (room, store) = (self.clone(), store.clone());
            tokio::spawn(async move {
                if let Err(error) =
                    time::timeout(PATIENCE, room.count(&store)).await.unwrap_or_else(|_| Err(too_slow()))
                {
                    tracing::warn!(%error, "the queued calls cannot be counted");
                }
                room.0.lock().is_being_read = false;
            });
        }
        let (all, own) = (counts.all, counts.clients.get(client).copied().unwrap_or_default());
        if all >= caps.queue.get() {
            return Err(Error::Full { client: None, held: all });
        }
        if own >= caps.queue_per_client.get() {
            return Err(Error::Full { client: Some(client.to_owned()), held: own });
        }
        *counts.clients.entry(client.to_owned()).or_default() += 1;
        *counts.added.entry(client.to_owned()).or_default() += 1;
        counts.all += 1;
        Ok(())
    }

    /// Gives back the room of a call that was not queued.
    pub(super) fn give_back(&self, client: &str) {
        let mut counts = self.0.lock();
        let Counts { clients, added, all, .. } = &mut *counts;
        if let Some(number) = clients.get_mut(client).filter(|number| **number > 0) {
            *number -= 1;
            *all = all.saturating_sub(1);
        }
        if let Some(number) = added.get_mut(client) {
            *number = number.saturating_sub(1);
        }
    }

    async fn count(&self, store: &Store) -> Result<(), Error> {
        self.0.lock().added.clear();
        let began = Instant::now();
        let depths = store.depths().await?;
        let took = began.elapsed();
        let mut counts = self.0.lock();
        counts.clients = depths.into_iter().map(|depth| (depth.client, depth.queued)).collect();
        let Counts { clients, added, .. } = &mut *counts;
        for (client, number) in added.drain() {
            *clients.entry(client).or_default() += number;
        }
        counts.all = counts.clients.values().sum();
        counts.count_at = Some(Instant::now() + (took * PART).clamp(AGE, LONGEST_AGE));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::Config,
        store::{Clock, Spans},
    };

    #[tokio::test]
    async fn a_client_has_its_own_room_within_that_of_all() {
        let folder = tempfile::tempdir().unwrap();
        let second = Duration::from_secs(1);
        let spans = Spans { lease: second, keep: second, callback: second };
        let store = Arc::new(Store::in_folder(folder.path(), spans, Clock::of_this_machine()).await.unwrap());
        let file = folder.path().join("gateway.toml");
        let caps = "[upstream]\nurl = \"http://127.0.0.1:9\"\ndatabase = \"none\"\n[delivery]\nqueue = 3\nqueue_per_client = 2";
        std::fs::write(&file, caps).unwrap();
        let (caps, room) = (Config::load(&file).unwrap().delivery, Arc::<QueueRoom>::default());
        let take = async |client: &str| match room.take(&store, client, &caps).await {
            Ok(()) => "ok".to_owned(),
            Err(Error::Full { client, held }) => format!("{client:?} {held}"),
            Err(error) => error.to_string(),
        };
        let mut taken = Vec::new();
        for client in ["a", "a", "a", "b", "b"] {
            taken.push(take(client).await);
        }
        assert_eq!(taken, ["ok", "ok", "Some(\"a\") 2", "ok", "None 3"]);
        room.give_back("a");
        assert_eq!(take("b").await, "ok");
    }
}
