//! A websocket between a caller and Odoo: bytes in both directions, until one side ends it.
//!
//! What is said in it is theirs. It ends when nothing has come from either side for long, and when the gateway stops;
//! Odoo's web client then opens another.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http::request::Parts;
use http_body_util::{BodyExt, Full};
use hyper::{
    body::Incoming,
    upgrade::{OnUpgrade, Upgraded},
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::{self, Instant},
};
use tokio_util::sync::CancellationToken;

use super::{connections::Connection, headers};
use crate::{limits::Permit, odoo::PublicAddress, wire::Response};

/// Odoo itself ends one after an hour (16-19).
const IDLE: Duration = Duration::from_secs(4_200);
/// How long a side may take nothing.
const STUCK: Duration = Duration::from_secs(60);
const BUFFER: usize = 16 << 10;

/// A caller that wants a websocket.
pub(super) struct Websocket {
    caller: OnUpgrade,
    /// The connection stays counted while the websocket lives.
    admitted: Option<Arc<Permit>>,
}

impl Websocket {
    pub(super) fn asked(head: &mut Parts) -> Option<Self> {
        let is_wanted = headers::wants_websocket(&head.headers);
        let caller = head.extensions.remove::<OnUpgrade>()?;
        is_wanted.then(|| Self { caller, admitted: head.extensions.remove::<Arc<Permit>>() })
    }

    pub(super) fn join(
        self,
        mut response: http::Response<Incoming>,
        connection: Connection,
        outside: &PublicAddress,
        stop: CancellationToken,
    ) -> Response {
        let odoo = hyper::upgrade::on(&mut response);
        // It hands over what it has read and is done.
        connection.go_on();
        headers::to_caller(response.headers_mut(), outside);
        headers::switch_to_websocket(response.headers_mut());
        tokio::spawn(splice(self.caller, odoo, stop, self.admitted));
        response.map(|_| Full::default().map_err(|never| match never {}).boxed_unsync())
    }
}

/// Runs until it is over. What is `kept` is dropped then.
async fn splice<K>(caller: OnUpgrade, odoo: OnUpgrade, stop: CancellationToken, kept: K) {
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
