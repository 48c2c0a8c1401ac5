//! Locks that several gateways before one Odoo share, as the keyed locks need them. The store has them (`store/postgres`).
//!
//! What must stay true:
//! - A lock is held by one gateway at a time, for as long as the session in which it was taken lasts.
//! - Gateways take turns: a gateway that takes and releases the same lock all the time keeps no other from it.

use std::fmt::Debug;

use futures_util::future::BoxFuture;
use tokio::time::Instant;

use super::RecordKey;
use crate::odoo::model::error::Error;

/// One connection to what has the shared locks. Its end releases them, whether or not their holder knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session(pub u64);

/// The locks that several gateways share.
pub trait SharedLocks: Debug + Send + Sync {
    /// Waits for a lock until `until`. This gateway neither holds it nor waits for it elsewhere.
    fn take(&self, key: RecordKey, until: Instant) -> BoxFuture<'_, Result<Box<dyn SharedLock>, NotTaken>>;

    /// Takes a lock where it is to be had at once: no other gateway holds it or waits for it. It waits for an answer, and for no
    /// other call.
    fn try_take(&self, key: RecordKey) -> BoxFuture<'_, Option<Box<dyn SharedLock>>>;

    /// Whether the session lasts, and so its locks are held. It asks, and remembers no answer.
    fn is_current(&self, session: Session) -> BoxFuture<'_, bool>;
}

/// A shared lock that is held until this is dropped, or its session ends.
pub trait SharedLock: Debug + Send + Sync {
    fn session(&self) -> Session;
}

/// Why a shared lock was not taken.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NotTaken {
    #[error("calls of other gateways hold the lock")]
    Busy,
    /// What has the locks does not answer.
    #[error("the locks that gateways share cannot be taken: {0}")]
    Unavailable(String),
}

impl From<NotTaken> for Error {
    fn from(error: NotTaken) -> Self {
        match error {
            NotTaken::Busy => Self::KeyBusy,
            NotTaken::Unavailable(reason) => Self::LocksUnavailable { reason },
        }
    }
}
