//! How much Odoo is given at a time, and whether it is given anything at all.
//!
//! An Odoo answers as many calls at a time as it has workers; what comes beyond that waits here and not there, in a queue that
//! is fair between callers (`turns`). The queue has a length and a deadline, so that a caller hears soon that it should come
//! back. A call that has begun to write is never turned away: half of it is in Odoo already.
//!
//! When connections fail one after another, nothing more is tried until a probe gets through (`watch.rs`).

mod turns;

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    time::{self, Instant},
};

pub use self::turns::Place;
use self::turns::{Kind, NoPlace, Turns};
use super::{
    error::{Error, Queue, Why},
    origin::Party,
};
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
    turns: Arc<Turns>,
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

impl Gate {
    pub fn build(config: &config::Upstream) -> Self {
        Self {
            turns: Turns::new(usize::from(config.max_in_flight.get())),
            queue: config.queue,
            queue_timeout: config.queue_timeout,
            link: watch::Sender::new(Link::default()),
        }
    }

    /// Waits for a place, in turn with the other callers, until `until` at the latest; it is held until it is dropped. None
    /// where the claim takes none.
    ///
    /// # Errors
    ///
    /// Where the queue is full, the time is over, or Odoo cannot be reached; a call that has begun is refused for its time
    /// alone.
    pub async fn enter(&self, claim: Claim, party: Party, until: Instant) -> Result<Option<Place>, Error> {
        match claim {
            Claim::Probe => return Ok(None),
            Claim::Begun => {
                let patience = until.saturating_duration_since(Instant::now());
                let place = self.turns.take(Kind::Begun, party, until).await;
                return place.map(Some).map_err(|_| Error::Busy(Queue::TooLong(patience)));
            }
            Claim::Stream => return self.check_link().map(|()| None),
            Claim::New => {}
        }
        self.check_link()?;
        let patience = Instant::now() + self.queue_timeout;
        let place = self.turns.take(Kind::New { queue: self.queue }, party, patience.min(until)).await;
        // Odoo may have gone down meanwhile; then all who wait hear of it at once.
        self.check_link()?;
        place.map(Some).map_err(|why| match why {
            NoPlace::Full => Error::Busy(Queue::Full(self.queue)),
            NoPlace::TooLate if until < patience => Error::OutOfTime,
            NoPlace::TooLate => Error::Busy(Queue::TooLong(self.queue_timeout)),
        })
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
        self.turns.load()
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
        Gate { turns: Turns::new(1), queue, queue_timeout, link: watch::Sender::new(Link::default()) }
    }

    fn code<T>(outcome: Result<T, Error>) -> &'static str {
        outcome.err().map_or("entered", |error| error.code().as_str())
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    #[tokio::test(start_paused = true)]
    async fn the_queue_has_a_length_and_a_deadline() {
        let gate = gate(1, Duration::from_secs(5));
        let _held = gate.enter(Claim::New, Party::Gateway, soon()).await.unwrap();
        let (first, second) = tokio::join!(
            gate.enter(Claim::New, Party::Gateway, soon()),
            gate.enter(Claim::New, Party::Gateway, soon())
        );
        assert_eq!((code(first), code(second)), ("too_busy", "too_busy"));
        assert_eq!(gate.load(), (1, 0));
        let hurried = Instant::now() + Duration::from_secs(1);
        assert_eq!(code(gate.enter(Claim::New, Party::Gateway, hurried).await), "out_of_time");
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_has_begun_is_not_turned_away() {
        let gate = gate(0, Duration::from_secs(5));
        let held = gate.enter(Claim::New, Party::Gateway, soon()).await.unwrap();
        let release = async {
            time::sleep(Duration::from_secs(30)).await;
            drop(held);
        };
        assert_eq!(code(tokio::join!(gate.enter(Claim::Begun, Party::Gateway, soon()), release).0), "entered");
        let _held = gate.enter(Claim::New, Party::Gateway, soon()).await.unwrap();
        assert_eq!(code(gate.enter(Claim::Begun, Party::Gateway, soon()).await), "too_busy");
    }

    #[tokio::test]
    async fn failed_connections_close_the_gate_until_one_is_made() {
        let gate = gate(1, Duration::from_secs(5));
        let failure = Err::<(), _>(Error::Unreachable { url: String::new(), reason: "refused".to_owned() });
        for _ in 0..FAILURES_TO_OPEN {
            assert_eq!(code(gate.enter(Claim::New, Party::Gateway, soon()).await), "entered");
            gate.connected(&failure);
        }
        let refused = gate.enter(Claim::New, Party::Gateway, soon()).await.unwrap_err();
        assert!(refused.for_operator().contains("(refused)"), "{refused:?}");
        assert_eq!(code(gate.enter(Claim::Begun, Party::Gateway, soon()).await), "entered");
        // What ran out of time may have been on its way to a connection.
        gate.connected(&Err::<(), _>(Error::OutOfTime));
        assert_eq!(code(gate.enter(Claim::New, Party::Gateway, soon()).await), "odoo_unreachable");
        gate.connected(&Ok(()));
        assert_eq!(code(gate.enter(Claim::New, Party::Gateway, soon()).await), "entered");
    }
}
