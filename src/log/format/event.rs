//! What a line records: its event, and the state in which a call ended.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The event of a line, written as its member `event`. docs/log-format.md lists the members of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Event {
    /// The first line of a segment.
    Segment,
    /// A gateway opened the log.
    Start,
    /// Everything before this line is durable.
    Mark,
    /// A repair put this line in the place of lines that were lost.
    Gap,
    /// A start put a torn tail aside.
    Recovered,
    /// A repair rewrote a segment.
    Repaired,
    /// Retention drops a segment.
    SegmentDropped,
    CallReceived,
    CallPlanned,
    /// How far a list of records is while its call runs.
    CallProgress,
    CallFinished,
    CallRefused,
    CallSettled,
    RequestReceived,
    RequestFinished,
    RequestRefused,
    /// A person has done something with calls or queues.
    OperatorActed,
}

impl Event {
    const ALL: [Self; 17] = [
        Self::Segment,
        Self::Start,
        Self::Mark,
        Self::Gap,
        Self::Recovered,
        Self::Repaired,
        Self::SegmentDropped,
        Self::CallReceived,
        Self::CallPlanned,
        Self::CallProgress,
        Self::CallFinished,
        Self::CallRefused,
        Self::CallSettled,
        Self::RequestReceived,
        Self::RequestFinished,
        Self::RequestRefused,
        Self::OperatorActed,
    ];

    /// Its name in a line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Segment => "segment",
            Self::Start => "start",
            Self::Mark => "mark",
            Self::Gap => "log.gap",
            Self::Recovered => "log.recovered",
            Self::Repaired => "log.repaired",
            Self::SegmentDropped => "segment.dropped",
            Self::CallReceived => "call.received",
            Self::CallPlanned => "call.planned",
            Self::CallProgress => "call.progress",
            Self::CallFinished => "call.finished",
            Self::CallRefused => "call.refused",
            Self::CallSettled => "call.settled",
            Self::RequestReceived => "request.received",
            Self::RequestFinished => "request.finished",
            Self::RequestRefused => "request.refused",
            Self::OperatorActed => "operator.acted",
        }
    }

    /// The event with this name; `None` for one of a later version.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.name() == name)
    }

    /// Whether the line is about a request that is not a call: it is passed on to Odoo, or refused before that.
    pub(in crate::log) const fn is_of_request(self) -> bool {
        matches!(self, Self::RequestReceived | Self::RequestFinished | Self::RequestRefused)
    }

    /// Whether a call or request begins with such a line.
    pub(in crate::log) const fn is_first(self) -> bool {
        matches!(self, Self::CallReceived | Self::CallRefused | Self::RequestReceived | Self::RequestRefused)
    }

    /// Whether the line says how a call or request ended.
    pub(in crate::log) const fn is_end(self) -> bool {
        matches!(self, Self::CallFinished | Self::CallRefused | Self::RequestFinished | Self::RequestRefused)
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How a call ended, as its last line records it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Done,
    /// Nothing of it is in Odoo.
    Failed,
    /// It is unknown whether it was done, or something of it is left in Odoo.
    InDoubt,
    /// It was accepted into the queue; each attempt to deliver it is a call of its own.
    Queued,
    /// Nothing of it is in Odoo, since there was nothing to do. The reason is its `message`.
    Ignored,
    /// It was planned only, and nothing of it is in Odoo. With an `error` it would fail, without one it would be done.
    DryRun,
}

impl State {
    /// Its name in a line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::InDoubt => "in_doubt",
            Self::Queued => "queued",
            Self::Ignored => "ignored",
            Self::DryRun => "dry_run",
        }
    }

    /// The state of a dry run that ended so: none of its ends is that of a call. One that is queued has not been made.
    pub(in crate::log) fn of_dry_run(self) -> Self {
        if self == Self::Queued { self } else { Self::DryRun }
    }

    /// The state with this name. An unknown name counts as in doubt, since it promises nothing.
    pub(in crate::log) fn read(name: &str) -> Self {
        match name {
            "done" => Self::Done,
            "failed" => Self::Failed,
            "queued" => Self::Queued,
            "ignored" => Self::Ignored,
            "dry_run" => Self::DryRun,
            _ => Self::InDoubt,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_read_as_it_is_written() {
        for state in [State::Done, State::Failed, State::InDoubt, State::Queued, State::Ignored, State::DryRun] {
            assert_eq!(State::read(state.as_str()), state);
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
        }
        assert_eq!(State::read("teleported"), State::InDoubt);
    }

    #[test]
    fn every_event_is_found_by_its_name() {
        for event in Event::ALL {
            assert_eq!(Event::named(event.name()), Some(event));
        }
        assert_eq!(Event::named("call.teleported"), None);
    }
}
