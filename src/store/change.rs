//! What people and maintenance change: calls are tried again or dropped by a filter, queues are paused, what is old is deleted.
//!
//! Each operation changes a bounded number of calls and says how many; whoever wants all repeats it until none is left.

use futures_util::{FutureExt, future::BoxFuture};
use sqlx::{Any, Error as SqlError, QueryBuilder, Row, any::AnyRow};

use super::{
    accept::JOIN_LANE,
    backend::{Operation, Tx},
    call::State,
    look::Filter,
};

/// So many calls are changed in one transaction.
const AT_ONCE: i64 = 500;

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
                    number += due.bind(tx.now).bind(&lane).execute(&mut *tx.connection).await?.rows_affected();
                    continue;
                }
                let join = sqlx::query(JOIN_LANE).bind(&lane).bind(&client).bind(tx.now);
                join.execute(&mut *tx.connection).await?;
                let again = "UPDATE calls SET state = 'queued', lane = $1, outcome = NULL, closed = NULL, expires = NULL, \
                             accepted = $2 WHERE id = $3 AND state = 'dead' AND request IS NOT NULL";
                let again = sqlx::query(again).bind(&lane).bind(tx.now).bind(&id);
                number += again.execute(&mut *tx.connection).await?.rows_affected();
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

impl Operation for Drop {
    type Reply = Changed;

    fn run<'a>(&'a self, tx: &'a mut Tx<'_>) -> BoxFuture<'a, Result<Changed, SqlError>> {
        async move {
            let rows = chosen(tx, &self.filter, "('dead', 'queued', 'in_doubt')", self.after).await?;
            let mut number = 0;
            for found in &rows {
                let (id, state): (String, String) = (found.try_get("id")?, found.try_get("state")?);
                let lane: Option<String> = found.try_get("lane")?;
                if let Some(lane) = lane.filter(|_| state == State::Queued.as_str()) {
                    // The lane's row is changed first: nobody claims the call meanwhile.
                    let free = "UPDATE lanes SET depth = depth - 1 WHERE lane = $1 AND (holder IS NULL OR NOT EXISTS \
                                (SELECT 1 FROM calls WHERE id = $2 AND holder IS NOT NULL))";
                    let free = sqlx::query(free).bind(&lane).bind(&id).execute(&mut *tx.connection).await?;
                    if free.rows_affected() == 0 {
                        continue;
                    }
                    let empty = sqlx::query("DELETE FROM lanes WHERE lane = $1 AND depth <= 0").bind(&lane);
                    empty.execute(&mut *tx.connection).await?;
                }
                let drop = "UPDATE calls SET state = 'dropped', idempotency_key = NULL, request = NULL, outcome = NULL, \
                            closed = $1, expires = $2 WHERE id = $3 AND state = $4 AND holder IS NULL";
                let drop = sqlx::query(drop).bind(tx.now).bind(tx.now.saturating_add(self.keep)).bind(&id).bind(&state);
                number += drop.execute(&mut *tx.connection).await?.rows_affected();
            }
            changed(&rows, number)
        }
        .boxed()
    }
}

/// The next calls of a filter that are in one of the states.
async fn chosen(tx: &mut Tx<'_>, filter: &Filter, states: &str, after: i64) -> Result<Vec<AnyRow>, SqlError> {
    let mut query = QueryBuilder::<Any>::new("SELECT seq, id, client, state, lane FROM calls WHERE ");
    filter.conditions(&mut query);
    query.push(format!(" AND state IN {states} AND seq > ")).push_bind(after);
    query.push(" ORDER BY seq LIMIT ").push_bind(AT_ONCE);
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

/// Deletes calls whose time is over. The reply is how many there were.
pub(super) struct Expire;

impl Operation for Expire {
    type Reply = u64;

    fn run<'a>(&'a self, tx: &'a mut Tx<'_>) -> BoxFuture<'a, Result<u64, SqlError>> {
        async move {
            let expire = "DELETE FROM calls WHERE seq IN (SELECT seq FROM calls WHERE expires <= $1 \
                          AND state IN ('done', 'dead', 'in_doubt', 'dropped') LIMIT $2)";
            let expire = sqlx::query(expire).bind(tx.now).bind(AT_ONCE);
            Ok(expire.execute(&mut *tx.connection).await?.rows_affected())
        }
        .boxed()
    }
}

/// Gives calls to the workers that were being made for a caller when their gateway died, where the gateway knows the account.
/// The reply is how many there were.
pub(super) struct Adopt;

impl Operation for Adopt {
    type Reply = u64;

    fn run<'a>(&'a self, tx: &'a mut Tx<'_>) -> BoxFuture<'a, Result<u64, SqlError>> {
        async move {
            let abandoned = "SELECT id, client FROM calls WHERE state = 'running' AND client IS NOT NULL \
                             AND lease_until <= $1 AND request IS NOT NULL LIMIT $2";
            let rows = sqlx::query(abandoned).bind(tx.now).bind(AT_ONCE).fetch_all(&mut *tx.connection).await?;
            let mut number = 0;
            for found in rows {
                let (id, client): (String, String) = (found.try_get("id")?, found.try_get("client")?);
                let lane = format!("call {id}");
                let adopt = "UPDATE calls SET state = 'queued', lane = $1, holder = NULL WHERE id = $2 AND state = 'running' \
                             AND lease_until <= $3";
                let adopt = sqlx::query(adopt).bind(&lane).bind(&id).bind(tx.now);
                if adopt.execute(&mut *tx.connection).await?.rows_affected() == 1 {
                    let join = sqlx::query(JOIN_LANE).bind(&lane).bind(&client).bind(tx.now);
                    join.execute(&mut *tx.connection).await?;
                    number += 1;
                }
            }
            Ok(number)
        }
        .boxed()
    }
}

/// What a store was left with by the process that had it before: nobody holds anything. Times that lie ahead are from a clock
/// that was set back since.
pub(super) struct Release;

impl Operation for Release {
    type Reply = ();

    fn run<'a>(&'a self, tx: &'a mut Tx<'_>) -> BoxFuture<'a, Result<(), SqlError>> {
        async move {
            for statement in [
                "UPDATE calls SET lease_until = $1 WHERE state = 'running' AND lease_until > $1",
                "UPDATE calls SET lease_until = $1, holder = NULL WHERE state = 'queued' AND holder IS NOT NULL",
                "UPDATE lanes SET holder = NULL, due = $1 WHERE holder IS NOT NULL",
                "UPDATE callbacks SET holder = NULL, due = $1 WHERE holder IS NOT NULL",
            ] {
                sqlx::query(statement).bind(tx.now).execute(&mut *tx.connection).await?;
            }
            let far = tx.now.saturating_add(super::LONGEST_PAUSE_MS);
            for statement in
                ["UPDATE lanes SET due = $1 WHERE due > $2", "UPDATE callbacks SET due = $1 WHERE due > $2"]
            {
                sqlx::query(statement).bind(tx.now).bind(far).execute(&mut *tx.connection).await?;
            }
            Ok(())
        }
        .boxed()
    }
}
