//! Keyed locks: they serialise calls that may create the same record. Calls for other records run concurrently.
//!
//! Odoo has no find-or-create: two callers that search for the same record at the same time both find nothing, and both create
//! it. So the gateway serialises them per key. A key is a model with the fields and values by which the record is found, by a
//! search key or a lookup. Its lock is taken before the search, and held until the call has ended in Odoo.
//!
//! The table belongs to this process. Several gateways before one Odoo share their locks in addition ([`SharedLocks`]): a call
//! takes its own gateway's lock first, then the shared one. So one call of each gateway at most waits for a shared lock.
//!
//! What must stay true:
//! - No deadlock: a call waits for a lock only while all locks that it holds sort before it. A call that needs a lock out of order,
//!   and does not get it at once, releases all of its locks and takes the whole set in order ([`Taken::Anew`]).
//! - Each lock is fair: calls get it in the order of their arrival. Every wait has the call's own deadline.
//! - The table contains only locks that are held or waited for, so that the number of calls bounds it. A key has a fixed size.
//! - All shared locks of a call are of one session. A call whose session has ended takes all of its locks anew, before its first
//!   write ([`KeyLocks::confirm`]). A call that has begun to write is completed; another gateway may then take the same lock.

mod shared;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, OnceLock,
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

pub use self::shared::{NotTaken, Session, SharedLock, SharedLocks};
use crate::odoo::model::error::Error;

/// The number of times that a call takes its locks anew because their session has ended.
const MAX_SESSIONS: usize = 5;

/// The criteria by which a record is found, as a hash of fixed size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordKey([u8; 16]);

impl RecordKey {
    /// The key of the records of `model` with these values in these fields, in any order. Values that Odoo may consider equal are
    /// equal: `1`, `1.0` and `"1"`.
    pub fn new(database: &str, model: &str, terms: &[(&str, &Value)]) -> Self {
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

    /// Its first half as a number. Numbers sort as their keys do; two keys may have the same one.
    pub fn number(self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
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
    /// Set where several gateways share locks.
    shared: OnceLock<Arc<dyn SharedLocks>>,
}

/// The locks that one call holds, released when this is dropped.
#[derive(Debug, Default)]
pub(in crate::odoo) struct Held(BTreeMap<RecordKey, Lock>);

impl Held {
    /// The session of the shared locks, where there are any.
    fn session(&self) -> Option<Session> {
        self.0.values().find_map(Lock::session)
    }

    fn is_of_one_session(&self) -> bool {
        let first = self.session();
        self.0.values().all(|lock| lock.session() == first)
    }
}

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
    shared: Option<Box<dyn SharedLock>>,
}

impl KeyLocks {
    /// The number of calls that wait for a lock.
    pub(in crate::odoo) fn waiting(&self) -> usize {
        self.waiting.load(Relaxed)
    }

    /// Shares the locks with other gateways from now on. The first call counts.
    pub(in crate::odoo) fn share(&self, shared: Arc<dyn SharedLocks>) {
        let _ = self.shared.set(shared);
    }

    /// Takes the locks that are not held yet.
    ///
    /// # Errors
    /// [`Error::KeyBusy`] where another call holds one of them until `until`; [`Error::LocksUnavailable`].
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
        let is_added = if is_in_order {
            self.wait_for(&mut held, &keys, until).await?;
            true
        } else {
            self.add_free(&mut held, &keys).await
        };
        if is_added && held.is_of_one_session() {
            return Ok((held, Taken::Added));
        }
        keys.extend(held.0.keys());
        Ok((self.take_anew(held, keys, until).await?, Taken::Anew))
    }

    /// Sees to it that the locks are still held, before the first write: locks that were lost are taken anew. It costs nothing
    /// where no locks are shared.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub(in crate::odoo) async fn confirm(self: &Arc<Self>, held: Held, until: Instant) -> Result<(Held, Taken), Error> {
        let (Some(shared), Some(session)) = (self.shared.get(), held.session()) else {
            return Ok((held, Taken::Added));
        };
        if shared.is_current(session).await {
            return Ok((held, Taken::Added));
        }
        let keys = held.0.keys().copied().collect();
        Ok((self.take_anew(held, keys, until).await?, Taken::Anew))
    }

    /// Releases all locks and takes these.
    async fn take_anew(
        self: &Arc<Self>,
        mut held: Held,
        mut keys: Vec<RecordKey>,
        until: Instant,
    ) -> Result<Held, Error> {
        keys.sort_unstable();
        keys.dedup();
        for _ in 0..MAX_SESSIONS {
            drop(held);
            held = Held::default();
            self.wait_for(&mut held, &keys, until).await?;
            if held.is_of_one_session() {
                return Ok(held);
            }
        }
        Err(Error::LocksUnavailable { reason: "the connection breaks over and over".to_owned() })
    }

    /// Waits for each lock. The keys are sorted, and sort after those that are held.
    async fn wait_for(self: &Arc<Self>, held: &mut Held, keys: &[RecordKey], until: Instant) -> Result<(), Error> {
        for key in keys {
            held.0.insert(*key, self.lock(*key, until).await?);
        }
        Ok(())
    }

    /// Adds these locks, without a wait for another call; says whether all of them were free.
    async fn add_free(self: &Arc<Self>, held: &mut Held, keys: &[RecordKey]) -> bool {
        let free: Option<Vec<Lock>> = keys.iter().map(|key| self.try_lock(*key)).collect();
        let Some(mut free) = free else { return false };
        if let Some(shared) = self.shared.get() {
            for lock in &mut free {
                let Some(taken) = shared.try_take(lock.key).await else { return false };
                lock.shared = Some(taken);
            }
        }
        held.0.extend(free.into_iter().map(|lock| (lock.key, lock)));
        true
    }

    async fn lock(self: &Arc<Self>, key: RecordKey, until: Instant) -> Result<Lock, Error> {
        let (mutex, mut lock) = self.open(key);
        let _waiting = Waiting::count(&self.waiting);
        lock.guard = Some(time::timeout_at(until, mutex.lock_owned()).await.map_err(|_| Error::KeyBusy)?);
        if let Some(shared) = self.shared.get() {
            lock.shared = Some(shared.take(key, until).await?);
        }
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
        let lock = Lock { table: self.clone(), key, guard: None, shared: None };
        (self.locks.entry(key).or_default().clone(), lock)
    }
}

impl Lock {
    fn session(&self) -> Option<Session> {
        self.shared.as_ref().map(|shared| shared.session())
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // The next call of this gateway asks for the shared lock after it is released.
        self.shared = None;
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
