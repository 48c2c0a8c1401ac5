//! The store in a PostgreSQL that several gateways share.
//!
//! Each operation is a short transaction of its own on a pooled connection, by the time of that database. A connection that broke is
//! replaced when the next operation needs one, so that nothing stays in limbo when PostgreSQL was restarted. The tables are made,
//! and the clock is read, when the database is first reached: a gateway starts without it.

mod locks;

use std::time::{Duration, Instant};

use parking_lot::Mutex as SyncMutex;
use sqlx::{AnyPool, Connection, Error as SqlError, Row, any::AnyPoolOptions, postgres::PgConnectOptions};
use tokio::{sync::Mutex, time};

pub use self::locks::AdvisoryLocks;
use super::{
    Clock, Error,
    backend::{Backend, Dialect, Operation, Tx},
    schema,
};

const CONNECTIONS: u32 = 16;
/// An operation waits so long for a connection, and so long for an answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// A reading of the database's clock counts for so long.
const READING: Duration = Duration::from_secs(10);
/// So often is an operation tried that PostgreSQL rolled back for others.
const TRIES: u32 = 5;

const NOW: &str = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)";

/// A store that gateways share.
#[derive(Debug)]
pub(super) struct Postgres {
    pool: AnyPool,
    clock: Clock,
    /// For the session of the locks, which is no connection of the pool.
    options: Box<PgConnectOptions>,
    /// Whether the tables are there.
    is_ready: Mutex<bool>,
    read_at: SyncMutex<Option<Instant>>,
}

impl Postgres {
    /// Where the database is; it is not reached yet.
    ///
    /// # Errors
    /// The URL is none of a PostgreSQL.
    pub(super) fn at(url: &str, clock: Clock) -> Result<Self, Error> {
        // The URL may hold a password, so it is not repeated.
        let unusable = |error: SqlError| Error::Unusable { at: "[cluster] url".to_owned(), why: error.to_string() };
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(Error::Unusable { at: "[cluster] url".to_owned(), why: "it is no postgres:// URL".to_owned() });
        }
        let pool = AnyPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(PATIENCE)
            .idle_timeout(Duration::from_secs(60))
            .connect_lazy(url)
            .map_err(unusable)?;
        let options = Box::new(url.parse().map_err(unusable)?);
        Ok(Self { pool, clock, options, is_ready: Mutex::new(false), read_at: SyncMutex::new(None) })
    }

    /// The locks that gateways share. Must be called within a runtime.
    pub(super) fn locks(&self) -> AdvisoryLocks {
        AdvisoryLocks::new((*self.options).clone())
    }

    async fn run<O: Operation>(&self, operation: &O) -> Result<O::Reply, Error> {
        let mut tries = 0;
        loop {
            tries += 1;
            let ended = time::timeout(PATIENCE * 2, self.attempt(operation)).await;
            match ended.unwrap_or_else(|_| Err(Error::Unconfirmed("no answer in time".to_owned()).into())) {
                Ok(reply) => return Ok(reply),
                Err(Attempt::Overtaken) if tries < TRIES => time::sleep(Duration::from_millis(5 << tries)).await,
                Err(Attempt::Overtaken) => return Err(Error::Unavailable("others write the same".to_owned())),
                Err(Attempt::Failed(error)) => return Err(error),
            }
        }
    }

    async fn attempt<O: Operation>(&self, operation: &O) -> Result<O::Reply, Attempt> {
        let mut connection = self.pool.acquire().await?;
        self.prepare(&mut connection).await?;
        let mut transaction = Connection::begin(&mut *connection).await?;
        let mut tx = Tx { connection: &mut transaction, dialect: Dialect::Postgres, now: self.clock.now(), began: 0 };
        let reply = match operation.run(&mut tx).await {
            Ok(reply) => reply,
            Err(error) => {
                // Dropped, it would keep its locks for a while, and another worker would pass over what it has locked.
                let _ = transaction.rollback().await;
                return Err(error.into());
            }
        };
        transaction.commit().await.map_err(|error| match error.as_database_error() {
            Some(_) => Attempt::from(error),
            // It may have been committed before the connection broke.
            None => Attempt::Failed(Error::Unconfirmed(error.to_string())),
        })?;
        Ok(reply)
    }

    /// Makes the tables once, and reads the clock from time to time.
    async fn prepare(&self, connection: &mut sqlx::AnyConnection) -> Result<(), Attempt> {
        let mut is_ready = self.is_ready.lock().await;
        if !*is_ready {
            schema::migrate(connection, Dialect::Postgres, "[cluster] url").await.map_err(Attempt::Failed)?;
            *is_ready = true;
        }
        drop(is_ready);
        let is_recent = self.read_at.lock().is_some_and(|at| at.elapsed() < READING);
        if !is_recent && !self.clock.is_virtual() {
            let now: i64 = sqlx::query(NOW).fetch_one(connection).await?.try_get(0)?;
            self.clock.set(now);
            *self.read_at.lock() = Some(Instant::now());
        }
        Ok(())
    }
}

impl Backend for Postgres {
    async fn write<O: Operation>(&self, operation: O) -> Result<O::Reply, Error> {
        self.run(&operation).await
    }

    async fn read<O: Operation>(&self, operation: O) -> Result<O::Reply, Error> {
        self.run(&operation).await
    }

    fn clock(&self) -> &Clock {
        &self.clock
    }
}

/// Why one try failed.
enum Attempt {
    /// PostgreSQL rolled it back for another transaction.
    Overtaken,
    Failed(Error),
}

impl From<Error> for Attempt {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<SqlError> for Attempt {
    fn from(error: SqlError) -> Self {
        let code = error.as_database_error().and_then(|error| error.code().map(std::borrow::Cow::into_owned));
        match code.as_deref() {
            // serialization_failure, deadlock_detected.
            Some("40001" | "40P01") => Self::Overtaken,
            _ => Self::Failed(error.into()),
        }
    }
}
