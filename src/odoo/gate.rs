//! How much Odoo is given at a time, and whether it is given anything at all.
//!
//! An Odoo answers as many calls at a time as it has workers; what comes beyond that waits here, in order, and not there.
//! The queue has a length and a deadline, so that a caller hears soon that it should come back. A call that has begun to
//! write is never turned away: half of it is in Odoo already.
//!
//! When connections fail one after another, nothing more is tried until a probe gets through (`watch.rs`).

use std::{
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

use tokio::{
    sync::{Semaphore, SemaphorePermit, watch},
    time::{self, Instant},
};

use super::error::{Error, Queue, Why};
use crate::config;

/// So many connections in a row fail before no more are tried.
const FAILURES_TO_OPEN: u32 = 5;

/// On whose behalf a place is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// A call that has changed nothing yet.
    New,
    /// A call that has begun to write: it must go on, or back.
    Begun,
    /// A transfer or a long wait that is passed on: it would hold its place for as long as somebody else likes.
    Stream,
    /// The gateway itself, which wants to know whether Odoo is there.
    Probe,
}

/// The way to Odoo, for the whole gateway.
#[derive(Debug)]
pub struct Gate {
    places: Semaphore,
    /// How many places there are.
    most: usize,
    waiting: AtomicUsize,
    queue: usize,
    queue_timeout: Duration,
    link: watch::Sender<Link>,
}

/// What the last connections came to.
#[derive(Debug, Clone, Default)]
pub(super) struct Link {
    /// Connections in a row that could not be made.
    failures: u32,
    reason: String,
}

impl Link {
    pub(super) fn is_in_doubt(&self) -> bool {
        self.failures > 0
    }

    fn is_down(&self) -> bool {
        self.failures >= FAILURES_TO_OPEN
    }
}

/// Counts one who waits, for as long as it lives.
struct Waiting<'g>(&'g AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Gate {
    pub fn build(config: &config::Upstream) -> Self {
        Self {
            places: Semaphore::new(usize::from(config.max_in_flight.get())),
            most: usize::from(config.max_in_flight.get()),
            waiting: AtomicUsize::new(0),
            queue: config.queue,
            queue_timeout: config.queue_timeout,
            link: watch::Sender::new(Link::default()),
        }
    }

    /// Waits for a place until `until` at the latest; it is held until the permit is dropped.
    pub async fn enter(&self, claim: Claim, until: Instant) -> Result<Option<SemaphorePermit<'_>>, Error> {
        // Never closed.
        let place = async { self.places.acquire().await.ok() };
        match claim {
            Claim::Probe => return Ok(None),
            Claim::Begun => {
                let patience = until.saturating_duration_since(Instant::now());
                return time::timeout(patience, place).await.map_err(|_| Error::Busy(Queue::TooLong(patience)));
            }
            Claim::Stream => return self.check_link().map(|()| None),
            Claim::New => {}
        }
        self.check_link()?;
        if let Ok(place) = self.places.try_acquire() {
            return Ok(Some(place));
        }
        let waiting = Waiting(&self.waiting);
        if self.waiting.fetch_add(1, Relaxed) >= self.queue {
            return Err(Error::Busy(Queue::Full(self.queue)));
        }
        let patience = Instant::now() + self.queue_timeout;
        let place = time::timeout_at(patience.min(until), place).await;
        drop(waiting);
        // Odoo may have gone down meanwhile; then all who wait hear of it at once.
        self.check_link()?;
        place.map_err(
            |_| if until < patience { Error::OutOfTime } else { Error::Busy(Queue::TooLong(self.queue_timeout)) },
        )
    }

    fn check_link(&self) -> Result<(), Error> {
        let link = self.link.borrow();
        if link.is_down() { Err(Error::Down { reason: link.reason.clone() }) } else { Ok(()) }
    }

    /// Takes note of what a connection came to.
    pub fn connected<T>(&self, outcome: &Result<T, Error>) {
        match outcome {
            Err(Error::Unreachable { reason, .. }) => self.link.send_modify(|link| {
                link.failures = link.failures.saturating_add(1);
                link.reason.clone_from(reason);
            }),
            // This may have been on the way to a connection.
            Err(Error::OutOfTime | Error::NoAnswer { why: Why::TimedOut(_), .. }) => {}
            _ => {
                self.link.send_if_modified(|link| {
                    let was_in_doubt = link.is_in_doubt();
                    *link = Link::default();
                    was_in_doubt
                });
            }
        }
    }

    /// How many calls Odoo works on, and how many wait for that.
    pub fn load(&self) -> (usize, usize) {
        (self.most - self.places.available_permits().min(self.most), self.waiting.load(Relaxed))
    }

    /// Whether connections to Odoo are made.
    pub fn is_up(&self) -> bool {
        !self.link.borrow().is_in_doubt()
    }

    /// Waits until connections are made again, and not beyond `until`.
    pub(super) async fn wait_for_link(&self, until: Instant) {
        let mut link = self.link();
        let is_back = async { link.wait_for(|link| !link.is_in_doubt()).await.map(drop) };
        let _ = time::timeout_at(until, is_back).await;
    }

    pub(super) fn link(&self) -> watch::Receiver<Link> {
        self.link.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(queue: usize, queue_timeout: Duration) -> Gate {
        Gate {
            places: Semaphore::new(1),
            most: 1,
            waiting: AtomicUsize::new(0),
            queue,
            queue_timeout,
            link: watch::Sender::new(Link::default()),
        }
    }

    fn code<T>(outcome: Result<T, Error>) -> &'static str {
        outcome.err().map_or("entered", |error| error.code())
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    #[tokio::test(start_paused = true)]
    async fn the_queue_has_a_length_and_a_deadline() {
        let gate = gate(1, Duration::from_secs(5));
        let _held = gate.enter(Claim::New, soon()).await.unwrap();
        let (first, second) = tokio::join!(gate.enter(Claim::New, soon()), gate.enter(Claim::New, soon()));
        assert_eq!((code(first), code(second)), ("too_busy", "too_busy"));
        assert_eq!(gate.waiting.load(Relaxed), 0);
        let hurried = Instant::now() + Duration::from_secs(1);
        assert_eq!(code(gate.enter(Claim::New, hurried).await), "out_of_time");
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_has_begun_is_not_turned_away() {
        let gate = gate(0, Duration::from_secs(5));
        let held = gate.enter(Claim::New, soon()).await.unwrap();
        let release = async {
            time::sleep(Duration::from_secs(30)).await;
            drop(held);
        };
        assert_eq!(code(tokio::join!(gate.enter(Claim::Begun, soon()), release).0), "entered");
        let _held = gate.enter(Claim::New, soon()).await.unwrap();
        assert_eq!(code(gate.enter(Claim::Begun, soon()).await), "too_busy");
    }

    #[tokio::test]
    async fn failed_connections_close_the_gate_until_one_is_made() {
        let gate = gate(1, Duration::from_secs(5));
        let failure = Err::<(), _>(Error::Unreachable { url: String::new(), reason: "refused".to_owned() });
        for _ in 0..FAILURES_TO_OPEN {
            assert_eq!(code(gate.enter(Claim::New, soon()).await), "entered");
            gate.connected(&failure);
        }
        let refused = gate.enter(Claim::New, soon()).await.unwrap_err();
        assert!(refused.for_operator().contains("(refused)"), "{refused:?}");
        assert_eq!(code(gate.enter(Claim::Begun, soon()).await), "entered");
        // What ran out of time may have been on its way to a connection.
        gate.connected(&Err::<(), _>(Error::OutOfTime));
        assert_eq!(code(gate.enter(Claim::New, soon()).await), "odoo_unreachable");
        gate.connected(&Ok(()));
        assert_eq!(code(gate.enter(Claim::New, soon()).await), "entered");
    }
}
