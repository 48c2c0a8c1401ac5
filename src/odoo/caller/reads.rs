//! Equal reads of the same user that wait at the same time are answered by one.
//!
//! One that Odoo is at already answers nobody who came later: it may have been read before what the later one knows of, and
//! a lookup that does not see a record which is there makes it twice.

use std::time::Instant;

use serde_json::{Value, json};

use super::Caller;
use crate::odoo::{
    credential::Fingerprint,
    error::Error,
    lanes::{Turn, Work},
    rpc::{Effect, Rpc},
    trace::Made,
};

/// Reads that are the same to the last word.
pub(in crate::odoo) enum Reads {}

impl Work for Reads {
    type Key = (Fingerprint, String);
    type Job = ();
    type Answer = (Value, usize);
}

impl Caller {
    /// Reads, for all who wait for the same.
    pub(super) async fn read(&self, rpc: &Rpc) -> Result<Value, Error> {
        let (Some(together), Effect::Read) = (self.together(), rpc.effect) else { return self.make(rpc).await };
        let started = Instant::now();
        let key = (self.access.credential.fingerprint(), rpc.text());
        match together.reads.turn(key, || (), self.until).await? {
            Turn::First(_place) => self.make(rpc).await,
            Turn::Lead(batch) => {
                let outcome = self.make(rpc).await;
                let of = batch.jobs.len();
                // What went wrong for one may go well for another.
                let answer = || outcome.as_ref().ok().map(|answer| (answer.clone(), of));
                batch.followers.tell((1..of).map(|_| answer()));
                outcome
            }
            Turn::Answer((answer, of)) => {
                together.count("read");
                self.note_read(rpc.render(), of, started);
                Ok(answer)
            }
            Turn::Alone | Turn::Left => self.make(rpc).await,
        }
    }

    /// Notes what another call has asked for this one.
    pub(super) fn note_read(&self, mut shown: Value, of: usize, started: Instant) {
        shown["batch"] = json!(of);
        self.trace.push(Made { rpc: shown, took: started.elapsed(), records: Vec::new(), failed: None });
    }
}
