//! What the caller gets of Odoo's answer.

use super::wire::{Upstream, Wire, before, pass};

/// What the gateway adds of its own.
const OURS: [&str; 2] = ["gateway-call-id", "date"];

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: gateway\r\n\r\n")
}

/// Whether the connection has stayed in step: one more request on it is answered.
async fn goes_on(caller: &mut Wire, upstream: &Upstream, mut odoo: Wire, is_kept: bool) {
    caller.send(get("/web/after")).await;
    let head;
    (odoo, head) = if is_kept {
        let head = odoo.head().await;
        (odoo, head)
    } else {
        upstream.request().await
    };
    assert_eq!(head.first, "GET /web/after HTTP/1.1");
    odoo.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nafter").await;
    let (head, body) = caller.answer().await;
    assert_eq!((head.first.as_str(), body.as_slice()), ("HTTP/1.1 200 OK", &b"after"[..]));
}

#[tokio::test]
async fn status_headers_and_body_come_as_odoo_has_sent_them() {
    let upstream = Upstream::start().await;
    let gateway = before(&upstream, "");
    let packed = b"\x1f\x8b\x08not really\0\xff";
    for status in ["200 OK", "404 NOT FOUND", "418 Short And Stout", "500 Internal Server Error", "299 Odd"] {
        let (mut caller, mut odoo, _) = pass(&gateway, &upstream, get("/web")).await;
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Encoding: gzip\r\nETag: \"a/b\"\r\n\
             Set-Cookie: session_id=1; Path=/; HttpOnly\r\nVary: Accept-Encoding\r\nSet-Cookie: frontend_lang=en; Domain=x\r\n\
             Content-Disposition: attachment; filename*=UTF-8''%C3%A4\r\nX-Odd_Name: \u{e4}\r\nServer: Werkzeug\r\n\
             Date: Thu, 01 Jan 1970 00:00:00 GMT\r\nConnection: close, X-Of-Connection\r\nX-Of-Connection: 1\r\n\
             Keep-Alive: timeout=5\r\nContent-Length: {}\r\n\r\n",
            packed.len()
        );
        odoo.send([head.as_bytes(), packed].concat()).await;
        let (head, body) = caller.answer().await;
        assert_eq!(head.first, format!("HTTP/1.1 {status}"));
        assert_eq!(body, packed);
        assert!(head.one("gateway-call-id").is_some());
        assert_eq!(
            head.but(&["gateway-call-id"]),
            [
                "content-disposition: attachment; filename*=UTF-8''%C3%A4",
                "content-encoding: gzip",
                "content-length: 15",
                "content-type: text/html; charset=utf-8",
                "date: Thu, 01 Jan 1970 00:00:00 GMT",
                "etag: \"a/b\"",
                "server: Werkzeug",
                "set-cookie: session_id=1; Path=/; HttpOnly",
                "set-cookie: frontend_lang=en; Domain=x",
                "vary: Accept-Encoding",
                "x-odd_name: \u{e4}",
            ]
        );
        goes_on(&mut caller, &upstream, odoo, false).await;
    }
}

#[tokio::test]
async fn a_redirect_to_odoo_itself_leads_to_where_people_reach_it_and_any_other_stays() {
    let upstream = Upstream::start().await;
    let (own, public) = (&upstream.url, "https://erp.example.com");
    let with_public = before(&upstream, &format!("public_url = \"{public}\""));
    let without = before(&upstream, "");
    for (gateway, from, to) in [
        (&with_public, format!("{own}/web/login?a=%27&&b#c"), format!("{public}/web/login?a=%27&&b")),
        (&with_public, "http://erp.example.com/odoo".to_owned(), format!("{public}/odoo")),
        (&with_public, format!("{public}/odoo"), format!("{public}/odoo")),
        (&with_public, format!("{public}:8443/odoo"), format!("{public}:8443/odoo")),
        (&with_public, "/web/login#x".to_owned(), "/web/login#x".to_owned()),
        (&with_public, "https://pay.example.net/?back=http://erp.example.com/".to_owned(), String::new()),
        (&with_public, "//cdn.example.net/x".to_owned(), String::new()),
        (&with_public, "mailto:somebody@example.com".to_owned(), String::new()),
        (&without, format!("{own}/web/login?a=b"), "/web/login?a=b".to_owned()),
        (&without, own.clone(), "/".to_owned()),
        (&without, "https://pay.example.net/".to_owned(), String::new()),
    ] {
        let (mut caller, mut odoo, _) = pass(gateway, &upstream, get("/web")).await;
        let answer =
            format!("HTTP/1.1 303 See Other\r\nLocation: {from}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        odoo.send(answer).await;
        let expected = if to.is_empty() { &from } else { &to };
        assert_eq!(caller.head().await.one("location"), Some(expected.as_str()), "{from}");
    }
}

#[tokio::test]
async fn an_answer_to_head_keeps_its_length_and_has_no_body() {
    let upstream = Upstream::start().await;
    let gateway = before(&upstream, "");
    let (mut caller, mut odoo, head) = pass(&gateway, &upstream, "HEAD /web HTTP/1.1\r\nHost: gateway\r\n\r\n").await;
    assert_eq!(head.first, "HEAD /web HTTP/1.1");
    odoo.send("HTTP/1.1 200 OK\r\nContent-Length: 1234\r\nX-Mark: 1\r\n\r\n").await;
    let head = caller.head().await;
    assert_eq!(
        (head.first.as_str(), head.but(&OURS)),
        ("HTTP/1.1 200 OK", vec!["content-length: 1234".into(), "x-mark: 1".into()])
    );
    goes_on(&mut caller, &upstream, odoo, true).await;
}

#[tokio::test]
async fn an_answer_without_a_body_has_none() {
    let upstream = Upstream::start().await;
    let gateway = before(&upstream, "");
    for answer in
        ["204 No Content\r\nX-Mark: 1", "304 Not Modified\r\nETag: \"x\"", "304 Not Modified\r\nContent-Length: 99"]
    {
        let (mut caller, mut odoo, _) = pass(&gateway, &upstream, get("/web")).await;
        odoo.send(format!("HTTP/1.1 {answer}\r\n\r\n")).await;
        let head = caller.head().await;
        let lines: Vec<String> = answer.split("\r\n").skip(1).map(str::to_ascii_lowercase).collect();
        assert_eq!(head.first, format!("HTTP/1.1 {}", answer.split("\r\n").next().unwrap()));
        // How long it would have been need not be said (RFC 9110, section 8.6).
        assert!(head.but(&OURS) == lines || (answer.contains("99") && head.but(&OURS).is_empty()), "{head:?}");
        goes_on(&mut caller, &upstream, odoo, true).await;
        // The next one is to come by a connection of its own.
        drop(caller);
    }
}

#[tokio::test]
async fn interim_answers_of_odoos_do_not_pass_for_the_answer() {
    let upstream = Upstream::start().await;
    let gateway = before(&upstream, "");
    let (mut caller, mut odoo, _) = pass(&gateway, &upstream, get("/web")).await;
    odoo.send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x.css>; rel=preload\r\n\r\n").await;
    odoo.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
    let (head, body) = caller.answer().await;
    assert_eq!((head.first.as_str(), head.one("link"), body.as_slice()), ("HTTP/1.1 200 OK", None, &b"ok"[..]));
    goes_on(&mut caller, &upstream, odoo, true).await;
}

#[tokio::test]
async fn a_caller_that_waits_to_be_asked_for_its_body_is_asked() {
    let upstream = Upstream::start().await;
    let gateway = before(&upstream, "");
    for length in [4, 2 << 20] {
        let mut caller = Wire::to(&gateway).await;
        let head =
            format!("POST /web HTTP/1.1\r\nHost: gateway\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n");
        caller.send(head).await;
        assert_eq!(caller.head().await.first, "HTTP/1.1 100 Continue");
        let body = vec![b'x'; length];
        let (mut odoo, head) = tokio::join!(caller.send(&body), upstream.request()).1;
        assert_eq!(head.one("expect"), None);
        assert_eq!(odoo.bytes(length).await, body);
        odoo.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").await;
        assert_eq!(caller.head().await.first, "HTTP/1.1 200 OK");
    }
}

#[tokio::test]
async fn trailers_pass_both_ways_where_they_are_taken() {
    let upstream = Upstream::start().await;
    let gateway = before(&upstream, "");
    let large = "x".repeat(2 << 20);
    for (te, asked, trailers) in
        [("TE: gzip, trailers\r\nConnection: TE\r\n", Some("trailers"), vec!["x-sum: 1"]), ("", None, vec![])]
    {
        let mut caller = Wire::to(&gateway).await;
        let request = format!(
            "POST /web HTTP/1.1\r\nHost: gateway\r\n{te}Trailer: X-Check\r\nTransfer-Encoding: chunked\r\n\r\n\
             {:x}\r\n{large}\r\n0\r\nX-Check: 2\r\nX-Other: 3\r\n\r\n",
            large.len()
        );
        let ((mut odoo, head, sent), ()) = tokio::join!(
            async {
                let (mut odoo, head) = upstream.request().await;
                let sent = odoo.chunks().await;
                (odoo, head, sent)
            },
            caller.send(request)
        );
        assert_eq!((head.one("te"), head.one("trailer")), (asked, Some("X-Check")));
        // One that was not announced is nothing that anybody looks for.
        assert!(sent == (large.clone().into_bytes(), vec!["x-check: 2".to_owned()]), "{:?}", sent.1);
        odoo.send("HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\nX-Sum: 1\r\n\r\n")
            .await;
        let head = caller.head().await;
        assert_eq!((head.one("transfer-encoding"), head.one("content-length")), (Some("chunked"), None));
        let (body, got) = caller.chunks().await;
        assert_eq!((body, got), (b"onetwo".to_vec(), trailers.into_iter().map(str::to_owned).collect()));
        goes_on(&mut caller, &upstream, odoo, true).await;
        drop(caller);
    }
}

#[tokio::test]
async fn a_caller_of_http_1_0_gets_what_it_can_read() {
    let upstream = Upstream::start().await;
    let gateway = before(&upstream, "");
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n";
    let (mut caller, mut odoo, head) = pass(&gateway, &upstream, "GET /web HTTP/1.0\r\n\r\n").await;
    assert_eq!((head.first.as_str(), head.one("host")), ("GET /web HTTP/1.1", Some(upstream.address())));
    odoo.send(chunked).await;
    let head = caller.head().await;
    assert_eq!((head.first.as_str(), head.one("transfer-encoding")), ("HTTP/1.0 200 OK", None));
    assert_eq!(caller.rest().await, b"onetwo");
}

#[tokio::test]
async fn an_odoo_of_http_1_0_does_not_make_the_gateway_one() {
    let upstream = Upstream::start().await;
    let gateway = before(&upstream, "");
    for answer in ["HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nbody", "HTTP/1.0 200 OK\r\n\r\nbody"] {
        let (mut caller, mut odoo, _) = pass(&gateway, &upstream, get("/web")).await;
        odoo.send(answer).await;
        odoo.finish().await;
        let (head, body) = caller.answer().await;
        assert_eq!(
            (head.first.as_str(), head.one("connection"), body.as_slice()),
            ("HTTP/1.1 200 OK", None, &b"body"[..])
        );
        goes_on(&mut caller, &upstream, odoo, false).await;
    }
}
