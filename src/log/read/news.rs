//! What has been added to the log, for readers that want to see the latest and not everything.
//!
//! Unlike [`super::follow`], a look reads a bounded number of bytes: of more, the last ones, and it says that it has left some out.
//! It gives calls that have come in, too, and once each: in the state that the latest of its lines records.

use std::{collections::HashSet, fmt, io, str::FromStr};

use uuid::Uuid;

use super::{
    archive::{Archive, lines_with, needle},
    call::{Call, CallState, IndexedLine, View},
    filter::{Filter, came_in},
};
use crate::log::{
    Error,
    format::{
        event::Event,
        index::rows::Rows,
        recovery::later_lines,
        segment::{Segment, read_segment},
    },
};

/// A place in the log from which a reader goes on. It need not be between two lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    segment: u64,
    offset: u64,
}

/// As a link has it.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.segment, self.offset)
    }
}

impl FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (segment, offset) = text.split_once('.').ok_or(())?;
        Ok(Self { segment: segment.parse().map_err(|_| ())?, offset: offset.parse().map_err(|_| ())? })
    }
}

/// Lines that have been added.
#[derive(Default)]
pub struct News {
    parts: Vec<Part>,
    /// So many bytes before them were left out.
    left_out: u64,
    /// Segments were left out, of which nothing is known.
    is_far: bool,
}

/// Lines of one segment.
struct Part {
    segment: Segment,
    index: Rows,
    bytes: Vec<u8>,
}

impl fmt::Debug for News {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("News")
            .field("parts", &self.parts.len())
            .field("left_out", &self.left_out)
            .finish_non_exhaustive()
    }
}

impl Archive {
    /// The end of the log now, which is that of its last file.
    ///
    /// # Errors
    /// The folder of the log cannot be read.
    pub fn place(&self) -> Result<Place, Error> {
        let Some((segment, is_sealed)) = self.segments()?.pop() else { return Ok(Place { segment: 1, offset: 0 }) };
        // What comes after a sealed segment is in the next one.
        if is_sealed {
            return Ok(Place { segment: segment.0 + 1, offset: 0 });
        }
        match self.disk.stat(&segment.open()) {
            Ok((size, _)) => Ok(Place { segment: segment.0, offset: size }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Place { segment: segment.0 + 1, offset: 0 }),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// The lines that have been added since, of more than so many bytes the last ones; advances the place behind them.
    ///
    /// # Errors
    /// The folder of the log cannot be read.
    pub fn news(&self, place: &mut Place, most: u64) -> Result<News, Error> {
        let mut segments = self.segments()?;
        segments.retain(|(segment, _)| segment.0 >= place.segment);
        let mut news = News::default();
        // Where more than one segment was begun meanwhile, the last two have enough.
        if segments.len() > 2 {
            segments.drain(..segments.len() - 2);
            news.is_far = true;
        }
        for (segment, _) in segments {
            let from = if segment.0 == place.segment { place.offset } else { 0 };
            let (start, bytes) = self.tail(segment, from, most)?;
            news.left_out += start.saturating_sub(from);
            let whole = later_lines(&bytes).last().map_or(0, |(at, line)| at + line.bytes.len());
            *place = Place { segment: segment.0, offset: start + whole as u64 };
            let index = Rows::of(&bytes[..whole]);
            if !index.rows.is_empty() {
                news.parts.push(Part { segment, index, bytes });
            }
        }
        Ok(news)
    }

    /// The bytes of a segment from an offset on, at most so many and then the last ones; and where they begin.
    fn tail(&self, segment: Segment, from: u64, most: u64) -> Result<(u64, Vec<u8>), Error> {
        let size = match self.disk.stat(&segment.open()) {
            Ok((size, _)) => size,
            // It has been sealed meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let bytes = read_segment(&self.disk, segment).map_err(|source| self.failed(source))?;
                let start = from.max((bytes.len() as u64).saturating_sub(most));
                let rest = bytes.get(usize::try_from(start).unwrap_or(usize::MAX)..).unwrap_or_default();
                return Ok((start, rest.to_vec()));
            }
            Err(error) => return Err(self.failed(error)),
        };
        let start = from.max(size.saturating_sub(most));
        match self.disk.read_part(&segment.open(), start, most) {
            Ok(bytes) => Ok((start, bytes)),
            // Sealed between the two: the next look has it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok((from, Vec::new())),
            Err(error) => Err(self.failed(error)),
        }
    }
}

impl News {
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// About how many calls were left out; `None` where nobody can tell, and 0 where none were.
    pub fn missed(&self) -> Option<u64> {
        if self.is_far {
            return None;
        }
        let ends = |part: &Part| part.index.rows.iter().filter(|row| row.event.is_end()).count() as u64;
        let bytes = self.parts.iter().map(|part| part.bytes.len() as u64).sum::<u64>();
        let calls = self.parts.iter().map(ends).sum::<u64>();
        Some(self.left_out.saturating_mul(calls.max(1)).div_ceil(bytes.max(1)))
    }

    /// The calls that the filter admits, or whose ids are known to the reader; the latest first, each once.
    pub fn calls(&self, filter: &Filter, known: &HashSet<Uuid>) -> Vec<Call> {
        let needle = filter.text.as_deref().map(needle);
        let (mut met, mut calls) = (HashSet::new(), Vec::new());
        for part in self.parts.iter().rev() {
            let hits = needle.as_deref().map(|needle| lines_with(&part.bytes, needle));
            for row in part.index.rows.iter().rev() {
                let is_call = row.event.is_first() || row.event.is_end();
                if !is_call || row.carried_from.is_some() || !met.insert(row.id) {
                    continue;
                }
                let state = match row.event {
                    Event::CallReceived | Event::RequestReceived => CallState::Running,
                    _ => CallState::recorded(row.state),
                };
                let first = IndexedLine { index: &part.index, row, segment: part.segment };
                let view = View { first, last: None, planned: None, settled: None, state, repetitions: &[] };
                let is_hit = hits.as_ref().is_none_or(|hits| hits.contains(&row.offset)) && filter.admits(&view);
                if is_hit || known.contains(&Uuid::from_u128(row.id)) {
                    calls.push(as_it_came(view.to_call()));
                }
            }
        }
        calls
    }
}

/// The last line of a call has the time of its end; its id has that at which it came in, in milliseconds.
fn as_it_came(mut call: Call) -> Call {
    call.ts = came_in(call.id).unwrap_or(call.ts);
    call
}
