//! `log show`: one call, with the content of all its lines.
//!
//! What matters comes first: how it ended and why. Long values are folded on a terminal; `--full` and programs get all of them.

mod next;
pub(in crate::cli) mod plan;
pub(in crate::cli) mod sent;
mod story;

use std::{
    io::{IsTerminal, Write},
    process::ExitCode,
};

use anyhow::anyhow;
use clap::Args;
use serde_json::json;

use self::story::Story;
use super::{
    Configured, calls,
    list::{records, state},
    terminal::{
        self,
        pager::{Out, Paging},
        style::{STRONG, styled},
        time::local,
    },
};
use crate::{
    log::{Call, CallState},
    operations::calls::{Calls, NotOne},
};

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The call's id, or a part of it that no other has, as a list shows it
    id: String,
    #[command(flatten)]
    configured: Configured,
    /// All of long payloads and answers, and the arguments of every call to Odoo
    #[arg(long)]
    full: bool,
    /// All lines of tracebacks
    #[arg(long)]
    traceback: bool,
    /// As one JSON object: the call and its lines
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    paging: Paging,
}

/// How much is shown.
#[derive(Debug, Clone, Copy)]
struct Detail {
    is_full: bool,
    has_tracebacks: bool,
}

impl Show {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let log = calls(&self.configured)?;
        let call = the_one(&log, &self.id).await?;
        let lines = log.lines(&call).await?;
        let progress = if may_tell_progress(&call) { log.progress(&call).await? } else { Vec::new() };
        let delivery = if is_of_delivery(&call) { log.delivery(&call).await? } else { Vec::new() };
        if self.json {
            let mut shown = json!({"call": call, "lines": lines});
            if is_of_delivery(&call) {
                shown["delivery"] = json!(delivery);
            }
            if !progress.is_empty() {
                shown["progress"] = json!(progress);
            }
            println!("{shown}");
            return Ok(ExitCode::SUCCESS);
        }
        let is_read_by_program = !std::io::stdout().is_terminal();
        let is_full = self.full || is_read_by_program;
        let detail = Detail { is_full, has_tracebacks: self.traceback || is_read_by_program };
        let mut out = Out::paged(self.paging);
        Story { call: &call, lines: &lines, progress: &progress, detail }.write(&mut out)?;
        write_delivery(&mut out, &call, &delivery)?;
        let next = next::commands(&call, &self.configured, is_read_by_program);
        if !next.is_empty() {
            writeln!(out, "\n{}", styled(STRONG, "next"))?;
        }
        for line in next {
            writeln!(out, "{line}")?;
        }
        out.finish()?;
        Ok(ExitCode::SUCCESS)
    }
}

/// A list of records that was written in less than so many milliseconds has told nothing on the way.
const TELLS_AFTER: f64 = 2_000.0;

/// Whether the call may have told how far it was.
fn may_tell_progress(call: &Call) -> bool {
    call.duration_ms.is_none_or(|ms| ms >= TELLS_AFTER)
}

/// Whether other calls may be of the same delivery.
fn is_of_delivery(call: &Call) -> bool {
    call.attempt_of.is_some() || call.repeat_of.is_some() || call.state == CallState::Queued || !call.hook.is_empty()
}

/// The calls of a delivery in their order, where there are several.
fn write_delivery(out: &mut impl Write, call: &Call, calls: &[Call]) -> std::io::Result<()> {
    if calls.len() < 2 {
        return Ok(());
    }
    writeln!(out, "\n{}", styled(STRONG, "delivery"))?;
    for part in calls {
        let mark = if part.id == call.id { '>' } else { ' ' };
        let what = match (part.attempt_of, part.repeat_of) {
            (Some(_), _) => attempt(part),
            (None, Some(_)) => "repeated".to_owned(),
            (None, None) => "accepted".to_owned(),
        };
        let told = [what, state(part), format!("{} {}", part.route, part.model), part.error.clone(), records(part)];
        let told =
            told.iter().filter(|word| !word.trim().is_empty()).map(String::as_str).collect::<Vec<_>>().join(", ");
        writeln!(out, "{mark} {}  {}  {}", part.id, local(part.ts), terminal::plain(&told))?;
    }
    Ok(())
}

fn attempt(call: &Call) -> String {
    let step = if call.step > 0 { format!("step {}, ", call.step) } else { String::new() };
    format!("{step}attempt {}", call.attempt)
}

/// The call that is meant by its id or a part of it.
pub(crate) async fn the_one(log: &Calls, part: &str) -> anyhow::Result<Call> {
    log.one(part).await.map_err(shown)
}

/// The part of an id is shown without what would move the cursor.
pub(crate) fn shown(error: NotOne) -> anyhow::Error {
    match error {
        NotOne::Log(error) => error.into(),
        NotOne::Unknown(_) | NotOne::Several { .. } => anyhow!("{}", terminal::plain(&error.to_string())),
    }
}
