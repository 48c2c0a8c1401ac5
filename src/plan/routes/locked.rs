//! The questions of a write, answered under the locks of the records that it may create.

use std::future::Future;

use tokio::try_join;

use crate::{
    odoo::{self, Caller, RecordKey},
    plan::{
        Error, Warnings,
        lookup::{Questions, record_locks},
        resolve::{Asking, Intent, Resolved, resolve},
    },
};

/// The number of times that lookups are asked again because other calls went first. Each time, the call holds more
/// locks.
const MAX_ROUNDS: usize = 20;

/// Answers the questions, and runs `find` concurrently. Both come after the locks, since another call may be about to
/// change what is read before them. `locks` are taken in addition to those of the records that lookups may create.
///
/// # Errors
/// A query fails, a lock is not to be had in time, or a missing record cannot be read.
pub(super) async fn resolve_under_locks<T, F: Future<Output = Result<T, Error>>>(
    caller: &Caller,
    asking: Asking<'_>,
    mut questions: Questions,
    mut locks: Vec<RecordKey>,
    warnings: &mut Warnings,
    find: impl Fn() -> F,
) -> Result<(T, Resolved), Error> {
    let Asking { auto_create, intent, .. } = asking;
    locks.extend(record_locks::of_lookups(caller, questions.iter(), auto_create));
    if intent == Intent::Write {
        caller.lock_records(locks).await?;
    }
    for _ in 0..MAX_ROUNDS {
        // The questions are needed again only where records may be created, and locks are taken for them.
        let these = if auto_create.is_empty() { std::mem::take(&mut questions) } else { questions.clone() };
        let resolved = resolve(caller, asking, these, warnings);
        if let (found, Some(resolved)) = try_join!(find(), resolved)? {
            return Ok((found, resolved));
        }
    }
    Err(odoo::Error::KeyBusy.into())
}
