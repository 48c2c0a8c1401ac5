//! Assembles calls from their lines, which are read from the end of the log backwards.
//!
//! The last line of a call comes first, so it is kept until the first line of the call is met. Then everything that the log
//! says of the call is known, and the call is handed out.

use std::{
    collections::{HashMap, HashSet},
    ops::ControlFlow,
    rc::Rc,
};

use uuid::Uuid;

use super::{
    call::{Attempt, Place, Standing, Told, View},
    filter::Filter,
};
use crate::log::format::{
    index::{Index, Kind},
    segment::Segment,
};

/// What is known of calls whose first line has not been met yet, from the end of the log backwards.
#[derive(Default)]
pub(super) struct Open {
    /// The last line of a call, by the call's id, and whether it has the text that is looked for.
    pub(super) ends: HashMap<u128, (Met, bool)>,
    plans: HashMap<u128, (Place, bool)>,
    /// What an operator said of a call, by the call's id, and whether it has the text.
    settled: HashMap<u128, (Met, bool)>,
    /// The calls that repeat another one, by the latter's id.
    attempts: HashMap<u128, Vec<Attempt>>,
    /// Calls whose first line was carried forward from a segment that was dropped.
    carried: HashSet<u128>,
    /// The start of the run that is, or was, the last.
    has_met_start: bool,
}

/// A line that was met.
pub(super) struct Met {
    pub(super) index: Rc<Index>,
    pub(super) number: usize,
    pub(super) segment: Segment,
}

impl Met {
    fn told(&self) -> Told<'_> {
        Told { index: &self.index, row: &self.index.rows[self.number], segment: self.segment }
    }
}

impl Open {
    pub(super) fn add(
        &mut self,
        met: Met,
        is_live: bool,
        hits: Option<&HashSet<u64>>,
        filter: &Filter,
        each: &mut impl FnMut(&View<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let told = met.told();
        let row = told.row;
        let is_hit = hits.is_none_or(|hits| hits.contains(&row.offset));
        match row.kind {
            Kind::Start => self.has_met_start = true,
            // What was carried forward has been met already.
            Kind::Finished | Kind::Planned if self.carried.contains(&row.id) => {}
            Kind::Finished | Kind::PassedFinished => {
                let id = row.id;
                self.ends.insert(id, (met, is_hit));
            }
            Kind::Settled => {
                let id = row.id;
                self.settled.entry(id).or_insert((met, is_hit));
            }
            // The last plan is the one that was carried out.
            Kind::Planned => {
                self.plans.entry(row.id).or_insert((told.place(), is_hit));
            }
            Kind::Received | Kind::PassedReceived | Kind::Refused | Kind::PassedRefused => {
                if row.is_carried && !self.carried.insert(row.id) || !row.is_carried && self.carried.contains(&row.id) {
                    return ControlFlow::Continue(());
                }
                let end = self.ends.remove(&row.id);
                let plan = self.plans.remove(&row.id);
                let settled = self.settled.remove(&row.id);
                let standing = match (&end, row.kind) {
                    _ if let Some((settled, _)) = &settled => Standing::of_state(index_state(&settled.told())),
                    (Some((end, _)), _) => Standing::of_state(index_state(&end.told())),
                    (None, Kind::Refused | Kind::PassedRefused) => Standing::of_state(index_state(&told)),
                    (None, _) if is_live && !self.has_met_start && !row.is_carried => Standing::Running,
                    (None, _) => Standing::InDoubt,
                };
                // Of a repetition, those of the same call that came after it.
                let attempts = self.attempts.get(&row.replay_of.unwrap_or(row.id)).cloned().unwrap_or_default();
                if let Some(of) = row.replay_of {
                    let attempt = Attempt { id: Uuid::from_u128(row.id), state: standing };
                    self.attempts.entry(of).or_default().push(attempt);
                }
                let is_hit = is_hit
                    || [&end, &settled].into_iter().flatten().any(|(_, hit)| *hit)
                    || plan.is_some_and(|(_, hit)| hit);
                let view = View {
                    first: told,
                    last: end.as_ref().map(|(end, _)| end.told()),
                    planned: plan.map(|(place, _)| place),
                    settled: settled.as_ref().map(|(settled, _)| settled.told()),
                    standing,
                    attempts: &attempts,
                };
                if is_hit && filter.admits(&view) {
                    return each(&view);
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// Calls whose first lines are gone with their segment.
    pub(super) fn rest(&self, filter: &Filter, needs_hit: bool, each: &mut impl FnMut(&View<'_>) -> ControlFlow<()>) {
        let mut rest: Vec<&(Met, bool)> = self.ends.values().collect();
        rest.sort_by_key(|(end, _)| std::cmp::Reverse(end.told().row.seq));
        for (end, is_hit) in rest {
            let told = end.told();
            let attempts = self.attempts.get(&told.row.id).map_or(&[][..], Vec::as_slice);
            let settled = self.settled.get(&told.row.id).map(|(settled, _)| settled.told());
            let standing = Standing::of_state(index_state(&settled.unwrap_or(told)));
            let view = View { first: told, last: None, planned: None, settled, standing, attempts };
            if (*is_hit || !needs_hit) && filter.admits(&view) && each(&view).is_break() {
                break;
            }
        }
    }
}

pub(super) fn index_state<'i>(told: &Told<'i>) -> &'i str {
    told.index.word(told.row.state)
}
