//! What operators have done, as the log records it.

use jiff::Timestamp;
use serde_json::Value;

use super::archive::Archive;
use crate::log::{
    Error,
    format::{event::Event, line::Line},
};

impl Archive {
    /// What operators did within this time, the earliest first: the lines, as docs/log-format.md describes them.
    ///
    /// # Errors
    /// The folder of the log cannot be read.
    pub fn acts(&self, since: Option<Timestamp>, until: Option<Timestamp>) -> Result<Vec<Value>, Error> {
        let (since, until) = (since.map(Timestamp::as_microsecond), until.map(Timestamp::as_microsecond));
        let is_within = |ts: i64| since.is_none_or(|since| ts >= since) && until.is_none_or(|until| ts <= until);
        let mut acts = Vec::new();
        for (segment, is_sealed) in self.segments_to_read()? {
            let mut index = self.index(segment, is_sealed).map_err(|source| self.failed(source))?;
            // An act is of no call.
            let strays = index.read_or_mend(&self.disk, segment, |columns| columns.strays());
            let strays = strays.map_err(|source| self.failed(source))?;
            let rows = strays.rows.iter().filter(|row| row.event == Event::OperatorActed && is_within(row.ts));
            for row in rows {
                let bytes = self.bytes(segment)?;
                let at = usize::try_from(row.offset).unwrap_or(usize::MAX);
                acts.extend(bytes.get(at..).and_then(Line::at).and_then(|line| line.parse::<Value>()));
            }
        }
        Ok(acts)
    }
}
