//! `log stats`: how much is called, how often it fails and how long it takes.

use std::{io::Write, process::ExitCode};

use clap::Args;
use serde_json::{Value, json};

use super::{
    Configured, Which, calls,
    list::route_in,
    terminal::{
        Room, View,
        pager::Out,
        style::{BAD, DIM, STRONG, WARN, styled},
        table::{Cell, Column, Table},
        time::Times,
    },
};
use crate::operations::statistics::{Statistics, Summary};

#[derive(Debug, Args)]
pub(crate) struct Stats {
    #[command(flatten)]
    configured: Configured,
    #[command(flatten)]
    which: Which,
    /// As one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    view: View,
}

const PERCENTILES: [usize; 3] = [50, 95, 99];

impl Stats {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let statistics = calls(&self.configured)?.statistics(self.which.filter()).await?;
        if self.json {
            println!("{}", json(&statistics));
            return Ok(ExitCode::SUCCESS);
        }
        let Statistics { all, routes, callers, dry_runs } = &statistics;
        let room = self.view.room();
        let times = Times::of(room);
        let last = times.head("LAST", all.last);
        let counts = || {
            [
                Column::new("CALLS").right(),
                Column::new("DONE").right(),
                Column::new("FAILED").right(),
                Column::new("IN DOUBT").right().rank(2).if_any(),
                Column::new("IGNORED").right().rank(4).if_any(),
                Column::new("P50 MS").right().rank(3),
                Column::new("P95 MS").right(),
                Column::new("P99 MS").right().rank(5),
                Column::new(last.clone()).rank(1),
            ]
        };
        let mut table =
            Table::new([Column::new("ROUTE").least(6), Column::new("MODEL").least(11)].into_iter().chain(counts()));
        for ((route, model), summary) in routes {
            table.row(
                [Cell::from(route_in(room, route.name())), Cell::from(&**model)]
                    .into_iter()
                    .chain(cells(summary, &times, room)),
            );
        }
        table.row([Cell::styled(STRONG, "all"), Cell::default()].into_iter().chain(cells(all, &times, room)));
        let mut out = Out::paged(self.view.paging);
        writeln!(out, "{}", table.shown(room))?;
        let mut table = Table::new([Column::new("CALLER").least(10)].into_iter().chain(counts()));
        for (caller, summary) in callers {
            let name = if caller.is_empty() { "(nobody)" } else { caller };
            table.row([Cell::from(name)].into_iter().chain(cells(summary, &times, room)));
        }
        write!(out, "{}", table.shown(room))?;
        if *dry_runs > 0 {
            writeln!(out, "\n{}", styled(DIM, &format!("{dry_runs} dry runs are not counted")))?;
        }
        out.finish()?;
        Ok(ExitCode::SUCCESS)
    }
}

fn json(Statistics { all, routes, callers, dry_runs }: &Statistics) -> Value {
    let with = |mut kind: Value, summary: &Summary| {
        merge(&mut kind, facts(summary));
        kind
    };
    let routes = routes.iter().map(|((route, model), summary)| with(json!({"route": route, "model": model}), summary));
    let callers = callers.iter().map(|(name, summary)| with(json!({"caller": name}), summary));
    let (routes, callers): (Vec<_>, Vec<_>) = (routes.collect(), callers.collect());
    json!({"all": facts(all), "dry_runs": dry_runs, "routes": routes, "callers": callers})
}

fn facts(summary: &Summary) -> Value {
    let [p50, p95, p99] = summary.percentiles(PERCENTILES);
    let Summary { calls, done, failed, in_doubt, running, queued, ignored, last, .. } = summary;
    json!({
        "calls": calls, "done": done, "failed": failed, "in_doubt": in_doubt, "running": running, "queued": queued,
        "ignored": ignored, "p50_ms": p50, "p95_ms": p95, "p99_ms": p99, "last": last,
    })
}

/// Where there is little room, what there is none of has no number, so that its column may be left out.
fn cells(summary: &Summary, times: &Times, room: Room) -> impl Iterator<Item = Cell> {
    let Summary { calls, done, failed, in_doubt, ignored, last, .. } = summary;
    let count = |number: &usize| Cell::from(number.to_string());
    let noted = |style, number: &usize| match number {
        0 => Cell::from(if room.is_unlimited() { "0" } else { "" }),
        some => Cell::styled(style, some.to_string()),
    };
    let failed = if *failed > 0 { noted(BAD, failed) } else { count(failed) };
    let counts = [count(calls), count(done), failed, noted(WARN, in_doubt), noted(DIM, ignored)];
    let percentiles = summary.percentiles(PERCENTILES);
    let percentiles = percentiles.map(|ms| Cell::from(ms.map(|ms| format!("{ms:.1}")).unwrap_or_default()));
    let last = Cell::from(last.map(|last| times.show(last)).unwrap_or_default());
    counts.into_iter().chain(percentiles).chain([last])
}

fn merge(into: &mut Value, from: Value) {
    if let (Some(into), Value::Object(from)) = (into.as_object_mut(), from) {
        into.extend(from);
    }
}
