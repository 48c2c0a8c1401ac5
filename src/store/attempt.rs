//! An attempt of a call: it is claimed, its lease is extended, and it ends.
//!
//! Every change is a compare-and-set on `holder`, which is unique for each claim: a worker that comes back after its lease has
//! ended, and after another one has claimed the lane, changes nothing and is told so. The lane's row is changed before the call's,
//! so that two transactions never wait for each other, and decides: the holder of a lane has its call.

use std::time::Duration;

use futures_util::{FutureExt, future::BoxFuture};
use sqlx::{Error as SqlError, Row};
use uuid::Uuid;

use super::{
    accept::earlier,
    backend::{Operation, Tx},
    call::{Claimed, End, State, Ticket},
    clock::millis,
    row,
};

/// Takes the first call of a client's lane that is due, one of each lane at most.
pub(super) struct Claim {
    pub(super) client: String,
    pub(super) holder: Uuid,
    /// Milliseconds.
    pub(super) lease: i64,
}

const CLAIM_SQLITE: &str = "UPDATE lanes SET due = $1, holder = $2 WHERE lane = (SELECT lane FROM lanes WHERE client = $3 \
                            AND due <= $4 ORDER BY due LIMIT 1) AND NOT EXISTS (SELECT 1 FROM pauses WHERE client = $3) \
                            RETURNING lane";
const CLAIM_POSTGRES: &str = "UPDATE lanes SET due = $1, holder = $2 WHERE lane = (SELECT lane FROM lanes WHERE client = $3 \
                              AND due <= $4 ORDER BY due LIMIT 1 FOR UPDATE SKIP LOCKED) \
                              AND NOT EXISTS (SELECT 1 FROM pauses WHERE client = $3) RETURNING lane";

const HEAD: &str = "SELECT id, request, accepted, attempts, unfinished, first_attempt, last_attempt, lease_until, progress FROM calls \
                    WHERE lane = $1 AND state = 'queued' ORDER BY seq LIMIT 1";

const BEGIN: &str = "UPDATE calls SET holder = $1, lease_until = $2, attempts = attempts + 1, unfinished = unfinished + 1, \
                     first_attempt = COALESCE(first_attempt, $3), last_attempt = $3 WHERE id = $4";

impl Operation for Claim {
    type Reply = Option<Claimed>;

    fn run<'a>(&'a self, tx: &'a mut Tx<'_>) -> BoxFuture<'a, Result<Option<Claimed>, SqlError>> {
        async move {
            let until = tx.now.saturating_add(self.lease);
            let claim = sqlx::query(tx.dialect.pick(CLAIM_SQLITE, CLAIM_POSTGRES))
                .bind(until)
                .bind(self.holder.to_string())
                .bind(&self.client)
                .bind(tx.now);
            let Some(lane) = claim.fetch_optional(&mut *tx.connection).await? else { return Ok(None) };
            let lane: String = lane.try_get(0)?;
            let Some(head) = sqlx::query(HEAD).bind(&lane).fetch_optional(&mut *tx.connection).await? else {
                // A lane without calls: whatever left it there, it is of no use.
                sqlx::query("DELETE FROM lanes WHERE lane = $1").bind(&lane).execute(&mut *tx.connection).await?;
                return Ok(None);
            };
            let id = row::id(&head, "id")?;
            let begin = sqlx::query(BEGIN).bind(self.holder.to_string()).bind(until).bind(tx.now).bind(id.to_string());
            begin.execute(&mut *tx.connection).await?;
            let accepted: i64 = head.try_get("accepted")?;
            let request: Option<Vec<u8>> = head.try_get("request")?;
            let earlier = earlier(&head, tx)?;
            Ok(Some(Claimed {
                ticket: Ticket::new(id, self.holder, Some(lane), earlier.as_ref(), tx.now)
                    .with_progress(head.try_get("progress")?),
                client: self.client.clone(),
                request: request.unwrap_or_default(),
                accepted,
                age: Duration::from_millis(u64::try_from(tx.now.saturating_sub(accepted)).unwrap_or_default()),
                earlier,
            }))
        }
        .boxed()
    }
}

/// Extends a lease. The reply is false where the call is no longer this holder's.
pub(super) struct Extend {
    pub(super) ticket: Ticket,
    /// Milliseconds.
    pub(super) lease: i64,
}

impl Operation for Extend {
    type Reply = bool;

    fn run<'a>(&'a self, tx: &'a mut Tx<'_>) -> BoxFuture<'a, Result<bool, SqlError>> {
        async move {
            let Ticket { id, holder, lane, .. } = &self.ticket;
            let until = tx.now.saturating_add(self.lease);
            if let Some(lane) = lane {
                let lane =
                    sqlx::query("UPDATE lanes SET due = $1 WHERE lane = $2 AND holder = $3").bind(until).bind(lane);
                let lane = lane.bind(holder.to_string()).execute(&mut *tx.connection).await?;
                // The lane may be another's already, with an earlier call that a person put back into it.
                if lane.rows_affected() == 0 {
                    return Ok(false);
                }
            }
            let extend = sqlx::query("UPDATE calls SET lease_until = $1 WHERE id = $2 AND holder = $3")
                .bind(until)
                .bind(id.to_string())
                .bind(holder.to_string());
            Ok(extend.execute(&mut *tx.connection).await?.rows_affected() == 1)
        }
        .boxed()
    }
}

/// Gives back a call that is in no lane, by an attempt that wrote nothing.
pub(super) struct GiveBack {
    pub(super) ticket: Ticket,
    /// When attempts before can have sent something, at the latest.
    pub(super) sent_until: i64,
}

impl Operation for GiveBack {
    type Reply = bool;

    fn run<'a>(&'a self, tx: &'a mut Tx<'_>) -> BoxFuture<'a, Result<bool, SqlError>> {
        async move {
            let back = "UPDATE calls SET holder = NULL, lease_until = $1, last_attempt = $1, unfinished = $2 \
                        WHERE id = $3 AND holder = $4 AND state = 'running'";
            let back = sqlx::query(back).bind(self.sent_until.min(tx.now)).bind(self.ticket.unfinished);
            let back = back.bind(self.ticket.id.to_string());
            let back = back.bind(self.ticket.holder.to_string()).execute(&mut *tx.connection).await?;
            Ok(back.rows_affected() == 1)
        }
        .boxed()
    }
}

/// Ends an attempt. The reply is false where the call is no longer this holder's; then nothing is changed.
pub(super) struct Finish {
    pub(super) ticket: Ticket,
    pub(super) end: End,
    /// Milliseconds.
    pub(super) keep: i64,
    /// What is to be told to the client's `callback_url`.
    pub(super) callback: Option<Callback>,
}

/// What is to be told to a client.
#[derive(Clone)]
pub(super) struct Callback {
    pub(super) client: String,
    pub(super) body: Vec<u8>,
    /// Milliseconds after which it is given up.
    pub(super) for_at_most: i64,
}

const CLOSE: &str = "UPDATE calls SET state = $1, outcome = $2, error = $3, request = CASE WHEN $4 = 1 THEN request ELSE NULL END, \
                     progress = CASE WHEN $4 = 1 THEN progress ELSE NULL END, \
                     holder = NULL, lease_until = $5, unfinished = $6, closed = $7, \
                     expires = $7 + COALESCE(keep, $8) WHERE id = $9 AND holder = $10";

impl Operation for Finish {
    type Reply = bool;

    fn run<'a>(&'a self, tx: &'a mut Tx<'_>) -> BoxFuture<'a, Result<bool, SqlError>> {
        async move {
            let Ticket { id, holder, lane, .. } = &self.ticket;
            let leaves = !matches!(self.end, End::Again { .. });
            let due = match &self.end {
                End::Again { after, .. } => tx.now.saturating_add(millis(*after)),
                _ => tx.now,
            };
            if let Some(lane) = lane
                && !release(tx, lane, *holder, leaves, due).await?
            {
                return Ok(false);
            }
            let is_ours = match &self.end {
                End::Free => {
                    let free = sqlx::query("DELETE FROM calls WHERE id = $1 AND holder = $2");
                    free.bind(id.to_string()).bind(holder.to_string()).execute(&mut *tx.connection).await?
                }
                End::Again { error, .. } => {
                    // It wrote nothing itself: what attempts before it may have done is as it was.
                    let again = "UPDATE calls SET state = $1, error = $2, holder = NULL, unfinished = $3, lease_until = $4, \
                                 last_attempt = CASE WHEN $3 > 0 THEN $4 ELSE last_attempt END WHERE id = $5 AND holder = $6";
                    let state = if lane.is_some() { State::Queued } else { State::Running };
                    let Ticket { unfinished, sent_until, .. } = &self.ticket;
                    let sent_until = if *unfinished > 0 { *sent_until } else { tx.now };
                    let again = sqlx::query(again).bind(state.as_str()).bind(error).bind(*unfinished).bind(sent_until);
                    again.bind(id.to_string()).bind(holder.to_string()).execute(&mut *tx.connection).await?
                }
                End::Done { outcome } => self.close(tx, State::Done, outcome, None).await?,
                End::Dead { outcome, error } => self.close(tx, State::Dead, outcome, Some(error)).await?,
                End::InDoubt { outcome, error } => self.close(tx, State::InDoubt, outcome, Some(error)).await?,
            };
            let is_ours = is_ours.rows_affected() == 1;
            if let Some(Callback { client, body, for_at_most }) = self.callback.as_ref().filter(|_| is_ours && leaves) {
                let tell = "INSERT INTO callbacks (id, client, body, attempts, due, until) VALUES ($1, $2, $3, 0, $4, $5) \
                            ON CONFLICT (id) DO UPDATE SET body = EXCLUDED.body, attempts = 0, due = EXCLUDED.due, \
                            holder = NULL, until = EXCLUDED.until";
                let tell = sqlx::query(tell).bind(id.to_string()).bind(client).bind(body.clone()).bind(tx.now);
                tell.bind(tx.now.saturating_add(*for_at_most)).execute(&mut *tx.connection).await?;
            }
            Ok(is_ours)
        }
        .boxed()
    }
}

impl Finish {
    async fn close(
        &self,
        tx: &mut Tx<'_>,
        state: State,
        outcome: &[u8],
        error: Option<&str>,
    ) -> Result<sqlx::any::AnyQueryResult, SqlError> {
        let keeps_request = state != State::Done;
        let unfinished = match state {
            State::Dead => self.ticket.unfinished,
            // It is not known what this attempt has done either.
            State::InDoubt => self.ticket.unfinished.max(1),
            _ => 0,
        };
        let close = sqlx::query(CLOSE)
            .bind(state.as_str())
            .bind(outcome.to_vec())
            .bind(error.map(str::to_owned))
            .bind(i64::from(keeps_request))
            .bind(tx.now)
            .bind(unfinished)
            .bind(tx.now)
            .bind(self.keep)
            .bind(self.ticket.id.to_string())
            .bind(self.ticket.holder.to_string());
        close.execute(&mut *tx.connection).await
    }
}

/// Gives a lane free, by its holder; with `leaves`, one call fewer is in it. False where it is no longer this holder's.
async fn release(tx: &mut Tx<'_>, lane: &str, holder: Uuid, leaves: bool, due: i64) -> Result<bool, SqlError> {
    let free = "UPDATE lanes SET holder = NULL, due = $1, depth = depth - $2 WHERE lane = $3 AND holder = $4";
    let free = sqlx::query(free).bind(due).bind(i64::from(leaves)).bind(lane).bind(holder.to_string());
    if free.execute(&mut *tx.connection).await?.rows_affected() == 0 {
        return Ok(false);
    }
    if leaves {
        let empty = sqlx::query("DELETE FROM lanes WHERE lane = $1 AND depth <= 0").bind(lane);
        empty.execute(&mut *tx.connection).await?;
    }
    Ok(true)
}

/// The statements of this file that look for rows, for a look at how SQLite carries them out.
#[cfg(test)]
pub(super) const STATEMENTS: [&str; 4] = [CLAIM_SQLITE, HEAD, BEGIN, CLOSE];
