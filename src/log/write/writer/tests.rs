//! A disk that hangs: which lines wait for it, and which do not.

use std::{fs::File, io, sync::mpsc::channel, time::Duration};

use parking_lot::{Condvar, Mutex};
use serde_json::json;
use tempfile::TempDir;
use tokio::time;

use super::*;
use crate::log::format::fs::Append;

/// The real folder, whose syncs hang while the gate is closed.
#[derive(Clone)]
struct Gated {
    disk: Disk,
    gate: Arc<Gate>,
}

#[derive(Default)]
struct Gate {
    is_closed: Mutex<bool>,
    opened: Condvar,
    syncs: Mutex<usize>,
}

struct GatedFile {
    file: File,
    gate: Arc<Gate>,
}

impl Gate {
    fn close(&self) {
        *self.is_closed.lock() = true;
    }

    fn open(&self) {
        *self.is_closed.lock() = false;
        self.opened.notify_all();
    }

    fn pass(&self) {
        let mut is_closed = self.is_closed.lock();
        while *is_closed {
            self.opened.wait(&mut is_closed);
        }
        *self.syncs.lock() += 1;
    }
}

impl Gated {
    fn file(&self, file: io::Result<File>) -> io::Result<GatedFile> {
        Ok(GatedFile { file: file?, gate: self.gate.clone() })
    }
}

impl Fs for Gated {
    type File = GatedFile;

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        self.disk.list(folder)
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        Fs::read(&self.disk, name)
    }

    fn open(&self, name: &str) -> io::Result<GatedFile> {
        self.file(self.disk.open(name))
    }

    fn create(&self, name: &str) -> io::Result<GatedFile> {
        self.file(self.disk.create(name))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }

    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        self.disk.sync_folder(folder)
    }

    fn is_at(&self, name: &str, file: &GatedFile) -> io::Result<bool> {
        self.disk.is_at(name, &file.file)
    }
}

impl Append for GatedFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.append(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.gate.pass();
        self.file.sync()
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.file.cut(length)
    }
}

struct Fixture {
    writer: Writer,
    gate: Arc<Gate>,
    folder: TempDir,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (disk, gate) = (Disk::new(folder.path()), Arc::<Gate>::default());
        let lock = Arc::new(FolderLock::take(folder.path()).unwrap());
        let fs = Gated { disk: disk.clone(), gate: gate.clone() };
        let (journal, _) = Journal::open(fs, 1 << 20, Timestamp::now()).unwrap();
        let writer = Writer::start(disk, journal, lock, 0, channel().0, OpenCalls::default()).unwrap();
        Self { writer, gate, folder }
    }

    /// The numbers of the lines that the log has.
    fn found(&self) -> Vec<u64> {
        let names = std::fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let segment = names.into_iter().find(|path| path.extension().is_some_and(|end| end == "jsonl")).unwrap();
        let text = std::fs::read_to_string(segment).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        lines.filter_map(|line| line["n"].as_u64()).collect()
    }
}

fn line(number: u64) -> Body {
    Body::new(Event::RequestReceived, &json!({"n": number}))
}

const SHORTLY: Duration = Duration::from_millis(50);

#[tokio::test]
async fn a_disk_that_hangs_holds_up_what_is_waited_for_and_nothing_else() {
    let fixture = Fixture::new();
    fixture.gate.close();
    // The thread hangs in this one's sync.
    let mut announced = fixture.writer.submit(line(0), Purpose::Announce).await.unwrap();
    // The thread may not have taken that one yet.
    for number in 1..QUEUE as u64 {
        fixture.writer.hand_over(line(number), Purpose::Record).await.unwrap();
    }
    assert!(time::timeout(SHORTLY, announced.wait()).await.is_err());
    // The lines that wait for the disk are bounded in number.
    let beyond = async {
        for number in 0.. {
            fixture.writer.hand_over(line(QUEUE as u64 + number), Purpose::Record).await.unwrap();
        }
    };
    assert!(time::timeout(SHORTLY, beyond).await.is_err());
    assert!(fixture.writer.try_hand_over(line(0), Purpose::Record).unwrap().is_some());
    fixture.gate.open();
    announced.wait().await.unwrap();
    fixture.writer.close().await;
    let found = fixture.found();
    assert!(found.iter().is_sorted() && found.len() >= QUEUE, "{}", found.len());
}

#[tokio::test]
async fn lines_that_nobody_waits_for_share_syncs_and_are_all_there() {
    const LINES: u64 = 5_000;
    let fixture = Fixture::new();
    let before = *fixture.gate.syncs.lock();
    for number in 0..LINES {
        fixture.writer.hand_over(line(number), Purpose::Record).await.unwrap();
    }
    // One that is waited for brings those before it with it.
    fixture.writer.submit(line(LINES), Purpose::Record).await.unwrap().wait().await.unwrap();
    assert_eq!(fixture.found(), (0..=LINES).collect::<Vec<_>>());
    assert!(*fixture.gate.syncs.lock() - before < LINES as usize / 50);
    fixture.writer.close().await;
}
