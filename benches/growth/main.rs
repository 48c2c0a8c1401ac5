//! How what the gateway costs grows with what it has to do with: the log, `[[client]]` entries, schemas, lines of a payload,
//! queued calls, and connections.
//!
//!     cargo bench --bench growth                       all of it, about 25 minutes, of which the log is written in ten
//!     cargo bench --bench growth -- log                100,000 to 10 million lines: start, `log ls`, `log show`, the console
//!     cargo bench --bench growth -- clients            1 to 10,000 entries: start, reload, `check`, a call's cost
//!     cargo bench --bench growth -- schemas            10 to 500,000 pairs of user and model: memory, a call's cost
//!     cargo bench --bench growth -- payload            10 to 10,000 lines of one payload: time and memory
//!     cargo bench --bench growth -- queue              0 to 1 million queued calls: start, accept, deliver, `queue ls`
//!     cargo bench --bench growth -- connections        1 to 10,000 connections: memory of each, a call's cost
//!
//! `ODOO_GATEWAY_BENCH_LOG` is a folder in which the logs are kept for the next run (10 million lines take 1 GB), and
//! `ODOO_GATEWAY_BENCH_MOST` the largest size that is measured.
//!
//! The gateway is the built program, before a stub that answers at once. Stub and callers are one thread of this process.
//! Programs of the command line are measured from their start to their end.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark fails by panicking")]

mod clients;
mod connections;
#[path = "../figures.rs"]
mod figures;
mod load;
mod log;
#[path = "../own_cost/message.rs"]
#[allow(dead_code, reason = "another benchmark needs more of it")]
mod message;
mod payload;
mod program;
mod queue;
mod schemas;
mod stub;
#[path = "../console/written.rs"]
mod written;

use std::{env, time::Duration};

use tempfile::TempDir;

use self::figures::Figures;

/// The figures of this benchmark.
const BENCH: &str = "growth";

fn main() {
    let wanted: Vec<String> = env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == name);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for (name, part) in [("clients", 0), ("schemas", 1), ("payload", 2), ("queue", 3), ("connections", 4), ("log", 5)] {
        if !is_wanted(name) {
            continue;
        }
        println!("\n{name}");
        let mut figures = Figures::of(BENCH);
        runtime.block_on(async {
            match part {
                0 => clients::measure(&mut figures).await,
                1 => schemas::measure(&mut figures).await,
                2 => payload::measure(&mut figures).await,
                3 => queue::measure(&mut figures).await,
                4 => connections::measure(&mut figures).await,
                _ => log::measure(&mut figures).await,
            }
        });
        figures.write();
    }
}

/// Those of the sizes that are wanted.
fn sizes(all: &[u64]) -> Vec<u64> {
    let most = env::var("ODOO_GATEWAY_BENCH_MOST").map_or(u64::MAX, |most| most.parse().unwrap());
    all.iter().copied().filter(|size| *size <= most).collect()
}

/// A folder on the disk of the build.
fn folder() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// A row of one part: what was measured at which size.
fn add(figures: &mut Figures, part: &str, what: &str, size: u64, values: &[(&str, f64)]) {
    let size = size.to_string();
    figures.add(&[("part", part), ("what", what), ("size", &size)], values);
    let values: Vec<String> = values.iter().map(|(name, value)| format!("{name} {value:.2}")).collect();
    println!("{size:>10}  {what:<44} {}", values.join(", "));
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    milliseconds(times[times.len() / 2])
}
