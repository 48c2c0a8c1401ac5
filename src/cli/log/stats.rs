//! `log stats`: how much is called, how often it fails and how long it takes.

use std::{io::Write, process::ExitCode};

use clap::Args;
use serde_json::{Value, json};

use super::{Configured, Which, calls, terminal};
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
}

const PERCENTILES: [usize; 3] = [50, 95, 99];

impl Stats {
    pub(super) async fn run(self, out: &mut impl Write) -> anyhow::Result<ExitCode> {
        let statistics = calls(&self.configured)?.statistics(self.which.filter()).await?;
        if self.json {
            writeln!(out, "{}", json(&statistics))?;
            return Ok(ExitCode::SUCCESS);
        }
        let Statistics { all, routes, callers, dry_runs } = &statistics;
        let counts = ["CALLS", "DONE", "FAILED", "IN DOUBT", "IGNORED", "P50 MS", "P95 MS", "P99 MS", "LAST"];
        let head: Vec<&str> = ["ROUTE", "MODEL"].into_iter().chain(counts).collect();
        let rows = routes
            .iter()
            .map(|((route, model), summary)| [vec![route.to_string(), model.clone()], cells(summary)].concat());
        let rows: Vec<_> = rows.chain([[vec!["all".to_owned(), String::new()], cells(all)].concat()]).collect();
        writeln!(out, "{}", terminal::table(&head, &[2, 3, 4, 5, 6, 7, 8, 9], rows))?;
        let head: Vec<&str> = ["CALLER"].into_iter().chain(counts).collect();
        let name = |name: &str| if name.is_empty() { "(nobody)".to_owned() } else { name.to_owned() };
        let rows = callers.iter().map(|(caller, summary)| [vec![name(caller)], cells(summary)].concat());
        write!(out, "{}", terminal::table(&head, &[1, 2, 3, 4, 5, 6, 7, 8], rows))?;
        if *dry_runs > 0 {
            writeln!(out, "\n{dry_runs} dry runs are not counted")?;
        }
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

fn cells(summary: &Summary) -> Vec<String> {
    let Summary { calls, done, failed, in_doubt, ignored, last, .. } = summary;
    let counts = [calls, done, failed, in_doubt, ignored].map(ToString::to_string);
    let times = summary.percentiles(PERCENTILES).map(|ms| ms.map(|ms| format!("{ms:.1}")).unwrap_or_default());
    counts.into_iter().chain(times).chain([last.map(terminal::local).unwrap_or_default()]).collect()
}

fn merge(into: &mut Value, from: Value) {
    if let (Some(into), Value::Object(from)) = (into.as_object_mut(), from) {
        into.extend(from);
    }
}
