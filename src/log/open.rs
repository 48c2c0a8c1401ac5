//! The log's folder as a process takes it over: the lock, the owner, the end of what is there.

use std::{
    fs::{File, TryLockError},
    io,
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use serde_json::json;

use super::{
    Error,
    content::io_words,
    fs::{Disk, Failed, Fs},
    journal::{self, Journal, TornTail},
    line::Body,
};
use crate::{config, control::Control};

/// Somebody who looks whether a gateway runs may hold the lock for a moment.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);
pub(super) const LOCK: &str = "LOCK";

/// The lock of the folder, which is made where there is none. It is free when the file is dropped.
pub(super) fn take_lock(folder: &Path) -> Result<File, Error> {
    let failed = |source| directory_error(folder, source);
    Disk::make(folder).map_err(failed)?;
    let disk = Disk::new(folder);
    let deadline = Instant::now() + LOCK_PATIENCE;
    loop {
        let file = disk.lock_file(LOCK).map_err(failed)?;
        match file.try_lock() {
            // Somebody has deleted or replaced it since it was opened: the lock of that file keeps nobody out.
            Ok(()) if !disk.is_at(LOCK, &file).map_err(failed)? && Instant::now() <= deadline => {}
            Ok(()) => {
                // What a gateway that was killed has left leads to nobody, or to somebody else.
                Control::remove_stale(folder);
                return Ok(file);
            }
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

/// The journal, ready to be appended to; what a crash tore is put aside and told. Whoever calls this holds the lock.
pub(super) fn open_journal(config: &config::Log) -> Result<Journal<Disk>, Error> {
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

pub(super) fn directory_error(folder: &Path, source: io::Error) -> Error {
    Error::Directory { path: folder.to_owned(), source: Arc::new(source) }
}

pub(super) fn open_error(folder: &Path, error: journal::Error) -> Error {
    match error {
        journal::Error::Damaged { file, offset, seq } => Error::Damaged { file: folder.join(file), offset, seq },
        journal::Error::Newer { file, format } => Error::Newer { file: folder.join(file), format },
        journal::Error::Refused(Failed { stage, source }) | journal::Error::Poisoned(Failed { stage, source }) => {
            directory_error(folder, io_words(stage, &source))
        }
    }
}
