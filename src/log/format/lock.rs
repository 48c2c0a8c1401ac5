//! The lock of the log's folder: one process writes a log at a time.

use std::{
    fs::{File, TryLockError},
    io,
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use super::fs::{Disk, Fs};
use crate::{control::Control, log::Error};

/// Somebody who looks whether a gateway runs may hold the lock for a moment.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);
pub(in crate::log) const LOCK: &str = "LOCK";

/// The lock of the folder, which is made where there is none. It is free when the file is dropped.
pub(in crate::log) fn take_lock(folder: &Path) -> Result<File, Error> {
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

pub(in crate::log) fn directory_error(folder: &Path, source: io::Error) -> Error {
    Error::Directory { path: folder.to_owned(), source: Arc::new(source) }
}
