//! `log export`: whole calls, for other programs.

use std::{
    io::{self, IsTerminal, Write},
    process::ExitCode,
};

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Configured, Which, calls, terminal::progress::Progress};
use crate::{log::Call, operations::calls::Query};

#[derive(Debug, Args)]
pub(crate) struct Export {
    #[command(flatten)]
    configured: Configured,
    #[command(flatten)]
    which: Which,
    /// jsonl has a call and its lines, files and all, in one object a line, and what operators did between them; csv has a row of facts for each call
    #[arg(long, value_enum, default_value_t = Format::Jsonl)]
    format: Format,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Jsonl,
    Csv,
}

impl Export {
    pub(super) async fn run(self, out: &mut impl Write) -> anyhow::Result<ExitCode> {
        let log = calls(&self.configured)?;
        let filter = self.which.filter();
        // What operators did is of no client, model or state.
        let acts = match filter.is_of_time_alone() {
            true => log.acts(filter.since, filter.until).await?,
            false => Vec::new(),
        };
        let calls = log.page(Query { filter, ..Query::default() }).await?.calls;
        // The terminal has the calls themselves, where they go there.
        let all = if io::stdout().is_terminal() { 0 } else { calls.len() };
        let progress = Progress::of_things("exporting calls", all as u64);
        let calls = calls.iter().rev().inspect(|_| progress.add(1));
        match self.format {
            Format::Jsonl => {
                let mut acts = acts.into_iter().map(|act| (time_of(&act), act)).peekable();
                for call in calls {
                    while let Some((_, act)) = acts.next_if(|(ts, _)| *ts < Some(call.ts)) {
                        writeln!(out, "{}", json!({"operator": act}))?;
                    }
                    let lines = log.lines(call).await?;
                    writeln!(out, "{}", json!({"call": call, "lines": lines}))?;
                }
                for (_, act) in acts {
                    writeln!(out, "{}", json!({"operator": act}))?;
                }
            }
            Format::Csv => {
                let mut csv = csv::Writer::from_writer(out);
                for call in calls {
                    csv.serialize(Row::of(call)).map_err(io::Error::from)?;
                }
                csv.flush()?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// When an operator did this.
fn time_of(act: &Value) -> Option<Timestamp> {
    act["ts"].as_str()?.parse().ok()
}

#[derive(Serialize)]
struct Row {
    time: Timestamp,
    id: String,
    route: String,
    model: String,
    state: &'static str,
    error: String,
    duration_ms: Option<f64>,
    caller: String,
    address: String,
    records: String,
    replay_of: String,
    message: String,
    hook: String,
    delivery_id: String,
    attempt_of: String,
    step: Option<u32>,
    repeat_of: String,
}

impl Row {
    fn of(call: &Call) -> Self {
        let records: Vec<String> = call.records.iter().map(|(model, id)| format!("{model},{id}")).collect();
        Self {
            time: call.ts,
            id: call.id.to_string(),
            route: call.route.to_string(),
            model: no_formula(&call.model),
            state: call.state.as_str(),
            error: call.error.clone(),
            duration_ms: call.duration_ms,
            caller: no_formula(call.caller()),
            address: call.address.clone(),
            records: no_formula(&records.join(" ")),
            replay_of: call.replay_of.map(|id| id.to_string()).unwrap_or_default(),
            message: no_formula(&call.message),
            hook: call.hook.clone(),
            delivery_id: no_formula(&call.delivery_id),
            attempt_of: call.attempt_of.map(|id| id.to_string()).unwrap_or_default(),
            step: (call.step > 0).then_some(call.step),
            repeat_of: call.repeat_of.map(|id| id.to_string()).unwrap_or_default(),
        }
    }
}

/// A spreadsheet takes what begins like this for a formula, and a caller chose the text.
fn no_formula(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}
