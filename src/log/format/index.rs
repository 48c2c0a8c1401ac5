//! The index of a segment: the columns that a listing needs of each line, so that it scans a million lines in a moment.
//!
//! The index is derived from the segment. One that is missing, of another version, or made from a file of another size is
//! rebuilt, and the whole folder can be deleted at any time.

use std::{borrow::Cow, collections::HashMap, io};

use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::IgnoredAny};
use uuid::Uuid;

use super::{
    fs::{Disk, Fs, write_whole},
    line::Line,
    recovery::later_lines,
    segment::{Segment, decompress_what_can_be},
};
use crate::log::format::event::{Event, State};

const FOLDER: &str = "index";
/// Must change whenever [`Index`] does.
const VERSION: u32 = 5;
/// A listing shows this many characters of a message.
const MESSAGE: usize = 160;

/// The lines of one segment, in order.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(in crate::log) struct Index {
    version: u32,
    /// The size of the sealed file that this index was made from.
    file_size: u64,
    /// The size of the segment's lines, uncompressed.
    pub(in crate::log) length: u64,
    /// The times of the earliest and the latest line, in microseconds.
    pub(in crate::log) times: Option<(i64, i64)>,
    words: Vec<String>,
    pub(in crate::log) rows: Vec<Row>,
}

/// The columns of a line. Texts are interned: a column holds the number of a text in the index's `words`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::log) struct Row {
    pub(in crate::log) event: Event,
    /// The offset of the line in the uncompressed segment, in bytes.
    pub(in crate::log) offset: u64,
    /// In bytes.
    pub(in crate::log) length: u32,
    pub(in crate::log) seq: u64,
    /// In microseconds.
    pub(in crate::log) ts: i64,
    pub(in crate::log) id: u128,
    /// Empty for a request that is not a call.
    pub(in crate::log) route: u32,
    pub(in crate::log) model: u32,
    pub(in crate::log) client: u32,
    /// In a settlement and in an operator's act, who did it.
    pub(in crate::log) login: u32,
    pub(in crate::log) address: u32,
    /// The state that the line records, if any.
    pub(in crate::log) state: Option<State>,
    pub(in crate::log) error: u32,
    /// In a settlement and in an operator's act, the reason.
    pub(in crate::log) message: u32,
    /// How many warnings the answer had.
    pub(in crate::log) warnings: u32,
    pub(in crate::log) ms: f64,
    pub(in crate::log) records: Vec<(u32, i64)>,
    pub(in crate::log) replay_of: Option<u128>,
    pub(in crate::log) hook: u32,
    pub(in crate::log) delivery_id: u32,
    pub(in crate::log) attempt_of: Option<u128>,
    /// 0 where the call is no attempt.
    pub(in crate::log) attempt: u32,
    /// 0 where the call is not one of several.
    pub(in crate::log) step: u32,
    pub(in crate::log) repeat_of: Option<u128>,
    /// In the last line of a call, the number of its first line.
    pub(in crate::log) received: Option<u64>,
    /// In a line that was carried forward, the number of the original line.
    pub(in crate::log) carried_from: Option<u64>,
}

/// The members of a line that become columns.
#[derive(Deserialize)]
struct Members<'l> {
    #[serde(borrow)]
    event: Cow<'l, str>,
    ts: Timestamp,
    id: Option<Uuid>,
    #[serde(borrow)]
    route: Option<Cow<'l, str>>,
    #[serde(borrow)]
    model: Option<Cow<'l, str>>,
    #[serde(borrow)]
    client: Option<Cow<'l, str>>,
    #[serde(borrow)]
    caller: Option<CallerMember<'l>>,
    #[serde(borrow)]
    address: Option<Cow<'l, str>>,
    #[serde(borrow)]
    state: Option<Cow<'l, str>>,
    #[serde(borrow)]
    error: Option<Cow<'l, str>>,
    #[serde(borrow)]
    message: Option<MessageMember<'l>>,
    #[serde(default)]
    warnings: u32,
    duration_ms: Option<f64>,
    #[serde(default)]
    records: HashMap<String, Vec<i64>>,
    replay_of: Option<Uuid>,
    #[serde(borrow)]
    hook: Option<Cow<'l, str>>,
    #[serde(borrow)]
    delivery_id: Option<Cow<'l, str>>,
    attempt_of: Option<Uuid>,
    #[serde(default)]
    attempt: u32,
    #[serde(default)]
    step: u32,
    repeat_of: Option<Uuid>,
    received: Option<u64>,
    carried_from: Option<u64>,
    #[serde(borrow)]
    method: Option<Cow<'l, str>>,
    #[serde(borrow)]
    path: Option<Cow<'l, str>>,
    status: Option<u16>,
    #[serde(borrow)]
    by: Option<Cow<'l, str>>,
    #[serde(borrow)]
    why: Option<Cow<'l, str>>,
}

#[derive(Deserialize)]
struct CallerMember<'l> {
    #[serde(borrow)]
    login: Cow<'l, str>,
}

/// A sentence, or the marker of a long one.
#[derive(Deserialize)]
#[serde(untagged)]
enum MessageMember<'l> {
    #[serde(borrow)]
    Text(Cow<'l, str>),
    Elsewhere(IgnoredAny),
}

impl Index {
    /// The index of all whole lines in a segment's bytes.
    pub(in crate::log) fn of(bytes: &[u8]) -> Self {
        let mut making = Making::default();
        for (at, line) in later_lines(bytes) {
            making.add(&line, at as u64);
        }
        let Making { index, .. } = making;
        Self { version: VERSION, length: bytes.len() as u64, ..index }
    }

    /// The index of a sealed segment: from its file, or built and saved.
    pub(in crate::log) fn of_sealed(disk: &Disk, segment: Segment) -> io::Result<Self> {
        let file_size = disk.stat(&segment.sealed())?.0;
        let kept = disk.read(&file(segment)).ok();
        let kept = kept.and_then(|bytes| postcard::from_bytes::<Self>(&bytes).ok());
        if let Some(kept) = kept.filter(|kept| kept.version == VERSION && kept.file_size == file_size) {
            return Ok(kept);
        }
        Self::make(disk, segment, &decompress_what_can_be(&disk.read(&segment.sealed())?))
    }

    /// Builds and saves the index of a sealed segment with these bytes, uncompressed.
    pub(in crate::log) fn make(disk: &Disk, segment: Segment, bytes: &[u8]) -> io::Result<Self> {
        let file_size = disk.stat(&segment.sealed())?.0;
        let index = Self { file_size, ..Self::of(bytes) };
        if let Ok(bytes) = postcard::to_stdvec(&index) {
            // A reader without the right to write does without the saved index.
            let _ = write_whole(disk, &file(segment), &bytes);
        }
        Ok(index)
    }

    pub(in crate::log) fn remove(disk: &Disk, segment: Segment) -> io::Result<()> {
        match disk.remove(&file(segment)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            outcome => outcome,
        }
    }

    /// The text with this number; empty where there is none.
    pub(in crate::log) fn word(&self, number: u32) -> &str {
        self.words.get(number as usize).map_or("", String::as_str)
    }
}

pub(in crate::log) fn file(segment: Segment) -> String {
    format!("{FOLDER}/{:020}.idx", segment.0)
}

/// Whether readers need the lines of this event.
fn is_indexed(event: Event) -> bool {
    match event {
        Event::Start
        | Event::CallReceived
        | Event::CallPlanned
        | Event::CallFinished
        | Event::CallRefused
        | Event::CallSettled
        | Event::RequestReceived
        | Event::RequestFinished
        | Event::RequestRefused
        | Event::OperatorActed => true,
        Event::Segment | Event::Mark | Event::Gap | Event::Recovered | Event::Repaired | Event::SegmentDropped => false,
    }
}

#[derive(Default)]
struct Making {
    index: Index,
    known: HashMap<String, u32>,
}

impl Making {
    fn add(&mut self, line: &Line<'_>, offset: u64) {
        let Some(members) = line.parse::<Members<'_>>() else { return };
        let ts = members.ts.as_microsecond();
        let times = self.index.times.get_or_insert((ts, ts));
        *times = (times.0.min(ts), times.1.max(ts));
        let Some(event) = Event::named(&members.event).filter(|event| is_indexed(*event)) else { return };
        let (route, message) = match (members.method, members.path) {
            (Some(method), Some(path)) => {
                let status = members.status.map(|status| format!(" {status}")).unwrap_or_default();
                (Cow::Borrowed(""), format!("{method} {path}{status}").into())
            }
            _ => {
                let message = match members.message {
                    Some(MessageMember::Text(text)) => text,
                    Some(MessageMember::Elsewhere(_)) | None => Cow::Borrowed(""),
                };
                (members.route.unwrap_or_default(), members.why.unwrap_or(message))
            }
        };
        // A call that an operator has made has the operator beside its Odoo user.
        let is_by_operator = matches!(event, Event::CallSettled | Event::OperatorActed);
        let login = members.by.filter(|_| is_by_operator).or(members.caller.map(|caller| caller.login));
        let end = message.char_indices().nth(MESSAGE).map_or(message.len(), |(end, _)| end);
        let mut records = Vec::new();
        for (model, ids) in &members.records {
            let model = self.number(model);
            records.extend(ids.iter().map(|id| (model, *id)));
        }
        let row = Row {
            event,
            offset,
            length: u32::try_from(line.bytes.len()).unwrap_or(u32::MAX),
            seq: line.seq,
            ts,
            id: members.id.unwrap_or_default().as_u128(),
            route: self.number(&route),
            model: self.number(&members.model.unwrap_or_default()),
            client: self.number(&members.client.unwrap_or_default()),
            login: self.number(&login.unwrap_or_default()),
            address: self.number(&members.address.unwrap_or_default()),
            state: members.state.as_deref().map(State::read),
            error: self.number(&members.error.unwrap_or_default()),
            message: self.number(&message[..end]),
            warnings: members.warnings,
            ms: members.duration_ms.unwrap_or_default(),
            records,
            replay_of: members.replay_of.map(|id| id.as_u128()),
            hook: self.number(&members.hook.unwrap_or_default()),
            delivery_id: self.number(&members.delivery_id.unwrap_or_default()),
            attempt_of: members.attempt_of.map(|id| id.as_u128()),
            attempt: members.attempt,
            step: members.step,
            repeat_of: members.repeat_of.map(|id| id.as_u128()),
            received: members.received,
            carried_from: members.carried_from,
        };
        self.index.rows.push(row);
    }

    fn number(&mut self, word: &str) -> u32 {
        if let Some(number) = self.known.get(word) {
            return *number;
        }
        let number = u32::try_from(self.index.words.len()).unwrap_or(u32::MAX);
        self.index.words.push(word.to_owned());
        self.known.insert(word.to_owned(), number);
        number
    }
}
