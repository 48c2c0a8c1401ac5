//! Every error has a code that is documented and tested; what only a broken Odoo does is done by a broken Odoo.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use regex::Regex;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Notify,
};

use crate::support::{
    client::Client,
    fault::{Fault, FaultProxy, exception},
    gateway::{CHANGED, Gateway, SETTLES_AT_ONCE},
    odoo::odoo,
};

/// Makes a call whose first RPC in Odoo is answered like this.
async fn answered(fault: Fault, more: &str) -> (u16, Value) {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    let gateway = Gateway::before(&proxy.url, &odoo.database, more);
    let client = Client::with_session(&gateway).await;
    proxy.run(move |_, _| fault.clone());
    let answer = client.post("search_data", r#"{"model": "res.country", "vals": {"payload": {"limit": 1}}}"#).await;
    let error = if answer.json.get("error").is_some() {
        &answer.json["error"]["data"]
    } else {
        &answer.json["result"]["error"]
    };
    (answer.status, json!([error["code"], error["retry"]]))
}

#[tokio::test]
async fn odoos_exceptions_are_told_apart_by_name() {
    for (name, code, retry) in [
        ("odoo.exceptions.AccessDenied", "access_denied", "no"),
        ("odoo.exceptions.MissingError", "missing_record", "no"),
        ("odoo.exceptions.RedirectWarning", "user_error", "no"),
        ("psycopg2.errors.SerializationFailure", "conflict", "safe"),
        ("psycopg2.errors.DeadlockDetected", "conflict", "safe"),
        ("psycopg2.pool.PoolError", "conflict", "safe"),
        ("builtins.ZeroDivisionError", "odoo_error", "no"),
    ] {
        let body = exception(name, "in whatever language");
        assert_eq!(answered(Fault::Answer { status: "200 OK", body }, "").await, (200, json!([code, retry])), "{name}");
    }
}

#[tokio::test]
async fn an_odoo_that_is_overloaded_silent_or_speaks_nonsense_is_told_by_the_status() {
    let page = |status| Fault::Answer { status, body: "<html>down for maintenance</html>".to_owned() };
    assert_eq!(answered(page("503 Service Unavailable"), "").await, (503, json!(["odoo_overloaded", "safe"])));
    assert_eq!(answered(page("429 Too Many Requests"), "").await, (503, json!(["odoo_overloaded", "safe"])));
    assert_eq!(answered(page("200 OK"), "").await, (502, json!(["odoo_no_answer", "safe"])));
    let refused = Fault::Answer { status: "403 Forbidden", body: r#"{"message": "Forbidden"}"#.to_owned() };
    assert_eq!(answered(refused, "").await, (502, json!(["turned_away", "no"])));
    let body = exception("psycopg2.OperationalError", "server closed the connection unexpectedly");
    let lost = Fault::Answer { status: "200 OK", body };
    assert_eq!(answered(lost, "").await, (502, json!(["odoo_no_answer", "safe"])));
    assert_eq!(answered(page("500 Internal Server Error"), "").await, (502, json!(["odoo_no_answer", "safe"])));
    let never = Fault::Hold { reached: Default::default(), release: Default::default() };
    // The login before it has to be done within the same time, by an Odoo that other tests keep busy.
    assert_eq!(answered(never, "retries = 0\ntimeout = \"15s\"").await, (504, json!(["odoo_timeout", "safe"])));
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_is_not_to_be_repeated_blindly() {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    let gateway = Gateway::before(&proxy.url, &odoo.database, SETTLES_AT_ONCE);
    let client = Client::with_session(&gateway).await;
    proxy.run(|_, rpc| if rpc.ends_with("/create") { Fault::ResetAfter } else { Fault::Pass });
    let name = format!("lost {}", uuid::Uuid::new_v4());
    let payload = json!({"name": name, "website": CHANGED});
    let body = json!({"model": "res.partner", "vals": {"payload": payload}}).to_string();
    let answer = client.post("create_data", body).await;
    let data = &answer.json["error"]["data"];
    assert_eq!(
        (answer.status, &data["code"], &data["retry"]),
        (504, &json!("outcome_unknown"), &json!("unsafe")),
        "{answer:?}"
    );
    assert_eq!((&data["left"][0]["model"], &data["left"][0]["fate"]), (&json!("res.partner"), &json!("unknown")));
    assert_eq!(odoo.search_count("res.partner", json!([["name", "=", name]])).await, 1);
}

#[tokio::test]
async fn files_of_lines_that_odoo_made_otherwise_are_refused_and_all_is_taken_back() {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    let gateway = Gateway::before(&proxy.url, &odoo.database, "");
    let client = Client::with_session(&gateway).await;
    let name = format!("lines {}", uuid::Uuid::new_v4());
    let lines = json!([{"name": format!("k {name}"), "attachment_ids": [{"name": name, "datas": "QQ=="}]}]);
    // Which lines there are is asked in two ways; what is asked after that is for taking back.
    let field = r#"{"jsonrpc": "2.0", "id": null, "result": [{"id": 1, "child_ids": [1, 2]}]}"#;
    let back = r#"{"jsonrpc": "2.0", "id": null, "result": [{"id": 1}, {"id": 2}]}"#;
    let searches = AtomicUsize::new(0);
    proxy.run(move |_, rpc| {
        let body = match rpc {
            "res.partner/read" => field,
            "res.partner/search_read" if searches.fetch_add(1, Relaxed) == 0 => back,
            _ => return Fault::Pass,
        };
        Fault::Answer { status: "200 OK", body: body.to_owned() }
    });
    let payload = json!({"name": name, "child_ids": lines});
    let answer = client.call("create_data", "res.partner", json!({"payload": payload})).await;
    assert_eq!((&answer["is_success"], &answer["error"]["code"]), (&json!(false), &json!("lines_differ")), "{answer}");
    for model in ["res.partner", "ir.attachment"] {
        assert_eq!(odoo.search_count(model, json!([["name", "like", name]])).await, 0, "{model}");
    }
}

#[tokio::test]
async fn a_door_that_the_configuration_closes_stays_closed() {
    let gateway = Gateway::start_with("protocol = \"json-2\"").await;
    let body = r#"{"model": "res.country", "vals": {"payload": {"limit": 1, "search_field": ["code"]}}}"#;
    let answer = Client::with_session(&gateway).await.post("search_data", body).await;
    assert_eq!(answer.json["error"]["data"]["code"], "credential_not_allowed", "{answer:?}");
    assert_eq!(Client::with_key(&gateway).await.post("search_data", body).await.json["result"]["is_success"], true);
}

/// From here on, the log cannot begin another segment: the names of all of them are taken.
fn take_names_of_segments(gateway: &Gateway) {
    for number in 2..2_000 {
        fs::create_dir(gateway.log_folder().join(format!("{number:020}.jsonl"))).unwrap();
    }
}

#[tokio::test]
async fn a_log_that_cannot_be_written_takes_no_further_call() {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    let gateway = Gateway::before(&proxy.url, &odoo.database, "[log]\nsegment_size = \"64 KiB\"");
    let client = Client::with_bearer(&gateway).await;
    let (reached, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let hold = Fault::Hold { reached: reached.clone(), release: release.clone() };
    proxy.run(move |_, rpc| if rpc.ends_with("/create") { hold.clone() } else { Fault::Pass });
    let under_way = {
        let client = client.clone();
        tokio::spawn(async move {
            client.post("create_data", r#"{"model": "res.partner", "vals": {"payload": {"name": "x"}}}"#).await
        })
    };
    reached.notified().await;
    take_names_of_segments(&gateway);
    let (status, code) = loop {
        let answer = Client::nobody(&gateway).post("create_data", "{}").await;
        if answer.status != 200 {
            break (answer.status, answer.json["error"]["data"]["code"].clone());
        }
    };
    assert_eq!((status, code), (503, json!("log_failed")));
    let refused = client.post("search_data", r#"{"model": "res.country", "vals": {"payload": {"limit": 1}}}"#).await;
    assert_eq!(
        (refused.status, refused.json["error"]["data"]["code"].as_str()),
        (503, Some("log_failed")),
        "{refused:?}"
    );
    assert!(refused.headers.contains_key("retry-after"));
    // Not even a login is passed on.
    assert_eq!(Client::nobody(&gateway).authenticate(&odoo.database, "nobody", "none").await.status, 503);
    assert_eq!(gateway.get_admin("/ready").await.0, 503);
    // What was under way is done, and said not to be in the log.
    release.notify_one();
    let done = under_way.await.unwrap();
    assert_eq!(
        (&done.json["result"]["is_success"], &done.json["result"]["warnings"][0]["code"]),
        (&json!(true), &json!("not_logged"))
    );
}

#[tokio::test]
async fn where_the_operator_wants_it_requests_are_passed_on_that_cannot_be_logged() {
    let odoo = odoo().await;
    let more = "[log]\nmin_free = \"1 EiB\"\non_failure = \"proxy-only\"";
    let gateway = Gateway::before(&odoo.url, &odoo.database, more);
    let client = Client::with_session(&gateway).await;
    let call = client.post("search_data", r#"{"model": "res.country", "vals": {"payload": {"limit": 1}}}"#).await;
    assert_eq!((call.status, call.json["error"]["data"]["code"].as_str()), (503, Some("log_full")), "{call:?}");
}

#[tokio::test]
async fn a_disk_that_is_nearly_full_takes_no_call_until_there_is_room() {
    let odoo = odoo().await;
    let gateway = Gateway::before(&odoo.url, &odoo.database, "[log]\nmin_free = \"1 EiB\"");
    let client = Client::with_key(&gateway).await;
    let call = client.post("search_data", r#"{"model": "res.country", "vals": {"payload": {"limit": 1}}}"#).await;
    assert_eq!((call.status, call.json["error"]["data"]["code"].as_str()), (503, Some("log_full")), "{call:?}");
    assert!(call.headers.contains_key("retry-after"));
    assert_eq!(Client::nobody(&gateway).authenticate(&odoo.database, "nobody", "none").await.status, 503);
    let (status, ready) = gateway.get_admin("/ready").await;
    assert!(status == 503 && ready["log"].as_str().unwrap().contains("min_free"), "{ready}");
}

#[tokio::test]
async fn a_body_that_ends_early_is_no_call() {
    let gateway = Gateway::start().await;
    let mut stream = TcpStream::connect(gateway.url.trim_start_matches("http://")).await.unwrap();
    let request = "POST /api/create_data HTTP/1.1\r\nHost: g\r\nContent-Length: 100\r\n\r\n{\"model\"";
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("body_broken"), "{answer}");
}

/// The texts of all Rust files below a folder.
fn sources(folder: &str) -> String {
    let mut texts = String::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            match entry.extension() {
                _ if entry.is_dir() => folders.push(entry),
                Some(extension) if extension == "rs" || extension == "json" => {
                    texts += &fs::read_to_string(&entry).unwrap()
                }
                _ => {}
            }
        }
    }
    texts
}

fn all(pattern: &str, text: &str) -> BTreeSet<String> {
    Regex::new(pattern).unwrap().captures_iter(text).map(|found| found[1].to_owned()).collect()
}

/// docs/errors.md has every code: a unit test holds it against the table.
#[test]
fn every_code_is_tested() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let documented = all(r"(?m)^\| `([a-z0-9_]+)` \|", &fs::read_to_string(root.join("docs/errors.md")).unwrap());
    assert!(documented.len() > 80, "{documented:?}");
    let tests = sources("tests/it") + &sources("tests/conformance") + &sources("src");
    // A mistake of the gateway itself cannot be made on command.
    let untested: Vec<_> = documented
        .iter()
        .filter(|code| {
            // In the table a code stands once; in the tables of raw requests it stands behind its status.
            let named = tests.matches(&format!("\"{code}\"")).count() + tests.matches(&format!(":{code}")).count();
            *code != "internal" && named < 2
        })
        .collect();
    assert!(untested.is_empty(), "without a test: {untested:?}");
}

#[tokio::test]
async fn a_write_that_a_proxy_answers_with_503_may_have_been_done() {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    let gateway = Gateway::before(&proxy.url, &odoo.database, SETTLES_AT_ONCE);
    let client = Client::with_session(&gateway).await;
    let busy = Fault::Answer { status: "503 Service Unavailable", body: "upstream connect error or reset".to_owned() };
    proxy.run(move |_, rpc| if rpc.ends_with("/create") { busy.clone() } else { Fault::Pass });
    let answer = client.post("create_data", r#"{"model": "res.partner", "vals": {"payload": {"name": "busy"}}}"#).await;
    assert_eq!((answer.status, &answer.json["error"]["data"]["retry"]), (504, &json!("unsafe")), "{answer:?}");
    assert!(!answer.headers.contains_key("retry-after"));
}
