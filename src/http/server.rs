//! A listener and its connections.
//!
//! HTTP/1.1 in clear text: hyper's detection of HTTP/2 waits without end for a peer that sends nothing. On a stop, no
//! connection is accepted any more, idle ones are closed, and those with a request under way may finish it.

use std::{
    convert::Infallible,
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::{net::TcpListener, time};
use tokio_util::sync::CancellationToken;

use super::Response;

/// How long to wait after a failed accept, which is most often a lack of file descriptors that passes.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A listener that is bound and not served yet, so that its address can be told.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    header_timeout: Duration,
}

impl Server {
    pub async fn bind(address: SocketAddr, header_timeout: Duration) -> io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(address).await?, header_timeout })
    }

    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop`, and then until the last connection has finished or `drain` is over.
    pub async fn serve<S, F>(self, service: S, stop: CancellationToken, drain: Duration)
    where
        S: Fn(IpAddr, http::Request<Incoming>) -> F + Clone + Send + 'static,
        F: Future<Output = Result<Response, Infallible>> + Send + 'static,
    {
        let graceful = GracefulShutdown::new();
        let mut builder = http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(self.header_timeout);
        loop {
            let (stream, peer) = tokio::select! {
                () = stop.cancelled() => break,
                accepted = self.listener.accept() => match accepted {
                    Ok(accepted) => accepted,
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be accepted");
                        time::sleep(ACCEPT_PAUSE).await;
                        continue;
                    }
                },
            };
            let service = service.clone();
            let connection =
                builder.serve_connection(TokioIo::new(stream), service_fn(move |request| service(peer.ip(), request)));
            let connection = graceful.watch(connection);
            tokio::spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!(%peer, %error, "a connection ended badly");
                }
            });
        }
        drop(self.listener);
        if time::timeout(drain, graceful.shutdown()).await.is_err() {
            tracing::warn!("connections were still open when the drain was over");
        }
    }
}
