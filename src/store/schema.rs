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

fn migrator(versions: &[(i64, &str)], dialect: Dialect) -> Migrator {
    let migrations = versions.iter().map(|(version, statements)| {
        let statements = AssertSqlSafe(in_dialect(statements, dialect)).into_sql_str();
        Migration::new(*version, Cow::Borrowed("tables"), MigrationType::Simple, statements, false)
    });
    let mut migrator = Migrator::with_migrations(migrations.collect());
    // Gateways that start together migrate one after another; a file has one process alone.
    migrator.set_locking(dialect == Dialect::Postgres);
    migrator
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
    let migrator = migrator(&VERSIONS, dialect);
    let known = VERSIONS.last().map_or(0, |(version, ..)| *version);
    // `run` takes whatever gives a connection, which no future that crosses threads can name.
    async move { migrator.run_direct(None, connection, false).await.map_err(|error| Error::of_migration(error, known, at)) }.boxed()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sqlx::Connection;
    use tempfile::TempDir;

    use super::*;
    use crate::store::{Clock, Spans, Store, drivers};

    /// A folder with the store of a gateway that knew so many versions, and this in it.
    async fn folder(versions: &[(i64, &str)], content: &'static str) -> TempDir {
        drivers();
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}?mode=rwc", folder.path().join("store.sqlite").display());
        let mut connection = AnyConnection::connect(&url).await.unwrap();
        migrator(versions, Dialect::Sqlite).run_direct(None, &mut connection, false).await.unwrap();
        sqlx::raw_sql(content).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        folder
    }

    async fn open(folder: &TempDir) -> Result<Store, Error> {
        let minute = Duration::from_secs(60);
        let spans = Spans { lease: minute, keep: minute, callback: minute };
        Store::in_folder(folder.path(), spans, Clock::of_this_machine()).await
    }

    #[tokio::test]
    async fn a_call_of_a_store_of_the_first_version_is_claimed_by_this_one() {
        let call = "INSERT INTO calls (id, caller, client, digest, route, model, lane, state, request, attempts, unfinished, \
                    lease_until, accepted) VALUES ('018f0000-0000-7000-8000-00000000000a', 'client shop', 'shop', x'00', \
                    'create_data', 'res.partner', 'a', 'queued', x'7b7d', 0, 0, 0, 1); \
                    INSERT INTO lanes (lane, client, depth, due) VALUES ('a', 'shop', 1, 0);";
        let folder = folder(&VERSIONS[..1], call).await;
        let store = open(&folder).await.unwrap();
        let claimed = store.claim("shop").await.unwrap().unwrap();
        assert_eq!((&*claimed.request, claimed.ticket.progress()), (&b"{}"[..], None));
        assert!(store.keep_progress(&claimed.ticket, b"[]".to_vec()).await.unwrap());
    }

    #[tokio::test]
    async fn a_store_of_a_newer_version_is_refused() {
        let newer = [VERSIONS[0], VERSIONS[1], (3, "CREATE TABLE later (id TEXT)")];
        let folder = folder(&newer, "SELECT 1").await;
        let refusal = open(&folder).await.unwrap_err().to_string();
        assert!(refusal.contains("newer"), "{refusal}");
    }
}
