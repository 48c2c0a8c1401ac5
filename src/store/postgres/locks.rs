//! The locks of records that several gateways share: advisory locks of PostgreSQL, in one session of this gateway.
//!
//! A key has one of [`STRIPES`] locks, which sort as the keys do. So the locks of all gateways together fit into PostgreSQL's
//! table of locks (`max_locks_per_transaction` times `max_connections`, 6,400 by default), also where a call writes 10,000 records.
//! Keys with the same lock wait for each other across gateways, and never within one.
//!
//! A lock has a second one, its place: a gateway that waits for the lock holds the place, and only with the place a gateway may try
//! for the lock. So a gateway that releases a lock and asks for it again comes after one that waits for it. PostgreSQL is asked
//! again and again, with growing pauses; a wait in PostgreSQL itself would need a connection for each.
//!
//! What must stay true:
//! - No deadlock between gateways: what a gateway holds already, a further call of it gets without the place.
//! - Messages to the session are handled in their order, so that a release comes before what is asked after it.
//! - The session must be one of PostgreSQL's: behind a PgBouncer that pools transactions, locks are held by nobody.

mod session;

use std::time::Duration;

use futures_util::future::BoxFuture;
use sqlx::postgres::PgConnectOptions;
use tokio::{
    sync::{mpsc, oneshot},
    time::{self, Instant},
};

use tower::util::rng::{HasherRng, Rng};

use self::session::{Ask, Attempt, Message, Place, Stripe, Taken, Trial};
use crate::odoo::{NotTaken, RecordKey, Session, SharedLock, SharedLocks};

/// The number of locks.
const STRIPES: u64 = 4096;
/// The pauses between two attempts to take a lock. An Odoo write takes some ten milliseconds.
const SHORTEST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(64);
/// The same of the one gateway that comes next.
const LONGEST_OF_NEXT: Duration = Duration::from_millis(8);
/// How long a call waits for a PostgreSQL that does not answer, as while it restarts.
const PATIENCE: Duration = Duration::from_secs(10);
/// A PostgreSQL that has answered within this time is there: a call whose time ends meanwhile has met a busy lock.
const ANSWERED_LATELY: Duration = Duration::from_secs(1);

/// The locks that this gateway shares with others.
#[derive(Debug, Clone)]
pub struct AdvisoryLocks {
    session: mpsc::UnboundedSender<Message>,
}

impl AdvisoryLocks {
    /// Begins a session when the first lock is asked for, and another when that has ended. Must be called within a runtime; its task
    /// ends after the last lock and the last of these.
    pub fn new(options: PgConnectOptions) -> Self {
        // As many messages as calls and their locks.
        let (session, messages) = mpsc::unbounded_channel();
        let options = options.application_name("odoo-gateway locks");
        tokio::spawn(session::run(options, session.downgrade(), messages));
        Self { session }
    }

    async fn ask(&self, stripe: Stripe, trial: Trial) -> Result<Attempt, String> {
        let (reply, answer) = oneshot::channel();
        let gone = || "the session of locks has ended".to_owned();
        self.session.send(Message::Ask(Ask { stripe, trial, reply })).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// Asks until the lock is taken, `until` has passed or PostgreSQL has not answered for long.
    async fn wait_for(&self, stripe: Stripe, until: Instant) -> Result<Taken, NotTaken> {
        let mut place: Option<Place> = None;
        let mut unanswered_until = None;
        let mut busy_at: Option<Instant> = None;
        let mut pauses = Pauses::default();
        loop {
            let asked = time::timeout_at(until, self.ask(stripe, Trial::Waits(place.take()))).await;
            let why_not = match asked {
                Ok(Ok(Attempt::Taken(taken))) => return Ok(taken),
                Ok(Ok(Attempt::Next(own))) => {
                    place = Some(own);
                    NotTaken::Busy
                }
                Ok(Ok(Attempt::Busy)) => NotTaken::Busy,
                Ok(Err(reason)) => NotTaken::Unavailable(reason),
                Err(_) if busy_at.is_some_and(|at| at.elapsed() < ANSWERED_LATELY) => NotTaken::Busy,
                Err(_) => NotTaken::Unavailable("PostgreSQL has not answered in time".to_owned()),
            };
            let end = match why_not {
                NotTaken::Busy => {
                    (unanswered_until, busy_at) = (None, Some(Instant::now()));
                    until
                }
                NotTaken::Unavailable(_) => {
                    busy_at = None;
                    until.min(*unanswered_until.get_or_insert_with(|| Instant::now() + PATIENCE))
                }
            };
            let longest = if place.is_some() { LONGEST_OF_NEXT } else { LONGEST_PAUSE };
            let again = Instant::now() + pauses.next().min(longest);
            if again >= end {
                return Err(why_not);
            }
            time::sleep_until(again).await;
        }
    }
}

impl SharedLocks for AdvisoryLocks {
    fn take(&self, key: RecordKey, until: Instant) -> BoxFuture<'_, Result<Box<dyn SharedLock>, NotTaken>> {
        Box::pin(async move {
            let taken = self.wait_for(stripe(key), until).await?;
            Ok(Box::new(taken) as Box<dyn SharedLock>)
        })
    }

    fn try_take(&self, key: RecordKey) -> BoxFuture<'_, Option<Box<dyn SharedLock>>> {
        Box::pin(async move {
            match self.ask(stripe(key), Trial::Once).await {
                Ok(Attempt::Taken(taken)) => Some(Box::new(taken) as Box<dyn SharedLock>),
                Ok(Attempt::Next(_) | Attempt::Busy) | Err(_) => None,
            }
        })
    }

    fn is_current(&self, session: Session) -> BoxFuture<'_, bool> {
        Box::pin(async move {
            let (reply, answer) = oneshot::channel();
            self.session.send(Message::Check { session, reply }).is_ok() && answer.await.unwrap_or(false)
        })
    }
}

impl SharedLock for Taken {
    fn session(&self) -> Session {
        Taken::session(self)
    }
}

/// The lock of a key.
fn stripe(key: RecordKey) -> Stripe {
    let stripe = key.number() / (u64::MAX / STRIPES + 1);
    Stripe(i32::try_from(stripe).unwrap_or(i32::MAX))
}

/// Growing pauses, each between half and all of its length, so that gateways do not ask in step.
#[derive(Debug, Default)]
struct Pauses {
    last: Duration,
    random: HasherRng,
}

impl Pauses {
    fn next(&mut self) -> Duration {
        self.last = (self.last * 2).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
        self.last.mul_f64(0.5 + self.random.next_f64() / 2.0)
    }
}
