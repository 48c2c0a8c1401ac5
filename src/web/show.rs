//! How times, sizes and numbers are written for people, on every page alike.

use bytesize::ByteSize;
use jiff::{Timestamp, tz::TimeZone};

/// A time in the time zone of this machine: the time of the day, and before it the date where that is another one than today's.
pub fn time(at: &Timestamp) -> String {
    let zone = TimeZone::system();
    let (at, now) = (at.to_zoned(zone.clone()), Timestamp::now().to_zoned(zone));
    let form = if at.date() == now.date() { "%H:%M:%S" } else { "%Y-%m-%d %H:%M:%S" };
    at.strftime(form).to_string()
}

/// Date and time in the time zone of this machine, with its abbreviation.
pub fn date_time(at: &Timestamp) -> String {
    at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
}

/// For `<time datetime>`.
pub fn machine_time(at: &Timestamp) -> String {
    at.to_string()
}

/// How long ago, roughly: `just now`, `5 min ago`, `3 h ago`, `12 d ago`.
pub fn ago(at: &Timestamp) -> String {
    let seconds = Timestamp::now().duration_since(*at).as_secs();
    match seconds {
        ..10 => "just now".to_owned(),
        10..60 => format!("{seconds} s ago"),
        60..3600 => format!("{} min ago", seconds / 60),
        3600..172_800 => format!("{} h ago", seconds / 3600),
        _ => format!("{} d ago", seconds / 86_400),
    }
}

/// A span of milliseconds: `0.4 ms`, `17 ms`, `2.31 s`, `1 min 4 s`.
pub fn milliseconds(ms: &f64) -> String {
    match *ms {
        ..10.0 => format!("{ms:.1} ms"),
        ..1000.0 => format!("{ms:.0} ms"),
        ..60_000.0 => format!("{:.2} s", ms / 1000.0),
        _ => {
            let seconds = std::time::Duration::from_secs_f64((ms / 1000.0).min(1e9)).as_secs();
            format!("{} min {} s", seconds / 60, seconds % 60)
        }
    }
}

/// A number with a thin space between thousands.
pub fn count(number: &u64) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy);
    groups.collect::<Vec<_>>().join("\u{202f}")
}

/// `1 call`, `2 calls`.
pub fn counted(number: &u64, one: &str, several: &str) -> String {
    format!("{} {}", count(number), if *number == 1 { one } else { several })
}

/// `4.2 MiB`.
pub fn bytes(size: &u64) -> String {
    ByteSize(*size).to_string()
}

/// JSON for a person.
pub fn json(value: &serde_json::Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// The beginning of an id, which is enough to tell calls of one page apart: calls' ids begin with their time.
pub fn short_id(id: &uuid::Uuid) -> String {
    id.to_string()[24..].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_spans_are_written_in_few_signs() {
        assert_eq!(["7", "1\u{202f}234", "1\u{202f}000\u{202f}000"], [7, 1234, 1_000_000].map(|number| count(&number)));
        assert_eq!(
            ["0.4 ms", "17 ms", "2.31 s", "1 min 4 s"],
            [0.42, 17.2, 2310.0, 64_000.0].map(|ms| milliseconds(&ms))
        );
        assert_eq!(
            (counted(&1, "call", "calls"), counted(&2, "call", "calls")),
            ("1 call".to_owned(), "2 calls".to_owned())
        );
    }
}
