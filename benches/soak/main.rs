//! A soak: an hour at half of what Odoo takes, with an Odoo that restarts, reloads, slow and vanishing callers.
//!
//!     cargo bench --bench soak                                 an hour
//!     ODOO_GATEWAY_BENCH_SECONDS=180 cargo bench --bench soak     three minutes
//!
//! Every ten seconds it notes what the gateway's process takes, how long calls took, and how many failed. After the first quarter
//! of an hour (or of a shorter run) memory, descriptors and threads must not grow by more than 5 %: the median of the last third
//! of the rest is held against that of its first third. Odoo is killed and brought up again every ten minutes (three times in a
//! shorter run), the configuration is changed and read again every minute. While Odoo is away, calls fail; that is no growth.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark fails by panicking")]

mod callers;
#[path = "../figures.rs"]
mod figures;
mod servers;

use std::{
    env,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{sync::Semaphore, task, time};

use self::{
    callers::{Callers, Seen},
    figures::Figures,
    servers::{Gateway, Odoo, Taken},
};

const HOUR: u64 = 3600;
const SAMPLE: Duration = Duration::from_secs(10);
const RESTART: Duration = Duration::from_secs(600);
const RELOAD: Duration = Duration::from_secs(60);
const SLOW: Duration = Duration::from_secs(2);
const VANISHING: Duration = Duration::from_secs(1);
/// How long it is measured what Odoo takes.
const MEASURED: Duration = Duration::from_secs(15);
const CALLERS: usize = 16;
/// More calls than these are never under way.
const UNDER_WAY: usize = 256;
/// The most that anything may grow by.
const GROWTH: f64 = 1.05;

fn main() -> ExitCode {
    let seconds =
        env::var("ODOO_GATEWAY_BENCH_SECONDS").map_or(HOUR, |given| given.parse().expect("a number of seconds"));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(run(Duration::from_secs(seconds)))
}

async fn run(length: Duration) -> ExitCode {
    let odoo = task::spawn_blocking(Odoo::up).await.unwrap();
    let gateway = Gateway::start(&odoo);
    let callers = Callers::new(&gateway.address);
    callers.as_fast_as_it_goes(CALLERS, Duration::from_secs(3)).await;
    let all = callers.as_fast_as_it_goes(CALLERS, MEASURED).await;
    let rate = all / 2.0;
    println!("Odoo takes {all:.0} calls/s of {CALLERS} callers; {rate:.0} calls/s for {} s", length.as_secs());
    let restarts = task::spawn(restart(odoo, RESTART.min(length / 4)));
    let others = [
        task::spawn(paced(callers.clone(), rate)),
        task::spawn(each(SLOW, callers.clone(), |callers: Callers| async move { callers.slow().await })),
        task::spawn(each(VANISHING, callers.clone(), |callers: Callers| async move { callers.vanishing().await })),
    ];
    let samples = sample(&gateway, &callers, length).await;
    restarts.abort();
    others.iter().for_each(task::JoinHandle::abort);
    report(&samples, length, rate)
}

/// Kills Odoo and brings it up again, over and over.
async fn restart(mut odoo: Odoo, every: Duration) {
    loop {
        time::sleep(every).await;
        let before = odoo.clone();
        odoo = task::spawn_blocking(move || before.restart()).await.unwrap();
    }
}

/// Begins so many calls a second, whether or not earlier ones have ended.
async fn paced(callers: Callers, rate: f64) {
    let places = Arc::new(Semaphore::new(UNDER_WAY));
    let mut ticks = time::interval(Duration::from_secs_f64(1.0 / rate.max(1.0)));
    ticks.set_missed_tick_behavior(time::MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        let (callers, place) = (callers.clone(), places.clone().acquire_owned().await.unwrap());
        task::spawn(async move {
            callers.make().await;
            drop(place);
        });
    }
}

/// Begins something again and again.
async fn each<F: Future<Output = ()> + Send>(every: Duration, callers: Callers, what: impl Fn(Callers) -> F) {
    loop {
        time::sleep(every).await;
        // A slow caller takes longer than the pause between two.
        let _ = time::timeout(every * 10, what(callers.clone())).await;
    }
}

/// What was seen in ten seconds.
struct Sample {
    at: Duration,
    taken: Taken,
    calls: usize,
    failed: u64,
    p50: f64,
    p99: f64,
}

async fn sample(gateway: &Gateway, callers: &Callers, length: Duration) -> Vec<Sample> {
    let (began, mut samples, mut reloads) = (Instant::now(), Vec::new(), 0);
    while began.elapsed() < length {
        time::sleep(SAMPLE).await;
        let Seen { mut took, failed } = std::mem::take(&mut *callers.seen.lock().unwrap());
        took.sort_unstable_by(f64::total_cmp);
        let percentile = |part: f64| took.get((took.len() as f64 * part) as usize).copied().unwrap_or(0.0);
        let at = began.elapsed();
        let sample = Sample {
            at,
            taken: gateway.taken(),
            calls: took.len(),
            failed,
            p50: percentile(0.5),
            p99: percentile(0.99),
        };
        println!(
            "{:>5} s  {:>6.1} MiB  {:>4} descriptors  {:>3} threads  {:>5} calls  {:>4} failed  p50 {:>6.1} ms  p99 {:>7.1} ms",
            at.as_secs(),
            sample.taken.memory_mib,
            sample.taken.descriptors,
            sample.taken.threads,
            sample.calls,
            failed,
            sample.p50,
            sample.p99
        );
        samples.push(sample);
        if at.as_secs() / RELOAD.as_secs() > reloads {
            reloads += 1;
            gateway.reload(reloads);
        }
    }
    samples
}

fn report(samples: &[Sample], length: Duration, rate: f64) -> ExitCode {
    let mut figures = Figures::of("soak");
    for sample in samples {
        let Sample { at, taken, calls, failed, p50, p99 } = sample;
        figures.add(
            &[("what", "sample"), ("at", &format!("{:05} s", at.as_secs() / SAMPLE.as_secs() * SAMPLE.as_secs()))],
            &[
                ("seconds", at.as_secs_f64()),
                ("memory_mib", taken.memory_mib),
                ("descriptors", taken.descriptors),
                ("threads", taken.threads),
                ("calls", *calls as f64),
                ("failed", *failed as f64),
                ("p50_ms", *p50),
                ("p99_ms", *p99),
            ],
        );
    }
    let warm = length.min(Duration::from_secs(HOUR)) / 4;
    let rest: Vec<&Sample> = samples.iter().filter(|sample| sample.at >= warm).collect();
    let third = (rest.len() / 3).max(1);
    let growth = |of: fn(&Taken) -> f64| {
        let median = |part: &[&Sample]| {
            let mut values: Vec<f64> = part.iter().map(|sample| of(&sample.taken)).collect();
            values.sort_unstable_by(f64::total_cmp);
            values[values.len() / 2]
        };
        median(&rest[rest.len() - third..]) / median(&rest[..third])
    };
    let grown = [growth(|taken| taken.memory_mib), growth(|taken| taken.descriptors), growth(|taken| taken.threads)];
    let calls: usize = samples.iter().map(|sample| sample.calls).sum();
    let failed: u64 = samples.iter().map(|sample| sample.failed).sum();
    let [memory, descriptors, threads] = grown;
    println!(
        "{} s at {rate:.0} calls/s: {calls} calls, {failed} failed; after {} s memory is {memory:.3}, descriptors {descriptors:.3}, \
         threads {threads:.3} of what they were",
        length.as_secs(),
        warm.as_secs()
    );
    figures.add(
        &[("what", "whole run")],
        &[
            ("seconds", length.as_secs_f64()),
            ("calls_per_second", rate),
            ("calls", calls as f64),
            ("failed", failed as f64),
            ("memory_growth", memory),
            ("descriptor_growth", descriptors),
            ("thread_growth", threads),
        ],
    );
    figures.write();
    if grown.iter().all(|grown| *grown < GROWTH) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
