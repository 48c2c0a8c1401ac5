//! What the log is told of a request that is passed on to Odoo, or that is none of ours.
//!
//! It is on disk before Odoo gets it. Its end is told when the last byte of the answer has gone
//! out, or the caller has hung up; nobody waits for that.

use std::{net::IpAddr, sync::Arc, time::Instant};

use http::{Request, StatusCode};
use http_body_util::BodyExt;
use uuid::Uuid;

use super::Response;
use crate::{
    app::App,
    log::{self, Passed, PassedEnd, State},
};

/// A path is kept up to so many characters.
const PATH: usize = 512;

/// One request on its way.
pub(super) struct Passage {
    app: Arc<App>,
    passed: Passed,
    received: Option<u64>,
    /// Odoo may have got it.
    has_begun: bool,
    started: Instant,
}

impl Passage {
    pub(super) fn new<B: hyper::body::Body>(app: &Arc<App>, address: IpAddr, request: &Request<B>) -> Self {
        let cut = |text: &str| text.chars().take(PATH).collect();
        let passed = Passed {
            id: Uuid::now_v7(),
            method: cut(request.method().as_str()),
            path: cut(request.uri().path()),
            address,
            size: usize::try_from(request.body().size_hint().lower()).unwrap_or(usize::MAX),
        };
        Self { app: app.clone(), passed, received: None, has_begun: false, started: Instant::now() }
    }

    pub(super) fn id(&self) -> Uuid {
        self.passed.id
    }

    /// Before it is passed on. Where nothing can be logged, it is not, unless the operator wants it so.
    pub(super) async fn begin(&mut self, size: usize) -> Result<(), log::Error> {
        self.passed.size = size;
        match self.app.log.receive_passed(&self.passed).await {
            Ok(received) => self.received = Some(received),
            Err(error) if self.app.log.may_pass_unlogged() => {
                tracing::warn!(path = self.passed.path, %error, "a request is passed on that is not in the log");
            }
            Err(error) => return Err(error),
        }
        self.has_begun = true;
        Ok(())
    }

    /// It was not, or not with success, passed on.
    pub(super) async fn fail(self, code: &'static str, is_unknown: bool, status: StatusCode) {
        let state = if is_unknown { State::InDoubt } else { State::Failed };
        self.tell(state, Some(code), status, 0).await;
    }

    /// It is nothing that the gateway serves.
    pub(super) async fn refuse(self, code: &'static str, status: StatusCode) {
        self.tell(State::Failed, Some(code), status, 0).await;
    }

    /// The answer, which tells the log when it has gone out.
    pub(super) fn follow(self, response: Response) -> Response {
        let status = response.status();
        let mut end = End { passage: Some(self), status, answered: 0 };
        response.map(|body| {
            let counted = body.map_frame(move |frame| {
                end.count(frame.data_ref().map_or(0, bytes::Bytes::len));
                frame
            });
            counted.boxed_unsync()
        })
    }

    async fn tell(self, state: State, error: Option<&'static str>, status: StatusCode, answer_size: u64) {
        let is_refused = !self.has_begun;
        let took = self.started.elapsed();
        let end = PassedEnd { is_refused, state, status: status.as_u16(), error, answer_size, took };
        if let Err(error) = self.app.log.finish_passed(&self.passed, self.received, end).await {
            tracing::error!(path = self.passed.path, %error, "the end of a request is not in the log");
        }
    }
}

/// Dropped with the answer's body.
struct End {
    passage: Option<Passage>,
    status: StatusCode,
    answered: u64,
}

impl End {
    fn count(&mut self, bytes: usize) {
        self.answered += bytes as u64;
    }
}

impl Drop for End {
    fn drop(&mut self) {
        // At the very end of the process there is nobody left to tell it.
        if let (Some(passage), Ok(runtime)) = (self.passage.take(), tokio::runtime::Handle::try_current()) {
            let (status, answered) = (self.status, self.answered);
            let calls = passage.app.calls.clone();
            calls.spawn_on(async move { passage.tell(State::Done, None, status, answered).await }, &runtime);
        }
    }
}
