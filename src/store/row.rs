//! Values of a row, read.

use sqlx::{Error as SqlError, Row, any::AnyRow};
use uuid::Uuid;

use super::call::{Delivery, State, StoredCall};

/// The columns of [`stored`], with the lane's beside the call's.
pub(super) const STORED: &str = "calls.seq, calls.id, calls.caller, calls.client, calls.idempotency_key, calls.route, calls.model, \
                                 calls.lane, calls.state, calls.attempts, calls.error, calls.accepted, calls.closed, \
                                 calls.last_attempt, calls.holder, calls.hook, calls.delivery_id, lanes.due";

pub(super) fn id(row: &AnyRow, column: &str) -> Result<Uuid, SqlError> {
    let text: String = row.try_get(column)?;
    Uuid::parse_str(&text).map_err(|error| SqlError::Decode(Box::new(error)))
}

pub(super) fn state(text: &str) -> Result<State, SqlError> {
    State::named(text).ok_or_else(|| SqlError::Protocol(format!("the store has an unknown state `{text}`")))
}

pub(super) fn count(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(if number < 0 { 0 } else { u32::MAX })
}

/// A call, from the columns of [`STORED`]. `outcome` is read apart.
pub(super) fn stored(row: &AnyRow, outcome: Option<Vec<u8>>) -> Result<StoredCall, SqlError> {
    let called: String = row.try_get("state")?;
    let state = state(&called)?;
    let holder: Option<String> = row.try_get("holder")?;
    let due: Option<i64> = row.try_get("due")?;
    let hook: Option<String> = row.try_get("hook")?;
    let delivery = match hook {
        Some(hook) => Some(Delivery { hook, id: row.try_get("delivery_id")? }),
        None => None,
    };
    Ok(StoredCall {
        seq: row.try_get("seq")?,
        id: id(row, "id")?,
        caller: row.try_get("caller")?,
        client: row.try_get("client")?,
        key: row.try_get("idempotency_key")?,
        route: row.try_get("route")?,
        model: row.try_get("model")?,
        lane: row.try_get("lane")?,
        state,
        attempts: count(row.try_get("attempts")?),
        error: row.try_get("error")?,
        accepted: row.try_get("accepted")?,
        closed: row.try_get("closed")?,
        last_attempt: row.try_get("last_attempt")?,
        due: due.filter(|_| state == State::Queued),
        is_held: holder.is_some(),
        delivery,
        progress: None,
        outcome,
    })
}
