//! Chooses the segments that are dropped together: the oldest ones, as many as make carrying their calls in doubt
//! worthwhile.

use std::{collections::HashMap, io, ops::ControlFlow};

use jiff::Timestamp;
use uuid::Uuid;

use super::{Failure, Retention};
use crate::log::{
    format::{
        index::{self, file::OfSealed},
        segment::Segment,
    },
    read::{
        archive::Archive,
        call::{CallState, View},
        filter::Filter,
    },
};

/// Dropped segments hold at least this many times the bytes that are carried forward.
const YIELD: u64 = 2;

/// The segments to drop, and what holds back the rest.
#[derive(Default)]
pub(super) struct Choice {
    pub(super) to_drop: Vec<Candidate>,
    /// In the segments that were considered.
    pub(super) in_doubt: InDoubt,
}

pub(super) struct Candidate {
    pub(super) segment: Segment,
    pub(super) reason: Reason,
    /// Whether calls in doubt must be carried forward. A complete segment without any does not get one later.
    pub(super) has_doubts: bool,
}

/// Why a segment is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// All of it is older than `[log] keep`.
    Age,
    /// The log is larger than `[log] max_total`.
    Size,
}

impl Reason {
    /// Its name in the line `segment.dropped`.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Age => "age",
            Self::Size => "size",
        }
    }
}

/// The calls in doubt of some segments, and the size of their lines.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct InDoubt {
    pub(super) calls: usize,
    pub(super) bytes: u64,
    /// A call of these segments is being processed.
    pub(super) is_running: bool,
}

/// Whether the call is carried forward. Readers take a call without an end for running, as long as the gateway runs.
pub(super) fn is_in_doubt(call: &View<'_>) -> bool {
    call.is_in_doubt() || call.state == CallState::Running
}

impl Retention {
    /// The segments to drop: the oldest, while they are too old or the log is too large, and as many as are worthwhile.
    pub(super) fn choose(&self, finished: &[Segment], total: u64) -> Result<Choice, Failure> {
        let keep = i64::try_from(self.config.keep.as_micros()).unwrap_or(i64::MAX);
        let oldest = Timestamp::now().as_microsecond().saturating_sub(keep);
        let mut choice = Choice::default();
        let mut doubts = None;
        let (mut left, mut held, mut worth) = (total, 0, 0);
        for segment in finished {
            let (latest, length) = self.facts(*segment)?;
            let reason = match latest < oldest {
                true => Reason::Age,
                false if left > self.config.max_total.as_u64() => Reason::Size,
                false => break,
            };
            let doubts = match &doubts {
                Some(doubts) => doubts,
                None => doubts.insert(self.doubts_by_segment()?),
            };
            let doubt = doubts.get(segment).copied().unwrap_or_default();
            if doubt.is_running {
                break;
            }
            held += length;
            choice.in_doubt.calls += doubt.calls;
            choice.in_doubt.bytes += doubt.bytes;
            // Carried lines are compressed as well as they were.
            let size = self.size_of(*segment)?;
            let share = size.saturating_mul(doubt.bytes) / length.max(1);
            left = left.saturating_sub(size.saturating_sub(share));
            choice.to_drop.push(Candidate { segment: *segment, reason, has_doubts: doubt.calls > 0 });
            if choice.in_doubt.bytes.saturating_mul(YIELD) <= held {
                worth = choice.to_drop.len();
            }
        }
        choice.to_drop.truncate(worth);
        Ok(choice)
    }

    /// The calls in doubt of each segment.
    fn doubts_by_segment(&self) -> Result<HashMap<Segment, InDoubt>, Failure> {
        let mut doubts: HashMap<Segment, InDoubt> = HashMap::new();
        Archive::open(&self.disk.path(""))?.each(&Filter::default(), |call| {
            let doubt = doubts.entry(call.first.segment).or_default();
            doubt.is_running |= self.is_running(call);
            if is_in_doubt(call) {
                doubt.calls += 1;
                doubt.bytes += call.positions().map(|position| u64::from(position.length)).sum::<u64>();
            }
            ControlFlow::Continue(())
        })?;
        Ok(doubts)
    }

    /// Whether the call or a repetition of it is being processed: its end must not come before the carried lines. Only this
    /// process knows that a call is running and does not just lack an end.
    pub(super) fn is_running(&self, call: &View<'_>) -> bool {
        let is_open = |id: Uuid| self.open.contains(id);
        is_open(Uuid::from_u128(call.first.row.id)) || call.repetitions.iter().any(|again| is_open(again.id))
    }

    /// The time of a segment's last line in microseconds, and the size of its lines.
    fn facts(&self, segment: Segment) -> io::Result<(i64, u64)> {
        let index = OfSealed::open(&self.disk, segment).ok();
        let head = index.as_ref().map(|index| index.columns().head());
        let known = head.and_then(|head| head.times.map(|(_, latest)| (latest, head.length)));
        if let Some(known) = known {
            return Ok(known);
        }
        // It is damaged, and is dropped by age like any other.
        let (size, modified) = self.disk.stat(&segment.sealed()).or_else(|_| self.disk.stat(&segment.open()))?;
        Ok((Timestamp::try_from(modified).map_or(i64::MAX, Timestamp::as_microsecond), size))
    }

    /// The size of a segment and its index.
    pub(super) fn size_of(&self, segment: Segment) -> io::Result<u64> {
        let (size, _) = self.disk.stat(&segment.sealed()).or_else(|_| self.disk.stat(&segment.open()))?;
        Ok(size + self.disk.stat(&index::file(segment)).map_or(0, |(size, _)| size))
    }
}
