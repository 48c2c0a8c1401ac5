//! The trace of one call: the RPCs that were made for it, in the order of their answers.

use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::Value;

use crate::odoo::model::error::Error;

/// The RPCs of one call to the gateway.
#[derive(Debug, Default)]
pub struct Trace(Mutex<Vec<(Made, Instant)>>);

/// One RPC of a trace.
#[derive(Debug, Clone)]
pub struct Made {
    /// As [`super::rpc::Rpc::render`] shows it.
    pub rpc: Value,
    pub took: Duration,
    /// The ids of the records that it wrote.
    pub records: Vec<i64>,
    pub failed: Option<Error>,
}

impl Trace {
    /// Takes the RPCs that have been recorded so far, each with the time at which it ended.
    pub fn take(&self) -> Vec<(Made, Instant)> {
        std::mem::take(&mut *self.0.lock())
    }

    /// Records an RPC, such as one that another call made for this one.
    pub(in crate::odoo) fn push(&self, made: Made) {
        self.0.lock().push((made, Instant::now()));
    }

    /// Awaits an RPC, and records it with its duration.
    pub(in crate::odoo) async fn note<T>(
        &self,
        rpc: Value,
        answer: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        self.note_written(rpc, answer, |_| Vec::new()).await
    }

    /// As [`Self::note`], for an RPC that writes; `written` finds the ids of the records in its answer.
    pub(in crate::odoo) async fn note_written<T>(
        &self,
        rpc: Value,
        answer: impl Future<Output = Result<T, Error>>,
        written: impl FnOnce(&T) -> Vec<i64>,
    ) -> Result<T, Error> {
        let started = Instant::now();
        let result = answer.await;
        let (records, failed) = match &result {
            Ok(answer) => (written(answer), None),
            Err(error) => (Vec::new(), Some(error.clone())),
        };
        self.push(Made { rpc, took: started.elapsed(), records, failed });
        result
    }
}
