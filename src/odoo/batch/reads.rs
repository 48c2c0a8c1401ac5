//! Batched reads: equal reads with the same credential that wait at the same time share one RPC.
//!
//! A read that Odoo is already working on answers no call that arrived later. Its result may be older than what the later call
//! knows of, and a lookup that misses an existing record creates it a second time.

use std::sync::Arc;

use serde_json::Value;

use crate::odoo::{batch::batcher::BatchKind, credential::Fingerprint, model::error::Error};

/// Reads with equal RPCs.
pub(in crate::odoo) enum Reads {}

impl BatchKind for Reads {
    type Key = (Fingerprint, Arc<[u8]>);
    type Job = ();
    /// The outcome, and the number of calls in the batch.
    type Answer = (Result<Value, Error>, usize);
}
