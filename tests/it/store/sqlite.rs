//! The store in a SQLite file.

use std::os::unix::fs::PermissionsExt;

use odoo_gateway::store::{Clock, Error, Store};

use super::{BEGIN, SPANS, contract, in_folder, queued};

#[tokio::test]
async fn a_file_does_what_every_store_does() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::virtual_at(BEGIN);
    let store = in_folder(folder.path(), &clock).await;
    contract::holds(&store, &clock).await;
    let mode = |name: &str| std::fs::metadata(folder.path().join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("store.sqlite"), mode("store.sqlite-wal")), (0o600, 0o600));
}

#[tokio::test]
async fn a_second_gateway_is_kept_out_and_the_command_line_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::virtual_at(BEGIN);
    let store = in_folder(folder.path(), &clock).await;
    let refused = Store::in_folder(folder.path(), SPANS, clock.clone()).await.unwrap_err();
    assert!(matches!(refused, Error::InUse(..)), "{refused}");
    store.accept(queued("a"), true).await.unwrap();
    let beside = Store::beside_gateway(folder.path(), SPANS).await.unwrap();
    assert_eq!(beside.depths().await.unwrap()[0].queued, 1);
}
