//! What is looked at regularly: which clients have queued calls, which queues may go on, calls that a gateway left behind when it
//! died, and what is kept no longer.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::time::{self, Instant};

use super::{Shared, retry::Stop, schedule::Schedule};
use crate::{
    call::Service,
    metrics::Found,
    store::{Depth, Error},
};

/// How often clients with queued calls are told to the workers: a call that waits for another try may be due.
const TICK: Duration = Duration::from_millis(500);
/// How often the store is counted through, and a part of the time that this may take.
const COUNT: Duration = Duration::from_secs(2);
const COUNT_PART: u32 = 20;
const LONGEST_COUNT: Duration = Duration::from_secs(60);
/// How often old calls are deleted.
const EXPIRE: Duration = Duration::from_secs(60);
/// So many portions of them at a time.
const PORTIONS: usize = 20;

pub(super) struct Upkeep {
    shared: Arc<Shared>,
    /// The clients that had queued calls when they were last counted, or have got some since.
    clients: Mutex<BTreeSet<String>>,
}

impl Upkeep {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, clients: Mutex::default() }
    }

    /// Tells the workers of calls that this gateway accepts, until it stops.
    pub(super) async fn note_arrivals(&self) {
        let Shared { current, schedule, stop, .. } = &*self.shared;
        let store = current.site().calls.store.clone();
        while let Some(clients) = stop.run_until_cancelled(store.arrivals()).await {
            clients.iter().for_each(|client| schedule.may_have_calls(client));
            self.clients.lock().extend(clients);
        }
    }

    /// Looks at the store until the gateway stops.
    pub(super) async fn run(&self) {
        let Shared { current, schedule, stop, .. } = &*self.shared;
        let (mut count_at, mut expire_at) = (Instant::now(), Instant::now());
        loop {
            let service = current.site().calls.clone();
            if Instant::now() >= count_at {
                let looked = self.look(&service).await;
                service.metrics.queue.store(looked.is_ok());
                let took = looked.unwrap_or_else(|error| {
                    tracing::warn!(%error, "queued calls cannot be counted");
                    Duration::ZERO
                });
                count_at = Instant::now() + (took * COUNT_PART).clamp(COUNT, LONGEST_COUNT);
            }
            if Instant::now() >= expire_at {
                if let Err(error) = expire(&service).await {
                    tracing::warn!(%error, "old calls cannot be deleted");
                }
                expire_at = Instant::now() + EXPIRE;
            }
            tell(schedule, &self.clients.lock());
            if stop.run_until_cancelled(time::sleep(TICK)).await.is_none() {
                return;
            }
        }
    }

    /// How long it took to count through the store.
    async fn look(&self, service: &Arc<Service>) -> Result<Duration, Error> {
        while service.store.adopt().await? > 0 {}
        let began = Instant::now();
        let depths = service.store.depths().await?;
        let took = began.elapsed();
        let now = service.store.now();
        service.metrics.queue.found(depths.iter().map(|depth| found(depth, now)).collect());
        let mut with_calls = BTreeSet::new();
        for depth in depths.iter().filter(|depth| depth.queued > 0) {
            if self.goes_on(service, depth).await? {
                with_calls.insert(depth.client.clone());
            }
        }
        *self.clients.lock() = with_calls;
        Ok(took)
    }

    /// Whether calls of this queue may be claimed. One that has stopped by itself is let go on where its reason may be gone.
    async fn goes_on(&self, service: &Arc<Service>, depth: &Depth) -> Result<bool, Error> {
        let Some(why) = &depth.paused else { return Ok(true) };
        // What a person has paused waits for a person.
        let Some(stop) = Stop::named(why) else { return Ok(false) };
        if !self.shared.stops.may_go_on(service, &depth.client, stop) {
            return Ok(false);
        }
        if stop == Stop::Account {
            self.shared.schedule.try_account(&depth.client);
        }
        if service.store.pause(&depth.client, None).await? {
            tracing::info!(client = depth.client, why, "the queue of a client is tried again");
        }
        Ok(true)
    }
}

fn tell(schedule: &Schedule, clients: &BTreeSet<String>) {
    clients.iter().for_each(|client| schedule.may_have_calls(client));
}

async fn expire(service: &Service) -> Result<(), Error> {
    for _ in 0..PORTIONS {
        if service.store.expire().await? == 0 {
            break;
        }
    }
    Ok(())
}

fn found(depth: &Depth, now: i64) -> Found {
    let since = |accepted: i64| Duration::from_millis(u64::try_from(now.saturating_sub(accepted)).unwrap_or_default());
    Found {
        client: depth.client.clone(),
        queued: depth.queued,
        dead: depth.dead,
        in_doubt: depth.in_doubt,
        blocked_keys: depth.blocked_lanes,
        oldest: depth.oldest.map_or(Duration::ZERO, since),
        is_paused: depth.paused.is_some(),
    }
}
