//! Retention, pass by pass: it makes the log smaller, loses no call in doubt, and comes to rest.

use std::{path::Path, sync::mpsc};

use uuid::Uuid;

use super::*;
use crate::{
    config::Config,
    log::{format::event::Event, read::call::CallState, write::open::open_journal},
};

/// A log without the retention thread, so that each pass can be checked.
struct Fixture {
    retention: Retention,
    begun: Receiver<Segment>,
    active: Segment,
    _folder: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gateway.toml");
        let more = "[log]\nmax_total = \"1 MiB\"\nsegment_size = \"256 KiB\"\nmin_free = \"1 B\"";
        std::fs::write(&file, format!("[upstream]\nurl = \"http://127.0.0.1:9\"\ndatabase = \"none\"\n{more}"))
            .unwrap();
        let config = Config::load(&file).unwrap().log;
        let lock = Arc::new(FolderLock::take(&config.directory).unwrap());
        let journal = open_journal(&config).unwrap();
        let active = journal.active();
        let disk = Disk::new(&config.directory);
        let (send, begun) = mpsc::channel();
        let open = OpenCalls::default();
        let writer = Writer::start(disk.clone(), journal, lock.clone(), 1, send, open.clone()).unwrap();
        let (writer, blobs) = (Arc::new(writer), Arc::new(Blobs::new(disk.clone())));
        let (settlement_lock, is_closing) = Default::default();
        let retention = Retention { disk, config, writer, blobs, open, settlement_lock, is_closing, lock };
        Self { retention, begun, active, _folder: folder }
    }

    fn append(&self, event: Event, content: &Value) {
        self.retention.writer.submit_blocking(Body::new(event, content), Purpose::Record).unwrap();
    }

    /// A call of about this size that does not compress; without an end, or refused.
    fn call(&self, event: Event, size: usize) {
        let fill: String = std::iter::repeat_with(fastrand::alphanumeric).take(size).collect();
        let id = Uuid::now_v7();
        let line = json!({
            "ts": Timestamp::now(), "id": id, "route": "create_data", "address": "127.0.0.1", "size": size,
            "model": "res.partner", "vals": {"payload": {"name": fill}}, "state": "failed",
        });
        self.append(event, &line);
    }

    fn start(&self) {
        self.append(Event::Start, &json!({"ts": Timestamp::now(), "gateway": "test", "pid": 1}));
    }

    fn run_pass(&mut self) {
        self.active = self.begun.try_iter().last().unwrap_or(self.active);
        self.retention.run_pass(self.active).unwrap();
    }

    fn archive(&self) -> Archive {
        Archive::open(&self.retention.config.directory).unwrap()
    }

    fn in_doubt(&self) -> usize {
        self.archive().page(&Filter { in_doubt: true, ..Filter::default() }, None, None).unwrap().calls.len()
    }

    /// The number of the last line that is not a mark.
    fn last(&self) -> u64 {
        let disk = Disk::new(Path::new(&self.retention.config.directory));
        let segments = self.archive().segments().unwrap();
        let bytes =
            segments.iter().map(|(segment, _)| crate::log::format::segment::read_segment(&disk, *segment).unwrap());
        let bytes = bytes.collect::<Vec<_>>();
        let lines = bytes.iter().flat_map(|bytes| crate::log::format::recovery::later_lines(bytes));
        lines.filter(|(_, line)| line.event() != Some(Event::Mark)).map(|(_, line)| line.seq).max().unwrap()
    }
}

#[test]
fn retention_comes_to_rest_where_hardly_anything_but_calls_in_doubt_is_left() {
    let mut fixture = Fixture::new();
    for number in 0..500 {
        fixture.call(Event::CallReceived, 2_500);
        if number % 10 == 0 {
            fixture.call(Event::CallRefused, 500);
        }
    }
    fixture.start();
    let written = fixture.last();
    let passes = (0..20).find(|_| {
        let before = fixture.last();
        fixture.run_pass();
        fixture.last() == before
    });
    assert!(passes.is_some(), "line {} after 20 passes, {written} before", fixture.last());
    for _ in 0..3 {
        let before = fixture.last();
        fixture.run_pass();
        assert_eq!(fixture.last(), before);
    }
    println!("{written} lines, {} when the retention had come to rest", fixture.last());
    assert!(fixture.last() < 3 * written, "{} lines, {written} before", fixture.last());
    assert_eq!(fixture.in_doubt(), 500);
}

#[test]
fn calls_in_doubt_at_the_beginning_do_not_keep_what_is_behind_them() {
    let mut fixture = Fixture::new();
    (0..150).for_each(|_| fixture.call(Event::CallReceived, 2_500));
    fixture.start();
    for _ in 0..30 {
        (0..100).for_each(|_| fixture.call(Event::CallRefused, 1_200));
        fixture.run_pass();
        let total = size_of_all(&fixture.retention.disk).unwrap();
        assert!(total < 3 << 19, "{total} bytes");
    }
    assert_eq!(fixture.in_doubt(), 150);
    // Each byte of them was carried for two others at most.
    assert!(fixture.last() < 2 * (150 + 3_000), "{} lines", fixture.last());
}

#[test]
fn pages_give_each_call_in_doubt_once_while_it_is_carried_forward() {
    let mut fixture = Fixture::new();
    (0..40).for_each(|_| fixture.call(Event::CallReceived, 500));
    (0..100).for_each(|_| fixture.call(Event::CallRefused, 2_500));
    fixture.start();
    let filter = Filter { in_doubt: true, ..Filter::default() };
    let before: Vec<Uuid> =
        fixture.archive().page(&filter, None, None).unwrap().calls.iter().map(|call| call.id).collect();
    let first = fixture.archive().page(&filter, Some(10), None).unwrap();
    // All calls in doubt are carried forward, behind the first page.
    (0..600).for_each(|_| fixture.call(Event::CallRefused, 2_500));
    fixture.run_pass();
    assert_eq!(fixture.in_doubt(), 40);
    assert!(fixture.archive().segments().unwrap()[0].0 > Segment(1), "the first segment has not been dropped");
    let (mut paged, mut next) = (first.calls, first.next);
    while let Some(cursor) = next {
        let page = fixture.archive().page(&filter, Some(7), Some(cursor)).unwrap();
        paged.extend(page.calls);
        next = page.next;
    }
    assert_eq!(paged.iter().map(|call| call.id).collect::<Vec<_>>(), before);
}

#[test]
fn pages_give_a_call_once_whose_first_line_is_dropped_meanwhile() {
    let mut fixture = Fixture::new();
    let line = |id: Uuid| json!({"ts": Timestamp::now(), "id": id, "route": "create_data", "address": "127.0.0.1"});
    let ids: Vec<Uuid> = (0..5).map(|_| Uuid::now_v7()).collect();
    let append = |fixture: &Fixture, event, content: &Value| {
        fixture.retention.writer.submit_blocking(Body::new(event, content), Purpose::Record).unwrap()
    };
    let received: Vec<u64> = ids.iter().map(|id| append(&fixture, Event::CallReceived, &line(*id))).collect();
    (0..150).for_each(|_| fixture.call(Event::CallRefused, 2_500));
    for (id, received) in ids.iter().zip(received) {
        let mut end = line(*id);
        (end["state"], end["received"]) = (json!("done"), json!(received));
        append(&fixture, Event::CallFinished, &end);
    }
    fixture.start();
    // Of these, two before the first line of one is dropped, and the rest behind it.
    let filter = Filter { state: Some(CallState::Done), ..Filter::default() };
    let first = fixture.archive().page(&filter, Some(2), None).unwrap();
    assert_eq!(first.calls.iter().map(|call| call.id).collect::<Vec<_>>(), [ids[4], ids[3]]);
    while fixture.archive().segments().unwrap()[0].0 == Segment(1) {
        (0..20).for_each(|_| fixture.call(Event::CallRefused, 2_500));
        fixture.run_pass();
    }
    let headless = fixture.archive().page(&filter, None, None).unwrap().calls;
    assert_eq!(headless.len(), 5, "{headless:?}");
    let (mut paged, mut next) = (Vec::new(), first.next);
    while let Some(cursor) = next {
        let page = fixture.archive().page(&filter, Some(2), Some(cursor)).unwrap();
        paged.extend(page.calls.iter().map(|call| call.id));
        next = page.next;
    }
    assert_eq!(paged, [ids[2], ids[1], ids[0]]);
}
