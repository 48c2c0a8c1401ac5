//! The [`Site`] in use, and its replacement when the configuration changes.
//!
//! A reload is all or nothing: what is new is built beside what runs, from the configuration and every file it names, and
//! put in its place whole, or not at all.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::bail;
use arc_swap::ArcSwap;
use jiff::Timestamp;
use parking_lot::Mutex;
use sd_notify::NotifyState;
use serde::{Deserialize, Serialize};
use tokio::{signal::unix::Signal, time};
use tokio_util::task::AbortOnDropHandle;

use crate::{
    app,
    config::{self, Config},
    hook,
    http::Site,
};

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(2);

/// A file that has not changed for so long has been written.
const SETTLED: Duration = Duration::from_millis(500);

/// What runs.
#[derive(Debug)]
pub struct Current {
    site: Arc<ArcSwap<Site>>,
    file: PathBuf,
    /// When the configuration that is in use was read, how its files were then, and why a later one is not used.
    read: Mutex<(Timestamp, Marks, Option<String>)>,
    /// Looks whether Odoo is there, for as long as that Odoo is in use.
    watch: Mutex<AbortOnDropHandle<()>>,
}

/// The configuration that is in use.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Configuration {
    pub file: PathBuf,
    /// When it was read.
    pub read: Timestamp,
    /// Its file, or one that it names, has been changed since, and what is in it now is not in use.
    pub has_changed: bool,
    /// Why the changed one is not used.
    #[serde(default)]
    pub refused: Option<String>,
}

/// What tells one state of a file from another: when it was changed, its size, which file it is.
pub type Mark = Option<(i64, i64, u64, u64)>;

/// The files that a configuration is made of.
pub type Marks = BTreeMap<PathBuf, Mark>;

impl Current {
    /// `seen` are the files of the configuration as they were read.
    pub fn new(site: Arc<Site>, file: PathBuf, seen: Marks) -> Self {
        let watch = Mutex::new(watch(&site));
        let read = Mutex::new((Timestamp::now(), seen, None));
        Self { site: Arc::new(ArcSwap::new(site)), file, read, watch }
    }

    /// The configuration that is in use.
    pub fn configuration(&self) -> Configuration {
        let (read, seen, refused) = self.read.lock().clone();
        let file = std::path::absolute(&self.file).unwrap_or_else(|_| self.file.clone());
        Configuration { file, read, has_changed: has_changed(&seen), refused }
    }

    /// What is served now.
    pub fn site(&self) -> Arc<Site> {
        self.site.load_full()
    }

    /// Where to find what is served, at each request.
    pub fn sites(&self) -> Arc<ArcSwap<Site>> {
        self.site.clone()
    }

    /// Reads the configuration again on SIGHUP and when one of its files is no longer as it was `seen`. Ends with the process.
    pub async fn keep(&self, mut hangup: Signal, mut seen: Marks) {
        loop {
            let is_asked = tokio::select! { _ = hangup.recv() => true, () = time::sleep(LOOK) => false };
            if is_asked || has_changed(&seen) {
                // One that is being written may be right so far, and lack the rest.
                let mut marks = marks(&seen);
                while !is_asked && {
                    time::sleep(SETTLED).await;
                    has_changed(&marks)
                } {
                    marks = self::marks(&seen);
                }
                seen = self.reload();
            }
        }
    }

    fn reload(&self) -> Marks {
        let now = NotifyState::monotonic_usec_now().ok();
        let _ = sd_notify::notify(&[&[NotifyState::Reloading][..], now.as_slice()].concat());
        let (marks, config) = read(&self.file);
        let outcome = config.map_err(Into::into).and_then(|config| self.replace(config));
        self.site().calls.metrics.reloaded(outcome.is_ok());
        {
            let mut read = self.read.lock();
            match &outcome {
                Ok(()) => *read = (Timestamp::now(), marks.clone(), None),
                Err(error) => read.2 = Some(format!("{error:#}")),
            }
        }
        match outcome {
            Ok(()) => tracing::info!("the configuration has been read again and is in use"),
            Err(error) => {
                tracing::error!(
                    error = format!("{error:#}"),
                    "the new configuration is not used; the one before stays"
                );
            }
        }
        let _ = sd_notify::notify(&[NotifyState::Ready]);
        marks
    }

    fn replace(&self, config: Config) -> anyhow::Result<()> {
        let old = self.site();
        if let Some(sections) = old.calls.config.kept_until_restart(&config) {
            bail!("{sections} can be changed by a restart only");
        }
        let new = app::rebuild(&old, config)?;
        if !Arc::ptr_eq(&old.calls.odoo, &new.calls.odoo) {
            *self.watch.lock() = watch(&new);
        }
        self.site.store(new);
        Ok(())
    }
}

/// Reads the configuration, and tells how it and the files that it names were before they were read: what changes while they
/// are read is a change.
pub fn read(file: &Path) -> (Marks, Result<Config, config::Error>) {
    let own = (file.to_owned(), mark(file));
    let config = Config::load(file);
    let named: Marks = config.iter().flat_map(Config::files).map(|file| (file.clone(), mark(&file))).collect();
    // Which modules a template includes is known when it is read, and its own mark was taken before.
    let modules = config.iter().flat_map(|config| hook::module_files(&config.hooks));
    let modules: Marks = modules.map(|file| (file.clone(), mark(&file))).collect();
    (named.into_iter().chain(modules).chain([own]).collect(), config)
}

fn marks(files: &Marks) -> Marks {
    files.keys().map(|file| (file.clone(), mark(file))).collect()
}

fn has_changed(seen: &Marks) -> bool {
    seen.iter().any(|(file, seen)| mark(file) != *seen)
}

fn watch(site: &Site) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(site.calls.odoo.clone().watch()))
}

fn mark(file: &Path) -> Mark {
    let data = fs::metadata(file).ok()?;
    Some((data.mtime(), data.mtime_nsec(), data.size(), data.ino()))
}
