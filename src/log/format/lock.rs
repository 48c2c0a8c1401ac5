//! The lock of the log's folder: one process writes a log at a time.

use std::{
    fs::File,
    io,
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use super::fs::{Disk, Failed, Fs, check_in_place};
use crate::{
    control::{Control, Holder},
    log::Error,
};

/// A process that only asks whether a gateway runs may hold the lock for a moment.
const PATIENCE: Duration = Duration::from_secs(1);
pub(in crate::log) const LOCK: &str = "LOCK";

/// The lock of a folder, held until this is dropped.
#[derive(Debug)]
pub(in crate::log) struct FolderLock {
    disk: Disk,
    file: File,
}

impl FolderLock {
    /// Takes the lock of the folder, which is created where it is missing.
    ///
    /// # Errors
    /// Another gateway holds the lock, or the folder cannot be used.
    pub(in crate::log) fn take(folder: &Path) -> Result<Self, Error> {
        let failed = |source| directory_error(folder, source);
        Disk::make(folder).map_err(failed)?;
        let disk = Disk::new(folder);
        let deadline = Instant::now() + PATIENCE;
        loop {
            match disk.try_lock(LOCK).map_err(failed)? {
                // The file was deleted or replaced since it was opened: its lock excludes no other process.
                Some(file) if !disk.is_at(LOCK, &file).map_err(failed)? && Instant::now() <= deadline => {}
                Some(file) => {
                    // A gateway that was killed left it: it names no running gateway, or a different one.
                    Control::remove_stale(folder);
                    return Ok(Self { disk, file });
                }
                None if Instant::now() > deadline => {
                    return Err(Error::InUse(folder.to_owned(), Holder::of(&folder.join(LOCK))));
                }
                None => thread::park_timeout(Duration::from_millis(20)),
            }
        }
    }

    /// Fails where the lock file was moved, deleted or replaced since: another gateway may hold the lock of the new one.
    pub(in crate::log) fn check(&self) -> Result<(), Failed> {
        check_in_place(&self.disk, LOCK, &self.file)
    }
}

/// Whether a gateway writes this log at the moment.
pub fn is_in_use(folder: &Path) -> bool {
    Disk::new(folder).is_locked(LOCK)
}

pub(in crate::log) fn directory_error(folder: &Path, source: io::Error) -> Error {
    Error::Directory { path: folder.to_owned(), source: Arc::new(source) }
}
