//! Assembles calls from their lines, which are read from the end of the log backwards.
//!
//! The last line of a call comes first and is kept until the first line of the call is met. At that point everything that the
//! log records of the call is known, and the call is handed out.

use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
    ops::ControlFlow,
    rc::Rc,
};

use uuid::Uuid;

use super::{
    call::{CallState, IndexedLine, Position, Repetition, View},
    filter::Filter,
};
use crate::log::format::{event::Event, index::columns::Block, index::rows::Rows, segment::Segment};

/// The lines of calls whose first line has not been met yet.
#[derive(Default)]
pub(super) struct Assembly {
    /// The last line of each call, by the call's id.
    ends: HashMap<u128, Met>,
    plans: HashMap<u128, (Position, bool)>,
    /// The settlement of each call, by the call's id.
    settlements: HashMap<u128, Met>,
    /// The repetitions of each call, by the call's id.
    repetitions: HashMap<u128, Vec<Repetition>>,
    /// Calls whose first line was carried forward from a segment that was dropped.
    carried: HashSet<u128>,
    /// The line in which the last run of a gateway began was met.
    has_met_start: bool,
}

/// A line that was met on the way back.
pub(super) struct Met {
    rows: Rc<Rows>,
    row: usize,
    segment: Segment,
    /// It contains the text of the filter, if there is one.
    is_hit: bool,
}

impl Met {
    /// The line in this row.
    pub(super) fn new(rows: &Rc<Rows>, row: usize, segment: Segment, hits: Option<&HashSet<u64>>) -> Self {
        let is_hit = hits.is_none_or(|hits| hits.contains(&rows.rows[row].offset));
        Self { rows: rows.clone(), row, segment, is_hit }
    }

    fn line(&self) -> IndexedLine<'_> {
        IndexedLine { index: &self.rows, row: &self.rows.rows[self.row], segment: self.segment }
    }
}

impl Assembly {
    /// Whether the first line of some ended call is still to come.
    pub(super) fn has_open_ends(&self) -> bool {
        !self.ends.is_empty()
    }

    /// Adds a line. Where it is the first of a call that the filter admits, calls `each` with the call.
    pub(super) fn add(
        &mut self,
        met: Met,
        is_live: bool,
        filter: &Filter,
        each: &mut impl FnMut(&View<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let line = met.line();
        let id = line.row.id;
        match line.row.event {
            Event::Start => self.has_met_start = true,
            // The lines that were carried forward have been met already.
            Event::CallFinished | Event::CallPlanned if self.carried.contains(&id) => {}
            Event::CallFinished | Event::RequestFinished => {
                self.ends.insert(id, met);
            }
            Event::CallSettled => {
                self.settlements.entry(id).or_insert(met);
            }
            // The last plan is the one that was carried out.
            Event::CallPlanned => {
                self.plans.entry(id).or_insert((line.position(), met.is_hit));
            }
            Event::CallReceived | Event::RequestReceived | Event::CallRefused | Event::RequestRefused => {
                return self.complete(&met, is_live, filter, each);
            }
            Event::OperatorActed
            | Event::CallProgress
            | Event::Segment
            | Event::Mark
            | Event::Gap
            | Event::Recovered
            | Event::Repaired
            | Event::SegmentDropped => {}
        }
        ControlFlow::Continue(())
    }

    /// Hands out the call that begins with this line.
    fn complete(
        &mut self,
        met: &Met,
        is_live: bool,
        filter: &Filter,
        each: &mut impl FnMut(&View<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let first = met.line();
        let (row, id) = (first.row, first.row.id);
        let is_carried = row.carried_from.is_some();
        // A call that was carried forward has its first line twice, until the segment of the older one is dropped.
        if is_carried && !self.carried.insert(id) || !is_carried && self.carried.contains(&id) {
            return ControlFlow::Continue(());
        }
        let end = self.ends.remove(&id);
        let plan = self.plans.remove(&id);
        let settlement = self.settlements.remove(&id);
        let recorded = |met: &Met| CallState::recorded(met.line().row.state);
        let state = match (&settlement, &end, row.event) {
            (Some(settlement), ..) => recorded(settlement),
            (None, Some(end), _) => recorded(end),
            (None, None, Event::CallRefused | Event::RequestRefused) => recorded(met),
            (None, None, _) if is_live && !self.has_met_start && !is_carried => CallState::Running,
            (None, None, _) => CallState::InDoubt,
        };
        let state = if row.is_dry_run { state.of_dry_run() } else { state };
        // Of a repetition, the later repetitions of the same call.
        let repetitions = self.repetitions.get(&row.replay_of.unwrap_or(id)).cloned().unwrap_or_default();
        if let Some(of) = row.replay_of {
            self.repetitions.entry(of).or_default().push(Repetition { id: Uuid::from_u128(id), state });
        }
        let is_hit = met.is_hit
            || [&end, &settlement].into_iter().flatten().any(|met| met.is_hit)
            || plan.is_some_and(|(_, is_hit)| is_hit);
        let view = View {
            first,
            last: end.as_ref().map(Met::line),
            planned: plan.map(|(position, _)| position),
            settled: settlement.as_ref().map(Met::line),
            state,
            repetitions: &repetitions,
        };
        if is_hit && filter.admits(&view) { each(&view) } else { ControlFlow::Continue(()) }
    }

    /// Hands out a call all of whose lines are in one block, if the filter admits it. Settlements, repetitions that it is and
    /// lines that were carried forward are of other calls, since this one is not in doubt and repeats none.
    pub(super) fn add_whole(
        &self,
        (block, number, segment): (&Block, u32, Segment),
        hits: Option<&HashSet<u64>>,
        filter: &Filter,
        each: &mut impl FnMut(&View<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let rows = block.call(number);
        let is_hit = |row: usize| hits.is_none_or(|hits| hits.contains(&block.rows.rows[row].offset));
        if rows.is_empty() || !rows.clone().any(is_hit) {
            return ControlFlow::Continue(());
        }
        let line = |row: usize| IndexedLine { index: &block.rows, row: &block.rows.rows[row], segment };
        let (first, last) = (line(rows.start), line(rows.end - 1));
        let repetitions = self.repetitions.get(&first.row.id).map_or(&[][..], Vec::as_slice);
        let view = View {
            first,
            last: (rows.len() > 1).then_some(last),
            planned: (rows.len() > 2).then(|| line(rows.start + 1).position()),
            settled: None,
            state: CallState::recorded(last.row.state),
            repetitions,
        };
        if filter.admits(&view) { each(&view) } else { ControlFlow::Continue(()) }
    }

    /// Hands out the calls whose first line is gone with its segment, the latest end first.
    pub(super) fn rest(&self, filter: &Filter, each: &mut impl FnMut(&View<'_>) -> ControlFlow<()>) {
        let mut rest: Vec<&Met> = self.ends.values().collect();
        rest.sort_by_key(|end| Reverse(end.line().row.seq));
        for end in rest {
            let first = end.line();
            let repetitions = self.repetitions.get(&first.row.id).map_or(&[][..], Vec::as_slice);
            let settled = self.settlements.get(&first.row.id).map(Met::line);
            let state = CallState::recorded(settled.unwrap_or(first).row.state);
            let view = View { first, last: None, planned: None, settled, state, repetitions };
            if end.is_hit && filter.admits(&view) && each(&view).is_break() {
                break;
            }
        }
    }
}
