//! What the store does for itself: calls of gateways that died go on, what is old is deleted, and times that a clock has spoilt are
//! mended. Each operation changes a bounded number of calls.

use futures_util::{FutureExt, future::BoxFuture};
use sqlx::{Error as SqlError, Row};

use super::{
    LONGEST_PAUSE_MS,
    accept::JOIN_LANE,
    backend::{Dialect, Operation, Tx},
};

/// So many calls are changed in one transaction.
const AT_ONCE: i64 = 500;

/// Times later than any lease and any pause are from before the clock was set back.
const FAR_RUNNING: &str = "UPDATE calls SET lease_until = $1 WHERE state = 'running' AND lease_until > $2";
const FAR_IN_DOUBT: &str = "UPDATE calls SET lease_until = $1 WHERE state = 'in_doubt' AND lease_until > $2";
const FAR_LANES: &str = "UPDATE lanes SET due = $1 WHERE due > $2";
const FAR_CALLBACKS: &str = "UPDATE callbacks SET due = $1 WHERE due > $2";

async fn mend_times(tx: &mut Tx<'_>) -> Result<(), SqlError> {
    let far = tx.now.saturating_add(LONGEST_PAUSE_MS);
    for statement in [FAR_RUNNING, FAR_IN_DOUBT, FAR_LANES, FAR_CALLBACKS] {
        sqlx::query(statement).bind(tx.now).bind(far).execute(&mut *tx.connection).await?;
    }
    Ok(())
}

/// Deletes calls whose time is over. Of those that wait for a person the key alone is forgotten, where it is to be known for less
/// time: nothing that was accepted goes before a person has had the time to see it. Before, a call that only its caller can make again, and whose gateway has said nothing for an
/// hour, is in doubt: so that a person sees it, and that it ends. The reply is how many calls and keys there were.
pub(super) struct Expire {
    /// Milliseconds.
    pub(super) keep: i64,
}

const ABANDONED: &str = "UPDATE calls SET state = 'in_doubt', error = 'outcome_unknown', holder = NULL, closed = $1, expires = $2 \
                         WHERE state = 'running' AND client IS NULL AND lease_until <= $3";

const FORGET: &str = "UPDATE calls SET idempotency_key = NULL, keep = NULL, expires = closed + $1 WHERE seq IN \
                      (SELECT seq FROM calls WHERE expires <= $2 AND state IN ('dead', 'in_doubt') AND keep < $1 LIMIT $3)";

const EXPIRE: &str = "DELETE FROM calls WHERE seq IN (SELECT seq FROM calls WHERE expires <= $1 AND (state IN ('done', 'dropped') \
                      OR (state IN ('dead', 'in_doubt') AND (keep IS NULL OR keep >= $2))) LIMIT $3)";

/// After so long, an older event of its key does not come any more.
const EXPIRE_NEWEST: &str = "DELETE FROM newest WHERE (hook, event_key) IN (SELECT hook, event_key FROM newest \
                             WHERE changed <= $1 LIMIT $2)";

impl Operation for Expire {
    type Reply = u64;

    fn run<'a>(&'a self, tx: &'a mut Tx<'_>) -> BoxFuture<'a, Result<u64, SqlError>> {
        async move {
            // The clock of a process never goes back, that of a PostgreSQL may.
            if tx.dialect == Dialect::Postgres {
                mend_times(tx).await?;
            }
            let abandoned = sqlx::query(ABANDONED).bind(tx.now).bind(tx.now.saturating_add(self.keep));
            abandoned.bind(tx.now.saturating_sub(LONGEST_PAUSE_MS)).execute(&mut *tx.connection).await?;
            let newest = sqlx::query(EXPIRE_NEWEST).bind(tx.now.saturating_sub(self.keep)).bind(AT_ONCE);
            newest.execute(&mut *tx.connection).await?;
            let forget = sqlx::query(FORGET).bind(self.keep).bind(tx.now).bind(AT_ONCE);
            let forgotten = forget.execute(&mut *tx.connection).await?.rows_affected();
            let expire = sqlx::query(EXPIRE).bind(tx.now).bind(self.keep).bind(AT_ONCE);
            Ok(forgotten + expire.execute(&mut *tx.connection).await?.rows_affected())
        }
        .boxed()
    }
}

/// Gives calls to the workers that were being made for a caller when their gateway died, where the gateway knows the account.
/// The reply is how many there were.
pub(super) struct Adopt;

const LEFT_BEHIND: &str = "SELECT id, client, lane FROM calls WHERE state = 'running' AND client IS NOT NULL \
                             AND lease_until <= $1 AND request IS NOT NULL LIMIT $2";

impl Operation for Adopt {
    type Reply = u64;

    fn run<'a>(&'a self, tx: &'a mut Tx<'_>) -> BoxFuture<'a, Result<u64, SqlError>> {
        async move {
            let rows = sqlx::query(LEFT_BEHIND).bind(tx.now).bind(AT_ONCE).fetch_all(&mut *tx.connection).await?;
            let mut number = 0;
            for found in rows {
                let (id, client): (String, String) = (found.try_get("id")?, found.try_get("client")?);
                let lane: Option<String> = found.try_get("lane")?;
                // One that was taken over from a lane goes back into it.
                let lane = lane.unwrap_or_else(|| format!("call {id}"));
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

/// What a store was left with by the process that had it before: nobody holds anything.
pub(super) struct Release;

impl Operation for Release {
    type Reply = ();

    fn run<'a>(&'a self, tx: &'a mut Tx<'_>) -> BoxFuture<'a, Result<(), SqlError>> {
        async move {
            for statement in [
                "UPDATE calls SET lease_until = $1 WHERE state = 'running' AND lease_until > $1",
                "UPDATE calls SET lease_until = $1 WHERE state = 'in_doubt' AND lease_until > $1",
                "UPDATE calls SET lease_until = $1, holder = NULL WHERE state = 'queued' AND holder IS NOT NULL",
                "UPDATE lanes SET holder = NULL, due = $1 WHERE holder IS NOT NULL",
                "UPDATE callbacks SET holder = NULL, due = $1 WHERE holder IS NOT NULL",
            ] {
                sqlx::query(statement).bind(tx.now).execute(&mut *tx.connection).await?;
            }
            mend_times(tx).await
        }
        .boxed()
    }
}

/// The statements of upkeep, for a look at how SQLite carries them out.
#[cfg(test)]
pub(super) const STATEMENTS: [&str; 8] =
    [FAR_RUNNING, FAR_IN_DOUBT, FAR_CALLBACKS, ABANDONED, FORGET, EXPIRE, EXPIRE_NEWEST, LEFT_BEHIND];
