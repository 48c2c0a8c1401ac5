//! What a delivery has come to: the results of its calls that are done, and the newest event that was done of a key.
//!
//! What must stay true: only the holder of a delivery writes down its progress, and the newest event of a key never becomes an older
//! one.

use futures_util::{FutureExt, future::BoxFuture};
use sqlx::{Error as SqlError, Row};

use super::{
    Error, Store,
    backend::{Operation, Tx},
    call::Ticket,
};

impl Store {
    /// Keeps what came of the calls of a delivery that are done. False where it is no longer this holder's: then no further call of
    /// it may be made.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn keep_progress(&self, ticket: &Ticket, results: Vec<u8>) -> Result<bool, Error> {
        self.write(Progress { ticket: ticket.clone(), results }).await
    }

    /// The version of the newest event of a key of a hook that was done.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn newest(&self, hook: &str, key: &str) -> Result<Option<f64>, Error> {
        self.read(Newest { hook: hook.to_owned(), key: key.to_owned() }).await
    }

    /// Notes that an event of this version was done. An older one never takes the place of a newer one.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn note_newest(&self, hook: &str, key: &str, version: f64) -> Result<(), Error> {
        self.write(NoteNewest { of: Newest { hook: hook.to_owned(), key: key.to_owned() }, version }).await
    }
}

/// Keeps the results of the calls of a delivery that are done. The reply is false where it is no longer this holder's.
pub(super) struct Progress {
    pub(super) ticket: Ticket,
    pub(super) results: Vec<u8>,
}

impl Operation for Progress {
    type Reply = bool;

    fn run<'a>(&'a self, tx: &'a mut Tx<'_>) -> BoxFuture<'a, Result<bool, SqlError>> {
        async move {
            let keep = sqlx::query("UPDATE calls SET progress = $1 WHERE id = $2 AND holder = $3")
                .bind(self.results.clone())
                .bind(self.ticket.id.to_string())
                .bind(self.ticket.holder.to_string());
            Ok(keep.execute(&mut *tx.connection).await?.rows_affected() == 1)
        }
        .boxed()
    }
}

const NEWEST: &str = "SELECT version FROM newest WHERE hook = $1 AND event_key = $2";

/// The version of the newest event of a key that was done.
pub(super) struct Newest {
    pub(super) hook: String,
    pub(super) key: String,
}

impl Operation for Newest {
    type Reply = Option<f64>;

    fn run<'a>(&'a self, tx: &'a mut Tx<'_>) -> BoxFuture<'a, Result<Option<f64>, SqlError>> {
        async move {
            let find = sqlx::query(NEWEST).bind(&self.hook).bind(&self.key);
            find.fetch_optional(&mut *tx.connection).await?.map(|found| found.try_get("version")).transpose()
        }
        .boxed()
    }
}

const NOTE: &str = "INSERT INTO newest (hook, event_key, version, changed) VALUES ($1, $2, $3, $4) \
                    ON CONFLICT (hook, event_key) DO UPDATE SET changed = EXCLUDED.changed, version = \
                    CASE WHEN EXCLUDED.version > newest.version THEN EXCLUDED.version ELSE newest.version END";

/// Notes that an event was done.
pub(super) struct NoteNewest {
    pub(super) of: Newest,
    pub(super) version: f64,
}

impl Operation for NoteNewest {
    type Reply = ();

    fn run<'a>(&'a self, tx: &'a mut Tx<'_>) -> BoxFuture<'a, Result<(), SqlError>> {
        async move {
            let note = sqlx::query(NOTE).bind(&self.of.hook).bind(&self.of.key).bind(self.version).bind(tx.now);
            note.execute(&mut *tx.connection).await.map(drop)
        }
        .boxed()
    }
}

/// The statements of this file that look for rows, for a look at how SQLite carries them out.
#[cfg(test)]
pub(super) const STATEMENTS: [&str; 2] = [NEWEST, NOTE];
