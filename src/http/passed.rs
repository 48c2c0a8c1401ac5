//! The log lines of a request that is passed on to Odoo, or that is for nothing that the gateway serves.
//!
//! The first line is on disk before Odoo gets the request; that of a request that only reads is handed to the log before, and not
//! waited for ([`Reach`]). The last one is written when the last byte of the answer has gone out, or the caller has hung up; the
//! caller does not wait for it.

use std::{
    net::IpAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use bytes::Bytes;
use http::{Request, StatusCode, header, request::Parts};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Frame, SizeHint};
use uuid::Uuid;

use super::{Site, respond, serve::front::Malformed};
use crate::{
    config::Kept,
    errors::Code,
    key_texts::mask_keys,
    log::{self, Passed, PassedEnd, State},
    wire::{Body, Passing, Response},
};

/// A path is kept up to so many bytes.
const PATH: usize = 512;

/// What a request may do at Odoo, as far as its head and its body tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// It asks for a page, a file or options, and brings nothing.
    Reads,
    /// It may change something, now or, as a websocket does, later.
    Writes,
}

impl Reach {
    /// By a GET with a body, Odoo's routes of JSON write as by a POST (14-19).
    pub(super) fn of(head: &Parts, body: &Passing) -> Self {
        let is_empty = matches!(body, Passing::Whole(bytes) if bytes.is_empty());
        let is_upgrade = head.headers.contains_key(header::UPGRADE);
        if head.method.is_safe() && is_empty && !is_upgrade { Self::Reads } else { Self::Writes }
    }
}

/// One request on its way.
pub(super) struct Passage {
    site: Arc<Site>,
    passed: Passed,
    received: Option<u64>,
    /// Odoo may have got it.
    has_begun: bool,
    started: Instant,
}

impl Passage {
    pub(super) fn new<B: hyper::body::Body>(site: &Arc<Site>, address: IpAddr, request: &Request<B>) -> Self {
        let cut = |text: &str| text[..text.floor_char_boundary(PATH)].to_owned();
        let path = site.calls.hooks.without_token(request.uri().path());
        let passed = Passed {
            id: Uuid::now_v7(),
            method: cut(request.method().as_str()),
            // Somebody may have put a key there.
            path: cut(&mask_keys(&path)),
            address,
            size: usize::try_from(request.body().size_hint().lower()).unwrap_or(usize::MAX),
        };
        Self { site: site.clone(), passed, received: None, has_begun: false, started: Instant::now() }
    }

    /// Something that could not be read.
    pub(super) fn of_nothing(site: &Arc<Site>, address: IpAddr) -> Self {
        let passed = Passed { id: Uuid::now_v7(), method: String::new(), path: String::new(), address, size: 0 };
        Self { site: site.clone(), passed, received: None, has_begun: false, started: Instant::now() }
    }

    pub(super) async fn malformed(self, malformed: Malformed) {
        let status = respond::malformed(malformed);
        self.tell(State::Failed, Some(malformed.code().as_str()), status, 0).await;
    }

    pub(super) fn address(&self) -> IpAddr {
        self.passed.address
    }

    pub(super) fn id(&self) -> Uuid {
        self.passed.id
    }

    /// Before it is passed on. Where nothing can be logged, it is not, unless the operator wants it so.
    pub(super) async fn begin(&mut self, size: usize, reach: Reach) -> Result<(), log::Error> {
        self.passed.size = size;
        let log = &self.site.calls.log;
        let announced = match (self.kept(), reach) {
            (Kept::All, Reach::Writes) => Box::pin(log.receive_passed(&self.passed)).await.map(Some),
            (Kept::All, Reach::Reads) => match log.receive_reading(&self.passed) {
                Ok(None) => Ok(None),
                Ok(Some(line)) => Box::pin(log.queue(line)).await.map(|()| None),
                Err(error) => Err(error),
            },
            (Kept::Summary | Kept::Nothing, _) => log.check().map(|()| None),
        };
        match announced {
            Ok(received) => self.received = received,
            Err(error) if self.site.calls.log.may_pass_unlogged() => {
                tracing::warn!(request = %self.passed.id, path = self.passed.path, %error, "a request is passed on that is not in the log");
            }
            Err(error) => return Err(error),
        }
        self.has_begun = true;
        Ok(())
    }

    fn kept(&self) -> Kept {
        self.site.calls.config.log.passed
    }

    /// It was not, or not with success, passed on.
    pub(super) async fn fail(self, code: Code, is_unknown: bool, status: StatusCode) {
        let state = if is_unknown { State::InDoubt } else { State::Failed };
        self.tell(state, Some(code.as_str()), status, 0).await;
    }

    /// It is nothing that the gateway serves.
    pub(super) async fn refuse(self, code: Code, mut response: Response) -> Response {
        respond::name_in_log(response.headers_mut(), self.passed.id);
        self.tell(State::Failed, Some(code.as_str()), response.status(), 0).await;
        response
    }

    /// The gateway itself has answered it: Odoo has no part in it.
    pub(super) async fn handle(self, mut response: Response) -> Response {
        respond::name_in_log(response.headers_mut(), self.passed.id);
        self.tell(State::Done, None, response.status(), 0).await;
        response
    }

    /// The answer, which tells the log when it has gone out.
    pub(super) fn follow(self, mut response: Response) -> Response {
        respond::name_in_log(response.headers_mut(), self.passed.id);
        let status = response.status();
        response.map(|body| Counted { body, passage: Some(self), status, answered: 0, has_ended: false }.boxed_unsync())
    }

    /// Records how it ended, and waits until that is in the log.
    async fn tell(self, state: State, error: Option<&'static str>, status: StatusCode, answer_size: u64) {
        let Some(end) = self.end(state, error, status, answer_size) else { return };
        let told = self.site.calls.log.finish_passed(&self.passed, self.received, end).await;
        note_untold(&self.passed, told);
    }

    /// The same, without a wait.
    fn hand_over(self, state: State, error: Option<&'static str>, status: StatusCode, answer_size: u64) {
        let Some(end) = self.end(state, error, status, answer_size) else { return };
        let calls = &self.site.calls;
        match calls.log.end_passed(&self.passed, self.received, end) {
            Ok(None) => {}
            // At the very end of the process there is no runtime left.
            Ok(Some(line)) => {
                if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                    let (log, passed, tasks) = (calls.log.clone(), self.passed, calls.tasks.clone());
                    tasks.spawn_on(async move { note_untold(&passed, log.queue(line).await) }, &runtime);
                }
            }
            Err(error) => note_untold(&self.passed, Err(error)),
        }
    }

    /// Counts the end of it; what its line is to say, where it has one.
    fn end(
        &self,
        state: State,
        error: Option<&'static str>,
        status: StatusCode,
        answer_size: u64,
    ) -> Option<PassedEnd> {
        let is_refused = !self.has_begun;
        let took = self.started.elapsed();
        self.site.calls.metrics.passed(status.as_u16(), error, took);
        let is_well = state == State::Done && error.is_none();
        let is_kept =
            (!is_refused || self.site.calls.refused_lines.take()) && !(is_well && self.kept() == Kept::Nothing);
        is_kept.then_some(PassedEnd { is_refused, state, status: status.as_u16(), error, answer_size, took })
    }
}

fn note_untold(passed: &Passed, told: Result<(), log::Error>) {
    if let Err(error) = told {
        tracing::error!(request = %passed.id, path = passed.path, %error, "the end of a request is not in the log");
    }
}

/// The body of an answer; its end is told when it is dropped.
struct Counted {
    body: Body,
    passage: Option<Passage>,
    status: StatusCode,
    answered: u64,
    has_ended: bool,
}

impl hyper::body::Body for Counted {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => self.answered += frame.data_ref().map_or(0, |data| data.len() as u64),
            Poll::Ready(None) => self.has_ended = true,
            Poll::Ready(Some(Err(_))) | Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let is_whole = self.has_ended || self.body.is_end_stream();
        if let Some(passage) = self.passage.take() {
            // Odoo has done it, whatever became of the answer.
            let error = (!is_whole).then_some("answer_cut");
            passage.hand_over(State::Done, error, self.status, self.answered);
        }
    }
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;

    #[test]
    fn a_request_reads_where_it_brings_nothing_and_cannot_write_later() {
        for (method, upgrade, body, expected) in [
            (Method::GET, None, "", Reach::Reads),
            (Method::HEAD, None, "", Reach::Reads),
            (Method::OPTIONS, None, "", Reach::Reads),
            (Method::GET, Some("websocket"), "", Reach::Writes),
            (Method::GET, None, "{}", Reach::Writes),
            (Method::POST, None, "", Reach::Writes),
            (Method::DELETE, None, "", Reach::Writes),
        ] {
            let mut request = Request::builder().method(&method);
            if let Some(protocol) = upgrade {
                request = request.header(header::UPGRADE, protocol);
            }
            let (head, ()) = request.body(()).unwrap().into_parts();
            let body = Passing::Whole(Bytes::from_static(body.as_bytes()));
            assert_eq!(Reach::of(&head, &body), expected, "{method} {upgrade:?}");
        }
    }
}
