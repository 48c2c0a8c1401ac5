//! How much is called, how often it fails and how long it takes.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::log::{Call, CallState, RecordedRoute};

/// The calls of a log, counted in three ways.
#[derive(Debug, Clone, Default)]
pub struct Statistics {
    pub all: Summary,
    /// They are among none of the others.
    pub dry_runs: usize,
    /// By route and model.
    pub routes: BTreeMap<(RecordedRoute, String), Summary>,
    /// By client or login; the empty name stands for callers who are not known.
    pub callers: BTreeMap<String, Summary>,
}

/// The calls of one kind.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    pub calls: usize,
    pub done: usize,
    pub failed: usize,
    pub in_doubt: usize,
    pub running: usize,
    pub queued: usize,
    pub ignored: usize,
    /// When the last of them came in.
    pub last: Option<Timestamp>,
    /// In milliseconds, in no order.
    times: Vec<f64>,
}

impl Statistics {
    pub(super) fn add(&mut self, call: &Call) {
        if call.state == CallState::DryRun {
            self.dry_runs += 1;
            return;
        }
        self.routes.entry((call.route.clone(), call.model.clone())).or_default().add(call);
        self.callers.entry(call.caller().to_owned()).or_default().add(call);
        self.all.add(call);
    }
}

impl Summary {
    fn add(&mut self, call: &Call) {
        self.calls += 1;
        match call.state {
            CallState::Done => self.done += 1,
            CallState::Failed => self.failed += 1,
            CallState::InDoubt => self.in_doubt += 1,
            CallState::Running => self.running += 1,
            CallState::Queued => self.queued += 1,
            CallState::Ignored => self.ignored += 1,
            CallState::DryRun => {}
        }
        self.times.extend(call.duration_ms);
        self.last = self.last.max(Some(call.ts));
    }

    /// The times in milliseconds that so many percent of the calls took at most, by the nearest rank; `None` where no call
    /// has ended.
    pub fn percentiles<const N: usize>(&self, percents: [usize; N]) -> [Option<f64>; N] {
        let mut times = self.times.clone();
        times.sort_by(f64::total_cmp);
        percents.map(|percent| {
            let rank = (times.len() * percent).div_ceil(100).max(1);
            times.get(rank - 1).copied()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_time_that_was_measured() {
        let summary = Summary { times: (1..=200).rev().map(f64::from).collect(), ..Summary::default() };
        assert_eq!(summary.percentiles([50, 95, 99]), [Some(100.0), Some(190.0), Some(198.0)]);
        let one = Summary { times: vec![7.0], ..Summary::default() };
        assert_eq!(one.percentiles([50, 99]), [Some(7.0), Some(7.0)]);
        assert_eq!(Summary::default().percentiles([50]), [None]);
    }
}
