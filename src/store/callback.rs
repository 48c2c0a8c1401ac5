//! Ends of calls that a client is still to be told at its `callback_url`. They are claimed like calls.

use futures_util::{FutureExt, future::BoxFuture};
use sqlx::{Error as SqlError, Row};
use uuid::Uuid;

use super::{
    backend::{Operation, Tx},
    row,
};

/// An end that a worker is to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Untold {
    /// The call.
    pub id: Uuid,
    pub client: String,
    pub body: Vec<u8>,
    /// How often it has been tried before.
    pub attempts: u32,
    pub(super) holder: Uuid,
}

/// Takes one that is due. What is too old is deleted first.
pub(super) struct ClaimCallback {
    pub(super) holder: Uuid,
    /// Milliseconds.
    pub(super) lease: i64,
}

const CLAIM_SQLITE: &str = "UPDATE callbacks SET due = $1, holder = $2, attempts = attempts + 1 WHERE id = (SELECT id FROM callbacks \
                            WHERE due <= $3 ORDER BY due LIMIT 1) RETURNING id, client, body, attempts";
const CLAIM_POSTGRES: &str = "UPDATE callbacks SET due = $1, holder = $2, attempts = attempts + 1 WHERE id = (SELECT id FROM callbacks \
                              WHERE due <= $3 ORDER BY due LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING id, client, body, attempts";

impl Operation for ClaimCallback {
    type Reply = Option<Untold>;

    fn run<'a>(&'a self, tx: &'a mut Tx<'_>) -> BoxFuture<'a, Result<Option<Untold>, SqlError>> {
        async move {
            let old = sqlx::query("DELETE FROM callbacks WHERE until <= $1 AND due <= $1").bind(tx.now);
            old.execute(&mut *tx.connection).await?;
            let claim = sqlx::query(tx.dialect.pick(CLAIM_SQLITE, CLAIM_POSTGRES))
                .bind(tx.now.saturating_add(self.lease))
                .bind(self.holder.to_string())
                .bind(tx.now);
            let Some(found) = claim.fetch_optional(&mut *tx.connection).await? else { return Ok(None) };
            let attempts: i64 = found.try_get("attempts")?;
            Ok(Some(Untold {
                id: row::id(&found, "id")?,
                client: found.try_get("client")?,
                body: found.try_get("body")?,
                attempts: row::count(attempts.saturating_sub(1)),
                holder: self.holder,
            }))
        }
        .boxed()
    }
}

/// Ends the telling: it was told, or is tried again later.
pub(super) struct EndCallback {
    pub(super) id: Uuid,
    pub(super) holder: Uuid,
    /// Milliseconds until the next try; none where it was told.
    pub(super) again: Option<i64>,
}

impl Operation for EndCallback {
    type Reply = bool;

    fn run<'a>(&'a self, tx: &'a mut Tx<'_>) -> BoxFuture<'a, Result<bool, SqlError>> {
        async move {
            let (id, holder) = (self.id.to_string(), self.holder.to_string());
            let end = match self.again {
                None => sqlx::query("DELETE FROM callbacks WHERE id = $1 AND holder = $2").bind(id).bind(holder),
                Some(after) => {
                    sqlx::query("UPDATE callbacks SET holder = NULL, due = $1 WHERE id = $2 AND holder = $3")
                        .bind(tx.now.saturating_add(after))
                        .bind(id)
                        .bind(holder)
                }
            };
            Ok(end.execute(&mut *tx.connection).await?.rows_affected() == 1)
        }
        .boxed()
    }
}

/// The statements of this file that look for rows, for a look at how SQLite carries them out.
#[cfg(test)]
pub(super) const STATEMENTS: [&str; 1] = [CLAIM_SQLITE];
