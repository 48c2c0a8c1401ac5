//! The store in a SQLite file that is corrupt, read-only, locked, full or of a newer gateway.

use std::{fs, time::Duration};

use odoo_gateway::store::{Accepted, Clock, Error, Filter, Store};
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};
use tokio::time::Instant;
use uuid::Uuid;

use super::{BEGIN, SPANS, in_folder, queued};
use crate::support::{poll, small_disk::SmallDisk};

/// The file as another process opens it.
async fn beside(folder: &std::path::Path) -> SqliteConnection {
    SqliteConnection::connect(&format!("sqlite://{}", folder.join("store.sqlite").display())).await.unwrap()
}

async fn execute(connection: &mut SqliteConnection, statement: &str) {
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(connection).await.unwrap();
}

async fn refusal(folder: &std::path::Path) -> Error {
    Store::in_folder(folder, SPANS, Clock::virtual_at(BEGIN)).await.unwrap_err()
}

async fn store(store: &Store) -> Result<Uuid, Error> {
    let new = queued(&Uuid::new_v4().to_string());
    store.accept(new.clone(), true).await.map(|accepted| {
        assert_eq!(accepted, Accepted::New(None));
        new.id
    })
}

#[tokio::test]
async fn a_file_that_is_no_store_is_refused_with_its_path_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("store.sqlite");
    let content = b"not a database, but a text of somebody's ".repeat(200);
    fs::write(&file, &content).unwrap();
    let refused = refusal(folder.path()).await;
    assert!(refused.to_string().contains("store.sqlite"), "{refused}");
    assert_eq!(fs::read(&file).unwrap(), content);
}

#[tokio::test]
async fn a_store_whose_pages_are_damaged_is_never_taken_for_an_empty_one() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::virtual_at(BEGIN);
    let whole = in_folder(folder.path(), &clock).await;
    for _ in 0..50 {
        store(&whole).await.unwrap();
    }
    drop(whole);
    execute(&mut beside(folder.path()).await, "PRAGMA wal_checkpoint(TRUNCATE)").await;
    let file = folder.path().join("store.sqlite");
    let mut bytes = fs::read(&file).unwrap();
    // All pages behind the first, which has the header.
    let damaged = bytes.len() - 4096;
    bytes[4096..].copy_from_slice(&vec![0xa5; damaged]);
    fs::write(&file, bytes).unwrap();
    // The lock file is free as soon as the last one has let go of it.
    let told = match Store::in_folder(folder.path(), SPANS, clock.clone()).await {
        Err(error) => error,
        Ok(damaged) => damaged.list(Filter::default(), 0, 100).await.unwrap_err(),
    };
    assert!(matches!(told, Error::Unavailable(_) | Error::Unusable { .. }), "{told}");
}

#[tokio::test]
async fn a_file_of_a_newer_gateway_is_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::virtual_at(BEGIN);
    drop(in_folder(folder.path(), &clock).await);
    let later = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                 VALUES (1000, 'later', true, x'', 0)";
    execute(&mut beside(folder.path()).await, later).await;
    let refused = refusal(folder.path()).await;
    assert!(matches!(refused, Error::Newer { .. }), "{refused}");
}

#[tokio::test]
async fn a_file_that_another_process_holds_is_told_to_be_away_and_used_again_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let own = in_folder(folder.path(), &Clock::virtual_at(BEGIN)).await;
    let before = store(&own).await.unwrap();
    let mut other = beside(folder.path()).await;
    execute(&mut other, "BEGIN IMMEDIATE").await;
    let begun = Instant::now();
    let refused = store(&own).await.unwrap_err();
    assert!(matches!(refused, Error::Unavailable(_)), "{refused}");
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    // Readers are not held up.
    assert!(own.find(before).await.unwrap().is_some());
    execute(&mut other, "ROLLBACK").await;
    store(&own).await.unwrap();
}

#[tokio::test]
async fn nothing_is_acknowledged_while_the_folder_of_the_store_is_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let (here, elsewhere) = (folder.path().join("delivery"), folder.path().join("elsewhere"));
    let open = in_folder(&here, &Clock::virtual_at(BEGIN)).await;
    let first = store(&open).await.unwrap();
    fs::rename(&here, &elsewhere).unwrap();
    for _ in 0..2 {
        let refused = store(&open).await.unwrap_err();
        assert!(refused.to_string().contains("not where it was opened"), "{refused}");
        assert!(open.check().await.is_err(), "it is said to be ready");
    }
    // Another one in its place is not taken for it.
    fs::create_dir(&here).unwrap();
    fs::copy(elsewhere.join("store.sqlite"), here.join("store.sqlite")).unwrap();
    store(&open).await.unwrap_err();
    fs::remove_dir_all(&here).unwrap();
    fs::rename(&elsewhere, &here).unwrap();
    store(&open).await.unwrap();
    assert!(open.find(first).await.unwrap().is_some());
    assert_eq!(open.list(Filter::default(), 0, 10).await.unwrap().len(), 2, "what was refused is there");
}

#[tokio::test]
async fn a_store_on_a_full_disk_refuses_and_goes_on_when_there_is_room() {
    let disk = SmallDisk::of(512);
    let own = in_folder(disk.path(), &Clock::virtual_at(BEGIN)).await;
    let mut kept = vec![store(&own).await.unwrap()];
    let filler = disk.fill();
    let mut refused = None;
    // What has room in pages that are there already is still stored.
    for _ in 0..200 {
        match store(&own).await {
            Ok(id) => kept.push(id),
            Err(error) => refused = Some(error),
        }
    }
    assert!(matches!(refused, Some(Error::Unavailable(_))), "{refused:?}");
    fs::remove_file(filler).unwrap();
    kept.push(store(&own).await.unwrap());
    for id in &kept {
        assert!(own.find(*id).await.unwrap().is_some());
    }
    let all = own.list(Filter::default(), 0, 1000).await.unwrap();
    assert_eq!(all.len(), kept.len(), "what was refused is not there");
}

#[tokio::test]
async fn a_store_on_a_disk_that_became_read_only_refuses_and_goes_on_when_it_can_be_written() {
    let disk = SmallDisk::of(4096);
    let folder = disk.path().to_owned();
    drop(in_folder(&folder, &Clock::virtual_at(BEGIN)).await);
    poll(|| disk.remount("ro")).await;
    let refused = refusal(&folder).await;
    assert!(matches!(refused, Error::Unusable { .. }), "{refused}");
    assert!(refused.to_string().contains("ead-only"), "{refused}");
    assert!(disk.remount("rw"));
    store(&in_folder(&folder, &Clock::virtual_at(BEGIN)).await).await.unwrap();
}
