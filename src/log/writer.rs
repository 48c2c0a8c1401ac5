//! The one thread that writes the log.
//!
//! Lines that wait are written and synced together (group commit), so that many callers share one sync and none waits for
//! a timer. A failed write or sync is final: the kernel may have dropped what it could not write, and would call the next
//! sync of the same file a success.

use std::{
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
    sync::{Arc, Mutex, OnceLock},
    thread::JoinHandle,
};

use tokio::sync::{mpsc, oneshot};

use super::Error;

const FILE: &str = "calls.jsonl";
/// Lines that may wait; a caller beyond that waits for a place.
const WAITING: usize = 1024;
/// A batch is closed when it has grown beyond this many bytes.
const BATCH: usize = 1 << 20;

#[derive(Debug)]
pub(super) struct Writer {
    lines: Mutex<Option<mpsc::Sender<Pending>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    failure: Arc<OnceLock<Error>>,
}

struct Pending {
    line: Vec<u8>,
    written: oneshot::Sender<Result<(), Error>>,
}

impl Writer {
    pub(super) fn open(directory: &Path) -> Result<Self, Error> {
        let failed = |source: io::Error| Error::Directory { path: directory.to_owned(), source: Arc::new(source) };
        DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed)?;
        let path = directory.join(FILE);
        let file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::InUse(path)),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        end_last_line(&file).map_err(failed)?;
        // A new file's name must survive a power loss too.
        File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed)?;
        let (lines, waiting) = mpsc::channel(WAITING);
        let failure = Arc::new(OnceLock::new());
        let shared = failure.clone();
        let thread = std::thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || write(&file, waiting, &shared))
            .map_err(failed)?;
        Ok(Self { lines: Mutex::new(Some(lines)), thread: Mutex::new(Some(thread)), failure })
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        self.failure.get().map_or(Ok(()), |failure| Err(failure.clone()))
    }

    /// Comes back once the line is on disk.
    pub(super) async fn append(&self, line: Vec<u8>) -> Result<(), Error> {
        let lines = lock(&self.lines).clone().ok_or(Error::Closed)?;
        let (written, done) = oneshot::channel();
        lines.send(Pending { line, written }).await.map_err(|_| Error::Closed)?;
        done.await.map_err(|_| Error::Closed)?
    }

    pub(super) async fn close(&self) {
        drop(lock(&self.lines).take());
        let thread = lock(&self.thread).take();
        if let Some(thread) = thread {
            // The thread ends when every line has been written.
            let _ = tokio::task::spawn_blocking(|| thread.join()).await;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// A process that died while it wrote left half a line: it must not run into the next one.
fn end_last_line(mut file: &File) -> io::Result<()> {
    if file.metadata()?.len() == 0 {
        return Ok(());
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    if last != *b"\n" {
        file.write_all(b"\n")?;
    }
    Ok(())
}

fn write(mut file: &File, mut waiting: mpsc::Receiver<Pending>, failure: &OnceLock<Error>) {
    while let Some(first) = waiting.blocking_recv() {
        let mut bytes = first.line;
        let mut callers = vec![first.written];
        while bytes.len() < BATCH
            && let Ok(next) = waiting.try_recv()
        {
            bytes.extend_from_slice(&next.line);
            callers.push(next.written);
        }
        if failure.get().is_none() {
            let outcome = file
                .write_all(&bytes)
                .map_err(|source| ("write", source))
                .and_then(|()| file.sync_data().map_err(|source| ("sync", source)));
            if let Err((stage, source)) = outcome {
                tracing::error!(stage, error = %source, "the log cannot be written");
                let _ = failure.set(Error::Poisoned { stage, source: Arc::new(source) });
            }
        }
        for caller in callers {
            // A caller that has gone away has nothing to be told.
            let _ = caller.send(failure.get().map_or(Ok(()), |failure| Err(failure.clone())));
        }
    }
}
