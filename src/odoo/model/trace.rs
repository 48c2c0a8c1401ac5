//! What was asked of Odoo on behalf of one call, in the order of the answers.

use std::{
    sync::{Mutex, MutexGuard},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::odoo::model::error::Error;

/// The RPCs of one call to the gateway.
#[derive(Debug, Default)]
pub struct Trace(Mutex<Vec<Made>>);

/// An RPC that was made.
#[derive(Debug, Clone)]
pub struct Made {
    /// As [`super::rpc::Rpc::render`] shows it.
    pub rpc: Value,
    pub took: Duration,
    /// The records that it wrote.
    pub records: Vec<i64>,
    pub failed: Option<Error>,
}

impl Trace {
    /// Everything that was noted so far; nothing of it is left here.
    pub fn take(&self) -> Vec<Made> {
        std::mem::take(&mut *self.lock())
    }

    /// Notes what another call has done for this one too.
    pub(in crate::odoo) fn push(&self, made: Made) {
        self.lock().push(made);
    }

    /// Waits for an RPC and notes it with the time it took.
    pub(in crate::odoo) async fn note<T>(
        &self,
        rpc: Value,
        answer: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        self.note_written(rpc, answer, |_| Vec::new()).await
    }

    /// The same of one that writes; `written` finds the ids of the records in its answer.
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

    fn lock(&self) -> MutexGuard<'_, Vec<Made>> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
