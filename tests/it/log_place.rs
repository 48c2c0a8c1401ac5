//! A log whose folder, segment or lock is moved, deleted or replaced while the gateway runs: nothing is acknowledged that
//! nobody could read.

use std::{fs, path::Path, time::Duration};

use serde_json::{Value, json};

use crate::support::{
    client::Client,
    gateway::{Gateway, run_in},
    poll,
    segments::{gateway_alone, grades, refused_calls, segments, verify},
};

/// What an operator, or a script that rotates files, does to the log of a gateway that runs.
type Act = fn(&Path);

const ACTS: [(&str, Act); 5] = [
    ("the folder is renamed", |log| fs::rename(log, log.with_file_name("elsewhere")).unwrap()),
    ("the folder is replaced", |log| {
        fs::rename(log, log.with_file_name("elsewhere")).unwrap();
        fs::create_dir(log).unwrap();
    }),
    ("the folder is deleted", |log| fs::remove_dir_all(log).unwrap()),
    ("LOCK is deleted", |log| fs::remove_file(log.join("LOCK")).unwrap()),
    ("the segment is replaced", |log| {
        let segment = segments(log.parent().unwrap()).pop().unwrap();
        let copy = log.join("copy");
        fs::copy(&segment, &copy).unwrap();
        fs::rename(copy, segment).unwrap();
    }),
];

#[tokio::test]
async fn no_call_is_answered_as_done_whose_lines_nobody_can_read() {
    for (what, act) in ACTS {
        let gateway = Gateway::start().await;
        let client = Client::with_bearer(&gateway).await;
        let call = async || {
            let body = r#"{"model": "res.country", "vals": {"payload": {"limit": 1, "search_field": ["code"]}}}"#;
            client.post("search_data", body).await
        };
        assert_eq!(call().await.json["result"]["is_success"], true, "{what}");
        act(&gateway.log_folder());
        let refused = call().await;
        let code = &refused.json["error"]["data"]["code"];
        assert_eq!((refused.status, code), (503, &json!("log_failed")), "{what}: {refused:?}");
        // Nothing is passed on, either.
        assert_eq!(
            client.send("POST", "/web/session/check", Default::default(), Some("{}")).await.status,
            503,
            "{what}"
        );
        let (status, ready) = gateway.get_admin("/ready").await;
        let told = ready["log"].as_str().unwrap();
        assert!(status == 503 && told.contains("was moved, deleted or replaced"), "{what}: {ready}");
        gateway.terminate();
        let (_, said) = gateway.wait();
        assert!(said.contains("the log cannot be written any more"), "{what}: {said}");
    }
}

#[tokio::test]
async fn ready_and_metrics_tell_so_where_nobody_calls() {
    for (what, act) in ACTS {
        let gateway = gateway_alone("");
        assert_eq!(gateway.get_admin("/ready").await.1["log"], "writable", "{what}");
        act(&gateway.log_folder());
        let mut ready = Value::Null;
        let looked = async {
            loop {
                ready = gateway.get_admin("/ready").await.1;
                if ready["log"] != "writable" {
                    break;
                }
            }
        };
        assert!(tokio::time::timeout(Duration::from_secs(20), looked).await.is_ok(), "{what}: {ready}");
        assert!(ready["log"].as_str().unwrap().contains("was moved, deleted or replaced"), "{what}: {ready}");
        assert_eq!(gateway.metrics().await["odoo_gateway_log_up"], 0.0, "{what}");
    }
}

#[tokio::test]
async fn a_gateway_whose_lock_was_deleted_leaves_the_folder_to_the_next_one() {
    let first = gateway_alone("");
    refused_calls(&first, 3).await;
    let folder = first.config_file().parent().unwrap().to_owned();
    fs::remove_file(folder.join("log/LOCK")).unwrap();
    // What keeps a second one out is gone, and verify says so.
    let verified = verify(&folder);
    assert_eq!((&verified["sound"], grades(&verified)), (&json!(false), vec!["lost"]), "{verified}");

    // The second one, with the same configuration and folder; its store is another one, which the first does not hold.
    let shared = tempfile::tempdir().unwrap();
    let config = fs::read_to_string(folder.join("gateway.toml")).unwrap();
    let directory = format!("[delivery]\ndirectory = \"delivery\"\n[log]\ndirectory = {:?}", folder.join("log"));
    fs::write(shared.path().join("gateway.toml"), config.replacen("[log]", &directory, 1)).unwrap();
    let second = Gateway::again(shared).unwrap();
    refused_calls(&second, 3).await;
    // The first one refuses from now on, and writes nothing into the segment of the second.
    poll(|| fs::read_to_string(folder.join("log/control.json")).is_ok_and(|said| said.contains(&second.admin))).await;
    refused_calls(&first, 3).await;
    assert_eq!(Client::nobody(&first).post("create_data", "{}").await.status, 503);
    assert_eq!(first.get_admin("/ready").await.0, 503);
    let _folder = first.stop();
    // It leaves control.json to the second one, too.
    assert!(folder.join("log/control.json").exists());
    refused_calls(&second, 3).await;
    let second = second.stop();
    let calls = run_in(second.path(), &["log", "ls", "--json"]).1;
    assert_eq!(calls.lines().count(), 9, "{calls}");
    let verified = verify(second.path());
    assert_eq!((&verified["sound"], grades(&verified)), (&json!(true), Vec::new()), "{verified}");
}

#[tokio::test]
async fn a_copy_of_the_segments_alone_is_sound() {
    let gateway = gateway_alone("");
    refused_calls(&gateway, 3).await;
    let folder = gateway.stop();
    fs::remove_file(folder.path().join("log/LOCK")).unwrap();
    let verified = verify(folder.path());
    assert_eq!((&verified["sound"], grades(&verified)), (&json!(true), vec!["note"]), "{verified}");
}
