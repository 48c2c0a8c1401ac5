//! A long log: how long the gateway takes to start, `log ls` and `log show`, and the console; and the memory of each.

use std::{
    env, fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use odoo_gateway::console_bench::Config;
use reqwest::{Client, header, redirect::Policy};

use super::{
    add,
    figures::Figures,
    folder, median, milliseconds,
    program::{self, Gateway},
    sizes, written,
};

const LINES: [u64; 4] = [100_000, 1_000_000, 3_000_000, 10_000_000];
/// Of 2.8 lines each.
const CALLS_OF_28_LINES: u64 = 10;
const ROUNDS: usize = 5;
/// The indexes are looked at in the background.
const SETTLED: Duration = Duration::from_secs(3);

/// What is listed, and by which words of `log ls`.
const LISTS: [(&str, &[&str]); 7] = [
    ("log ls", &[]),
    ("log ls, a state", &["--state", "failed"]),
    ("log ls, a rare error code", &["--error", "odoo_timeout"]),
    ("log ls, an error code that no call has", &["--error", "other_database"]),
    ("log ls, a record of the first calls", &["--record", "17"]),
    ("log ls, a text that many have", &["--text", "Customer"]),
    ("log ls, a text of one old call", &["--text", "REF-4711\""]),
];

const PAGES: [(&str, &str); 6] = [
    ("console: list", "/calls"),
    ("console: list, a state", "/calls?state=failed"),
    ("console: overview of 1 h", "/?window=1h"),
    ("console: overview of 24 h", "/?window=24h"),
    ("console: overview of 7 d", "/?window=7d"),
    ("console: clients", "/clients"),
];

pub(crate) async fn measure(figures: &mut Figures) {
    let temporary = folder();
    let base = env::var_os("ODOO_GATEWAY_BENCH_LOG").map_or(temporary.path().to_owned(), PathBuf::from);
    for lines in sizes(&LINES) {
        let folder = base.join(format!("growth-{lines}"));
        make(&folder, lines).await;
        let text = config();
        let log = folder.join("log");
        forget(&log);
        let first = Gateway::start(&folder, &text).took;
        let starts: Vec<Duration> = (0..ROUNDS).map(|_| Gateway::start(&folder, &text).took).collect();
        let gateway = Gateway::start(&folder, &text);
        tokio::time::sleep(SETTLED).await;
        let (memory, peak) = gateway.memory();
        add(
            figures,
            "log",
            "start",
            lines,
            &[("first_ms", milliseconds(first)), ("ms", median(starts)), ("memory_mib", memory), ("peak_mib", peak)],
        );
        for (what, words) in LISTS {
            list(figures, &folder, lines, what, &[&["log", "ls", "--json"][..], words].concat());
        }
        let old = program::run(&folder, &["log", "ls", "--json", "-n", "1", "--until", "6d"]).said;
        let old: serde_json::Value = serde_json::from_str(old.lines().next().unwrap()).unwrap();
        list(
            figures,
            &folder,
            lines,
            "log show of an old call",
            &["log", "show", "--json", old["id"].as_str().unwrap()],
        );
        pages(figures, &gateway, lines).await;
        let (memory, peak) = gateway.memory();
        add(figures, "log", "memory after all", lines, &[("memory_mib", memory), ("peak_mib", peak)]);
    }
}

fn config() -> String {
    program::config("http://127.0.0.1:9", "[log]\nmin_free = \"1 B\"\nmax_total = \"50 GiB\"\n")
}

/// Writes the log, compresses and indexes it, unless a run before has.
async fn make(folder: &Path, lines: u64) {
    let done = folder.join("made");
    if done.exists() {
        return;
    }
    fs::create_dir_all(folder).unwrap();
    let file = folder.join("gateway.toml");
    fs::write(&file, config()).unwrap();
    let log = Config::load(&file).unwrap().log;
    let started = Instant::now();
    written::write(&log.directory, lines * CALLS_OF_28_LINES / 28);
    let took = started.elapsed();
    written::seal(&log).await;
    println!("{lines} lines written in {took:.1?}, compressed and indexed by {:.1?}", started.elapsed());
    fs::write(done, "").unwrap();
}

/// The first time with nothing of the log in memory, and the median of the others.
fn list(figures: &mut Figures, folder: &Path, lines: u64, what: &str, words: &[&str]) {
    forget(&folder.join("log"));
    let first = program::run(folder, words);
    let ran: Vec<_> = (0..ROUNDS).map(|_| program::run(folder, words)).collect();
    let peak = ran.iter().map(|ran| ran.peak_mib).fold(first.peak_mib, f64::max);
    let times = ran.iter().map(|ran| ran.took).collect();
    add(
        figures,
        "log",
        what,
        lines,
        &[("first_ms", milliseconds(first.took)), ("ms", median(times)), ("peak_mib", peak)],
    );
}

async fn pages(figures: &mut Figures, gateway: &Gateway, lines: u64) {
    let http = Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
    let response = http.get(format!("{}/calls", gateway.admin)).send().await.unwrap();
    let cookie = response.headers()[header::SET_COOKIE].to_str().unwrap();
    let cookie = cookie.split(';').next().unwrap().to_owned();
    for (what, path) in PAGES {
        let began = Instant::now();
        let request = http.get(format!("{}{path}", gateway.admin)).header(header::COOKIE, &cookie);
        let response = request.send().await.unwrap();
        assert!(response.status().is_success(), "{path}: {}", response.status());
        let page = response.text().await.unwrap();
        assert!(page.len() > 1_000, "{path}: {page}");
        add(figures, "log", what, lines, &[("ms", milliseconds(began.elapsed()))]);
    }
}

/// Each of its bytes is read from the disk again the next time.
fn forget(folder: &Path) {
    for file in fs::read_dir(folder).unwrap().chain(fs::read_dir(folder.join("index")).unwrap()) {
        let path = file.unwrap().path();
        if path.is_file() {
            let file = fs::File::open(path).unwrap();
            let _ = rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed);
        }
    }
}
