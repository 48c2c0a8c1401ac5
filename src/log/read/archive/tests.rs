//! Random histories: a page by the index holds the calls that a scan of all lines finds.

use std::{fs, ops::ControlFlow, rc::Rc};

use fastrand::Rng;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::*;
use crate::log::{
    format::{event::Event, fs::Fs, index, line::Body, segment::compress},
    read::{
        brief::Brief,
        call::CallState,
        page::{Cursor, Page},
    },
};

const MODELS: [&str; 3] = ["res.partner", "sale.order", "account.move"];
const CLIENTS: [&str; 3] = ["webshop", "crm", "pos"];
const CODES: [&str; 3] = ["no_match", "ambiguous", "odoo_error"];

/// A log that is written line by line, in segments of a few lines.
struct History {
    random: Rng,
    folder: tempfile::TempDir,
    disk: Disk,
    segments: Vec<(Segment, Vec<u8>)>,
    next: u64,
    clock: i64,
    /// Calls without an end: their ids, what their lines say of them, and the number of the first one.
    open: Vec<(Uuid, Map<String, Value>, u64)>,
    ended: Vec<Uuid>,
}

impl History {
    fn new(seed: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::new(folder.path());
        let (segments, open, ended) = Default::default();
        let mut new = Self {
            random: Rng::with_seed(seed),
            folder,
            disk,
            segments,
            next: 1,
            clock: 1_700_000_000_000_000,
            open,
            ended,
        };
        for _ in 0..new.random.usize(20..220) {
            new.step();
        }
        new
    }

    fn line(&mut self, event: Event, members: &Map<String, Value>) -> u64 {
        if self.segments.last().is_none_or(|(_, bytes)| bytes.len() > 6_000) {
            self.segments.push((Segment(self.next), Vec::new()));
            self.frame(Event::Segment, &Map::new());
        }
        self.frame(event, members)
    }

    fn frame(&mut self, event: Event, members: &Map<String, Value>) -> u64 {
        let mut members = members.clone();
        self.clock += self.random.i64(1..2_000_000);
        members.insert("ts".to_owned(), json!(Timestamp::from_microsecond(self.clock).unwrap()));
        let seq = self.next;
        self.next += 1;
        let (_, bytes) = self.segments.last_mut().unwrap();
        Body::new(event, &members).frame(seq, seq - 1, bytes);
        seq
    }

    fn step(&mut self) {
        match self.random.u32(..100) {
            0..40 => self.begin(),
            40..80 => self.end(),
            80..84 => self.refuse(),
            84..88 => self.pass(),
            88..92 => self.settle(),
            92..95 => self.carry(),
            95..97 => {
                // What is open gets no end any more.
                self.line(Event::Start, &Map::new());
                self.open.clear();
            }
            _ => {
                self.line(Event::Mark, &Map::new());
            }
        }
    }

    fn members(&mut self) -> (Uuid, Map<String, Value>) {
        let id = Uuid::from_u128(self.random.u128(..));
        let mut members =
            json!({"id": id, "route": "create_data", "address": "127.0.0.1"}).as_object().cloned().unwrap();
        if self.random.bool() {
            members.insert("client".to_owned(), json!(self.random.choice(CLIENTS)));
        }
        let older = self.random.choice(&self.ended).copied();
        let links = ["replay_of", "attempt_of"].into_iter().zip([self.random.u32(..8) == 0, self.random.u32(..8) == 0]);
        for (link, older) in links.filter_map(|(link, has)| older.filter(|_| has).map(|older| (link, older))) {
            members.insert(link.to_owned(), json!(older));
        }
        (id, members)
    }

    fn begin(&mut self) {
        let (id, mut members) = self.members();
        members.insert("model".to_owned(), json!(self.random.choice(MODELS)));
        // As logs of now say it, and as older ones do.
        match self.random.u32(..12) {
            0 => drop(members.insert("dry_run".to_owned(), json!(true))),
            1 => drop(members.insert("vals".to_owned(), json!({"payload": {}, "dry_run": true}))),
            _ => {}
        }
        let line = self.line(Event::CallReceived, &members);
        self.open.push((id, members, line));
        while self.random.u32(..3) == 0 {
            self.line(Event::CallPlanned, &json!({"id": id}).as_object().cloned().unwrap());
        }
    }

    fn outcome(&mut self, members: &mut Map<String, Value>) {
        let states = ["done", "done", "failed", "in_doubt", "queued", "ignored", "dry_run"];
        let state = self.random.choice(states).unwrap();
        members.insert("state".to_owned(), json!(state));
        members.insert("duration_ms".to_owned(), json!(self.random.f64() * 100.0));
        members.insert("caller".to_owned(), json!({"login": format!("user{}", self.random.u8(..3))}));
        if state == "failed" {
            let code = self.random.choice(CODES);
            members.insert("error".to_owned(), json!(code));
            members.insert("result".to_owned(), json!({"error": {"path": "payload.lines[3].name"}}));
        } else {
            members
                .insert("records".to_owned(), json!({self.random.choice(MODELS).unwrap(): [self.random.i64(1..40)]}));
        }
        if self.random.u32(..5) == 0 {
            members.insert("delivery_id".to_owned(), json!(format!("evt_{}", self.random.u8(..20))));
        }
    }

    fn end(&mut self) {
        if self.open.is_empty() {
            return;
        }
        let (id, mut members, line) = self.open.swap_remove(self.random.usize(..self.open.len()));
        members.insert("received".to_owned(), json!(line));
        self.outcome(&mut members);
        self.line(Event::CallFinished, &members);
        self.ended.push(id);
    }

    fn refuse(&mut self) {
        let (id, mut members) = self.members();
        self.outcome(&mut members);
        self.line(Event::CallRefused, &members);
        self.ended.push(id);
    }

    fn pass(&mut self) {
        let id = Uuid::from_u128(self.random.u128(..));
        let mut members =
            json!({"id": id, "method": "GET", "path": "/web", "address": "127.0.0.1"}).as_object().cloned().unwrap();
        let line = self.line(Event::RequestReceived, &members);
        if self.random.u32(..4) > 0 {
            members.extend(json!({"received": line, "state": "done", "status": 200}).as_object().cloned().unwrap());
            self.line(Event::RequestFinished, &members);
        }
    }

    fn in_doubt(&self) -> Vec<Vec<Position>> {
        let mut found = Vec::new();
        self.scan(&Filter { in_doubt: true, ..Filter::default() }, |call| {
            found.push(call.positions().collect());
            ControlFlow::Continue(())
        });
        found
    }

    fn settle(&mut self) {
        let of_doubt = self.in_doubt();
        let Some(first) = self.random.choice(&of_doubt).and_then(|positions| self.members_at(positions[0])) else {
            return;
        };
        let mut settled = Map::from_iter([("id".to_owned(), first["id"].clone())]);
        settled.insert("state".to_owned(), json!(self.random.choice(["done", "failed"])));
        settled.insert("by".to_owned(), json!("an operator"));
        settled.insert("records".to_owned(), json!({"res.partner": [self.random.i64(1..40)]}));
        self.line(Event::CallSettled, &settled);
        self.open.retain(|(id, ..)| json!(id) != first["id"]);
    }

    /// Carries the calls in doubt of the first segment forward, and drops it, as retention does.
    fn carry(&mut self) {
        if self.segments.len() < 3 {
            return;
        }
        let dropped = self.segments[0].0;
        if self.open.iter().any(|(.., line)| Segment(*line) < self.segments[1].0) {
            return;
        }
        for positions in self.in_doubt().into_iter().rev().filter(|positions| positions[0].segment == dropped) {
            for position in positions {
                let Some(mut members) = self.members_at(position) else { continue };
                let event = members["event"].as_str().and_then(Event::named).unwrap();
                if event == Event::CallSettled {
                    continue;
                }
                let seq = members["seq"].clone();
                members.entry("carried_from").or_insert(seq);
                for frame in ["seq", "durable", "event", "crc", "received"] {
                    members.shift_remove(frame);
                }
                self.line(event, &members);
            }
        }
        // A reader may come while the segment is still there.
        if self.random.bool() {
            self.segments.remove(0);
        }
    }

    fn members_at(&self, position: Position) -> Option<Map<String, Value>> {
        let (_, bytes) = self.segments.iter().find(|(segment, _)| *segment == position.segment)?;
        Line::at(&bytes[usize::try_from(position.offset).unwrap()..])?.parse()
    }

    /// Every line of every segment, as a reader without an index sees them.
    fn scan(&self, filter: &Filter, mut each: impl FnMut(&View<'_>) -> ControlFlow<()>) {
        let mut assembly = Assembly::default();
        for (segment, bytes) in self.segments.iter().rev() {
            let rows = Rc::new(Rows::of(bytes));
            for row in (0..rows.rows.len()).rev() {
                if assembly.add(Met::new(&rows, row, *segment, None), false, filter, &mut each).is_break() {
                    return;
                }
            }
        }
        assembly.rest(filter, &mut each);
    }

    /// Puts the segments on the disk: all sealed but the last, some of them with an index.
    fn save(&mut self) {
        let last = self.segments.len() - 1;
        for (number, (segment, bytes)) in self.segments.iter().enumerate() {
            if number == last || self.random.u32(..10) == 0 {
                fs::write(self.folder.path().join(segment.open()), bytes).unwrap();
            } else {
                fs::write(self.folder.path().join(segment.sealed()), compress(bytes).unwrap()).unwrap();
                if self.random.bool() {
                    OfSealed::make(&self.disk, *segment, bytes).unwrap();
                }
            }
        }
    }

    fn filter(&mut self) -> Filter {
        let random = &mut self.random;
        let mut filter = Filter::default();
        let time = |random: &mut Rng| {
            let ago = random.i64(0..600_000_000);
            Timestamp::from_microsecond(1_700_000_000_000_000 + ago).ok()
        };
        for _ in 0..random.u32(..3) {
            match random.u32(..11) {
                0 => filter.model = random.choice(MODELS).map(str::to_owned),
                1 => filter.caller = random.choice(["webshop", "user1", "s", "nobody"]).map(str::to_owned),
                2 => filter.error = random.choice(["no_match", "odoo_error", "never"]).map(str::to_owned),
                3 => filter.record = Some(random.i64(1..41)),
                4 => filter.since = time(random),
                5 => filter.until = time(random),
                6 => filter.in_doubt = true,
                7 => filter.route = Some(RecordedRoute::Passed),
                8 => filter.delivery = Some(format!("evt_{}", random.u8(..21))),
                9 => filter.delivery = random.choice(&self.ended).map(Uuid::to_string),
                _ => {
                    use CallState::{Done, DryRun, Failed, Ignored, InDoubt, Queued, Running};
                    filter.state = random.choice([Done, DryRun, Failed, Ignored, InDoubt, Queued, Running]);
                }
            }
        }
        filter
    }
}

/// Everything that a reader is shown of a call.
fn shown(call: &Call) -> String {
    let positions: Vec<_> = call.positions.iter().map(|position| (position.segment.0, position.offset)).collect();
    format!("{} {positions:?}", serde_json::to_string(call).unwrap())
}

fn in_brief(names: &[String], call: &Brief) -> String {
    let texts =
        [call.route, call.model, call.caller, call.error, call.path].map(|name| names[usize::from(name)].clone());
    format!("{} {} {:?} {:?} {texts:?}", call.id, call.arrived, call.state, call.took)
}

#[test]
fn a_filtered_page_by_the_index_is_that_of_a_scan_of_all_lines() {
    let (mut calls, mut pages) = (0, 0);
    for seed in 0..24 {
        let mut history = History::new(seed);
        history.save();
        let archive = Archive::open(history.folder.path()).unwrap();
        for _ in 0..10 {
            let filter = history.filter();
            let mut expected = Vec::new();
            history.scan(&filter, |call| {
                expected.push(shown(&call.to_call()));
                ControlFlow::Continue(())
            });
            let size = history.random.usize(1..20);
            let (mut found, mut cursor): (_, Option<Cursor>) = (Vec::new(), None);
            loop {
                let Page { calls, next } = archive.page(&filter, Some(size), cursor).unwrap();
                found.extend(calls.iter().map(shown));
                pages += 1;
                cursor = next;
                if cursor.is_none() {
                    break;
                }
            }
            assert_eq!(found, expected, "seed {seed}, pages of {size}, {filter:?}");
            calls += found.len();
        }
        let since = Timestamp::from_microsecond(1_700_000_000_000_000 + history.random.i64(0..300_000_000)).unwrap();
        let (mut briefs, mut expected) = (Vec::new(), Vec::new());
        archive.briefs(since, |names, calls| briefs.extend(calls.iter().map(|call| in_brief(names, call)))).unwrap();
        history.scan(&Filter { since: Some(since), ..Filter::default() }, |call| {
            let caller = if call.client().is_empty() { call.login() } else { call.client() };
            let names = [call.route().name(), call.model(), caller, call.error(), call.path()].map(str::to_owned);
            let took = call.took().map(|took| took as f32);
            expected.push(format!(
                "{} {} {:?} {took:?} {names:?}",
                Uuid::from_u128(call.first.row.id),
                call.ts(),
                call.state
            ));
            ControlFlow::Continue(())
        });
        briefs.sort();
        expected.sort();
        assert_eq!(briefs, expected, "seed {seed}");
        if let Some(id) = history.ended.last() {
            let part = &id.to_string()[..13];
            let mut all = Vec::new();
            history.scan(&Filter::default(), |call| {
                all.push(shown(&call.to_call()));
                ControlFlow::Continue(())
            });
            all.retain(|call| call.starts_with(&format!("{{\"id\":\"{part}")));
            for part in [part, &*id.to_string()] {
                assert_eq!(archive.find(part).unwrap().iter().map(shown).collect::<Vec<_>>(), all, "seed {seed}");
            }
        }
    }
    assert!(calls > 2_000 && pages > 500, "{calls} calls on {pages} pages");
}

#[test]
fn lines_that_are_added_to_the_last_segment_are_seen_by_every_reader_of_it() {
    let mut history = History::new(7);
    let (segment, whole) = history.segments.last().cloned().unwrap();
    history.save();
    let path = history.folder.path().join(segment.open());
    let reader = Archive::open(history.folder.path()).unwrap();
    let ids = |archive: &Archive| {
        archive.page(&Filter::default(), None, None).unwrap().calls.iter().map(shown).collect::<Vec<_>>()
    };
    for length in (0..=whole.len()).step_by(97).chain([whole.len()]) {
        fs::write(&path, &whole[..length]).unwrap();
        history.segments.last_mut().unwrap().1 = whole[..length].to_vec();
        let mut expected = Vec::new();
        history.scan(&Filter::default(), |call| {
            expected.push(shown(&call.to_call()));
            ControlFlow::Continue(())
        });
        assert_eq!(ids(&reader), expected, "{length} bytes");
        assert_eq!(ids(&Archive::open(history.folder.path()).unwrap()), expected, "{length} bytes");
    }
    // A shorter file is another one.
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    history.segments.last_mut().unwrap().1 = whole[..whole.len() / 2].to_vec();
    let mut expected = Vec::new();
    history.scan(&Filter::default(), |call| {
        expected.push(shown(&call.to_call()));
        ControlFlow::Continue(())
    });
    assert_eq!(ids(&reader), expected);
}

#[test]
fn an_index_that_is_damaged_or_of_another_file_is_made_anew() {
    let mut history = History::new(3);
    history.save();
    let expected = |archive: &Archive| {
        archive.page(&Filter::default(), None, None).unwrap().calls.iter().map(shown).collect::<Vec<_>>()
    };
    let archive = Archive::open(history.folder.path()).unwrap();
    let before = expected(&archive);
    let sealed = history.segments[0].0;
    let name = index::file(sealed);
    let whole = history.disk.read(&name).unwrap();
    for damaged in [&whole[..3], &whole[..whole.len() / 2], &[0xff; 600]] {
        fs::write(history.folder.path().join(&name), damaged).unwrap();
        assert_eq!(expected(&archive), before, "{} bytes", damaged.len());
    }
}

#[test]
fn dry_runs_and_repetitions_of_older_logs_are_read_as_they_are_now() {
    let mut history = History::new(1);
    // The calls have a model of their own.
    let call = |history: &mut History, received: Value, finished: Option<Value>| {
        let id = Uuid::from_u128(history.random.u128(..));
        let mut members = json!({"id": id, "route": "create_data", "address": "127.0.0.1", "model": "own.model"});
        members.as_object_mut().unwrap().extend(received.as_object().cloned().unwrap());
        let members = members.as_object().cloned().unwrap();
        let line = history.line(Event::CallReceived, &members);
        if let Some(finished) = finished {
            let mut end = members;
            end.shift_remove("vals");
            end.insert("received".to_owned(), json!(line));
            end.extend(finished.as_object().cloned().unwrap());
            history.line(Event::CallFinished, &end);
        }
    };
    let dry = || json!({"vals": {"payload": {"x": 1}, "dry_run": true}});
    let known = json!({"state": "failed", "error": "no_match", "repeat_of": Uuid::nil()});
    for (received, finished) in [
        (dry(), Some(json!({"state": "done", "message": "Dry run: nothing was written"}))),
        (dry(), Some(json!({"state": "failed", "error": "no_match"}))),
        (json!({"dry_run": true}), Some(json!({"state": "dry_run"}))),
        (json!({}), Some(json!({"state": "done", "message": "Dry run: nothing was written"}))),
        (dry(), None),
        (json!({}), Some(known)),
        (json!({}), Some(json!({"state": "failed", "error": "replayed"}))),
        // A text is no dry run, and a repetition that was done is done.
        (json!({"vals": {"payload": {"name": "\"dry_run\":true"}}}), Some(json!({"state": "failed"}))),
        (json!({"vals": {"payload": {"dry_run": true}}}), Some(json!({"state": "done", "repeat_of": Uuid::nil()}))),
    ] {
        call(&mut history, received, finished);
    }
    history.line(Event::Start, &Map::new());
    history.save();
    let archive = Archive::open(history.folder.path()).unwrap();
    let filter = Filter { model: Some("own.model".to_owned()), ..Filter::default() };
    let mut calls = archive.page(&filter, None, None).unwrap().calls;
    calls.reverse();
    use CallState::{Done, DryRun, Failed, Ignored};
    let states: Vec<CallState> = calls.iter().map(|call| call.state).collect();
    assert_eq!(states, [DryRun, DryRun, DryRun, DryRun, DryRun, Ignored, Ignored, Failed, Done]);
    let words: Vec<&str> = calls.iter().take(2).map(Call::how).collect();
    assert_eq!(words, ["would be done", "would fail"]);
}
