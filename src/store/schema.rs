//! The tables of the store, and how a store of an older version becomes one of this version.
//!
//! A migration never changes once it was released; what changes is a further one. A store that has one which this version does not
//! know is of a newer gateway, and is refused. The statements are those of SQLite; what PostgreSQL calls otherwise is replaced.

use std::borrow::Cow;

use futures_util::{FutureExt, future::BoxFuture};
use sqlx::{
    AnyConnection, AssertSqlSafe, SqlSafeStr,
    migrate::{Migration, MigrationType, Migrator},
};

use super::{Error, backend::Dialect};

/// The versions with their statements.
const VERSIONS: [(i64, &str); 2] = [(1, include_str!("migrations/1.sql")), (2, include_str!("migrations/2.sql"))];

/// What SQLite calls a type, and what PostgreSQL does.
const TYPES: [(&str, &str); 2] =
    [("INTEGER PRIMARY KEY AUTOINCREMENT", "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"), (" BLOB", " BYTEA")];

fn in_dialect(statements: &str, dialect: Dialect) -> String {
    let statements = statements.to_owned();
    match dialect {
        Dialect::Sqlite => statements,
        Dialect::Postgres => TYPES.iter().fold(statements, |all, (sqlite, postgres)| all.replace(sqlite, postgres)),
    }
}

/// Brings the store to this version.
///
/// # Errors
/// It is of a newer version, or cannot be changed.
pub(super) fn migrate<'c>(
    connection: &'c mut AnyConnection,
    dialect: Dialect,
    at: &'c str,
) -> BoxFuture<'c, Result<(), Error>> {
    let migrations = VERSIONS.iter().map(|(version, statements)| {
        let statements = AssertSqlSafe(in_dialect(statements, dialect)).into_sql_str();
        Migration::new(*version, Cow::Borrowed("tables"), MigrationType::Simple, statements, false)
    });
    let mut migrator = Migrator::with_migrations(migrations.collect());
    // Gateways that start together migrate one after another; a file has one process alone.
    migrator.set_locking(dialect == Dialect::Postgres);
    let known = VERSIONS.last().map_or(0, |(version, ..)| *version);
    // `run` takes whatever gives a connection, which no future that crosses threads can name.
    async move { migrator.run_direct(None, connection, false).await.map_err(|error| Error::of_migration(error, known, at)) }.boxed()
}
