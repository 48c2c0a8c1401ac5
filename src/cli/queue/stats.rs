//! `queue stats`: how many calls each client has in the store, how old the oldest is, and how many calls a person must look at.

use std::{io::Write, process::ExitCode};

use clap::Args;

use super::{Configured, open, span, terminal};
use crate::operations::queue::depths_to_json;

#[derive(Debug, Args)]
pub(in crate::cli) struct Stats {
    #[command(flatten)]
    configured: Configured,
    /// As one JSON object
    #[arg(long)]
    json: bool,
}

impl Stats {
    pub(super) async fn run(self, out: &mut impl Write) -> anyhow::Result<ExitCode> {
        let queue = open(&self.configured).await?;
        let (depths, now) = (queue.depths().await?, queue.now());
        if self.json {
            writeln!(out, "{}", depths_to_json(&depths, now))?;
            return Ok(ExitCode::SUCCESS);
        }
        if depths.is_empty() {
            eprintln!("no call is queued, dead or in doubt, and no queue is paused");
            return Ok(ExitCode::SUCCESS);
        }
        let head = ["CLIENT", "QUEUED", "OLDEST", "BLOCKED KEYS", "DEAD", "IN DOUBT", "PAUSED"];
        let rows = depths.iter().map(|depth| {
            let oldest = depth.oldest.filter(|_| depth.queued > 0);
            vec![
                if depth.client.is_empty() { "(own credentials)".to_owned() } else { depth.client.clone() },
                depth.queued.to_string(),
                oldest.map(|oldest| span(now.saturating_sub(oldest))).unwrap_or_default(),
                depth.blocked_lanes.to_string(),
                depth.dead.to_string(),
                depth.in_doubt.to_string(),
                depth.paused.clone().unwrap_or_default(),
            ]
        });
        write!(out, "{}", terminal::table(&head, &[1, 2, 3, 4, 5], rows))?;
        Ok(ExitCode::SUCCESS)
    }
}
