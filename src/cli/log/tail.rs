//! `log tail`: the last calls, and further ones as they end.

use std::{io::Write, process::ExitCode, time::Duration};

use clap::Args;

use super::{Configured, Which, calls, list, state, terminal};
use crate::{log::Call, operations::calls::Query};

/// How often the log is looked at for more.
const LOOK: Duration = Duration::from_millis(200);

#[derive(Debug, Args)]
pub(crate) struct Tail {
    #[command(flatten)]
    configured: Configured,
    #[command(flatten)]
    which: Which,
    /// So many of the calls that are there
    #[arg(short = 'n', long, default_value_t = 10)]
    lines: usize,
    /// Go on with those to come, as they end
    #[arg(short, long)]
    follow: bool,
    /// One JSON object a line: of a call that is there the summary, of one to come the line of its end
    #[arg(long)]
    json: bool,
}

impl Tail {
    pub(super) async fn run(self, out: &mut impl Write) -> anyhow::Result<ExitCode> {
        let log = calls(&self.configured)?;
        let filter = self.which.filter();
        anyhow::ensure!(!self.follow || filter.text.is_none(), "--text does not go with -f; pipe the output into grep");
        let mut position = log.end().await?;
        let query = Query { filter: filter.clone(), limit: Some(self.lines), cursor: None };
        let mut calls = log.page(query).await?.calls;
        calls.reverse();
        if self.json {
            for call in &calls {
                writeln!(out, "{}", serde_json::to_string(call)?)?;
            }
        } else if !calls.is_empty() {
            write!(out, "{}", list(&calls))?;
        }
        out.flush()?;
        if !self.follow {
            return Ok(ExitCode::SUCCESS);
        }
        loop {
            let ended;
            (position, ended) = log.ended_since(position, &filter).await?;
            for (call, line) in ended {
                if self.json {
                    writeln!(out, "{line}")?;
                } else {
                    writeln!(out, "{}", words(&call))?;
                }
            }
            out.flush()?;
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// A call in one line of text, without columns: how wide they must be is not known yet.
fn words(call: &Call) -> String {
    let ms = call.duration_ms.map(|ms| format!("{ms:.1} ms")).unwrap_or_default();
    let parts = [
        &terminal::local(call.ts),
        &call.id.to_string(),
        call.route.name(),
        &call.model,
        &state(call),
        &call.error,
        &ms,
    ];
    let parts = parts.into_iter().chain([call.caller(), &call.message]);
    terminal::plain(&parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join("  ")).into_owned()
}
