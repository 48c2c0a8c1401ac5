//! How far a list of records was, as its call has told on the way.
//!
//! The lines of progress are in no index: they are looked for in the segments of one call, where a person asks for that call.

use serde_json::Value;

use super::{
    archive::{Archive, lines_with, needle},
    call::{Call, CallState},
};
use crate::log::{
    Error,
    format::{event::Event, line::Line, segment::read_segment},
};

/// The maximum number of segments that are looked through.
const MOST_SEGMENTS: usize = 16;
/// The maximum number of lines; a call writes fewer.
const MOST_LINES: usize = 1_000;

impl Archive {
    /// The lines `call.progress` of a call, in order. Of a call whose other lines are far apart, those of some segments.
    ///
    /// # Errors
    /// The folder of the log cannot be read.
    pub fn progress(&self, call: &Call) -> Result<Vec<Value>, Error> {
        let Some(first) = call.positions.first().map(|position| position.segment) else { return Ok(Vec::new()) };
        let end = call.positions.last().filter(|_| call.duration_ms.is_some()).map(|position| position.segment);
        let mut segments: Vec<_> = self.segments()?.into_iter().map(|(segment, _)| segment).collect();
        segments.retain(|segment| *segment >= first && end.is_none_or(|end| *segment <= end));
        // Of one that runs, the latest counts.
        if call.state == CallState::Running && segments.len() > MOST_SEGMENTS {
            segments.drain(..segments.len() - MOST_SEGMENTS);
        }
        let needle = needle(&call.id.to_string());
        let mut told = Vec::new();
        for segment in segments.into_iter().take(MOST_SEGMENTS) {
            let bytes = read_segment(self.disk(), segment).map_err(|source| self.failed(source))?;
            let mut places: Vec<u64> = lines_with(&bytes, &needle).into_iter().collect();
            places.sort_unstable();
            let at = |place: u64| bytes.get(usize::try_from(place).unwrap_or(usize::MAX)..).and_then(Line::at);
            let lines = places.into_iter().filter_map(at).filter(|line| line.event() == Some(Event::CallProgress));
            let is_own = |line: &Value| line["id"].as_str().and_then(|id| id.parse().ok()) == Some(call.id);
            told.extend(lines.filter_map(|line| line.parse::<Value>()).filter(is_own));
        }
        told.truncate(MOST_LINES);
        Ok(told)
    }
}
