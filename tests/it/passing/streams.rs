//! What is long goes through as it comes, in both directions; what is short is waited for.

use std::time::Duration;

use tokio::time;

use super::wire::{Upstream, Wire, before, pass};
use crate::support::{gateway::Gateway, poll};

const MIB: usize = 1 << 20;
/// More than every buffer on the way together.
const LONG: usize = 20 * MIB;
const HUGE: usize = 100 * MIB;

fn post(length: usize) -> String {
    format!("POST /web HTTP/1.1\r\nHost: gateway\r\nContent-Length: {length}\r\n\r\n")
}

const OK: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";

#[tokio::test]
async fn a_long_upload_reaches_odoo_while_the_caller_is_still_sending_it() {
    let upstream = Upstream::start().await;
    let gateway = before(&upstream, "");
    for head in [post(LONG), "POST /web HTTP/1.1\r\nHost: gateway\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned()] {
        let is_chunked = head.contains("chunked");
        let mut caller = Wire::to(&gateway).await;
        caller.send(head).await;
        let mut odoo = None;
        for number in 0..u8::try_from(LONG / MIB).unwrap() {
            let piece = vec![number; MIB];
            caller.send(if is_chunked { chunk(&piece) } else { piece.clone() }).await;
            // Up to here a chunked one may be short, and nobody knows it.
            if is_chunked && number == 0 {
                continue;
            }
            let odoo = match &mut odoo {
                Some(odoo) => odoo,
                none => {
                    let (mut wire, head) = upstream.request().await;
                    let framing = (head.one("content-length"), head.one("transfer-encoding"));
                    let length = LONG.to_string();
                    let expected = if is_chunked { (None, Some("chunked")) } else { (Some(&*length), None) };
                    assert_eq!(framing, expected);
                    if is_chunked {
                        assert!(wire.chunked_bytes(MIB).await == vec![0; MIB]);
                    }
                    none.insert(wire)
                }
            };
            // The caller sends no more until this is there.
            let came = if is_chunked { odoo.chunked_bytes(MIB).await } else { odoo.bytes(MIB).await };
            assert!(came == piece, "piece {number}");
        }
        let mut odoo = odoo.unwrap();
        if is_chunked {
            caller.send("0\r\n\r\n").await;
            assert!(odoo.chunk().await.is_empty());
        }
        odoo.send(OK).await;
        assert_eq!(caller.answer().await.1, b"ok");
    }
}

fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

#[tokio::test]
async fn a_short_body_in_chunks_arrives_whole_and_with_its_length() {
    let upstream = Upstream::start().await;
    let gateway = before(&upstream, "");
    let mut caller = Wire::to(&gateway).await;
    caller.send("POST /web HTTP/1.1\r\nHost: gateway\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    let pieces = [&b"one"[..], &[b'x'; 500_000], b"three"];
    for piece in pieces {
        caller.send(chunk(piece)).await;
    }
    caller.send("0\r\n\r\n").await;
    let (mut odoo, head) = upstream.request().await;
    // Odoo is not kept waiting for a slow caller: who knows the length has waited for the end.
    assert_eq!((head.one("content-length"), head.one("transfer-encoding")), (Some("500008"), None));
    assert!(odoo.bytes(500_008).await == pieces.concat());
    odoo.send(OK).await;
    assert_eq!(caller.answer().await.1, b"ok");
}

#[tokio::test]
async fn a_download_reaches_the_caller_while_odoo_is_still_making_it() {
    let upstream = Upstream::start().await;
    let gateway = before(&upstream, "");
    for framing in ["Content-Length: 8", "Transfer-Encoding: chunked", "Connection: close"] {
        let is_chunked = framing.contains("chunked");
        let piece = |text: &str| if is_chunked { chunk(text.as_bytes()) } else { text.into() };
        let (mut caller, mut odoo, _) = pass(&gateway, &upstream, "GET /web HTTP/1.1\r\nHost: gateway\r\n\r\n").await;
        odoo.send(format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n")).await;
        // The head, too, waits for nothing.
        let head = caller.head().await;
        for half in ["half", "rest"] {
            odoo.send(piece(half)).await;
            let came = match head.one("content-length") {
                Some(_) => caller.bytes(4).await,
                None => caller.chunk().await,
            };
            assert_eq!(came, half.as_bytes(), "{framing}");
        }
        drop(odoo);
    }
}

#[tokio::test]
async fn an_answer_that_comes_before_the_upload_has_ended_is_not_kept_back() {
    let upstream = Upstream::start().await;
    let gateway = before(&upstream, "");
    let (mut caller, mut odoo, _) = pass(&gateway, &upstream, post(LONG)).await;
    caller.send(vec![0; MIB]).await;
    odoo.bytes(MIB).await;
    odoo.send("HTTP/1.1 413 Request Entity Too Large\r\nContent-Length: 5\r\n\r\nlarge").await;
    let (head, body) = caller.answer().await;
    assert_eq!((head.first.as_str(), body.as_slice()), ("HTTP/1.1 413 Request Entity Too Large", &b"large"[..]));
}

/// So many bytes up and as many down, on one connection.
async fn transfer(gateway: &Gateway, upstream: &Upstream, length: usize) {
    let (mut caller, mut odoo, _) = pass(gateway, upstream, post(length)).await;
    let piece = vec![7; MIB];
    let upload = async {
        for _ in 0..length / MIB {
            caller.send(&piece).await;
        }
    };
    let take = async {
        for _ in 0..length / MIB {
            assert!(odoo.bytes(MIB).await == piece);
        }
    };
    tokio::join!(upload, take);
    let download = async {
        odoo.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n")).await;
        for _ in 0..length / MIB {
            odoo.send(&piece).await;
        }
    };
    let take = async {
        caller.head().await;
        for _ in 0..length / MIB {
            assert!(caller.bytes(MIB).await == piece);
        }
    };
    tokio::join!(download, take);
}

#[tokio::test]
async fn transfers_of_any_length_take_little_memory() {
    let upstream = Upstream::start().await;
    let gateway = before(&upstream, "");
    let at_first = gateway.memory().0;
    // A short one has the parts of the program read from disk that any transfer needs: they count as its memory, too.
    transfer(&gateway, &upstream, LONG).await;
    let before = gateway.memory().1;
    transfer(&gateway, &upstream, HUGE).await;
    let most = gateway.memory().1;
    println!(
        "at first {} KiB, after a short one {} KiB, after a long one {} KiB",
        at_first >> 10,
        before >> 10,
        most >> 10
    );
    assert!(most < before + 16 * MIB, "{} MiB", (most - before) / MIB);
}

#[tokio::test]
async fn a_slow_upload_that_is_steady_may_take_long_and_one_that_trickles_is_cut() {
    const PATIENCE: Duration = Duration::from_secs(4);
    let upstream = Upstream::start().await;
    let gateway = before(&upstream, "[limits]\nbody_timeout = \"4s\"\nbody_rate = \"64 KiB\"");
    let (size, piece) = (2 * MIB, 128 << 10);
    let (mut caller, mut odoo, _) = pass(&gateway, &upstream, post(size)).await;
    let started = time::Instant::now();
    for _ in 0..size / piece {
        caller.send(vec![7; piece]).await;
        odoo.bytes(piece).await;
        assert!(!caller.ends_within(PATIENCE / 10).await);
    }
    assert!(started.elapsed() > PATIENCE);
    odoo.send(OK).await;
    assert_eq!(caller.answer().await.1, b"ok");

    for length in [size, 100] {
        let mut caller = Wire::to(&gateway).await;
        caller.send(post(length)).await;
        let trickle = async { while !caller.ends_within(PATIENCE / 20).await && caller.try_send("x").await {} };
        let mut odoo = if length < MIB {
            upstream.hears_nothing_of(trickle).await;
            None
        } else {
            let ((odoo, _), ()) = tokio::join!(upstream.request(), trickle);
            Some(odoo)
        };
        let (head, body) = caller.answer().await;
        assert_eq!(head.first, "HTTP/1.1 408 Request Timeout");
        let body = String::from_utf8(body).unwrap();
        assert!(body.contains("body_timeout"), "{body}");
        if let Some(odoo) = &mut odoo {
            assert!(odoo.rest().await.len() < 100);
        }
    }
    let timeouts = || gateway.lines().iter().filter(|line| line["error"] == "body_timeout").count();
    poll(|| timeouts() == 2).await;
}

#[tokio::test]
async fn what_has_come_fast_buys_no_silence_later() {
    let upstream = Upstream::start().await;
    let gateway = before(&upstream, "[limits]\nbody_timeout = \"3s\"\nbody_rate = \"64 KiB\"");
    let (mut caller, mut odoo, _) = pass(&gateway, &upstream, post(8 * MIB)).await;
    caller.send(vec![7; 4 * MIB]).await;
    odoo.bytes(4 * MIB).await;
    // At 64 KiB a second, what came would be worth a minute.
    assert_eq!(caller.answer().await.0.first, "HTTP/1.1 408 Request Timeout");
}
