//! Which clients have got queued calls by this process since somebody last asked, so that its workers begin at once.
//!
//! Another gateway's calls are found by looking into the store from time to time; what is lost here is only time.

use std::{collections::BTreeSet, mem};

use parking_lot::Mutex;
use tokio::sync::Notify;

/// Clients with new calls.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    clients: Mutex<BTreeSet<String>>,
    added: Notify,
}

impl Arrivals {
    pub(super) fn note(&self, client: String) {
        self.clients.lock().insert(client);
        self.added.notify_one();
    }

    /// Waits for the next ones, and takes them.
    pub(super) async fn next(&self) -> BTreeSet<String> {
        loop {
            let taken = mem::take(&mut *self.clients.lock());
            if !taken.is_empty() {
                return taken;
            }
            self.added.notified().await;
        }
    }
}
