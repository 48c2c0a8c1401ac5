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
use tokio::{
    sync::Notify,
    time::{self, Instant, Sleep},
};

use super::{Body, Response};

/// h2 takes a piece whole as soon as the other side takes a byte of it.
const PIECE: usize = 16 << 10;

tokio::task_local! {
    static OFFERED: Arc<Offered>;
}

/// Runs each request of a connection, until its answer is out or is not taken.
#[derive(Clone)]
pub(super) struct Streams {
    activity: Arc<Activity>,
    patience: Duration,
}

impl Streams {
    /// An answer of which nothing is taken for as long as `patience` is given up.
    pub(super) fn new(activity: Arc<Activity>, patience: Duration) -> Self {
        Self { activity, patience }
    }
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        let (under_way, patience) = (UnderWay::begin(&self.activity), self.patience);
        let offered = Arc::<Offered>::default();
        let watched = {
            let offered = offered.clone();
            async move {
                // Of the two, the stream comes first: what it has just offered is seen at once.
                tokio::select! {
                    biased;
                    () = stream => {}
                    () = offered.is_left(patience) => tracing::debug!("an answer was not taken"),
                }
                drop(under_way);
            }
        };
        tokio::spawn(OFFERED.scope(offered, watched));
    }
}

/// The answer, as it must go out; to be called within the request's own task.
pub(super) fn watch(response: Response) -> Response {
    match OFFERED.try_with(Arc::clone) {
        Ok(offered) => response.map(|body| Pieces { body, rest: Bytes::new(), offered }.boxed_unsync()),
        Err(_) => response,
    }
}

/// Since when a piece waits to be taken.
#[derive(Default)]
struct Offered(Mutex<Option<Instant>>);

impl Offered {
    fn since(&self) -> MutexGuard<'_, Option<Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ready when one piece has waited for so long. It is polled whenever the stream is.
    async fn is_left(&self, patience: Duration) {
        let mut deadline: Option<Pin<Box<Sleep>>> = None;
        poll_fn(|context| {
            let Some(until) = self.since().map(|since| since + patience) else { return Poll::Pending };
            let deadline = deadline.get_or_insert_with(|| Box::pin(time::sleep_until(until)));
            if deadline.deadline() != until {
                deadline.as_mut().reset(until);
            }
            deadline.as_mut().poll(context)
        })
        .await;
    }
}

/// A body in pieces. Asked for the next one, it knows that the last one was taken.
struct Pieces {
    body: Body,
    rest: Bytes,
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
        *this.offered.since() = None;
        if this.rest.is_empty() {
            match std::task::ready!(Pin::new(&mut this.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => this.rest = data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                end => return Poll::Ready(end),
            }
        }
        *this.offered.since() = Some(Instant::now());
        Poll::Ready(Some(Ok(Frame::data(this.rest.split_to(this.rest.len().min(PIECE))))))
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
pub(super) struct Activity {
    under_way: AtomicUsize,
    has_begun: AtomicBool,
    ended: Notify,
}

impl Activity {
    /// Whether there has been a request at all.
    pub(super) fn has_begun(&self) -> bool {
        self.has_begun.load(Relaxed)
    }

    /// Waits until nothing has been under way for so long.
    pub(super) async fn idle(&self, patience: Duration) {
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

    use super::*;

    #[tokio::test]
    async fn a_body_goes_out_in_pieces_and_whole() {
        let whole = Bytes::from(vec![7; 2 * PIECE + 5]);
        let body = Full::new(whole.clone()).map_err(|never| match never {}).boxed_unsync();
        let offered = Arc::<Offered>::default();
        let mut pieces = Pieces { body, rest: Bytes::new(), offered: offered.clone() };
        let (mut sizes, mut all) = (Vec::new(), Vec::new());
        while !pieces.is_end_stream() {
            assert_eq!(pieces.size_hint().exact(), Some((whole.len() - all.len()) as u64));
            let piece = pieces.frame().await.unwrap().unwrap().into_data().unwrap();
            sizes.push(piece.len());
            all.extend_from_slice(&piece);
        }
        assert_eq!((sizes, all.into()), (vec![PIECE, PIECE, 5], whole));
        assert!(offered.since().is_some());
    }
}
