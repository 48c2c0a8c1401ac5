//! Kills: the gateway is killed over and over at random moments, under load with every kind of call, on one and the same log and
//! store. Nothing that was answered may be missing, and nothing may be there twice.
//!
//!     cargo bench --bench kills                     1,000 kills
//!     cargo bench --bench kills -- 10000            so many
//!
//! The Odoo is in this process, and counts what it does. Requests and answers of a write are up to 3 ms on their way, so that
//! kills meet every step of a call. Segments are of 64 KiB and the whole log of 8 MiB, so that sealing and retention go on all
//! the time. The program ends with an error where a call was lost or doubled, is missing in the log, or stays in the queue.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark fails by panicking")]

mod callers;
mod calls;
mod domain;
#[path = "../figures.rs"]
mod figures;
mod gateway;
mod http;
mod odoo;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use serde::Deserialize;
use tokio::sync::watch;

use self::{
    callers::{Ledger, Shared},
    calls::{Kind, Wrong},
    figures::Figures,
    gateway::{Folder, Gateway, Segment, segments},
    odoo::Odoo,
};

const CALLERS: usize = 16;
const KILLS: u32 = 1_000;
/// The longest that a gateway lives, in milliseconds.
const LONGEST: u64 = 250;
/// After so many kills, the whole log is verified, and a person has those calls tried again that were given up.
const VERIFIED: u32 = 100;
/// A command tries so many calls again.
const RETRIED: usize = 100;

fn main() -> ExitCode {
    let kills = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(KILLS);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(run(kills))
}

async fn run(kills: u32) -> ExitCode {
    let odoo = Odoo::default();
    let folder = Folder::new(&odoo::start(odoo.clone()).await);
    let (told, address) = watch::channel(None);
    let shared =
        Shared { odoo, ledger: Arc::default(), address, next: Arc::new(AtomicU64::new(1)), is_over: Arc::default() };
    let callers: Vec<_> = (0..CALLERS).map(|_| tokio::spawn(callers::run(shared.clone()))).collect();
    let (mut log, mut given_up, began) = (Log::default(), HashSet::new(), Instant::now());
    for kill in 1..=kills {
        let gateway = start(&folder).await;
        told.send_replace(Some(gateway.address));
        tokio::time::sleep(Duration::from_millis(fastrand::u64(1..LONGEST))).await;
        gateway.kill();
        told.send_replace(None);
        // What was answered on its way is read before the log is.
        tokio::time::sleep(Duration::from_millis(1)).await;
        log.check(&folder, &shared);
        if kill % VERIFIED == 0 {
            verify(&folder);
            given_up.extend(retry_poison(&folder, &stored(&folder)));
            let known = shared.ledger.lock().unwrap().calls.len();
            println!(
                "{kill} kills, {known} calls, {} missing in the log, {:.0} s",
                log.missing,
                began.elapsed().as_secs_f64()
            );
        }
    }
    // The last one lives, until everything has come to its end.
    shared.is_over.store(true, Relaxed);
    let gateway = start(&folder).await;
    told.send_replace(Some(gateway.address));
    for caller in callers {
        caller.await.unwrap();
    }
    let left = queue_ended(&folder, &mut given_up).await;
    gateway.stop();
    log.check(&folder, &shared);
    verify(&folder);
    for call in &left {
        println!("left to a person: {call:?}");
    }
    let kept = Kept { given_up: given_up.len(), left: left.len() };
    let is_right = report(kills, &shared, &log, &kept, began.elapsed());
    if is_right {
        return ExitCode::SUCCESS;
    }
    folder.keep();
    ExitCode::FAILURE
}

/// A gateway takes some time to start, in which the Odoo of this process must answer it.
async fn start(folder: &Folder) -> Gateway {
    tokio::task::block_in_place(|| Gateway::start(folder))
}

fn verify(folder: &Folder) {
    let (is_well, out, said) = folder.run(&["log", "verify"]);
    assert!(is_well, "{out}{said}");
}

/// A call in the store.
#[derive(Debug, Deserialize)]
struct Stored {
    id: String,
    state: String,
    error: Option<String>,
}

/// The calls that are queued or run, or wait for a person.
fn stored(folder: &Folder) -> Vec<Stored> {
    let (is_well, out, said) = folder.run(&["queue", "ls", "--json", "--limit", "1000000"]);
    assert!(is_well, "{said}");
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A call that ended five gateways is given up, and left to a person, who has it tried again; gives the ids of such calls.
fn retry_poison(folder: &Folder, stored: &[Stored]) -> Vec<String> {
    let is_poison = |call: &&Stored| call.state == "dead" && call.error.as_deref() == Some("poison");
    let poison: Vec<String> = stored.iter().filter(is_poison).map(|call| call.id.clone()).collect();
    for some in poison.chunks(RETRIED) {
        let words = [&["queue", "retry", "--yes"][..], &some.iter().map(String::as_str).collect::<Vec<_>>()].concat();
        let (is_well, _, said) = folder.run(&words);
        assert!(is_well, "{said}");
    }
    poison
}

/// Waits until no call is queued, and has those tried again that are given up; gives the calls that are left.
async fn queue_ended(folder: &Folder, given_up: &mut HashSet<String>) -> Vec<Stored> {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        let left = stored(folder);
        let poison = retry_poison(folder, &left);
        let open: Vec<&Stored> = left.iter().filter(|call| matches!(&*call.state, "queued" | "running")).collect();
        if open.is_empty() && poison.is_empty() {
            return left;
        }
        assert!(Instant::now() < deadline, "{open:?}");
        given_up.extend(poison);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// What was read of the log so far.
#[derive(Default)]
struct Log {
    /// How many bytes of each segment have been read.
    read: HashMap<String, usize>,
    /// The segments that have been read to their ends.
    whole: HashSet<String>,
    ended: HashSet<String>,
    lines: u64,
    segments: u64,
    missing: u64,
    torn: u64,
}

impl Log {
    /// Reads what has come, and looks for the calls that were answered.
    fn check(&mut self, folder: &Folder, shared: &Shared) {
        #[derive(Deserialize)]
        struct Line {
            event: String,
            id: Option<String>,
        }
        for Segment { name, is_whole, bytes } in segments(&folder.log(), &self.whole) {
            if is_whole {
                self.whole.insert(name.clone());
            }
            let from = self.read.entry(name).or_insert_with(|| {
                self.segments += 1;
                0
            });
            let end = memchr::memrchr(b'\n', &bytes).map_or(0, |end| end + 1);
            for line in bytes.get(*from..end).unwrap_or_default().split_inclusive(|byte| *byte == b'\n') {
                let Line { event, id } = serde_json::from_slice(line).unwrap();
                self.lines += 1;
                self.torn += u64::from(event == "log.recovered");
                // The end of what is passed on is written behind the answer, and its beginning is durable before Odoo gets it.
                if matches!(&*event, "call.finished" | "call.refused" | "request.received") {
                    self.ended.extend(id);
                }
            }
            *from = end.max(*from);
        }
        let answered = std::mem::take(&mut shared.ledger.lock().unwrap().answered);
        self.missing += answered.iter().filter(|id| !self.ended.contains(*id)).count() as u64;
    }
}

/// What the store has kept for a person.
struct Kept {
    /// Calls that ended five gateways and were tried again.
    given_up: usize,
    /// Calls that wait for a person at the end.
    left: usize,
}

/// Whether all is right.
fn report(kills: u32, shared: &Shared, log: &Log, kept: &Kept, took: Duration) -> bool {
    let (state, ledger) = (shared.odoo.lock().unwrap(), shared.ledger.lock().unwrap());
    let Ledger { calls, repeated, refused, .. } = &*ledger;
    let mut kinds = BTreeMap::<Kind, (u64, u64)>::new();
    let (mut lost, mut doubled) = (0, 0);
    for (call, is_done) in calls {
        let (all, done) = kinds.entry(call.kind).or_default();
        *all += 1;
        *done += u64::from(*is_done);
        let Some(wrong) = call.wrong(&state, *is_done) else { continue };
        match wrong {
            Wrong::Lost => lost += 1,
            Wrong::Doubled => doubled += 1,
        }
        println!("{wrong:?}: {call:?}, answered as done: {is_done}");
    }
    let Kept { given_up, left } = kept;
    let unsuccessful = ledger.calls.iter().filter(|(call, is_done)| call.kind.is_repeated() && !is_done).count();
    for (kind, (all, done)) in &kinds {
        println!("{kind:?}: {all} calls, {done} answered as done");
    }
    println!("answers that were no success: {refused:?}");
    println!(
        "{kills} kills in {:.0} s: {} calls, {repeated} sent again, {} requests to Odoo, {} lines of the log in {} segments, {} \
         torn tails put aside; {given_up} given up after five gateways and tried again; {left} \
         left to a person at the end; {unsuccessful} repeated calls without a success; {lost} lost, {doubled} doubled, {} missing in the log",
        took.as_secs_f64(),
        calls.len(),
        state.requests,
        log.lines,
        log.segments,
        log.torn,
        log.missing,
    );
    let mut figures = Figures::of("kills");
    let count = |number: usize| number as f64;
    figures.add(
        &[("what", "kill -9 under load")],
        &[
            ("kills", f64::from(kills)),
            ("calls", count(calls.len())),
            ("sent_again", *repeated as f64),
            ("lost", count(lost)),
            ("doubled", count(doubled)),
            ("given_up_and_tried_again", count(*given_up)),
            ("left_to_a_person", count(*left)),
            ("missing_in_log", log.missing as f64),
            ("torn_tails", log.torn as f64),
            ("segments", log.segments as f64),
        ],
    );
    figures.write();
    lost == 0 && doubled == 0 && log.missing == 0
}
