//! `check`: the log, the store and the room on their disk.

use std::path::{Path, PathBuf};

use bytesize::ByteSize;

use super::finding::Finding;
use crate::{
    config::{self, Config},
    control::Control,
    log::{self, Filter, Log},
    operations::{
        calls::{Calls, Query},
        queue::{self, Queue},
    },
    store::{self, Depth},
};

/// What is known of the log: whether a gateway writes it, and what is to be said.
pub(super) struct LogState {
    pub(super) runs: bool,
    pub(super) findings: Vec<Finding>,
}

pub(super) async fn log(config: &config::Log) -> LogState {
    let directory = config.directory.display();
    let (runs, state) = match Log::try_open(config) {
        Ok(()) => (false, Finding::ok("log", format!("{directory} can be written"))),
        Err(log::Error::InUse(_, holder)) if Control::read(&config.directory).is_ok() => {
            (true, Finding::ok("log", format!("{directory} is written by a running gateway{holder}")))
        }
        Err(error @ log::Error::InUse(..)) => {
            let remedy =
                "wait until that process has ended, or stop it; each gateway needs a [log] directory of its own";
            (false, Finding::failure("log", error.to_string(), remedy))
        }
        Err(error) => {
            let remedy = match &error {
                log::Error::Damaged { .. } => {
                    "`odoo-gateway log verify` shows the damage, `odoo-gateway log repair` mends it"
                }
                log::Error::Newer { .. } => "run the later version of the gateway",
                log::Error::Full { .. } => "make room on the disk, or lower [log] min_free",
                _ => "let the gateway's user write into [log] directory, or name another folder",
            };
            (false, Finding::failure("log", error.to_string(), remedy))
        }
    };
    let is_readable = state.level != super::finding::Level::Failure;
    let mut findings = vec![state];
    if is_readable {
        findings.extend(in_doubt(config).await);
    }
    findings.extend(disk(config));
    LogState { runs, findings }
}

async fn in_doubt(config: &config::Log) -> Option<Finding> {
    let filter = Filter { in_doubt: true, ..Filter::default() };
    let calls = Calls::open(&config.directory).ok()?;
    let page = calls.page(Query { filter, ..Query::default() }).await;
    match page.map(|page| page.calls.len()) {
        Ok(0) => None,
        Ok(calls) => Some(Finding::warning(
            "log",
            format!("{calls} calls in it are in doubt: it is not known whether Odoo has done them"),
            "see `odoo-gateway log ls --in-doubt`, then `odoo-gateway log settle`",
        )),
        Err(error) => {
            Some(Finding::failure("log", error.to_string(), "`odoo-gateway log verify` shows what is wrong with it"))
        }
    }
}

/// The room on the disk of the log, against what must stay free and what the log may take.
fn disk(config: &config::Log) -> Option<Finding> {
    let folder = existing(&config.directory)?;
    let disk = rustix::fs::statvfs(&folder).ok()?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let (least, most) = (config.min_free.as_u64(), config.max_total.as_u64());
    let taken = size(&config.directory);
    let show = |bytes: u64| ByteSize(bytes).display().iec().to_string();
    let still = most.saturating_sub(taken);
    let told = format!("{} are free at {}", show(free), folder.display());
    Some(if free < least {
        Finding::failure(
            "disk",
            format!("{told}, less than [log] min_free ({}): no call is taken", show(least)),
            "make room, or lower [log] min_free",
        )
    } else if free < still.saturating_add(least) {
        Finding::warning(
            "disk",
            format!(
                "{told}; the log may still grow by {} ([log] max_total), and {} stay free ([log] min_free)",
                show(still),
                show(least)
            ),
            "make room, or lower [log] max_total: where the disk is full, no call is taken",
        )
    } else {
        Finding::ok("disk", told)
    })
}

/// The folder, or the first above it that exists.
fn existing(folder: &Path) -> Option<PathBuf> {
    let folder = std::path::absolute(folder).ok()?;
    folder.ancestors().find(|folder| folder.is_dir()).map(Path::to_owned)
}

/// The bytes of the files in a folder and those below it.
fn size(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let size_of = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(data) if data.is_dir() => size(&entry.path()),
        Ok(data) => data.len(),
        Err(_) => 0,
    };
    entries.map(size_of).sum()
}

/// Whether the store can be used.
pub(super) async fn store(config: &Config, is_offline: bool, runs: bool) -> Vec<Finding> {
    let place = match &config.cluster.url {
        Some(_) if is_offline => return Vec::new(),
        Some(_) => "the PostgreSQL of [cluster] url".to_owned(),
        None => config.delivery.directory.display().to_string(),
    };
    if config.cluster.url.is_none()
        && !runs
        && let Some(holder) = store::holder(&config.delivery.directory)
    {
        let remedy =
            "wait until that process has ended, or stop it; each gateway needs a [delivery] directory of its own";
        return vec![Finding::failure("store", format!("{place} is in use by another process{holder}"), remedy)];
    }
    let depths = match Queue::open(config).await {
        Ok(queue) => queue.depths().await,
        Err(queue::Error::None(_)) => return vec![made(config, &place)],
        Err(error) => Err(error),
    };
    let depths = match depths {
        Ok(depths) => depths,
        Err(error) => {
            let remedy = match &config.cluster.url {
                Some(_) => {
                    "look whether that PostgreSQL runs, and whether its user may write the database of [cluster] url"
                }
                None => "let the gateway's user write into [delivery] directory",
            };
            return vec![Finding::failure("store", error.to_string(), remedy)];
        }
    };
    let sum = |of: fn(&Depth) -> u64| depths.iter().map(of).sum::<u64>();
    let (queued, parked) = (sum(|depth| depth.queued), sum(|depth| depth.dead + depth.in_doubt));
    let state = match queued {
        0 => format!("{place} answers; nothing waits"),
        queued => format!("{place} answers; {queued} calls are queued"),
    };
    let parked = (parked > 0).then(|| {
        let message = match parked {
            1 => "1 call needs a person: it is dead or in doubt".to_owned(),
            parked => format!("{parked} calls need a person: they are dead or in doubt"),
        };
        Finding::warning("store", message, "see `odoo-gateway queue ls`")
    });
    [Finding::ok("store", state)].into_iter().chain(parked).collect()
}

/// A store that is not there yet: whether its folder can be made.
fn made(config: &Config, place: &str) -> Finding {
    let folder = existing(&config.delivery.directory);
    let may_write =
        folder.as_ref().is_some_and(|folder| rustix::fs::access(folder, rustix::fs::Access::WRITE_OK).is_ok());
    match may_write || config.cluster.url.is_some() {
        true => Finding::ok("store", format!("{place} is made by the first start")),
        false => Finding::failure(
            "store",
            format!("{place} cannot be made"),
            "let the gateway's user write into [delivery] directory, or name another folder",
        ),
    }
}
