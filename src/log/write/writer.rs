//! The thread that writes the log.
//!
//! Queued lines are written and synced together (group commit), so that many callers share one sync. While many calls are
//! open, syncs are at least a millisecond apart, so that a fast disk does not sync each line by itself. Every caller gets an
//! answer, whatever fails. Announcements are refused while the disk is nearly full, so that the ends of open calls still
//! have room.
//!
//! A line is acknowledged only while `LOCK` and the segment are the files that this process opened. That is checked with
//! each batch, and every second without one, so that the gateway does not report that it is ready while its lines are lost.

use std::{
    io,
    sync::{Arc, OnceLock, mpsc::Sender},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use super::{
    journal::{self, Journal},
    open_calls::OpenCalls,
};
use crate::log::{
    Error,
    format::{event::Event, fs::Disk, line::Body, lock::FolderLock, segment::Segment},
};

/// The capacity of the queue; further callers wait.
const QUEUE: usize = 1024;
/// A batch ends when it exceeds this many bytes.
const BATCH: usize = 1 << 20;
/// After this long without a line, a mark records that everything before it is durable.
const IDLE: Duration = Duration::from_millis(200);
/// Without lines, the folder is checked this often.
const CHECK: Duration = Duration::from_secs(1);
/// While this many calls are open, more lines are about to come, and syncs begin this far apart. A slow disk takes as long
/// anyway; with a fast one, the wait costs less than the syncs that it saves.
const CROWD: usize = 8;
const PACE: Duration = Duration::from_millis(1);
/// With so many, they begin twice as far apart: each call waits for processors longer than for that.
const THRONG: usize = 32;
/// The free space is cached for this long, far less than it takes to fill `min_free`.
const FREE_FOR: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(in crate::log) struct Writer {
    lines: Mutex<Option<mpsc::Sender<Pending>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    state: Arc<State>,
}

/// The state that callers read without waiting for the thread.
#[derive(Debug)]
struct State {
    disk: Disk,
    min_free: u64,
    failure: OnceLock<Error>,
    /// The free bytes of the disk, and when they were read.
    free: Mutex<Option<(Instant, u64)>>,
}

/// The purpose of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::log) enum Purpose {
    /// It announces work, which can be refused.
    Announce,
    /// It records what has happened.
    Record,
}

struct Pending {
    body: Body,
    purpose: Purpose,
    written: oneshot::Sender<Result<u64, Error>>,
}

/// The pending acknowledgement of a queued line.
#[derive(Debug)]
pub(in crate::log) struct Acknowledgement(oneshot::Receiver<Result<u64, Error>>);

impl Acknowledgement {
    /// Waits until the line is durable; returns its number. The answer can be taken once.
    pub(in crate::log) async fn wait(&mut self) -> Result<u64, Error> {
        (&mut self.0).await.map_err(|_| Error::Closed)?
    }
}

impl Writer {
    /// Starts the thread, which owns the journal and holds the lock. `begun` receives every segment that is begun.
    pub(in crate::log) fn start(
        disk: Disk,
        journal: Journal<Disk>,
        lock: Arc<FolderLock>,
        min_free: u64,
        begun: Sender<Segment>,
        open: OpenCalls,
    ) -> io::Result<Self> {
        let (lines, waiting) = mpsc::channel(QUEUE);
        let state = Arc::new(State { disk, min_free, failure: OnceLock::new(), free: Mutex::default() });
        let shared = state.clone();
        let timer = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let thread = thread::Builder::new().name("log".to_owned()).spawn(move || {
            Thread { journal, lock, begun, open, state: shared, is_marked: false, synced: Instant::now() }
                .run(&timer, waiting);
        })?;
        Ok(Self { lines: Mutex::new(Some(lines)), thread: Mutex::new(Some(thread)), state })
    }

    /// Whether work may begin: nothing has failed, and there is room for this many bytes beyond the minimum.
    pub(in crate::log) fn check_room(&self, bytes: u64) -> Result<(), Error> {
        self.state.check(bytes)
    }

    /// The number of queued lines, and the free bytes of the disk where the file system reports them.
    pub(in crate::log) fn load(&self) -> (usize, Option<u64>) {
        let waiting = self.lines.lock().as_ref().map_or(0, |lines| lines.max_capacity() - lines.capacity());
        (waiting, self.state.free())
    }

    /// Queues a line. Lines are written in the order in which they are queued.
    pub(in crate::log) async fn submit(&self, body: Body, purpose: Purpose) -> Result<Acknowledgement, Error> {
        let lines = self.lines.lock().clone().ok_or(Error::Closed)?;
        let (written, done) = oneshot::channel();
        lines.send(Pending { body, purpose, written }).await.map_err(|_| Error::Closed)?;
        Ok(Acknowledgement(done))
    }

    /// Queues a line and waits, on a thread that may block.
    pub(in crate::log) fn submit_blocking(&self, body: Body, purpose: Purpose) -> Result<u64, Error> {
        let lines = self.lines.lock().clone().ok_or(Error::Closed)?;
        let (written, done) = oneshot::channel();
        lines.blocking_send(Pending { body, purpose, written }).map_err(|_| Error::Closed)?;
        done.blocking_recv().map_err(|_| Error::Closed)?
    }

    /// Returns when every queued line is durable and the lock is released.
    pub(in crate::log) async fn close(&self) {
        drop(self.lines.lock().take());
        let thread = self.thread.lock().take();
        if let Some(thread) = thread {
            let _ = tokio::task::spawn_blocking(|| thread.join()).await;
        }
    }
}

impl State {
    fn check(&self, bytes: u64) -> Result<(), Error> {
        if let Some(failure) = self.failure.get() {
            return Err(failure.clone());
        }
        match self.free() {
            Some(free) if free < self.min_free.saturating_add(bytes) => {
                Err(Error::Full { free, min_free: self.min_free, needed: bytes })
            }
            // A disk that does not report its free space is written until it fails.
            Some(_) | None => Ok(()),
        }
    }

    /// Remembers the failure where nothing can be written any more; the error for the callers.
    fn failed(&self, error: journal::Error) -> Error {
        match error {
            journal::Error::Poisoned(failed) => {
                tracing::error!(stage = failed.stage.as_str(), error = %failed.source, "the log cannot be written any more");
                let failure = Error::Poisoned { stage: failed.stage, source: Arc::new(failed.source) };
                self.failure.get_or_init(|| failure).clone()
            }
            journal::Error::Refused(failed) => {
                tracing::error!(stage = failed.stage.as_str(), error = %failed.source, "lines could not be written to the log");
                Error::Refused { stage: failed.stage, source: Arc::new(failed.source) }
            }
            journal::Error::Damaged { .. } | journal::Error::Newer { .. } => Error::Closed,
        }
    }

    /// The free bytes of the disk, where it reports them; cached, since every call asks.
    fn free(&self) -> Option<u64> {
        let mut known = self.free.lock();
        if let Some((_, free)) = known.filter(|(when, _)| when.elapsed() < FREE_FOR) {
            return Some(free);
        }
        let free = self.disk.free().ok()?;
        *known = Some((Instant::now(), free));
        Some(free)
    }
}

struct Thread {
    journal: Journal<Disk>,
    /// Held until the thread ends.
    lock: Arc<FolderLock>,
    begun: Sender<Segment>,
    open: OpenCalls,
    state: Arc<State>,
    /// The last line is a mark.
    is_marked: bool,
    /// When the last sync was begun.
    synced: Instant,
}

impl Thread {
    fn run(mut self, timer: &tokio::runtime::Runtime, mut waiting: mpsc::Receiver<Pending>) {
        loop {
            let patience = if self.is_marked { CHECK } else { IDLE };
            let first = match waiting.try_recv() {
                Ok(first) => Some(first),
                Err(_) => match timer.block_on(async { tokio::time::timeout(patience, waiting.recv()).await }) {
                    Ok(first) => first,
                    Err(_) if self.is_marked => {
                        // The failure is remembered and returned to every later caller.
                        let _ = self.check();
                        continue;
                    }
                    Err(_) => {
                        self.mark();
                        continue;
                    }
                },
            };
            let Some(first) = first else { break };
            self.gather();
            let mut size = first.body.len();
            let mut batch = vec![first];
            while size < BATCH
                && let Ok(next) = waiting.try_recv()
            {
                size += next.body.len();
                batch.push(next);
            }
            self.write(batch);
        }
        if !self.is_marked {
            self.mark();
        }
    }

    /// Waits for more lines while many calls are open.
    #[expect(clippy::disallowed_methods, reason = "it is this thread that is to wait")]
    fn gather(&mut self) {
        let pace = match self.open.len() {
            ..CROWD => Duration::ZERO,
            ..THRONG => PACE,
            _ => 2 * PACE,
        };
        let left = pace.saturating_sub(self.synced.elapsed());
        if !left.is_zero() {
            thread::sleep(left);
        }
        self.synced = Instant::now();
    }

    fn write(&mut self, batch: Vec<Pending>) {
        let refusal = self.state.check(0).err();
        let (refused, batch): (Vec<_>, Vec<_>) =
            batch.into_iter().partition(|line| refusal.is_some() && line.purpose == Purpose::Announce);
        for line in refused {
            let _ = line.written.send(Err(refusal.clone().unwrap_or(Error::Closed)));
        }
        if batch.is_empty() {
            return;
        }
        let bodies: Vec<&Body> = batch.iter().map(|line| &line.body).collect();
        let outcome = self.append(&bodies);
        for (number, line) in (0..).zip(batch) {
            // A caller that is gone needs no answer.
            let _ = line.written.send(outcome.clone().map(|first| first + number));
        }
    }

    /// Records that everything before is durable, which distinguishes later damage from a torn write.
    fn mark(&mut self) {
        let now = Timestamp::now();
        // A failure is remembered, or happens to the next line as well.
        let _ = self.append(&[&Body::new(Event::Mark, &serde_json::json!({"ts": now}))]);
        self.is_marked = true;
    }

    fn append(&mut self, bodies: &[&Body]) -> Result<u64, Error> {
        self.is_marked = false;
        // The journal looks after its segment itself.
        self.check_failure()?;
        self.check_lock()?;
        let before = self.journal.active();
        let outcome = self.journal.append(bodies, Timestamp::now()).map_err(|error| self.state.failed(error));
        if self.journal.active() != before {
            // The receiver may have ended before the writer.
            let _ = self.begun.send(self.journal.active());
        }
        let first = outcome?;
        self.check_lock()?;
        Ok(first)
    }

    /// Fails where the log has failed before, or has been moved; the latter is a failure from then on.
    fn check(&mut self) -> Result<(), Error> {
        self.check_failure()?;
        self.check_lock()?;
        self.journal.check().map_err(|error| self.state.failed(error))
    }

    fn check_failure(&self) -> Result<(), Error> {
        self.state.failure.get().map_or(Ok(()), |failure| Err(failure.clone()))
    }

    /// Another gateway may hold the lock of a file that replaced this one.
    fn check_lock(&self) -> Result<(), Error> {
        self.lock.check().map_err(|failed| self.state.failed(journal::Error::Poisoned(failed)))
    }
}
