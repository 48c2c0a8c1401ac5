//! `log settle`: records the outcome of a call in doubt, which an operator has looked up in Odoo.

use std::{io::Write, process::ExitCode};

use clap::{Args, builder::NonEmptyStringValueParser};
use serde_json::json;

use super::{Configured, calls, show::the_one};
use crate::{
    cli::user,
    log::{CallState, Settlement},
    operations::settlement,
};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  odoo-gateway log settle 01a20b0d-2e67-7211-8cb7-74e4339e38d3 --done --record 17\n  odoo-gateway log settle 01a20b0d-2e67-7211-8cb7-74e4339e38d3 --not-done --why \"no such order in Odoo\""
)]
pub(crate) struct Settle {
    /// The call's id, or a part of it that no other has
    id: String,
    #[command(flatten)]
    configured: Configured,
    /// It was done: what it was to write is in Odoo
    #[arg(long, required_unless_present = "not_done", conflicts_with = "not_done")]
    done: bool,
    /// Nothing of it is in Odoo: it counts as failed, and `replay` takes it
    #[arg(long, requires = "why")]
    not_done: bool,
    /// A record that it wrote, of the call's model; may be given several times
    #[arg(long, value_name = "ID", conflicts_with = "not_done")]
    record: Vec<i64>,
    /// How that is known
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    why: Option<String>,
    /// Who says so, instead of the user of this system
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    by: Option<String>,
    /// As one JSON object
    #[arg(long)]
    json: bool,
}

impl Settle {
    pub(super) async fn run(self, out: &mut impl Write) -> anyhow::Result<ExitCode> {
        let call = the_one(&calls(&self.configured)?, &self.id).await?;
        let config = self.configured.load()?;
        let by = self.by.unwrap_or_else(user);
        let settlement = Settlement { id: call.id, is_done: self.done, records: self.record, by, why: self.why };
        let words = if settlement.is_done { "done" } else { "not done" };
        settlement::settle(&config, settlement).await?;
        if self.json {
            let state = if self.done { CallState::Done } else { CallState::Failed };
            writeln!(out, "{}", json!({"id": call.id, "route": call.route, "model": call.model, "state": state}))?;
            return Ok(ExitCode::SUCCESS);
        }
        writeln!(out, "{} {} {}: settled as {words}", call.id, call.route, call.model)?;
        Ok(ExitCode::SUCCESS)
    }
}
