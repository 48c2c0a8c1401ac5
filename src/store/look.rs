//! Looking at calls in the store: one by its id, many by a filter with a cursor, and how many there are.

use futures_util::{FutureExt, future::BoxFuture};
use sqlx::{Error as SqlError, Row};
use uuid::Uuid;

use super::{
    backend::{Operation, Tx},
    call::{State, StoredCall},
    query::Query,
    row::{self, STORED},
};

/// Which calls are meant. What is not given does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    pub ids: Vec<Uuid>,
    pub states: Vec<State>,
    pub client: Option<String>,
    pub model: Option<String>,
    pub route: Option<String>,
    /// The code of the last error.
    pub error: Option<String>,
    pub lane: Option<String>,
    /// The idempotency key.
    pub key: Option<String>,
    /// Accepted before this time of the store.
    pub before: Option<i64>,
    /// Only calls that wait for another one of their lane.
    pub is_blocked: bool,
}

impl Filter {
    /// Adds the conditions behind a `WHERE`.
    pub(super) fn conditions(&self, query: &mut Query) {
        query.push("1 = 1");
        if !self.ids.is_empty() {
            query.push(" AND calls.id IN (");
            for (place, id) in self.ids.iter().enumerate() {
                query.push(if place == 0 { "" } else { ", " }).bind_text(id.to_string());
            }
            query.push(")");
        }
        if !self.states.is_empty() {
            // As literals, so that the partial indexes serve.
            let states: Vec<String> = self.states.iter().map(|state| format!("'{}'", state.as_str())).collect();
            query.push(&format!(" AND calls.state IN ({})", states.join(", ")));
        }
        let texts = [
            (" AND calls.client = ", &self.client),
            (" AND calls.model = ", &self.model),
            (" AND calls.route = ", &self.route),
            (" AND calls.error = ", &self.error),
            (" AND calls.lane = ", &self.lane),
            (" AND calls.idempotency_key = ", &self.key),
        ];
        for (condition, text) in texts {
            if let Some(text) = text {
                query.push(condition).bind_text(text);
            }
        }
        if let Some(before) = self.before {
            query.push(" AND calls.accepted < ").bind_number(before);
        }
        if self.is_blocked {
            query.push(
                " AND calls.state = 'queued' AND EXISTS (SELECT 1 FROM calls first WHERE first.lane = calls.lane \
                 AND first.state = 'queued' AND first.seq < calls.seq)",
            );
        }
    }
}

/// One call, with its outcome.
pub(super) struct Find {
    pub(super) id: Uuid,
}

impl Operation for Find {
    type Reply = Option<StoredCall>;

    fn run<'a>(&'a self, tx: &'a mut Tx<'_>) -> BoxFuture<'a, Result<Option<StoredCall>, SqlError>> {
        async move {
            let mut query = Query::new("SELECT ");
            query
                .push(STORED)
                .push(", calls.outcome, calls.progress FROM calls LEFT JOIN lanes ON lanes.lane = calls.lane WHERE calls.id = ");
            query.bind_text(self.id.to_string());
            let Some(found) = query.build().fetch_optional(&mut *tx.connection).await? else { return Ok(None) };
            let outcome = found.try_get("outcome")?;
            let progress = found.try_get("progress")?;
            Ok(Some(StoredCall { progress, ..row::stored(&found, outcome)? }))
        }
        .boxed()
    }
}

/// What is known of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownKey {
    pub id: Uuid,
    pub state: State,
    /// Nobody holds its call any more, or it is in doubt: a repetition may take it over.
    pub may_be_taken_over: bool,
}

/// What is known of a caller's key.
pub(super) struct FindKey {
    pub(super) caller: String,
    pub(super) key: String,
}

impl Operation for FindKey {
    type Reply = Option<KnownKey>;

    fn run<'a>(&'a self, tx: &'a mut Tx<'_>) -> BoxFuture<'a, Result<Option<KnownKey>, SqlError>> {
        async move {
            let find = "SELECT id, state, lease_until FROM calls WHERE caller = $1 AND idempotency_key = $2";
            let find = sqlx::query(find).bind(&self.caller).bind(&self.key);
            let Some(found) = find.fetch_optional(&mut *tx.connection).await? else { return Ok(None) };
            let (state, lease_until): (String, i64) = (found.try_get("state")?, found.try_get("lease_until")?);
            let state = row::state(&state)?;
            let is_free = matches!(state, State::Running | State::InDoubt) && lease_until <= tx.now;
            Ok(Some(KnownKey { id: row::id(&found, "id")?, state, may_be_taken_over: is_free }))
        }
        .boxed()
    }
}

/// Where a page of outcomes begins: behind the one that was closed then and has this `seq`.
pub type OutcomeCursor = (i64, i64);

/// The outcomes of calls that have ended for good, in the order in which they ended, each with the cursor behind it.
pub(super) struct Outcomes {
    pub(super) after: OutcomeCursor,
    pub(super) most: u32,
}

const OUTCOMES: &str = "SELECT closed, seq, outcome FROM calls WHERE state = 'done' AND closed >= $1 \
                        AND (closed > $1 OR seq > $2) AND outcome IS NOT NULL ORDER BY closed, seq LIMIT $3";

impl Operation for Outcomes {
    type Reply = Vec<(OutcomeCursor, Vec<u8>)>;

    fn run<'a>(&'a self, tx: &'a mut Tx<'_>) -> BoxFuture<'a, Result<Self::Reply, SqlError>> {
        async move {
            let (closed, seq) = self.after;
            let query = sqlx::query(OUTCOMES).bind(closed).bind(seq).bind(i64::from(self.most));
            let rows = query.fetch_all(&mut *tx.connection).await?;
            let outcome = |found: &sqlx::any::AnyRow| {
                Ok(((found.try_get("closed")?, found.try_get("seq")?), found.try_get("outcome")?))
            };
            rows.iter().map(outcome).collect()
        }
        .boxed()
    }
}

/// A page of calls, the oldest first, without their outcomes.
pub(super) struct List {
    pub(super) filter: Filter,
    /// The `seq` behind which the page begins.
    pub(super) after: i64,
    pub(super) most: u32,
}

impl Operation for List {
    type Reply = Vec<StoredCall>;

    fn run<'a>(&'a self, tx: &'a mut Tx<'_>) -> BoxFuture<'a, Result<Vec<StoredCall>, SqlError>> {
        async move {
            let mut query = Query::new("SELECT ");
            query.push(STORED).push(" FROM calls LEFT JOIN lanes ON lanes.lane = calls.lane WHERE ");
            self.filter.conditions(&mut query);
            query.push(" AND calls.seq > ").bind_number(self.after);
            query.push(" ORDER BY calls.seq LIMIT ").bind_number(i64::from(self.most));
            let rows = query.build().fetch_all(&mut *tx.connection).await?;
            rows.iter().map(|found| row::stored(found, None)).collect()
        }
        .boxed()
    }
}

/// How many calls of a filter there are in each state.
pub(super) struct Count {
    pub(super) filter: Filter,
}

impl Operation for Count {
    type Reply = Vec<(State, u64)>;

    fn run<'a>(&'a self, tx: &'a mut Tx<'_>) -> BoxFuture<'a, Result<Vec<(State, u64)>, SqlError>> {
        async move {
            let mut query = Query::new("SELECT calls.state, COUNT(*) FROM calls WHERE ");
            self.filter.conditions(&mut query);
            query.push(" GROUP BY calls.state ORDER BY calls.state");
            let rows = query.build().fetch_all(&mut *tx.connection).await?;
            let count = |found: &sqlx::any::AnyRow| {
                let (called, number): (String, i64) = (found.try_get(0)?, found.try_get(1)?);
                Ok((row::state(&called)?, u64::try_from(number).unwrap_or_default()))
            };
            rows.iter().map(count).collect()
        }
        .boxed()
    }
}

/// How many calls a client has in the store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Depth {
    pub client: String,
    pub queued: u64,
    /// When the oldest that is queued was accepted.
    pub oldest: Option<i64>,
    pub dead: u64,
    pub in_doubt: u64,
    /// Lanes in which calls wait for one that is not due yet.
    pub blocked_lanes: u64,
    /// Why its queue is paused.
    pub paused: Option<String>,
}

/// The depths of all clients that have calls or are paused.
pub(super) struct Depths;

const DEPTHS: &str = "SELECT client, 'queued' AS what, COUNT(*) AS number, MIN(accepted) AS oldest FROM calls \
                      WHERE state = 'queued' GROUP BY client \
                      UNION ALL SELECT client, 'dead', COUNT(*), 0 FROM calls WHERE state = 'dead' GROUP BY client \
                      UNION ALL SELECT client, 'in_doubt', COUNT(*), 0 FROM calls WHERE state = 'in_doubt' GROUP BY client \
                      UNION ALL SELECT client, 'blocked', COUNT(*), 0 FROM lanes WHERE depth > 1 AND holder IS NULL AND due > $1 \
                      GROUP BY client";

impl Operation for Depths {
    type Reply = Vec<Depth>;

    fn run<'a>(&'a self, tx: &'a mut Tx<'_>) -> BoxFuture<'a, Result<Vec<Depth>, SqlError>> {
        async move {
            let mut depths = std::collections::BTreeMap::<String, Depth>::new();
            let mut of = |client: Option<String>, change: &mut dyn FnMut(&mut Depth)| {
                let client = client.unwrap_or_default();
                change(depths.entry(client.clone()).or_insert_with(|| Depth { client, ..Depth::default() }));
            };
            for found in sqlx::query(DEPTHS).bind(tx.now).fetch_all(&mut *tx.connection).await? {
                let what: String = found.try_get("what")?;
                let number: i64 = found.try_get("number")?;
                let number = u64::try_from(number).unwrap_or_default();
                let oldest: Option<i64> = found.try_get("oldest")?;
                of(found.try_get("client")?, &mut |depth| match what.as_str() {
                    "queued" => (depth.queued, depth.oldest) = (number, oldest),
                    "dead" => depth.dead = number,
                    "in_doubt" => depth.in_doubt = number,
                    _ => depth.blocked_lanes = number,
                });
            }
            for found in sqlx::query("SELECT client, why FROM pauses").fetch_all(&mut *tx.connection).await? {
                let why: String = found.try_get("why")?;
                of(found.try_get("client")?, &mut |depth| depth.paused = Some(why.clone()));
            }
            Ok(depths.into_values().collect())
        }
        .boxed()
    }
}

/// The statements of this file that look for rows, for a look at how SQLite carries them out.
#[cfg(test)]
pub(super) const STATEMENTS: [&str; 2] = [DEPTHS, OUTCOMES];
