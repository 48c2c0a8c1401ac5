//! `log ls`: calls in a table.

use std::{io::Write, process::ExitCode};

use clap::Args;

use super::{
    Configured, Which, calls,
    list::list,
    terminal::{Rows, View, pager::Out},
};
use crate::{
    log::{Cursor, Page},
    operations::calls::Query,
};

#[derive(Debug, Args)]
pub(in crate::cli) struct Ls {
    #[command(flatten)]
    configured: Configured,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    rows: Rows,
    /// Go on where an earlier listing with the same conditions ended: the cursor that it named
    #[arg(long, value_name = "CURSOR")]
    after: Option<Cursor>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    view: View,
}

impl Ls {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let query = Query { filter: self.which.filter(), limit: self.rows.limit(), cursor: self.after };
        let Page { calls, next } = calls(&self.configured)?.page(query).await?;
        let mut out = if self.json { Out::direct() } else { Out::paged(self.view.paging) };
        match (self.json, calls.is_empty()) {
            (false, true) => eprintln!("{}", self.which.none_found(&self.configured.load()?)),
            (false, false) => write!(out, "{}", list(&calls, self.view.room()))?,
            (true, _) => {
                for call in &calls {
                    writeln!(out, "{}", serde_json::to_string(call)?)?;
                }
            }
        }
        if let Some(next) = next {
            let number = if calls.len() == 1 { "1 call".to_owned() } else { format!("{} calls", calls.len()) };
            let words = format!("{number}; --after {next} shows those before, -n or --all more at once");
            match self.json {
                true => eprintln!("{words}"),
                false => out.note(&words)?,
            }
        }
        out.finish()?;
        Ok(ExitCode::SUCCESS)
    }
}
