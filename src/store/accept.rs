//! A call is stored, unless its key is known: then what is known of it is told. A call that is stored already, by its id, is not
//! stored a second time: where it was not told that it is, it may be stored again.

use std::{sync::Arc, time::Duration};

use futures_util::{FutureExt, future::BoxFuture};
use sqlx::{Error as SqlError, Row, any::AnyRow};
use uuid::Uuid;

use super::{
    backend::{Operation, Tx},
    call::{Accepted, Earlier, NewCall, Place, State, Ticket},
    clock::millis,
    row,
};

/// Stores a call.
pub(super) struct Accept {
    pub(super) call: Arc<NewCall>,
    pub(super) holder: Uuid,
    /// Milliseconds.
    pub(super) lease: i64,
    /// A call that is in doubt may be taken over by its caller, and one that nobody holds any more.
    pub(super) takes_over: bool,
}

const INSERT: &str = "INSERT INTO calls (id, caller, client, idempotency_key, digest, route, model, lane, state, request, \
                      attempts, unfinished, holder, lease_until, first_attempt, last_attempt, accepted, keep, hook, \
                      delivery_id) \
                      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20) \
                      ON CONFLICT DO NOTHING";

const FIND: &str = "SELECT id, digest, state, lane, holder, lease_until, outcome, attempts, unfinished, first_attempt, \
                    last_attempt, progress FROM calls WHERE caller = $1 AND idempotency_key = $2";

const FIND_STORED: &str = "SELECT id, digest, state, lane, holder, lease_until, outcome, attempts, unfinished, \
                           first_attempt, last_attempt, progress FROM calls WHERE id = $1";

const TAKE_OVER: &str = "UPDATE calls SET state = 'running', holder = $1, lease_until = $2, attempts = attempts + 1, \
                         unfinished = unfinished + 1, last_attempt = $3, closed = NULL, expires = NULL, outcome = NULL, \
                         request = $4 WHERE id = $5 AND lease_until = $6 AND state = $7";

pub(super) const JOIN_LANE: &str = "INSERT INTO lanes (lane, client, depth, due) VALUES ($1, $2, 1, $3) \
                                    ON CONFLICT (lane) DO UPDATE SET depth = lanes.depth + 1";

impl Operation for Accept {
    type Reply = Accepted;

    fn run<'a>(&'a self, tx: &'a mut Tx<'_>) -> BoxFuture<'a, Result<Accepted, SqlError>> {
        async move {
            if let Some(known) = self.known(tx).await? {
                return Ok(known);
            }
            if self.insert(tx).await? {
                let ticket = match &self.call.place {
                    Place::AtOnce => Some(Ticket::new(self.call.id, self.holder, None, None, tx.now)),
                    Place::Lane(lane) => {
                        let client = self.call.client.as_deref().unwrap_or_default();
                        let join = sqlx::query(JOIN_LANE).bind(lane).bind(client).bind(tx.now);
                        join.execute(&mut *tx.connection).await?;
                        None
                    }
                };
                return Ok(Accepted::New(ticket));
            }
            // Another gateway stored the key a moment ago, or this one the call.
            match self.known(tx).await? {
                Some(known) => Ok(known),
                None => self.stored_before(tx).await,
            }
        }
        .boxed()
    }
}

impl Accept {
    async fn insert(&self, tx: &mut Tx<'_>) -> Result<bool, SqlError> {
        let call = &self.call;
        let (state, lane) = match &call.place {
            Place::AtOnce => (State::Running, None),
            Place::Lane(lane) => (State::Queued, Some(lane)),
        };
        let is_held = state == State::Running;
        let attempts = i64::from(is_held);
        let insert = sqlx::query(INSERT)
            .bind(call.id.to_string())
            .bind(&call.caller)
            .bind(&call.client)
            .bind(&call.key)
            .bind(call.digest.to_vec())
            .bind(&call.route)
            .bind(&call.model)
            .bind(lane)
            .bind(state.as_str())
            .bind(&call.request)
            .bind(attempts)
            .bind(attempts)
            .bind(is_held.then(|| self.holder.to_string()))
            .bind(if is_held { tx.now.saturating_add(self.lease) } else { 0 })
            .bind(is_held.then_some(tx.now))
            .bind(is_held.then_some(tx.now))
            .bind(tx.now)
            .bind(call.keep.map(millis))
            .bind(call.delivery.as_ref().map(|delivery| delivery.hook.clone()))
            .bind(call.delivery.as_ref().and_then(|delivery| delivery.id.clone()));
        Ok(insert.execute(&mut *tx.connection).await?.rows_affected() == 1)
    }

    /// What is known of the key.
    async fn known(&self, tx: &mut Tx<'_>) -> Result<Option<Accepted>, SqlError> {
        let Some(key) = &self.call.key else { return Ok(None) };
        let find = sqlx::query(FIND).bind(&self.call.caller).bind(key);
        let Some(found) = find.fetch_optional(&mut *tx.connection).await? else { return Ok(None) };
        let known = Known::of(&found)?;
        if known.digest != self.call.digest {
            return Ok(Some(Accepted::Reused { id: known.id }));
        }
        let is_free = known.lease_until <= tx.now && matches!(known.state, State::Running | State::InDoubt);
        if is_free && self.takes_over && self.take_over(tx, &known).await? {
            let earlier = earlier(&found, tx)?;
            let ticket = Ticket::new(known.id, self.holder, None, earlier.as_ref(), tx.now)
                .with_progress(found.try_get("progress")?);
            return Ok(Some(match earlier {
                Some(earlier) => Accepted::TakenOver { ticket, earlier },
                None => Accepted::New(Some(ticket)),
            }));
        }
        Ok(Some(known.told()))
    }

    /// What is known of the call itself, which was stored before.
    async fn stored_before(&self, tx: &mut Tx<'_>) -> Result<Accepted, SqlError> {
        let find = sqlx::query(FIND_STORED).bind(self.call.id.to_string());
        Ok(Known::of(&find.fetch_one(&mut *tx.connection).await?)?.told())
    }

    async fn take_over(&self, tx: &mut Tx<'_>, known: &Known) -> Result<bool, SqlError> {
        let take = sqlx::query(TAKE_OVER)
            .bind(self.holder.to_string())
            .bind(tx.now.saturating_add(self.lease))
            .bind(tx.now)
            .bind(&self.call.request)
            .bind(known.id.to_string())
            .bind(known.lease_until)
            .bind(known.state.as_str());
        Ok(take.execute(&mut *tx.connection).await?.rows_affected() == 1)
    }
}

/// What the store knows of a call.
struct Known {
    id: Uuid,
    digest: [u8; 32],
    state: State,
    lease_until: i64,
    outcome: Option<Vec<u8>>,
}

impl Known {
    fn of(found: &AnyRow) -> Result<Self, SqlError> {
        let digest: Vec<u8> = found.try_get("digest")?;
        let state: String = found.try_get("state")?;
        Ok(Self {
            id: row::id(found, "id")?,
            digest: digest.try_into().unwrap_or_default(),
            state: row::state(&state)?,
            lease_until: found.try_get("lease_until")?,
            outcome: found.try_get("outcome")?,
        })
    }

    fn told(self) -> Accepted {
        match self.outcome {
            Some(outcome) if self.state.is_closed() => Accepted::Closed { id: self.id, state: self.state, outcome },
            _ => Accepted::Open { id: self.id, state: self.state },
        }
    }
}

/// What the attempts before this one may have done, from the columns of a call.
pub(super) fn earlier(found: &AnyRow, tx: &Tx<'_>) -> Result<Option<Earlier>, SqlError> {
    let attempts: i64 = found.try_get("attempts")?;
    let first: Option<i64> = found.try_get("first_attempt")?;
    let last: Option<i64> = found.try_get("last_attempt")?;
    let (Some(first), Some(last)) = (first, last) else { return Ok(None) };
    let unfinished: i64 = found.try_get("unfinished")?;
    let lease_until: i64 = found.try_get("lease_until")?;
    let now = tx.now;
    // Its last holder sends nothing after its lease has ended. One of a process before this one may have sent something until this
    // one began: the clock may have been set forward between them.
    let until = if last < tx.began { tx.began } else { last };
    let may_have_sent = lease_until.max(until).min(now);
    Ok(Some(Earlier {
        attempts: row::count(attempts),
        unfinished: row::count(unfinished),
        first,
        last,
        since_last: Duration::from_millis(u64::try_from(now.saturating_sub(may_have_sent)).unwrap_or_default()),
    }))
}

/// The statements of this file that look for rows, for a look at how SQLite carries them out.
#[cfg(test)]
pub(super) const STATEMENTS: [&str; 4] = [FIND, FIND_STORED, TAKE_OVER, JOIN_LANE];
