//! `queue pause` and `queue resume`: the queue of one client. Its calls are accepted meanwhile.

use std::{io::Write, process::ExitCode};

use anyhow::bail;
use clap::{Args, builder::NonEmptyStringValueParser};
use serde_json::json;

use super::{Configured, open, terminal, told};
use crate::{cli::user, log::Operator, operations::near::did_you_mean};

#[derive(Debug, Args)]
pub(in crate::cli) struct Pause {
    /// The name of a [[client]]
    client: String,
    #[command(flatten)]
    configured: Configured,
    /// The reason, which `queue stats` shows
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    why: Option<String>,
    /// As one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Resume {
    /// The name of a [[client]]
    client: String,
    #[command(flatten)]
    configured: Configured,
    /// As one JSON object
    #[arg(long)]
    json: bool,
}

impl Pause {
    pub(super) async fn run(self, out: &mut impl Write) -> anyhow::Result<ExitCode> {
        let config = self.configured.load()?;
        let queue = open(&self.configured).await?;
        // A client that was taken out of the configuration may still have calls.
        let depths = queue.depths().await?;
        let names =
            || config.clients.iter().map(|client| &*client.name).chain(depths.iter().map(|depth| &*depth.client));
        if !names().any(|name| name == self.client) {
            bail!("there is no [[client]] `{}`{}", terminal::plain(&self.client), did_you_mean(&self.client, names()));
        }
        let by = user();
        let why = self.why.unwrap_or_else(|| format!("paused by {by}"));
        let is_new = told(queue.pause(&self.client, &why, &Operator::on_command_line(by)).await?);
        if self.json {
            writeln!(out, "{}", json!({"client": self.client, "paused": true, "changed": is_new}))?;
            return Ok(ExitCode::SUCCESS);
        }
        let words = if is_new { "is paused" } else { "was paused already" };
        writeln!(out, "the queue of `{}` {words}", terminal::plain(&self.client))?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Resume {
    pub(super) async fn run(self, out: &mut impl Write) -> anyhow::Result<ExitCode> {
        let queue = open(&self.configured).await?;
        let was_paused = told(queue.resume(&self.client, &Operator::on_command_line(user())).await?);
        if self.json {
            writeln!(out, "{}", json!({"client": self.client, "paused": false, "changed": was_paused}))?;
            return Ok(ExitCode::SUCCESS);
        }
        let words = if was_paused { "goes on" } else { "was not paused" };
        writeln!(out, "the queue of `{}` {words}", terminal::plain(&self.client))?;
        Ok(ExitCode::SUCCESS)
    }
}
