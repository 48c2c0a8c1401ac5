//! HTTP/2 over TLS: the same routes, and what only this protocol can do to a server.
//!
//! What no client would send is written frame by frame (RFC 9113).

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future;
use rustls::ClientConfig;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Notify,
    time,
};
use tokio_rustls::client::TlsStream;
use uuid::Uuid;

use crate::support::{
    fault::{Fault, FaultProxy},
    gateway::Gateway,
    odoo::odoo,
    poll,
    tls::{Authority, Connection, SEARCH, connect, folder, gateway},
};

/// How long anything may take; only what hangs lets it pass.
const DEADLINE: Duration = Duration::from_secs(40);

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const ACK: u8 = 1;

/// A peer that writes its own frames.
struct Frames(TlsStream<TcpStream>);

struct Frame {
    kind: u8,
    flags: u8,
    payload: Vec<u8>,
}

impl Frames {
    /// With these settings.
    async fn open(gateway: &Gateway, config: &ClientConfig, settings: &[u8]) -> Self {
        let mut frames = Self(connect(gateway, config, b"h2").await.unwrap());
        frames.0.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        frames.send(SETTINGS, 0, 0, settings).await;
        frames
    }

    async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        // One that is closed is found out by reading.
        let _ = self.0.write_all(&frame(kind, flags, stream, payload)).await;
    }

    /// The next frame, after what every peer must answer has been answered; none at the end of the connection.
    async fn next(&mut self) -> Option<Frame> {
        let read = async {
            loop {
                let mut head = [0; 9];
                self.0.read_exact(&mut head).await.ok()?;
                let mut payload =
                    vec![0; usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2])];
                self.0.read_exact(&mut payload).await.ok()?;
                let frame = Frame { kind: head[3], flags: head[4], payload };
                match frame.kind {
                    SETTINGS if frame.flags & ACK == 0 => self.send(SETTINGS, ACK, 0, &[]).await,
                    PING if frame.flags & ACK == 0 => self.send(PING, ACK, 0, &frame.payload).await,
                    _ => return Some(frame),
                }
            }
        };
        time::timeout(DEADLINE, read).await.expect("a frame, or the end")
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// POST, https, and the rest of a head, as text without compression (RFC 7541, sections 6.1 and 6.2.2).
fn head(path: &str, more: &[(&str, &str)]) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    let mut head = [&[0x83, 0x87, 0x04][..], &text(path), &[0x01], &text("gateway")].concat();
    for (name, value) in more {
        head.extend([&[0][..], &text(name), &text(value)].concat());
    }
    head
}

#[tokio::test]
async fn the_five_routes_and_a_login_work_on_one_connection() {
    let (odoo, authority) = (odoo().await, Authority::new());
    let gateway = gateway(&authority, odoo, "", "");
    let mut connection = Connection::http2(&gateway, &authority.trusted()).await.unwrap();
    connection.log_in(odoo).await;
    let name = format!("By HTTP/2 {}", Uuid::new_v4());
    let payload = json!({"payload": {"name": name}});
    let update = json!({"search_key": {"name": name}, "payload": {"comment": "changed"}});
    let search = json!({"payload": {"limit": 1, "search_field": ["name"]}});
    let function = json!({"payload": {"method": "fields_get", "on_model": true}});
    for (route, vals) in [
        ("create_data", &payload),
        ("create_update_data", &update),
        ("update_data", &update),
        ("search_data", &search),
        ("call_function", &function),
    ] {
        let body = json!({"params": {"model": "res.partner", "vals": vals}}).to_string();
        let answer = connection.post(&format!("/api/{route}"), &[("x-api-key", &odoo.key)], &body).await.unwrap();
        assert_eq!((answer.status, &answer.json["result"]["is_success"]), (200, &json!(true)), "{route}: {answer:?}");
        assert!(answer.headers.contains_key("gateway-call-id"), "{route}");
    }
    // Many at a time on the one connection.
    let many = (0..50).map(|_| {
        let mut connection = connection.another();
        async move { connection.search(odoo).await }
    });
    assert!(future::join_all(many).await.iter().all(Result::is_ok));
}

#[tokio::test]
async fn cookies_that_come_one_by_one_reach_odoo_as_one_header_and_a_head_that_is_too_large_does_not() {
    let (odoo, authority) = (odoo().await, Authority::new());
    let proxy = FaultProxy::before(odoo).await;
    let more = "[limits]\nheader_size = \"16 KiB\"";
    let gateway = Gateway::again(folder(&authority, (&proxy.url, &odoo.database), "", more)).unwrap();
    let mut connection = Connection::http2(&gateway, &authority.trusted()).await.unwrap();
    let login = connection.log_in(odoo).await;
    let session = login.headers.get_all("set-cookie").iter().next_back().unwrap().to_str().unwrap().to_owned();
    let session = session.split(';').next().unwrap();
    let cookies = [("cookie", "frontend_lang=en_US"), ("cookie", session), ("cookie", "tz=UTC")];
    let info = connection.post("/web/session/get_session_info", &cookies, r#"{"params": {}}"#).await.unwrap();
    assert!(info.json["result"]["uid"].is_i64(), "{info:?}");
    let seen = proxy.last_request().to_lowercase();
    assert_eq!(seen.matches("cookie:").count(), 1, "{seen}");
    assert!(seen.contains(&format!("cookie: frontend_lang=en_us; {}; tz=utc\r\n", session.to_lowercase())), "{seen}");

    let (before, large) = (proxy.requests(""), "x".repeat(6 << 10));
    let headers = [("x-a", &*large), ("x-b", &*large), ("x-c", &*large)];
    let answer = connection.post("/web/session/get_session_info", &headers, "{}").await;
    assert!(answer.as_ref().map_or(true, |answer| answer.status == 431), "{answer:?}");
    assert_eq!(proxy.requests(""), before);
    Connection::http2(&gateway, &authority.trusted()).await.unwrap().search(odoo).await.unwrap();
}

#[tokio::test]
async fn a_connection_without_requests_is_closed_whatever_it_does() {
    let (odoo, authority) = (odoo().await, Authority::new());
    let gateway = gateway(&authority, odoo, "", "[limits]\nheader_timeout = \"4s\"\nbody_timeout = \"5s\"");
    let config = authority.trusted();
    let started = Instant::now();
    // Says that it speaks HTTP/2, and nothing more.
    let mut mute = connect(&gateway, &config, b"h2").await.unwrap();
    // Begins a head and does not end it, and answers nothing.
    let mut deaf = Frames::open(&gateway, &config, &[]).await;
    deaf.send(HEADERS, 0, 1, &head("/api/search_data", &[])).await;
    // Answers all that it must.
    let mut polite = Frames::open(&gateway, &config, &[]).await;
    let mut said_farewell = false;
    while let Some(frame) = polite.next().await {
        said_farewell |= frame.kind == GOAWAY;
    }
    assert!(said_farewell);
    for stream in [&mut mute, &mut deaf.0] {
        let _ = time::timeout(DEADLINE, stream.read_to_end(&mut Vec::new())).await.expect("it is closed");
    }
    assert!(started.elapsed() < Duration::from_secs(29), "{:?}", started.elapsed());

    // One on which something is asked stays.
    let mut used = Connection::http2(&gateway, &config).await.unwrap();
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(7) {
        used.search(odoo).await.unwrap();
    }
}

#[tokio::test]
async fn an_answer_that_is_not_taken_is_given_up_and_its_place_with_it() {
    let (odoo, authority) = (odoo().await, Authority::new());
    let limits = "[limits]\nrequests = 4\nheader_timeout = \"5s\"\nbody_timeout = \"5s\"";
    let gateway = gateway(&authority, odoo, "", limits);
    let config = authority.trusted();
    // Its window is nothing at all (RFC 9113, section 6.5.2), so no byte of a body may be sent to it.
    let mut greedy = Frames::open(&gateway, &config, &[0, 4, 0, 0, 0, 0]).await;
    for stream in [1, 3, 5, 7] {
        greedy.send(HEADERS, END_HEADERS | END_STREAM, stream, &head("/nowhere", &[])).await;
    }
    let count = async |frames: &mut Frames, kind: u8| {
        for _ in 0..4 {
            while frames.next().await.expect("answers end before the connection does").kind != kind {}
        }
    };
    count(&mut greedy, HEADERS).await;
    let mut other = Connection::http1(&gateway, &config).await.unwrap();
    assert_eq!(other.post("/nowhere", &[], "{}").await.unwrap().status, 503);
    count(&mut greedy, RST_STREAM).await;
    Connection::http1(&gateway, &config).await.unwrap().search(odoo).await.unwrap();
}

#[tokio::test]
async fn an_answer_that_is_taken_too_slowly_is_given_up_though_some_of_it_is_taken_all_the_time() {
    let (odoo, authority) = (odoo().await, Authority::new());
    let gateway = gateway(&authority, odoo, "", "[limits]\nbody_timeout = \"3s\"\nbody_rate = \"64 KiB\"");
    let mut slow = Frames::open(&gateway, &authority.trusted(), &[0, 4, 0, 0, 0, 0]).await;
    let fields = ["name", "model", "ttype", "relation", "field_description", "help"];
    let vals = json!({"payload": {"search_field": fields}});
    let body = json!({"params": {"model": "ir.model.fields", "vals": vals}}).to_string();
    slow.send(HEADERS, END_HEADERS, 1, &head("/api/search_data", &[("x-api-key", &odoo.key)])).await;
    slow.send(DATA, END_STREAM, 1, body.as_bytes()).await;
    while slow.next().await.expect("the answer's head").kind != HEADERS {}
    let (started, mut taken) = (Instant::now(), 0);
    loop {
        // A little, always sooner than the time is over.
        for stream in [0, 1] {
            slow.send(WINDOW_UPDATE, 0, stream, &8192_u32.to_be_bytes()).await;
        }
        match slow.next().await {
            Some(frame) if frame.kind == DATA => taken += frame.payload.len(),
            Some(frame) if frame.kind == RST_STREAM => break,
            Some(_) => {}
            None => panic!("the connection ended instead of the stream"),
        }
        assert!(started.elapsed() < DEADLINE, "{taken} bytes were taken, and it goes on");
        time::sleep(Duration::from_millis(300)).await;
    }
    assert!(taken > 0);
    Connection::http1(&gateway, &authority.trusted()).await.unwrap().search(odoo).await.unwrap();
}

#[tokio::test]
async fn a_caller_that_resets_its_calls_has_no_more_of_them_under_way_than_another() {
    let (odoo, authority) = (odoo().await, Authority::new());
    let proxy = FaultProxy::before(odoo).await;
    let more = "max_in_flight = 20\n[limits]\nrequests = 3";
    let gateway = Gateway::again(folder(&authority, (&proxy.url, &odoo.database), "", more)).unwrap();
    let config = authority.trusted();
    Connection::http2(&gateway, &config).await.unwrap().search(odoo).await.unwrap();
    let (reached, release): (Arc<Notify>, Arc<Notify>) = Default::default();
    let hold = Fault::Hold { reached: reached.clone(), release: release.clone() };
    proxy.run(move |_, _| hold.clone());
    let mut frames = Frames::open(&gateway, &config, &[]).await;
    for stream in [1, 3, 5] {
        frames.send(HEADERS, END_HEADERS, stream, &head("/api/search_data", &[("x-api-key", &odoo.key)])).await;
        frames.send(DATA, END_STREAM, stream, SEARCH.as_bytes()).await;
        time::timeout(DEADLINE, reached.notified()).await.expect("the call reaches Odoo");
        frames.send(RST_STREAM, 0, stream, &8_u32.to_be_bytes()).await;
    }
    let mut other = Connection::http1(&gateway, &config).await.unwrap();
    let refused = other.post("/api/search_data", &[("x-api-key", &odoo.key)], SEARCH).await.unwrap();
    assert_eq!(refused.status, 503, "{refused:?}");
    // They go on without their caller, and then there is room again.
    proxy.run(|_, _| Fault::Pass);
    poll(|| {
        release.notify_waiters();
        gateway.log().iter().filter(|line| line["state"] == "done").count() == 4
    })
    .await;
    let deadline = Instant::now() + DEADLINE;
    while other.post("/api/search_data", &[("x-api-key", &odoo.key)], SEARCH).await.unwrap().status != 200 {
        assert!(Instant::now() < deadline, "there is no room");
    }
}

#[tokio::test]
async fn floods_of_streams_and_of_resets_end_with_whoever_made_them() {
    let (odoo, authority) = (odoo().await, Authority::new());
    let gateway = gateway(&authority, odoo, "", "");
    let config = authority.trusted();
    let (head, cancel) = (head("/api/search_data", &[]), 8_u32.to_be_bytes());
    let streams = |count: u32| (0..count).map(|number| 2 * number + 1);

    // Begun and left so: a hundred may be there, and the others are refused.
    let begun: Vec<u8> = streams(300).flat_map(|stream| frame(HEADERS, END_HEADERS, stream, &head)).collect();
    let mut many = Frames::open(&gateway, &config, &[]).await;
    many.0.write_all(&begun).await.unwrap();
    let (mut refused, mut has_ended) = (0, false);
    while refused < 200 && !has_ended {
        match many.next().await {
            Some(frame) if frame.kind == RST_STREAM => {
                assert_eq!(frame.payload, 7_u32.to_be_bytes(), "REFUSED_STREAM");
                refused += 1;
            }
            Some(frame) => has_ended = frame.kind == GOAWAY,
            None => has_ended = true,
        }
    }
    assert!(refused >= 200 && !has_ended, "{refused} streams were refused");

    // Begun and reset at once (CVE-2023-44487): the connection is ended.
    let reset = |stream| [frame(HEADERS, END_HEADERS, stream, &head), frame(RST_STREAM, 0, stream, &cancel)].concat();
    let mut rapid = Frames::open(&gateway, &config, &[]).await;
    let flood: Vec<u8> = streams(20_000).flat_map(reset).collect();
    let _ = time::timeout(DEADLINE, rapid.0.write_all(&flood)).await.expect("it is taken, or the connection is ended");
    let memory = gateway.memory().1;
    Connection::http2(&gateway, &config).await.unwrap().search(odoo).await.unwrap();
    assert!(memory < 200 << 20, "{} MiB", memory >> 20);
    while let Some(frame) = rapid.next().await {
        if frame.kind == GOAWAY {
            break;
        }
    }
}

#[tokio::test]
async fn a_request_that_is_under_way_when_the_gateway_stops_is_answered_and_no_other_is_taken() {
    let (odoo, authority) = (odoo().await, Authority::new());
    let proxy = FaultProxy::before(odoo).await;
    let gateway = Gateway::again(folder(&authority, (&proxy.url, &odoo.database), "", "")).unwrap();
    let mut connection = Connection::http2(&gateway, &authority.trusted()).await.unwrap();
    connection.search(odoo).await.unwrap();
    let (reached, release): (Arc<Notify>, Arc<Notify>) = Default::default();
    let hold = Fault::Hold { reached: reached.clone(), release: release.clone() };
    proxy.run(move |_, _| hold.clone());
    let mut another = connection.another();
    let held = tokio::spawn(async move { another.search(odoo).await });
    reached.notified().await;
    gateway.terminate();
    // GOAWAY has come when the connection takes no more requests; until then they are answered.
    proxy.run(|_, _| Fault::Pass);
    let deadline = Instant::now() + DEADLINE;
    while connection.search(odoo).await.is_ok() {
        assert!(Instant::now() < deadline, "it takes requests for ever");
    }
    release.notify_one();
    held.await.unwrap().unwrap();
    let (status, said) = tokio::task::spawn_blocking(|| gateway.wait()).await.unwrap();
    assert_eq!(status.code(), Some(0), "{said}");
}
