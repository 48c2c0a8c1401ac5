//! `[upstream] max_in_flight = "auto"` beside fixed numbers: 64 callers that create and that search, before a real Odoo 19 with 1, 2,
//! 4 and 8 workers and with threads.
//!
//!     cargo bench --bench auto_limit                       all of it, some 15 minutes
//!     cargo bench --bench auto_limit -- 4 threads search   parts: numbers of workers, threads, create, search
//!
//! ODOO_GATEWAY_BENCH_ROUNDS (2) and ODOO_GATEWAY_BENCH_SECONDS (4) say how many rounds of each limit and how long;
//! ODOO_GATEWAY_BENCH_LEARN (20) how many seconds of load the gateway with "auto" has before the first round, as one that runs for
//! longer has had. Each limit has a gateway of its own before the same Odoo, in turn in every round. All callers have the same key,
//! so that creates are batched. Every answer is checked. Nothing else should run on the machine.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark fails by panicking")]

#[path = "../against_odoo/client.rs"]
#[allow(dead_code, reason = "this benchmark logs nobody in")]
mod client;
#[path = "../figures.rs"]
mod figures;

use std::{
    cell::Cell,
    env,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    str::FromStr,
    time::{Duration, Instant},
};

use client::Way;
use figures::Figures;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::LocalSet;

const CALLERS: usize = 64;
const FIXED: [&str; 6] = ["1", "2", "4", "8", "16", "32"];
const AUTO: &str = "auto";
const WORKERS: [&str; 5] = ["1", "2", "4", "8", "threads"];
const WORKS: [&str; 2] = ["create", "search"];

/// On one thread: the other core is for what is measured.
#[tokio::main(flavor = "current_thread")]
async fn main() {
    let wanted: Vec<String> = env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let chosen = |all: &[&'static str]| -> Vec<&'static str> {
        let some: Vec<&str> = all.iter().copied().filter(|name| wanted.iter().any(|wanted| wanted == name)).collect();
        if some.is_empty() { all.to_vec() } else { some }
    };
    let mut figures = Figures::of("auto_limit");
    for workers in chosen(&WORKERS) {
        let odoo = Odoo::up(workers);
        let gateways: Vec<Gateway> = FIXED.iter().chain(&[AUTO]).map(|limit| Gateway::start(&odoo, limit)).collect();
        for work in chosen(&WORKS) {
            measure(workers, work, &odoo, &gateways, &mut figures).await;
        }
    }
}

async fn measure(workers: &str, work: &str, odoo: &Odoo, gateways: &[Gateway], figures: &mut Figures) {
    let (rounds, seconds, learn): (usize, f64, f64) =
        (setting("ROUNDS", "2"), setting("SECONDS", "4"), setting("LEARN", "20"));
    let mut calls = vec![0.0; gateways.len()];
    for gateway in gateways {
        let warm = if gateway.limit == AUTO { learn } else { 1.0 };
        load(odoo, gateway, work, warm).await;
    }
    for _ in 0..rounds {
        for (gateway, calls) in gateways.iter().zip(&mut calls) {
            // The caches of Odoo's workers are those of this gateway's calls.
            load(odoo, gateway, work, 0.5).await;
            *calls += load(odoo, gateway, work, seconds).await / rounds as f64;
        }
    }
    let best = calls
        .iter()
        .zip(gateways)
        .filter(|(_, gateway)| gateway.limit != AUTO)
        .map(|(calls, _)| *calls)
        .fold(0.0, f64::max);
    for (gateway, calls) in gateways.iter().zip(&calls) {
        let found = gateway.found();
        println!(
            "{workers:>8} {work:>7} {:>5}: {calls:7.1} calls/s, {:.2} of the best fixed{}",
            gateway.limit,
            calls / best,
            if gateway.limit == AUTO { format!("; the limit is {found}") } else { String::new() },
        );
        figures.add(
            &[("workers", workers), ("work", work), ("limit", gateway.limit)],
            &[("calls_per_second", *calls), ("of_best_fixed", calls / best), ("limit_at_the_end", found)],
        );
    }
    figures.write();
}

/// Calls by all callers for so many seconds: how many were answered in a second.
async fn load(odoo: &Odoo, gateway: &Gateway, work: &str, seconds: f64) -> f64 {
    let way = Way::to(&gateway.url, true).with("authorization", &format!("Bearer {}", odoo.key));
    let (began, answered) = (Instant::now(), Cell::new(0_u32));
    let span = Duration::from_secs_f64(seconds);
    let callers = LocalSet::new();
    let answered = std::rc::Rc::new(answered);
    for _ in 0..CALLERS {
        let (mut client, answered, work) = (way.client(), answered.clone(), work.to_owned());
        callers.spawn_local(async move {
            while began.elapsed() < span {
                let (path, body) = call(&work);
                let answer: Value = serde_json::from_slice(&client.post(path, body.to_string().into()).await).unwrap();
                assert!(answer["result"]["is_success"] == true, "{answer}");
                answered.set(answered.get() + 1);
            }
        });
    }
    callers.await;
    f64::from(answered.get()) / began.elapsed().as_secs_f64()
}

fn call(work: &str) -> (&'static str, Value) {
    let random: String = std::iter::repeat_with(fastrand::alphanumeric).take(10).collect();
    let (path, model, payload) = match work {
        "create" => ("/api/create_data", "res.partner", json!({"name": random, "country_id": {"code": "BE"}})),
        _ => {
            let domain = json!([["name", "!=", random], ["currency_id.name", "=", "USD"]]);
            let payload = json!({"search_field": ["name", "currency_id{name}"], "search_domain": domain, "limit": 1});
            ("/api/search_data", "res.country", payload)
        }
    };
    let params = json!({"model": model, "vals": {"payload": payload}});
    (path, json!({"jsonrpc": "2.0", "method": "call", "params": params}))
}

fn setting<T: FromStr>(name: &str, default: &str) -> T {
    let value = env::var(format!("ODOO_GATEWAY_BENCH_{name}")).unwrap_or_else(|_| default.to_owned());
    value.parse().unwrap_or_else(|_| panic!("ODOO_GATEWAY_BENCH_{name}={value}"))
}

/// An Odoo 19 of our own; it ends with this process.
struct Odoo {
    url: String,
    database: String,
    key: String,
}

impl Odoo {
    fn up(workers: &str) -> Self {
        let mut up = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/odoo/up"));
        up.args(["--json", "--name", &format!("limit{workers}"), "--for-pid", &std::process::id().to_string()]);
        if workers != "threads" {
            up.args(["--workers", workers]);
        }
        let run = up.stderr(Stdio::inherit()).output().unwrap();
        assert!(run.status.success(), "tests/odoo/up failed");
        let told: Value = serde_json::from_slice(&run.stdout).unwrap();
        let text = |name: &str| told[name].as_str().unwrap().to_owned();
        Self { url: text("url"), database: text("database"), key: text("key") }
    }
}

/// A gateway with this limit; it ends when this is dropped.
struct Gateway {
    limit: &'static str,
    url: String,
    config: std::path::PathBuf,
    process: Child,
    _folder: TempDir,
}

impl Gateway {
    fn start(odoo: &Odoo, limit: &'static str) -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let written = if limit == AUTO { format!("\"{limit}\"") } else { limit.to_owned() };
        let config = folder.path().join("gateway.toml");
        let text = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n[log]\ndirectory = \"log\"\n\
             [upstream]\nurl = \"{}\"\ndatabase = \"{}\"\nmax_in_flight = {written}\n",
            odoo.url, odoo.database
        );
        std::fs::write(&config, text).unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_odoo-gateway"))
            .args(["serve", "--config"])
            .arg(&config)
            .env("RUST_LOG", "warn")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
        let url = lines.find_map(|line| line.strip_prefix("listening on ").map(str::to_owned));
        assert!(lines.next().is_some(), "the gateway did not start");
        Self { limit, url: url.unwrap(), config, process, _folder: folder }
    }

    /// The limit that is in force.
    fn found(&self) -> f64 {
        let status = Command::new(env!("CARGO_BIN_EXE_odoo-gateway"))
            .args(["status", "--json", "--config"])
            .arg(&self.config)
            .output()
            .unwrap();
        let status: Value = serde_json::from_slice(&status.stdout).unwrap();
        status["odoo"]["most_in_flight"].as_f64().unwrap()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
