//! What people change: calls are tried again or dropped by a filter, and queues are paused.
//!
//! Each operation changes a bounded number of calls, says how many, and goes on behind the last of them when it is repeated.

use futures_util::{FutureExt, future::BoxFuture};
use sqlx::{Error as SqlError, Row, any::AnyRow};
use uuid::Uuid;

use super::{
    accept::JOIN_LANE,
    backend::{Operation, Tx},
    call::State,
    look::Filter,
    query::Query,
};

/// So many calls are changed in one transaction.
const AT_ONCE: i64 = 500;

/// When a lane is due that a person sends on: the command line beside a gateway has another clock than the gateway.
const AT_ANY_TIME: i64 = 0;

/// Puts dead calls back into their lanes, and makes those due at once that wait for another try.
pub(super) struct Retry {
    pub(super) filter: Filter,
    /// Calls up to this `seq` have been changed before.
    pub(super) after: i64,
}

/// What a bounded change has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Changed {
    pub(super) number: u64,
    /// The `seq` of the last call that was looked at; none where no more are left.
    pub(super) last: Option<i64>,
}

impl Operation for Retry {
    type Reply = Changed;

    fn run<'a>(&'a self, tx: &'a mut Tx<'_>) -> BoxFuture<'a, Result<Changed, SqlError>> {
        async move {
            let rows = chosen(tx, &self.filter, "('dead', 'queued')", self.after).await?;
            let mut number = 0;
            for found in &rows {
                let (id, client): (String, Option<String>) = (found.try_get("id")?, found.try_get("client")?);
                let (state, lane): (String, Option<String>) = (found.try_get("state")?, found.try_get("lane")?);
                let Some(client) = client else { continue };
                // A call that was made at once has had no lane.
                let lane = lane.unwrap_or_else(|| format!("call {id}"));
                if state == State::Queued.as_str() {
                    let due = sqlx::query("UPDATE lanes SET due = $1 WHERE lane = $2 AND holder IS NULL AND due > $1");
                    number += due.bind(AT_ANY_TIME).bind(&lane).execute(&mut *tx.connection).await?.rows_affected();
                    continue;
                }
                let join = sqlx::query(JOIN_LANE).bind(&lane).bind(&client).bind(AT_ANY_TIME);
                join.execute(&mut *tx.connection).await?;
                let again = "UPDATE calls SET state = 'queued', lane = $1, outcome = NULL, closed = NULL, expires = NULL, \
                             unfinished = CASE WHEN unfinished > 0 THEN 1 ELSE 0 END, accepted = $2 \
                             WHERE id = $3 AND state = 'dead' AND request IS NOT NULL";
                let again = sqlx::query(again).bind(&lane).bind(tx.now).bind(&id).execute(&mut *tx.connection).await?;
                if again.rows_affected() == 0 {
                    // It was changed a moment ago.
                    leave(tx, &lane, 1).await?;
                }
                number += again.rows_affected();
            }
            changed(&rows, number)
        }
        .boxed()
    }
}

/// Takes calls out of the queue that no worker has at the moment. Their keys are free again.
pub(super) struct Drop {
    pub(super) filter: Filter,
    pub(super) after: i64,
    /// Milliseconds.
    pub(super) keep: i64,
}

/// A call that is held stays, unless the lease of its holder has ended.
const TAKE_OUT: &str = "UPDATE lanes SET holder = CASE WHEN due <= $1 THEN NULL ELSE holder END WHERE lane = $2 \
                        AND (due <= $1 OR NOT EXISTS (SELECT 1 FROM calls WHERE calls.id = $3 AND calls.holder = lanes.holder))";

const DROP: &str = "UPDATE calls SET state = 'dropped', idempotency_key = NULL, request = NULL, outcome = NULL, progress = NULL, holder = NULL, \
                    closed = $1, expires = $2 WHERE id = $3 AND state = $4";

impl Operation for Drop {
    type Reply = Changed;

    fn run<'a>(&'a self, tx: &'a mut Tx<'_>) -> BoxFuture<'a, Result<Changed, SqlError>> {
        async move {
            let rows = chosen(tx, &self.filter, "('dead', 'queued', 'in_doubt')", self.after).await?;
            let mut number = 0;
            for found in &rows {
                let (id, state): (String, String) = (found.try_get("id")?, found.try_get("state")?);
                let lane: Option<String> = found.try_get("lane")?;
                let lane = lane.filter(|_| state == State::Queued.as_str());
                if let Some(lane) = &lane {
                    // The lane's row is changed first: nobody claims the call meanwhile. A holder whose lease has ended loses it.
                    let free = sqlx::query(TAKE_OUT).bind(tx.now).bind(lane).bind(&id);
                    if free.execute(&mut *tx.connection).await?.rows_affected() == 0 {
                        continue;
                    }
                }
                let drop = sqlx::query(DROP).bind(tx.now).bind(tx.now.saturating_add(self.keep)).bind(&id).bind(&state);
                let dropped = drop.execute(&mut *tx.connection).await?.rows_affected();
                if let Some(lane) = &lane {
                    leave(tx, lane, dropped).await?;
                }
                number += dropped;
            }
            changed(&rows, number)
        }
        .boxed()
    }
}

/// So many calls have left a lane, which ends with its last.
async fn leave(tx: &mut Tx<'_>, lane: &str, number: u64) -> Result<(), SqlError> {
    let number = i64::try_from(number).unwrap_or(i64::MAX);
    let fewer = sqlx::query("UPDATE lanes SET depth = depth - $1 WHERE lane = $2").bind(number).bind(lane);
    fewer.execute(&mut *tx.connection).await?;
    let empty = sqlx::query("DELETE FROM lanes WHERE lane = $1 AND depth <= 0").bind(lane);
    empty.execute(&mut *tx.connection).await?;
    Ok(())
}

/// The next calls of a filter that are in one of the states.
async fn chosen(tx: &mut Tx<'_>, filter: &Filter, states: &str, after: i64) -> Result<Vec<AnyRow>, SqlError> {
    let mut query = Query::new("SELECT seq, id, client, state, lane FROM calls WHERE ");
    filter.conditions(&mut query);
    query.push(" AND state IN ").push(states).push(" AND seq > ").bind_number(after);
    query.push(" ORDER BY seq LIMIT ").bind_number(AT_ONCE);
    query.build().fetch_all(&mut *tx.connection).await
}

fn changed(rows: &[AnyRow], number: u64) -> Result<Changed, SqlError> {
    let last = rows.last().map(|last| last.try_get("seq")).transpose()?;
    Ok(Changed { number, last })
}

/// Pauses the queue of a client, or lets it go on. The reply says whether it was otherwise before.
pub(super) struct Pause {
    pub(super) client: String,
    /// None to let it go on.
    pub(super) why: Option<String>,
}

impl Operation for Pause {
    type Reply = bool;

    fn run<'a>(&'a self, tx: &'a mut Tx<'_>) -> BoxFuture<'a, Result<bool, SqlError>> {
        async move {
            let change = match &self.why {
                Some(why) => {
                    let pause = "INSERT INTO pauses (client, why, since) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
                    sqlx::query(pause).bind(&self.client).bind(why).bind(tx.now)
                }
                None => sqlx::query("DELETE FROM pauses WHERE client = $1").bind(&self.client),
            };
            Ok(change.execute(&mut *tx.connection).await?.rows_affected() == 1)
        }
        .boxed()
    }
}

/// Closes a call of which it was not known whether it was done, as a person has found out. The reply is false where that was known,
/// or where a gateway makes the call.
pub(super) struct Settle {
    pub(super) id: Uuid,
    /// What it is answered with from now on, where it was done. Where it was not, its key is free again.
    pub(super) outcome: Option<Vec<u8>>,
    /// Milliseconds.
    pub(super) keep: i64,
}

const SETTLE: &str = "UPDATE calls SET state = $1, outcome = $2, error = NULL, request = NULL, holder = NULL, closed = $3, \
                      expires = $3 + COALESCE(keep, $4), \
                      idempotency_key = CASE WHEN $5 = 1 THEN idempotency_key ELSE NULL END \
                      WHERE id = $6 AND (state = 'in_doubt' OR (state = 'running' AND lease_until <= $3))";

impl Operation for Settle {
    type Reply = bool;

    fn run<'a>(&'a self, tx: &'a mut Tx<'_>) -> BoxFuture<'a, Result<bool, SqlError>> {
        async move {
            let is_done = self.outcome.is_some();
            let state = if is_done { State::Done } else { State::Dropped };
            let settle = sqlx::query(SETTLE)
                .bind(state.as_str())
                .bind(self.outcome.clone())
                .bind(tx.now)
                .bind(self.keep)
                .bind(i64::from(is_done))
                .bind(self.id.to_string());
            Ok(settle.execute(&mut *tx.connection).await?.rows_affected() == 1)
        }
        .boxed()
    }
}

/// The statements of this file that look for rows, for a look at how SQLite carries them out.
#[cfg(test)]
pub(super) const STATEMENTS: [&str; 3] = [TAKE_OUT, DROP, SETTLE];
