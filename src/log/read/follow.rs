//! Follows the log: the calls that end after a position, and how far long lists are, in the order of their lines.

use std::io;

use serde_json::Value;

use super::{
    archive::Archive,
    call::{Call, CallState, IndexedLine, View},
    filter::Filter,
};
use crate::log::{
    Error,
    format::{
        event::Event,
        index::rows::Rows,
        line::Line,
        segment::{Segment, read_segment},
    },
};

/// A position between two lines, from which a reader follows the log.
#[derive(Debug, Clone, Copy)]
pub struct FollowPosition {
    segment: Segment,
    offset: u64,
}

impl Archive {
    /// The current end of the log.
    ///
    /// # Errors
    /// The folder of the log cannot be read.
    pub fn end(&self) -> Result<FollowPosition, Error> {
        let segment = self.segments()?.last().map_or(Segment(1), |(segment, _)| *segment);
        let bytes = read_segment(&self.disk, segment).map_err(|source| self.failed(source))?;
        Ok(FollowPosition { segment, offset: whole_lines(&bytes) as u64 })
    }

    /// The matching calls that have ended since, each with its last line, and those that run, with each line that tells how far a
    /// list is; advances the position.
    ///
    /// # Errors
    /// The folder of the log cannot be read.
    pub fn told_since(&self, position: &mut FollowPosition, filter: &Filter) -> Result<Vec<(Call, Value)>, Error> {
        let mut told = Vec::new();
        let mut segments = self.segments()?;
        segments.retain(|(segment, _)| *segment >= position.segment);
        for (segment, _) in &segments {
            if *segment > position.segment {
                *position = FollowPosition { segment: *segment, offset: 0 };
            }
            let bytes = match self.disk.read_from(&segment.open(), position.offset) {
                // The segment has been sealed meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    let bytes = read_segment(&self.disk, *segment).map_err(|source| self.failed(source))?;
                    bytes.get(usize::try_from(position.offset).unwrap_or(usize::MAX)..).unwrap_or_default().to_vec()
                }
                bytes => bytes.map_err(|source| self.failed(source))?,
            };
            let bytes = &bytes[..whole_lines(&bytes)];
            position.offset += bytes.len() as u64;
            let index = Rows::with_progress(bytes);
            for row in &index.rows {
                let state = match row.event {
                    _ if row.carried_from.is_some() => continue,
                    Event::CallProgress => CallState::Running,
                    event if event.is_end() => CallState::recorded(row.state),
                    _ => continue,
                };
                let first = IndexedLine { index: &index, row, segment: *segment };
                let view = View { first, last: None, planned: None, settled: None, state, repetitions: &[] };
                let line = bytes.get(usize::try_from(row.offset).unwrap_or(usize::MAX)..).and_then(Line::at);
                if filter.admits(&view)
                    && let Some(line) = line.and_then(|line| line.parse())
                {
                    told.push((view.to_call(), line));
                }
            }
        }
        Ok(told)
    }
}

/// The length of the whole lines at the beginning.
fn whole_lines(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(line) = Line::at(&bytes[at..]) {
        at += line.bytes.len();
    }
    at
}
