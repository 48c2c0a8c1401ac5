//! What the store runs on: a place that carries out operations, each in a transaction, durable when it is answered.
//!
//! Operations are written once, in SQL that SQLite and PostgreSQL both understand; where they do not, [`Dialect`] decides. An
//! operation may be run again after its transaction was rolled back, so it changes nothing but the store.

use futures_util::future::BoxFuture;
use sqlx::{AnyConnection, Error as SqlError};

use super::{Clock, Error};

/// Something that is done in the store.
pub(super) trait Operation: Send + Sync + 'static {
    type Reply: Send + 'static;

    /// Does it within a transaction.
    fn run<'a>(&'a self, tx: &'a mut Tx<'_>) -> BoxFuture<'a, Result<Self::Reply, SqlError>>;
}

/// A place for the store: SQLite or PostgreSQL.
pub(super) trait Backend {
    /// Carries out an operation. What it wrote is on disk when this returns.
    ///
    /// # Errors
    /// The place does not answer; nothing of the operation was kept.
    fn write<O: Operation>(&self, operation: O) -> impl Future<Output = Result<O::Reply, Error>> + Send;

    /// Carries out an operation that only reads.
    ///
    /// # Errors
    /// The place does not answer.
    fn read<O: Operation>(&self, operation: O) -> impl Future<Output = Result<O::Reply, Error>> + Send;

    fn clock(&self) -> &Clock;
}

/// A transaction.
pub(super) struct Tx<'c> {
    pub(super) connection: &'c mut AnyConnection,
    pub(super) dialect: Dialect,
    /// The time of the store.
    pub(super) now: i64,
    /// When this process took a store that it has for itself; 0 where gateways share it.
    pub(super) began: i64,
}

/// Where the two databases differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    /// The statement for this database.
    pub(super) const fn pick(self, sqlite: &'static str, postgres: &'static str) -> &'static str {
        match self {
            Self::Sqlite => sqlite,
            Self::Postgres => postgres,
        }
    }
}
