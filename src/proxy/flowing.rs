//! Odoo's answer on its way to the caller, and the connection that brings it.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{self, Sleep};

use super::connections::{Connection, Connections};

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
