//! Transfers that one side leaves: the other side sees it, and the log says it.

use serde_json::{Value, json};

use super::wire::{Upstream, Wire, before, pass};
use crate::support::{gateway::Gateway, poll};

const MIB: usize = 1 << 20;
const GET: &str = "GET /web HTTP/1.1\r\nHost: gateway\r\n\r\n";

fn post(length: usize) -> String {
    format!("POST /web HTTP/1.1\r\nHost: gateway\r\nContent-Length: {length}\r\n\r\n")
}

/// State, status, error and size of the answer of the only request, when its end is in the log.
async fn end(gateway: &Gateway) -> (Value, Value, Value, Value) {
    let ended = || gateway.lines().into_iter().find(|line| line["event"] == "request.finished");
    poll(|| ended().is_some()).await;
    let line = ended().unwrap();
    (line["state"].clone(), line["status"].clone(), line["error"].clone(), line["answer_size"].clone())
}

#[tokio::test]
async fn an_upload_that_its_caller_leaves_ends_before_odoo_has_all_of_it() {
    for is_reset in [false, true] {
        let upstream = Upstream::start().await;
        let gateway = before(&upstream, "");
        let (mut caller, mut odoo, _) = pass(&gateway, &upstream, post(4 * MIB)).await;
        caller.send(vec![0; MIB]).await;
        odoo.bytes(MIB).await;
        if is_reset {
            caller.reset();
        } else {
            drop(caller);
        }
        assert!(odoo.rest().await.is_empty());
        assert_eq!(end(&gateway).await, (json!("failed"), json!(400), json!("body_broken"), json!(0)));
    }
}

#[tokio::test]
async fn a_short_upload_that_its_caller_leaves_never_reaches_odoo() {
    let upstream = Upstream::start().await;
    let gateway = before(&upstream, "");
    let mut caller = Wire::to(&gateway).await;
    caller.send(post(100)).await;
    caller.send("{}").await;
    drop(caller);
    let is_told = || {
        let is_it = |line: &Value| line["event"] == "request.refused" && line["error"] == "body_broken";
        gateway.lines().iter().any(is_it)
    };
    upstream.hears_nothing_of(poll(is_told)).await;
}

#[tokio::test]
async fn an_upload_that_odoo_leaves_is_told_as_one_of_which_nothing_is_known() {
    let upstream = Upstream::start().await;
    let gateway = before(&upstream, "");
    let (mut caller, mut odoo, _) = pass(&gateway, &upstream, post(4 * MIB)).await;
    caller.send(vec![0; MIB]).await;
    odoo.bytes(MIB).await;
    odoo.reset();
    let (head, body) = caller.answer().await;
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(head.first, "HTTP/1.1 502 Bad Gateway");
    let data = &body["error"]["data"];
    assert_eq!((&data["code"], &data["retry"]), (&json!("odoo_no_answer"), &json!("unsafe")), "{body}");
    assert_eq!(end(&gateway).await, (json!("in_doubt"), json!(502), json!("odoo_no_answer"), json!(0)));
}

#[tokio::test]
async fn an_odoo_that_does_not_take_an_upload_is_given_up() {
    let upstream = Upstream::start().await;
    let gateway = before(&upstream, "timeout = \"6s\"");
    let (mut caller, _odoo, _) = pass(&gateway, &upstream, post(64 * MIB)).await;
    let is_told = || gateway.lines().iter().any(|line| line["error"] == "odoo_timeout");
    // More than fits between the two, so that it is stuck until it is given up.
    tokio::select! {
        _ = caller.try_send(vec![0; 64 * MIB]) => {}
        () = poll(is_told) => {}
    }
    poll(is_told).await;
}

#[tokio::test]
async fn a_download_that_odoo_leaves_is_cut_for_the_caller_too() {
    for (framing, is_reset) in [
        ("Content-Length: 100\r\n\r\nhalf", false),
        ("Content-Length: 100\r\n\r\nhalf", true),
        ("Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", false),
        ("Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", true),
    ] {
        let upstream = Upstream::start().await;
        let gateway = before(&upstream, "");
        let (mut caller, mut odoo, _) = pass(&gateway, &upstream, GET).await;
        odoo.send(format!("HTTP/1.1 200 OK\r\n{framing}")).await;
        let head = caller.head().await;
        if is_reset {
            odoo.reset();
        } else {
            drop(odoo);
        }
        let rest = String::from_utf8(caller.rest().await).unwrap();
        // Neither as long as was said, nor with the chunk that is the last one.
        let came = if head.one("content-length").is_some() { "half" } else { "4\r\nhalf\r\n" };
        assert!(came.starts_with(&rest), "{framing:?}: {rest:?}");
        let (state, status, error, _) = end(&gateway).await;
        assert_eq!((state, status, error), (json!("done"), json!(200), json!("answer_cut")));
    }
}

#[tokio::test]
async fn an_odoo_that_falls_silent_within_its_answer_is_waited_for_no_longer_than_that() {
    let upstream = Upstream::start().await;
    let gateway = before(&upstream, "read_timeout = \"1s\"");
    let (mut caller, mut odoo, _) = pass(&gateway, &upstream, GET).await;
    odoo.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf").await;
    caller.head().await;
    assert_eq!(caller.rest().await, b"half");
    assert!(odoo.rest().await.is_empty(), "Odoo is left as well");
    assert_eq!(end(&gateway).await, (json!("done"), json!(200), json!("answer_cut"), json!(4)));
}

#[tokio::test]
async fn a_caller_that_leaves_a_download_leaves_odoo_too() {
    let upstream = Upstream::start().await;
    let gateway = before(&upstream, "");
    let (mut caller, mut odoo, _) = pass(&gateway, &upstream, GET).await;
    odoo.send("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\nhalf").await;
    caller.head().await;
    caller.reset();
    while odoo.try_send(vec![0; MIB]).await {}
    assert_eq!(end(&gateway).await.2, "answer_cut");
}

#[tokio::test]
async fn a_caller_that_takes_nothing_of_its_answer_is_left() {
    let upstream = Upstream::start().await;
    let gateway = before(&upstream, "[limits]\nbody_timeout = \"1s\"");
    let (_caller, mut odoo, _) = pass(&gateway, &upstream, GET).await;
    odoo.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n").await;
    // It would go on for as long as somebody takes it.
    let mut sent = 0;
    while odoo.try_send(vec![0; MIB]).await {
        sent += MIB;
    }
    assert!(sent < 100 * MIB, "{sent}");
    let (state, status, error, _) = end(&gateway).await;
    assert_eq!((state, status, error), (json!("done"), json!(200), json!("answer_cut")));
}
