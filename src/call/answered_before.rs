//! The records that calls were answered with before this process began, or by other gateways: none of them is taken for the record of
//! a create whose answer was lost.
//!
//! They are read from the log, and from the store where gateways share one, when a call is settled that an earlier process had begun;
//! no further back than that, and each part of the past once.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;

use super::{Error, Outcome, Service};
use crate::{
    log::{self, Archive, Filter},
    odoo::Odoo,
    store::Store,
};

/// The log is read so much further back than it has to be, so that the next call in line finds it read.
const MORE: SignedDuration = SignedDuration::from_mins(10);
/// So many outcomes are read from the store at a time.
const AT_ONCE: u32 = 500;

/// How far back the answers are known.
#[derive(Debug, Default)]
pub struct AnsweredBefore(Mutex<Option<Timestamp>>);

impl Service {
    /// Makes the records known that calls were answered with since this time.
    ///
    /// # Errors
    /// The log or the store cannot be read.
    pub(super) async fn know_answers_since(&self, since: Timestamp) -> Result<(), Error> {
        let mut known = self.answered_before.0.lock().await;
        if known.is_none_or(|known| known > since) {
            let from = since.saturating_sub(MORE).unwrap_or(since);
            let (folder, odoo) = (self.config.log.directory.clone(), self.odoo.clone());
            let read = tokio::task::spawn_blocking(move || note_of_log(&Archive::open(&folder)?, from, &odoo)).await;
            read.map_err(|_| Error::Internal)??;
            *known = Some(from);
        }
        drop(known);
        // Others go on to answer calls.
        if self.store.is_shared() { self.note_of_store(since).await } else { Ok(()) }
    }

    async fn note_of_store(&self, since: Timestamp) -> Result<(), Error> {
        let mut after = Store::outcomes_from(since.as_millisecond());
        loop {
            let outcomes = self.store.outcomes(after, AT_ONCE).await?;
            let Some((last, _)) = outcomes.last() else { return Ok(()) };
            after = *last;
            for outcome in outcomes.iter().filter_map(|(_, outcome)| serde_json::from_slice::<Outcome>(outcome).ok()) {
                for (model, ids) in &outcome.records {
                    let ids: Vec<i64> =
                        ids.as_array().into_iter().flatten().filter_map(serde_json::Value::as_i64).collect();
                    self.odoo.note_created(model, &ids);
                }
            }
        }
    }
}

fn note_of_log(archive: &Archive, since: Timestamp, odoo: &Arc<Odoo>) -> Result<(), log::Error> {
    let filter = Filter { since: Some(since), ..Filter::default() };
    archive.for_each(&filter, |call| {
        for (model, id) in &call.records {
            odoo.note_created(model, &[*id]);
        }
    })
}
