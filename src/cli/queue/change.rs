//! `queue retry` and `queue drop`: many calls at a time, by filter or by their ids, after a question.

use std::{
    io::{self, BufRead, IsTerminal, Write},
    process::ExitCode,
};

use anyhow::bail;
use clap::Args;
use serde_json::json;

use super::{Configured, Which, open, whole_id};
use crate::{
    cli::{queue::told, user},
    log::Operator,
    store::{Filter, State},
};

#[derive(Debug, Args)]
struct Chosen {
    /// The ids of the calls, or parts of them that no others have
    ids: Vec<String>,
    #[command(flatten)]
    configured: Configured,
    #[command(flatten)]
    which: Which,
    /// All calls, where neither ids nor options name some
    #[arg(long)]
    all: bool,
    /// Say how many there are, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// As one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  odoo-gateway queue retry --error no_match --client webshop\n  odoo-gateway queue retry 01a20b0d-2e67-7211-8cb7-74e4339e38d3 --yes"
)]
pub(in crate::cli) struct Retry {
    #[command(flatten)]
    chosen: Chosen,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  odoo-gateway queue drop --state dead --older-than 30d --dry-run")]
pub(in crate::cli) struct Drop {
    #[command(flatten)]
    chosen: Chosen,
}

impl Retry {
    pub(super) async fn run(self, out: &mut impl Write) -> anyhow::Result<ExitCode> {
        let states = [State::Dead, State::Queued];
        let Some((queue, filter)) = self.chosen.confirmed("tried again", &states, out).await? else {
            return Ok(ExitCode::SUCCESS);
        };
        let number = told(queue.retry(&filter, &Operator::on_command_line(user())).await?);
        match self.chosen.json {
            true => writeln!(out, "{}", json!({"retried": number}))?,
            false => writeln!(out, "{number} calls or waiting keys are due now")?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Drop {
    pub(super) async fn run(self, out: &mut impl Write) -> anyhow::Result<ExitCode> {
        let states = [State::Dead, State::Queued, State::InDoubt];
        let Some((queue, filter)) = self.chosen.confirmed("dropped", &states, out).await? else {
            return Ok(ExitCode::SUCCESS);
        };
        let number = told(queue.drop_calls(&filter, &Operator::on_command_line(user())).await?);
        match self.chosen.json {
            true => writeln!(out, "{}", json!({"dropped": number}))?,
            false => writeln!(out, "{number} calls dropped; those that are being made stay")?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Chosen {
    /// The calls that are meant, where there are any and the person agrees.
    async fn confirmed(
        &self,
        what: &str,
        states: &[State],
        out: &mut impl Write,
    ) -> anyhow::Result<Option<(crate::operations::queue::Queue, Filter)>> {
        if self.ids.is_empty() && !self.which.is_any() && !self.all {
            bail!("which calls? Give their ids, or --client, --state, --error and other options, or --all");
        }
        let queue = open(&self.configured).await?;
        let mut ids = Vec::new();
        for part in &self.ids {
            ids.push(whole_id(&self.configured, part).await?);
        }
        let filter = self.which.filter(&ids, queue.now());
        let number = queue.count(&filter, states).await?;
        if self.json && (number == 0 || self.dry_run) {
            writeln!(out, "{}", json!({"dry_run": self.dry_run, "calls": number}))?;
            return Ok(None);
        }
        if number == 0 {
            eprintln!("no call in the store is like that and can be {what}");
            return Ok(None);
        }
        if self.dry_run {
            writeln!(out, "{number} calls would be {what}")?;
            return Ok(None);
        }
        if !self.yes {
            if !io::stdin().is_terminal() {
                bail!("{number} calls would be {what}; --yes says so where nobody can be asked");
            }
            eprint!("{number} calls will be {what}. Go on? [y/N] ");
            let mut answer = String::new();
            io::stdin().lock().read_line(&mut answer)?;
            if !matches!(answer.trim(), "y" | "Y" | "yes") {
                eprintln!("nothing was changed");
                return Ok(None);
            }
        }
        Ok(Some((queue, filter)))
    }
}
