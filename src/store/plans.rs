//! How SQLite carries out the statements of the store: by an index, however many calls there are.

use sqlx::{AssertSqlSafe, Connection, Row, SqliteConnection};

use super::{Clock, Spans, Store, accept, attempt, callback, change, look, progress, upkeep};

#[tokio::test]
async fn every_statement_of_a_call_uses_an_index() {
    let folder = tempfile::tempdir().unwrap();
    let minute = std::time::Duration::from_secs(60);
    let spans = Spans { lease: minute, keep: minute, callback: minute };
    let _store = Store::in_folder(folder.path(), spans, Clock::of_this_machine()).await.unwrap();
    let path = folder.path().join("store.sqlite");
    let mut raw = SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    let statements = [
        &accept::STATEMENTS[..],
        &attempt::STATEMENTS,
        &callback::STATEMENTS,
        &change::STATEMENTS,
        &look::STATEMENTS,
        &progress::STATEMENTS,
        &upkeep::STATEMENTS,
    ];
    for statement in statements.concat() {
        let plan = format!("EXPLAIN QUERY PLAN {statement}");
        for step in sqlx::raw_sql(AssertSqlSafe(plan)).fetch_all(&mut raw).await.unwrap() {
            let step: String = step.get("detail");
            assert!(
                !step.starts_with("SCAN") || step.contains("INDEX") || step.contains("CONSTANT"),
                "{step}: {statement}"
            );
            assert!(!step.contains("TEMP B-TREE FOR ORDER BY"), "{step}: {statement}");
        }
    }
}
