//! The store: calls that have an idempotency key or are queued, for as long as they are open or their key is kept.
//!
//! It is no history: that is the log. What must stay true:
//! - A call is on disk when [`Store::accept`] returns.
//! - One holder has a call at a time: claims and ends are compare-and-set, so that a worker that comes back late changes nothing.
//! - The calls of a lane are taken one after another, in the order in which they were accepted.
//! - A payload stands in it while its call is open, or parked for a person, and no longer; a credential never.
//!
//! SQLite is for one gateway, PostgreSQL for several. Operations are written once for both (`backend`).

mod accept;
mod arrivals;
mod attempt;
mod backend;
mod call;
mod callback;
mod change;
mod clock;
mod copy;
mod error;
mod look;
#[cfg(test)]
mod plans;
mod postgres;
mod progress;
mod query;
mod row;
mod schema;
mod sqlite;
mod upkeep;

use std::{
    collections::BTreeSet,
    path::Path,
    sync::{Arc, Once},
    time::Duration,
};

use tokio::time;
use uuid::Uuid;

use self::{
    arrivals::Arrivals,
    attempt::{Callback, Claim, Extend, Finish, GiveBack},
    backend::{Backend, Operation},
    callback::{ClaimCallback, EndCallback},
    change::{Changed, Pause, Retry, Settle},
    clock::millis,
    look::{Count, Depths, Find, FindKey, List, Outcomes},
    postgres::Postgres,
    sqlite::Sqlite,
    upkeep::{Adopt, Expire},
};
pub use self::{
    call::{Accepted, Claimed, Delivery, Earlier, End, NewCall, Place, State, StoredCall, Ticket},
    callback::Untold,
    clock::Clock,
    error::Error,
    look::{Depth, Filter, KnownKey, OutcomeCursor},
    postgres::AdvisoryLocks,
    sqlite::holder,
};

/// No retry waits longer than this.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(3600);
const LONGEST_PAUSE_MS: i64 = 3_600_000;
/// How long a check waits.
const CHECK: Duration = Duration::from_secs(2);

/// How long the store keeps things.
#[derive(Debug, Clone, Copy)]
pub struct Spans {
    /// Of a claim, until another gateway may take it.
    pub lease: Duration,
    /// Of a key with its outcome, and of a call that is dead or in doubt.
    pub keep: Duration,
    /// Of the end of a call that a client cannot be told.
    pub callback: Duration,
}

/// The store of a gateway.
#[derive(Debug)]
pub struct Store {
    place: PlaceOfStore,
    spans: Spans,
    arrivals: Arrivals,
}

#[derive(Debug)]
enum PlaceOfStore {
    Sqlite(Sqlite),
    Postgres(Box<Postgres>),
}

impl Store {
    /// A file in this folder, for the gateway that this process is.
    ///
    /// # Errors
    /// Another gateway has it, it is of a newer version, or cannot be read or written.
    pub async fn in_folder(folder: &Path, spans: Spans, clock: Clock) -> Result<Self, Error> {
        drivers();
        Ok(Self {
            place: PlaceOfStore::Sqlite(Sqlite::open(folder, clock, true).await?),
            spans,
            arrivals: Arrivals::default(),
        })
    }

    /// Whether a gateway has made a file in this folder.
    pub fn is_in(folder: &Path) -> bool {
        Sqlite::is_in(folder)
    }

    /// The same file, beside the gateway that may have it: for the command line.
    ///
    /// # Errors
    /// There is none yet, it is of a newer version, or cannot be read or written.
    pub async fn beside_gateway(folder: &Path, spans: Spans) -> Result<Self, Error> {
        drivers();
        let place = Sqlite::open(folder, Clock::of_this_machine(), false).await?;
        Ok(Self { place: PlaceOfStore::Sqlite(place), spans, arrivals: Arrivals::default() })
    }

    /// A PostgreSQL that several gateways share. It is not reached yet, and need not be there yet.
    ///
    /// # Errors
    /// The URL is none of a PostgreSQL.
    pub fn shared(url: &str, spans: Spans, clock: Clock) -> Result<Self, Error> {
        drivers();
        Ok(Self {
            place: PlaceOfStore::Postgres(Box::new(Postgres::at(url, clock)?)),
            spans,
            arrivals: Arrivals::default(),
        })
    }

    /// The locks of records that gateways share, in a session of their own; none where there is one gateway. Must be called
    /// within a runtime.
    pub fn locks(&self) -> Option<AdvisoryLocks> {
        match &self.place {
            PlaceOfStore::Sqlite(_) => None,
            PlaceOfStore::Postgres(place) => Some(place.locks()),
        }
    }

    /// Whether several gateways share it.
    pub fn is_shared(&self) -> bool {
        matches!(self.place, PlaceOfStore::Postgres(_))
    }

    /// The time of the store, in milliseconds since 1970.
    pub fn now(&self) -> i64 {
        self.clock().now()
    }

    /// How long a claim holds; it is to be extended well before.
    pub fn lease(&self) -> Duration {
        self.spans.lease
    }

    /// Stores a call, unless its key is known, or the call is stored already. With `takes_over`, a call with this key that nobody
    /// holds any more, or that is in doubt, is given to this caller.
    ///
    /// # Errors
    /// The store does not answer; nothing was kept, but where the error is [`Error::Unconfirmed`]. Then the same call may be
    /// stored again: it is in the store once.
    pub async fn accept(&self, call: impl Into<Arc<NewCall>>, takes_over: bool) -> Result<Accepted, Error> {
        let lease = millis(self.spans.lease);
        let call = call.into();
        let accept = accept::Accept { call: call.clone(), holder: Uuid::new_v4(), lease, takes_over };
        let accepted = self.write(accept).await?;
        let is_queued = match &accepted {
            Accepted::New(ticket) => ticket.is_none(),
            Accepted::Open { id, state } => *id == call.id && *state == State::Queued,
            _ => false,
        };
        if let (true, Some(client)) = (is_queued, &call.client) {
            self.arrivals.note(client.clone());
        }
        Ok(accepted)
    }

    /// Waits for queued calls that this process stores, and gives their clients. For one task alone.
    pub async fn arrivals(&self) -> BTreeSet<String> {
        self.arrivals.next().await
    }

    /// Takes the first call of a lane of this client that is due, if there is one.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn claim(&self, client: &str) -> Result<Option<Claimed>, Error> {
        let lease = millis(self.spans.lease);
        self.write(Claim { client: client.to_owned(), holder: Uuid::new_v4(), lease }).await
    }

    /// Extends the lease of a call. False where it is no longer this holder's: then nothing may be written for it any more.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn extend(&self, ticket: &Ticket) -> Result<bool, Error> {
        self.write(Extend { ticket: ticket.clone(), lease: millis(self.spans.lease) }).await
    }

    /// Ends an attempt. False where the call is no longer this holder's: then nothing is changed. `callback` is what its client is
    /// to be told.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn finish(&self, ticket: &Ticket, end: End, callback: Option<(String, Vec<u8>)>) -> Result<bool, Error> {
        let for_at_most = millis(self.spans.callback);
        let callback = callback.map(|(client, body)| Callback { client, body, for_at_most });
        self.write(Finish { ticket: ticket.clone(), end, keep: millis(self.spans.keep), callback }).await
    }

    /// Whether it answers, within a short time, as it would answer a write.
    ///
    /// # Errors
    /// It does not.
    pub async fn check(&self) -> Result<(), Error> {
        let found = time::timeout(CHECK, self.write(Find { id: Uuid::nil() })).await;
        found.unwrap_or_else(|_| Err(Error::Unavailable(format!("no answer within {} s", CHECK.as_secs())))).map(drop)
    }

    /// Gives back a call that was taken over, by an attempt that wrote nothing: what attempts before it may have done is as it was.
    /// `sent_until` is when these can have sent something, at the latest. False where the call is no longer this holder's.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn give_back(&self, ticket: &Ticket, sent_until: i64) -> Result<bool, Error> {
        self.write(GiveBack { ticket: ticket.clone(), sent_until }).await
    }

    /// One call, with its outcome.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn find(&self, id: Uuid) -> Result<Option<StoredCall>, Error> {
        self.read(Find { id }).await
    }

    /// What is known of a caller's key, without its outcome.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn find_key(&self, caller: &str, key: &str) -> Result<Option<KnownKey>, Error> {
        self.read(FindKey { caller: caller.to_owned(), key: key.to_owned() }).await
    }

    /// Calls of a filter, the oldest first, behind the one with this `seq`; without their outcomes.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn list(&self, filter: Filter, after: i64, most: u32) -> Result<Vec<StoredCall>, Error> {
        self.read(List { filter, after, most }).await
    }

    /// Where the outcomes of calls begin that have ended since this time of the store.
    pub fn outcomes_from(since: i64) -> OutcomeCursor {
        (since, 0)
    }

    /// Outcomes of calls that were done or refused for good, behind a cursor, each with the cursor behind it.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn outcomes(&self, after: OutcomeCursor, most: u32) -> Result<Vec<(OutcomeCursor, Vec<u8>)>, Error> {
        self.read(Outcomes { after, most }).await
    }

    /// How many calls each client has, of those that have any or are paused.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn depths(&self) -> Result<Vec<Depth>, Error> {
        self.read(Depths).await
    }

    /// Puts all dead calls of a filter back into their lanes, and makes those due that wait for another try. How many.
    ///
    /// # Errors
    /// The store does not answer; some may have been changed.
    pub async fn retry(&self, filter: &Filter) -> Result<u64, Error> {
        let retry = |after| Retry { filter: filter.clone(), after };
        self.all_of(retry).await
    }

    /// Takes calls of a filter out of the store that no worker has at the moment. How many.
    ///
    /// # Errors
    /// The store does not answer; some may have been dropped.
    pub async fn drop_calls(&self, filter: &Filter) -> Result<u64, Error> {
        let keep = millis(self.spans.keep);
        self.all_of(|after| change::Drop { filter: filter.clone(), after, keep }).await
    }

    /// How many calls of a filter there are in each state that has any.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn count(&self, filter: Filter) -> Result<Vec<(State, u64)>, Error> {
        self.read(Count { filter }).await
    }

    /// Closes a call in doubt as a person has found out: it was done, and is answered with this outcome; or it was not, and its key
    /// is free. False where it is not in doubt.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn settle(&self, id: Uuid, outcome: Option<Vec<u8>>) -> Result<bool, Error> {
        self.write(Settle { id, outcome, keep: millis(self.spans.keep) }).await
    }

    /// Pauses the queue of a client for a reason, or lets it go on. Whether it was otherwise before.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn pause(&self, client: &str, why: Option<&str>) -> Result<bool, Error> {
        self.write(Pause { client: client.to_owned(), why: why.map(str::to_owned) }).await
    }

    /// Deletes some calls whose time is over. How many; none when all are deleted. A call that only its caller can make again, and
    /// whose gateway has said nothing for an hour, is in doubt from now on.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn expire(&self) -> Result<u64, Error> {
        self.write(Expire { keep: millis(self.spans.keep) }).await
    }

    /// Gives the workers some calls that were being made for a caller when their gateway died. How many.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn adopt(&self) -> Result<u64, Error> {
        self.write(Adopt).await
    }

    /// Takes the end of a call that its client is still to be told.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn claim_callback(&self) -> Result<Option<Untold>, Error> {
        self.write(ClaimCallback { holder: Uuid::new_v4(), lease: millis(self.spans.lease) }).await
    }

    /// The end was told, or is to be told again after a time. False where another worker has it.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn end_callback(&self, untold: &Untold, again: Option<Duration>) -> Result<bool, Error> {
        let Untold { id, holder, .. } = untold;
        self.write(EndCallback { id: *id, holder: *holder, again: again.map(millis) }).await
    }

    async fn all_of<O: Operation<Reply = Changed>>(&self, next: impl Fn(i64) -> O) -> Result<u64, Error> {
        let (mut number, mut after) = (0, 0);
        loop {
            let changed = self.write(next(after)).await?;
            number += changed.number;
            match changed.last {
                Some(last) => after = last,
                None => return Ok(number),
            }
        }
    }

    async fn write<O: Operation>(&self, operation: O) -> Result<O::Reply, Error> {
        match &self.place {
            PlaceOfStore::Sqlite(place) => place.write(operation).await,
            PlaceOfStore::Postgres(place) => place.write(operation).await,
        }
    }

    async fn read<O: Operation>(&self, operation: O) -> Result<O::Reply, Error> {
        match &self.place {
            PlaceOfStore::Sqlite(place) => place.read(operation).await,
            PlaceOfStore::Postgres(place) => place.read(operation).await,
        }
    }

    fn clock(&self) -> &Clock {
        match &self.place {
            PlaceOfStore::Sqlite(place) => place.clock(),
            PlaceOfStore::Postgres(place) => place.clock(),
        }
    }
}

/// Makes the two databases known to sqlx.
fn drivers() {
    static KNOWN: Once = Once::new();
    KNOWN.call_once(sqlx::any::install_default_drivers);
}
