//! One worker: it waits for its turn, claims one call, makes it, and records what became of it.

use std::{sync::Arc, time::Duration};

use tokio::time::{self, Instant};

use super::{Shared, attempt, chance::chance, gate::Pass, retry, schedule::Turn};
use crate::{call::Service, store::Claimed};

/// How long live calls that wait are given way before they are looked at again.
const GIVE_WAY: Duration = Duration::from_millis(20);
/// The longest pause after the store did not answer.
const STORE_PAUSE: Duration = Duration::from_secs(5);

pub(super) struct Worker {
    shared: Arc<Shared>,
    /// How often the store did not answer, one time after another.
    failures: u32,
}

/// What a worker has waited for.
struct Ready {
    service: Arc<Service>,
    turn: Turn,
    pass: Pass,
}

impl Worker {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, failures: 0 }
    }

    /// Works until the gateway stops.
    pub(super) async fn run(mut self) {
        let stop = self.shared.stop.clone();
        while let Some(ready) = stop.run_until_cancelled(self.ready()).await {
            // From here on nothing is cut: what the store has given is brought to an end.
            self.work(ready).await;
        }
    }

    /// Waits for a turn, for Odoo, for live calls and for the pace.
    async fn ready(&self) -> Ready {
        if self.failures > 0 {
            time::sleep(retry::pause(self.failures, STORE_PAUSE, chance())).await;
        }
        let Shared { current, schedule, gate, pace, .. } = &*self.shared;
        let turn = schedule.next().await;
        let odoo = || current.site().calls.odoo.clone();
        let pass = gate.pass(|| odoo().limit().breaker().is_up()).await;
        while odoo().load().1 > 0 {
            time::sleep(GIVE_WAY).await;
        }
        pace.next().await;
        Ready { service: current.site().calls.clone(), turn, pass }
    }

    async fn work(&mut self, ready: Ready) {
        let Ready { service, turn, pass } = ready;
        let asked = Instant::now();
        let claimed = service.store.claim(&turn.client).await;
        service.metrics.queue.claim(asked.elapsed());
        let claimed: Claimed = match claimed {
            Ok(Some(claimed)) => claimed,
            Ok(None) => {
                self.failures = 0;
                self.shared.pace.give_back();
                turn.found_nothing();
                return;
            }
            Err(error) => {
                self.shared.pace.give_back();
                if self.failures == 0 {
                    tracing::warn!(%error, "the store does not answer; queued calls wait");
                }
                service.metrics.queue.store(false);
                self.failures = self.failures.saturating_add(1);
                return;
            }
        };
        self.failures = 0;
        let client = turn.client.clone();
        attempt::make(&self.shared, &service, claimed, asked, pass).await;
        // The next of its lane may be due.
        self.shared.schedule.may_have_calls(&client);
        drop(turn);
    }
}
