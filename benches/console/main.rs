//! What the console costs: the list of calls and the overview over a long log, and calls a second while consoles are open.
//!
//!     cargo bench --bench console             all of it
//!     cargo bench --bench console -- log      list and overview over a log of a million calls
//!     cargo bench --bench console -- open     calls a second with ten consoles open, and with none
//!
//! `ODOO_GATEWAY_BENCH_CALLS` is for another number of calls, `ODOO_GATEWAY_BENCH_LOG` a folder that is kept for the next run.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark fails by panicking")]

#[path = "../own_cost/gateway.rs"]
#[allow(dead_code, reason = "another benchmark needs more of it")]
mod gateway;
#[path = "../own_cost/load.rs"]
#[allow(dead_code, reason = "another benchmark needs more of it")]
mod load;
#[path = "../own_cost/message.rs"]
#[allow(dead_code, reason = "another benchmark needs more of it")]
mod message;
mod open;
#[path = "../own_cost/stub.rs"]
#[allow(dead_code, reason = "another benchmark needs more of it")]
mod stub;
mod written;

use std::{
    env,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use odoo_gateway::console_bench::{CallState, Calls, Config, Filter, LogConfig, Query, Window, overview};

const ROUNDS: usize = 7;

fn main() {
    let wanted: Vec<String> = env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == name);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    if is_wanted("log") {
        runtime.block_on(log());
    }
    if is_wanted("open") {
        // One thread, as `own_cost` has it: what it would gain by a second one it would take from the gateway.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(open::measure());
    }
}

/// The resident memory of this process in MiB: now, and the most.
fn memory() -> (f64, f64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_ascii_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
    };
    (field("VmRSS:"), field("VmHWM:"))
}

fn config(folder: &Path) -> LogConfig {
    let text = "[upstream]\nurl = \"http://127.0.0.1:9\"\ndatabase = \"none\"\n[log]\ndirectory = \"log\"\nmin_free = \"1 B\"\nmax_total = \"50 GiB\"";
    let file = folder.join("gateway.toml");
    std::fs::write(&file, text).unwrap();
    Config::load(&file).unwrap().log
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1e3
}

/// Each of its bytes is read from the disk again the next time.
fn forget(folder: &Path) {
    for file in std::fs::read_dir(folder).unwrap().chain(std::fs::read_dir(folder.join("index")).unwrap()) {
        let path = file.unwrap().path();
        if path.is_file() {
            let file = std::fs::File::open(path).unwrap();
            let _ = rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed);
        }
    }
}

async fn log() {
    let calls: u64 = env::var("ODOO_GATEWAY_BENCH_CALLS").map_or(1_000_000, |calls| calls.parse().unwrap());
    let temporary = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let folder = env::var_os("ODOO_GATEWAY_BENCH_LOG").map_or(temporary.path().to_owned(), PathBuf::from);
    std::fs::create_dir_all(&folder).unwrap();
    let config = config(&folder);
    if !config.directory.join("LOCK").exists() {
        let started = Instant::now();
        written::write(&config.directory, calls);
        println!("{calls} calls written in {:.1} s", started.elapsed().as_secs_f64());
    }
    let started = Instant::now();
    written::seal(&config).await;
    println!("segments compressed and indexed in {:.1} s", started.elapsed().as_secs_f64());
    let (now, _) = memory();
    println!("memory before the first query {now:.1} MiB");
    forget(&config.directory);

    let ago = |hours| Some(Timestamp::now() - SignedDuration::from_hours(hours));
    let text = |text: &str| Some(text.to_owned());
    let none = Filter::default;
    let filters: Vec<(&str, Filter)> = vec![
        ("no filter", none()),
        ("state=failed", Filter { state: Some(CallState::Failed), ..none() }),
        ("error=odoo_timeout (about ten)", Filter { error: text("odoo_timeout"), ..none() }),
        ("error=no_such_code", Filter { error: text("no_such_code"), ..none() }),
        ("record=17 (the earliest)", Filter { record: Some(17), ..none() }),
        ("caller=supp", Filter { caller: text("supp"), ..none() }),
        ("caller=nobody", Filter { caller: text("nobody"), ..none() }),
        ("model=res.users", Filter { model: text("res.users"), ..none() }),
        ("model=no.such", Filter { model: text("no.such"), ..none() }),
        (
            "model=res.users error=invalid_value client=support",
            Filter { model: text("res.users"), error: text("invalid_value"), caller: text("support"), ..none() },
        ),
        ("since 1 h", Filter { since: ago(1), ..none() }),
        ("until 6 days ago", Filter { until: ago(6 * 24), ..none() }),
        ("in doubt", Filter { in_doubt: true, ..none() }),
        ("delivery=evt_1", Filter { delivery: text("evt_1"), ..none() }),
    ];
    println!("{:<56} {:>6} {:>10} {:>10}", "first page of 50 calls", "calls", "first ms", "ms");
    // As the gateway has one for as long as it runs.
    let kept = Calls::open(&config.directory).unwrap();
    for (name, filter) in filters {
        let query = Query { filter, limit: Some(50), cursor: None };
        let (mut times, mut found) = (Vec::new(), 0);
        for _ in 0..=ROUNDS {
            let started = Instant::now();
            found = Calls::open(&config.directory).unwrap().page(query.clone()).await.unwrap().calls.len();
            times.push(started.elapsed());
        }
        let first = times.remove(0).as_secs_f64() * 1e3;
        println!("{name:<56} {found:>6} {first:>10.1} {:>10.1}", median(times));
    }
    pages(&kept).await;
    for window in Window::ALL {
        let mut times = Vec::new();
        let mut calls = 0;
        for _ in 0..=ROUNDS {
            let started = Instant::now();
            calls = overview(&kept, window, Timestamp::now()).await.unwrap().all.calls;
            times.push(started.elapsed());
        }
        let first = times.remove(0).as_secs_f64() * 1e3;
        println!("overview {:<47} {calls:>6} {first:>10.1} {:>10.1}", window.name(), median(times));
    }
    let (now, most) = memory();
    println!("memory {now:.1} MiB, at most {most:.1} MiB (with what was used for writing)");
}

/// A page far behind the first one, and one call by its id.
async fn pages(calls: &Calls) {
    let filter = Filter { state: Some(CallState::Failed), ..Filter::default() };
    let mut query = Query { filter, limit: Some(5_000), cursor: None };
    let page = calls.page(query.clone()).await.unwrap();
    let oldest = page.calls.last().unwrap().id.to_string();
    query.cursor = page.next;
    query.limit = Some(50);
    for (name, id) in [("page behind 5000 failed calls", None), ("one call by its id", Some(oldest))] {
        let mut times = Vec::new();
        for _ in 0..ROUNDS {
            let started = Instant::now();
            match &id {
                None => assert_eq!(calls.page(query.clone()).await.unwrap().calls.len(), 50),
                Some(id) => assert_eq!(calls.one(id).await.unwrap().id.to_string(), *id),
            }
            times.push(started.elapsed());
        }
        println!("{name:<56} {:>6} {:>10} {:>10.1}", "", "", median(times));
    }
}
