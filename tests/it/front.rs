//! What the front door says of what it does not let in, to the caller and in the log.

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{client::Client, gateway::Gateway, odoo::odoo, poll};

/// Sends these bytes, and gives what comes back until the end of the connection, at the latest that of a silent one.
async fn raw(gateway: &Gateway, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(gateway.url.trim_start_matches("http://")).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    // A reset behind the answer is as good as an end.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// Whether the log has a request that was refused like this.
fn is_told(gateway: &Gateway, status: u16, code: &str) -> bool {
    let is_it = |line: &Value| {
        line["event"] == "request.refused" && line["error"] == json!(code) && line["status"] == json!(status)
    };
    gateway.lines().iter().any(is_it)
}

#[tokio::test]
async fn what_is_refused_by_its_head_is_told_and_in_the_log() {
    let gateway = Gateway::start().await;
    for (request, status, code) in [
        ("GET /web/session/../x HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n", 400, "invalid_path"),
        ("GET /web/session/check HTTP/1.1\r\nConnection: close\r\n\r\n", 400, "invalid_host"),
        (
            "POST /web/session/check HTTP/1.1\r\nHost: g\r\nConnection: close\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            400,
            "invalid_framing",
        ),
        ("CONNECT o:443 HTTP/1.1\r\nHost: o:443\r\nConnection: close\r\n\r\n", 405, "method_not_allowed"),
        (&format!("GET /{} HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n", "x".repeat(9_000)), 414, "url_too_long"),
    ] {
        let answer = raw(&gateway, request.as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")) && answer.contains(code), "{code}: {answer}");
        assert!(is_told(&gateway, status, code), "{code}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_in_the_log_too() {
    let gateway = Gateway::start().await;
    let large = format!("GET / HTTP/1.1\r\nHost: g\r\nX: {}\r\n\r\n", "x".repeat(70 << 10));
    for (request, status, code) in [("nonsense\r\n\r\n", 400, "invalid_http"), (large.as_str(), 431, "head_too_large")]
    {
        let answer = raw(&gateway, request.as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{code}: {answer}");
        poll(|| is_told(&gateway, status, code)).await;
    }
}

#[tokio::test]
async fn in_front_of_all_of_odoo_databases_are_managed_by_nobody() {
    let gateway = Gateway::before_all_of(odoo().await);
    let client = Client::nobody(&gateway);
    for path in ["/web/database/manager", "/web/%64atabase/list", "/en/web/database/list", "/xmlrpc/2/db", "/xmlrpc/db"]
    {
        assert_eq!(client.send("POST", path, Default::default(), Some("{}")).await.status, 404, "{path}");
    }
    let list = json!({"jsonrpc": "2.0", "params": {"service": "db", "method": "list", "args": []}});
    for path in ["/jsonrpc", "/jsonrpc/", "/%6asonrpc", "//jsonrpc"] {
        let answer = client.send("POST", path, Default::default(), Some(list.to_string())).await;
        assert_eq!((answer.status, &answer.json["error"]["data"]["code"]), (403, &json!("database_service")), "{path}");
    }
    let version = json!({"jsonrpc": "2.0", "params": {"service": "common", "method": "version", "args": []}});
    let answer = client.send("POST", "/jsonrpc", Default::default(), Some(version.to_string())).await;
    assert!(answer.json["result"]["server_version"].is_string(), "{answer:?}");
}
