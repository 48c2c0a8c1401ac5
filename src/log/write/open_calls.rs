//! The calls that this process works on. Only it can distinguish a running call from one that just lacks an end.

use std::sync::Arc;

use dashmap::DashSet;
use uuid::Uuid;

/// The open calls of the log. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(in crate::log) struct OpenCalls(Arc<DashSet<u128>>);

/// Keeps a call open until it is dropped.
#[derive(Debug)]
pub(super) struct OpenCall {
    calls: OpenCalls,
    id: u128,
}

impl OpenCalls {
    pub(super) fn open(&self, id: Uuid) -> OpenCall {
        let id = id.as_u128();
        self.0.insert(id);
        OpenCall { calls: self.clone(), id }
    }

    pub(in crate::log) fn contains(&self, id: Uuid) -> bool {
        self.0.contains(&id.as_u128())
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        self.calls.0.remove(&self.id);
    }
}
