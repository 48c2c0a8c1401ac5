//! One connection, from its handshake to its end.
//!
//! Which HTTP is spoken is settled by TLS; in clear text it is HTTP/1.1, since hyper's own detection of HTTP/2 waits
//! without end for a peer that sends nothing. A connection that does nothing is closed.

use std::{
    convert::Infallible,
    net::IpAddr,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, header};
use hyper::{
    body::{Frame, Incoming, SizeHint},
    server::conn::{http1, http2},
    service::service_fn,
    upgrade::OnUpgrade,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::{
    front::{Front, Malformed, Rules},
    steady::Steady,
    streams::{self, Activity, Streams},
    throughput::MinThroughput,
    tls::H2,
};
use crate::{limits::Permit, wire::Body};

/// After a stop, a connection of HTTP/1.1 stays open for this long: a request may be on its way on it, and would be lost.
const LINGER: Duration = Duration::from_secs(1);
/// Requests at a time on one connection of HTTP/2.
const STREAMS: u32 = 100;
/// How often a silent connection of HTTP/2 is asked whether it is alive.
const PING: Duration = Duration::from_secs(30);

/// Counted as `admitted` for as long as it is open, also when it has become a websocket's.
pub(in crate::http) async fn serve(
    front: impl Front,
    rules: Rules,
    stop: CancellationToken,
    stream: TcpStream,
    peer: IpAddr,
    admitted: Arc<Permit>,
) {
    // Answers are written whole, so nothing is gained by waiting for more.
    let _ = stream.set_nodelay(true);
    let Some(tls) = rules.tls.clone() else {
        return Box::pin(http1(front, &rules, stop, stream, peer, admitted)).await;
    };
    // On the heap, each, so that a connection takes no more room than what it speaks needs.
    let handshake = Box::pin(TlsAcceptor::from(tls).accept(stream));
    match time::timeout(rules.limits.header_timeout, handshake).await {
        Ok(Ok(stream)) if stream.get_ref().1.alpn_protocol() == Some(H2) => {
            Box::pin(http2(front, &rules, stop, stream, peer)).await;
        }
        Ok(Ok(stream)) => Box::pin(http1(front, &rules, stop, stream, peer, admitted)).await,
        Ok(Err(error)) => tracing::debug!(%peer, %error, "a TLS handshake failed"),
        Err(_) => tracing::debug!(%peer, "a TLS handshake took too long"),
    }
}

async fn http1<T>(
    front: impl Front,
    rules: &Rules,
    stop: CancellationToken,
    stream: T,
    peer: IpAddr,
    admitted: Arc<Permit>,
) where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let head = usize::try_from(rules.limits.header_size.as_u64()).unwrap_or(usize::MAX);
    let mut builder = http1::Builder::new();
    // It closes a connection that does nothing, too. The buffer is one for heads and for pieces of bodies.
    builder.timer(TokioTimer::new()).header_read_timeout(rules.limits.header_timeout);
    builder.max_header_size(head).max_buf_size(head);
    let service = {
        let front = front.clone();
        // To clone a token takes a lock that all connections share.
        let stop = Arc::new(stop.clone());
        service_fn(move |mut request: http::Request<Incoming>| {
            let (front, stop) = (front.clone(), stop.clone());
            if request.extensions().get::<OnUpgrade>().is_some() {
                request.extensions_mut().insert(admitted.clone());
            }
            async move {
                let mut response = front.answer(peer, request).await;
                if stop.is_cancelled() {
                    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
                }
                Ok::<_, Infallible>(response)
            }
        })
    };
    let io = TokioIo::new(Steady::new(stream, MinThroughput::of(&rules.limits)));
    let mut connection = pin!(builder.serve_connection(io, service).with_upgrades());
    let leave = async {
        stop.cancelled().await;
        time::sleep(LINGER).await;
    };
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = leave => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "a connection ended badly");
        if let Some(malformed) = malformed(&error) {
            front.note_malformed(peer, malformed).await;
        }
    }
}

fn malformed(error: &hyper::Error) -> Option<Malformed> {
    match error {
        // A URL of more than 64 KiB, too, which hyper does not tell apart.
        error if error.is_parse_too_large() => Some(Malformed::HeadTooLarge),
        error if error.is_parse() => Some(Malformed::NotHttp),
        _ => None,
    }
}

async fn http2<T>(front: impl Front, rules: &Rules, stop: CancellationToken, stream: T, peer: IpAddr)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let head = u32::try_from(rules.limits.header_size.as_u64()).unwrap_or(u32::MAX);
    let activity = Arc::new(Activity::default());
    let mut builder = http2::Builder::new(Streams::new(activity.clone(), MinThroughput::of(&rules.limits)));
    builder.timer(TokioTimer::new()).max_header_list_size(head).max_concurrent_streams(STREAMS);
    builder.keep_alive_interval(PING).keep_alive_timeout(rules.limits.header_timeout);
    let service = service_fn(move |request| {
        let front = front.clone();
        async move { Ok::<_, Infallible>(streams::watch(front.answer(peer, request).await)) }
    });
    let io = TokioIo::new(Steady::new(stream, MinThroughput::of(&rules.limits)));
    let mut connection = pin!(builder.serve_connection(io, service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        // The other side is told to ask no more; what it has asked is answered.
        () = async { tokio::select! { () = stop.cancelled() => {}, () = activity.idle(rules.limits.header_timeout) => {} } } => {
            connection.as_mut().graceful_shutdown();
            // It may not even listen. Of answers, the last pieces may still be on their way.
            let patience = if activity.has_begun() { rules.limits.body_timeout } else { rules.limits.header_timeout };
            tokio::select! {
                ended = connection.as_mut() => ended,
                () = activity.idle(patience) => return tracing::debug!(%peer, "a connection was given up"),
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "a connection ended badly");
    }
}

/// A body that keeps something until it is out.
pub(in crate::http) struct Guarded<G> {
    pub(in crate::http) body: Body,
    pub(in crate::http) _guard: G,
}

impl<G: Unpin> hyper::body::Body for Guarded<G> {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
