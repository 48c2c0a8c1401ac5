//! A call in the store: what is kept of it, and the states that it goes through.
//!
//! Times are milliseconds since 1970 by the clock of the store ([`super::Clock`]), never by a caller's.

use std::{fmt, sync::Arc, time::Duration};

use uuid::Uuid;

use super::clock::millis;

/// A call that is to be stored.
#[derive(Clone)]
pub struct NewCall {
    /// Its id, in the log and in the answer.
    pub id: Uuid,
    /// Whose key it is: keys of different callers are apart.
    pub caller: String,
    /// The `[[client]]` whose Odoo account the gateway knows; without one, nobody but the caller can have it made again.
    pub client: Option<String>,
    pub key: Option<String>,
    /// The SHA-256 of what is asked: the same key with another one is refused.
    pub digest: [u8; 32],
    pub route: String,
    pub model: String,
    /// What is needed to make the call again. It may hold what the log hides, so it is kept only while the call is open.
    pub request: Vec<u8>,
    pub place: Place,
    /// How long its outcome is kept, where that is not the time of all others.
    pub keep: Option<Duration>,
    /// The delivery that it is, where it came by a hook.
    pub delivery: Option<Delivery>,
}

/// A delivery to a hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    pub hook: String,
    /// What its sender calls it.
    pub id: Option<String>,
}

impl fmt::Debug for NewCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NewCall({})", self.id)
    }
}

/// Where a new call goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// It is made at once, by the gateway that took it.
    AtOnce,
    /// It waits in a lane: one after another with the others of that lane.
    Lane(String),
}

/// The right to make a call, until its lease ends or another gateway has taken it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// The call in the store.
    pub id: Uuid,
    /// Unique for each time that a call is taken.
    pub(super) holder: Uuid,
    pub(super) lane: Option<String>,
    /// How many attempts before this one have ended without a word: what they have done is to be found out, now or by the next
    /// attempt.
    pub(super) unfinished: i64,
    /// When they can have sent something, at the latest.
    pub(super) sent_until: i64,
    /// What came of the calls of a delivery that are done.
    progress: Option<Arc<[u8]>>,
}

impl Ticket {
    pub(super) fn new(id: Uuid, holder: Uuid, lane: Option<String>, earlier: Option<&Earlier>, now: i64) -> Self {
        let unfinished = earlier.map_or(0, |earlier| earlier.unfinished.into());
        let sent_until = earlier.map_or(now, |earlier| now.saturating_sub(millis(earlier.since_last)));
        Self { id, holder, lane, unfinished, sent_until, progress: None }
    }

    pub(super) fn with_progress(mut self, progress: Option<Vec<u8>>) -> Self {
        self.progress = progress.map(Arc::from);
        self
    }

    /// What came of the calls of a delivery that attempts before this one have done.
    pub fn progress(&self) -> Option<&[u8]> {
        self.progress.as_deref()
    }
}

/// What earlier attempts of a call may have done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Earlier {
    /// How many there were.
    pub attempts: u32,
    /// How many of them ended without a word: what they have done is not known until the call has ended, however often it is tried in
    /// between. A call that kills its worker must not be tried for ever.
    pub unfinished: u32,
    /// When the first began: nothing of this call was written before.
    pub first: i64,
    /// When the last began.
    pub last: i64,
    /// How long ago the last can have sent something, at the latest.
    pub since_last: Duration,
}

/// What became of a call that was to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accepted {
    /// It is new. One that is made at once has a ticket.
    New(Option<Ticket>),
    /// An earlier attempt ended without a word, or in doubt: this caller may find out and go on.
    TakenOver { ticket: Ticket, earlier: Earlier },
    /// The call with this key has not ended.
    Open { id: Uuid, state: State },
    /// The call with this key has ended so.
    Closed { id: Uuid, state: State, outcome: Vec<u8> },
    /// The key was used for another request.
    Reused { id: Uuid },
}

/// The state of a call in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// A gateway makes it, for a caller that waits.
    Running,
    /// It waits in its lane, or is being delivered.
    Queued,
    /// It has ended, and its outcome is kept.
    Done,
    /// It was refused, or could not be delivered in time. A person may have it tried again.
    Dead,
    /// It is not known whether it was done.
    InDoubt,
    /// A person took it out of the queue.
    Dropped,
}

impl State {
    pub const ALL: [Self; 6] = [Self::Running, Self::Queued, Self::Done, Self::Dead, Self::InDoubt, Self::Dropped];

    /// As it stands in the store, in answers and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Queued => "queued",
            Self::Done => "done",
            Self::Dead => "dead",
            Self::InDoubt => "in_doubt",
            Self::Dropped => "dropped",
        }
    }

    /// The state that is called so, if there is one.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }

    /// Whether nothing more happens to it by itself.
    pub const fn is_closed(self) -> bool {
        matches!(self, Self::Done | Self::Dead | Self::InDoubt | Self::Dropped)
    }
}

/// How an attempt of a call ended.
#[derive(Clone, PartialEq, Eq)]
pub enum End {
    /// For good: the outcome is kept, for as long as keys are.
    Done { outcome: Vec<u8> },
    /// Nothing was written, and nothing is kept: the key is free again. Only for a call that was made at once.
    Free,
    /// A queued call is tried again after this time.
    Again { after: Duration, error: String },
    /// A queued call is given up; the request is kept for a person.
    Dead { outcome: Vec<u8>, error: String },
    /// It is not known whether it was done; the request is kept, to find out.
    InDoubt { outcome: Vec<u8>, error: String },
}

impl fmt::Debug for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Done { .. } => "Done",
            Self::Free => "Free",
            Self::Again { .. } => "Again",
            Self::Dead { .. } => "Dead",
            Self::InDoubt { .. } => "InDoubt",
        })
    }
}

/// A call that a worker has taken from its lane.
#[derive(Clone)]
pub struct Claimed {
    pub ticket: Ticket,
    pub client: String,
    pub request: Vec<u8>,
    pub accepted: i64,
    /// How long it has been there.
    pub age: Duration,
    /// What attempts before this one may have done; none for the first.
    pub earlier: Option<Earlier>,
}

impl fmt::Debug for Claimed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Claimed({})", self.ticket.id)
    }
}

/// A call as the store knows it.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredCall {
    pub seq: i64,
    pub id: Uuid,
    pub caller: String,
    pub client: Option<String>,
    pub key: Option<String>,
    pub route: String,
    pub model: String,
    pub lane: Option<String>,
    pub state: State,
    pub attempts: u32,
    /// The code of the last error.
    pub error: Option<String>,
    pub accepted: i64,
    pub closed: Option<i64>,
    pub last_attempt: Option<i64>,
    /// When its lane is due; none where it is not queued.
    pub due: Option<i64>,
    /// A worker has it now.
    pub is_held: bool,
    pub delivery: Option<Delivery>,
    /// What came of the calls of a delivery that are done; only where one call is looked at.
    pub progress: Option<Vec<u8>>,
    pub outcome: Option<Vec<u8>>,
}

impl fmt::Debug for StoredCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoredCall({}, {})", self.id, self.state.as_str())
    }
}
