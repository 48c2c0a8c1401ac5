//! Bodies on their way through, each with an eye on the side that may leave it where it is.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{self, Instant, Sleep};

/// Since when Odoo has had all that has come for it; none while more is waited for.
pub(super) struct Offered(Mutex<Option<Instant>>);

impl Default for Offered {
    fn default() -> Self {
        Self(Mutex::new(Some(Instant::now())))
    }
}

impl Offered {
    fn set(&self, since: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }

    /// Comes back when it has had it for so long.
    pub(super) async fn is_left(&self, patience: Duration) {
        loop {
            let since = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let until = since.map_or_else(|| Instant::now() + patience, |since| since + patience);
            if until <= Instant::now() {
                return;
            }
            time::sleep_until(until).await;
        }
    }
}

/// A body on its way out. It is asked for more when what it gave has been taken.
pub(super) struct Watched<B> {
    pub(super) body: B,
    pub(super) offered: Arc<Offered>,
}

impl<B: Body + Unpin> Body for Watched<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        self.offered.set(polled.is_ready().then(Instant::now));
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Odoo's answer on its way to the caller; fails when Odoo falls silent within it.
pub(super) struct Flowing {
    body: Incoming,
    patience: Duration,
    /// While Odoo is waited for; a caller that takes its time is not Odoo's silence.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl Flowing {
    pub(super) fn new(body: Incoming, patience: Duration) -> Self {
        Self { body, patience, deadline: None }
    }
}

impl Body for Flowing {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) {
            this.deadline = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let deadline = this.deadline.get_or_insert_with(|| Box::pin(time::sleep(this.patience)));
        deadline.as_mut().poll(context).map(|()| Some(Err("Odoo fell silent within its answer".into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
