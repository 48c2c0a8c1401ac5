//! A request's body, within limits of size, time and memory.
//!
//! A body that comes steadily may take long; one that trickles is cut. [`Arriving`] is passed on as it comes; [`collect`]
//! reads the whole, and what it holds counts against the room that all bodies share.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use bytesize::ByteSize;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep};

use crate::{
    config::Limits,
    memory::{Full, Held, Memory},
};

/// Memory is counted in pieces of this size.
const PIECE: usize = 1 << 10;
/// No more than this is set aside because a body has announced its size.
const SET_ASIDE: usize = 64 << 10;

/// What is passed on is waited for up to this size.
const SHORT: u64 = 1 << 20;

/// Why a request's body did not come in whole.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BodyError {
    #[error("the body is larger than the {0} that [limits] body allows")]
    TooLarge(ByteSize),
    #[error("the body is larger than the {0} that a login may have")]
    TooLargeForLogin(ByteSize),
    #[error("the body did not come within the {} s of [limits] body_timeout, nor as fast as body_rate", .0.as_secs_f32())]
    TimedOut(Duration),
    #[error("the connection ended within the body")]
    Broken,
    #[error("the calls under way fill the memory that [limits] bodies allows; come back in a moment")]
    NoRoom,
    #[error(
        "this body needs {needed} of memory, more than the {limit} that [limits] bodies allows; send it in several calls"
    )]
    TooMuch { needed: ByteSize, limit: ByteSize },
    #[error("the body is packed (`Content-Encoding: {0}`); send it as it is")]
    Encoded(String),
}

impl From<Full> for BodyError {
    fn from(full: Full) -> Self {
        let size = |bytes| ByteSize(u64::try_from(bytes).unwrap_or(u64::MAX));
        match full {
            Full::Now { .. } => Self::NoRoom,
            Full::Always { needed, limit } => Self::TooMuch { needed: size(needed), limit: size(limit) },
        }
    }
}

/// A body on its way in.
pub(super) struct Arriving {
    body: Incoming,
    most: ByteSize,
    received: u64,
    patience: Duration,
    /// What must come within each `patience`, if not the end.
    share: u64,
    /// What has come when the present `patience` began.
    before: u64,
    began: Instant,
    /// The end of the present `patience`, once something was waited for.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl Arriving {
    /// What announces itself as too large is refused before a byte of it is read.
    pub(super) fn new(body: Incoming, limits: &Limits) -> Result<Self, BodyError> {
        if body.size_hint().lower() > limits.body.as_u64() {
            return Err(BodyError::TooLarge(limits.body));
        }
        let patience = limits.body_timeout;
        Ok(Self {
            body,
            most: limits.body,
            received: 0,
            patience,
            share: limits.body_rate.as_u64().saturating_mul(patience.as_secs().max(1)),
            before: 0,
            began: Instant::now(),
            deadline: None,
        })
    }

    /// Whether too little has come since the last time. What came fast before buys no silence later.
    fn is_too_slow(&mut self, context: &mut Context<'_>) -> bool {
        let first = self.began + self.patience;
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(first)));
        while deadline.as_mut().poll(context).is_ready() {
            if self.received - self.before < self.share {
                return true;
            }
            self.before = self.received;
            deadline.as_mut().reset(Instant::now() + self.patience);
        }
        false
    }
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        match Pin::new(&mut this.body).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                this.received += frame.data_ref().map_or(0, |data| data.len() as u64);
                Poll::Ready(Some(if this.received > this.most.as_u64() {
                    Err(BodyError::TooLarge(this.most))
                } else {
                    Ok(frame)
                }))
            }
            Poll::Ready(Some(Err(_))) => Poll::Ready(Some(Err(BodyError::Broken))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending if this.is_too_slow(context) => Poll::Ready(Some(Err(BodyError::TimedOut(this.patience)))),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Reads the whole body. Its room is given back when the last copy of the bytes is dropped.
pub async fn collect(body: Incoming, limits: &Limits, memory: &Arc<Memory>) -> Result<Bytes, BodyError> {
    let mut body = Arriving::new(body, limits)?;
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    let mut bytes = BytesMut::with_capacity(announced.min(SET_ASIDE));
    let mut held = memory.hold_nothing();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            make_room(&mut held, bytes.len() + data.len())?;
            add(&mut bytes, &data, announced);
        }
    }
    Ok(Bytes::from_owner(Counted { bytes: bytes.freeze(), _held: held }))
}

/// Adds what has come. Of a body that comes as announced, the memory is taken in a few steps rather than by doubling.
fn add(bytes: &mut BytesMut, data: &[u8], announced: usize) {
    if bytes.capacity() - bytes.len() < data.len() {
        let more = announced.saturating_sub(bytes.len()).min(bytes.len().saturating_mul(7));
        bytes.reserve(more.max(data.len()));
    }
    bytes.extend_from_slice(data);
}

/// Room for the first `size` bytes of a body. Those that are held already count.
fn make_room(held: &mut Held, size: usize) -> Result<(), BodyError> {
    let more = size.next_multiple_of(PIECE).saturating_sub(held.bytes());
    Ok(held.grow(more)?)
}

/// Bytes that count as held.
struct Counted {
    bytes: Bytes,
    _held: Held,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// A body that is to be passed on.
pub enum Passing {
    /// It was short enough to wait for.
    Whole(Bytes),
    /// What has come of it, and the rest as it comes.
    Streamed(Streamed),
}

/// A body whose beginning has come already.
pub struct Streamed {
    first: Option<Bytes>,
    rest: Arriving,
}

impl Passing {
    /// Waits for a short body, so that Odoo is not kept waiting by a slow caller; a long one is streamed.
    pub async fn open(body: Incoming, limits: &Limits, memory: &Arc<Memory>) -> Result<Self, BodyError> {
        let mut rest = Arriving::new(body, limits)?;
        let mut held = memory.hold_nothing();
        let announced = usize::try_from(rest.size_hint().lower()).unwrap_or(usize::MAX);
        let mut bytes = BytesMut::new();
        while rest.size_hint().lower() <= SHORT && bytes.len() as u64 <= SHORT {
            let Some(frame) = rest.frame().await else {
                if bytes.is_empty() {
                    return Ok(Self::Whole(Bytes::new()));
                }
                return Ok(Self::Whole(Bytes::from_owner(Counted { bytes: bytes.freeze(), _held: held })));
            };
            if let Ok(data) = frame?.into_data() {
                make_room(&mut held, bytes.len() + data.len())?;
                add(&mut bytes, &data, announced);
            }
        }
        let first =
            Some(Bytes::from_owner(Counted { bytes: bytes.freeze(), _held: held })).filter(|first| !first.is_empty());
        Ok(Self::Streamed(Streamed { first, rest }))
    }

    /// How much of it has come or was announced.
    pub fn size(&self) -> usize {
        match self {
            Self::Whole(bytes) => bytes.len(),
            Self::Streamed(body) => usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX),
        }
    }
}

impl Body for Streamed {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.first.take() {
            Some(first) => Poll::Ready(Some(Ok(Frame::data(first)))),
            None => Pin::new(&mut self.rest).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let first = self.first.as_ref().map_or(0, |first| first.len() as u64);
        let rest = self.rest.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(first + rest.lower());
        if let Some(upper) = rest.upper() {
            hint.set_upper(first + upper);
        }
        hint
    }
}
