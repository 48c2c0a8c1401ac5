//! Batched reads: equal reads that wait at the same time share one RPC.

use std::time::Instant;

use serde_json::{Value, json};

use super::Caller;
use crate::odoo::{
    batch::batcher::Dispatch,
    model::{effect::Effect, error::Error, rpc::Rpc, trace::Made},
};

impl Caller {
    /// Makes an RPC; one that only reads may be answered by an equal one of another call.
    pub(super) async fn read(&self, rpc: &Rpc) -> Result<Value, Error> {
        let (Some(batching), Effect::Read) = (self.batching(), rpc.effect) else { return self.make(rpc).await };
        let started = Instant::now();
        let key = (self.access.credential.fingerprint(), rpc.sharing_key());
        match batching.reads.join(key, || (), self.until).await? {
            Dispatch::Immediate(_slot) => self.make(rpc).await,
            Dispatch::Lead(batch) => {
                let outcome = self.make(rpc).await;
                let batch_size = batch.jobs.len();
                if outcome.as_ref().is_err_and(|error| self.is_own_deadline(error)) {
                    batch.followers.rejoin();
                    return outcome;
                }
                let is_split = outcome.as_ref().is_err_and(Error::splits_batch);
                let answer = || if is_split { None } else { Some((outcome.clone(), batch_size)) };
                batch.followers.answer((1..batch_size).map(|_| answer()));
                outcome
            }
            Dispatch::Answered((outcome, batch_size)) => {
                batching.count_shared("read");
                self.note_shared_read(rpc.render(), batch_size, started, outcome.as_ref().err());
                outcome
            }
            Dispatch::Single | Dispatch::Abandoned => self.make(rpc).await,
        }
    }

    /// Records in this call's trace a read that another call has made for it.
    pub(super) fn note_shared_read(
        &self,
        mut shown: Value,
        batch_size: usize,
        started: Instant,
        failed: Option<&Error>,
    ) {
        shown["batch"] = json!(batch_size);
        self.trace.push(Made { rpc: shown, took: started.elapsed(), records: Vec::new(), failed: failed.cloned() });
    }
}
