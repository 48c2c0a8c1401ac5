//! What a model's store stands on, with a connection of its own beside it: to look into the tables, and to let statements fail.

use odoo_gateway::store::{Clock, Store};
use sqlx::{AnyConnection, Connection, Row};

use crate::{
    store::{BEGIN, SPANS},
    support::postgres::Postgres,
};

/// A place for a store.
pub(in crate::store) struct Ground {
    place: Place,
}

enum Place {
    Sqlite(tempfile::TempDir),
    Postgres(Postgres),
}

/// Statements on these tables can be made to fail.
const FAULTS: [&str; 6] =
    ["calls INSERT", "calls UPDATE", "calls DELETE", "lanes INSERT", "lanes UPDATE", "lanes DELETE"];

impl Ground {
    /// A file, in memory where the machine has a folder for that.
    pub(in crate::store) async fn sqlite() -> Self {
        let shared = std::path::Path::new("/dev/shm");
        let folder = if shared.is_dir() { tempfile::tempdir_in(shared) } else { tempfile::tempdir() };
        Self { place: Place::Sqlite(folder.unwrap()) }.with_faults().await
    }

    /// A PostgreSQL of its own.
    pub(in crate::store) async fn postgres() -> Self {
        Self { place: Place::Postgres(Postgres::start().await) }.with_faults().await
    }

    /// Makes the tables, and what lets statements fail.
    async fn with_faults(self) -> Self {
        let store = self.open(&Clock::virtual_at(BEGIN)).await;
        // A PostgreSQL gets its tables when it is first asked.
        store.depths().await.unwrap();
        drop(store);
        let mut raw = self.raw().await;
        sqlx::raw_sql("CREATE TABLE faults (place TEXT)").execute(&mut raw).await.unwrap();
        if matches!(self.place, Place::Postgres(_)) {
            let fail = "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF EXISTS (SELECT 1 FROM faults \
                        WHERE place = TG_ARGV[0]) THEN RAISE 'a fault'; END IF; \
                        IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW; END $$";
            sqlx::raw_sql(fail).execute(&mut raw).await.unwrap();
        }
        for at in FAULTS {
            let (table, what) = at.split_once(' ').unwrap();
            let trigger = match &self.place {
                Place::Sqlite(_) => format!(
                    "CREATE TRIGGER fault_{table}_{what} BEFORE {what} ON {table} WHEN EXISTS (SELECT 1 FROM faults \
                     WHERE place = '{at}') BEGIN SELECT RAISE(ABORT, 'a fault'); END"
                ),
                Place::Postgres(_) => format!(
                    "CREATE TRIGGER fault_{table}_{what} BEFORE {what} ON {table} FOR EACH ROW EXECUTE FUNCTION fail('{at}')"
                ),
            };
            sqlx::raw_sql(sqlx::AssertSqlSafe(trigger)).execute(&mut raw).await.unwrap();
        }
        self
    }

    pub(in crate::store) async fn open(&self, clock: &Clock) -> Store {
        match &self.place {
            Place::Sqlite(folder) => Store::in_folder(folder.path(), SPANS, clock.clone()).await.unwrap(),
            Place::Postgres(postgres) => Store::shared(&postgres.url(), SPANS, clock.clone()).unwrap(),
        }
    }

    pub(in crate::store) async fn raw(&self) -> AnyConnection {
        match &self.place {
            Place::Sqlite(folder) => {
                let path = folder.path().join("store.sqlite");
                AnyConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap()
            }
            Place::Postgres(postgres) => AnyConnection::connect(&postgres.url()).await.unwrap(),
        }
    }

    /// Whether one gateway has the place for itself, and takes what is held when it starts.
    pub(super) fn is_of_one_gateway(&self) -> bool {
        matches!(self.place, Place::Sqlite(_))
    }
}

/// Lets one kind of statement fail, or none.
pub(super) async fn set_fault(raw: &mut AnyConnection, at: Option<usize>) {
    sqlx::raw_sql("DELETE FROM faults").execute(&mut *raw).await.unwrap();
    if let Some(at) = at {
        sqlx::query("INSERT INTO faults VALUES ($1)").bind(FAULTS[at % FAULTS.len()]).execute(raw).await.unwrap();
    }
}

/// Lanes whose depth is not the number of their open calls, and open calls that are in no lane.
pub(super) async fn wrong_lanes(raw: &mut AnyConnection) -> Vec<String> {
    let lanes = "SELECT lane, depth, (SELECT COUNT(*) FROM calls WHERE calls.lane = lanes.lane AND calls.state = 'queued') FROM lanes";
    let lost = "SELECT id FROM calls WHERE state = 'queued' AND NOT EXISTS (SELECT 1 FROM lanes WHERE lanes.lane = calls.lane)";
    let mut wrong = Vec::new();
    for found in sqlx::query(lanes).fetch_all(&mut *raw).await.unwrap() {
        let (lane, depth, open): (String, i64, i64) = (found.get(0), found.get(1), found.get(2));
        if depth != open || depth == 0 {
            wrong.push(format!("lane {lane} has depth {depth} and {open} open calls"));
        }
    }
    for found in sqlx::query(lost).fetch_all(raw).await.unwrap() {
        wrong.push(format!("call {} is in no lane", found.get::<String, _>(0)));
    }
    wrong
}

/// Makes room for the next history.
pub(super) async fn clear(raw: &mut AnyConnection) {
    for statement in ["DELETE FROM calls", "DELETE FROM lanes", "DELETE FROM pauses"] {
        sqlx::raw_sql(statement).execute(&mut *raw).await.unwrap();
    }
}
