//! The journal on a file system that forgets what was not synced and fails at any step.
//!
//! Invariants after any history: every acknowledged line exists, unchanged and in order; no line exists that was not
//! submitted; numbers have no gap; a second opening changes nothing; the log continues. Nothing is acknowledged while the
//! folder is away from where it was opened.

mod fake;

use std::collections::BTreeMap;

use fastrand::Rng;
use jiff::{Timestamp, ToSpan};
use serde_json::json;

use self::fake::Fake;
use super::{Error, Journal};
use crate::log::{
    format::{
        event::Event,
        fs::{Fs, Stage},
        line::{Body, Line},
        recovery::{End, recover},
        segment::Segment,
    },
    maintain::retention::seal,
};

const SEGMENT: u64 = 3_000;

/// A log, and what it acknowledged.
struct History {
    fs: Fake,
    journal: Option<Journal<Fake>>,
    now: Timestamp,
    submitted: u64,
    /// The numbers of the acknowledged bodies, by the number of their lines.
    acknowledged: BTreeMap<u64, u64>,
}

impl History {
    fn new() -> Self {
        let now = "2026-11-23T12:00:00Z".parse().unwrap();
        Self { fs: Fake::default(), journal: None, now, submitted: 0, acknowledged: BTreeMap::new() }
    }

    fn open(&mut self) -> Result<(), Error> {
        self.journal = None;
        self.journal = Some(Journal::open(self.fs.clone(), SEGMENT, self.now)?.0);
        Ok(())
    }

    fn append(&mut self, sizes: &[usize]) -> Option<Error> {
        let journal = self.journal.as_mut()?;
        let first = self.submitted;
        self.submitted += sizes.len() as u64;
        let body = |(number, size): (u64, &usize)| {
            Body::new(Event::CallPlanned, &json!({"n": number, "fill": "x".repeat(*size)}))
        };
        let bodies: Vec<Body> = (first..).zip(sizes).map(body).collect();
        match journal.append(&bodies.iter().collect::<Vec<_>>(), self.now) {
            Ok(seq) => {
                assert!(!self.fs.0.borrow().is_away, "a line was acknowledged that nobody can read");
                self.acknowledged.extend((seq..).zip(first..self.submitted));
                None
            }
            Err(error) => Some(error),
        }
    }

    fn seal_finished(&self) {
        let names = self.fs.list("").unwrap_or_default();
        let active = self.journal.as_ref().map(Journal::active);
        let finished = names
            .iter()
            .filter_map(|name| Segment::of(name))
            .filter(|(segment, sealed)| !sealed && Some(*segment) < active);
        for (segment, _) in finished {
            // A failure leaves the segment for the next time.
            let _ = seal(&self.fs, segment);
        }
    }

    /// The numbers of all bodies in the log, by their lines; fails where the log is not whole.
    fn found(&self) -> BTreeMap<u64, u64> {
        let mut segments: Vec<_> = self.fs.list("").unwrap().iter().filter_map(|name| Segment::of(name)).collect();
        segments.sort_unstable();
        segments.dedup_by_key(|(segment, _)| *segment);
        let mut found = BTreeMap::new();
        let mut next = 1;
        for (segment, is_sealed) in segments {
            assert_eq!(segment.0, next, "a gap between segments");
            let bytes = match is_sealed {
                true => zstd::decode_all(&*self.fs.read(&segment.sealed()).unwrap()).unwrap(),
                false => self.fs.read(&segment.open()).unwrap(),
            };
            let recovered = recover(&bytes, segment.0);
            assert_eq!(recovered.end, End::Whole, "{segment:?}");
            next = recovered.next;
            let mut at = 0;
            while let Some(line) = Line::at(&bytes[at..]) {
                if line.event() == Some(Event::CallPlanned) {
                    // Without a JSON parser, to save time.
                    let text = std::str::from_utf8(line.bytes).unwrap();
                    let (_, number) = text.split_once("\"n\":").unwrap();
                    found.insert(line.seq, number.split_once(',').unwrap().0.parse().unwrap());
                }
                at += line.bytes.len();
            }
        }
        found
    }

    fn check(&mut self, what: &str) {
        {
            // The folder is back in its place.
            let mut world = self.fs.0.borrow_mut();
            (world.fails_in, world.leaves_in, world.is_away) = (None, None, false);
        }
        let opened = self.open();
        assert!(opened.is_ok(), "{what}: {opened:?}");
        let found = self.found();
        for (seq, number) in &self.acknowledged {
            assert_eq!(found.get(seq), Some(number), "{what}: acknowledged line {seq}");
        }
        let numbers: Vec<u64> = found.values().copied().collect();
        assert!(numbers.is_sorted_by(|a, b| a < b), "{what}: order");
        assert!(numbers.iter().all(|number| *number < self.submitted), "{what}: never submitted");
        // A second opening changes nothing.
        let torn = Journal::open(self.fs.clone(), SEGMENT, self.now).map(|(_, torn)| torn);
        assert!(matches!(torn, Ok(None)), "{what}: {torn:?}");
        assert_eq!(self.found(), found, "{what}: opened twice");
        self.open().unwrap();
        assert!(self.append(&[10]).is_none(), "{what}: the log does not go on");
    }
}

/// Counts over several histories.
#[derive(Default)]
struct Tally {
    losses: usize,
    failures: usize,
    moves: usize,
    lines: usize,
}

fn random_history(seed: u64, tally: &mut Tally) {
    let mut rng = Rng::with_seed(seed);
    let mut history = History::new();
    history.open().unwrap();
    for step in 0..rng.usize(5..25) {
        match rng.u8(0..21) {
            0..=9 => {
                let sizes: Vec<usize> = (0..rng.usize(1..5)).map(|_| rng.usize(0..1_500)).collect();
                history.append(&sizes);
            }
            10 => history.now += 13.hours(),
            11 | 12 => history.seal_finished(),
            13 | 14 => {
                tally.failures += 1;
                history.fs.0.borrow_mut().fails_in = Some(rng.usize(0..12));
            }
            // The program dies; the kernel has what it wrote.
            15 => history.check(&format!("seed {seed}, step {step}, killed")),
            // A start may be interrupted like anything else.
            16 => drop(history.open()),
            17 => {
                tally.moves += 1;
                history.fs.0.borrow_mut().leaves_in = Some(rng.usize(0..12));
            }
            _ => {
                tally.losses += 1;
                history.fs.0.borrow_mut().lose_power(&mut rng);
                history.check(&format!("seed {seed}, step {step}, power lost"));
            }
        }
    }
    history.fs.0.borrow_mut().lose_power(&mut rng);
    history.check(&format!("seed {seed}, at the end"));
    tally.lines += history.acknowledged.len();
}

#[test]
fn ten_thousand_random_histories_lose_no_acknowledged_line() {
    let half = |seeds: std::ops::Range<u64>| {
        let mut tally = Tally::default();
        seeds.for_each(|seed| random_history(seed, &mut tally));
        tally
    };
    let (one, other) = std::thread::scope(|threads| {
        let other = threads.spawn(|| half(5_000..10_000));
        (half(0..5_000), other.join().unwrap())
    });
    let (losses, failures, lines) = (one.losses + other.losses, one.failures + other.failures, one.lines + other.lines);
    let moves = one.moves + other.moves;
    println!(
        "10,000 histories: {losses} power losses, {failures} failures and {moves} moves armed, {lines} acknowledged lines, 0 lost"
    );
}

/// Appends, rotates, seals and restarts.
fn fixed_history(history: &mut History) -> Vec<Error> {
    let mut errors = Vec::new();
    errors.extend(history.open().err());
    for round in 0..4 {
        errors.extend(history.append(&[100, 900, 40]));
        errors.extend(history.append(&[700]));
        if round == 1 {
            history.now += 24.hours();
        }
        history.seal_finished();
    }
    errors.extend(history.open().err());
    errors.extend(history.append(&[20]));
    errors
}

#[test]
fn an_error_at_any_step_is_told_and_loses_nothing_that_was_acknowledged() {
    let mut whole = History::new();
    assert!(fixed_history(&mut whole).is_empty());
    let steps = whole.fs.0.borrow().steps;
    assert!(steps > 60, "{steps}");
    for step in 0..steps {
        for power in [false, true] {
            let mut history = History::new();
            history.fs.0.borrow_mut().fails_in = Some(step);
            let errors = fixed_history(&mut history);
            assert!(history.fs.0.borrow().fails_in.is_none(), "step {step} was not reached");
            for error in &errors {
                assert!(matches!(error, Error::Refused(_) | Error::Poisoned(_)), "step {step}: {error:?}");
            }
            if power {
                history.fs.0.borrow_mut().lose_power(&mut Rng::with_seed(step as u64));
            }
            history.check(&format!("an error at step {step}"));
        }
    }
    println!("{steps} steps, an error at each");
}

#[test]
fn nothing_is_acknowledged_while_the_folder_is_elsewhere_whenever_it_was_moved() {
    let mut whole = History::new();
    assert!(fixed_history(&mut whole).is_empty());
    let steps = whole.fs.0.borrow().steps;
    for step in 0..steps {
        let mut history = History::new();
        history.fs.0.borrow_mut().leaves_in = Some(step);
        fixed_history(&mut history);
        assert!(history.fs.0.borrow().is_away, "step {step} was not reached");
        let error = history.append(&[10]);
        assert!(history.journal.is_none() || matches!(error, Some(Error::Poisoned(_))), "step {step}: {error:?}");
        history.check(&format!("moved at step {step}"));
    }
}

#[test]
fn a_segment_that_another_file_stands_for_is_written_no_more() {
    let mut history = History::new();
    history.open().unwrap();
    assert!(history.append(&[10]).is_none());
    let name = Segment(1).open();
    let own = history.fs.0.borrow().names[&name];
    drop(history.fs.create(&name).unwrap());
    assert!(matches!(history.append(&[10]), Some(Error::Poisoned(failed)) if failed.stage == Stage::Look));
    // Not even after the file is back: readers saw another one in the meantime.
    history.fs.0.borrow_mut().names.insert(name, own);
    assert!(matches!(history.append(&[10]), Some(Error::Poisoned(_))));
    history.check("after a replaced segment");
}

#[test]
fn after_a_failed_sync_nothing_is_written_any_more() {
    let mut history = History::new();
    history.open().unwrap();
    // A check, a write, then its sync.
    history.fs.0.borrow_mut().fails_in = Some(2);
    assert!(matches!(history.append(&[10]), Some(Error::Poisoned(failed)) if failed.stage == Stage::Sync));
    for _ in 0..3 {
        assert!(matches!(history.append(&[10]), Some(Error::Poisoned(_))));
    }
    history.check("after a failed sync");
}

#[test]
fn a_full_disk_refuses_lines_and_takes_them_when_there_is_room_again() {
    let mut history = History::new();
    history.open().unwrap();
    history.fs.0.borrow_mut().fails_in = Some(1);
    assert!(matches!(history.append(&[10]), Some(Error::Refused(failed)) if failed.stage == Stage::Write));
    assert!(history.append(&[10]).is_none());
    history.check("after a full disk");
}

#[test]
fn damage_that_no_crash_makes_stops_the_start_and_is_named() {
    let mut history = History::new();
    history.open().unwrap();
    assert!(history.append(&[10, 10]).is_none() && history.append(&[10]).is_none());
    {
        let mut world = history.fs.0.borrow_mut();
        let number = world.names["00000000000000000001.jsonl"];
        let content = world.files.get_mut(&number).unwrap();
        let end = content.seen.len() / 2;
        content.seen[end] ^= 1;
    }
    let error = history.open().unwrap_err();
    assert!(
        matches!(&error, Error::Damaged { file, seq: 2 | 3, .. } if file == "00000000000000000001.jsonl"),
        "{error:?}"
    );
}
