//! 100,000 keyed creates before an Odoo that loses every 20th answer: how many become one record, and how many do not.
//!
//!     cargo bench --bench exactly_once              100,000 calls from 64 callers
//!     cargo bench --bench exactly_once -- 5000      so many
//!
//! A caller repeats its call with the same key until it is answered. The stub is in this process; nothing of a call is in it but
//! what the gateway has sent. The program ends with an error where a record is there twice, or is not there.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark fails by panicking")]

#[path = "../own_cost/gateway.rs"]
#[expect(dead_code, reason = "only a part of it is used here")]
mod gateway;
#[path = "../own_cost/message.rs"]
#[expect(dead_code, reason = "only a part of it is used here")]
mod message;
mod stub;

use std::{
    net::SocketAddr,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use self::{
    gateway::{Build, CLIENT_KEY, Gateway, Log},
    message::Incoming,
    stub::{MODEL, Records},
};

const CALLERS: usize = 64;
const CALLS: u64 = 100_000;
/// The stub works at a request for no time; this is what a call waits for that is not found.
const MORE: &str = "longest_request = \"1s\"\n";

fn main() -> ExitCode {
    if let Some(code) = gateway::run_if_told() {
        return code;
    }
    let calls = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(CALLS);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(run(calls))
}

async fn run(calls: u64) -> ExitCode {
    let records = Arc::<Records>::default();
    let upstream = stub::start(records.clone()).await;
    let gateway = Gateway::start_with(Build::Plain, Log::Durable, &upstream, MORE);
    let (next, repeated) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
    let began = Instant::now();
    let callers: Vec<_> =
        (0..CALLERS).map(|_| tokio::spawn(call_all(gateway.address, calls, next.clone(), repeated.clone()))).collect();
    let mut answered = Vec::new();
    for caller in callers {
        answered.extend(caller.await.unwrap());
    }
    let took = began.elapsed();
    let references = records.references();
    let doubled = references.values().filter(|number| **number > 1).count();
    let missing = answered.iter().filter(|(reference, _)| !references.contains_key(reference)).count();
    let wrong = answered.iter().filter(|(reference, id)| records.id_of(reference) != Some(*id)).take(100).count();
    let (creating, searches) = records.counts();
    println!(
        "{calls} calls, {CALLERS} callers, every 20th answer to a creating request lost: {} answered, {} records, {doubled} doubled, \
         {missing} missing, {wrong} with another's id; {creating} creating requests, {searches} searches and reads, {} repeated by \
         their callers, {:.0} s, {:.0} calls/s, peak {:.0} MiB",
        answered.len(),
        references.values().sum::<usize>(),
        repeated.load(Relaxed),
        took.as_secs_f64(),
        calls as f64 / took.as_secs_f64(),
        gateway.memory().1 / 1_048_576.0,
    );
    let is_right =
        (doubled, missing, wrong) == (0, 0, 0) && answered.len() as u64 == calls && references.len() as u64 == calls;
    if is_right { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn call_all(
    gateway: SocketAddr,
    calls: u64,
    next: Arc<AtomicU64>,
    repeated: Arc<AtomicU64>,
) -> Vec<(String, i64)> {
    let mut stream = TcpStream::connect(gateway).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut incoming = Incoming::default();
    let mut answered = Vec::new();
    loop {
        let number = next.fetch_add(1, Relaxed);
        if number >= calls {
            return answered;
        }
        let reference = format!("R{number}");
        let vals = json!({"payload": {"name": format!("Customer {number}"), "ref": reference}});
        let body = json!({"model": MODEL, "vals": vals}).to_string();
        let request = format!(
            "POST /api/create_data HTTP/1.1\r\nHost: gateway.example.com\r\nContent-Type: application/json\r\n\
             x-api-key: {CLIENT_KEY}\r\nIdempotency-Key: {reference}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        loop {
            stream.write_all(request.as_bytes()).await.unwrap();
            let answer = incoming.next(&mut stream).await.unwrap().expect("the gateway hung up");
            let body: Value = serde_json::from_slice(answer.body).unwrap();
            if answer.head.starts_with(b"HTTP/1.1 200 ") {
                let id = body["result"]["id"].as_i64().or_else(|| body["result"]["result"]["id"].as_i64());
                answered.push((reference, id.unwrap_or_else(|| panic!("{body}"))));
                break;
            }
            let code = body["error"]["data"]["retry"].as_str().unwrap_or_default();
            assert_ne!(code, "no", "{body}");
            repeated.fetch_add(1, Relaxed);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
