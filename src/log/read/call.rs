//! A call, as readers see it: the content of all its lines.

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use crate::log::{
    format::{
        event::State,
        index::rows::{Row, Rows},
        segment::Segment,
    },
    read::route::RecordedRoute,
};

/// The state of a call: the one that its last line records ([`State`]), or [`CallState::Running`] as long as there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CallState {
    Done,
    /// Nothing of it is in Odoo.
    Failed,
    /// It is unknown whether it was done, or something of it is left in Odoo.
    InDoubt,
    /// The gateway is working on it.
    Running,
    /// It was accepted into the queue.
    Queued,
    /// There was nothing to do, or it was answered from its key.
    Ignored,
    /// It was planned only: it is counted nowhere and never made again.
    DryRun,
}

impl CallState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::InDoubt => "in doubt",
            Self::Running => "running",
            Self::Queued => "queued",
            Self::Ignored => "ignored",
            Self::DryRun => "dry run",
        }
    }

    /// The state of a dry run that has come so far: none of its ends is that of a call.
    pub(in crate::log) fn of_dry_run(self) -> Self {
        if matches!(self, Self::Running | Self::Queued) { self } else { Self::DryRun }
    }

    /// The state of a call whose last line records this one.
    pub(in crate::log) fn recorded(state: Option<State>) -> Self {
        match state {
            Some(State::Done) => Self::Done,
            Some(State::Failed) => Self::Failed,
            Some(State::Queued) => Self::Queued,
            Some(State::Ignored) => Self::Ignored,
            Some(State::DryRun) => Self::DryRun,
            Some(State::InDoubt) | None => Self::InDoubt,
        }
    }
}

/// The position of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::log) struct Position {
    pub(in crate::log) segment: Segment,
    pub(in crate::log) offset: u64,
    /// In bytes.
    pub(in crate::log) length: u32,
}

/// A recorded call.
#[derive(Debug, Clone, Serialize)]
pub struct Call {
    pub id: Uuid,
    /// When it arrived.
    pub ts: Timestamp,
    pub route: RecordedRoute,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub model: String,
    pub state: CallState,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub error: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// How many warnings the answer had.
    #[serde(skip_serializing_if = "is_none")]
    pub warnings: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<f64>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub client: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub login: String,
    pub address: String,
    /// The records that it wrote in Odoo.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<(String, i64)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replay_of: Option<Uuid>,
    /// The hook that it came by.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub hook: String,
    /// What its sender calls the delivery; empty where that is unknown.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub delivery_id: String,
    /// The accepted call that it is an attempt of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt_of: Option<Uuid>,
    /// The number of the attempt, from 1; 0 where it is none.
    #[serde(skip_serializing_if = "is_none")]
    pub attempt: u32,
    /// Its place among the calls of a delivery, from 1; 0 where it is not one of several.
    #[serde(skip_serializing_if = "is_none")]
    pub step: u32,
    /// The first call with the same key, whose outcome was answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeat_of: Option<Uuid>,
    /// Its repetitions, the latest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub repeated_by: Vec<Repetition>,
    /// The settlement of a call that was in doubt; `state` is the settled one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settled: Option<Settled>,
    #[serde(skip)]
    pub(in crate::log) positions: Vec<Position>,
}

impl Call {
    /// The client, or else the Odoo login; empty where neither is known.
    pub fn caller(&self) -> &str {
        if self.client.is_empty() { &self.login } else { &self.client }
    }

    /// Its state, as a person is told: of a dry run, what the call would come to.
    pub fn how(&self) -> &'static str {
        match self.state {
            CallState::DryRun if self.error.is_empty() => "would be done",
            CallState::DryRun => "would fail",
            state => state.as_str(),
        }
    }

    /// Whether a repetition succeeded.
    pub fn is_repeated(&self) -> bool {
        is_repeated(&self.repeated_by)
    }
}

/// The settlement of a call in doubt: by whom, when and why.
#[derive(Debug, Clone, Serialize)]
pub struct Settled {
    pub ts: Timestamp,
    pub by: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub why: String,
}

/// A repetition of a call.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Repetition {
    pub id: Uuid,
    pub state: CallState,
}

fn is_none(count: &u32) -> bool {
    *count == 0
}

fn is_repeated(repetitions: &[Repetition]) -> bool {
    repetitions.iter().any(|repetition| matches!(repetition.state, CallState::Done | CallState::Ignored))
}

/// A line, with the rows that have its texts.
#[derive(Clone, Copy)]
pub(in crate::log) struct IndexedLine<'i> {
    pub(in crate::log) index: &'i Rows,
    pub(in crate::log) row: &'i Row,
    pub(in crate::log) segment: Segment,
}

impl IndexedLine<'_> {
    pub(in crate::log) fn position(&self) -> Position {
        Position { segment: self.segment, offset: self.row.offset, length: self.row.length }
    }

    fn settled(&self) -> Settled {
        Settled {
            ts: Timestamp::from_microsecond(self.row.ts).unwrap_or_default(),
            by: self.index.word(self.row.login).to_owned(),
            why: self.index.word(self.row.message).to_owned(),
        }
    }
}

/// A call that has not been copied out of the index. At least one of its lines exists.
pub(in crate::log) struct View<'i> {
    pub(in crate::log) first: IndexedLine<'i>,
    pub(in crate::log) last: Option<IndexedLine<'i>>,
    pub(in crate::log) planned: Option<Position>,
    pub(in crate::log) settled: Option<IndexedLine<'i>>,
    pub(in crate::log) state: CallState,
    pub(in crate::log) repetitions: &'i [Repetition],
}

impl<'i> View<'i> {
    /// The line with the most information.
    fn end(&self) -> IndexedLine<'i> {
        self.last.unwrap_or(self.first)
    }

    pub(in crate::log) fn ts(&self) -> i64 {
        self.first.row.ts
    }

    pub(in crate::log) fn route(&self) -> RecordedRoute {
        match self.is_request() {
            true => RecordedRoute::Passed,
            false => RecordedRoute::named(self.first.index.word(self.first.row.route)),
        }
    }

    /// Whether it is a request that is not a call.
    pub(in crate::log) fn is_request(&self) -> bool {
        self.first.row.event.is_of_request()
    }

    pub(in crate::log) fn model(&self) -> &'i str {
        self.first.index.word(self.first.row.model)
    }

    pub(in crate::log) fn client(&self) -> &'i str {
        self.first.index.word(self.first.row.client)
    }

    /// The Odoo login. Where the call was received before its Odoo user was known, only the last line has it.
    pub(in crate::log) fn login(&self) -> &'i str {
        let login = |line: IndexedLine<'i>| line.index.word(line.row.login);
        match login(self.first) {
            "" => login(self.end()),
            login => login,
        }
    }

    pub(in crate::log) fn hook(&self) -> &'i str {
        self.first.index.word(self.first.row.hook)
    }

    /// What its sender calls the delivery. Only the last line has it.
    pub(in crate::log) fn delivery_id(&self) -> &'i str {
        self.end().index.word(self.end().row.delivery_id)
    }

    /// Whether the call is of the delivery with this identity, its sender's or the id under which it was accepted.
    pub(in crate::log) fn is_of_delivery(&self, identity: &str) -> bool {
        let has_id = |id: Uuid| {
            let attempt_of = self.first.row.attempt_of.or(self.end().row.attempt_of);
            let ids = [Some(self.first.row.id), attempt_of, self.end().row.repeat_of];
            ids.contains(&Some(id.as_u128()))
        };
        self.delivery_id() == identity || identity.parse().is_ok_and(has_id)
    }

    pub(in crate::log) fn error(&self) -> &'i str {
        self.end().index.word(self.end().row.error)
    }

    /// The place in the payload that its error names, without positions in lists.
    pub(in crate::log) fn path(&self) -> &'i str {
        self.end().index.word(self.end().row.path)
    }

    /// How long it took, in milliseconds; `None` of a call that has no end.
    pub(in crate::log) fn took(&self) -> Option<f64> {
        let has_end = self.last.is_some() || self.end().row.state.is_some();
        has_end.then_some(self.end().row.ms)
    }

    /// The records in the last line and those that the settlement added.
    pub(in crate::log) fn records(&self) -> impl Iterator<Item = (&'i str, i64)> {
        let lines = [Some(self.end()), self.settled].into_iter().flatten();
        lines.flat_map(|IndexedLine { index, row, .. }| {
            row.records.iter().map(move |(model, id)| (index.word(*model), *id))
        })
    }

    /// Whether it is unknown whether it was done, it is not settled, and no repetition succeeded.
    pub(in crate::log) fn is_in_doubt(&self) -> bool {
        self.state == CallState::InDoubt && !is_repeated(self.repetitions)
    }

    /// How many warnings the answer had.
    pub(in crate::log) fn warnings(&self) -> u32 {
        self.end().row.warnings
    }

    /// The positions of its lines, in order.
    pub(in crate::log) fn positions(&self) -> impl Iterator<Item = Position> {
        let [last, settled] = [self.last, self.settled].map(|line| line.map(|line| line.position()));
        [Some(self.first.position()), self.planned, last, settled].into_iter().flatten()
    }

    pub(in crate::log) fn to_call(&self) -> Call {
        let (first, end) = (self.first, self.end());
        Call {
            id: Uuid::from_u128(first.row.id),
            ts: Timestamp::from_microsecond(first.row.ts).unwrap_or_default(),
            route: self.route(),
            model: self.model().to_owned(),
            state: self.state,
            error: self.error().to_owned(),
            message: end.index.word(end.row.message).to_owned(),
            warnings: self.warnings(),
            duration_ms: self.took(),
            client: self.client().to_owned(),
            login: self.login().to_owned(),
            address: first.index.word(first.row.address).to_owned(),
            records: self.records().map(|(model, id)| (model.to_owned(), id)).collect(),
            replay_of: first.row.replay_of.map(Uuid::from_u128),
            hook: self.hook().to_owned(),
            delivery_id: self.delivery_id().to_owned(),
            // Only the last line of a call that takes over another one has them.
            attempt_of: first.row.attempt_of.or(end.row.attempt_of).map(Uuid::from_u128),
            attempt: first.row.attempt.max(end.row.attempt),
            step: first.row.step,
            repeat_of: end.row.repeat_of.map(Uuid::from_u128),
            repeated_by: self.repetitions.to_vec(),
            settled: self.settled.map(|line| line.settled()),
            positions: self.positions().collect(),
        }
    }
}
