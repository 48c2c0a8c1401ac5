//! The session that holds this gateway's shared locks: one connection to PostgreSQL, and what is held in it.
//!
//! What was asked meanwhile goes to PostgreSQL together, in one statement for all of it. After an error the connection is given up:
//! which locks it still had cannot be known, and its end releases them. The next question makes another one.

use std::{collections::HashMap, time::Duration};

use sqlx::{
    Connection, Row,
    postgres::{PgConnectOptions, PgConnection},
};
use tokio::{
    sync::{
        mpsc::{UnboundedReceiver, UnboundedSender, WeakUnboundedSender},
        oneshot,
    },
    time::{self, Instant},
};

use crate::odoo::Session;

/// How many messages share a statement.
const MOST_TOGETHER: usize = 512;
/// A connection that was silent for so long is tried, so that its end is noticed and no firewall forgets it.
const IDLE: Duration = Duration::from_secs(10);
/// How long PostgreSQL may take for an answer.
const ANSWER: Duration = Duration::from_secs(5);
/// The pauses between two connections.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// PostgreSQL notices within 30 s that the machine of a gateway is gone, which holds locks until then; by default after 2 hours.
const SETTINGS: &str = "SET tcp_keepalives_idle = 15; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3; \
                        SET statement_timeout = 0";

/// One row for each operation, in their order. 0 and 1 release a lock and a place; 2, 3 and 4 try for a lock: without the place,
/// with it, and once. They give 0 where another gateway has the place, 1 where this one has it now, and 2 for the lock. The first
/// number of a lock says what it is: `oglk` and `ogpl` in ASCII.
const STATEMENT: &str = "\
    SELECT CASE op \
    WHEN 0 THEN pg_advisory_unlock(1869048939, id)::int \
    WHEN 1 THEN pg_advisory_unlock(1869049964, id)::int \
    WHEN 2 THEN CASE WHEN NOT pg_try_advisory_lock(1869049964, id) THEN 0 \
                     WHEN NOT pg_try_advisory_lock(1869048939, id) THEN 1 \
                     WHEN pg_advisory_unlock(1869049964, id) THEN 2 END \
    WHEN 3 THEN CASE WHEN NOT pg_try_advisory_lock(1869048939, id) THEN 1 \
                     WHEN pg_advisory_unlock(1869049964, id) THEN 2 END \
    WHEN 4 THEN CASE WHEN NOT pg_try_advisory_lock(1869049964, id) THEN 0 \
                     WHEN NOT pg_try_advisory_lock(1869048939, id) \
                         THEN CASE WHEN pg_advisory_unlock(1869049964, id) THEN 0 END \
                     WHEN pg_advisory_unlock(1869049964, id) THEN 2 END \
    END FROM unnest($1::int[], $2::int[]) WITH ORDINALITY AS asked (op, id, number) ORDER BY number";

/// The number of a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Stripe(pub(super) i32);

/// What the session is told and asked.
pub(super) enum Message {
    Ask(Ask),
    /// Whether this session lasts.
    Check {
        session: Session,
        reply: oneshot::Sender<bool>,
    },
    Release(What, Stripe, Session),
}

/// Where the answer to an attempt goes.
type Reply = oneshot::Sender<Result<Attempt, String>>;

/// An attempt to take a lock.
pub(super) struct Ask {
    pub(super) stripe: Stripe,
    pub(super) trial: Trial,
    /// Dropped where the caller has gone; then what was taken is released.
    pub(super) reply: Reply,
}

pub(super) enum Trial {
    /// The caller does something else where the lock is not free.
    Once,
    /// The caller asks again, and keeps the place where it has it.
    Waits(Option<Place>),
}

/// What became of it.
#[derive(Debug)]
pub(super) enum Attempt {
    Taken(Taken),
    /// Another gateway holds the lock, and this one comes next.
    Next(Place),
    Busy,
}

/// What a guard releases.
#[derive(Debug, Clone, Copy)]
pub(super) enum What {
    Lock,
    Place,
}

/// A lock that is held.
#[derive(Debug)]
pub(super) struct Taken(Guard);

/// The place of the gateway that comes next.
#[derive(Debug)]
pub(super) struct Place(Guard);

/// Released when this is dropped.
#[derive(Debug)]
struct Guard {
    what: What,
    stripe: Stripe,
    session: Session,
    releases: Option<UnboundedSender<Message>>,
}

impl Taken {
    pub(super) fn session(&self) -> Session {
        self.0.session
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(releases) = self.releases.take() {
            // Where the session's task has ended, its connection has, too.
            let _ = releases.send(Message::Release(self.what, self.stripe, self.session));
        }
    }
}

/// Handles messages until all their senders are gone.
pub(super) async fn run(
    options: PgConnectOptions,
    releases: WeakUnboundedSender<Message>,
    mut messages: UnboundedReceiver<Message>,
) {
    let mut holder = Holder {
        options,
        releases,
        session: Session(0),
        connection: None,
        held: HashMap::new(),
        lost: Lost { reason: String::new(), pause: Duration::ZERO, until: Instant::now() },
    };
    let mut together = Vec::new();
    loop {
        // Where the time has passed there is nothing, and the connection is tried.
        if time::timeout(IDLE, messages.recv_many(&mut together, MOST_TOGETHER)).await == Ok(0) {
            return;
        }
        holder.handle(std::mem::take(&mut together)).await;
    }
}

/// The connection and the locks that it holds.
struct Holder {
    options: PgConnectOptions,
    releases: WeakUnboundedSender<Message>,
    /// Of the connection that there is, or of the last one.
    session: Session,
    connection: Option<PgConnection>,
    held: HashMap<Stripe, Held>,
    lost: Lost,
}

/// A lock that is held. Calls with keys of the same lock hold it together.
#[derive(Default)]
struct Held {
    calls: usize,
    /// How often PostgreSQL gave it to this session: as often it must be given back.
    taken: usize,
}

/// Why there is no connection, and how long none is made.
struct Lost {
    reason: String,
    pause: Duration,
    until: Instant,
}

/// One row of the statement, with the place of its answer.
struct Operation {
    number: i32,
    stripe: Stripe,
    ask: Option<(Option<Place>, Reply)>,
}

impl Operation {
    fn release(what: What, stripe: Stripe) -> Self {
        Self { number: if matches!(what, What::Lock) { 0 } else { 1 }, stripe, ask: None }
    }
}

impl Holder {
    async fn handle(&mut self, messages: Vec<Message>) {
        let is_idle = messages.is_empty();
        if messages.iter().any(|message| matches!(message, Message::Ask(_))) {
            self.connect().await;
        }
        let (mut operations, mut checks) = (Vec::new(), Vec::new());
        for message in messages {
            match message {
                Message::Ask(ask) => operations.extend(self.operation(ask)),
                Message::Check { session, reply } => checks.push((session, reply)),
                // The end of another session has released what was held in it.
                Message::Release(_, _, session) if session != self.session => {}
                Message::Release(What::Place, stripe, _) => operations.push(Operation::release(What::Place, stripe)),
                Message::Release(What::Lock, stripe, _) => operations.extend(self.release(stripe)),
            }
        }
        let is_needed = is_idle || !operations.is_empty() || !checks.is_empty();
        let answers = if is_needed { self.carry_out(&operations).await } else { Vec::new() };
        for (operation, answer) in operations.into_iter().zip(answers) {
            if let Some((place, reply)) = operation.ask {
                // What a caller that has gone gets is dropped here, and so released.
                let _ = reply.send(answer.map(|answer| self.attempt(operation.stripe, place, answer)));
            }
        }
        for (session, reply) in checks {
            let _ = reply.send(self.connection.is_some() && session == self.session);
        }
    }

    /// What PostgreSQL is asked, unless this gateway holds the lock already, or there is no connection.
    fn operation(&mut self, ask: Ask) -> Option<Operation> {
        let Ask { stripe, trial, reply } = ask;
        if self.connection.is_none() {
            let _ = reply.send(Err(self.lost.reason.clone()));
            return None;
        }
        if let Some(held) = self.held.get_mut(&stripe) {
            held.calls += 1;
            let _ = reply.send(Ok(Attempt::Taken(Taken(self.guard(What::Lock, stripe)))));
            return None;
        }
        let (number, place) = match trial {
            Trial::Once => (4, None),
            Trial::Waits(Some(place)) if place.0.session == self.session => (3, Some(place)),
            Trial::Waits(_) => (2, None),
        };
        Some(Operation { number, stripe, ask: Some((place, reply)) })
    }

    /// Gives a lock back once no call holds it.
    fn release(&mut self, stripe: Stripe) -> Vec<Operation> {
        let Some(held) = self.held.get_mut(&stripe) else { return Vec::new() };
        held.calls -= 1;
        if held.calls > 0 {
            return Vec::new();
        }
        let taken = held.taken;
        self.held.remove(&stripe);
        (0..taken).map(|_| Operation::release(What::Lock, stripe)).collect()
    }

    fn attempt(&mut self, stripe: Stripe, place: Option<Place>, answer: i32) -> Attempt {
        match answer {
            2 => {
                // It was given back with the lock.
                if let Some(mut place) = place {
                    place.0.releases = None;
                }
                let held = self.held.entry(stripe).or_default();
                held.calls += 1;
                held.taken += 1;
                Attempt::Taken(Taken(self.guard(What::Lock, stripe)))
            }
            1 => Attempt::Next(place.unwrap_or_else(|| Place(self.guard(What::Place, stripe)))),
            _ => Attempt::Busy,
        }
    }

    fn guard(&self, what: What, stripe: Stripe) -> Guard {
        Guard { what, stripe, session: self.session, releases: self.releases.upgrade() }
    }

    /// The answers to the operations, one each. Where there are none, it tries the connection.
    async fn carry_out(&mut self, operations: &[Operation]) -> Vec<Result<i32, String>> {
        let Some(connection) = &mut self.connection else {
            return operations.iter().map(|_| Err(self.lost.reason.clone())).collect();
        };
        match time::timeout(ANSWER, answers(connection, operations)).await.unwrap_or_else(|_| Err(no_answer())) {
            Ok(answers) => {
                self.lost.pause = Duration::ZERO;
                answers.into_iter().map(Ok).collect()
            }
            Err(reason) => {
                tracing::warn!(locks = self.held.len(), %reason, "the session of the locks that gateways share has ended");
                self.connection = None;
                self.held.clear();
                self.lose(reason.clone());
                operations.iter().map(|_| Err(reason.clone())).collect()
            }
        }
    }

    async fn connect(&mut self) {
        if self.connection.is_some() || Instant::now() < self.lost.until {
            return;
        }
        match time::timeout(ANSWER, connected(&self.options)).await {
            Ok(Ok(connection)) => {
                self.session = Session(self.session.0 + 1);
                self.connection = Some(connection);
            }
            Ok(Err(error)) => self.lose(error.to_string()),
            Err(_) => self.lose(no_answer()),
        }
    }

    /// Makes no other connection for a while.
    fn lose(&mut self, reason: String) {
        self.lost.pause = (self.lost.pause * 2).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
        self.lost.until = Instant::now() + self.lost.pause;
        self.lost.reason = reason;
    }
}

fn no_answer() -> String {
    format!("PostgreSQL has not answered within {} s", ANSWER.as_secs())
}

async fn answers(connection: &mut PgConnection, operations: &[Operation]) -> Result<Vec<i32>, String> {
    let numbers: Vec<i32> = operations.iter().map(|operation| operation.number).collect();
    let stripes: Vec<i32> = operations.iter().map(|operation| operation.stripe.0).collect();
    let rows = sqlx::query(STATEMENT).bind(numbers).bind(stripes).fetch_all(connection).await;
    let answers = rows.and_then(|rows| rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<i32>, _>>());
    let answers = answers.map_err(|error| error.to_string())?;
    let all_kept = operations.iter().zip(&answers).all(|(operation, answer)| operation.ask.is_some() || *answer == 1);
    if !all_kept || answers.len() != operations.len() {
        let cause = "[cluster] url must not lead to a PgBouncer that pools transactions";
        return Err(format!("PostgreSQL does not keep locks for a connection; {cause}"));
    }
    Ok(answers)
}

async fn connected(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    let mut connection = PgConnection::connect_with(options).await?;
    sqlx::raw_sql(SETTINGS).execute(&mut connection).await?;
    // A standby takes locks, too, which the gateways at the primary do not see.
    let is_standby: bool = sqlx::query_scalar("SELECT pg_is_in_recovery()").fetch_one(&mut connection).await?;
    match is_standby {
        true => {
            Err(sqlx::Error::Protocol("this PostgreSQL is a standby; [cluster] url must lead to the primary".into()))
        }
        false => Ok(connection),
    }
}
