//! What the gateway makes of an Odoo, or of something before it, that is slow, down, broken or something else altogether.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use futures_util::future;
use http::HeaderMap;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::Notify, time};
use uuid::Uuid;

use crate::support::{
    client::{Answer, Client},
    fault::{Fault, FaultProxy, exception},
    gateway::{Gateway, SETTLES_AT_ONCE},
    odoo::{Odoo, odoo, odoo_14},
};

const COUNTRY: &str = r#"{"model": "res.country", "vals": {"payload": {"limit": 1, "search_field": ["code"]}}}"#;

/// Status, code, retry and words of a refusal.
fn refusal(answer: &Answer) -> (u16, String, String, String) {
    let (error, words) = match answer.json.get("error") {
        Some(error) => (&error["data"], &error["message"]),
        None => (&answer.json["result"]["error"], &answer.json["result"]["messages"]),
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (answer.status, text(&error["code"]), text(&error["retry"]), text(words))
}

struct Broken {
    proxy: FaultProxy,
    client: Client,
    gateway: Gateway,
}

impl Broken {
    /// A gateway before a proxy that can be told to misbehave, and a caller who is known already.
    async fn before(odoo: &Odoo, more: &str) -> Self {
        let proxy = FaultProxy::before(odoo).await;
        let gateway = Gateway::before(&proxy.url, &odoo.database, more);
        // JSON-2 takes keys only, and every other door a password.
        let secret = if more.contains("json-2") { &odoo.key } else { &odoo.password };
        let client = Client::with_login(&gateway, &odoo.login, secret);
        assert_eq!(client.post("search_data", COUNTRY).await.json["result"]["is_success"], true);
        Self { proxy, client, gateway }
    }

    async fn search(&self, fault: Fault) -> (u16, String, String, String) {
        self.proxy.run(move |_, _| fault.clone());
        refusal(&self.client.post("search_data", COUNTRY).await)
    }

    async fn create(&self, name: &str) -> Answer {
        let body = json!({"model": "res.partner", "vals": {"payload": {"name": name}}});
        self.client.post("create_data", body.to_string()).await
    }
}

fn raw(head: &str, body: &[u8]) -> Fault {
    let head = format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    Fault::Raw([head.as_bytes(), body].concat())
}

#[track_caller]
fn check((status, code, retry, words): (u16, String, String, String), expected: (u16, &str, &str), said: &str) {
    assert_eq!((status, code.as_str(), retry.as_str()), expected, "{words}");
    assert!(words.contains(said), "{said}: {words}");
}

#[tokio::test]
async fn what_is_no_answer_of_odoos_is_told_for_what_it_is_at_every_door() {
    const PAGE: &[u8] = b"<html><head><title>Down for maintenance</title></head></html>";
    for door in ["session", "json-rpc", "xml-rpc", "json-2"] {
        let odoo = odoo().await;
        let more = format!("protocol = \"{door}\"\nretries = 0\nmax_answer = \"1 MiB\"\nread_timeout = \"2s\"");
        let broken = Broken::before(odoo, &more).await;
        let no_answer = (502, "odoo_no_answer", "safe");
        let page = broken.search(raw("200 OK\r\nContent-Type: text/html", PAGE)).await;
        check(
            page,
            no_answer,
            "web page came back instead of Odoo's answer: HTTP 200, titled \u{201c}Down for maintenance",
        );
        let proxy = broken.search(raw("502 Bad Gateway\r\nContent-Type: text/html", PAGE)).await;
        check(proxy, no_answer, "HTTP 502");
        let gzip = broken.search(raw("200 OK\r\nContent-Encoding: gzip", b"\x1f\x8b\x08rest")).await;
        check(gzip, no_answer, "came back as gzip");
        let moved = broken.search(raw("301 Moved Permanently\r\nLocation: https://erp.example.com/", b"")).await;
        check(moved, (502, "odoo_redirects", "no"), "redirect; [upstream] url");
        check(broken.search(Fault::CutReply).await, no_answer, "the connection to Odoo broke");
        check(broken.search(Fault::Endless).await, (502, "answer_too_large", "no"), "larger than the 1.0 MiB");
        let other = broken.search(raw("200 OK\r\nContent-Type: text/plain", b"pong")).await;
        check(other, no_answer, "Odoo's answer cannot be read");
        let stalled = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{".to_vec();
        let stalled = broken.search(Fault::Stall(stalled)).await;
        check(stalled, (504, "odoo_timeout", "safe"), "did not answer within 2.0 s");
        // And nothing of it lasts.
        broken.proxy.run(|_, _| Fault::Pass);
        assert_eq!(broken.client.post("search_data", COUNTRY).await.json["result"]["is_success"], true, "{door}");
    }
}

#[tokio::test]
async fn a_database_that_is_gone_is_named_at_every_door() {
    for (odoo, door) in [
        (odoo().await, "session"),
        (odoo().await, "json-rpc"),
        (odoo().await, "xml-rpc"),
        (odoo().await, "json-2"),
        (odoo_14().await, "session"),
        (odoo_14().await, "json-rpc"),
        (odoo_14().await, "xml-rpc"),
    ] {
        let gateway = Gateway::before(&odoo.url, "no_such_database", &format!("protocol = \"{door}\""));
        let secret = if door == "json-2" { &odoo.key } else { &odoo.password };
        let client = Client::with_login(&gateway, &odoo.login, secret);
        let refused = refusal(&client.post("search_data", COUNTRY).await);
        check(refused, (502, "no_such_database", "no"), "Odoo does not serve the database `no_such_database`");
    }
}

#[tokio::test]
async fn what_odoo_rolled_back_is_repeated_at_every_door_and_stands_in_the_log() {
    let traceback = "Traceback (most recent call last):\n  File \"/odoo/sql_db.py\", line 1, in execute\npsycopg2.errors.SerializationFailure: could not serialize access due to concurrent update\n";
    let fault = format!(
        "<?xml version='1.0'?><methodResponse><fault><value><struct><member><name>faultCode</name><value><int>1</int></value></member><member><name>faultString</name><value><string>{traceback}</string></value></member></struct></value></fault></methodResponse>"
    );
    for (door, conflict) in [
        ("session", exception("psycopg2.errors.SerializationFailure", "could not serialize")),
        ("json-rpc", exception("psycopg2.errors.SerializationFailure", "could not serialize")),
        ("xml-rpc", fault),
    ] {
        let odoo = odoo().await;
        let broken = Broken::before(odoo, &format!("protocol = \"{door}\"")).await;
        let name = format!("repeated {}", Uuid::new_v4());
        broken.create(&format!("schema of {name}")).await;
        broken.proxy.run(move |number, _| match number {
            0 => Fault::Answer { status: "200 OK", body: conflict.clone() },
            _ => Fault::Pass,
        });
        assert_eq!(broken.create(&name).await.json["result"]["is_success"], true, "{door}");
        let tries: Vec<Value> = broken.gateway.log().last().unwrap()["odoo"].as_array().unwrap().clone();
        let tries: Vec<_> = tries.iter().map(|rpc| (rpc["method"].clone(), rpc["error"].clone())).collect();
        assert_eq!(tries, [(json!("create"), json!("conflict")), (json!("create"), Value::Null)], "{door}");
        assert_eq!(odoo.search_count("res.partner", json!([["name", "=", name]])).await, 1);
    }
}

#[tokio::test]
async fn a_write_of_which_nothing_is_known_is_not_repeated_at_any_door() {
    for door in ["session", "json-rpc", "xml-rpc", "json-2"] {
        let odoo = odoo().await;
        let name = format!("unknown {}", Uuid::new_v4());
        for fault in [Fault::ResetAfter, Fault::CutReply] {
            let broken = Broken::before(odoo, &format!("protocol = \"{door}\"\n{SETTLES_AT_ONCE}")).await;
            broken.create(&format!("schema of {name}")).await;
            broken.proxy.run(move |_, _| fault.clone());
            let (status, code, retry, words) = refusal(&broken.create(&name).await);
            assert_eq!((status, code.as_str(), retry.as_str()), (504, "outcome_unknown", "unsafe"), "{door}: {words}");
            assert!(words.contains("Odoo could not be asked for it"), "{door}: {words}");
        }
        assert_eq!(odoo.search_count("res.partner", json!([["name", "=", name]])).await, 2);
    }
}

#[tokio::test]
async fn a_write_that_was_turned_away_before_odoo_was_not_made() {
    const PAGE: &[u8] = b"<html><head><title>413 Request Entity Too Large</title></head></html>";
    let broken = Broken::before(odoo().await, "").await;
    broken.create("schema").await;
    broken.proxy.run(|_, _| raw("413 Request Entity Too Large\r\nContent-Type: text/html", PAGE));
    let answer = broken.create("too large for a proxy").await;
    check(refusal(&answer), (502, "turned_away", "no"), "HTTP 413, titled \u{201c}413 Request Entity Too Large");
    assert_eq!(answer.json["error"]["data"]["left"], Value::Null);
}

#[tokio::test]
async fn a_write_that_has_begun_outlasts_a_short_outage() {
    let odoo = odoo().await;
    let broken = Broken::before(odoo, "").await;
    let name = format!("outlasts {}", Uuid::new_v4());
    let creates = AtomicUsize::new(0);
    broken.proxy.run(move |_, rpc| match rpc {
        "res.partner/create" if creates.fetch_add(1, Relaxed) == 0 => Fault::PassAndLeave(Duration::from_secs(3)),
        _ => Fault::Pass,
    });
    let parent = format!("parent of {name}");
    let vals = json!({"payload": {"name": name, "parent_id": {"name": parent}}, "auto_create": {"parent_id": {"name": parent}}});
    let made = broken.client.call("create_data", "res.partner", vals).await;
    assert_eq!(made["is_success"], true, "{made}");
    let both = json!([["name", "in", [name, parent]]]);
    assert_eq!(odoo.search_count("res.partner", both).await, 2);
}

#[tokio::test]
async fn a_read_whose_answer_was_lost_is_repeated() {
    let broken = Broken::before(odoo().await, "").await;
    broken.proxy.run(|number, _| if number == 0 { Fault::ResetBefore } else { Fault::Pass });
    assert_eq!(broken.client.post("search_data", COUNTRY).await.json["result"]["is_success"], true);
    assert_eq!(broken.proxy.seen().len(), 2);
}

#[tokio::test]
async fn an_argument_that_an_override_calls_otherwise_goes_by_position_through_another_door() {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    let gateway = Gateway::before(&proxy.url, &odoo.database, "");
    let client = Client::with_header(&gateway, "x-api-key", &odoo.key);
    // As Odoo 19 answers where an addon has `def create(self, values)`.
    let refusal = json!({
        "name": "werkzeug.exceptions.UnprocessableEntity",
        "message": "missing a required argument: 'values'",
        "arguments": ["missing a required argument: 'values'", 422],
        "context": {},
        "debug": "Traceback (most recent call last):\n  File \"/odoo/addons/rpc/controllers/json2.py\", line 1, in call\n    raise UnprocessableEntity(exc.args[0])\nwerkzeug.exceptions.UnprocessableEntity: 422 Unprocessable Entity\n",
    });
    let creates = AtomicUsize::new(0);
    proxy.run(move |_, rpc| match rpc {
        "res.partner/create" if creates.fetch_add(1, Relaxed) == 0 => {
            Fault::Answer { status: "422 UNPROCESSABLE ENTITY", body: refusal.to_string() }
        }
        _ => Fault::Pass,
    });
    let name = format!("by position {}", Uuid::new_v4());
    let made = client.call("create_data", "res.partner", json!({"payload": {"name": name}})).await;
    assert_eq!((&made["is_success"], proxy.requests("/jsonrpc")), (&json!(true), 1), "{made}");
    assert_eq!(odoo.search_count("res.partner", json!([["name", "=", name]])).await, 1);
}

#[tokio::test]
async fn odoo_is_given_no_more_calls_at_a_time_than_the_configuration_says() {
    let odoo = odoo().await;
    let broken = Broken::before(odoo, "max_in_flight = 2\nbatch = false").await;
    let searches = (0..16).map(|_| broken.client.post("search_data", COUNTRY));
    let answers = future::join_all(searches).await;
    assert!(answers.iter().all(|answer| answer.json["result"]["is_success"] == json!(true)));
    assert_eq!(broken.proxy.most_at_a_time(), 2);
}

#[tokio::test]
async fn a_queue_that_is_full_or_does_not_move_sends_callers_away_until_later() {
    let odoo = odoo().await;
    let broken = Broken::before(odoo, "max_in_flight = 1\nqueue = 1\nqueue_timeout = \"5s\"").await;
    let (reached, release): (Arc<Notify>, Arc<Notify>) = Default::default();
    let hold = Fault::Hold { reached: reached.clone(), release: release.clone() };
    broken.proxy.run(move |number, _| if number == 0 { hold.clone() } else { Fault::Pass });
    let (client, second, third) = (broken.client.clone(), broken.client.clone(), broken.client.clone());
    let held = tokio::spawn(async move { client.post("search_data", COUNTRY).await });
    reached.notified().await;
    let waiting = [second, third].map(|client| tokio::spawn(async move { client.post("search_data", COUNTRY).await }));
    let mut words = Vec::new();
    for answer in future::join_all(waiting).await {
        let answer = answer.unwrap();
        assert!(answer.headers.contains_key("retry-after"));
        let (status, code, retry, said) = refusal(&answer);
        assert_eq!((status, code.as_str(), retry.as_str()), (503, "too_busy", "safe"), "{said}");
        words.push(said);
    }
    words.sort();
    assert!(
        words[0].contains("1 calls wait for it") && words[1].contains("busy with other calls for 5.0 s"),
        "{words:?}"
    );
    release.notify_one();
    assert_eq!(held.await.unwrap().json["result"]["is_success"], true);
}

#[tokio::test]
async fn a_call_that_does_not_get_to_its_first_change_in_time_is_given_up_with_nothing_written() {
    let odoo = odoo().await;
    let broken = Broken::before(odoo, "retries = 0\n[limits]\ncall_timeout = \"6s\"").await;
    let never = Fault::Hold { reached: Default::default(), release: Default::default() };
    let started = Instant::now();
    let answer = broken.search(never).await;
    check(answer, (504, "odoo_timeout", "safe"), "did not answer");
    assert!(started.elapsed() < Duration::from_secs(12));
}

#[tokio::test]
async fn a_call_that_waits_for_its_turn_for_too_long_is_given_up() {
    let odoo = odoo().await;
    let more = "max_in_flight = 1\n[limits]\ncall_timeout = \"12s\"";
    let broken = Broken::before(odoo, more).await;
    let (reached, release): (Arc<Notify>, Arc<Notify>) = Default::default();
    let hold = Fault::Hold { reached: reached.clone(), release: release.clone() };
    let name = format!("slow {}", Uuid::new_v4());
    broken.create(&format!("schema of {name}")).await;
    broken.proxy.run(move |_, rpc| if rpc.ends_with("/create") { hold.clone() } else { Fault::Pass });
    let (slow, waits) = tokio::join!(broken.create(&name), async {
        time::timeout(Duration::from_secs(60), reached.notified()).await.expect("the write reaches Odoo");
        broken.client.post("search_data", COUNTRY).await
    });
    check(refusal(&waits), (504, "out_of_time", "safe"), "nothing was written");
    // A write that is on its way goes on, and the caller is told under which id to look for it.
    check(refusal(&slow), (504, "still_running", "unsafe"), "goes on");
    release.notify_one();
    let id = slow.headers["gateway-call-id"].to_str().unwrap().to_owned();
    let deadline = Instant::now() + Duration::from_secs(20);
    while !broken.gateway.log().iter().any(|line| line["id"] == json!(id) && line["state"] == "done") {
        assert!(Instant::now() < deadline, "the call is not in the log");
        tokio::task::yield_now().await;
    }
    assert_eq!(odoo.search_count("res.partner", json!([["name", "=", name]])).await, 1);
}

#[tokio::test]
async fn the_gateway_starts_without_an_odoo_and_serves_when_it_comes() {
    let odoo = odoo().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let gateway = Gateway::before(&format!("http://{address}"), &odoo.database, "retries = 0");
    assert_eq!(gateway.get_admin("/ready").await.0, 503);
    let client = Client::with_header(&gateway, "x-api-key", &odoo.key);
    let first = client.post("search_data", COUNTRY).await;
    check(refusal(&first), (first.status, "odoo_unreachable", "safe"), "");
    // After enough of them nothing is tried any more, until a probe gets through.
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let answer = client.post("search_data", COUNTRY).await;
        if answer.status == 503 {
            check(refusal(&answer), (503, "odoo_unreachable", "safe"), "looks every second");
            assert!(answer.headers.contains_key("retry-after"));
            break;
        }
        assert!(Instant::now() < deadline, "{answer:?}");
    }
    let proxy = FaultProxy::at(address, odoo).await;
    while gateway.get_admin("/ready").await.0 != 200 {
        assert!(Instant::now() < deadline, "the gateway is not ready");
    }
    assert_eq!(client.post("search_data", COUNTRY).await.json["result"]["is_success"], true);
    assert!(proxy.requests("/json/2/") > 0);
}

#[tokio::test]
async fn an_odoo_that_is_upgraded_is_noticed_and_spoken_to_as_what_it_is() {
    let odoo = odoo().await;
    let proxy = FaultProxy::posing_as(odoo, 16).await;
    let gateway = Gateway::before(&proxy.url, &odoo.database, "");
    let client = Client::with_header(&gateway, "x-api-key", &odoo.key);
    assert_eq!(refusal(&client.post("search_data", COUNTRY).await).1, "key_needs_login");
    assert_eq!(gateway.get_admin("/ready").await.1["odoo"]["version"], "16.0");
    proxy.pose_as(19);
    assert_eq!(gateway.get_admin("/ready").await.1["odoo"]["version"], "19.0");
    assert_eq!(client.post("search_data", COUNTRY).await.json["result"]["is_success"], true);
}

#[tokio::test]
async fn a_value_that_xml_cannot_carry_is_refused_and_nothing_is_sent() {
    let odoo = odoo().await;
    let broken = Broken::before(odoo, "protocol = \"xml-rpc\"").await;
    broken.create("schema").await;
    broken.proxy.run(|_, _| Fault::Pass);
    let (status, code, retry, words) = refusal(&broken.create("a\u{1}b").await);
    assert_eq!((status, code.as_str(), retry.as_str()), (200, "not_in_xml", "no"), "{words}");
    assert!(words.contains("a control character, which stands in the call to res.partner.create"), "{words}");
    assert!(broken.proxy.seen().iter().all(|rpc| !rpc.contains("create")), "{:?}", broken.proxy.seen());
}

#[tokio::test]
async fn a_method_that_returns_nothing_is_done_at_the_xml_door_too() {
    let odoo = odoo_14().await;
    let broken = Broken::before(odoo, "protocol = \"xml-rpc\"").await;
    // Returns None, which Odoo's XML-RPC cannot write down.
    let vals = json!({"payload": {"method": "invalidate_cache", "on_model": true}});
    let done = broken.client.call("call_function", "res.partner", vals).await;
    assert_eq!((&done["is_success"], &done["result"]), (&json!(true), &Value::Null), "{done}");
}

#[tokio::test]
async fn a_session_route_takes_its_turn_like_a_call() {
    let odoo = odoo().await;
    let broken = Broken::before(odoo, "max_in_flight = 1\nqueue = 0").await;
    let (reached, release): (Arc<Notify>, Arc<Notify>) = Default::default();
    let hold = Fault::Hold { reached: reached.clone(), release: release.clone() };
    broken.proxy.run(move |_, _| hold.clone());
    let client = broken.client.clone();
    let held = tokio::spawn(async move { client.post("search_data", COUNTRY).await });
    reached.notified().await;
    let body = r#"{"params": {}}"#;
    let info = broken.client.send("POST", "/web/session/get_session_info", HeaderMap::new(), Some(body)).await;
    check(refusal(&info), (503, "too_busy", "safe"), "0 calls wait for it");
    release.notify_one();
    held.await.unwrap();
}
