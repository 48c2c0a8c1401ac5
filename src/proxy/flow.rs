//! Bodies on their way through, each with an eye on the side that may leave it where it is.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{self, Instant, Sleep};

use super::connections::{Connection, Connections};
use crate::wire::{BodyError, Streamed};

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

/// The body of a request to Odoo.
pub(super) enum Outgoing {
    Whole(Full<Bytes>),
    Streamed(Watched<Streamed>),
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Self::Whole(body) => Pin::new(body).poll_frame(context).map_err(|never| match never {}),
            Self::Streamed(body) => Pin::new(body).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(body) => body.is_end_stream(),
            Self::Streamed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => body.size_hint(),
            Self::Streamed(body) => body.size_hint(),
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
    /// What brings it, until it is whole.
    from: Option<(Connection, Arc<Connections>)>,
    patience: Duration,
    /// While Odoo is waited for; a caller that takes its time is not Odoo's silence.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl Flowing {
    pub(super) fn new(body: Incoming, from: (Connection, Arc<Connections>), patience: Duration) -> Self {
        let mut flowing = Self { body, from: Some(from), patience, deadline: None };
        if flowing.body.is_end_stream() {
            flowing.give_back();
        }
        flowing
    }

    fn give_back(&mut self) {
        if let Some((connection, connections)) = self.from.take() {
            connections.give_back(connection);
        }
    }

    fn poll_body(&mut self, context: &mut Context<'_>) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        let Some((connection, _)) = self.from.as_mut().filter(|_| polled.is_pending()) else { return polled };
        connection.drive(context);
        Pin::new(&mut self.body).poll_frame(context)
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
        if let Poll::Ready(frame) = this.poll_body(context) {
            this.deadline = None;
            // Behind data there may be more, unless its length is known; behind trailers and a failure there is nothing.
            if !matches!(&frame, Some(Ok(frame)) if frame.is_data()) || this.body.is_end_stream() {
                this.give_back();
            }
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
