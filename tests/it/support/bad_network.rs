//! A network between a caller and the gateway that is out of order: of each idempotency key, the first request is turned away
//! with 503, and the answer to the second is lost.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{client, gateway::Gateway};

const BUSY: &str =
    r#"{"error": {"code": 200, "message": "Too many calls wait.", "data": {"code": "too_busy", "retry": "safe"}}}"#;

/// What each idempotency key was asked, by number.
type Seen = Arc<Mutex<HashMap<String, usize>>>;

/// Turns away the first request of each key, and loses the answer to the second.
pub(crate) struct BadNetwork {
    pub(crate) url: String,
    seen: Seen,
}

impl BadNetwork {
    pub(crate) async fn before(gateway: &Gateway) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let network = Self { url: format!("http://{}", listener.local_addr().unwrap()), seen: Seen::default() };
        let (seen, gateway) = (network.seen.clone(), gateway.url.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, gateway.clone(), seen.clone()));
            }
        });
        network
    }

    /// How many requests came of each key.
    pub(crate) fn asked(&self) -> Vec<usize> {
        self.seen.lock().unwrap().values().copied().collect()
    }
}

/// One request of a connection.
async fn serve(mut stream: TcpStream, gateway: String, seen: Seen) {
    let Some((path, headers, body)) = read_request(&mut stream).await else { return };
    let number = headers.iter().find(|(name, _)| name == "idempotency-key").map(|(_, key)| {
        let mut seen = seen.lock().unwrap();
        *seen.entry(key.clone()).and_modify(|number| *number += 1).or_insert(1)
    });
    if number == Some(1) {
        let head = format!("HTTP/1.1 503 Service Unavailable\r\nContent-Length: {}\r\nRetry-After: 1\r\n", BUSY.len());
        let answer = format!("{head}Content-Type: application/json\r\nConnection: close\r\n\r\n{BUSY}");
        let _ = stream.write_all(answer.as_bytes()).await;
        return;
    }
    let mut request = client::http().post(format!("{gateway}{path}")).body(body);
    for (name, value) in headers.iter().filter(|(name, _)| !["connection", "content-length", "host"].contains(&&**name))
    {
        request = request.header(name, value);
    }
    let response = request.send().await.unwrap();
    let mut answer = format!("HTTP/1.1 {}\r\nConnection: close\r\n", response.status());
    for (name, value) in response.headers() {
        answer += &format!("{name}: {}\r\n", value.to_str().unwrap());
    }
    let body = response.bytes().await.unwrap();
    if number == Some(2) {
        return;
    }
    let _ = stream.write_all(&[answer.as_bytes(), b"\r\n", &body].concat()).await;
}

/// The path, the headers with their names in small letters, and the body.
async fn read_request(stream: &mut TcpStream) -> Option<(String, Vec<(String, String)>, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let pairs = head.lines().filter_map(|line| line.split_once(": "));
            let headers: Vec<_> = pairs.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
            let length = headers.iter().find(|(name, _)| name == "content-length")?.1.parse::<usize>().ok()?;
            if bytes.len() >= end + 4 + length {
                return Some((head.split(' ').nth(1)?.to_owned(), headers, bytes.split_off(end + 4)));
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}
