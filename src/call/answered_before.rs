//! The records that calls were answered with before this process began, or by other gateways: none of them is taken for the record of
//! a create whose answer was lost.
//!
//! They are read from the log, and from the store where gateways share one, when a call is settled that an earlier process had begun;
//! no further back than that, and each part of the past once.
//!
//! The log may have the end of an attempt that the store has not: they are written side by side, and a process may be killed between.
//! So what earlier attempts of a call made is taken back before the call is settled: it is its own.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::{Error, Outcome, Service};
use crate::{
    log::{self, Archive, Call, Filter},
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
            let past = Filter { since: Some(from), until: *known, ..Filter::default() };
            let read = tokio::task::spawn_blocking(move || note_of_log(&Archive::open(&folder)?, &past, &odoo)).await;
            read.map_err(|_| Error::Internal)??;
            *known = Some(from);
        }
        drop(known);
        // Others go on to answer calls.
        if self.store.is_shared() { self.note_of_store(since).await } else { Ok(()) }
    }

    /// Takes back what is known of the records of a stored call's earlier attempts, or of one step of it.
    ///
    /// # Errors
    /// The log cannot be read.
    pub(super) async fn free_answers_of(&self, stored: Uuid, step: Option<u32>) -> Result<(), Error> {
        let (folder, odoo) = (self.config.log.directory.clone(), self.odoo.clone());
        let read = tokio::task::spawn_blocking(move || {
            for attempt in attempts_of(&Archive::open(&folder)?, stored, step)? {
                for (model, id) in &attempt.records {
                    odoo.free_created(model, &[*id]);
                }
            }
            Ok::<_, log::Error>(())
        });
        Ok(read.await.map_err(|_| Error::Internal)??)
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

fn note_of_log(archive: &Archive, past: &Filter, odoo: &Arc<Odoo>) -> Result<(), log::Error> {
    archive.for_each(past, |call| {
        for (model, id) in &call.records {
            odoo.note_created(model, &[*id]);
        }
    })
}

/// The attempts to make a stored call, or one step of it.
fn attempts_of(archive: &Archive, stored: Uuid, step: Option<u32>) -> Result<Vec<Call>, log::Error> {
    let linked = |to: Uuid| {
        let mut calls = Vec::new();
        archive.for_each(&Filter::of_delivery(to), |call| calls.push(call)).map(|()| calls)
    };
    let calls = linked(stored)?;
    let Some(step) = step else { return Ok(calls.into_iter().filter(|call| call.step == 0).collect()) };
    // The steps of a delivery that was taken over are linked to the attempt that made them.
    let (steps, attempts): (Vec<Call>, Vec<Call>) = calls.into_iter().partition(|call| call.step > 0);
    let mut all = steps;
    for attempt in attempts.iter().filter(|attempt| attempt.id != stored) {
        all.extend(linked(attempt.id)?);
    }
    all.retain(|call| call.step == step);
    Ok(all)
}
