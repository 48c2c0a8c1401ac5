//! The columns of the calls that begin and end in one segment, and what the segment has of them in all.
//!
//! Invariant: a column may say less than the call, and never anything else. A name that is too many for the segment is
//! [`OTHER`], and a reader of it must look at the call itself.

use std::{borrow::Cow, collections::HashMap, io};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::rows::{Row, Rows};
use crate::log::format::event::{Event, State};

/// So many calls are in a block.
pub(in crate::log) const BLOCK: u32 = 128;
/// The number of a name beyond the first [`NAMES`].
pub(in crate::log) const OTHER: u16 = u16::MAX;
/// So many names of a segment are numbered: senders choose some of them.
const NAMES: usize = 4096;
/// In [`Column::State`]: it is a request that is not a call.
const REQUEST: u8 = 0x80;
/// In [`Column::State`]: it is an attempt of a call that was queued.
const ATTEMPT: u8 = 0x40;

/// A column. Numbers are little-endian, names are numbers of [`Head::names`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::log) enum Column {
    /// How many lines after the segment's first one the call began.
    Line,
    /// When it arrived, in microseconds.
    Arrived,
    /// In milliseconds.
    Took,
    /// How it ended ([`state_of`]), and whether it is a request that is not a call ([`is_request`]) or an attempt ([`is_attempt`]).
    State,
    Route,
    Model,
    Client,
    Login,
    Hook,
    Error,
    Path,
    Id,
}

impl Column {
    pub(in crate::log) const ALL: [Self; 12] = [
        Self::Line,
        Self::Arrived,
        Self::Took,
        Self::State,
        Self::Route,
        Self::Model,
        Self::Client,
        Self::Login,
        Self::Hook,
        Self::Error,
        Self::Path,
        Self::Id,
    ];

    /// In bytes.
    pub(in crate::log) const fn width(self) -> usize {
        match self {
            Self::State => 1,
            Self::Route | Self::Model | Self::Client | Self::Login | Self::Hook | Self::Error | Self::Path => 2,
            Self::Line | Self::Took => 4,
            Self::Arrived => 8,
            Self::Id => 16,
        }
    }
}

/// What a segment has, in all.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(in crate::log) struct Head {
    /// The size of the sealed file that this index was made from.
    pub(super) file_size: u64,
    /// The size of the segment's lines, uncompressed.
    pub(in crate::log) length: u64,
    /// The times of the earliest and the latest line, in microseconds.
    pub(in crate::log) times: Option<(i64, i64)>,
    /// How many calls have columns.
    pub(in crate::log) calls: u32,
    /// When the earliest and the latest of them arrived, in microseconds.
    pub(in crate::log) arrived: Option<(i64, i64)>,
    /// The least and the greatest id of them.
    pub(in crate::log) ids: Option<(u128, u128)>,
    /// One bit for each state that one of them ended in.
    states: u8,
    /// The names in the columns by their numbers; the first one is empty.
    pub(in crate::log) names: Vec<String>,
    /// There were more names.
    pub(in crate::log) has_others: bool,
    pub(super) records: u32,
    pub(super) keys: u32,
    pub(super) strays: u32,
    /// The size of each block in the file.
    pub(super) blocks: Vec<u32>,
}

impl Head {
    /// Whether a call may have ended in this state.
    pub(in crate::log) fn has_state(&self, state: State) -> bool {
        self.states & (1 << state_number(state)) != 0
    }

    /// The numbers that stand for this name or may do so; `None` where no column has it.
    pub(in crate::log) fn number(&self, name: &str) -> Option<u16> {
        let number = self.names.iter().position(|known| known == name);
        let other = self.has_others.then_some(OTHER);
        number.and_then(|number| u16::try_from(number).ok()).or(other)
    }
}

/// The columns of a segment, wherever they are.
pub(in crate::log) trait Columns {
    fn head(&self) -> &Head;
    /// The values of all calls.
    fn column(&self, column: Column) -> io::Result<Cow<'_, [u8]>>;
    /// The ids of records that were written, each with the number of the call: see [`records`].
    fn records(&self) -> io::Result<Cow<'_, [u8]>>;
    /// The hashes of what deliveries are known by, each with the number of a call: see [`keys`].
    fn keys(&self) -> io::Result<Cow<'_, [u8]>>;
    /// The calls of a block with all that a listing shows.
    fn block(&self, number: u32) -> io::Result<Block>;
    /// The lines that are of no call in the columns.
    fn strays(&self) -> io::Result<Rows>;
}

/// Some calls: the rows of each, its first line first and its last one last.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::log) struct Block {
    pub(in crate::log) rows: Rows,
    /// Where the rows of each call begin.
    pub(super) starts: Vec<u32>,
}

impl Block {
    /// Whether the rows of each call are there. A file may be damaged in a way that can be read.
    pub(super) fn is_whole(&self) -> bool {
        let ends = self.starts.iter().skip(1).map(|start| *start as usize).chain([self.rows.rows.len()]);
        self.starts.iter().zip(ends).all(|(start, end)| *start as usize <= end)
    }

    /// The rows of the call with this number in the segment.
    pub(in crate::log) fn call(&self, number: u32) -> std::ops::Range<usize> {
        let at = (number % BLOCK) as usize;
        let place = |at: usize| self.starts.get(at).map_or(self.rows.rows.len(), |start| *start as usize);
        place(at)..place(at + 1)
    }
}

/// Columns in the making.
#[derive(Debug)]
pub(super) struct Filling {
    pub(super) head: Head,
    numbers: HashMap<String, u16>,
    columns: [Vec<u8>; Column::ALL.len()],
    pub(super) records: Vec<u8>,
    pub(super) keys: Vec<u8>,
}

impl Default for Filling {
    fn default() -> Self {
        let head = Head { names: vec![String::new()], ..Head::default() };
        let numbers = HashMap::from([(String::new(), 0)]);
        Self { head, numbers, columns: <[Vec<u8>; Column::ALL.len()]>::default(), records: vec![], keys: vec![] }
    }
}

impl Filling {
    pub(super) fn column(&self, column: Column) -> &[u8] {
        &self.columns[column as usize]
    }

    /// Adds a call. It has ended, in a state that its last line records.
    pub(super) fn add(&mut self, first_of_segment: u64, rows: &Rows, first: &Row, last: &Row, state: State) {
        let number = self.head.calls;
        self.head.calls += 1;
        self.head.states |= 1 << state_number(state);
        self.head.arrived = Some(widened(self.head.arrived, first.ts));
        self.head.ids = Some(widened(self.head.ids, first.id));
        let line = u32::try_from(first.seq.saturating_sub(first_of_segment)).unwrap_or(u32::MAX);
        let request = if first.event.is_of_request() { REQUEST } else { 0 };
        let kind = request | if first.attempt_of.is_some() { ATTEMPT } else { 0 };
        let took = last.ms as f32;
        self.put(Column::Line, &line.to_le_bytes());
        self.put(Column::Arrived, &first.ts.to_le_bytes());
        self.put(Column::Took, &took.to_le_bytes());
        self.put(Column::State, &[state_number(state) | kind]);
        self.put(Column::Id, &first.id.to_le_bytes());
        let login = if first.login_is_empty(rows) { last.login } else { first.login };
        for (column, word) in [
            (Column::Route, first.route),
            (Column::Model, first.model),
            (Column::Client, first.client),
            (Column::Login, login),
            (Column::Hook, first.hook),
            (Column::Error, last.error),
            (Column::Path, last.path),
        ] {
            let name = self.name(rows.word(word));
            self.put(column, &name.to_le_bytes());
        }
        for (_, id) in &last.records {
            self.records.extend(id.to_le_bytes());
            self.records.extend(number.to_le_bytes());
            self.head.records += 1;
        }
        let delivery = Some(rows.word(last.delivery_id)).filter(|id| !id.is_empty()).map(hash_of_text);
        let others = [first.attempt_of.or(last.attempt_of), last.repeat_of].map(|id| id.map(hash_of_id));
        for hash in [delivery].into_iter().chain(others).flatten() {
            self.keys.extend(hash.to_le_bytes());
            self.keys.extend(number.to_le_bytes());
            self.head.keys += 1;
        }
    }

    fn put(&mut self, column: Column, value: &[u8]) {
        self.columns[column as usize].extend(value);
    }

    fn name(&mut self, name: &str) -> u16 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        match u16::try_from(self.head.names.len()) {
            Ok(number) if usize::from(number) < NAMES => {
                self.head.names.push(name.to_owned());
                self.numbers.insert(name.to_owned(), number);
                number
            }
            _ => {
                self.head.has_others = true;
                OTHER
            }
        }
    }
}

impl Row {
    fn login_is_empty(&self, rows: &Rows) -> bool {
        rows.word(self.login).is_empty()
    }
}

pub(super) fn widened<T: Ord + Copy>(range: Option<(T, T)>, value: T) -> (T, T) {
    range.map_or((value, value), |(least, most)| (least.min(value), most.max(value)))
}

const fn state_number(state: State) -> u8 {
    match state {
        State::Done => 0,
        State::Failed => 1,
        State::InDoubt => 2,
        State::Queued => 3,
        State::Ignored => 4,
        State::DryRun => 5,
    }
}

/// The state in a value of [`Column::State`].
pub(in crate::log) const fn state_of(value: u8) -> State {
    match value & !(REQUEST | ATTEMPT) {
        0 => State::Done,
        1 => State::Failed,
        3 => State::Queued,
        4 => State::Ignored,
        5 => State::DryRun,
        _ => State::InDoubt,
    }
}

/// Whether a value of [`Column::State`] is of a request that is not a call.
pub(in crate::log) const fn is_request(value: u8) -> bool {
    value & REQUEST != 0
}

/// Whether a value of [`Column::State`] is of an attempt of a call that was queued.
pub(in crate::log) const fn is_attempt(value: u8) -> bool {
    value & ATTEMPT != 0
}

/// Whether a call that began and ended with these lines needs nothing of any other line.
pub(super) fn is_complete(first: &Row, last: &Row) -> Option<State> {
    let state = last.state.filter(|state| *state != State::InDoubt)?;
    let is_alone = [first, last].iter().all(|row| row.carried_from.is_none() && row.replay_of.is_none());
    let is_pair = match last.event {
        Event::CallFinished => first.event == Event::CallReceived,
        Event::RequestFinished => first.event == Event::RequestReceived,
        _ => first.seq == last.seq,
    };
    let state = if first.is_dry_run { state.of_dry_run() } else { state };
    (is_alone && is_pair).then_some(state)
}

pub(in crate::log) fn hash_of_text(text: &str) -> u32 {
    crc32fast::hash(text.as_bytes())
}

pub(in crate::log) fn hash_of_id(id: u128) -> u32 {
    crc32fast::hash(Uuid::from_u128(id).as_bytes())
}

/// The pairs of a section of records.
pub(in crate::log) fn records(section: &[u8]) -> impl Iterator<Item = (i64, u32)> {
    let (pairs, _) = section.as_chunks::<12>();
    pairs.iter().map(|pair| (i64::from_le_bytes(part(pair, 0)), u32::from_le_bytes(part(pair, 8))))
}

/// The pairs of a section of keys.
pub(in crate::log) fn keys(section: &[u8]) -> impl Iterator<Item = (u32, u32)> {
    let (pairs, _) = section.as_chunks::<8>();
    pairs.iter().map(|pair| (u32::from_le_bytes(part(pair, 0)), u32::from_le_bytes(part(pair, 4))))
}

/// The bytes of the value with this number; zeros where there is none.
pub(in crate::log) fn value<const N: usize>(column: &[u8], number: u32) -> [u8; N] {
    column.as_chunks::<N>().0.get(number as usize).copied().unwrap_or([0; N])
}

fn part<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes.get(at..).and_then(<[u8]>::first_chunk).copied().unwrap_or([0; N])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_that_names_rows_which_it_does_not_have_is_not_whole() {
        let block = |starts: &[u32]| Block { rows: Rows::default(), starts: starts.to_vec() };
        assert!(block(&[]).is_whole() && block(&[0]).is_whole() && block(&[0, 0]).is_whole());
        assert!(!block(&[1]).is_whole() && !block(&[3, 0]).is_whole() && !block(&[u32::MAX]).is_whole());
    }
}
