//! `log stats`: how much is called, how often it fails and how long it takes.

use std::{collections::BTreeMap, io::Write, process::ExitCode};

use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Configured, Which, archive, caller, show};
use crate::log::{Call, CallState};

#[derive(Debug, Args)]
pub(crate) struct Stats {
    #[command(flatten)]
    configured: Configured,
    #[command(flatten)]
    which: Which,
    /// As one JSON object
    #[arg(long)]
    json: bool,
}

/// The calls of one kind.
#[derive(Default)]
struct Tally {
    calls: usize,
    done: usize,
    failed: usize,
    in_doubt: usize,
    running: usize,
    times: Vec<f64>,
    last: Option<Timestamp>,
}

impl Tally {
    fn add(&mut self, call: &Call) {
        self.calls += 1;
        match call.state {
            CallState::Done => self.done += 1,
            CallState::Failed => self.failed += 1,
            CallState::InDoubt => self.in_doubt += 1,
            CallState::Running => self.running += 1,
        }
        self.times.extend(call.duration_ms);
        self.last = self.last.max(Some(call.ts));
    }

    /// The time that so many of a hundred calls took at most: the nearest rank.
    fn percentile(&mut self, percent: usize) -> Option<f64> {
        self.times.sort_by(f64::total_cmp);
        let rank = (self.times.len() * percent).div_ceil(100).max(1);
        self.times.get(rank - 1).copied()
    }

    fn facts(&mut self) -> Value {
        let [p50, p95, p99] = [50, 95, 99].map(|percent| self.percentile(percent));
        json!({
            "calls": self.calls, "done": self.done, "failed": self.failed, "in_doubt": self.in_doubt,
            "running": self.running, "p50_ms": p50, "p95_ms": p95, "p99_ms": p99, "last": self.last,
        })
    }

    fn cells(&mut self) -> Vec<String> {
        let times =
            [50, 95, 99].map(|percent| self.percentile(percent).map(|ms| format!("{ms:.1}")).unwrap_or_default());
        let counts = [self.calls, self.done, self.failed, self.in_doubt].map(|count| count.to_string());
        let last = self.last.map(show::local).unwrap_or_default();
        counts.into_iter().chain(times).chain([last]).collect()
    }
}

impl Stats {
    pub(super) fn run(self, out: &mut impl Write) -> anyhow::Result<ExitCode> {
        let mut kinds: BTreeMap<(String, String), Tally> = BTreeMap::new();
        let mut callers: BTreeMap<String, Tally> = BTreeMap::new();
        let mut all = Tally::default();
        archive(&self.configured)?.for_each(&self.which.filter(), |call| {
            kinds.entry((call.route.to_string(), call.model.clone())).or_default().add(&call);
            callers.entry(caller(&call).to_owned()).or_default().add(&call);
            all.add(&call);
        })?;
        if self.json {
            let kinds = kinds.iter_mut().map(|((route, model), tally)| {
                let mut kind = json!({"route": route, "model": model});
                merge(&mut kind, tally.facts());
                kind
            });
            let kinds: Vec<Value> = kinds.collect();
            let callers: Vec<Value> = callers
                .iter_mut()
                .map(|(name, tally)| {
                    let mut caller = json!({"caller": name});
                    merge(&mut caller, tally.facts());
                    caller
                })
                .collect();
            writeln!(out, "{}", json!({"all": all.facts(), "routes": kinds, "callers": callers}))?;
            return Ok(ExitCode::SUCCESS);
        }
        let counts = ["CALLS", "DONE", "FAILED", "IN DOUBT", "P50 MS", "P95 MS", "P99 MS", "LAST"];
        let head: Vec<&str> = ["ROUTE", "MODEL"].into_iter().chain(counts).collect();
        let rows = kinds
            .iter_mut()
            .map(|((route, model), tally)| [vec![route.clone(), model.clone()], tally.cells()].concat());
        let rows: Vec<_> = rows.chain([[vec!["all".to_owned(), String::new()], all.cells()].concat()]).collect();
        writeln!(out, "{}", show::table(&head, &[2, 3, 4, 5, 6, 7, 8], rows))?;
        let head: Vec<&str> = ["CALLER"].into_iter().chain(counts).collect();
        let name = |name: &str| if name.is_empty() { "(nobody)".to_owned() } else { name.to_owned() };
        let rows = callers.iter_mut().map(|(caller, tally)| [vec![name(caller)], tally.cells()].concat());
        write!(out, "{}", show::table(&head, &[1, 2, 3, 4, 5, 6, 7], rows))?;
        Ok(ExitCode::SUCCESS)
    }
}

fn merge(into: &mut Value, from: Value) {
    if let (Some(into), Value::Object(from)) = (into.as_object_mut(), from) {
        into.extend(from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_time_that_was_measured() {
        let mut tally = Tally { times: (1..=200).rev().map(f64::from).collect(), ..Tally::default() };
        assert_eq!([50, 95, 99].map(|percent| tally.percentile(percent).unwrap()), [100.0, 190.0, 198.0]);
        let mut one = Tally { times: vec![7.0], ..Tally::default() };
        assert_eq!(
            (one.percentile(50), one.percentile(99), Tally::default().percentile(50)),
            (Some(7.0), Some(7.0), None)
        );
    }
}
