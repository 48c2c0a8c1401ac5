//! `hook captured`: what came to a hook while its `capture` was on, also what nobody has signed.

use std::{io::Write, process::ExitCode};

use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    Configured, entry,
    log::show::sent,
    terminal::{
        self,
        pager::{Out, Paging},
        style::{DIM, GOOD, STRONG, WARN, styled},
    },
};
use crate::hook;

#[derive(Debug, Args)]
#[command(
    after_help = "Requests are kept while `capture = \"10m\"` of the hook is on: for that long after a start or reload.\n\
                  Values of headers and of the query that hold a credential or signature are described, not kept."
)]
pub(in crate::cli) struct Captured {
    /// The hook: its path, or what of it stands behind /hooks/
    name: String,
    /// So many of the last requests
    #[arg(short = 'n', long, default_value_t = 5)]
    limit: usize,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    /// Remove all that was kept of this hook
    #[arg(long, conflicts_with = "limit")]
    clear: bool,
    #[command(flatten)]
    paging: Paging,
    #[command(flatten)]
    configured: Configured,
}

impl Captured {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let config = self.configured.load()?;
        let entry = entry(&config, &self.name)?;
        let mut out = if self.json { Out::direct() } else { Out::paged(self.paging) };
        if self.clear {
            let had_any = hook::clear_captured(&config, entry.name())?;
            if self.json {
                writeln!(out, "{}", json!({"hook": entry.name(), "removed": had_any}))?;
                return Ok(ExitCode::SUCCESS);
            }
            eprintln!("{}", if had_any { "what was captured is removed" } else { "nothing was captured" });
            return Ok(ExitCode::SUCCESS);
        }
        let captured = hook::captured(&config, entry.name())?;
        if captured.is_empty() {
            let advice = match entry.capture {
                Some(_) => "nothing has come to it since its `capture` is on",
                None => "its `capture` is off; set capture = \"10m\" in its [[hook]] entry",
            };
            eprintln!("nothing was captured of `{}`: {advice}", entry.path.written());
        }
        for record in &captured[captured.len().saturating_sub(self.limit)..] {
            if self.json {
                writeln!(out, "{record}")?;
            } else {
                writeln!(out, "{}", text(record))?;
            }
        }
        out.finish()?;
        Ok(ExitCode::SUCCESS)
    }
}

/// A request for a person: when and from where it came, whether its sender has proven who it is, and what it sent.
fn text(record: &Value) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let ts = record["ts"]
        .as_str()
        .and_then(|ts| ts.parse::<Timestamp>().ok())
        .map(terminal::time::local)
        .unwrap_or_default();
    let proven = match record["verified"].as_bool() {
        Some(true) => styled(GOOD, "verified"),
        _ => styled(WARN, &format!("not verified: {}", terminal::plain(&text(&record["why"])))),
    };
    let head = format!("{ts} from {}, {} bytes", text(&record["address"]), record["size"]);
    let masked = &record["masked"];
    let mut lines = vec![format!("{} {}, {proven}", styled(DIM, "──"), styled(STRONG, &terminal::plain(&head)))];
    if masked["token"] == true {
        lines.push("(with a token behind the path)".to_owned());
    }
    for (name, form) in masked["query"].as_object().into_iter().flatten() {
        lines.push(format!("?{}={}", terminal::plain(name), terminal::plain(&text(form))));
    }
    for (name, form) in masked["headers"].as_object().into_iter().flatten() {
        lines.push(format!("{}: {}", terminal::plain(name), terminal::plain(&text(form))));
    }
    lines.push(sent::sent(&record["sent"]));
    lines.join("\n") + "\n"
}
