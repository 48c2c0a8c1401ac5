//! What the store knows of a call: its key, and where it stands in the queue.

use jiff::Timestamp;
use uuid::Uuid;

use super::super::{
    visit::Visit,
    words::{cut, plain},
};
use crate::{
    log::Call,
    store::{State, StoredCall},
    web::show,
};

/// So many characters of a key are shown.
const KEY: usize = 255;

/// A row of the store, for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stored {
    /// The accepted call, where the page shows an attempt of it.
    pub(super) id: Option<String>,
    pub(super) key: String,
    pub(super) class: &'static str,
    pub(super) state: &'static str,
    pub(super) attempts: u32,
    pub(super) error: String,
    pub(super) accepted: String,
    pub(super) last_attempt: String,
    pub(super) due: String,
}

/// The row of the call, or of the accepted one that it is an attempt of. `Err` has why the store does not say.
pub(super) async fn stored(visit: &Visit<'_>, call: &Call) -> Result<Option<Stored>, String> {
    let store = &visit.site.calls.store;
    let ids: [Option<Uuid>; 2] = [Some(call.id), call.attempt_of.or(call.repeat_of)];
    for id in ids.into_iter().flatten() {
        if let Some(found) = store.find(id).await.map_err(|error| error.to_string())? {
            return Ok(Some(Stored::of(&found, call.id)));
        }
    }
    Ok(None)
}

impl Stored {
    fn of(call: &StoredCall, page: Uuid) -> Self {
        let time = |millis: Option<i64>| {
            let time = millis.and_then(|millis| Timestamp::from_millisecond(millis).ok());
            time.map(|time| show::date_time(&time)).unwrap_or_default()
        };
        let (class, state) = match call.state {
            State::Running => ("wait", "being made"),
            State::Queued if call.is_held => ("wait", "being delivered"),
            State::Queued => ("wait", "waits in the queue"),
            State::Done => ("ok", "done"),
            State::Dead => ("bad", "dead: no more attempts"),
            State::InDoubt => ("doubt", "in doubt"),
            State::Dropped => ("quiet", "taken out of the queue"),
        };
        Self {
            id: (call.id != page).then(|| call.id.to_string()),
            key: call.key.as_deref().map(|key| plain(&cut(key, KEY)).into_owned()).unwrap_or_default(),
            class,
            state,
            attempts: call.attempts,
            error: call.error.clone().unwrap_or_default(),
            accepted: time(Some(call.accepted)),
            last_attempt: time(call.last_attempt),
            due: time(call.due),
        }
    }
}
