//! What batching has learnt about models and users, from the batches so far.
//!
//! Every entry is bounded in number, and forgotten when Odoo is replaced. Entries are by user id, not by credential: what they
//! say depends on the user's rights and on the model, and a user may log in any number of times.

use std::time::Duration;

use moka::future::Cache;

/// A user and a model.
pub(in crate::odoo) type UserModel = (i64, String);

/// How long it is remembered whether a user can read its own records: rights change.
const READERS_FRESH: Duration = Duration::from_secs(60);
/// How long new records of a model are created and read by two RPCs, once one RPC for both has failed: it may have failed for what
/// the records were.
const APART_FOR: Duration = Duration::from_secs(600);
const MAX_ENTRIES: u64 = 10_000;

#[derive(Debug)]
pub(in crate::odoo) struct Learned {
    /// The new records of a batch could not be assigned to their calls.
    unbatched: Cache<UserModel, ()>,
    /// Whether the user has lately read a record that it created.
    can_read_own: Cache<UserModel, bool>,
    /// Whether the model has always returned the ids of new records in the order of the records.
    returns_in_order: Cache<String, bool>,
    /// One RPC that creates several records of the model and reads them has failed.
    read_apart: Cache<String, ()>,
}

impl Learned {
    pub(super) fn new() -> Self {
        Self {
            unbatched: Cache::new(MAX_ENTRIES),
            can_read_own: Cache::builder().max_capacity(MAX_ENTRIES).time_to_live(READERS_FRESH).build(),
            returns_in_order: Cache::new(MAX_ENTRIES),
            read_apart: Cache::builder().max_capacity(MAX_ENTRIES).time_to_live(APART_FOR).build(),
        }
    }

    /// Whether the user's records of this model are created one by one from now on.
    pub(in crate::odoo) fn is_unbatched(&self, key: &UserModel) -> bool {
        self.unbatched.contains_key(key)
    }

    pub(in crate::odoo) async fn stop_batching(&self, key: UserModel) {
        self.unbatched.insert(key, ()).await;
    }

    /// Whether the user can read the records that it creates; none where that is not known.
    pub(in crate::odoo) async fn can_read_own(&self, key: &UserModel) -> Option<bool> {
        self.can_read_own.get(key).await
    }

    pub(in crate::odoo) async fn note_reader(&self, key: UserModel, can_read: bool) {
        self.can_read_own.insert(key, can_read).await;
    }

    /// Forgets whether the user can read the records that it creates.
    pub(in crate::odoo) async fn doubt_reader(&self, key: &UserModel) {
        self.can_read_own.invalidate(key).await;
    }

    /// Whether new records of the model are created and read by two RPCs.
    pub(in crate::odoo) fn is_read_apart(&self, model: &str) -> bool {
        self.read_apart.contains_key(model)
    }

    pub(in crate::odoo) async fn read_apart(&self, model: &str) {
        self.read_apart.insert(model.to_owned(), ()).await;
    }

    /// Whether the model is known to return ids in the order of the records.
    pub(in crate::odoo) async fn returns_in_order(&self, model: &str) -> bool {
        self.returns_in_order.get(model).await == Some(true)
    }

    /// Records the order of one batch. A single batch in another order counts for good.
    pub(in crate::odoo) async fn note_order(&self, model: &str, is_in_order: bool) {
        if !is_in_order || !self.returns_in_order.contains_key(model) {
            self.returns_in_order.insert(model.to_owned(), is_in_order).await;
        }
    }

    pub(super) fn forget_all(&self) {
        self.unbatched.invalidate_all();
        self.can_read_own.invalidate_all();
        self.returns_in_order.invalidate_all();
        self.read_apart.invalidate_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_number_of_entries_is_bounded() {
        let learned = Learned::new();
        for number in 0..MAX_ENTRIES as i64 * 2 {
            learned.stop_batching((number, "m".to_owned())).await;
        }
        learned.unbatched.run_pending_tasks().await;
        assert_eq!(learned.unbatched.entry_count(), MAX_ENTRIES);
    }

    #[tokio::test]
    async fn nothing_is_left_of_a_replaced_odoo() {
        let learned = Learned::new();
        let key = || (7, "m".to_owned());
        learned.stop_batching(key()).await;
        learned.note_reader(key(), true).await;
        learned.note_order("m", true).await;
        learned.read_apart("m").await;
        learned.forget_all();
        let left =
            (learned.is_unbatched(&key()), learned.can_read_own(&key()).await, learned.returns_in_order("m").await);
        assert_eq!(left, (false, None, false));
        assert!(!learned.is_read_apart("m"));
    }

    #[tokio::test]
    async fn one_batch_out_of_order_counts_for_good() {
        let learned = Learned::new();
        for is_in_order in [true, false, true] {
            learned.note_order("m", is_in_order).await;
        }
        assert!(!learned.returns_in_order("m").await);
    }
}
