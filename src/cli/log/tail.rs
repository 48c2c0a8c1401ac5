//! `log tail`: the last calls, and further ones as they end.

use std::{io::Write, process::ExitCode, time::Duration};

use clap::Args;

use super::{
    Configured, Which, calls,
    list::list,
    terminal::{Room, View, line, pager::Out},
};
use crate::operations::calls::Query;

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
    /// Go on with those to come, a line for each, as they end; and how far long lists of records are
    #[arg(short, long)]
    follow: bool,
    /// One JSON object a line: of a call that is there the summary, of one to come the line of its end, or of its progress
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    view: View,
}

impl Tail {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let log = calls(&self.configured)?;
        let filter = self.which.filter();
        anyhow::ensure!(!self.follow || filter.text.is_none(), "--text does not go with -f; pipe the output into grep");
        let mut position = log.end().await?;
        let query = Query { filter: filter.clone(), limit: Some(self.lines), cursor: None };
        let mut calls = log.page(query).await?.calls;
        calls.reverse();
        let mut out = if self.json || self.follow { Out::direct() } else { Out::paged(self.view.paging) };
        let room = self.view.room();
        for call in calls.iter().filter(|_| self.json || self.follow) {
            match self.json {
                true => writeln!(out, "{}", serde_json::to_string(call)?)?,
                false => writeln!(out, "{}", line::of_call(call, room))?,
            }
        }
        if !self.follow {
            if !self.json && !calls.is_empty() {
                write!(out, "{}", list(&calls, room))?;
            }
            out.finish()?;
            return Ok(ExitCode::SUCCESS);
        }
        out.flush()?;
        loop {
            let told;
            (position, told) = log.told_since(position, &filter).await?;
            for (call, line) in told {
                match self.json {
                    true => writeln!(out, "{line}")?,
                    // The terminal may have been made wider or narrower.
                    false => writeln!(out, "{}", line::of_call(&call, self.room_now(room)))?,
                }
            }
            out.flush()?;
            tokio::time::sleep(LOOK).await;
        }
    }

    fn room_now(&self, before: Room) -> Room {
        if before.is_unlimited() { before } else { self.view.room() }
    }
}
