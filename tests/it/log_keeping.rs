//! What the log keeps and for how long: old segments, calls in doubt, large values.

use std::{
    fs,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::sync::Notify;

use crate::support::{
    client::Client,
    fault::{Fault, FaultProxy},
    gateway::{Gateway, all_lines},
    odoo::odoo,
    poll,
    segments::{all_sealed, gateway_alone, grades, large_lines, segments, shell, verify},
};

/// Fills the log until its first segment is gone.
async fn until_the_first_is_dropped(gateway: &Gateway) {
    let first = format!("{:020}.jsonl", 1);
    let folder = gateway.config_file().parent().unwrap().to_owned();
    let is_first = |file: &PathBuf| file.file_name().unwrap().to_str().unwrap().starts_with(&first);
    let deadline = Instant::now() + Duration::from_secs(60);
    while segments(&folder).iter().any(is_first) {
        assert!(Instant::now() < deadline, "nothing is dropped");
        large_lines(gateway, 50).await;
    }
}

#[tokio::test]
async fn old_segments_are_dropped_by_size_and_each_drop_is_on_record() {
    let gateway = gateway_alone("segment_size = \"64 KiB\"\nmax_total = \"192 KiB\"");
    until_the_first_is_dropped(&gateway).await;
    let folder = gateway.stop();
    let dropped = all_lines(folder.path()).into_iter().find(|line| line["event"] == "segment.dropped");
    let verified = verify(folder.path());
    assert_eq!((&verified["sound"], grades(&verified)), (&json!(true), Vec::new()), "{verified}");
    let dropped = dropped.unwrap();
    assert_eq!(
        (&dropped["file"], &dropped["reason"]),
        (&json!("00000000000000000001.jsonl"), &json!("size")),
        "{dropped}"
    );
    assert!(!folder.path().join("log/index/00000000000000000001.idx").exists());
}

#[tokio::test]
async fn old_segments_are_dropped_by_age() {
    let gateway = gateway_alone("segment_size = \"64 KiB\"\nkeep = \"1s\"");
    until_the_first_is_dropped(&gateway).await;
    let folder = gateway.stop();
    let dropped = all_lines(folder.path()).into_iter().find(|line| line["event"] == "segment.dropped").unwrap();
    assert_eq!(dropped["reason"], "age", "{dropped}");
    assert_eq!(verify(folder.path())["sound"], true);
}

#[tokio::test]
async fn a_call_in_doubt_is_carried_over_when_its_segment_is_dropped_with_its_files() {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    let more = "[log]\nsegment_size = \"64 KiB\"\nmax_total = \"192 KiB\"";
    let gateway = Gateway::before(&proxy.url, &odoo.database, more);
    let client = Client::with_bearer(&gateway).await;
    let reached = Arc::new(Notify::new());
    let hold = Fault::Hold { reached: reached.clone(), release: Arc::default() };
    proxy.run(move |_, rpc| if rpc.ends_with("/create") { hold.clone() } else { Fault::Pass });
    let comment = "in doubt ".repeat(2_000);
    let body =
        json!({"model": "res.partner", "vals": {"payload": {"name": "in doubt", "comment": comment}}}).to_string();
    let call = tokio::spawn(async move { client.try_post("create_data", body).await.map(|_| ()) });
    reached.notified().await;
    // The line of the plan is queued before the RPC, and not waited for.
    poll(|| gateway.log_text().contains("\"call.planned\"")).await;
    let folder = gateway.kill();
    call.await.unwrap().unwrap_err();

    let gateway = Gateway::again(folder).unwrap();
    until_the_first_is_dropped(&gateway).await;
    let listed = gateway.run_json(&["log", "ls", "--in-doubt", "--json"]);
    assert_eq!(listed.len(), 1, "{listed:?}");
    assert_eq!((&listed[0]["model"], &listed[0]["state"]), (&json!("res.partner"), &json!("in_doubt")));
    let shown = gateway.run_json(&["log", "show", listed[0]["id"].as_str().unwrap(), "--json"]);
    assert_eq!(shown[0]["lines"][0]["vals"]["payload"]["comment"], comment);
    assert!(shown[0]["lines"][0]["carried_from"].is_u64());
    assert_eq!(shown[0]["lines"][1]["event"], "call.planned");
    let (status, verdict, _) = gateway.run(&["log", "verify"]);
    assert_eq!(status, Some(0), "{verdict}");
}

#[tokio::test]
async fn large_values_are_kept_once_beside_the_log_and_come_back() {
    let gateway = Gateway::start().await;
    let client = Client::with_bearer(&gateway).await;
    let datas = "QUJD".repeat(5_000);
    let mut ids = Vec::new();
    for _ in 0..2 {
        let payload = json!({"name": "with a file", "attachment_ids": [{"name": "a.txt", "datas": datas}]});
        let answer =
            client.post("create_data", json!({"model": "res.partner", "vals": {"payload": payload}}).to_string()).await;
        assert_eq!(answer.json["result"]["is_success"], true, "{answer:?}");
        ids.push(answer.headers["gateway-call-id"].to_str().unwrap().to_owned());
    }
    assert!(!gateway.log_text().contains(&datas[..400]));
    let blobs = shell(gateway.config_file().parent().unwrap(), "find blobs -type f");
    assert_eq!(blobs.lines().count(), 1, "{blobs}");
    let file = &gateway.log()[0]["vals"]["payload"]["attachment_ids"][0]["datas"];
    assert_eq!((&file["size"], &file["kind"]), (&json!(datas.len()), &json!("text")));
    let shown = gateway.run_json(&["log", "show", &ids[1], "--json"]);
    assert_eq!(shown[0]["lines"][0]["vals"]["payload"]["attachment_ids"][0]["datas"], datas);

    let blob = gateway.log_folder().join(blobs.trim());
    let whole = fs::read(&blob).unwrap();
    fs::write(&blob, zstd::encode_all(&b"something else"[..], 3).unwrap()).unwrap();
    assert_eq!(grades(&verify(gateway.config_file().parent().unwrap())), ["damaged"]);
    fs::remove_file(&blob).unwrap();
    assert_eq!(grades(&verify(gateway.config_file().parent().unwrap())), ["lost"]);
    fs::write(&blob, whole).unwrap();
    assert_eq!(verify(gateway.config_file().parent().unwrap())["sound"], true);
}

#[tokio::test]
async fn a_damaged_segment_stops_neither_readers_nor_retention() {
    let gateway = gateway_alone("segment_size = \"64 KiB\"\nmax_total = \"256 KiB\"");
    let folder = gateway.config_file().parent().unwrap().to_owned();
    let deadline = Instant::now() + Duration::from_secs(60);
    while segments(&folder).len() < 3 {
        assert!(Instant::now() < deadline, "no segment is begun");
        large_lines(&gateway, 20).await;
    }
    all_sealed(&folder).await;
    let first = folder.join("log/00000000000000000001.jsonl.zst");
    let mut bytes = fs::read(&first).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    fs::write(&first, &bytes).unwrap();
    fs::remove_dir_all(folder.join("log/index")).unwrap();
    assert!(gateway.run_json(&["log", "ls", "--route", "proxy", "--all", "--json"]).len() > 50);
    until_the_first_is_dropped(&gateway).await;
    assert_eq!(grades(&verify(gateway.stop().path())), Vec::<&str>::new());
}

#[tokio::test]
async fn a_call_whose_large_values_cannot_be_kept_has_its_end_in_the_log_all_the_same() {
    let gateway = Gateway::start().await;
    let client = Client::with_bearer(&gateway).await;
    fs::write(gateway.log_folder().join("blobs"), "a file where a folder should be").unwrap();
    let rows = json!({"payload": {"search_field": ["name", "code", "country_id"]}});
    assert_eq!(client.call("search_data", "res.country.state", rows).await["is_success"], true);
    let line = gateway.log().pop().unwrap();
    assert_eq!(line["state"], "done");
    assert!(line["result"]["not_kept"].as_str().unwrap().contains("could not take"), "{line}");
    // What cannot be announced whole is not done.
    let body = json!({"model": "res.partner", "vals": {"payload": {"name": "x", "comment": "c".repeat(20_000)}}});
    let refused = client.post("create_data", body.to_string()).await;
    assert_eq!((refused.status, &refused.json["error"]["data"]["code"]), (503, &json!("log_failed")), "{refused:?}");
}

// The proxy runs while this waits for a command.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_whose_caller_hangs_up_while_it_is_passed_on_has_its_end_in_the_log() {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    let gateway = Gateway::before(&proxy.url, &odoo.database, "");
    let (reached, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let hold = Fault::Hold { reached: reached.clone(), release: release.clone() };
    proxy.run(move |_, _| hold.clone());
    let client = Client::nobody(&gateway);
    let asked =
        tokio::spawn(
            async move { client.send("POST", "/web/session/check", Default::default(), Some("{}")).await.status },
        );
    reached.notified().await;
    asked.abort();
    assert!(asked.await.unwrap_err().is_cancelled());
    release.notify_one();
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let calls = gateway.run_json(&["log", "ls", "--route", "proxy", "--json"]);
        if calls[0]["state"] == "done" {
            break;
        }
        assert!(Instant::now() < deadline, "{calls:?}");
        tokio::task::yield_now().await;
    }
}
