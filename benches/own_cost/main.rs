//! What the gateway itself costs: calls a second, processor time, allocations and memory, before an Odoo that answers at once.
//!
//!     cargo bench --bench own_cost                          all of it, about seven minutes
//!     cargo bench --bench own_cost -- create durable 64     of each kind only what is named: search, create; durable,
//!                                                           memory, off; 1, 64, 1000
//!     cargo bench --bench own_cost -- client keyed queued durable 1 64
//!                                                           what an idempotency key costs, and a call that is queued
//!     cargo bench --bench own_cost -- closing 64            the stub closes every connection, as Odoo itself does; without
//!                                                           the word it keeps them open, as a proxy before Odoo
//!
//! `ODOO_GATEWAY_BENCH_ROUNDS` is how many rounds there are, `ODOO_GATEWAY_BENCH_SECONDS` how long each is, and
//! `ODOO_GATEWAY_BENCH_UNDER` what the gateway is run under, such as `valgrind --tool=callgrind`. By default it writes a line of JSON
//! for each call to standard error, as under a container; `ODOO_GATEWAY_MESSAGES=text` leaves them out.
//!
//! The log cannot be turned off. "off" is all five routes `false` in `[log]` and the folder in /dev/shm: still two lines for
//! each call, and nothing of what is in it. "memory" is the whole log in /dev/shm: less "durable", that is what syncing costs.
//!
//! Stub and callers are one thread of this process and share the machine with the gateway. What they take is shown beside,
//! and what anything else on the machine had, so that one sees who has the processors. Each round has a gateway of its own,
//! after a second in which it warms up; the settings take turns, and what is shown is the median of the rounds, of the peak
//! memory the highest. The goal's memory is that of a run of 100,000 calls, in which many segments of the log are compressed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark fails by panicking")]

#[path = "../figures.rs"]
mod figures;
mod gateway;
mod load;
mod message;
mod stub;

use std::{
    env,
    fs::OpenOptions,
    io::Write,
    process::ExitCode,
    time::{Duration, Instant},
};

use self::{
    figures::Figures,
    gateway::{Allocated, Build, Gateway, IN_FLIGHT, Log},
    load::{Load, Work},
    stub::Keeping,
};

const WARM_UP: Duration = Duration::from_secs(1);
const POLLED: Duration = Duration::from_millis(100);
const CONNECTIONS: [usize; 3] = [1, 64, 1_000];
const MIB: f64 = 1_048_576.0;
const HEADINGS: &str = "call    log       conns   calls/s   p50 ms   p99 ms  CPU us/call  stub+load  others %  allocs/call   KiB/call  memory MiB  peak MiB";

/// The goal: with so many connections and a durable log, so many calls a second within so much memory.
const GOAL_CONNECTIONS: usize = 64;
const GOAL_CALLS: f64 = 8_000.0;
const GOAL_MEMORY: f64 = 64.0 * MIB;
/// After so many calls, some segments of the log have been full.
const GOAL_RUN: usize = 100_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Setting {
    work: Work,
    log: Log,
    connections: usize,
}

/// What one round came to.
#[derive(Debug, Clone, Copy)]
struct Round {
    per_second: f64,
    /// How long a call took, in milliseconds.
    p50: f64,
    p99: f64,
    /// Processor time of a call in microseconds: the gateway's, and that of stub and callers.
    cpu: f64,
    own_cpu: f64,
    memory: f64,
    peak: f64,
    /// The share of all processors that neither of these had, nor was idle: a busy machine makes calls slower, and dearer.
    others: f64,
    /// Of a call, where it was counted.
    allocations: f64,
    allocated: f64,
}

fn main() -> ExitCode {
    if let Some(code) = gateway::run_if_told() {
        return code;
    }
    // One thread: what it would gain by a second one it would take from the gateway.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(measure());
    ExitCode::SUCCESS
}

async fn measure() {
    let words: Vec<String> = env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let is_named = |word: &str| words.iter().any(|named| named == word);
    let keeping = if is_named("closing") { Keeping::Closing } else { Keeping::Open };
    let rounds = number("ODOO_GATEWAY_BENCH_ROUNDS").unwrap_or(5);
    let length = Duration::from_secs(number("ODOO_GATEWAY_BENCH_SECONDS").unwrap_or(3));
    let named: Vec<Work> = Work::ALL.into_iter().filter(|work| is_named(work.name())).collect();
    let works = if named.is_empty() { Work::USUAL.to_vec() } else { named };
    let logs = wanted(&Log::ALL, |log| is_named(log.name()));
    let connections = wanted(&CONNECTIONS, |connections| is_named(&connections.to_string()));
    let upstream = stub::start(keeping).await;

    let mut measured: Vec<(Setting, Vec<Round>)> = Vec::new();
    for &work in &works {
        for &log in &logs {
            measured.extend(connections.iter().map(|&connections| (Setting { work, log, connections }, Vec::new())));
        }
    }
    println!(
        "Rounds: {rounds} of {length:?}. Stub: {keeping:?}, given {IN_FLIGHT} calls at a time. Bare write and sync of 1 KiB \
         where the durable log is: {:.0}/s.",
        bare_syncs()
    );
    for _ in 0..rounds {
        for (setting, rounds) in &mut measured {
            rounds.push(round(Build::Plain, *setting, &upstream, (length, 0)).await);
        }
    }
    println!("{HEADINGS}");
    let mut figures = Figures::of("own_cost");
    for (setting, rounds) in &measured {
        let Setting { work, log, connections } = setting;
        let of = |value: fn(&Round) -> f64| median(rounds.iter().map(value).collect());
        let peak = rounds.iter().map(|round| round.peak).fold(0.0, f64::max);
        let counted = round(Build::Counting, *setting, &upstream, (length, 0)).await;
        println!(
            "{:<7} {:<8} {connections:>6} {:>9.0} {:>8.2} {:>8.2} {:>12.1} {:>10.1} {:>9.0} {:>12.1} {:>10.1} {:>11.1} {:>9.1}",
            work.name(),
            log.name(),
            of(|round| round.per_second),
            of(|round| round.p50),
            of(|round| round.p99),
            of(|round| round.cpu),
            of(|round| round.own_cpu),
            100.0 * of(|round| round.others),
            counted.allocations,
            counted.allocated / 1024.0,
            of(|round| round.memory) / MIB,
            peak / MIB,
        );
        figures.add(
            &labels(*setting, keeping),
            &[
                ("calls_per_second", of(|round| round.per_second)),
                ("p50_ms", of(|round| round.p50)),
                ("p99_ms", of(|round| round.p99)),
                ("cpu_us", of(|round| round.cpu)),
                ("allocations", counted.allocations),
                ("allocated_kib", counted.allocated / 1024.0),
                ("memory_mib", of(|round| round.memory) / MIB),
                ("peak_mib", peak / MIB),
            ],
        );
    }
    println!();
    for (setting, rounds) in &measured {
        if setting.log == Log::Durable && setting.connections == GOAL_CONNECTIONS && Work::USUAL.contains(&setting.work)
        {
            let long = tell_goal(*setting, rounds, &upstream).await;
            let memory = [("memory_mib", long.memory / MIB), ("peak_mib", long.peak / MIB)];
            figures.add(&[&labels(*setting, keeping)[..], &[("after", "100,000 calls")]].concat(), &memory);
        }
    }
    figures.write();
}

/// What was measured, in the words of the file of figures.
fn labels(setting: Setting, keeping: Keeping) -> [(&'static str, &'static str); 4] {
    let Setting { work, log, connections } = setting;
    let connections = match connections {
        1 => "1",
        64 => "64",
        _ => "1,000",
    };
    let stub = if keeping == Keeping::Closing { "closes connections" } else { "keeps connections" };
    [("call", work.name()), ("log", log.name()), ("connections", connections), ("stub", stub)]
}

async fn tell_goal(setting: Setting, rounds: &[Round], upstream: &str) -> Round {
    let calls = median(rounds.iter().map(|round| round.per_second).collect());
    let long = round(Build::Plain, setting, upstream, (WARM_UP, GOAL_RUN)).await;
    let yes_or_no = |is_reached| if is_reached { "yes" } else { "no" };
    println!(
        "{}: stub upstream, {GOAL_CONNECTIONS} connections, durable log: calls/s >= {GOAL_CALLS}: {calls:.0}, {}; resident \
         memory at most {:.0} MiB: {:.1} after {GOAL_RUN} calls and {:.1} at the peak, {} ({:.0} calls/s there)",
        setting.work.name(),
        yes_or_no(calls >= GOAL_CALLS),
        GOAL_MEMORY / MIB,
        long.memory / MIB,
        long.peak / MIB,
        yes_or_no(long.peak <= GOAL_MEMORY),
        long.per_second,
    );
    long
}

/// A gateway from its start to its end, which is not before so much time has passed and so many calls have been made.
async fn round(build: Build, setting: Setting, upstream: &str, (length, least): (Duration, usize)) -> Round {
    let Setting { work, log, connections } = setting;
    let mut gateway = Gateway::start(build, log, upstream);
    let load = Load::start(gateway.address, work, connections).await;
    tokio::time::sleep(WARM_UP).await;
    let mut seen = || {
        let allocated = match build {
            Build::Plain => Allocated { count: 0, bytes: 0 },
            Build::Counting => gateway.allocated(),
        };
        let cpu = (gateway.cpu(), gateway::cpu("self"), gateway::cpu_of_all());
        (Instant::now(), load.calls(), cpu, allocated)
    };
    let before = seen();
    tokio::time::sleep(length).await;
    while load.calls() < least {
        tokio::time::sleep(POLLED).await;
    }
    let after = seen();
    let (memory, peak) = gateway.memory();
    let took = load.took_behind(before.1);
    load.stop().await;
    let calls = (after.1 - before.1) as f64;
    assert!(calls > 0.0, "there was no answer in {length:?}");
    let slowest_of = |percent: usize| took[(took.len() - 1) * percent / 100].as_secs_f64() * 1e3;
    let microseconds = |time: Duration| time.as_secs_f64() * 1e6 / calls;
    let (cpu, own_cpu) = (after.2.0 - before.2.0, after.2.1 - before.2.1);
    let ((busy, all), (busy_before, all_before)) = (after.2.2, before.2.2);
    let others = (busy - busy_before).saturating_sub(cpu + own_cpu);
    Round {
        per_second: calls / (after.0 - before.0).as_secs_f64(),
        p50: slowest_of(50),
        p99: slowest_of(99),
        cpu: microseconds(cpu),
        own_cpu: microseconds(own_cpu),
        memory,
        peak,
        others: others.as_secs_f64() / (all - all_before).as_secs_f64(),
        allocations: (after.3.count - before.3.count) as f64 / calls,
        allocated: (after.3.bytes - before.3.bytes) as f64 / calls,
    }
}

/// What the disk can do: it decides much of what a durable log costs.
fn bare_syncs() -> f64 {
    let folder = Log::Durable.folder();
    let mut file = OpenOptions::new().append(true).create(true).open(folder.path().join("bare")).unwrap();
    let (started, mut syncs) = (Instant::now(), 0_u32);
    while started.elapsed() < Duration::from_secs(1) {
        file.write_all(&[b'x'; 1024]).unwrap();
        file.sync_data().unwrap();
        syncs += 1;
    }
    f64::from(syncs) / started.elapsed().as_secs_f64()
}

/// Those that are named; all where none is.
fn wanted<T: Copy>(all: &[T], is_named: impl Fn(T) -> bool) -> Vec<T> {
    let named: Vec<T> = all.iter().copied().filter(|one| is_named(*one)).collect();
    if named.is_empty() { all.to_vec() } else { named }
}

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok().map(|number| number.parse().unwrap())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
