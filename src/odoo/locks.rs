//! Keyed locks: they serialise calls that may create the same record. Calls for other records run concurrently.
//!
//! Odoo has no find-or-create: two callers that search for the same record at the same time both find nothing, and both create
//! it. So the gateway serialises them per key. A key is a model with the fields and values by which the record is found, by a
//! search key or a lookup. Its lock is taken before the search, and held until the call has ended in Odoo.
//!
//! What must stay true:
//! - No deadlock: a call waits for a lock only while all locks that it holds sort before it. A call that needs a lock out of order,
//!   and does not get it at once, releases all of its locks and takes the whole set in order ([`Taken::Anew`]).
//! - Each lock is fair: calls get it in the order of their arrival. Every wait has the call's own deadline.
//! - The table contains only locks that are held or waited for, so that the number of calls bounds it. A key has a fixed size.
//!
//! The table belongs to this process. A second gateway in front of the same Odoo does not see it; then only Odoo's constraints and
//! replanning (`call/task.rs`) prevent duplicates.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use dashmap::DashMap;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::{
    sync::{Mutex, OwnedMutexGuard},
    time::{self, Instant},
};

use crate::odoo::model::error::Error;

/// The criteria by which a record is found, as a hash of fixed size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordKey([u8; 16]);

impl RecordKey {
    /// The key of the records of `model` with these values in these fields, in any order. Values that Odoo may consider equal are
    /// equal: `1`, `1.0` and `"1"`.
    pub(in crate::odoo) fn new(database: &str, model: &str, terms: &[(&str, &Value)]) -> Self {
        let mut terms: Vec<(&str, String)> = terms.iter().map(|(field, value)| (*field, plain(value))).collect();
        terms.sort_unstable();
        let mut hash = Sha256::new();
        let texts = [database, model].into_iter().chain(terms.iter().flat_map(|(field, value)| [*field, value]));
        for text in texts {
            // With its length, so that different lists of texts never give the same bytes.
            hash.update(text.len().to_le_bytes());
            hash.update(text);
        }
        let digest = hash.finalize();
        Self(std::array::from_fn(|at| digest[at]))
    }
}

/// A value as text, which is the same for values that Odoo compares as equal.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() && float.fract() == 0.0 => format!("{float:.0}"),
            _ => number.to_string(),
        },
        other => other.to_string(),
    }
}

/// The locks of one gateway.
#[derive(Debug, Default)]
pub(in crate::odoo) struct KeyLocks {
    locks: DashMap<RecordKey, Arc<Mutex<()>>>,
    waiting: AtomicUsize,
}

/// The locks that one call holds, released when this is dropped.
#[derive(Debug, Default)]
pub(in crate::odoo) struct Held(BTreeMap<RecordKey, Lock>);

/// What became of the locks that were held before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// They are still held.
    Added,
    /// They had to be released first, and were taken again: what was found under them may have changed.
    Anew,
}

/// One lock that is held or waited for.
#[derive(Debug)]
struct Lock {
    table: Arc<KeyLocks>,
    key: RecordKey,
    guard: Option<OwnedMutexGuard<()>>,
}

impl KeyLocks {
    /// The number of calls that wait for a lock.
    pub(in crate::odoo) fn waiting(&self) -> usize {
        self.waiting.load(Relaxed)
    }

    /// Takes the locks that are not held yet.
    ///
    /// # Errors
    /// [`Error::KeyBusy`] where another call holds one of them until `until`.
    pub(in crate::odoo) async fn take(
        self: &Arc<Self>,
        mut held: Held,
        mut keys: Vec<RecordKey>,
        until: Instant,
    ) -> Result<(Held, Taken), Error> {
        keys.sort_unstable();
        keys.dedup();
        keys.retain(|key| !held.0.contains_key(key));
        let is_in_order = held.0.keys().next_back().is_none_or(|last| keys.first().is_none_or(|first| last < first));
        if is_in_order {
            return Ok((self.wait_for(held, keys, until).await?, Taken::Added));
        }
        let free: Option<Vec<Lock>> = keys.iter().map(|key| self.try_lock(*key)).collect();
        if let Some(free) = free {
            held.0.extend(free.into_iter().map(|lock| (lock.key, lock)));
            return Ok((held, Taken::Added));
        }
        keys.extend(held.0.keys());
        keys.sort_unstable();
        drop(held);
        Ok((self.wait_for(Held::default(), keys, until).await?, Taken::Anew))
    }

    /// Waits for each lock. The keys are sorted, and sort after those that are held.
    async fn wait_for(self: &Arc<Self>, mut held: Held, keys: Vec<RecordKey>, until: Instant) -> Result<Held, Error> {
        for key in keys {
            held.0.insert(key, self.lock(key, until).await?);
        }
        Ok(held)
    }

    async fn lock(self: &Arc<Self>, key: RecordKey, until: Instant) -> Result<Lock, Error> {
        let (mutex, mut lock) = self.open(key);
        if let Ok(guard) = mutex.clone().try_lock_owned() {
            lock.guard = Some(guard);
            return Ok(lock);
        }
        let _waiting = Waiting::count(&self.waiting);
        lock.guard = Some(time::timeout_at(until, mutex.lock_owned()).await.map_err(|_| Error::KeyBusy)?);
        Ok(lock)
    }

    fn try_lock(self: &Arc<Self>, key: RecordKey) -> Option<Lock> {
        let (mutex, mut lock) = self.open(key);
        lock.guard = Some(mutex.try_lock_owned().ok()?);
        Some(lock)
    }

    /// The entry of a key, which exists while a call has its mutex.
    fn open(self: &Arc<Self>, key: RecordKey) -> (Arc<Mutex<()>>, Lock) {
        // The lock is dropped after the mutex, also when the wait is abandoned.
        let lock = Lock { table: self.clone(), key, guard: None };
        (self.locks.entry(key).or_default().clone(), lock)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.guard = None;
        // A call that waits, or is about to, owns a reference to the mutex besides that of the table.
        self.table.locks.remove_if(&self.key, |_, mutex| Arc::strong_count(mutex) == 1);
    }
}

/// Counts a waiting call while it exists.
struct Waiting<'l>(&'l AtomicUsize);

impl<'l> Waiting<'l> {
    fn count(waiting: &'l AtomicUsize) -> Self {
        waiting.fetch_add(1, Relaxed);
        Self(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    fn key(name: &str) -> RecordKey {
        RecordKey::new("d", "m", &[("name", &json!(name))])
    }

    /// Some keys in the order in which they are locked.
    fn keys() -> [RecordKey; 3] {
        let mut keys = ["a", "b", "c"].map(key);
        keys.sort_unstable();
        keys
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(1)
    }

    async fn take(locks: &Arc<KeyLocks>, held: Held, keys: &[RecordKey]) -> Result<(Held, Taken), Error> {
        locks.take(held, keys.to_vec(), soon()).await
    }

    #[test]
    fn values_that_odoo_compares_as_equal_have_the_same_key_in_any_order_of_fields() {
        let key = |terms: &[(&str, Value)]| {
            let terms: Vec<(&str, &Value)> = terms.iter().map(|(field, value)| (*field, value)).collect();
            RecordKey::new("d", "m", &terms)
        };
        assert_eq!(key(&[("ref", json!(1))]), key(&[("ref", json!("1"))]));
        assert_eq!(key(&[("ref", json!(1.0))]), key(&[("ref", json!("1"))]));
        let (a, b) = (("a", json!("x")), ("b", json!(true)));
        assert_eq!(key(&[a.clone(), b.clone()]), key(&[b, a]));
        for other in [json!("X"), json!(" x"), json!(1), json!(true)] {
            assert_ne!(key(&[("a", json!("x"))]), key(&[("a", other)]));
        }
        assert_ne!(key(&[("ab", json!("c"))]), key(&[("a", json!("bc"))]));
        assert_ne!(RecordKey::new("d", "m", &[]), RecordKey::new("d", "n", &[]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_lock_is_waited_for_until_the_deadline_and_others_are_free() {
        let locks = Arc::<KeyLocks>::default();
        let [a, b, _] = keys();
        let (held, _) = take(&locks, Held::default(), &[a, a]).await.unwrap();
        assert_eq!(take(&locks, Held::default(), &[a]).await.unwrap_err().code().as_str(), "key_busy");
        assert!(take(&locks, Held::default(), &[b]).await.is_ok());
        drop(held);
        assert!(take(&locks, Held::default(), &[a]).await.is_ok());
        assert_eq!((locks.locks.len(), locks.waiting()), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_needs_more_out_of_order_keeps_what_it_has_where_the_rest_is_free() {
        let locks = Arc::<KeyLocks>::default();
        let [a, b, c] = keys();
        let (held, _) = take(&locks, Held::default(), &[b]).await.unwrap();
        let (held, taken) = take(&locks, held, &[a, b, c]).await.unwrap();
        assert_eq!((held.0.len(), taken), (3, Taken::Added));
    }

    #[tokio::test(start_paused = true)]
    async fn two_calls_that_need_each_others_locks_both_get_them() {
        let locks = Arc::<KeyLocks>::default();
        let [a, b, _] = keys();
        let (one, _) = take(&locks, Held::default(), &[a]).await.unwrap();
        let (other, _) = take(&locks, Held::default(), &[b]).await.unwrap();
        let both = async |held, key| {
            let (held, taken) = take(&locks, held, &[key]).await.unwrap();
            drop(held);
            taken
        };
        let taken = tokio::join!(both(one, b), both(other, a));
        // The one that held the first lock keeps it; the other has to begin anew.
        assert_eq!(taken, (Taken::Added, Taken::Anew));
        assert_eq!(locks.locks.len(), 0);
    }

    #[tokio::test]
    async fn many_that_want_many_locks_in_any_order_all_end_and_leave_nothing() {
        let locks = Arc::<KeyLocks>::default();
        let until = Instant::now() + Duration::from_secs(60);
        let mut calls = Vec::new();
        for number in 0..200_usize {
            let locks = locks.clone();
            calls.push(tokio::spawn(async move {
                let mut held = Held::default();
                for step in 0..4 {
                    let wanted = key(&((number * 7 + step * 5) % 9).to_string());
                    held = locks.take(held, vec![wanted], until).await.unwrap().0;
                    tokio::task::yield_now().await;
                }
            }));
        }
        for call in calls {
            call.await.unwrap();
        }
        assert_eq!((locks.locks.len(), locks.waiting()), (0, 0));
    }
}
