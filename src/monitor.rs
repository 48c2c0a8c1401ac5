//! What is looked at regularly, told as metrics, and said ahead of time: what the log takes and which of its calls are in doubt, when
//! certificates end, when Odoo's API keys of clients expire, and clients themselves.
//!
//! Invariants: nothing here is on the way of a call. The log and files are read on threads that may block, the log for a small part
//! of the time at most. Odoo is asked one question for each client once a day, and only for a client whose calls it has accepted.

mod expiry;
mod keys;

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::{
    task,
    time::{self, Instant},
};
use tokio_util::sync::CancellationToken;

pub use self::expiry::AHEAD;
use self::{expiry::Told, keys::Keys};
use crate::{
    certificate,
    config::Config,
    current::Current,
    log::{self, Archive},
    metrics::LogFigures,
};

/// How often everything is looked at.
const LOOK: Duration = Duration::from_secs(60);
/// Reading the log takes at most this part of the time.
const SHARE: u32 = 200;

/// Looks until the gateway stops.
pub async fn watch(current: Arc<Current>, stop: CancellationToken) {
    let (mut keys, mut told) = (Keys::default(), Told::default());
    let mut log_at = Instant::now();
    loop {
        {
            let service = current.site().calls.clone();
            let config = &service.config;
            if Instant::now() >= log_at {
                let began = Instant::now();
                note_log(&service.metrics, &config.log.directory).await;
                log_at = Instant::now() + (began.elapsed() * SHARE).max(LOOK);
            }
            let certificates = certificates(config.clone()).await;
            let clients = expiry::of_clients(&config.clients);
            let now = Timestamp::now();
            told.certificates(&certificates, now);
            told.clients(&clients, now);
            service.metrics.watch(|watched| {
                watched.certificates = certificates.iter().map(|(name, end)| (*name, end.as_second())).collect();
                watched.clients = seconds(&clients);
            });
        } // A service that a reload replaces ends here, not after the pause.
        if stop.run_until_cancelled(time::sleep(LOOK)).await.is_none() {
            return;
        }
        // Not at the start: clients have called nothing yet.
        let service = current.site().calls.clone();
        keys.look(&service, Instant::now()).await;
        let ends = keys.ends();
        told.odoo_keys(&ends, Timestamp::now());
        service.metrics.watch(|watched| watched.odoo_keys = seconds(&ends));
    }
}

fn seconds(ends: &BTreeMap<String, Timestamp>) -> BTreeMap<String, i64> {
    ends.iter().map(|(name, end)| (name.clone(), end.as_second())).collect()
}

async fn note_log(metrics: &crate::metrics::Metrics, folder: &Path) {
    let folder = folder.to_owned();
    let looked = task::spawn_blocking(move || Archive::open(&folder)?.figures()).await;
    match looked {
        Ok(Ok(log::Figures { bytes, segments, in_doubt })) => {
            metrics.watch(|watched| watched.log = Some(LogFigures { bytes, segments, in_doubt }));
        }
        Ok(Err(error)) => tracing::warn!(%error, "the log cannot be looked at"),
        Err(error) => tracing::error!(%error, "the log cannot be looked at"),
    }
}

/// When the certificates of the configuration end, by their keys: of a chain the first to end, of authorities the last.
async fn certificates(config: Arc<Config>) -> BTreeMap<&'static str, Timestamp> {
    let read = move || {
        let chain = config.tls.identity().map(|(certificate, _)| certificate);
        let ends = |file: &Path| certificate::ends(file).unwrap_or_default();
        let served = chain.and_then(|file| ends(file).into_iter().min());
        let authorities = [("tls.client_ca", &config.tls.client_ca), ("upstream.ca", &config.upstream.ca)];
        let last = |file: &Path| ends(file).into_iter().max();
        let authorities = authorities.into_iter().filter_map(|(key, file)| Some((key, last(file.as_deref()?)?)));
        served.map(|end| ("tls.certificate", end)).into_iter().chain(authorities).collect()
    };
    task::spawn_blocking(read).await.unwrap_or_default()
}
