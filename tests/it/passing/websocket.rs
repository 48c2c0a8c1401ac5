//! Websockets and long polls: they go to Odoo's own port for them, and hold nothing that others need.

use std::time::Duration;

use serde_json::json;
use tokio::time;

use super::wire::{Head, Upstream, Wire, before, pass};
use crate::support::{
    client::Client,
    gateway::Gateway,
    odoo::{odoo, odoo_14},
};

/// The key and its answer in RFC 6455, section 1.3.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

fn handshake(path: &str, origin: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: gateway\r\nOrigin: {origin}\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
    )
}

fn agreed() -> String {
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {ACCEPT}\r\n\r\n"
    )
}

/// A websocket that is open: the caller's end and Odoo's.
async fn open(gateway: &Gateway, upstream: &Upstream) -> (Wire, Wire) {
    let (mut caller, mut odoo, _) = pass(gateway, upstream, handshake("/websocket", "http://gateway")).await;
    odoo.send(agreed()).await;
    assert_eq!(caller.head().await.first, "HTTP/1.1 101 Switching Protocols");
    (caller, odoo)
}

#[tokio::test]
async fn odoos_own_websocket_is_spoken_with() {
    let gateway = Gateway::before_all_of(odoo().await);
    let mut caller = Wire::to(&gateway).await;
    caller.send(handshake("/websocket?version=none", &gateway.url)).await;
    let head = caller.head().await;
    assert!(head.first.starts_with("HTTP/1.1 101 "), "{head:?}");
    let said = ["connection", "upgrade", "sec-websocket-accept"].map(|name| head.one(name).unwrap().to_lowercase());
    assert_eq!(said, ["upgrade", "websocket", &ACCEPT.to_lowercase()]);
    // A ping and its pong, and a close with 1000 for one; a mask of zeros changes nothing.
    caller.send(b"\x89\x84\0\0\0\0ping").await;
    assert_eq!(caller.bytes(6).await, b"\x8a\x04ping");
    caller.send(b"\x88\x82\0\0\0\0\x03\xe8").await;
    assert_eq!(caller.bytes(4).await, b"\x88\x02\x03\xe8");
    assert!(caller.rest().await.is_empty());
}

#[tokio::test]
async fn bytes_go_through_a_websocket_both_ways_and_each_side_ends_its_own() {
    let upstream = Upstream::start().await;
    let gateway = before(&upstream, "public_url = \"https://erp.example.com\"");
    for is_callers in [true, false] {
        let (mut caller, mut odoo, head) =
            pass(&gateway, &upstream, handshake("/websocket?version=1", "https://erp.example.com")).await;
        assert_eq!(
            head.but(&["x-forwarded-for", "x-real-ip", "via"]),
            [
                "connection: Upgrade".to_owned(),
                "host: erp.example.com".to_owned(),
                "origin: https://erp.example.com".to_owned(),
                format!("sec-websocket-key: {KEY}"),
                "sec-websocket-version: 13".to_owned(),
                "upgrade: websocket".to_owned(),
                "x-forwarded-host: erp.example.com".to_owned(),
                "x-forwarded-proto: https".to_owned(),
            ]
        );
        // What comes right behind the head is not lost.
        odoo.send(agreed() + "first").await;
        let head = caller.head().await;
        assert_eq!((head.one("sec-websocket-accept"), head.one("upgrade")), (Some(ACCEPT), Some("websocket")));
        assert_eq!(caller.bytes(5).await, b"first");
        let (one, other) = if is_callers { (&mut caller, &mut odoo) } else { (&mut odoo, &mut caller) };
        let large: Vec<u8> = (0..=u8::MAX).cycle().take(3 << 20).collect();
        let ((), came) = tokio::join!(one.send(&large), other.bytes(large.len()));
        assert!(came == large);
        one.finish().await;
        assert!(other.rest().await.is_empty());
        other.send("still").await;
        assert_eq!(one.bytes(5).await, b"still");
        other.finish().await;
        assert!(one.rest().await.is_empty());
    }
}

#[tokio::test]
async fn nothing_but_a_websocket_is_gone_over_to_and_none_elsewhere() {
    let upstream = Upstream::start().await;
    let gateway = before(&upstream, "");
    let h2c = |path: &str| {
        format!(
            "GET {path} HTTP/1.1\r\nHost: gateway\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\
             HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n"
        )
    };
    for request in [
        h2c("/websocket"),
        h2c("/web"),
        handshake("/web", "http://gateway"),
        handshake("/websocket/x", "http://gateway"),
        handshake("/longpolling/poll", "http://gateway"),
        handshake("/websockets", "http://gateway"),
        handshake("/websocket", "http://gateway").replace("keep-alive, Upgrade", "keep-alive"),
    ] {
        let (mut caller, mut odoo, head) = pass(&gateway, &upstream, &request).await;
        let asked = ["connection", "upgrade", "http2-settings"].map(|name| head.one(name));
        assert_eq!(asked, [None; 3], "{request}");
        odoo.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok").await;
        assert_eq!(caller.answer().await.1, b"ok");
    }
}

#[tokio::test]
async fn a_handshake_that_odoo_refuses_is_an_answer_like_any_other() {
    let upstream = Upstream::start().await;
    let gateway = before(&upstream, "");
    let (mut caller, mut odoo, _) = pass(&gateway, &upstream, handshake("/websocket", "http://gateway")).await;
    odoo.send("HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 13\r\nContent-Length: 2\r\n\r\nno").await;
    let (head, body) = caller.answer().await;
    assert_eq!((head.one("sec-websocket-version"), body.as_slice()), (Some("13"), &b"no"[..]));
    caller.send("GET /web HTTP/1.1\r\nHost: gateway\r\n\r\n").await;
    assert_eq!(odoo.head().await.first, "GET /web HTTP/1.1");
}

#[tokio::test]
async fn the_port_for_what_waits_gets_that_and_nothing_else() {
    let (main, waiting) = (Upstream::start().await, Upstream::start().await);
    let gateway = before(&main, &format!("websocket_url = \"{}\"", waiting.url));
    for (path, is_waiting) in [
        ("/websocket", true),
        ("/websocket?version=19.0-2", true),
        ("/websocket/health", true),
        ("/%77ebsocket", true),
        ("/longpolling/poll", true),
        ("//longpolling//im_status", true),
        ("/longpolling%2Fpoll", true),
        ("/", false),
        ("/web", false),
        ("/websockets", false),
        ("/web/websocket", false),
        ("/longpolling_x/poll", false),
        ("/bus/websocket_worker_bundle", false),
    ] {
        let mut caller = Wire::to(&gateway).await;
        caller.send(format!("GET {path} HTTP/1.1\r\nHost: gateway\r\n\r\n")).await;
        let (right, wrong) = if is_waiting { (&waiting, &main) } else { (&main, &waiting) };
        let (mut odoo, head) = wrong.hears_nothing_of(right.request()).await;
        assert_eq!(head.first, format!("GET {path} HTTP/1.1"));
        // Each is called by its own address where there is no public one.
        assert_eq!(head.one("host"), Some(right.address()));
        odoo.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok").await;
        assert_eq!(caller.answer().await.1, b"ok");
    }
}

#[tokio::test]
async fn calls_work_while_polls_and_websockets_are_held() {
    let (odoo, waiting) = (odoo().await, Upstream::start().await);
    let more = format!(
        "websocket_url = \"{}\"\nmax_in_flight = 1\nqueue = 0\n[proxy]\npass = [\"/longpolling/\", \"/websocket\"]",
        waiting.url
    );
    let gateway = Gateway::before(&odoo.url, &odoo.database, &more);
    let poll = "POST /longpolling/poll HTTP/1.1\r\nHost: gateway\r\nContent-Length: 2\r\n\r\n{}";
    let mut polls = [pass(&gateway, &waiting, poll).await, pass(&gateway, &waiting, poll).await];
    let _websocket = open(&gateway, &waiting).await;
    let client = Client::with_login(&gateway, &odoo.login, &odoo.password);
    let vals = json!({"payload": {"limit": 1, "search_field": ["code"]}});
    assert_eq!(client.call("search_data", "res.country", vals).await["is_success"], true);
    for (caller, held, _) in &mut polls {
        held.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]").await;
        assert_eq!(caller.answer().await.1, b"[]");
    }
}

#[tokio::test]
async fn the_oldest_odoo_is_polled() {
    let gateway = Gateway::before_all_of(odoo_14().await);
    let client = Client::log_in(&gateway, odoo_14().await).await;
    let body = json!({"params": {"channels": [], "last": 0, "options": {"peek": true}}});
    let answer = client.send("POST", "/longpolling/poll", Default::default(), Some(body.to_string())).await;
    assert!(answer.status == 200 && answer.json["result"]["notifications"].is_array(), "{answer:?}");
}

#[tokio::test]
async fn a_websocket_counts_as_a_connection_for_as_long_as_it_is_open() {
    let upstream = Upstream::start().await;
    let gateway = before(&upstream, "[limits]\nconnections = 1");
    let (mut caller, odoo) = open(&gateway, &upstream).await;
    // What the gateway refuses by itself tells as well that the connection was taken.
    let is_taken = async || {
        let mut other = Wire::to(&gateway).await;
        other.try_send("GET /xmlrpc/db HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n").await;
        let answer = String::from_utf8(other.rest().await).unwrap();
        assert!(answer.is_empty() || ["404", "503"].contains(&&Head::read(&answer).first[9..12]), "{answer}");
        answer.starts_with("HTTP/1.1 404")
    };
    for _ in 0..10 {
        assert!(!is_taken().await);
    }
    drop(odoo);
    assert!(caller.rest().await.is_empty());
    drop(caller);
    let freed = async { while !is_taken().await {} };
    time::timeout(Duration::from_secs(30), freed).await.expect("a place for somebody else");
}

#[tokio::test]
async fn a_websocket_ends_when_the_gateway_stops() {
    let upstream = Upstream::start().await;
    let gateway = before(&upstream, "");
    let (mut caller, mut odoo) = open(&gateway, &upstream).await;
    gateway.stop();
    assert!(caller.rest().await.is_empty() && odoo.rest().await.is_empty());
}
