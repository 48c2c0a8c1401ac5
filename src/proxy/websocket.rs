//! A websocket between a caller and Odoo: bytes in both directions, until one side ends it.
//!
//! What is said in it is theirs. It ends when nothing has come from either side for long, and when the gateway stops;
//! Odoo's web client then opens another.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::{self, Instant},
};
use tokio_util::sync::CancellationToken;

/// Odoo itself ends one after an hour (16-19).
const IDLE: Duration = Duration::from_secs(4_200);
/// How long a side may take nothing.
const STUCK: Duration = Duration::from_secs(60);
const BUFFER: usize = 16 << 10;

/// Runs until it is over. What is `kept` is dropped then.
pub(super) async fn splice<K>(caller: OnUpgrade, odoo: OnUpgrade, stop: CancellationToken, kept: K) {
    let both = async {
        let (caller, odoo) = (open(caller).await?, open(odoo).await?);
        let ((from_caller, to_caller), (from_odoo, to_odoo)) = (tokio::io::split(caller), tokio::io::split(odoo));
        let last = Arc::new(Mutex::new(Instant::now()));
        tokio::try_join!(pump(from_caller, to_odoo, last.clone()), pump(from_odoo, to_caller, last)).map(drop)
    };
    tokio::select! {
        ended = both => if let Err(error) = ended { tracing::debug!(%error, "a websocket ended badly") },
        () = stop.cancelled() => {}
    }
    drop(kept);
}

async fn open(upgrade: OnUpgrade) -> io::Result<TokioIo<Upgraded>> {
    let opened = time::timeout(STUCK, upgrade).await?;
    opened.map(TokioIo::new).map_err(io::Error::other)
}

/// One direction. Ends with its source, or when neither direction has had anything to carry for long.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    last: Arc<Mutex<Instant>>,
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let until = *lock(&last) + IDLE;
        match time::timeout_at(until, from.read(&mut buffer)).await {
            Ok(read) => match read? {
                0 => {
                    let _ = to.shutdown().await;
                    return Ok(());
                }
                size => {
                    *lock(&last) = Instant::now();
                    let carried = async {
                        to.write_all(&buffer[..size]).await?;
                        to.flush().await
                    };
                    time::timeout(STUCK, carried).await??;
                }
            },
            // The other direction may have carried something meanwhile.
            Err(_) if *lock(&last) + IDLE > until => {}
            Err(elapsed) => return Err(elapsed.into()),
        }
    }
}

fn lock(last: &Mutex<Instant>) -> std::sync::MutexGuard<'_, Instant> {
    last.lock().unwrap_or_else(PoisonError::into_inner)
}
