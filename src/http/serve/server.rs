//! A listener: who may connect, until when.
//!
//! On a stop, what has connected already is still served and nothing more is accepted. Connections that wait in the
//! kernel's queue are taken first: nobody is there who would serve them after us, unless the socket is another's too.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use futures_util::FutureExt;
use tokio::{
    net::{TcpListener, TcpStream},
    time,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{connection, front::Front};
use crate::{
    http::request::origin,
    limits::{ConcurrencyLimit, Most},
};

/// How long to wait after a failed accept, which is most often a lack of file descriptors that passes.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// tokio lets so many connections wait in the kernel's queue.
const QUEUED: usize = 1_024;
/// The answer to a connection above the limit. Nothing of its request is read.
const TURNED_AWAY: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/// A listener that is bound and not served yet, so that its address can be told.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    admission: Arc<ConcurrencyLimit>,
}

impl Server {
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(address).await?, admission: Arc::default() })
    }

    /// On a socket that somebody else has opened.
    pub fn on(listener: std::net::TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self { listener: TcpListener::from_std(listener)?, admission: Arc::default() })
    }

    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    pub fn admission(&self) -> Arc<ConcurrencyLimit> {
        self.admission.clone()
    }

    /// Serves until `stop`, and then until the last connection has finished or `drain` is over.
    pub async fn serve(self, front: impl Front, stop: CancellationToken, drain: Duration) {
        let connections = TaskTracker::new();
        let take = |accepted: io::Result<(TcpStream, SocketAddr)>| match accepted {
            Ok((stream, peer)) => {
                self.take(&connections, &front, &stop, stream, peer.ip());
                true
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                false
            }
        };
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = self.listener.accept() => accepted,
            };
            if !take(accepted) {
                time::sleep(ACCEPT_PAUSE).await;
            }
        }
        for _ in 0..QUEUED {
            match self.listener.accept().now_or_never() {
                Some(accepted) => take(accepted),
                None => break,
            };
        }
        drop(self.listener);
        connections.close();
        if time::timeout(drain, connections.wait()).await.is_err() {
            tracing::warn!(connections = connections.len(), "connections were still open when the drain was over");
        }
    }

    fn take(
        &self,
        connections: &TaskTracker,
        front: &impl Front,
        stop: &CancellationToken,
        stream: TcpStream,
        peer: IpAddr,
    ) {
        let rules = front.rules();
        let is_trusted = origin::is_trusted(peer, &rules.trusted);
        let limits = &rules.limits;
        let most = Most { all: limits.connections.get(), each: limits.connections_per_address.get() };
        match self.admission.admit((!is_trusted).then_some(peer), most) {
            Ok(admitted) => {
                let admitted = Arc::new(admitted);
                connections.spawn(connection::serve(front.clone(), rules, stop.clone(), stream, peer, admitted));
            }
            Err(why) => {
                front.note_turned_away(peer, why);
                if rules.tls.is_none() {
                    // Tokio does not know yet that it can be written to. What does not fit into an empty buffer is not
                    // worth waiting for.
                    let _ = rustix::io::write(&stream, TURNED_AWAY);
                }
            }
        }
    }
}
