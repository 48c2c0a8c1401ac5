//! A call in one line, as `log tail -f` and `serve` write it while calls end: time, mark, short id, route, model, duration,
//! caller, and what is wrong.

use std::borrow::Cow;

use anstyle::Style;
use jiff::{Timestamp, tz::TimeZone};

use super::{
    Room, cut,
    ids::short,
    mark::{self, WARNING},
    plain,
    style::{BAD, DIM, STRONG, WARN, styled},
    width::width,
};
use crate::log::{Call, CallState};

const GAP: &str = "  ";
/// Less of a sentence tells nothing.
const LEAST_OF_SENTENCE: usize = 12;

/// What the line tells.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Told<'c> {
    pub(in crate::cli) ts: Timestamp,
    pub(in crate::cli) id: Cow<'c, str>,
    pub(in crate::cli) state: CallState,
    pub(in crate::cli) route: Cow<'c, str>,
    pub(in crate::cli) model: Cow<'c, str>,
    pub(in crate::cli) ms: Option<f64>,
    pub(in crate::cli) caller: Cow<'c, str>,
    pub(in crate::cli) warnings: u32,
    pub(in crate::cli) error: Cow<'c, str>,
    pub(in crate::cli) message: Cow<'c, str>,
}

pub(in crate::cli) fn of_call(call: &Call, room: Room) -> String {
    let id = if room.is_unlimited() { call.id.to_string() } else { short(call.id) };
    let told = Told {
        ts: call.ts,
        id: id.into(),
        state: call.state,
        route: call.route.name().into(),
        model: (&*call.model).into(),
        ms: call.duration_ms,
        caller: call.caller().into(),
        warnings: call.warnings,
        error: (&*call.error).into(),
        message: (&*call.message).into(),
    };
    told.shown(room)
}

impl Told<'_> {
    /// In one line. On a terminal, the sentence is cut where the line ends; the code never is.
    pub(in crate::cli) fn shown(&self, room: Room) -> String {
        let is_whole = room.is_unlimited();
        let form = if is_whole { "%Y-%m-%d %H:%M:%S %Z" } else { "%H:%M:%S" };
        let time = self.ts.to_zoned(TimeZone::system()).strftime(form).to_string();
        let (sign, style) = mark::of_call(self.state);
        let state = if is_whole { format!("{sign} {}", self.state.as_str()) } else { sign.to_string() };
        let ms = self.ms.map(|ms| format!("{ms:.1} ms")).unwrap_or_default();
        let warnings = if self.warnings > 0 { format!("{WARNING}{}", self.warnings) } else { String::new() };
        let plainly = Style::new();
        let parts = [
            (DIM, &*time),
            (style, &*state),
            (STRONG, &*self.route),
            (plainly, &*self.model),
            (DIM, &*ms),
            (plainly, &*self.caller),
            (DIM, &*self.id),
            (WARN, &*warnings),
            (if self.state == CallState::Failed { BAD } else { WARN }, &*self.error),
        ];
        let (mut line, mut taken) = (String::new(), 0);
        for (style, words) in parts.into_iter().filter(|(_, words)| !words.is_empty()) {
            let words = plain(words);
            let gap = if line.is_empty() { "" } else { GAP };
            line += gap;
            line += &styled(style, &words);
            taken += gap.len() + width(&words);
        }
        // What went well needs no sentence.
        let is_told =
            matches!(self.state, CallState::Failed | CallState::InDoubt | CallState::Ignored | CallState::Running);
        let left = room.beside(taken + GAP.len());
        if is_told && !self.message.is_empty() && left >= LEAST_OF_SENTENCE {
            line += GAP;
            line += &cut(&plain(&self.message), left);
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_told_in_one_line_that_fits() {
        let told = Told {
            ts: Timestamp::UNIX_EPOCH,
            id: "11111111".into(),
            state: CallState::Failed,
            route: "create_data".into(),
            model: "res.partner".into(),
            ms: Some(12.34),
            caller: "webshop".into(),
            warnings: 1,
            error: "no_match".into(),
            message: "'country_id': 'XX' found no match.\nSee".into(),
        };
        let line = anstream::adapter::strip_str(&told.shown(Room::Columns(80))).to_string();
        let expected = "  ✗  create_data  res.partner  12.3 ms  webshop  11111111  !1  no_match";
        assert_eq!(line.find(expected), Some(8), "{line}");
        let line = anstream::adapter::strip_str(&told.shown(Room::Columns(100))).to_string();
        assert!(width(&line) == 100 && line.ends_with("  no_match  'country_id': 'XX'…"), "{line}");
        let line = anstream::adapter::strip_str(&told.shown(Room::Unlimited)).to_string();
        assert!(line.ends_with("!1  no_match  'country_id': 'XX' found no match.\\nSee"), "{line}");
    }
}
