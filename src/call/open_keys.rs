//! The calls with a key that this process makes: a repetition waits for the end here, instead of asking the store for it.

use std::sync::Arc;

use dashmap::DashMap;
use tokio::sync::{Notify, futures::OwnedNotified};
use uuid::Uuid;

/// The calls with a key that are under way here, one entry each.
#[derive(Debug, Default)]
pub struct OpenKeys(DashMap<Uuid, Arc<Notify>>);

/// A call that is under way here, until this is dropped.
#[derive(Debug)]
pub(super) struct OpenKey {
    keys: Arc<OpenKeys>,
    id: Uuid,
}

impl OpenKeys {
    pub(super) fn open(self: &Arc<Self>, id: Uuid) -> OpenKey {
        self.0.entry(id).or_default();
        OpenKey { keys: self.clone(), id }
    }

    /// The end of this call; none where it is not under way here.
    pub(super) fn end_of(&self, id: Uuid) -> Option<OwnedNotified> {
        // Taken while the entry is there, so that its end cannot be missed.
        self.0.get(&id).map(|open| open.clone().notified_owned())
    }
}

impl Drop for OpenKey {
    fn drop(&mut self) {
        if let Some((_, waiting)) = self.keys.0.remove(&self.id) {
            waiting.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn the_end_of_a_call_wakes_all_that_wait_for_it_and_none_that_comes_later() {
        let (keys, id) = (Arc::<OpenKeys>::default(), Uuid::now_v7());
        assert!(keys.end_of(id).is_none());
        let open = keys.open(id);
        let (first, second) = (keys.end_of(id).unwrap(), keys.end_of(id).unwrap());
        let mut second = Box::pin(second);
        assert!((&mut second).now_or_never().is_none());
        drop(open);
        // The first was not polled before the end.
        first.await;
        second.await;
        assert!(keys.end_of(id).is_none());
    }
}
