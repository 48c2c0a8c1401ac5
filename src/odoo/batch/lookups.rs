//! Batched lookups: values of several calls that are searched for in the same field of a model share one query.

use serde_json::Value;

use crate::odoo::{
    batch::batcher::BatchKind,
    cache::lookup_cache::{FoundRecords, LookupCriteria},
    credential::Fingerprint,
    model::error::Error,
};

/// Lookups by the values of one field, with the same credential.
pub(in crate::odoo) enum Lookups {}

impl BatchKind for Lookups {
    type Key = Key;
    /// The distinct values.
    type Job = Vec<Value>;
    /// The records with each value, and the number of calls in the batch.
    type Answer = (Result<Vec<FoundRecords>, Error>, usize);

    fn size(values: &Vec<Value>) -> usize {
        values.len()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::odoo) struct Key {
    pub(in crate::odoo) credential: Fingerprint,
    pub(in crate::odoo) criteria: LookupCriteria,
    /// The domain that the policy enforces for the model.
    pub(in crate::odoo) enforced_domain: Option<String>,
    /// The context that the caller sent, as JSON.
    pub(in crate::odoo) context: String,
}
