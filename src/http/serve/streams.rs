//! The requests of one connection of HTTP/2: whether any are under way, and whether their answers are taken.
//!
//! By HTTP/2 the other side may leave one answer where it is and take all else, so that the connection itself never stands
//! still. Each answer is watched, therefore, and goes out in pieces: what h2 has in hand has left our sight.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::{
    body::{Frame, SizeHint},
    rt::Executor,
};
use tokio::{sync::Notify, time};

use super::throughput::{MinThroughput, Throughput};
use crate::wire::{Body, Response};

/// h2 takes a piece whole as soon as the other side takes a byte of it.
const PIECE: usize = 16 << 10;

tokio::task_local! {
    static OFFERED: Arc<Offered>;
}

/// Runs each request of a connection, until its answer is out or is not taken.
#[derive(Clone)]
pub(in crate::http) struct Streams {
    activity: Arc<Activity>,
    min: MinThroughput,
}

impl Streams {
    /// An answer that is taken more slowly than the min is given up.
    pub(in crate::http) fn new(activity: Arc<Activity>, min: MinThroughput) -> Self {
        Self { activity, min }
    }
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        let under_way = UnderWay::begin(&self.activity);
        let offered = Arc::new(Offered::new(self.min));
        let watched = {
            let offered = offered.clone();
            async move {
                // Of the two, the stream comes first: what it has just offered is seen at once.
                tokio::select! {
                    biased;
                    () = stream => {}
                    () = offered.is_left() => tracing::debug!("an answer was taken too slowly"),
                }
                drop(under_way);
            }
        };
        tokio::spawn(OFFERED.scope(offered, watched));
    }
}

/// The answer, as it must go out; to be called within the request's own task.
pub(in crate::http) fn watch(response: Response) -> Response {
    match OFFERED.try_with(Arc::clone) {
        Ok(offered) => response.map(|body| Pieces { body, rest: Bytes::new(), last: 0, offered }.boxed_unsync()),
        Err(_) => response,
    }
}

/// What is taken of an answer, and whether a piece of it waits.
struct Offered(Mutex<(Throughput, bool)>);

impl Offered {
    fn new(min: MinThroughput) -> Self {
        Self(Mutex::new((Throughput::new(min), false)))
    }

    fn state(&self) -> MutexGuard<'_, (Throughput, bool)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A piece was offered.
    fn offer(&self) {
        self.state().1 = true;
    }

    /// The piece was taken.
    fn took(&self, bytes: usize) {
        self.state().0.took(bytes);
    }

    /// There is nothing to take at the moment.
    fn rest(&self) {
        let (taking, is_offered) = &mut *self.state();
        *is_offered = false;
        taking.rest();
    }

    /// Ready when too little is taken. It is polled whenever the stream is.
    async fn is_left(&self) {
        poll_fn(|context| match &mut *self.state() {
            (taking, true) => taking.poll_too_slow(context),
            (_, false) => Poll::Pending,
        })
        .await;
    }
}

/// A body in pieces. Asked for the next one, it knows that the last one was taken.
struct Pieces {
    body: Body,
    rest: Bytes,
    /// The size of the piece that was offered last.
    last: usize,
    offered: Arc<Offered>,
}

impl hyper::body::Body for Pieces {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        this.offered.took(std::mem::take(&mut this.last));
        if this.rest.is_empty() {
            match Pin::new(&mut this.body).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => this.rest = data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                pending_or_end => {
                    this.offered.rest();
                    return pending_or_end;
                }
            }
        }
        let piece = this.rest.split_to(this.rest.len().min(PIECE));
        this.last = piece.len();
        this.offered.offer();
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, hint) = (self.rest.len() as u64, self.body.size_hint());
        let mut all = SizeHint::new();
        all.set_lower(rest + hint.lower());
        if let Some(upper) = hint.upper() {
            all.set_upper(rest + upper);
        }
        all
    }
}

/// How many requests of a connection are under way.
#[derive(Default)]
pub(in crate::http) struct Activity {
    under_way: AtomicUsize,
    has_begun: AtomicBool,
    ended: Notify,
}

impl Activity {
    /// Whether there has been a request at all.
    pub(in crate::http) fn has_begun(&self) -> bool {
        self.has_begun.load(Relaxed)
    }

    /// Waits until nothing has been under way for so long.
    pub(in crate::http) async fn idle(&self, patience: Duration) {
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
        activity.has_begun.store(true, Relaxed);
        Self(activity.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Relaxed);
        self.0.ended.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::Full;
    use hyper::body::Body as _;

    use crate::{config::Config, http::serve::streams::*};

    const CONFIG: &str = "[upstream]\nurl = \"http://o\"\ndatabase = \"d\"\n";

    #[tokio::test]
    async fn a_body_goes_out_in_pieces_and_whole() {
        let whole = Bytes::from(vec![7; 2 * PIECE + 5]);
        let body = Full::new(whole.clone()).map_err(|never| match never {}).boxed_unsync();
        let min = MinThroughput::of(&Config::parse(CONFIG, "gateway.toml".as_ref()).unwrap().limits);
        let offered = Arc::new(Offered::new(min));
        let mut pieces = Pieces { body, rest: Bytes::new(), last: 0, offered: offered.clone() };
        let (mut sizes, mut all) = (Vec::new(), Vec::new());
        while !pieces.is_end_stream() {
            assert_eq!(pieces.size_hint().exact(), Some((whole.len() - all.len()) as u64));
            let piece = pieces.frame().await.unwrap().unwrap().into_data().unwrap();
            sizes.push(piece.len());
            all.extend_from_slice(&piece);
        }
        assert_eq!((sizes, all.into()), (vec![PIECE, PIECE, 5], whole));
        assert!(offered.state().1);
    }
}
