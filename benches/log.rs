//! The cost of the interface log: durable lines, against a bare loop of write and fdatasync on the same disk in the same
//! run; and the time of a listing in a log of a million lines.
//!
//!     cargo bench --bench log                 all of it
//!     cargo bench --bench log -- append       lines per second and p50, with 1, 8, 64 and 256 writers
//!     cargo bench --bench log -- list         `log ls` over a million lines (ODOO_GATEWAY_BENCH_LINES for another number)

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark fails by panicking")]

use std::{
    borrow::Cow,
    env,
    fs::OpenOptions,
    io::Write,
    net::{IpAddr, Ipv4Addr},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use odoo_gateway::log_bench::{Arrived, Caller, Config, Finished, Log, OdooCall, Received, Route, State, Who};
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use uuid::Uuid;

const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(2);
const PROGRAM: &str = env!("CARGO_BIN_EXE_odoo-gateway");

fn main() {
    let wanted: Vec<String> = env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == name);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    if is_wanted("append") {
        runtime.block_on(append());
    }
    if is_wanted("list") {
        runtime.block_on(list());
    }
}

/// A folder on the disk of the build, and the configuration of a log in it.
fn log_folder(more: &str) -> (TempDir, Config) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let text = format!("[upstream]\nurl = \"http://127.0.0.1:9\"\ndatabase = \"none\"\n[log]\n{more}");
    let file = folder.path().join("gateway.toml");
    std::fs::write(&file, text).unwrap();
    let config = Config::load(&file).unwrap();
    (folder, config)
}

fn arrived() -> Arrived {
    let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    Arrived {
        id: Uuid::now_v7(),
        route: Route::CreateData,
        hook: None,
        address,
        size: 300,
        replay_of: None,
        dry_run: false,
        by: None,
        attempt_of: None,
        attempt: None,
        step: None,
    }
}

fn finished(state: State, record: i64) -> Finished {
    let failed = state == State::Failed;
    let call = json!({"model": "res.partner", "method": "create", "args": {"vals_list": [{"name": "A customer", "country_id": 20}]}});
    Finished {
        state,
        result: json!({"is_success": !failed, "result": {"id": record}, "messages": "Record created successfully"}),
        error: failed.then_some("no_match"),
        message: "Record created successfully".to_owned(),
        warnings: 0,
        detail: None,
        odoo: vec![OdooCall { rpc: call, at: 2.0, ms: 20.0, records: vec![record], failure: None }],
    }
}

/// Lines in the time of a round, and how long each waited.
struct Round {
    lines: usize,
    took: Duration,
    waits: Vec<Duration>,
}

impl Round {
    fn per_second(&self) -> f64 {
        self.lines as f64 / self.took.as_secs_f64()
    }

    fn p50(&mut self) -> Duration {
        self.waits.sort_unstable();
        self.waits[self.waits.len() / 2]
    }
}

/// One thread, one file, lines of the same size.
fn bare(folder: &Path, size: usize) -> Round {
    let mut file = OpenOptions::new().append(true).create(true).open(folder.join("bare")).unwrap();
    let line = vec![b'x'; size];
    let (started, mut waits) = (Instant::now(), Vec::new());
    while started.elapsed() < ROUND {
        let begun = Instant::now();
        file.write_all(&line).unwrap();
        file.sync_data().unwrap();
        waits.push(begun.elapsed());
    }
    Round { lines: waits.len(), took: started.elapsed(), waits }
}

async fn logged(log: &Log, writers: usize) -> Round {
    let started = Instant::now();
    let tasks: Vec<_> = (0..writers)
        .map(|_| {
            let log = log.clone();
            tokio::spawn(async move {
                let mut waits = Vec::new();
                while started.elapsed() < ROUND {
                    let begun = Instant::now();
                    log.refuse(&arrived(), &Who::default(), begun, finished(State::Done, 1)).await.unwrap();
                    waits.push(begun.elapsed());
                }
                waits
            })
        })
        .collect();
    let mut waits = Vec::new();
    for task in tasks {
        waits.extend(task.await.unwrap());
    }
    Round { lines: waits.len(), took: started.elapsed(), waits }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

async fn append() {
    println!("Lines made durable; medians of {ROUNDS} rounds of {ROUND:?}, the bare loop in turn with each.");
    println!(
        "{:>8} {:>12} {:>10} {:>12} {:>10} {:>14} {:>10}",
        "writers", "lines/s", "p50 ms", "bare/s", "p50 ms", "lines/s ratio", "p50 ratio"
    );
    for writers in [1, 8, 64, 256] {
        let (folder, config) = log_folder("");
        let log = Log::open(&config.log).unwrap();
        // The length of a line, by the first one.
        log.refuse(&arrived(), &Who::default(), Instant::now(), finished(State::Done, 1)).await.unwrap();
        let text = std::fs::read_to_string(config.log.directory.join("00000000000000000001.jsonl")).unwrap();
        let size = text.lines().last().unwrap().len();
        let (mut ours, mut bares) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            bares.push(bare(folder.path(), size));
            ours.push(logged(&log, writers).await);
        }
        let rate = |rounds: &[Round]| median(rounds.iter().map(Round::per_second).collect());
        let p50 =
            |rounds: &mut [Round]| median(rounds.iter_mut().map(|round| round.p50().as_secs_f64() * 1e3).collect());
        let (rate_ours, rate_bare) = (rate(&ours), rate(&bares));
        let (p50_ours, p50_bare) = (p50(&mut ours), p50(&mut bares));
        println!(
            "{writers:>8} {rate_ours:>12.0} {p50_ours:>10.2} {rate_bare:>12.0} {p50_bare:>10.2} {:>14.2} {:>10.2}",
            rate_ours / rate_bare,
            p50_ours / p50_bare
        );
        log.close().await;
    }
}

/// A call of one of a few kinds.
async fn call(log: &Log, number: usize) {
    let models = ["res.partner", "sale.order", "product.product", "stock.picking", "account.move"];
    let model = models[number % models.len()];
    let vals: Map<String, Value> = serde_json::from_value(json!({"payload": {
        "name": format!("Customer {number}"), "ref": format!("REF-{number}"), "email": "someone@example.com",
        "country_id": {"code": "BE"}, "category_id": {"records": [{"name": "A"}, {"name": "B"}]},
    }}))
    .unwrap();
    let caller = Caller { credential: "key", door: "json-2", uid: 2, login: format!("user{}", number % 7) };
    let who = Who { client: None, caller: Some(caller) };
    let state = if number.is_multiple_of(50) { State::Failed } else { State::Done };
    let received = Received { model, vals: Cow::Owned(vals), sent: None, who };
    let mut entry = log.receive(arrived(), received, Instant::now()).await.unwrap();
    entry.announced().await.unwrap();
    entry.finish(finished(state, number as i64)).await.unwrap();
}

async fn list() {
    const WRITERS: usize = 256;
    let lines: usize = env::var("ODOO_GATEWAY_BENCH_LINES").map_or(1_000_000, |lines| lines.parse().unwrap());
    let (folder, config) = log_folder("");
    let log = Log::open(&config.log).unwrap();
    let started = Instant::now();
    let next = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let tasks: Vec<_> = (0..WRITERS)
        .map(|_| {
            let (log, next) = (log.clone(), next.clone());
            tokio::spawn(async move {
                loop {
                    let number = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    if 2 * number >= lines {
                        return;
                    }
                    call(&log, number).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    log.close().await;
    println!("\n{lines} lines of {} calls written in {:.1} s", lines / 2, started.elapsed().as_secs_f64());
    let file = folder.path().join("gateway.toml");
    let ls = |args: &[&str]| {
        let started = Instant::now();
        let mut command = Command::new(PROGRAM);
        command.args(["log", "ls", "--json"]).args(args).arg("--config").arg(&file);
        let out = command.stderr(Stdio::null()).output().unwrap();
        assert!(out.status.success());
        (started.elapsed().as_secs_f64(), out.stdout.iter().filter(|byte| **byte == b'\n').count())
    };
    println!("{:<58} {:>8} {:>10}", "log ls", "calls", "s");
    let last = (lines / 2 - 1).to_string();
    for args in [
        &["-n", "50"][..],
        &["--error", "other_database"],
        &["--all", "--error", "no_match", "--model", "res.partner"],
        &["--record", "17"],
        &["--record", &last],
        &["--caller", "user3", "--state", "failed", "--all"],
        &["--in-doubt"],
        &["--route", "update_data"],
        &["--text", "REF-4242\""],
        &["--text", "nowhere at all"],
    ] {
        let runs: Vec<(f64, usize)> = (0..ROUNDS).map(|_| ls(args)).collect();
        println!("{:<58} {:>8} {:>10.3}", args.join(" "), runs[0].1, median(runs.iter().map(|run| run.0).collect()));
    }
    std::fs::remove_dir_all(config.log.directory.join("index")).unwrap();
    let (took, _) = ls(&["--error", "other_database"]);
    println!("{:<58} {:>8} {took:>10.3}", "the first after the index was deleted", "");
}
