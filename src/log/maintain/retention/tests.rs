//! The keeper, one pass after the other: it makes the log smaller, loses no call in doubt, and comes to rest.

use std::{path::Path, sync::mpsc};

use uuid::Uuid;

use super::*;
use crate::{
    config::Config,
    log::{format::event::Event, read::call::CallState, write::open::open_journal},
};

/// A log without the thread that keeps it, so that each pass can be looked at.
struct Kept {
    keeper: Keeper,
    begun: Receiver<Segment>,
    active: Segment,
    _folder: tempfile::TempDir,
}

impl Kept {
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
        let (doubts, is_closing) = Default::default();
        let keeper = Keeper { disk, config, writer, blobs, open, doubts, is_closing, lock };
        Self { keeper, begun, active, _folder: folder }
    }

    fn tell(&self, event: Event, content: &Value) {
        self.keeper.writer.submit_blocking(Body::new(event, content), Purpose::Tell).unwrap();
    }

    /// A call of about this size that no compression makes smaller; without an end, or refused.
    fn call(&self, event: Event, size: usize) {
        let fill: String = std::iter::repeat_with(fastrand::alphanumeric).take(size).collect();
        let id = Uuid::now_v7();
        let line = json!({
            "ts": Timestamp::now(), "id": id, "route": "create_data", "address": "127.0.0.1", "size": size,
            "model": "res.partner", "vals": {"payload": {"name": fill}}, "state": "failed",
        });
        self.tell(event, &line);
    }

    fn start(&self) {
        self.tell(Event::Start, &json!({"ts": Timestamp::now(), "gateway": "test", "pid": 1}));
    }

    fn tend(&mut self) {
        self.active = self.begun.try_iter().last().unwrap_or(self.active);
        self.keeper.tend(self.active).unwrap();
    }

    fn archive(&self) -> Archive {
        Archive::open(&self.keeper.config.directory).unwrap()
    }

    fn in_doubt(&self) -> usize {
        self.archive().calls(&Filter { in_doubt: true, ..Filter::default() }, None).unwrap().len()
    }

    /// The number of the last line that is no mark.
    fn last(&self) -> u64 {
        let disk = Disk::new(Path::new(&self.keeper.config.directory));
        let segments = self.archive().segments().unwrap();
        let bytes =
            segments.iter().map(|(segment, _)| crate::log::format::segment::read_segment(&disk, *segment).unwrap());
        let bytes = bytes.collect::<Vec<_>>();
        let lines = bytes.iter().flat_map(|bytes| crate::log::format::recovery::later_lines(bytes));
        lines.filter(|(_, line)| line.event() != Some(Event::Mark)).map(|(_, line)| line.seq).max().unwrap()
    }
}

#[test]
fn the_keeper_comes_to_rest_where_hardly_anything_but_calls_in_doubt_is_left() {
    let mut kept = Kept::new();
    for number in 0..500 {
        kept.call(Event::CallReceived, 2_500);
        if number % 10 == 0 {
            kept.call(Event::CallRefused, 500);
        }
    }
    kept.start();
    let written = kept.last();
    let passes = (0..20).find(|_| {
        let before = kept.last();
        kept.tend();
        kept.last() == before
    });
    assert!(passes.is_some(), "line {} after 20 passes, {written} before", kept.last());
    for _ in 0..3 {
        let before = kept.last();
        kept.tend();
        assert_eq!(kept.last(), before);
    }
    println!("{written} lines, {} when the keeper had come to rest", kept.last());
    assert!(kept.last() < 3 * written, "{} lines, {written} before", kept.last());
    assert_eq!(kept.in_doubt(), 500);
}

#[test]
fn calls_in_doubt_at_the_beginning_do_not_keep_what_is_behind_them() {
    let mut kept = Kept::new();
    (0..150).for_each(|_| kept.call(Event::CallReceived, 2_500));
    kept.start();
    for _ in 0..30 {
        (0..100).for_each(|_| kept.call(Event::CallRefused, 1_200));
        kept.tend();
        let total = kept.keeper.size_of_all().unwrap();
        assert!(total < 3 << 19, "{total} bytes");
    }
    assert_eq!(kept.in_doubt(), 150);
    // Each byte of them was written anew for two others at most.
    assert!(kept.last() < 2 * (150 + 3_000), "{} lines", kept.last());
}

#[test]
fn pages_give_each_call_in_doubt_once_while_it_is_carried_forward() {
    let mut kept = Kept::new();
    (0..40).for_each(|_| kept.call(Event::CallReceived, 500));
    (0..100).for_each(|_| kept.call(Event::CallRefused, 2_500));
    kept.start();
    let filter = Filter { in_doubt: true, ..Filter::default() };
    let before: Vec<Uuid> = kept.archive().calls(&filter, None).unwrap().iter().map(|call| call.id).collect();
    let first = kept.archive().page(&filter, Some(10), None).unwrap();
    // All calls in doubt are written again, behind the first page.
    (0..600).for_each(|_| kept.call(Event::CallRefused, 2_500));
    kept.tend();
    assert_eq!(kept.in_doubt(), 40);
    assert!(kept.archive().segments().unwrap()[0].0 > Segment(1), "the first segment has not been dropped");
    let (mut paged, mut next) = (first.calls, first.next);
    while let Some(cursor) = next {
        let page = kept.archive().page(&filter, Some(7), Some(cursor)).unwrap();
        paged.extend(page.calls);
        next = page.next;
    }
    assert_eq!(paged.iter().map(|call| call.id).collect::<Vec<_>>(), before);
}

#[test]
fn pages_give_a_call_once_whose_first_line_is_dropped_meanwhile() {
    let mut kept = Kept::new();
    let line = |id: Uuid| json!({"ts": Timestamp::now(), "id": id, "route": "create_data", "address": "127.0.0.1"});
    let ids: Vec<Uuid> = (0..5).map(|_| Uuid::now_v7()).collect();
    let tell = |kept: &Kept, event, content: &Value| {
        kept.keeper.writer.submit_blocking(Body::new(event, content), Purpose::Tell).unwrap()
    };
    let received: Vec<u64> = ids.iter().map(|id| tell(&kept, Event::CallReceived, &line(*id))).collect();
    (0..150).for_each(|_| kept.call(Event::CallRefused, 2_500));
    for (id, received) in ids.iter().zip(received) {
        let mut end = line(*id);
        (end["state"], end["received"]) = (json!("done"), json!(received));
        tell(&kept, Event::CallFinished, &end);
    }
    kept.start();
    // Of these, two before the first line of one is dropped, and the rest behind it.
    let filter = Filter { state: Some(CallState::Done), ..Filter::default() };
    let first = kept.archive().page(&filter, Some(2), None).unwrap();
    assert_eq!(first.calls.iter().map(|call| call.id).collect::<Vec<_>>(), [ids[4], ids[3]]);
    while kept.archive().segments().unwrap()[0].0 == Segment(1) {
        (0..20).for_each(|_| kept.call(Event::CallRefused, 2_500));
        kept.tend();
    }
    let headless = kept.archive().calls(&filter, None).unwrap();
    assert_eq!(headless.len(), 5, "{headless:?}");
    let (mut paged, mut next) = (Vec::new(), first.next);
    while let Some(cursor) = next {
        let page = kept.archive().page(&filter, Some(2), Some(cursor)).unwrap();
        paged.extend(page.calls.iter().map(|call| call.id));
        next = page.next;
    }
    assert_eq!(paged, [ids[2], ids[1], ids[0]]);
}
