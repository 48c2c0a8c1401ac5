//! What was asked of Odoo on behalf of one call, in the order of the answers.

use std::{
    sync::{Mutex, MutexGuard},
    time::{Duration, Instant},
};

use serde_json::Value;

use super::error::Error;

/// The RPCs of one call to the gateway.
#[derive(Debug, Default)]
pub struct Trace(Mutex<Vec<Made>>);

/// An RPC that was made.
#[derive(Debug, Clone)]
pub struct Made {
    /// As [`super::Rpc::render`] shows it.
    pub rpc: Value,
    pub took: Duration,
    /// The code of the error, if it failed.
    pub failed: Option<&'static str>,
}

impl Trace {
    pub fn made(&self) -> Vec<Made> {
        self.lock().clone()
    }

    /// Waits for an RPC and notes it with the time it took.
    pub(super) async fn note<T>(&self, rpc: Value, answer: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let started = Instant::now();
        let result = answer.await;
        let failed = result.as_ref().err().map(Error::code);
        self.lock().push(Made { rpc, took: started.elapsed(), failed });
        result
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Made>> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
