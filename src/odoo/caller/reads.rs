//! Batched reads: equal reads that wait at the same time share one RPC.

use std::time::Instant;

use serde_json::{Value, json};

use super::Caller;
use crate::odoo::{
    batch::batcher::Dispatch,
    model::{
        error::Error,
        rpc::{Effect, Rpc},
        trace::Made,
    },
};

impl Caller {
    /// Makes an RPC; one that only reads may be answered by an equal one of another call.
    pub(super) async fn read(&self, rpc: &Rpc) -> Result<Value, Error> {
        let (Some(batching), Effect::Read) = (self.batching(), rpc.effect) else { return self.make(rpc).await };
        let started = Instant::now();
        let key = (self.access.credential.fingerprint(), rpc.text());
        match batching.reads.join(key, || (), self.until).await? {
            Dispatch::Immediate(_slot) => self.make(rpc).await,
            Dispatch::Lead(batch) => {
                let outcome = self.make(rpc).await;
                let batch_size = batch.jobs.len();
                // What went wrong for one may go well for another.
                let answer = || outcome.as_ref().ok().map(|answer| (answer.clone(), batch_size));
                batch.followers.answer((1..batch_size).map(|_| answer()));
                outcome
            }
            Dispatch::Answered((answer, batch_size)) => {
                batching.count_shared("read");
                self.note_shared_read(rpc.render(), batch_size, started);
                Ok(answer)
            }
            Dispatch::Single | Dispatch::Abandoned => self.make(rpc).await,
        }
    }

    /// Records in this call's trace a read that another call has made for it.
    pub(super) fn note_shared_read(&self, mut shown: Value, batch_size: usize, started: Instant) {
        shown["batch"] = json!(batch_size);
        self.trace.push(Made { rpc: shown, took: started.elapsed(), records: Vec::new(), failed: None });
    }
}
