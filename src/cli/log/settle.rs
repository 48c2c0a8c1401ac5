//! `log settle`: a call in doubt is closed by an operator who has looked in Odoo.
//!
//! The gateway that runs writes the line, since one process writes the log; where none does, this one opens the log for it.

use std::{env, fs, process::ExitCode, time::Duration};

use anyhow::{Context, bail};
use clap::{Args, builder::NonEmptyStringValueParser};
use serde_json::Value;

use super::{Configured, archive, one::the_one};
use crate::{
    config::Config,
    control::{Control, bearer},
    log::{self, Log, Settlement},
};

/// The log is read from its end to the call, and a line is written.
const PATIENCE: Duration = Duration::from_secs(120);

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
}

pub(super) fn run(args: Settle) -> anyhow::Result<ExitCode> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(settle(args))
}

async fn settle(args: Settle) -> anyhow::Result<ExitCode> {
    let call = the_one(&archive(&args.configured)?, &args.id)?;
    let config = Config::load(&args.configured.config)?;
    let by = args.by.unwrap_or_else(user);
    let settlement = Settlement { id: call.id, is_done: args.done, records: args.record, by, why: args.why };
    let words = if settlement.is_done { "done" } else { "not done" };
    if log::is_in_use(&config.log.directory) {
        by_gateway(&config, &settlement).await?;
    } else {
        let log = Log::open(&config.log)?;
        let settled = log.settle(settlement).await;
        log.close().await;
        settled.with_context(|| format!("{} is not settled", call.id))?;
    }
    println!("{} {} {}: settled as {words}", call.id, call.route, call.model);
    Ok(ExitCode::SUCCESS)
}

async fn by_gateway(config: &Config, settlement: &Settlement) -> anyhow::Result<()> {
    let control = Control::read(&config.log.directory)
        .context("a gateway writes this log, but does not say where it is to be reached")?;
    let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build()?;
    let request = http.post(format!("{}/settle", control.url)).header("authorization", bearer(&control.token));
    let response = request.json(settlement).send().await.context("the gateway does not answer")?;
    if response.status().is_success() {
        return Ok(());
    }
    let body: Value = response.json().await.context("the gateway's answer is not JSON")?;
    bail!(
        "{} is not settled: {}",
        settlement.id,
        body["error"]["message"].as_str().unwrap_or("the gateway gives no reason")
    )
}

/// The user of this system, before `sudo` where that was used.
fn user() -> String {
    let id = rustix::process::getuid().as_raw();
    let known = || {
        // name:password:uid:…
        let users = fs::read_to_string("/etc/passwd").ok()?;
        let mut users = users.lines().map(|line| line.split(':'));
        users
            .find_map(|mut user| Some((user.next()?, user.nth(1)?)).filter(|(_, uid)| *uid == id.to_string()))
            .map(|(name, _)| name.to_owned())
    };
    env::var("SUDO_USER").ok().or_else(known).unwrap_or_else(|| format!("user {id}"))
}
