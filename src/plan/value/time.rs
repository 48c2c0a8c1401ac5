//! Dates and datetimes in ISO 8601, to Odoo's own form: `2026-03-04` and `2026-03-04 10:00:00` in UTC.
//!
//! A datetime with an offset is converted to UTC; one without is UTC already, as everywhere in Odoo's API. A number is refused: it may
//! be seconds or milliseconds.

use jiff::{
    Timestamp, civil,
    fmt::temporal::{Pieces, PiecesOffset},
    tz::Offset,
};
use serde_json::{Value, json};

use super::Unfit;

/// Odoo writes years without leading zeros and does not read them again (14-19, `Date.to_string`).
const FIRST_YEAR: i16 = 1000;

/// A date; of a datetime, the day that is written. Where an offset is given and the day in UTC is another, neither is sure.
pub(super) fn date(value: &Value) -> Result<Value, Unfit> {
    const DUE: &str = "a date such as \"2026-03-04\"";
    let Some(WrittenTime { written, offset }) = parse(value) else { return Err(Unfit::due(DUE, value)) };
    let utc = in_utc(written, offset).ok_or_else(|| Unfit::due(DUE, value))?;
    if utc.date() == written.date() {
        return Ok(json!(written.date().strftime("%Y-%m-%d").to_string()));
    }
    Err(Unfit::new(format!(
        "must be a date, and \"{}\" is the {} where it was written and the {} in UTC; send the date alone",
        value.as_str().unwrap_or_default(),
        written.date(),
        utc.date()
    )))
}

/// A datetime in UTC; fractions of a second are cut off, since Odoo has none.
pub(super) fn datetime(value: &Value) -> Result<Value, Unfit> {
    const DUE: &str = "a datetime such as \"2026-03-04 10:00:00\" (UTC) or \"2026-03-04T10:00:00+02:00\"";
    let parsed = parse(value).and_then(|WrittenTime { written, offset }| in_utc(written, offset));
    match parsed {
        Some(utc) => Ok(json!(utc.strftime("%Y-%m-%d %H:%M:%S").to_string())),
        None => Err(Unfit::due(DUE, value)),
    }
}

/// A time in ISO 8601 as it was written: midnight where it is a date alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrittenTime {
    pub written: civil::DateTime,
    pub offset: Option<Offset>,
}

impl WrittenTime {
    /// Reads ISO 8601 with its usual variants: a blank in the place of `T` or before the offset, and `UTC` in the place of `Z`.
    pub fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        // The basic form of ISO 8601 without separators could be another number.
        if !matches!(text.as_bytes(), [_, _, _, _, b'-', _, _, b'-', ..]) {
            return None;
        }
        // A blank before the offset, and `UTC` in its place, are common and no part of ISO 8601.
        let text = match text.rsplit_once(' ') {
            Some((time, "UTC" | "GMT")) => format!("{time}Z"),
            Some((time, offset)) if offset.starts_with(['+', '-', 'Z']) => format!("{time}{offset}"),
            _ => text.to_owned(),
        };
        let pieces = Pieces::parse(&text).ok()?;
        if pieces.time_zone_annotation().is_some() {
            return None;
        }
        let offset = match pieces.offset() {
            None => None,
            Some(PiecesOffset::Zulu) => Some(Offset::UTC),
            Some(PiecesOffset::Numeric(numeric)) => Some(numeric.offset()),
            // Forms that later versions of the parser may know.
            Some(_) => return None,
        };
        let written = pieces.date().to_datetime(pieces.time().unwrap_or_default());
        Some(Self { written, offset })
    }

    /// The moment that it is; without an offset, in UTC.
    pub fn moment(&self) -> Option<Timestamp> {
        self.offset.unwrap_or(Offset::UTC).to_timestamp(self.written).ok()
    }
}

fn parse(value: &Value) -> Option<WrittenTime> {
    WrittenTime::read(value.as_str()?).filter(|time| time.written.year() >= FIRST_YEAR)
}

/// `None` where the year is out of range then.
fn in_utc(written: civil::DateTime, offset: Option<Offset>) -> Option<civil::DateTime> {
    let utc = match offset {
        None => written,
        Some(offset) => Offset::UTC.to_datetime(offset.to_timestamp(written).ok()?),
    };
    (utc.year() >= FIRST_YEAR).then_some(utc)
}
