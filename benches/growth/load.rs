//! Callers: so many connections, each of which makes one call after another for a while.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use tokio::{io::AsyncWriteExt, net::TcpStream, task::JoinSet};

use super::{
    message::{FIRST, Incoming},
    program::Gateway,
};

/// Makes the request with this number.
pub(crate) type Requests = Arc<dyn Fn(u32) -> Vec<u8> + Send + Sync>;

/// What calls came to.
pub(crate) struct Called {
    pub(crate) per_second: f64,
    pub(crate) p50_ms: f64,
    /// Of the gateway, for each call, in microseconds.
    pub(crate) cpu_us: f64,
}

/// A POST with these headers and this body.
pub(crate) fn post(path: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: gateway.example.com\r\nContent-Type: application/json\r\n{headers}\
         Content-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// The body of a call.
pub(crate) fn body(model: &str, payload: &str) -> String {
    format!(r#"{{"jsonrpc": "2.0", "id": 1, "params": {{"model": "{model}", "vals": {{"payload": {payload}}}}}}}"#)
}

/// A search of a record of its own.
pub(crate) fn search(number: u32) -> String {
    let payload = format!(
        r#"{{"search_domain": [["ref", "=", "R{number}"]], "search_field": ["name", "ref", "email", "city"], "limit": 1}}"#
    );
    body("res.partner", &payload)
}

/// The header of a session.
pub(crate) fn session(number: u64) -> String {
    format!("Cookie: session_id={number:040x}\r\n")
}

pub(crate) async fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Calls for so long on these connections, and gives them back.
pub(crate) async fn call(
    gateway: &Gateway,
    streams: Vec<TcpStream>,
    length: Duration,
    requests: &Requests,
) -> (Called, Vec<TcpStream>) {
    let next = Arc::new(AtomicU32::new(FIRST));
    let (cpu, began) = (gateway.cpu(), Instant::now());
    let mut callers = JoinSet::new();
    for stream in streams {
        callers.spawn(call_on(stream, began + length, requests.clone(), next.clone()));
    }
    let (mut streams, mut times) = (Vec::new(), Vec::new());
    while let Some(ended) = callers.join_next().await {
        let (stream, taken) = ended.unwrap();
        streams.push(stream);
        times.extend(taken);
    }
    let (took, calls) = (began.elapsed().as_secs_f64(), times.len() as f64);
    let cpu_us = (gateway.cpu() - cpu).as_secs_f64() * 1e6 / calls;
    times.sort_unstable();
    let p50_ms = times[times.len() / 2].as_secs_f64() * 1e3;
    (Called { per_second: calls / took, p50_ms, cpu_us }, streams)
}

async fn call_on(
    mut stream: TcpStream,
    until: Instant,
    requests: Requests,
    next: Arc<AtomicU32>,
) -> (TcpStream, Vec<Duration>) {
    let (mut incoming, mut times) = (Incoming::default(), Vec::new());
    // Each makes one call at least, so that a connection that waits has been used.
    while times.is_empty() || Instant::now() < until {
        let request = requests(next.fetch_add(1, Relaxed));
        let began = Instant::now();
        stream.write_all(&request).await.unwrap();
        let answer = incoming.next(&mut stream).await.unwrap().expect("the gateway hung up");
        times.push(began.elapsed());
        let is_done = answer.head.starts_with(b"HTTP/1.1 200 ") || answer.head.starts_with(b"HTTP/1.1 202 ");
        assert!(is_done, "{}{}", String::from_utf8_lossy(answer.head), String::from_utf8_lossy(answer.body));
    }
    (stream, times)
}
