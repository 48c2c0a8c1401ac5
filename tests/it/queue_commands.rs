//! `odoo-gateway queue …`: the store of keys and queued calls in the hands of a person, beside a gateway and without one.

use std::{path::Path, time::Duration};

use odoo_gateway::store::{Accepted, Clock, End, NewCall, Place, Spans, State, Store};
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use crate::support::gateway::{Gateway, configuration, run_in};

const SPANS: Spans = Spans {
    lease: Duration::from_secs(30),
    keep: Duration::from_secs(7 * 86_400),
    callback: Duration::from_secs(86_400),
};

fn queued(client: &str, lane: &str, model: &str) -> NewCall {
    NewCall {
        id: Uuid::now_v7(),
        caller: format!("client {client}"),
        client: Some(client.to_owned()),
        key: Some(format!("key {}", Uuid::new_v4())),
        digest: [1; 32],
        route: "create_data".to_owned(),
        model: model.to_owned(),
        request: b"{}".to_vec(),
        place: Place::Lane(format!("{client} {lane}")),
        keep: None,
        delivery: None,
    }
}

/// A folder with a configuration and a store that no gateway has: two dead calls and three that wait in two lanes of `shop`, and
/// one of `warehouse`.
async fn folder() -> (TempDir, Store, Vec<Uuid>) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("gateway.toml"), configuration("http://127.0.0.1:9", "none", "")).unwrap();
    let store = Store::in_folder(&folder.path().join("delivery"), SPANS, Clock::of_this_machine()).await.unwrap();
    let mut ids = Vec::new();
    for model in ["res.partner", "sale.order"] {
        ids.push(accept(&store, queued("shop", "dead", model)).await);
        let claimed = store.claim("shop").await.unwrap().unwrap();
        let dead = End::Dead { outcome: b"{\"state\": \"failed\"}".to_vec(), error: "no_match".to_owned() };
        assert!(store.finish(&claimed.ticket, dead, None).await.unwrap());
    }
    for lane in ["a", "a", "b"] {
        ids.push(accept(&store, queued("shop", lane, "res.partner")).await);
    }
    ids.push(accept(&store, queued("warehouse", "a", "stock.picking")).await);
    (folder, store, ids)
}

async fn accept(store: &Store, call: NewCall) -> Uuid {
    let id = call.id;
    assert_eq!(store.accept(call, true).await.unwrap(), Accepted::New(None));
    id
}

fn queue(folder: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    run_in(folder, &[&["queue"], args].concat())
}

fn listed(folder: &Path, args: &[&str]) -> Vec<String> {
    let (status, out, said) = queue(folder, &[&["ls", "--json"], args].concat());
    assert_eq!(status, Some(0), "{said}");
    let calls = out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    calls.map(|call| call["id"].as_str().unwrap().to_owned()).collect()
}

fn texts(ids: &[Uuid]) -> Vec<String> {
    ids.iter().map(Uuid::to_string).collect()
}

#[tokio::test]
async fn calls_are_listed_by_each_filter() {
    let (folder, store, ids) = folder().await;
    let at = folder.path();
    assert_eq!(listed(at, &[]), texts(&ids));
    assert_eq!(listed(at, &["--state", "dead"]), texts(&ids[..2]));
    assert_eq!(listed(at, &["--state", "dead", "--state", "queued", "--client", "warehouse"]), texts(&ids[5..]));
    assert_eq!(listed(at, &["--model", "sale.order"]), texts(&ids[1..2]));
    assert_eq!(listed(at, &["--route", "create_data", "--error", "no_match"]), texts(&ids[..2]));
    assert_eq!(listed(at, &["--lane", "shop b"]), texts(&ids[4..5]));
    assert_eq!(listed(at, &["--blocked"]), texts(&ids[3..4]));
    assert!(listed(at, &["--older-than", "1h"]).is_empty());
    let key = store.find(ids[4]).await.unwrap().unwrap().key.unwrap();
    assert_eq!(listed(at, &["--key", &key]), texts(&ids[4..5]));
    assert_eq!(listed(at, &["-n", "2"]), texts(&ids[..2]));
    let (_, table, said) = queue(at, &["ls"]);
    assert!(table.lines().count() == 7 && table.contains(&ids[0].to_string()), "{table}{said}");
    let (status, _, said) = queue(at, &["pause", "shpo"]);
    assert!(status == Some(1) && said.contains("there is no [[client]] `shpo`; did you mean `shop`?"), "{said}");
    let (status, _, said) = queue(at, &["ls", "--state", "lost"]);
    assert!(status == Some(2) && said.contains("a call is running, queued, done, dead, in-doubt or dropped"), "{said}");
}

#[tokio::test]
async fn one_call_is_shown_with_its_answer_and_without_its_payload() {
    let (folder, _store, ids) = folder().await;
    let (status, shown, said) = queue(folder.path(), &["show", &ids[0].to_string()]);
    assert_eq!(status, Some(0), "{said}");
    for part in ["dead", "no_match", "shop dead", "attempts      1", "\"state\": \"failed\""] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let (_, shown, _) = queue(folder.path(), &["show", "--json", &ids[0].to_string()]);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((&shown["outcome"], &shown["state"]), (&json!({"state": "failed"}), &json!("dead")));
    assert!(shown.get("request").is_none());
    let (status, _, said) = queue(folder.path(), &["show", &Uuid::nil().to_string()]);
    assert!(status == Some(1) && said.contains("the store has no call"), "{said}");
}

#[tokio::test]
async fn dead_calls_are_tried_again_by_filter_in_their_order() {
    let (folder, store, ids) = folder().await;
    let at = folder.path();
    let (status, _, said) = queue(at, &["retry"]);
    assert!(status == Some(1) && said.contains("which calls?"), "{said}");
    let (status, _, said) = queue(at, &["retry", "--error", "no_match"]);
    assert!(status == Some(1) && said.contains("2 calls would be tried again; --yes says so"), "{said}");
    let (status, out, _) = queue(at, &["retry", "--error", "no_match", "--dry-run"]);
    assert!(status == Some(0) && out.contains("2 calls would be tried again"), "{out}");
    assert_eq!(store.find(ids[0]).await.unwrap().unwrap().state, State::Dead);
    let (status, out, said) = queue(at, &["retry", "--error", "no_match", "--yes"]);
    assert!(status == Some(0) && out.starts_with("2 calls"), "{out}{said}");
    let mut made = Vec::new();
    while let Some(claimed) = store.claim("shop").await.unwrap() {
        made.push(claimed.ticket.id);
        assert!(store.finish(&claimed.ticket, End::Done { outcome: b"{}".to_vec() }, None).await.unwrap());
    }
    // What a person sends on is due before what waits.
    assert_eq!((made[0], made.len()), (ids[0], 5));
    let place = |id| made.iter().position(|made| *made == id).unwrap();
    assert!(place(ids[0]) < place(ids[1]));
}

#[tokio::test]
async fn calls_are_dropped_by_id_but_not_those_that_a_worker_has() {
    let (folder, store, ids) = folder().await;
    let at = folder.path();
    let held = store.claim("warehouse").await.unwrap().unwrap();
    let (status, out, said) = queue(at, &["drop", "--yes", &ids[3].to_string(), &ids[5].to_string()]);
    assert!(status == Some(0) && out.starts_with("1 calls dropped"), "{out}{said}");
    assert_eq!(store.find(ids[3]).await.unwrap().unwrap().state, State::Dropped);
    assert!(store.finish(&held.ticket, End::Done { outcome: b"{}".to_vec() }, None).await.unwrap());
    let (status, _, said) = queue(at, &["drop", "--yes", "--client", "warehouse"]);
    assert!(status == Some(0) && said.contains("no call in the store is like that"), "{said}");
}

#[tokio::test]
async fn a_queue_is_paused_and_goes_on_and_the_counts_tell() {
    let (folder, store, _) = folder().await;
    let at = folder.path();
    let (status, out, _) = queue(at, &["pause", "shop", "--why", "stocktaking"]);
    assert!(status == Some(0) && out.contains("`shop` is paused"), "{out}");
    assert!(store.claim("shop").await.unwrap().is_none());
    let (_, out, _) = queue(at, &["stats", "--json"]);
    let stats: Value = serde_json::from_str(&out).unwrap();
    let shop = &stats["clients"][0];
    assert_eq!((&shop["client"], &shop["paused"]), (&json!("shop"), &json!("stocktaking")), "{stats}");
    assert_eq!((&shop["queued"], &shop["dead"], &stats["queued"]), (&json!(3), &json!(2), &json!(4)), "{stats}");
    let (_, table, _) = queue(at, &["stats"]);
    assert!(table.contains("stocktaking") && table.lines().count() == 3, "{table}");
    let (_, out, _) = queue(at, &["resume", "shop"]);
    assert!(out.contains("`shop` goes on"), "{out}");
    let (_, out, _) = queue(at, &["resume", "shop"]);
    assert!(out.contains("`shop` was not paused"), "{out}");
    assert!(store.claim("shop").await.unwrap().is_some());
}

#[test]
fn a_store_that_no_gateway_has_made_is_not_made_by_a_command() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("gateway.toml"), configuration("http://127.0.0.1:9", "none", "")).unwrap();
    let (status, _, said) = queue(folder.path(), &["ls"]);
    assert!(status == Some(1) && said.contains("there is no store of keys and queued calls in"), "{said}");
    assert!(!folder.path().join("delivery").exists());
}

#[tokio::test]
async fn a_running_gateway_tells_its_queue_and_the_commands_stand_beside_it() {
    let gateway = Gateway::before("http://127.0.0.1:9", "none", "");
    let folder = gateway.config_file().with_file_name("delivery");
    let store = Store::beside_gateway(&folder, SPANS).await.unwrap();
    store.pause("shop", Some("a test")).await.unwrap();
    accept(&store, queued("shop", "a", "res.partner")).await;
    let (status, told) = gateway.get_admin("/queue").await;
    assert_eq!((status, &told["queued"], &told["clients"][0]["paused"]), (200, &json!(1), &json!("a test")), "{told}");
    assert_eq!(gateway.run_json(&["queue", "ls", "--json"]).len(), 1);
    let (status, out, said) = gateway.run(&["queue", "drop", "--all", "--yes"]);
    assert!(status == Some(0) && out.starts_with("1 calls dropped"), "{out}{said}");
    let (_, told) = gateway.get_admin("/queue").await;
    assert_eq!(told["queued"], json!(0), "{told}");
}
