//! A call as a reader sees it: what its lines say together.

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use crate::log::{
    format::{
        event::State,
        index::{Index, Row},
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
    /// It is not known whether it was done, or something of it is left.
    InDoubt,
    /// Its gateway is working on it.
    Running,
}

impl CallState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::InDoubt => "in doubt",
            Self::Running => "running",
        }
    }

    /// The state of a call whose last line records this one.
    pub(in crate::log) fn recorded(state: Option<State>) -> Self {
        match state {
            Some(State::Done) => Self::Done,
            Some(State::Failed) => Self::Failed,
            Some(State::InDoubt) | None => Self::InDoubt,
        }
    }
}

/// Where a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::log) struct Position {
    pub(in crate::log) segment: Segment,
    pub(in crate::log) offset: u64,
    /// In bytes.
    pub(in crate::log) length: u32,
}

/// A call of the log.
#[derive(Debug, Clone, Serialize)]
pub struct Call {
    pub id: Uuid,
    /// When it came in.
    pub ts: Timestamp,
    pub route: RecordedRoute,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub model: String,
    pub state: CallState,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub error: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<f64>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub client: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub login: String,
    pub address: String,
    /// What it wrote in Odoo.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<(String, i64)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replay_of: Option<Uuid>,
    /// The calls that repeated this one, the latest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub repeated_by: Vec<Repetition>,
    /// What an operator said of it where it was in doubt; `state` is as that says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settled: Option<Settled>,
    #[serde(skip)]
    pub(in crate::log) positions: Vec<Position>,
}

impl Call {
    /// Who made it: the client, or else the Odoo login. Empty where neither is known.
    pub fn caller(&self) -> &str {
        if self.client.is_empty() { &self.login } else { &self.client }
    }

    /// Somebody has repeated it with success.
    pub fn is_repeated(&self) -> bool {
        is_repeated(&self.repeated_by)
    }
}

/// That a call which was in doubt was done, or not: who said so, when, and why.
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

fn is_repeated(repetitions: &[Repetition]) -> bool {
    repetitions.iter().any(|repetition| repetition.state == CallState::Done)
}

/// A line with the index that knows its words.
#[derive(Clone, Copy)]
pub(in crate::log) struct IndexedLine<'i> {
    pub(in crate::log) index: &'i Index,
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

/// A call that has not been copied out of the index yet. At least one of its lines is there.
pub(in crate::log) struct View<'i> {
    pub(in crate::log) first: IndexedLine<'i>,
    pub(in crate::log) last: Option<IndexedLine<'i>>,
    pub(in crate::log) planned: Option<Position>,
    pub(in crate::log) settled: Option<IndexedLine<'i>>,
    pub(in crate::log) state: CallState,
    pub(in crate::log) repetitions: &'i [Repetition],
}

impl<'i> View<'i> {
    /// The line that knows most.
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

    /// It is no call, but a request that was passed on or refused before that.
    pub(in crate::log) fn is_request(&self) -> bool {
        self.first.row.event.is_of_request()
    }

    pub(in crate::log) fn model(&self) -> &'i str {
        self.first.index.word(self.first.row.model)
    }

    pub(in crate::log) fn client(&self) -> &'i str {
        self.first.index.word(self.first.row.client)
    }

    /// The Odoo login. The line of the end alone has it of a call that was received before Odoo was asked for the user.
    pub(in crate::log) fn login(&self) -> &'i str {
        let login = |told: IndexedLine<'i>| told.index.word(told.row.login);
        match login(self.first) {
            "" => login(self.end()),
            login => login,
        }
    }

    pub(in crate::log) fn error(&self) -> &'i str {
        self.end().index.word(self.end().row.error)
    }

    /// Those that its end names, and those that the operator named who settled it.
    pub(in crate::log) fn records(&self) -> impl Iterator<Item = (&'i str, i64)> {
        let told = [Some(self.end()), self.settled].into_iter().flatten();
        told.flat_map(|IndexedLine { index, row, .. }| {
            row.records.iter().map(move |(model, id)| (index.word(*model), *id))
        })
    }

    /// It is not known whether it was done, nobody has settled it, and no repetition had success.
    pub(in crate::log) fn is_in_doubt(&self) -> bool {
        self.state == CallState::InDoubt && !is_repeated(self.repetitions)
    }

    /// Where its lines are, in their order.
    pub(in crate::log) fn positions(&self) -> impl Iterator<Item = Position> {
        let [last, settled] = [self.last, self.settled].map(|told| told.map(|told| told.position()));
        [Some(self.first.position()), self.planned, last, settled].into_iter().flatten()
    }

    pub(in crate::log) fn to_call(&self) -> Call {
        let (first, end) = (self.first, self.end());
        let has_end = self.last.is_some() || end.row.state.is_some();
        Call {
            id: Uuid::from_u128(first.row.id),
            ts: Timestamp::from_microsecond(first.row.ts).unwrap_or_default(),
            route: self.route(),
            model: self.model().to_owned(),
            state: self.state,
            error: self.error().to_owned(),
            message: end.index.word(end.row.message).to_owned(),
            duration_ms: has_end.then_some(end.row.ms),
            client: self.client().to_owned(),
            login: self.login().to_owned(),
            address: first.index.word(first.row.address).to_owned(),
            records: self.records().map(|(model, id)| (model.to_owned(), id)).collect(),
            replay_of: first.row.replay_of.map(Uuid::from_u128),
            repeated_by: self.repetitions.to_vec(),
            settled: self.settled.map(|told| told.settled()),
            positions: self.positions().collect(),
        }
    }
}
