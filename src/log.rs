//! The interface log: one JSON line for every call, in `calls.jsonl` under `[log] directory`.
//!
//! A call is announced with [`Log::begin`] before anything reaches Odoo, and an answer leaves only after
//! [`Entry::finish`] says that its line is on disk. A log that has failed once takes no further call: what a failed
//! write left in the file is not known, and an unlogged call must not reach Odoo.
//!
//! Invariants: lines are only appended; no credential reaches a line; one process writes a log at a time.

mod record;
mod redact;
mod writer;

use std::{io, path::PathBuf, sync::Arc, time::Instant};

use jiff::Timestamp;
use serde_json::{Map, Value};

pub use self::record::{Caller, Finished, OdooCall, Received, State, milliseconds};
use self::{record::Record, redact::Redaction, writer::Writer};
use crate::config;

/// Why the log cannot take a line.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    #[error("cannot use the log directory `{}`: {source}", path.display())]
    Directory { path: PathBuf, source: Arc<io::Error> },
    #[error("the log `{}` is in use by another gateway", .0.display())]
    InUse(PathBuf),
    #[error("the log cannot be written ({stage}: {source}); no call is taken until the gateway is restarted")]
    Poisoned { stage: &'static str, source: Arc<io::Error> },
    #[error("the log has been closed")]
    Closed,
}

/// The log of this gateway. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Log {
    writer: Arc<Writer>,
    redaction: Arc<Redaction>,
}

impl Log {
    /// Opens the log for appending, and makes the folder where there is none.
    pub fn open(config: &config::Log) -> Result<Self, Error> {
        Ok(Self {
            writer: Arc::new(Writer::open(&config.directory)?),
            redaction: Arc::new(Redaction::new(&config.redact)),
        })
    }

    /// Fails once a line could not be written.
    pub fn check(&self) -> Result<(), Error> {
        self.writer.check()
    }

    /// Announces a call, before anything of it reaches Odoo.
    pub fn begin(&self, received: Received) -> Result<Entry, Error> {
        self.check()?;
        let (time, started) = (Timestamp::now(), Instant::now());
        Ok(Entry { log: self.clone(), time, started, received, asked: None })
    }

    /// Writes what is waiting and closes the file.
    pub async fn close(&self) {
        self.writer.close().await;
    }
}

/// A call that has been announced and whose end is not known yet.
#[derive(Debug)]
pub struct Entry {
    log: Log,
    time: Timestamp,
    started: Instant,
    received: Received,
    asked: Option<(String, Value)>,
}

impl Entry {
    /// What is asked, once it is known who asks.
    pub fn describe(&mut self, model: &str, payload: &Map<String, Value>) {
        self.asked = Some((model.to_owned(), Value::Object(payload.clone())));
    }

    /// Comes back once the call's line is on disk.
    pub async fn finish(self, finished: Finished) -> Result<(), Error> {
        let duration = self.started.elapsed();
        let record = Record::new(self.time, duration, self.received, self.asked, finished, &self.log.redaction);
        self.log.writer.append(record.to_line()).await
    }
}
