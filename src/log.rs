//! The interface log: what every external system asked, what Odoo was told, and what came of it.
//!
//! A call is on disk ([`Log::receive`]) before anything of it reaches Odoo, and its end ([`Entry::finish`]) before its
//! caller gets the answer. One that was received and has no end is in doubt. docs/log-format.md describes the files.
//!
//! Invariants: lines are only appended; a line is acknowledged after it is durable; no credential reaches a line; one
//! process writes a log at a time; a log that could not be synced once takes no further call.

mod archive;
mod blob;
mod call;
mod filter;
mod fs;
mod index;
mod journal;
mod keep;
mod line;
mod record;
mod recovery;
mod redact;
mod repair;
mod segment;
mod verify;
mod writer;

use std::{
    borrow::Cow,
    fs::{File, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, mpsc},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use bytesize::ByteSize;
use jiff::Timestamp;
use serde_json::{Value, json};

pub use self::{
    archive::{Archive, Position},
    call::{Attempt, Call, Standing},
    filter::Filter,
    record::{Arrived, Caller, Failure, Finished, OdooCall, Passed, Received, State, Who, milliseconds},
    repair::{Repaired, repair},
    verify::{Finding, Grade, Verified, verify},
};
use self::{
    blob::{Blob, Blobs},
    fs::{Disk, Failed},
    journal::{Journal, TornTail},
    keep::Keeper,
    line::Body,
    record::{FinishedLine, PassedEndLine, PassedLine, PlannedLine, ReceivedLine},
    redact::{Redaction, Secrets},
    writer::{Purpose, Writer},
};
use crate::config::{self, Kept};

/// Values larger than this go to a blob as a whole, so that a line stays one that tools can handle.
const MEMBER: usize = 64 << 10;
/// Somebody who looks whether a gateway runs may hold the lock for a moment.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);
const LOCK: &str = "LOCK";
/// A model's name is kept up to so many characters.
const MODEL: usize = 256;

/// Why the log cannot be used, or cannot take a line.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    #[error("cannot use the log directory `{}`: {source}", path.display())]
    Directory { path: PathBuf, source: Arc<io::Error> },
    #[error("the log `{}` is in use by another gateway", .0.display())]
    InUse(PathBuf),
    #[error(
        "the log is damaged: `{}` is not as it was written from byte {offset} on, where line {seq} should be; `odoo-gateway log verify` shows all damage, `odoo-gateway log repair` puts the file aside and keeps its whole lines",
        file.display()
    )]
    Damaged { file: PathBuf, offset: usize, seq: u64 },
    #[error("`{}` has the format {format}, of a later version of the gateway; this one writes {}", file.display(), segment::FORMAT)]
    Newer { file: PathBuf, format: u32 },
    #[error("the log cannot be written ({stage}: {source}); no call is taken until the gateway is restarted")]
    Poisoned { stage: &'static str, source: Arc<io::Error> },
    #[error("the log could not take this line ({stage}: {source})")]
    Refused { stage: &'static str, source: Arc<io::Error> },
    #[error(
        "the disk of the log has {} left, less than the {} of [log] min_free; no call is taken until there is room",
        ByteSize(*free), ByteSize(*min_free)
    )]
    Full { free: u64, min_free: u64 },
    #[error("the log has been closed")]
    Closed,
}

/// The log of this gateway. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Log {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    writer: Arc<Writer>,
    blobs: Arc<Blobs>,
    keeper: Mutex<Option<JoinHandle<()>>>,
    redaction: Redaction,
    config: config::Log,
}

impl Log {
    /// Opens the log for appending, and makes the folder where there is none. What a crash tore is put aside and told.
    pub fn open(config: &config::Log) -> Result<Self, Error> {
        let folder = &config.directory;
        let failed = |source| directory_error(folder, source);
        let disk = Disk::new(folder);
        let lock = take_lock(folder)?;
        let mut journal = open_journal(config)?;
        let now = Timestamp::now();
        let start = json!({"ts": now, "gateway": env!("CARGO_PKG_VERSION"), "pid": std::process::id()});
        journal.append(&[&Body::new("start", &start)], now).map_err(|error| open_error(folder, error))?;
        let (begun, news) = mpsc::channel();
        // The segments that are finished already.
        let _ = begun.send(journal.active());
        let writer = Writer::start(folder, journal, lock, config.min_free.as_u64(), begun).map_err(failed)?;
        let writer = Arc::new(writer);
        let blobs = Arc::new(Blobs::new(disk.clone()));
        let keeper = Keeper::new(disk, config, writer.clone(), blobs.clone());
        let keeper =
            thread::Builder::new().name("log keeper".to_owned()).spawn(move || keeper.run(&news)).map_err(failed)?;
        let redaction = Redaction::new(&config.redact);
        let keeper = Mutex::new(Some(keeper));
        Ok(Self { inner: Arc::new(Inner { writer, blobs, keeper, redaction, config: config.clone() }) })
    }

    /// Whether the log can be opened for writing. Like every opening, this puts a torn tail aside.
    pub fn try_open(config: &config::Log) -> Result<(), Error> {
        let _lock = take_lock(&config.directory)?;
        open_journal(config).map(|_| ())
    }

    /// Fails once a line could not be made durable, and while the disk has too little room.
    pub fn check(&self) -> Result<(), Error> {
        self.inner.writer.check()
    }

    /// What the operator wants where nothing can be logged.
    pub fn may_pass_unlogged(&self) -> bool {
        self.inner.config.on_failure == config::OnFailure::ProxyOnly
    }

    /// Announces a call: it is on disk when this comes back.
    pub async fn receive(&self, arrived: Arrived, received: Received<'_>, started: Instant) -> Result<Entry, Error> {
        let kept = self.kept(arrived.route);
        let mut secrets = Secrets::default();
        let mut vals = Value::Object(received.vals.clone());
        self.inner.redaction.hide(&mut vals, &mut secrets);
        let vals = match kept {
            Kept::Nothing => None,
            Kept::All | Kept::Summary => Some(self.spilled(vals, Purpose::Announce).await?),
        };
        let (ts, model) = (Timestamp::now(), short(received.model));
        let line =
            ReceivedLine { ts, arrived: &arrived, model: &model, who: &received.who, redacted: &secrets.paths, vals };
        let body = Body::new("call.received", &line);
        let seq = self.inner.writer.submit(body, Purpose::Announce).await?.wait().await?;
        let (model, who) = (model.into_owned(), received.who);
        Ok(Entry { log: self.clone(), arrived, started, kept, secrets, seq, model, who })
    }

    /// Tells of a call that was refused before it could be received.
    pub async fn refuse(
        &self,
        arrived: &Arrived,
        who: &Who,
        started: Instant,
        finished: Finished,
    ) -> Result<(), Error> {
        let kept = self.kept(arrived.route);
        let end = End { arrived, received: None, model: None, who, started, kept };
        let line = self.ended(end, finished, &mut Secrets::default()).await?;
        self.tell("call.refused", &line).await
    }

    /// Announces a request that is to be passed on to Odoo: it is on disk when this comes back. Gives its line's number.
    pub async fn receive_passed(&self, passed: &Passed) -> Result<u64, Error> {
        let body = Body::new("request.received", &PassedLine { ts: Timestamp::now(), passed });
        self.inner.writer.submit(body, Purpose::Announce).await?.wait().await
    }

    /// Tells how a request that was passed on, or refused, ended.
    pub async fn finish_passed(&self, passed: &Passed, received: Option<u64>, end: PassedEnd) -> Result<(), Error> {
        let event = if end.is_refused { "request.refused" } else { "request.finished" };
        let line = PassedEndLine {
            ts: Timestamp::now(),
            passed,
            received,
            state: end.state,
            status: end.status,
            error: end.error,
            answer_size: end.answer_size,
            duration_ms: milliseconds(end.took),
        };
        self.inner.writer.submit(Body::new(event, &line), Purpose::Tell).await?.wait().await.map(|_| ())
    }

    /// Writes what is waiting and closes the files.
    pub async fn close(&self) {
        self.inner.writer.close().await;
        let keeper = self.inner.keeper.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
        if let Some(keeper) = keeper {
            let _ = tokio::task::spawn_blocking(|| keeper.join()).await;
        }
    }

    fn kept(&self, route: &str) -> Kept {
        let config = &self.inner.config;
        match route {
            "create_data" => config.create_data,
            "create_update_data" => config.create_update_data,
            "update_data" => config.update_data,
            "search_data" => config.search_data,
            _ => config.call_function,
        }
    }

    /// The line of a call's end, without what must not be read and without what is not to be kept.
    async fn ended<'e>(
        &self,
        end: End<'e>,
        finished: Finished,
        secrets: &mut Secrets,
    ) -> Result<FinishedLine<'e>, Error> {
        let redaction = &self.inner.redaction;
        let mut hidden = |mut value: Value| {
            redaction.hide(&mut value, secrets);
            secrets.mask(&mut value);
            value
        };
        let records = record::records(&finished.odoo);
        let odoo = hidden(json!(finished.odoo));
        let result = hidden(if end.kept == Kept::Summary { without_rows(finished.result) } else { finished.result });
        let message = hidden(Value::String(finished.message));
        let detail = finished.detail.map(|detail| hidden(Value::String(detail)));
        let mut kept = Vec::new();
        for value in [Some(message), Some(result), Some(odoo), detail] {
            kept.push(match value {
                Some(value) if end.kept != Kept::Nothing => Some(self.spilled(value, Purpose::Tell).await?),
                _ => None,
            });
        }
        let [message, result, odoo, detail] = kept.try_into().unwrap_or_default();
        Ok(FinishedLine {
            ts: Timestamp::now(),
            arrived: end.arrived,
            received: end.received,
            model: end.model,
            who: end.who,
            state: finished.state,
            error: finished.error,
            message,
            duration_ms: milliseconds(end.started.elapsed()),
            records,
            result,
            odoo,
            detail,
        })
    }

    async fn tell(&self, event: &'static str, line: &impl serde::Serialize) -> Result<(), Error> {
        self.inner.writer.submit(Body::new(event, line), Purpose::Tell).await?.wait().await.map(|_| ())
    }

    /// The value with its large parts in blobs, which are durable when this comes back.
    async fn spilled(&self, mut value: Value, purpose: Purpose) -> Result<Value, Error> {
        let mut blobs = Vec::new();
        let from = usize::try_from(self.inner.config.blob_from.as_u64()).unwrap_or(usize::MAX);
        blob::spill(&mut value, from, MEMBER, &mut blobs);
        if !blobs.is_empty() {
            self.keep(blobs, purpose).await?;
        }
        Ok(value)
    }

    async fn keep(&self, blobs: Vec<Blob>, purpose: Purpose) -> Result<(), Error> {
        match self.check() {
            // What has happened is told as long as there is any room.
            Err(Error::Full { .. }) if purpose == Purpose::Tell => {}
            checked => checked?,
        }
        let store = self.inner.blobs.clone();
        let kept = tokio::task::spawn_blocking(move || store.keep(blobs, Timestamp::now().into())).await;
        match kept {
            Ok(kept) => kept.map_err(|failed| Error::Refused { stage: failed.stage, source: Arc::new(failed.source) }),
            Err(_) => Err(Error::Closed),
        }
    }
}

/// How a request that is not a call ended.
#[derive(Debug, Clone)]
pub struct PassedEnd {
    pub is_refused: bool,
    pub state: State,
    pub status: u16,
    pub error: Option<&'static str>,
    pub answer_size: u64,
    pub took: Duration,
}

struct End<'e> {
    arrived: &'e Arrived,
    received: Option<u64>,
    model: Option<&'e str>,
    who: &'e Who,
    started: Instant,
    kept: Kept,
}

/// A call that is in the log and whose end is not known yet.
#[derive(Debug)]
pub struct Entry {
    log: Log,
    arrived: Arrived,
    started: Instant,
    kept: Kept,
    /// What was hidden in the payload must not come up in the answer.
    secrets: Secrets,
    seq: u64,
    model: String,
    who: Who,
}

impl Entry {
    /// Notes what is about to be done in Odoo. It is handed over before anything is done, and not waited for: it tells an
    /// operator how far a call may have come, and promises nothing.
    pub async fn plan(&mut self, mut plan: Value) -> Result<(), Error> {
        if self.kept == Kept::Nothing {
            return Ok(());
        }
        self.log.inner.redaction.hide(&mut plan, &mut self.secrets);
        self.secrets.mask(&mut plan);
        let plan = self.log.spilled(plan, Purpose::Tell).await?;
        let line = PlannedLine { ts: Timestamp::now(), id: self.arrived.id, plan };
        self.log.inner.writer.submit(Body::new("call.planned", &line), Purpose::Tell).await.map(|_| ())
    }

    /// Comes back once the call's end is on disk.
    pub async fn finish(mut self, finished: Finished) -> Result<(), Error> {
        let end = End {
            arrived: &self.arrived,
            received: Some(self.seq),
            model: Some(&self.model),
            who: &self.who,
            started: self.started,
            kept: self.kept,
        };
        let line = self.log.ended(end, finished, &mut self.secrets).await?;
        self.log.tell("call.finished", &line).await
    }
}

/// A model's name as far as it can be one: a caller may send whatever it likes.
fn short(model: &str) -> Cow<'_, str> {
    match model.char_indices().nth(MODEL) {
        Some((end, _)) => Cow::Owned(format!("{}…", &model[..end])),
        None => Cow::Borrowed(model),
    }
}

/// The answer of a search, with the number of rows instead of the rows.
fn without_rows(mut result: Value) -> Value {
    if let Some(rows) = result.get("result").and_then(Value::as_array).map(Vec::len)
        && let Some(entries) = result.as_object_mut()
    {
        entries.remove("result");
        entries.insert("rows".to_owned(), json!(rows));
    }
    result
}

/// The lock of the folder, which is made where there is none.
fn take_lock(folder: &Path) -> Result<File, Error> {
    let failed = |source| directory_error(folder, source);
    let disk = Disk::new(folder);
    disk.make_folder("").map_err(failed)?;
    let file = disk.lock_file(LOCK).map_err(failed)?;
    let deadline = Instant::now() + LOCK_PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
            Err(TryLockError::WouldBlock) if Instant::now() > deadline => return Err(Error::InUse(folder.to_owned())),
            Err(TryLockError::WouldBlock) => thread::park_timeout(Duration::from_millis(20)),
        }
    }
}

/// Whether a gateway writes this log at the moment.
pub fn is_in_use(folder: &Path) -> bool {
    let lock = File::open(folder.join(LOCK));
    lock.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// The journal, ready to be appended to. Whoever calls this holds the lock.
fn open_journal(config: &config::Log) -> Result<Journal<Disk>, Error> {
    let folder = &config.directory;
    let unusable = |error| open_error(folder, error);
    let now = Timestamp::now();
    let (mut journal, torn) = Journal::open(Disk::new(folder), config.segment_size.as_u64(), now).map_err(unusable)?;
    if let Some(TornTail { file, offset, bytes, kept_in }) = torn {
        tracing::warn!(file, offset, bytes, kept_in, "the log ended in half a write, which has been put aside");
        let line = json!({"ts": now, "file": file, "offset": offset, "bytes": bytes, "kept_in": kept_in});
        journal.append(&[&Body::new("log.recovered", &line)], now).map_err(unusable)?;
    }
    Ok(journal)
}

fn directory_error(folder: &Path, source: io::Error) -> Error {
    Error::Directory { path: folder.to_owned(), source: Arc::new(source) }
}

fn open_error(folder: &Path, error: journal::Error) -> Error {
    match error {
        journal::Error::Damaged { file, offset, seq } => Error::Damaged { file: folder.join(file), offset, seq },
        journal::Error::Newer { file, format } => Error::Newer { file: folder.join(file), format },
        journal::Error::Refused(Failed { stage, source }) | journal::Error::Poisoned(Failed { stage, source }) => {
            let words = format!("{stage}: {source}");
            directory_error(folder, io::Error::new(source.kind(), words))
        }
    }
}
