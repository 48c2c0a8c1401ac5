//! What Odoo gets of a request that is passed on.

use serde_json::json;

use super::wire::{Head, Upstream, before, pass};
use crate::support::{
    client::Client,
    fault::FaultProxy,
    gateway::{Gateway, configuration},
    odoo::odoo,
};

/// Behind it the connection ends, so that the next request comes by another one.
const DONE: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

#[tokio::test]
async fn a_path_and_its_query_arrive_as_they_were_written() {
    let upstream = Upstream::start().await;
    let gateway = before(&upstream, "");
    for target in [
        "/",
        "/web/content/it's",
        "/web/content/it%27s",
        "/web/content/a%2Fb",
        "/web/content/a%2fb",
        "//web///content//",
        "/web?a=b&&c",
        "/web?",
        "/web?a=?b=/../c",
        "/web?a=%C3%A4&b=%u00e4&c=%zz",
        "/web/%E2%82%AC/100%25",
        "/web/a+b%20c;d=e,f:g@h!$*()~",
        "/web/{1}|[2]?x={1}|[2]",
        "/web/content/\u{e4}",
    ] {
        let request = format!("GET {target} HTTP/1.1\r\nHost: gateway\r\n\r\n");
        let (mut caller, mut odoo, head) = pass(&gateway, &upstream, request).await;
        assert_eq!(head.first, format!("GET {target} HTTP/1.1"));
        odoo.send(DONE).await;
        assert_eq!(caller.head().await.first, "HTTP/1.1 200 OK", "{target}");
    }
}

#[tokio::test]
async fn a_path_before_odoos_own_is_put_before_what_is_asked_for() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::before(&format!("{}/erp/", upstream.url), "none", "[proxy]\npass = [\"/web\"]");
    let (_caller, _odoo, head) = pass(&gateway, &upstream, "GET /web//x?y HTTP/1.1\r\nHost: gateway\r\n\r\n").await;
    assert_eq!(head.first, "GET /erp/web//x?y HTTP/1.1");
}

#[tokio::test]
async fn any_method_arrives_with_its_body() {
    let upstream = Upstream::start().await;
    let gateway = before(&upstream, "");
    let body = b"\0\xff\r\n0\r\n\r\nGET /web HTTP/1.1\r\n\r\n";
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "GET", "PROPFIND"] {
        let request = format!("{method} /web HTTP/1.1\r\nHost: gateway\r\nContent-Length: {}\r\n\r\n", body.len());
        let (mut caller, mut odoo, head) = pass(&gateway, &upstream, [request.as_bytes(), body].concat()).await;
        assert_eq!(head.first, format!("{method} /web HTTP/1.1"));
        assert_eq!(head.one("content-length"), Some(body.len().to_string().as_str()), "{method}");
        assert_eq!(odoo.bytes(body.len()).await, body, "{method}");
        odoo.send(DONE).await;
        assert_eq!(caller.head().await.first, "HTTP/1.1 200 OK", "{method}");
    }
}

#[tokio::test]
async fn a_body_of_nothing_is_announced_where_one_is_expected() {
    let upstream = Upstream::start().await;
    let gateway = before(&upstream, "");
    for (method, length) in [("POST", Some("0")), ("PUT", Some("0")), ("GET", None), ("DELETE", None)] {
        let announced = if length.is_some() { "Content-Length: 0\r\n" } else { "" };
        let request = format!("{method} /web HTTP/1.1\r\nHost: gateway\r\n{announced}\r\n");
        let (_caller, mut odoo, head) = pass(&gateway, &upstream, request).await;
        assert_eq!((head.one("content-length"), head.one("transfer-encoding")), (length, None), "{method}");
        odoo.send(DONE).await;
    }
}

#[tokio::test]
async fn odoo_gets_the_callers_headers_but_those_of_the_connection_and_what_it_says_of_who_it_is() {
    let upstream = Upstream::start().await;
    let gateway = before(&upstream, "public_url = \"https://erp.example.com\"");
    let request = "POST /web HTTP/1.1\r\nHost: gateway:8080\r\nConnection: keep-alive, X-Of-Connection\r\n\
                   X-Of-Connection: 1\r\nKeep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nProxy-Authorization: Basic x\r\n\
                   TE: gzip\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\nX-Forwarded-For: 198.51.100.1\r\n\
                   X-Forwarded-Host: evil.example\r\nX-Forwarded-Proto: gopher\r\nX-Forwarded-Port: 1\r\n\
                   Forwarded: for=198.51.100.1;host=evil.example\r\nX-Real-IP: 198.51.100.1\r\nX_Forwarded_For: 198.51.100.1\r\n\
                   X_Odoo_Database: other\r\nX-Odoo-Database: other\r\nVia: 1.0 other\r\nCookie: a=1\r\nX-Twice: one\r\n\
                   Cookie: b=2; c=\"3\"\r\nX-Twice: two\r\nAuthorization: Bearer x\r\nContent-Encoding: gzip\r\n\
                   Content-Type: text/plain; charset=utf-8\r\nReferer: https://erp.example.com/odoo\r\nContent-Length: 2\r\n\r\n{}";
    let (_caller, _odoo, head) = pass(&gateway, &upstream, request).await;
    assert_eq!(
        head.but(&[]),
        [
            "authorization: Bearer x",
            "content-encoding: gzip",
            "content-length: 2",
            "content-type: text/plain; charset=utf-8",
            "cookie: a=1; b=2; c=\"3\"",
            "host: erp.example.com",
            "referer: https://erp.example.com/odoo",
            "via: 1.0 other",
            "via: 1.1 odoo-gateway",
            "x-forwarded-for: 127.0.0.1",
            "x-forwarded-host: erp.example.com",
            "x-forwarded-proto: https",
            "x-real-ip: 127.0.0.1",
            "x-twice: one",
            "x-twice: two",
        ]
    );
}

#[tokio::test]
async fn without_a_public_address_odoo_is_called_by_its_own_host() {
    let upstream = Upstream::start().await;
    let gateway = before(&upstream, "");
    let (_caller, _odoo, head) = pass(&gateway, &upstream, "GET /web HTTP/1.1\r\nHost: gateway\r\n\r\n").await;
    assert_eq!(who(&head), [upstream.address(), upstream.address(), "http", "127.0.0.1", "127.0.0.1"]);
}

/// Host, and what is said of the caller.
fn who(head: &Head) -> [&str; 5] {
    ["host", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-for", "x-real-ip"]
        .map(|name| head.one(name).unwrap_or_default())
}

#[tokio::test]
async fn a_trusted_proxy_is_believed_for_whom_it_asks_and_nobody_else_is() {
    let upstream = Upstream::start().await;
    let public = "public_url = \"https://erp.example.com:8443\"\n[proxy]\npass = [\"/\"]";
    let config = configuration(&upstream.url, "none", public);
    let trusting = |range: &str| {
        let config = config.replacen("[admin]", &format!("trusted_proxies = [\"{range}\"]\n[admin]"), 1);
        Gateway::with_configuration(&config, &[])
    };
    let (trusting, other) = (trusting("127.0.0.0/8"), trusting("10.0.0.0/8"));
    for (said, expected) in [
        ("X-Forwarded-For: 198.51.100.1", "198.51.100.1"),
        ("X-Forwarded-For: 203.0.113.9, 198.51.100.1, 127.0.0.9", "198.51.100.1"),
        ("X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-For: 198.51.100.1", "198.51.100.1"),
        ("Forwarded: for=203.0.113.9, for=\"[2001:db8::7]:443\";proto=https;host=evil.example", "2001:db8::7"),
        ("X-Forwarded-For: nonsense", "127.0.0.1"),
        ("X-Real-IP: 198.51.100.1", "127.0.0.1"),
    ] {
        for (gateway, expected) in [(&trusting, expected), (&other, "127.0.0.1")] {
            let request =
                format!("GET /web HTTP/1.1\r\nHost: gateway\r\nX-Forwarded-Host: evil.example\r\n{said}\r\n\r\n");
            let (_caller, mut odoo, head) = pass(gateway, &upstream, request).await;
            let public = "erp.example.com:8443";
            assert_eq!(who(&head), [public, public, "https", expected, expected], "{said}");
            odoo.send(DONE).await;
        }
    }
}

#[tokio::test]
async fn the_gateways_own_calls_say_the_same_of_who_calls() {
    let odoo = odoo().await;
    let proxy = FaultProxy::before(odoo).await;
    let config = configuration(&proxy.url, &odoo.database, "public_url = \"https://erp.example.com\"");
    let config = config.replacen("[admin]", "trusted_proxies = [\"127.0.0.1/32\"]\n[admin]", 1);
    let gateway = Gateway::with_configuration(&config, &[]);
    let client = Client::with_login(&gateway, &odoo.login, &odoo.password).and("x-forwarded-for", "198.51.100.1");
    for route in ["search_data", "create_data", "update_data", "create_update_data", "call_function"] {
        let vals = match route {
            "search_data" => json!({"payload": {"limit": 1, "search_field": ["name"]}}),
            "create_data" => json!({"payload": {"name": "told"}}),
            "call_function" => {
                json!({"search_key": {"id": 1}, "payload": {"method": "name_search", "parameter": {"name": "told"}}})
            }
            _ => json!({"search_key": {"id": 0}, "payload": {"name": "told"}}),
        };
        let before = proxy.requests("");
        client.post(route, json!({"model": "res.partner", "vals": vals}).to_string()).await;
        assert!(proxy.requests("") > before, "{route} asks Odoo");
        let head = Head::read(&proxy.last_request());
        assert_eq!(
            who(&head),
            ["erp.example.com", "erp.example.com", "https", "198.51.100.1", "198.51.100.1"],
            "{route}"
        );
    }
}
