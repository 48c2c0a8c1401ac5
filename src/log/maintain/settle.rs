//! Settlement of calls in doubt: an operator who has looked in Odoo records whether a call was done.
//!
//! One more line records by whom, when and why; the lines of the call stay as they are. Retention ([`super::retention`])
//! carries calls in doubt forward under the same lock, so that no line of a call is carried behind its settlement.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::log::{
    Error, Log,
    format::{
        event::{Event, State},
        line::Body,
    },
    read::{
        archive::Archive,
        call::{Call, CallState},
        route::RecordedRoute,
    },
    write::writer::Purpose,
};

/// What the operator records. It is also sent to the running gateway.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settlement {
    pub id: Uuid,
    pub is_done: bool,
    /// The records that the call wrote, of its own model.
    #[serde(default)]
    pub records: Vec<i64>,
    pub by: String,
    pub why: Option<String>,
}

/// Why a call is not settled.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NotSettled {
    #[error("no call of the log has the id {0}")]
    Unknown(Uuid),
    #[error("it is not in doubt: it was done")]
    Done,
    #[error("it is not in doubt: it failed, and nothing of it is in Odoo")]
    Failed,
    #[error("it is not in doubt: it was accepted into the queue, and its attempts are calls of their own")]
    Queued,
    #[error("it is not in doubt: there was nothing to do, and nothing of it is in Odoo")]
    Ignored,
    #[error("it is not in doubt: it was a dry run, and nothing of it is in Odoo")]
    DryRun,
    #[error("it was settled already, by {by} at {ts}")]
    Settled { by: String, ts: Timestamp },
    #[error("it is not in doubt any more: it was repeated with success")]
    Repeated,
    #[error("the gateway is still working on it, or on a repetition of it")]
    Running,
    #[error("a request that was passed on is not settled")]
    Passed,
    #[error(transparent)]
    Log(#[from] Error),
}

/// `call.settled`.
#[derive(Serialize)]
struct SettledLine<'s> {
    ts: Timestamp,
    id: Uuid,
    state: State,
    by: &'s str,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'s str>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    records: Map<String, Value>,
}

impl Log {
    /// Settles a call that is in doubt. The line is durable when this returns.
    ///
    /// # Errors
    /// The call is not in doubt, or the log cannot be read or written.
    pub async fn settle(&self, settlement: Settlement) -> Result<(), NotSettled> {
        let log = self.clone();
        let settled = tokio::task::spawn_blocking(move || log.settle_here(&settlement));
        settled.await.map_err(|_| Error::Closed)?
    }

    fn settle_here(&self, settlement: &Settlement) -> Result<(), NotSettled> {
        let Settlement { id, is_done, records, by, why } = settlement;
        let _guard = self.inner.settlement_lock.lock();
        let archive = Archive::open(&self.inner.config.directory)?;
        let call = archive.find(&id.to_string())?.pop().ok_or(NotSettled::Unknown(*id))?;
        self.check_doubt(&call)?;
        let records = match records.is_empty() {
            true => Map::new(),
            false => Map::from_iter([(call.model, records.clone().into())]),
        };
        let state = if *is_done { State::Done } else { State::Failed };
        let line = SettledLine { ts: Timestamp::now(), id: *id, state, by, why: why.as_deref(), records };
        self.writer().submit_blocking(Body::new(Event::CallSettled, &line), Purpose::Record)?;
        tracing::info!(call = %id, state = state.as_str(), by, "a call in doubt has been settled");
        Ok(())
    }

    /// Checks that the call is in doubt. Only this process knows whether a call without an end is being processed.
    fn check_doubt(&self, call: &Call) -> Result<(), NotSettled> {
        let is_open = |id: Uuid| self.inner.open.contains(id);
        if call.route == RecordedRoute::Passed {
            return Err(NotSettled::Passed);
        }
        if let Some(settled) = &call.settled {
            return Err(NotSettled::Settled { by: settled.by.clone(), ts: settled.ts });
        }
        match call.state {
            CallState::Done => Err(NotSettled::Done),
            CallState::Failed => Err(NotSettled::Failed),
            CallState::Queued => Err(NotSettled::Queued),
            CallState::Ignored => Err(NotSettled::Ignored),
            CallState::DryRun => Err(NotSettled::DryRun),
            _ if call.is_repeated() => Err(NotSettled::Repeated),
            _ if is_open(call.id) || call.repeated_by.iter().any(|again| is_open(again.id)) => Err(NotSettled::Running),
            CallState::InDoubt | CallState::Running => Ok(()),
        }
    }
}
