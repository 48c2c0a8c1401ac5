//! `queue stats`: how many calls each client has in the store, how old the oldest is, and how many calls a person must look at.

use std::{io::Write, process::ExitCode};

use clap::Args;

use super::{
    Configured, open, span,
    terminal::{
        View,
        pager::Out,
        style::{BAD, WARN},
        table::{Cell, Column, Table},
    },
};
use crate::operations::queue::depths_to_json;

#[derive(Debug, Args)]
pub(in crate::cli) struct Stats {
    #[command(flatten)]
    configured: Configured,
    /// As one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    view: View,
}

impl Stats {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let queue = open(&self.configured).await?;
        let (depths, now) = (queue.depths().await?, queue.now());
        if self.json {
            println!("{}", depths_to_json(&depths, now));
            return Ok(ExitCode::SUCCESS);
        }
        if depths.is_empty() {
            eprintln!("no call is queued, dead or in doubt, and no queue is paused");
            return Ok(ExitCode::SUCCESS);
        }
        let mut table = Table::new([
            Column::new("CLIENT").least(10),
            Column::new("QUEUED").right(),
            Column::new("OLDEST").right(),
            Column::new("BLOCKED KEYS").right().rank(1),
            Column::new("DEAD").right(),
            Column::new("IN DOUBT").right(),
            Column::new("PAUSED").least(12).if_any(),
        ]);
        let noted = |style, number: u64| match number {
            0 => Cell::from("0"),
            some => Cell::styled(style, some.to_string()),
        };
        for depth in &depths {
            let oldest = depth.oldest.filter(|_| depth.queued > 0);
            table.row([
                Cell::from(if depth.client.is_empty() { "(own credentials)" } else { &*depth.client }),
                Cell::from(depth.queued.to_string()),
                Cell::from(oldest.map(|oldest| span(now.saturating_sub(oldest))).unwrap_or_default()),
                Cell::from(depth.blocked_lanes.to_string()),
                noted(BAD, depth.dead),
                noted(WARN, depth.in_doubt),
                Cell::styled(WARN, depth.paused.clone().unwrap_or_default()),
            ]);
        }
        let mut out = Out::paged(self.view.paging);
        write!(out, "{}", table.shown(self.view.room()))?;
        out.finish()?;
        Ok(ExitCode::SUCCESS)
    }
}
