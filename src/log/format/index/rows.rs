//! The lines of a segment as rows: the columns that a listing shows of each line.

use std::{borrow::Cow, collections::HashMap, fmt};

use jiff::Timestamp;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{IgnoredAny, MapAccess, Visitor},
};
use uuid::Uuid;

use crate::{
    errors::Code,
    log::format::{
        event::{Event, State},
        line::Line,
        recovery::later_lines,
    },
};

/// A listing shows this many characters of a message.
const MESSAGE: usize = 160;
/// What a dry run answers that could be planned.
const PLANNED: &str = "Dry run: nothing was written";
/// As many characters of the place of a mistake are kept.
const PATH: usize = 120;

/// Some lines, in order, and the texts in them.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(in crate::log) struct Rows {
    words: Vec<String>,
    pub(in crate::log) rows: Vec<Row>,
}

/// The columns of a line. Texts are interned: a column holds the number of a text in the `words` of its [`Rows`].
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
    /// The line says that its call is a dry run.
    pub(in crate::log) is_dry_run: bool,
    /// The state that the line records, if any: see [`state_of`].
    pub(in crate::log) state: Option<State>,
    pub(in crate::log) error: u32,
    /// The place in the payload that the error names, without positions in lists.
    pub(in crate::log) path: u32,
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
    #[serde(default)]
    dry_run: bool,
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

/// The member of a received call's line that says whether it is a dry run.
#[derive(Deserialize)]
struct Asked {
    vals: Vals,
}

#[derive(Deserialize)]
struct Vals {
    #[serde(default)]
    dry_run: bool,
}

/// The members of a failed call's line that say where in the payload the mistake is.
#[derive(Deserialize)]
struct Failed<'l> {
    #[serde(borrow, default)]
    result: Place<'l>,
}

/// The place of a mistake in an answer, if the answer has one: `error.path`, or `path` within.
#[derive(Default)]
struct Place<'l>(Option<Cow<'l, str>>);

impl<'de: 'l, 'l> Deserialize<'de> for Place<'l> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seek;
        impl<'de> Visitor<'de> for Seek {
            type Value = Option<Cow<'de, str>>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an answer")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut found = None;
                while let Some(key) = map.next_key::<Cow<'de, str>>()? {
                    match &*key {
                        "error" => found = map.next_value::<Place<'de>>()?.0,
                        "path" => found = Some(map.next_value::<Cow<'de, str>>()?),
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(found)
            }
        }
        deserializer.deserialize_map(Seek).map(Self)
    }
}

impl Rows {
    /// The rows of all whole lines in a segment's bytes.
    pub(in crate::log) fn of(bytes: &[u8]) -> Self {
        Self::of_events(bytes, is_indexed)
    }

    /// The same with the lines that tell how far a call is, which an index does not have.
    pub(in crate::log) fn with_progress(bytes: &[u8]) -> Self {
        Self::of_events(bytes, |event| is_indexed(event) || event == Event::CallProgress)
    }

    fn of_events(bytes: &[u8], is_wanted: fn(Event) -> bool) -> Self {
        let mut making = Making::default();
        for (at, line) in later_lines(bytes) {
            making.add_wanted(&line, at as u64, is_wanted);
        }
        making.rows
    }

    /// The text with this number; empty where there is none.
    pub(in crate::log) fn word(&self, number: u32) -> &str {
        self.words.get(number as usize).map_or("", String::as_str)
    }

    /// Some of the rows, with their texts alone.
    pub(in crate::log) fn copied(&self, rows: impl IntoIterator<Item = usize>) -> Self {
        let mut making = Making::default();
        for row in rows {
            making.copy(self, &self.rows[row]);
        }
        making.rows
    }
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
        // Readers of one call look for them (`read/progress`).
        Event::CallProgress => false,
        Event::Segment | Event::Mark | Event::Gap | Event::Recovered | Event::Repaired | Event::SegmentDropped => false,
    }
}

/// Rows in the making.
#[derive(Debug, Default)]
pub(super) struct Making {
    pub(super) rows: Rows,
    known: HashMap<String, u32>,
}

impl Making {
    /// Adds a line, if readers need it; returns its time in microseconds.
    pub(super) fn add(&mut self, line: &Line<'_>, offset: u64) -> Option<i64> {
        self.add_wanted(line, offset, is_indexed)
    }

    fn add_wanted(&mut self, line: &Line<'_>, offset: u64, is_wanted: fn(Event) -> bool) -> Option<i64> {
        let members = line.parse::<Members<'_>>()?;
        let ts = members.ts.as_microsecond();
        let Some(event) = Event::named(&members.event).filter(|event| is_wanted(*event)) else { return Some(ts) };
        let path = match &members.error {
            Some(_) if event.is_end() => place_of(line),
            _ => String::new(),
        };
        let state = state_of(event, &members);
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
            is_dry_run: members.dry_run || event == Event::CallReceived && asks_for_dry_run(line),
            state,
            error: self.number(&members.error.unwrap_or_default()),
            path: self.number(&path),
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
        self.rows.rows.push(row);
        Some(ts)
    }

    fn copy(&mut self, from: &Rows, row: &Row) {
        let mut row = row.clone();
        for number in row.words() {
            *number = self.number(from.word(*number));
        }
        self.rows.rows.push(row);
    }

    fn number(&mut self, word: &str) -> u32 {
        if let Some(number) = self.known.get(word) {
            return *number;
        }
        let number = u32::try_from(self.rows.words.len()).unwrap_or(u32::MAX);
        self.rows.words.push(word.to_owned());
        self.known.insert(word.to_owned(), number);
        number
    }
}

impl Row {
    /// The numbers of all of its texts.
    fn words(&mut self) -> impl Iterator<Item = &mut u32> {
        let Self { route, model, client, login, address, error, path, message, hook, delivery_id, records, .. } = self;
        let texts = [route, model, client, login, address, error, path, message, hook, delivery_id];
        texts.into_iter().chain(records.iter_mut().map(|(model, _)| model))
    }
}

/// The state that a line records, if any. Logs of before 2026-12 call the repetition of a call by what was answered again and a dry
/// run that could be planned by what it came to.
fn state_of(event: Event, members: &Members<'_>) -> Option<State> {
    let state = members.state.as_deref().map(State::read)?;
    let is_repetition = members.repeat_of.is_some() || members.error.as_deref() == Some(Code::Replayed.as_str());
    let is_planned = || matches!(&members.message, Some(MessageMember::Text(text)) if text == PLANNED);
    Some(match state {
        State::Failed | State::InDoubt if is_repetition => State::Ignored,
        State::Done if event == Event::CallFinished && is_planned() => State::DryRun,
        state => state,
    })
}

/// Whether the line's `vals` ask for a dry run. Lines of before 2026-12 say it nowhere else.
fn asks_for_dry_run(line: &Line<'_>) -> bool {
    memchr::memmem::find(line.bytes, b"\"dry_run\":true").is_some()
        && line.parse::<Asked>().is_some_and(|asked| asked.vals.dry_run)
}

/// The place in the payload that a failed call's line names, without positions in lists: `payload.order_line[2].name` as
/// `payload.order_line[].name`. Empty where it names none.
fn place_of(line: &Line<'_>) -> String {
    if memchr::memmem::find(line.bytes, b"\"path\":").is_none() {
        return String::new();
    }
    let Some(Failed { result: Place(Some(path)) }) = line.parse() else { return String::new() };
    let (mut plain, mut is_position) = (String::new(), false);
    for letter in path.chars().take(PATH) {
        is_position &= letter.is_ascii_digit();
        if !is_position {
            plain.push(letter);
        }
        is_position |= letter == '[';
    }
    plain
}
