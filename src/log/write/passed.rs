//! Requests in the log that are not calls: passed on to Odoo, or refused before that.

use std::time::Duration;

use jiff::Timestamp;

use super::{
    record::{Passed, PassedEndLine, PassedLine, milliseconds},
    writer::Purpose,
};
use crate::log::{
    Error, Log,
    format::{
        event::{Event, State},
        line::Body,
    },
};

/// The end of such a request.
#[derive(Debug, Clone)]
pub struct PassedEnd {
    /// It was not passed on.
    pub is_refused: bool,
    pub state: State,
    pub status: u16,
    pub error: Option<&'static str>,
    pub answer_size: u64,
    pub took: Duration,
}

impl Log {
    /// Announces a request that is to be passed on to Odoo; returns the number of its line once that is durable.
    ///
    /// # Errors
    /// The log has failed, is full, or has been closed.
    pub async fn receive_passed(&self, passed: &Passed) -> Result<u64, Error> {
        let body = Body::new(Event::RequestReceived, &PassedLine { ts: Timestamp::now(), passed });
        self.writer().submit(body, Purpose::Announce).await?.wait().await
    }

    /// Records the end of a request.
    ///
    /// # Errors
    /// The log has failed or has been closed.
    pub async fn finish_passed(&self, passed: &Passed, received: Option<u64>, end: PassedEnd) -> Result<(), Error> {
        let event = if end.is_refused { Event::RequestRefused } else { Event::RequestFinished };
        let line = PassedEndLine {
            ts: Timestamp::now(),
            passed,
            received,
            state: end.state,
            status: end.status,
            error: end.error,
            answer_size: end.answer_size,
            duration_ms: milliseconds(end.took),
        };
        self.record(Body::new(event, &line)).await
    }
}
