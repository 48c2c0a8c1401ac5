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
        self.writer().submit(announcement(passed), Purpose::Announce).await?.wait().await
    }

    /// Announces a request that only reads: its line is handed over, and not waited for. Where the queue is full, the line comes
    /// back, for [`Self::queue`].
    ///
    /// # Errors
    /// The log has failed, is full, or has been closed, as far as that is known.
    pub fn receive_reading(&self, passed: &Passed) -> Result<Option<Unqueued>, Error> {
        self.check()?;
        // It is passed on whatever becomes of the line, which is therefore that of something that happens.
        Ok(self.writer().try_hand_over(announcement(passed), Purpose::Record)?.map(Unqueued))
    }

    /// Records the end of a request.
    ///
    /// # Errors
    /// The log has failed or has been closed.
    pub async fn finish_passed(&self, passed: &Passed, received: Option<u64>, end: PassedEnd) -> Result<(), Error> {
        self.record(ending(passed, received, end)).await
    }

    /// Hands the end of a request over, and does not wait. Where the queue is full, the line comes back, for [`Self::queue`].
    ///
    /// # Errors
    /// The log has failed or has been closed.
    pub fn end_passed(
        &self,
        passed: &Passed,
        received: Option<u64>,
        end: PassedEnd,
    ) -> Result<Option<Unqueued>, Error> {
        Ok(self.writer().try_hand_over(ending(passed, received, end), Purpose::Record)?.map(Unqueued))
    }

    /// Waits for a place in the queue.
    ///
    /// # Errors
    /// The log has been closed.
    pub async fn queue(&self, line: Unqueued) -> Result<(), Error> {
        self.writer().hand_over(line.0, Purpose::Record).await
    }
}

/// A line for which the queue had no place.
#[derive(Debug)]
pub struct Unqueued(Body);

fn announcement(passed: &Passed) -> Body {
    Body::new(Event::RequestReceived, &PassedLine { ts: Timestamp::now(), passed })
}

fn ending(passed: &Passed, received: Option<u64>, end: PassedEnd) -> Body {
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
    Body::new(event, &line)
}
