//! One connection, from its handshake to its end.
//!
//! Which HTTP is spoken is settled by TLS; in clear text it is HTTP/1.1, since hyper's own detection of HTTP/2 waits
//! without end for a peer that sends nothing. A connection that does nothing is closed.

use std::{
    convert::Infallible,
    net::IpAddr,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, header};
use http_body_util::BodyExt;
use hyper::{
    body::{Frame, SizeHint},
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::Notify,
    time,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::{
    Body, Response,
    server::{Front, Malformed, Rules},
    steady::Steady,
    tls::H2,
};

/// After a stop, a connection of HTTP/1.1 stays open for this long: a request may be on its way on it, and would be lost.
const LINGER: Duration = Duration::from_secs(1);
/// Requests at a time on one connection of HTTP/2.
const STREAMS: u32 = 100;
/// How often a silent connection of HTTP/2 is asked whether it is alive.
const PING: Duration = Duration::from_secs(30);

pub(super) async fn serve(front: impl Front, rules: Rules, stop: CancellationToken, stream: TcpStream, peer: IpAddr) {
    // Answers are written whole, so nothing is gained by waiting for more.
    let _ = stream.set_nodelay(true);
    let Some(tls) = rules.tls.clone() else {
        return Box::pin(http1(front, &rules, stop, stream, peer)).await;
    };
    // On the heap, each, so that a connection takes no more room than what it speaks needs.
    let handshake = Box::pin(TlsAcceptor::from(tls).accept(stream));
    match time::timeout(rules.limits.header_timeout, handshake).await {
        Ok(Ok(stream)) if stream.get_ref().1.alpn_protocol() == Some(H2) => {
            Box::pin(http2(front, &rules, stop, stream, peer)).await;
        }
        Ok(Ok(stream)) => Box::pin(http1(front, &rules, stop, stream, peer)).await,
        Ok(Err(error)) => tracing::debug!(%peer, %error, "a TLS handshake failed"),
        Err(_) => tracing::debug!(%peer, "a TLS handshake took too long"),
    }
}

async fn http1<T>(front: impl Front, rules: &Rules, stop: CancellationToken, stream: T, peer: IpAddr)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let head = usize::try_from(rules.limits.header_size.as_u64()).unwrap_or(usize::MAX);
    let mut builder = http1::Builder::new();
    // It closes a connection that does nothing, too. The buffer is one for heads and for pieces of bodies.
    builder.timer(TokioTimer::new()).header_read_timeout(rules.limits.header_timeout);
    builder.max_header_size(head).max_buf_size(head);
    let service = {
        let (front, stop) = (front.clone(), stop.clone());
        service_fn(move |request| {
            let (front, stop) = (front.clone(), stop.clone());
            async move {
                let mut response = front.answer(peer, request).await;
                if stop.is_cancelled() {
                    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
                }
                Ok::<_, Infallible>(response)
            }
        })
    };
    let io = TokioIo::new(Steady::new(stream, rules.limits.body_timeout));
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
        error if error.is_parse_too_large() => Some(Malformed::HeadTooLarge),
        error if error.is_parse() && error.to_string().contains("URI too long") => Some(Malformed::UrlTooLong),
        error if error.is_parse() => Some(Malformed::NotHttp),
        _ => None,
    }
}

async fn http2<T>(front: impl Front, rules: &Rules, stop: CancellationToken, stream: T, peer: IpAddr)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let head = u32::try_from(rules.limits.header_size.as_u64()).unwrap_or(u32::MAX);
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.timer(TokioTimer::new()).max_header_list_size(head).max_concurrent_streams(STREAMS);
    builder.keep_alive_interval(PING).keep_alive_timeout(rules.limits.header_timeout);
    let activity = Arc::new(Activity::default());
    let service = {
        let activity = activity.clone();
        service_fn(move |request| {
            let (front, under_way) = (front.clone(), UnderWay::begin(&activity));
            async move { Ok::<_, Infallible>(under_way.over(front.answer(peer, request).await)) }
        })
    };
    let io = TokioIo::new(Steady::new(stream, rules.limits.body_timeout));
    let mut connection = pin!(builder.serve_connection(io, service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        // The other side is told to ask no more; what it has asked is answered.
        () = async { tokio::select! { () = stop.cancelled() => {}, () = activity.idle(rules.limits.header_timeout) => {} } } => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "a connection ended badly");
    }
}

/// How many requests of a connection are under way.
#[derive(Default)]
struct Activity {
    under_way: AtomicUsize,
    ended: Notify,
}

impl Activity {
    /// Waits until nothing has been under way for so long.
    async fn idle(&self, patience: Duration) {
        loop {
            let ended = self.ended.notified();
            if self.under_way.load(Relaxed) > 0 {
                ended.await;
                continue;
            }
            // One that begins and ends within the time notifies as well.
            if time::timeout(patience, ended).await.is_err() && self.under_way.load(Relaxed) == 0 {
                return;
            }
        }
    }
}

/// One request, until the last of its answer is out.
struct UnderWay(Arc<Activity>);

impl UnderWay {
    fn begin(activity: &Arc<Activity>) -> Self {
        activity.under_way.fetch_add(1, Relaxed);
        Self(activity.clone())
    }

    fn over(self, response: Response) -> Response {
        response.map(|body| Guarded { body, _guard: self }.boxed_unsync())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Relaxed);
        self.0.ended.notify_one();
    }
}

/// A body that keeps something until it is out.
pub(super) struct Guarded<G> {
    pub(super) body: Body,
    pub(super) _guard: G,
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
