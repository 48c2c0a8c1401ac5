//! How far Odoo's clock is from the gateway's, by the `Date` of its answers.
//!
//! Odoo dates records by its database's clock (`create_date`). A create whose answer was lost is looked for by that date, so the
//! gateway has to know what time it is there, to a few seconds.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use http::{HeaderMap, header};
use jiff::{SignedDuration, Timestamp, fmt::rfc2822};

/// The difference, in milliseconds; 0 until an answer has told it.
#[derive(Debug, Default)]
pub(in crate::odoo) struct ServerClock(AtomicI64);

impl ServerClock {
    /// Takes the time from the head of an answer that has just come.
    pub(in crate::odoo) fn note(&self, headers: &HeaderMap) {
        self.note_at(headers, Timestamp::now());
    }

    fn note_at(&self, headers: &HeaderMap, now: Timestamp) {
        let date = headers.get(header::DATE).and_then(|date| date.to_str().ok());
        let date = date.and_then(|date| rfc2822::DateTimeParser::new().parse_timestamp(date).ok());
        if let Some(date) = date {
            // The header has whole seconds: on average half a second has been cut off.
            self.0.store(date.as_millisecond() - now.as_millisecond() + 500, Relaxed);
        }
    }

    /// A time of the gateway's clock, by Odoo's.
    pub(in crate::odoo) fn at(&self, time: Timestamp) -> Timestamp {
        time.saturating_add(SignedDuration::from_millis(self.0.load(Relaxed))).unwrap_or(time)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_date_of_an_answer_tells_how_far_the_clocks_are_apart() {
        let (clock, now): (_, Timestamp) = (ServerClock::default(), "2026-11-30T10:00:00.2Z".parse().unwrap());
        assert_eq!(clock.at(now), now);
        let date = |date| HeaderMap::from_iter([(header::DATE, HeaderValue::from_static(date))]);
        clock.note_at(&date("Mon, 30 Nov 2026 10:01:00 GMT"), now);
        assert_eq!(clock.at(now).to_string(), "2026-11-30T10:01:00.5Z");
        // What is no date tells nothing.
        clock.note_at(&date("yesterday"), now);
        assert_eq!(clock.at(now).to_string(), "2026-11-30T10:01:00.5Z");
    }
}
