//! Times in the zone of this machine, for people. Programs get RFC 3339 in UTC.

use jiff::{Timestamp, Zoned, tz::TimeZone};

use super::Room;

/// A moment in full, with its zone: `2026-11-30 09:30:00 CET`.
pub(in crate::cli) fn local(time: Timestamp) -> String {
    time.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
}

/// The times of a table. The head of their column names the zone.
#[derive(Debug)]
pub(in crate::cli) struct Times {
    now: Zoned,
    is_short: bool,
}

impl Times {
    pub(in crate::cli) fn of(room: Room) -> Self {
        Self { now: Zoned::now(), is_short: !room.is_unlimited() }
    }

    /// A head such as `TIME (CET)`; `TIME (CET, CEST)` where times of both are below it.
    pub(in crate::cli) fn head(&self, name: &str, times: impl IntoIterator<Item = Timestamp>) -> String {
        let mut zones: Vec<String> = Vec::new();
        for time in times {
            let zone = self.zoned(time).strftime("%Z").to_string();
            if !zones.contains(&zone) {
                zones.push(zone);
            }
        }
        if zones.is_empty() {
            zones.push(self.now.strftime("%Z").to_string());
        }
        format!("{name} ({})", zones.join(", "))
    }

    /// Where room is short, today's times stand without a date, and others without seconds.
    pub(in crate::cli) fn show(&self, time: Timestamp) -> String {
        let time = self.zoned(time);
        let form = match self.is_short {
            false => "%Y-%m-%d %H:%M:%S",
            true if time.date() == self.now.date() => "%H:%M:%S",
            true if time.year() == self.now.year() => "%b %d %H:%M",
            true => "%Y-%m-%d",
        };
        time.strftime(form).to_string()
    }

    fn zoned(&self, time: Timestamp) -> Zoned {
        time.to_zoned(self.now.time_zone().clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_as_short_as_it_can_be_told() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let zone = TimeZone::get("Europe/Zurich").unwrap();
        let now = at("2026-11-30T12:00:00Z").to_zoned(zone);
        let short = Times { now: now.clone(), is_short: true };
        assert_eq!(short.show(at("2026-11-29T23:30:05Z")), "00:30:05");
        assert_eq!(short.show(at("2026-07-01T10:00:00Z")), "Jul 01 12:00");
        assert_eq!(short.show(at("2025-12-31T10:00:00Z")), "2025-12-31");
        assert_eq!(short.head("TIME", [at("2026-11-30T10:00:00Z")]), "TIME (CET)");
        assert_eq!(short.head("TIME", []), "TIME (CET)");
        assert_eq!(short.head("TIME", [now.timestamp(), at("2026-07-01T10:00:00Z")]), "TIME (CET, CEST)");
        let whole = Times { now, is_short: false };
        assert_eq!(whole.show(at("2026-11-29T23:30:05Z")), "2026-11-30 00:30:05");
    }
}
