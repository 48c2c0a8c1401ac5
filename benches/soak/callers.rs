//! Callers: some properly, some slowly, some that go before they are answered.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time,
};

use super::servers::CLIENT_KEY;

const MODEL: &str = "res.partner";

/// What came of the calls since this was looked at last.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Of calls that were done, in milliseconds.
    pub(crate) took: Vec<f64>,
    pub(crate) failed: u64,
}

#[derive(Clone)]
pub(crate) struct Callers {
    http: reqwest::Client,
    address: String,
    /// Begins every `ref` of this run.
    run: String,
    next: Arc<AtomicU64>,
    pub(crate) seen: Arc<Mutex<Seen>>,
}

impl Callers {
    pub(crate) fn new(address: &str) -> Self {
        let run = std::iter::repeat_with(fastrand::alphanumeric).take(8).collect();
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(180)).build().unwrap();
        Self { http, address: address.to_owned(), run, next: Arc::default(), seen: Arc::default() }
    }

    /// The next call: its path and body, and a key where it has one.
    fn call(&self) -> (&'static str, Value, Option<String>) {
        let number = self.next.fetch_add(1, Relaxed);
        let reference = format!("{}-{number}", self.run);
        let payload = json!({"name": format!("Customer {number}"), "ref": reference, "country_id": {"code": "BE"}});
        let known = format!("{}-{}", self.run, number / 10 * 10);
        match number % 10 {
            0..=2 => ("create_data", json!({"payload": payload}), None),
            3..=4 => ("create_data", json!({"payload": payload}), Some(reference)),
            5 => (
                "create_update_data",
                json!({"search_key": {"ref": known}, "payload": {"phone": "+32 2 555 01 23"}}),
                None,
            ),
            6 => ("update_data", json!({"search_key": {"ref": known}, "payload": {"city": "Brussels"}}), None),
            _ => {
                let payload =
                    json!({"search_domain": [["ref", "=", known]], "search_field": ["name", "country_id{code}"]});
                ("search_data", json!({"payload": payload}), None)
            }
        }
    }

    /// Makes one call, and notes how long it took, or that it failed.
    pub(crate) async fn make(&self) {
        let (path, vals, key) = self.call();
        let mut request = self.http.post(format!("http://{}/api/{path}", self.address)).header("x-api-key", CLIENT_KEY);
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let began = Instant::now();
        let answer = request.json(&json!({"model": MODEL, "vals": vals})).send().await;
        let answer: Option<Value> = match answer {
            Ok(answer) if answer.status().is_success() => answer.json().await.ok(),
            _ => None,
        };
        let is_done = answer.is_some_and(|answer| answer["error"].is_null() && answer["result"]["is_success"] != false);
        let mut seen = self.seen.lock().unwrap();
        match is_done {
            true => seen.took.push(began.elapsed().as_secs_f64() * 1000.0),
            // An update may meet a record that was not made while Odoo was away.
            false => seen.failed += 1,
        }
    }

    /// Calls one after another for so long; gives how many a second were done.
    pub(crate) async fn as_fast_as_it_goes(&self, callers: usize, length: Duration) -> f64 {
        let until = Instant::now() + length;
        let all: Vec<_> = (0..callers)
            .map(|_| {
                let own = self.clone();
                tokio::spawn(async move {
                    while Instant::now() < until {
                        own.make().await;
                    }
                })
            })
            .collect();
        for caller in all {
            caller.await.unwrap();
        }
        let done = std::mem::take(&mut *self.seen.lock().unwrap()).took.len();
        done as f64 / length.as_secs_f64()
    }

    /// A caller that sends its head byte by byte, until it is closed.
    pub(crate) async fn slow(&self) {
        let Ok(mut stream) = TcpStream::connect(&self.address).await else { return };
        for byte in b"POST /api/create_data HTTP/1.1\r\nHost: x\r\nX-Slow: aaaaaaaaaaaaaaaa" {
            if stream.write_all(&[*byte]).await.is_err() {
                return;
            }
            time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// A caller that asks for something, and is gone before it is answered, or within its answer.
    pub(crate) async fn vanishing(&self) {
        let Ok(mut stream) = TcpStream::connect(&self.address).await else { return };
        let (path, vals, _) = self.call();
        let body = json!({"model": MODEL, "vals": vals}).to_string();
        let request = format!(
            "POST /api/{path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nx-api-key: {CLIENT_KEY}\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        // Half of them do not even send all of it.
        let sent = if fastrand::bool() { request.len() } else { request.len() / 2 };
        if stream.write_all(&request.as_bytes()[..sent]).await.is_ok() && fastrand::bool() {
            let _ = time::timeout(Duration::from_millis(fastrand::u64(1..50)), stream.read_u8()).await;
        }
    }
}
