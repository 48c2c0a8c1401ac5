//! Times: `fromiso` reads one, `odoo_datetime` writes one as Odoo has it.
//!
//! jaq's `fromdate` takes RFC 3339 alone, and its `strptime("%z")` fails on `+07:00`.

use jaq_core::ValR;
use jaq_json::{Num, Val};
use jaq_std::ValT;
use jiff::{Timestamp, tz::TimeZone};

use super::numbers::{text_of, to_number, unreadable};
use crate::plan::WrittenTime;

/// Numbers from here on are milliseconds: as seconds, they would be in the year 5138, and as milliseconds in 1973.
const FIRST_MILLIS: f64 = 1e11;
const NANOS: i128 = 1_000_000_000;

/// The seconds since 1970 of a text in ISO 8601. A time without an offset is UTC, a date its first second.
pub(super) fn from_iso(value: &Val) -> ValR<Val> {
    let time = text_of(value).and_then(parsed).ok_or_else(|| {
        unreadable(value, "a time in ISO 8601, such as \"2026-03-04T10:00:00+02:00\" or \"2026-03-04\"")
    })?;
    let nanos = time.as_nanosecond();
    if nanos % NANOS == 0 {
        return Ok(Val::from(time.as_second() as isize));
    }
    // Written out in decimals, since a float has no exact fractions.
    let (sign, nanos) = (if nanos < 0 { "-" } else { "" }, nanos.unsigned_abs());
    let (seconds, fraction) = (nanos / NANOS.unsigned_abs(), nanos % NANOS.unsigned_abs());
    let written = format!("{sign}{seconds}.{fraction:09}");
    Ok(Val::Num(Num::from_dec_str(written.trim_end_matches('0'))))
}

/// `2026-03-04 10:00:00` in UTC, from a text in ISO 8601, from seconds or from milliseconds since 1970, also as a text.
pub(super) fn odoo_datetime(value: &Val) -> ValR<Val> {
    let time = text_of(value)
        .and_then(parsed)
        .or_else(|| of_number(value))
        .ok_or_else(|| unreadable(value, "a time: a text in ISO 8601, or the seconds or milliseconds since 1970"))?;
    // A second that has begun is written; Odoo has no fractions.
    let written = time.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S").to_string();
    Ok(Val::from(written))
}

fn of_number(value: &Val) -> Option<Timestamp> {
    let number = to_number(value.clone()).ok()?;
    let number = number.as_f64().filter(|number| number.is_finite())?;
    let millis = if number.abs() < FIRST_MILLIS { number * 1000.0 } else { number };
    #[expect(
        clippy::cast_possible_truncation,
        reason = "what is beyond the range is saturated, and refused as no time"
    )]
    let millis = millis.floor() as i64;
    Timestamp::from_millisecond(millis).ok()
}

fn parsed(text: &str) -> Option<Timestamp> {
    WrittenTime::read(text)?.moment()
}
