//! The interface log: what every external system asked, what was sent to Odoo, and the outcome.
//!
//! A call is durable ([`Entry::announced`]) before anything of it is written to Odoo, and its end ([`Entry::finish`]) before
//! its caller gets the answer. A call that was received and has no end is in doubt until an operator settles it.
//! docs/log-format.md describes the files.
//!
//! Layers, bottom to top: `format` is the files, `write` and `read` stand beside each other above it,
//! `maintain` uses all three. Invariants: lines are only appended; a line is acknowledged after it is durable; no credential
//! reaches a line; one process writes a log at a time; after a failed sync the log takes no further call.

mod format;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod maintain;
mod read;
mod step;
mod write;

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc,
    },
    thread::{self, JoinHandle},
};

use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::{Value, json};

use self::{
    format::{
        blob::Blobs,
        fs::Disk,
        line::Body,
        lock::{FolderLock, directory_error},
    },
    maintain::retention::Retention,
    write::{
        content::{Content, Part},
        open::{open_error, open_journal},
        open_calls::OpenCalls,
        secrets::Secrets,
        writer::{Purpose, Writer},
    },
};
pub use self::{
    format::{
        blob::has_missing_content,
        event::{Event, State},
        fs::Stage,
        lock::is_in_use,
    },
    maintain::{
        copy::{Copied, Links, copy},
        repair::{Repaired, repair},
        settle::{NotSettled, Settlement},
        verify::{Verified, verify},
    },
    read::{
        archive::Archive,
        brief::Brief,
        call::{Call, CallState, Repetition, Settled},
        figures::Figures,
        filter::Filter,
        follow::FollowPosition,
        news::{News, Place},
        page::{Cursor, Page},
        route::RecordedRoute,
    },
    step::StepOf,
    write::{
        acted::{Acted, Action, Operator},
        entry::Entry,
        passed::PassedEnd,
        record::{Arrived, Caller, Failure, Finished, OdooCall, Passed, Received, Who, milliseconds, written_records},
        told::CALLS,
    },
};
use crate::{
    config::{self, Kept},
    control::Holder,
    route::Route,
};

/// Why the log cannot be used or cannot take a line.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    #[error("cannot use the log directory `{}`: {source}", path.display())]
    Directory { path: PathBuf, source: Arc<io::Error> },
    #[error("the log `{}` is in use by another process{}", .0.display(), .1)]
    InUse(PathBuf, Holder),
    #[error(
        "the log is damaged: `{}` is not as it was written from byte {offset} on, where line {seq} should be; `odoo-gateway log verify` shows all damage, `odoo-gateway log repair` puts the file aside and keeps its whole lines",
        file.display()
    )]
    Damaged { file: PathBuf, offset: usize, seq: u64 },
    #[error("`{}` has the format {format}, of a later version of the gateway; this one writes {}", file.display(), format::segment::FORMAT)]
    Newer { file: PathBuf, format: u32 },
    #[error("the log cannot be written ({stage}: {source}); no call is taken until the gateway is restarted")]
    Poisoned { stage: Stage, source: Arc<io::Error> },
    #[error("the log could not take this line ({stage}: {source})")]
    Refused { stage: Stage, source: Arc<io::Error> },
    /// All three in bytes, and shown in bytes: a rounded number may look larger than the limit that it is below.
    #[error(
        "the disk of the log has {free} bytes free, less than {}; nothing is taken for which there is no room",
        required(*min_free, *needed)
    )]
    Full { free: u64, min_free: u64, needed: u64 },
    #[error("the log has been closed")]
    Closed,
}

/// What the disk lacks, for the error message.
fn required(min_free: u64, needed: u64) -> String {
    match needed {
        0 => format!("the {min_free} bytes of [log] min_free"),
        needed => {
            let sum = min_free.saturating_add(needed);
            format!("the {sum} bytes that this call needs: {min_free} of [log] min_free and {needed} of its own")
        }
    }
}

/// The log of this gateway. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Log {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    writer: Arc<Writer>,
    content: Content,
    open: OpenCalls,
    /// Held while calls in doubt are carried forward and while one is settled.
    settlement_lock: Arc<Mutex<()>>,
    retention: Mutex<Option<JoinHandle<()>>>,
    /// Retention stops at the next segment; the next start does the rest.
    is_closing: Arc<AtomicBool>,
    config: config::Log,
}

impl Log {
    /// Opens the log for appending, and creates the folder where it is missing. A torn tail is put aside and recorded.
    ///
    /// # Errors
    /// The folder cannot be used, another gateway uses it, or its last segment is damaged or of a later version.
    pub fn open(config: &config::Log) -> Result<Self, Error> {
        let folder = &config.directory;
        let failed = |source| directory_error(folder, source);
        let lock = Arc::new(FolderLock::take(folder)?);
        let mut journal = open_journal(config)?;
        let now = Timestamp::now();
        // Calls that were open before this line are in doubt.
        let start = json!({"ts": now, "gateway": env!("CARGO_PKG_VERSION"), "pid": std::process::id()});
        journal.append(&[&Body::new(Event::Start, &start)], now).map_err(|error| open_error(folder, error))?;
        let (begun, news) = mpsc::channel();
        // Retention begins with the segments that are complete already.
        let _ = begun.send(journal.active());
        let disk = Disk::new(folder);
        let (open, is_closing) = (OpenCalls::default(), Arc::<AtomicBool>::default());
        let settlement_lock = Arc::<Mutex<()>>::default();
        let writer = Writer::start(disk.clone(), journal, lock.clone(), config.min_free.as_u64(), begun, open.clone());
        let writer = Arc::new(writer.map_err(failed)?);
        let blobs = Arc::new(Blobs::new(disk.clone()));
        let retention = Retention {
            disk,
            config: config.clone(),
            writer: writer.clone(),
            blobs: blobs.clone(),
            open: open.clone(),
            settlement_lock: settlement_lock.clone(),
            is_closing: is_closing.clone(),
            lock,
        };
        let retention = thread::Builder::new().name("log retention".to_owned()).spawn(move || retention.run(&news));
        let retention = Mutex::new(Some(retention.map_err(failed)?));
        let content = Content::new(&config.redact, blobs, config.blob_from.as_u64());
        Ok(Self {
            inner: Arc::new(Inner {
                writer,
                content,
                open,
                settlement_lock,
                retention,
                is_closing,
                config: config.clone(),
            }),
        })
    }

    /// Whether the log can be opened for writing. Like every opening, this puts a torn tail aside.
    ///
    /// # Errors
    /// Those of [`Log::open`].
    pub fn try_open(config: &config::Log) -> Result<(), Error> {
        let _lock = FolderLock::take(&config.directory)?;
        open_journal(config).map(|_| ())
    }

    /// Fails after a line could not be made durable, and while the disk has too little room.
    ///
    /// # Errors
    /// The log has failed, or the disk has less free space than `[log] min_free`.
    pub fn check(&self) -> Result<(), Error> {
        self.inner.writer.check_room(0)
    }

    /// The number of queued lines, and the free bytes of the disk where the file system reports them.
    pub fn load(&self) -> (usize, Option<u64>) {
        self.inner.writer.load()
    }

    /// Whether requests are passed on while nothing can be logged, which the operator decides.
    pub fn may_pass_unlogged(&self) -> bool {
        self.inner.config.on_failure == config::OnFailure::ProxyOnly
    }

    /// Hides in what a sender sent what a line would hide.
    pub fn hide_sent(&self, sent: &mut Value) {
        self.inner.content.hide_sent(sent);
    }

    /// Hides in the parameters of a call of this model what a line would hide.
    pub fn hide_vals(&self, model: &str, vals: &mut Value) {
        self.inner.content.hide_vals(model, vals);
    }

    /// Hides in a plan what a line would hide.
    pub fn hide_plan(&self, plan: &mut Value) {
        self.inner.content.hide_plan(plan);
    }

    /// Writes the queued lines and closes the files. The folder is free for another gateway when this returns.
    pub async fn close(&self) {
        self.inner.is_closing.store(true, Relaxed);
        self.inner.writer.close().await;
        let retention = self.inner.retention.lock().take();
        if let Some(retention) = retention {
            let _ = tokio::task::spawn_blocking(|| retention.join()).await;
        }
    }

    fn kept(&self, route: Route) -> Kept {
        self.inner.config.kept(route)
    }

    async fn prepare<const N: usize>(
        &self,
        parts: [Part; N],
        secrets: &mut Secrets,
        purpose: Purpose,
    ) -> Result<[Value; N], Error> {
        self.inner.content.prepare(parts, secrets, purpose, &self.inner.writer).await
    }

    async fn record(&self, body: Body) -> Result<(), Error> {
        self.inner.writer.submit(body, Purpose::Record).await?.wait().await.map(|_| ())
    }

    fn writer(&self) -> &Writer {
        &self.inner.writer
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    /// The sources of the log, without their tests, by their path below `src/log`.
    fn sources() -> Vec<(String, String)> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/log");
        let (mut folders, mut sources) = (vec![root.clone()], Vec::new());
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => folders.push(path),
                    false if path.ends_with("tests.rs") => {}
                    false => {
                        let text = fs::read_to_string(&path).unwrap();
                        let code = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap().to_owned();
                        sources.push((path.strip_prefix(&root).unwrap().display().to_string(), code));
                    }
                }
            }
        }
        assert!(sources.len() > 25, "{}", sources.len());
        sources
    }

    #[test]
    fn only_one_module_accesses_the_file_system() {
        let opens = ["fs::{self", "fs::read", "fs::write", "fs::metadata", "File::open(", "OpenOptions"];
        for (path, code) in sources().iter().filter(|(path, _)| path != "format/fs.rs") {
            assert!(!opens.iter().any(|word| code.contains(word)), "{path}");
        }
    }

    #[test]
    fn the_folders_import_what_is_below_them_only() {
        let layers: [(&str, &[&str]); 3] = [
            ("format/", &["write", "read", "maintain"]),
            ("write/", &["read", "maintain"]),
            ("read/", &["write", "maintain"]),
        ];
        for (path, code) in sources().iter().filter(|(path, _)| !path.starts_with("write/journal/model")) {
            // Without the comments, which may refer to anything.
            let code: String = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
            let above = layers.iter().find(|(folder, _)| path.starts_with(folder)).map_or(&[][..], |(_, above)| above);
            for folder in above {
                let imports = [' ', '{', ':'].map(|before| format!("{before}{folder}::"));
                assert!(!imports.iter().any(|import| code.contains(import)), "{path} imports {folder}");
            }
        }
    }

    #[test]
    fn a_full_disk_is_told_with_numbers_that_do_not_contradict_each_other() {
        let message = |free, needed| Error::Full { free, min_free: 1 << 20, needed }.to_string();
        let without = message((1 << 20) - 1, 0);
        assert!(without.contains("has 1048575 bytes free, less than the 1048576 bytes of [log] min_free"), "{without}");
        // More than min_free, but too little beside what is to be written.
        let with = message(1_153_434, 120_000);
        let parts =
            ["has 1153434 bytes free, less than the 1168576 bytes", "1048576 of [log] min_free and 120000 of its own"];
        assert!(parts.iter().all(|part| with.contains(part)), "{with}");
        assert!(message(1, u64::MAX).contains(&u64::MAX.to_string()));
    }
}
