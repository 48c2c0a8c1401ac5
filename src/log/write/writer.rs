//! The thread that writes the log.
//!
//! Queued lines are written and synced together (group commit), so that many callers share one sync. While many calls are
//! open, syncs are at least a millisecond apart, so that a fast disk does not sync each line by itself. Every caller that
//! waits gets an answer, whatever fails. Announcements are refused while the disk is nearly full, so that the ends of open
//! calls still have room.
//!
//! A line that nobody waits for ([`Writer::hand_over`]) wakes no disk by itself: it is written with the next line that is
//! waited for, or after [`LINGER`], together with all others of that time.
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
use tokio::sync::{
    mpsc::{
        self,
        error::{TryRecvError, TrySendError},
    },
    oneshot,
};

use super::{
    bell::{Bell, Urgency},
    journal::{self, Journal},
    open_calls::OpenCalls,
};
use crate::log::{
    Error,
    format::{
        event::Event,
        fs::{Disk, Fs},
        line::Body,
        lock::FolderLock,
        segment::Segment,
    },
};

#[cfg(test)]
mod tests;

/// The capacity of the queue; further callers wait.
const QUEUE: usize = 1024;
/// With so many lines in the queue, none lingers: the queue must not fill up while the thread waits for more.
const MANY: usize = QUEUE / 2;
/// How long a line that nobody waits for may be kept for others, so that they share one sync.
const LINGER: Duration = Duration::from_millis(10);
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
    bell: Arc<Bell>,
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
    /// Where somebody waits for it.
    written: Option<oneshot::Sender<Result<u64, Error>>>,
}

impl Pending {
    /// How soon it is to be written.
    fn urgency(&self) -> Urgency {
        if self.written.is_some() { Urgency::Now } else { Urgency::Soon }
    }

    fn acknowledge(self, outcome: Result<u64, Error>) {
        if let Some(written) = self.written {
            // A caller that is gone needs no answer.
            let _ = written.send(outcome);
        }
    }
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
    pub(in crate::log) fn start<F>(
        disk: Disk,
        journal: Journal<F>,
        lock: Arc<FolderLock>,
        min_free: u64,
        begun: Sender<Segment>,
        open: OpenCalls,
    ) -> io::Result<Self>
    where
        F: Fs<File: Send> + Send + 'static,
    {
        let (lines, waiting) = mpsc::channel(QUEUE);
        let state = Arc::new(State { disk, min_free, failure: OnceLock::new(), free: Mutex::default() });
        let (shared, bell) = (state.clone(), Arc::<Bell>::default());
        let heard = bell.clone();
        let thread = thread::Builder::new().name("log".to_owned()).spawn(move || {
            heard.answer();
            Thread { journal, lock, begun, open, bell: heard, state: shared, is_marked: false, synced: Instant::now() }
                .run(waiting);
        })?;
        Ok(Self { lines: Mutex::new(Some(lines)), thread: Mutex::new(Some(thread)), bell, state })
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
        let (written, done) = oneshot::channel();
        self.queue(Pending { body, purpose, written: Some(written) }).await?;
        Ok(Acknowledgement(done))
    }

    /// Queues a line that nobody waits for. Where it cannot be written, the process log says so.
    pub(in crate::log) async fn hand_over(&self, body: Body, purpose: Purpose) -> Result<(), Error> {
        self.queue(Pending { body, purpose, written: None }).await
    }

    /// The same at once; gives the line back where the queue is full.
    pub(in crate::log) fn try_hand_over(&self, body: Body, purpose: Purpose) -> Result<Option<Body>, Error> {
        let unqueued = self.try_queue(Pending { body, purpose, written: None })?;
        Ok(unqueued.map(|line| line.body))
    }

    /// Queues a line and waits, on a thread that may block.
    pub(in crate::log) fn submit_blocking(&self, body: Body, purpose: Purpose) -> Result<u64, Error> {
        let (written, done) = oneshot::channel();
        if let Some(line) = self.try_queue(Pending { body, purpose, written: Some(written) })? {
            let lines = self.lines.lock().clone().ok_or(Error::Closed)?;
            lines.blocking_send(line).map_err(|_| Error::Closed)?;
            self.bell.ring(Urgency::Now);
        }
        done.blocking_recv().map_err(|_| Error::Closed)?
    }

    async fn queue(&self, line: Pending) -> Result<(), Error> {
        if let Some(line) = self.try_queue(line)? {
            let lines = self.lines.lock().clone().ok_or(Error::Closed)?;
            lines.send(line).await.map_err(|_| Error::Closed)?;
            self.bell.ring(Urgency::Now);
        }
        Ok(())
    }

    /// Queues a line, and gives it back where the queue is full.
    fn try_queue(&self, line: Pending) -> Result<Option<Pending>, Error> {
        let lines = self.lines.lock();
        let lines = lines.as_ref().ok_or(Error::Closed)?;
        let urgency = if lines.capacity() <= QUEUE - MANY { Urgency::Now } else { line.urgency() };
        match lines.try_send(line) {
            Ok(()) => {
                self.bell.ring(urgency);
                Ok(None)
            }
            Err(TrySendError::Full(line)) => Ok(Some(line)),
            Err(TrySendError::Closed(_)) => Err(Error::Closed),
        }
    }

    /// Returns when every queued line is durable and the lock is released.
    pub(in crate::log) async fn close(&self) {
        drop(self.lines.lock().take());
        self.bell.ring(Urgency::Now);
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

/// Lines that are written together.
struct Batch {
    lines: Vec<Pending>,
    size: usize,
    /// That of the most urgent of them.
    urgency: Urgency,
}

impl Batch {
    fn has_room(&self) -> bool {
        self.size < BATCH
    }

    /// Takes what has come.
    fn fill(&mut self, waiting: &mut mpsc::Receiver<Pending>) {
        while self.has_room()
            && let Ok(next) = waiting.try_recv()
        {
            self.size += next.body.len();
            self.urgency = self.urgency.max(next.urgency());
            self.lines.push(next);
        }
    }
}

struct Thread<F: Fs> {
    journal: Journal<F>,
    /// Held until the thread ends.
    lock: Arc<FolderLock>,
    begun: Sender<Segment>,
    open: OpenCalls,
    bell: Arc<Bell>,
    state: Arc<State>,
    /// The last line is a mark.
    is_marked: bool,
    /// When the last sync was begun.
    synced: Instant,
}

impl<F: Fs> Thread<F> {
    fn run(mut self, mut waiting: mpsc::Receiver<Pending>) {
        loop {
            match waiting.try_recv() {
                Ok(first) => {
                    let batch = self.gather(first, &mut waiting);
                    self.write(batch);
                }
                Err(TryRecvError::Disconnected) => break,
                Err(TryRecvError::Empty) => self.wait(),
            }
        }
        if !self.is_marked {
            self.mark();
        }
    }

    /// Waits for a line. Without one, what is regular is done.
    fn wait(&mut self) {
        let patience = if self.is_marked { CHECK } else { IDLE };
        if self.bell.wait(Urgency::Soon, Instant::now() + patience) {
            return;
        }
        match self.is_marked {
            // The failure is remembered and returned to every later caller.
            true => drop(self.check()),
            false => self.mark(),
        }
    }

    /// The lines that are written together with this one: those that have come, and where nobody waits for any of them or many
    /// calls are open, those that are about to.
    #[expect(clippy::disallowed_methods, reason = "it is this thread that is to wait")]
    fn gather(&mut self, first: Pending, waiting: &mut mpsc::Receiver<Pending>) -> Vec<Pending> {
        let until = Instant::now() + LINGER;
        let mut batch = Batch { size: first.body.len(), urgency: first.urgency(), lines: vec![first] };
        batch.fill(waiting);
        while batch.urgency == Urgency::Soon && batch.has_room() && self.bell.wait(Urgency::Now, until) {
            batch.fill(waiting);
            if batch.lines.len() >= MANY {
                break;
            }
        }
        if batch.urgency == Urgency::Now {
            let pace = match self.open.len() {
                THRONG.. => 2 * PACE,
                CROWD..THRONG => PACE,
                _ => Duration::ZERO,
            };
            thread::sleep(pace.saturating_sub(self.synced.elapsed()));
        }
        batch.fill(waiting);
        self.synced = Instant::now();
        batch.lines
    }

    fn write(&mut self, batch: Vec<Pending>) {
        let refusal = self.state.check(0).err();
        let (refused, batch): (Vec<_>, Vec<_>) =
            batch.into_iter().partition(|line| refusal.is_some() && line.purpose == Purpose::Announce);
        for line in refused {
            line.acknowledge(Err(refusal.clone().unwrap_or(Error::Closed)));
        }
        if batch.is_empty() {
            return;
        }
        let bodies: Vec<&Body> = batch.iter().map(|line| &line.body).collect();
        let outcome = self.append(&bodies);
        for (number, line) in (0..).zip(batch) {
            line.acknowledge(outcome.clone().map(|first| first + number));
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
