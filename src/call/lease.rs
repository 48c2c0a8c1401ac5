//! The right to make a call of the store, kept for as long as the call goes on.
//!
//! A heartbeat extends the lease every third of it. What must stay true: no write is begun for a call whose lease has ended, since
//! another gateway may make it by then. Where gateways share the store, the store itself is asked before the first write.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::{
    task::JoinHandle,
    time::{self, Instant},
};

use super::Error;
use crate::{
    execute::Right,
    store::{self, Store, Ticket},
};

/// A part of the lease: it is extended so often, and a store that does not answer is asked again three times as often.
const BEATS: u32 = 3;

/// A lease that is extended until it is dropped.
#[derive(Debug)]
pub struct Lease {
    store: Arc<Store>,
    ticket: Ticket,
    held: Arc<Mutex<Held>>,
    heartbeat: JoinHandle<()>,
}

/// What is known of a lease.
#[derive(Debug, Clone, Copy)]
enum Held {
    /// It was asked for at this time, and given.
    Since(Instant),
    /// Somebody else has the call.
    Lost,
}

impl Lease {
    /// Keeps the lease of a call that was taken. `since` is the time before the store was asked for it.
    pub fn keep(store: Arc<Store>, ticket: Ticket, since: Instant) -> Self {
        let held = Arc::new(Mutex::new(Held::Since(since)));
        let heartbeat = tokio::spawn(beat(store.clone(), ticket.clone(), held.clone()));
        Self { store, ticket, held, heartbeat }
    }

    pub fn ticket(&self) -> &Ticket {
        &self.ticket
    }

    /// Whether somebody else has the call by now.
    pub fn is_lost(&self) -> bool {
        matches!(*self.held.lock(), Held::Lost)
    }

    /// Whether a write may be begun for the call.
    ///
    /// # Errors
    /// The lease has ended, or the store does not answer whether it has. Nothing may be written.
    pub(super) async fn check(&self) -> Result<(), Error> {
        let is_within = |held: &Held| matches!(held, Held::Since(since) if since.elapsed() < self.store.lease());
        let known = *self.held.lock();
        if is_within(&known) && !self.store.is_shared() {
            return Ok(());
        }
        if !self.is_lost() {
            extend(&self.store, &self.ticket, &self.held).await?;
        }
        let known = *self.held.lock();
        if is_within(&known) { Ok(()) } else { Err(Error::LeaseLost) }
    }
}

impl Right for Lease {
    fn lasts(&self) -> BoxFuture<'_, bool> {
        Box::pin(async move { self.check().await.is_ok() })
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.heartbeat.abort();
    }
}

async fn beat(store: Arc<Store>, ticket: Ticket, held: Arc<Mutex<Held>>) {
    let regularly = store.lease() / BEATS;
    let mut pause = regularly;
    loop {
        time::sleep(pause).await;
        pause = match time::timeout(store.lease(), extend(&store, &ticket, &held)).await {
            Ok(Ok(())) => regularly,
            Ok(Err(error)) => {
                tracing::warn!(call = %ticket.id, %error, "the lease of a call could not be extended");
                regularly / BEATS
            }
            Err(_) => Duration::ZERO,
        };
        if matches!(*held.lock(), Held::Lost) {
            tracing::warn!(call = %ticket.id, "the lease of a call has ended: another gateway may make it");
            return;
        }
    }
}

async fn extend(store: &Store, ticket: &Ticket, held: &Mutex<Held>) -> Result<(), store::Error> {
    let asked = Instant::now();
    let is_ours = store.extend(ticket).await?;
    *held.lock() = if is_ours { Held::Since(asked) } else { Held::Lost };
    Ok(())
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::store::{Accepted, Clock, NewCall, Place, Spans};

    fn call() -> NewCall {
        NewCall {
            id: Uuid::now_v7(),
            caller: "client shop".to_owned(),
            client: None,
            key: Some("k".to_owned()),
            digest: [1; 32],
            route: "create_data".to_owned(),
            model: "res.partner".to_owned(),
            request: Vec::new(),
            place: Place::AtOnce,
            keep: None,
            delivery: None,
        }
    }

    #[tokio::test]
    async fn no_write_is_begun_for_a_call_that_somebody_else_has_by_now() {
        let folder = tempfile::tempdir().unwrap();
        let span = Duration::from_secs(86_400);
        let spans = Spans { lease: Duration::from_millis(300), keep: span, callback: span };
        let clock = Clock::virtual_at(1_800_000_000_000);
        let store = Arc::new(Store::in_folder(folder.path(), spans, clock.clone()).await.unwrap());
        let since = Instant::now();
        let ticket = match store.accept(call(), true).await.unwrap() {
            Accepted::New(ticket) => ticket,
            _ => None,
        };
        let ticket = ticket.unwrap();
        let lease = Lease::keep(store.clone(), ticket, since);
        lease.check().await.unwrap();
        clock.set(clock.now() + 10_000);
        assert!(matches!(store.accept(call(), true).await.unwrap(), Accepted::TakenOver { .. }));
        let deadline = Instant::now() + Duration::from_secs(30);
        while !lease.is_lost() {
            assert!(Instant::now() < deadline, "the heartbeat does not tell");
            tokio::task::yield_now().await;
        }
        let refused = lease.check().await.unwrap_err();
        assert_eq!((refused.code().as_str(), refused.retry().as_str()), ("lease_lost", "safe"));
    }
}
