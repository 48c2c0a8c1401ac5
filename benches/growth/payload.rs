//! Lines of one payload: the time of a call with so many, and the memory that it takes.

use std::{
    fmt::Write,
    time::{Duration, Instant},
};

use tokio::io::AsyncWriteExt;

use super::{
    add,
    figures::Figures,
    folder, load,
    message::{FIRST, Incoming},
    milliseconds,
    program::{self, Gateway},
    sizes, stub,
};

const LINES: [u64; 4] = [10, 100, 1_000, 10_000];
/// So many lines are sent of each size.
const IN_ALL: u64 = 40_000;
const MOST_CALLS: u64 = 200;

pub(crate) async fn measure(figures: &mut Figures) {
    let stub = stub::start(0).await;
    for lines in sizes(&LINES) {
        for (what, line) in [
            ("lines of plain values", plain as fn(u64) -> String),
            ("lines with a lookup each", looked_up as fn(u64) -> String),
        ] {
            let folder = folder();
            let gateway = Gateway::start(folder.path(), &program::config(&stub.url, ""));
            let mut stream = load::connect(gateway.address).await;
            let mut incoming = Incoming::default();
            let before = gateway.memory().0;
            let mut times: Vec<Duration> = Vec::new();
            for number in 0..(IN_ALL / lines).clamp(5, MOST_CALLS) {
                let id = u64::from(FIRST) + number;
                let lines: Vec<String> = (0..lines).map(line).collect();
                let mut payload = format!(r#"{{"name": "Order {id}", "ref": "R{id}", "line_ids": ["#);
                write!(payload, "{}]}}", lines.join(", ")).unwrap();
                let body = load::body("bench.order", &payload);
                let request = load::post("/api/create_data", &load::session(1), &body);
                let began = Instant::now();
                stream.write_all(&request).await.unwrap();
                let answer = incoming.next(&mut stream).await.unwrap().expect("the gateway hung up");
                times.push(began.elapsed());
                let said = String::from_utf8_lossy(answer.body);
                assert!(answer.head.starts_with(b"HTTP/1.1 200 ") && said.contains("\"is_success\":true"), "{said}");
            }
            times.sort_unstable();
            let ms = milliseconds(times[times.len() / 2]);
            let more = gateway.memory().1 - before;
            add(
                figures,
                "payload",
                what,
                lines,
                &[("ms", ms), ("us_per_line", 1e3 * ms / lines as f64), ("more_mib", more)],
            );
        }
    }
}

fn plain(number: u64) -> String {
    format!(r#"{{"name": "Line {number}", "quantity": {}, "date": "2026-11-30"}}"#, number % 7 + 1)
}

/// Another record for each line, as far as a hundred.
fn looked_up(number: u64) -> String {
    format!(
        r#"{{"name": "Line {number}", "quantity": 2.0, "order_id": {{"ref": "R{}"}}}}"#,
        u64::from(FIRST) + number % 100
    )
}
