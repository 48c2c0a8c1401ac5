//! A backup of what a gateway keeps, its log and its store, made while it runs, and its way back.
//!
//! The log is copied first and the store after it. So the store of a backup is never older than its log: what the log has as done is
//! no open call of the store, and is not delivered a second time. What the store has beyond the log lacks lines, and nothing else.
//!
//! A restored store does not know what was done since. So the queues that have calls are paused, unless it is said otherwise.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::blocking;
use crate::{
    config::Config,
    hook,
    log::{self, Copied, Links, Verified},
    store::{self, Spans, Store},
};

/// The file that a complete backup has, and its form.
const MANIFEST: &str = "backup.json";
const FORM: u32 = 1;
const LOG: &str = "log";
const STORE: &str = "delivery";
const CONFIGURATION: &str = "configuration";
/// Why queues are paused after a restore.
const PAUSED: &str = "restored from a backup";

/// Why there is no backup, or none was restored.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("`{}` is there and not empty: a backup gets a folder of its own", .0.display())]
    NotEmpty(PathBuf),
    #[error("there is no complete backup in `{}`: {why}", folder.display())]
    Incomplete { folder: PathBuf, why: String },
    #[error("`{}` has the form {form}, of a later version of the gateway; this one reads {FORM}", folder.display())]
    Newer { folder: PathBuf, form: u32 },
    #[error("`{}`: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Log(#[from] log::Error),
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// What a backup has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub form: u32,
    pub made: Timestamp,
    /// The version of the program.
    pub gateway: String,
    pub segments: usize,
    pub blobs: usize,
    /// The number of the last line of the log.
    pub last_line: Option<u64>,
    pub store: KindOfStore,
    /// The files of the configuration that are in it, by their paths from its folder.
    pub configuration: Vec<PathBuf>,
}

/// Where keys and queued calls are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KindOfStore {
    /// In a file of the backup.
    Sqlite,
    /// In a PostgreSQL, which is backed up by its own tools.
    Postgresql,
    /// None has been made yet.
    None,
}

/// A backup that was put in place.
#[derive(Debug)]
pub struct Restored {
    pub manifest: Manifest,
    pub verified: Verified,
    /// The clients whose queues are paused, with the number of their calls.
    pub paused: Vec<(String, u64)>,
}

/// Copies the log and the store of this configuration into a folder, which is made; with its file, that, too.
///
/// # Errors
/// The folder is not empty or cannot be written, or the log or the store cannot be read.
pub async fn backup(config: &Config, file: Option<&Path>, into: &Path) -> Result<Manifest, Error> {
    make_folder(into)?;
    if fs::read_dir(into).map_err(at(into))?.next().is_some() {
        return Err(Error::NotEmpty(into.to_owned()));
    }
    let (from, to) = (config.log.directory.clone(), into.join(LOG));
    let Copied { segments, blobs, last_line } = blocking(move || log::copy(&from, &to, Links::WherePossible)).await?;
    let store = copy_store(config, &into.join(STORE)).await?;
    let configuration = match file {
        Some(file) => copy_configuration(config, file, &into.join(CONFIGURATION))?,
        None => Vec::new(),
    };
    let gateway = env!("CARGO_PKG_VERSION").to_owned();
    let manifest =
        Manifest { form: FORM, made: Timestamp::now(), gateway, segments, blobs, last_line, store, configuration };
    write_manifest(&manifest, into)?;
    Ok(manifest)
}

/// Puts a backup where this configuration has its log and its store, neither of which may be there. Unless `delivers`, queues that
/// have calls are paused.
///
/// # Errors
/// The backup is not complete, something is there already, or cannot be written.
pub async fn restore(config: &Config, from: &Path, delivers: bool) -> Result<Restored, Error> {
    let manifest = read_manifest(from)?;
    let (source, target) = (from.join(LOG), config.log.directory.clone());
    let delivery = &config.delivery;
    let has_store = manifest.store == KindOfStore::Sqlite && config.cluster.url.is_none();
    if has_store && Store::is_in(&delivery.directory) {
        return Err(Error::NotEmpty(delivery.directory.clone()));
    }
    let verified = blocking(move || {
        log::copy(&source, &target, Links::Never)?;
        log::verify(&target, |_| ())
    })
    .await?;
    let mut paused = Vec::new();
    if has_store {
        Store::put_copy(&from.join(STORE), &delivery.directory)?;
        if !delivers {
            let spans = Spans { lease: delivery.lease, keep: delivery.keep, callback: delivery.max_age };
            let store = Store::beside_gateway(&delivery.directory, spans).await?;
            for depth in store.depths().await?.into_iter().filter(|depth| depth.queued > 0) {
                store.pause(&depth.client, Some(PAUSED)).await?;
                paused.push((depth.client, depth.queued));
            }
        }
    }
    Ok(Restored { manifest, verified, paused })
}

async fn copy_store(config: &Config, into: &Path) -> Result<KindOfStore, Error> {
    let delivery = &config.delivery;
    if config.cluster.url.is_some() {
        return Ok(KindOfStore::Postgresql);
    }
    if !Store::is_in(&delivery.directory) {
        return Ok(KindOfStore::None);
    }
    let spans = Spans { lease: delivery.lease, keep: delivery.keep, callback: delivery.max_age };
    let store = Store::beside_gateway(&delivery.directory, spans).await?;
    make_folder(into)?;
    store.copy_into(into).await?;
    Ok(KindOfStore::Sqlite)
}

/// Copies the configuration and the templates that lie in its folder. Secrets have files of their own, which are left out.
fn copy_configuration(config: &Config, file: &Path, into: &Path) -> Result<Vec<PathBuf>, Error> {
    let folder = file.parent().unwrap_or(Path::new(""));
    let templates = config.hooks.iter().map(|hook| hook.template.clone());
    let files = templates.chain(hook::module_files(&config.hooks)).chain([file.to_owned()]);
    let mut copied: Vec<PathBuf> = files.filter_map(|file| Some(file.strip_prefix(folder).ok()?.to_owned())).collect();
    copied.sort_unstable();
    copied.dedup();
    for name in &copied {
        let (from, to) = (folder.join(name), into.join(name));
        make_folder(to.parent().unwrap_or(into))?;
        let bytes = fs::read(&from).map_err(at(&from))?;
        // The URL of a PostgreSQL may hold a password.
        write_new(&to, &bytes)?;
    }
    Ok(copied)
}

fn write_manifest(manifest: &Manifest, into: &Path) -> Result<(), Error> {
    let path = into.join(MANIFEST);
    let bytes = serde_json::to_vec_pretty(manifest)
        .map_err(|error| Error::File { path: path.clone(), source: error.into() })?;
    write_new(&path, &bytes)?;
    fs::File::open(into).and_then(|folder| folder.sync_all()).map_err(at(into))
}

fn read_manifest(from: &Path) -> Result<Manifest, Error> {
    let incomplete = |why: &dyn ToString| Error::Incomplete { folder: from.to_owned(), why: why.to_string() };
    let text = fs::read(from.join(MANIFEST)).map_err(|error| incomplete(&format!("{MANIFEST}: {error}")))?;
    let manifest: serde_json::Value = serde_json::from_slice(&text).map_err(|error| incomplete(&error))?;
    match manifest["form"].as_u64().and_then(|form| u32::try_from(form).ok()) {
        Some(form) if form > FORM => Err(Error::Newer { folder: from.to_owned(), form }),
        _ => serde_json::from_value(manifest).map_err(|error| incomplete(&error)),
    }
}

fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all())).map_err(at(path))
}

fn make_folder(path: &Path) -> Result<(), Error> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(at(path))
}

fn at(path: &Path) -> impl Fn(io::Error) -> Error {
    move |source| Error::File { path: path.to_owned(), source }
}
