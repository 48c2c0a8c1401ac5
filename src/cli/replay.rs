//! `odoo-gateway replay`: recorded calls, sent again.
//!
//! Where the gateway runs, it makes the calls; where it does not, this process does, with the same code and into the same
//! log. A new call is linked to the one that it repeats. What succeeded, or may have, is repeated by force only.

mod again;
mod edit;
mod way;

use std::{io::Write, path::PathBuf, process::ExitCode};

use anyhow::{Context, bail};
use serde_json::Value;
use similar::TextDiff;

use self::{
    again::{Again, NotAgain},
    way::Way,
};
use super::{
    Configured,
    log::{Which, archive, one::the_one},
    show,
};
use crate::{
    config::Config,
    log::{Archive, Call, CallState},
};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  odoo-gateway replay 01a20b0d-2e67-7211-8cb7-74e4339e38d3\n  odoo-gateway replay --failed --since 2h --model sale.order --dry-run"
)]
pub(super) struct Args {
    /// The ids of the calls, or parts of them that no others have
    ids: Vec<String>,
    #[command(flatten)]
    configured: Configured,
    /// The calls that failed and were not repeated with success, of those that the options below name
    #[arg(long, conflicts_with = "ids")]
    failed: bool,
    /// Show what would be done, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Also calls that succeeded, or of which it is not known: they may then be there twice
    #[arg(long)]
    force: bool,
    /// Send what this file has instead: a payload, the whole `vals`, or `{"model", "vals"}`; without a file, your editor opens
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    edit: Option<Option<PathBuf>>,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    as_whom: AsWhom,
}

/// Whose Odoo account is used. A call of a [[client]] is made as that client.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "As whom, where not as the client that made the call")]
struct AsWhom {
    /// A [[client]] of the configuration
    #[arg(long, value_name = "NAME", conflicts_with_all = ["login", "secret_env", "secret_file"])]
    as_client: Option<String>,
    /// An Odoo user, whose API key or password is in a variable or file
    #[arg(long)]
    login: Option<String>,
    /// The environment variable with an API key or password
    #[arg(long, value_name = "VARIABLE", conflicts_with = "secret_file")]
    secret_env: Option<String>,
    /// The file with an API key or password
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
}

/// A shorter part of an id may be a slip.
const SHORTEST_ID: usize = 8;

pub(super) async fn run(mut args: Args) -> anyhow::Result<ExitCode> {
    // `replay --edit ID` reads as if the id were the file.
    if args.ids.is_empty()
        && let Some(Some(file)) = &args.edit
        && !file.exists()
    {
        args.ids.push(file.display().to_string());
        args.edit = Some(None);
    }
    let archive = archive(&args.configured)?;
    let calls = chosen(&archive, &args)?;
    if calls.is_empty() {
        eprintln!("no call of the log is like that");
        return Ok(ExitCode::SUCCESS);
    }
    if args.edit.is_some() && calls.len() > 1 {
        bail!("--edit takes one call at a time");
    }
    let config = Config::load(&args.configured.config)?;
    let as_whom = args.as_whom.read()?;
    let mut again = Vec::new();
    for call in &calls {
        again.push(Again::of(&archive, call, &config, &as_whom, &args));
    }
    // Dry runs that failed are found among the failed calls, and nobody means them.
    let is_picked = args.ids.is_empty();
    let mut again = calls.iter().zip(again).collect::<Vec<_>>();
    again.retain(|(_, again)| !(is_picked && matches!(again, Err(NotAgain::DryRun))));
    let way = Way::open(config)?;
    let code = repeat(&way, again, args.dry_run).await;
    way.close().await;
    Ok(code)
}

/// The calls that are meant, the earliest first.
fn chosen(archive: &Archive, args: &Args) -> anyhow::Result<Vec<Call>> {
    if !args.ids.is_empty() {
        let mut calls: Vec<Call> = Vec::new();
        for id in &args.ids {
            if id.len() < SHORTEST_ID {
                bail!(
                    "`{}` is too short: what is sent again must be named by {SHORTEST_ID} characters of its id",
                    show::plain(id)
                );
            }
            let call = the_one(archive, id)?;
            let root = |call: &Call| call.replay_of.unwrap_or(call.id);
            if !calls.iter().any(|known| root(known) == root(&call)) {
                calls.push(call);
            }
        }
        return Ok(calls);
    }
    if !args.failed && !args.which.in_doubt && args.which.state.is_none() {
        bail!("which calls? Give their ids, or --failed, or --in-doubt, with --since and other options");
    }
    let mut filter = args.which.filter();
    if args.failed {
        filter.state = Some(CallState::Failed);
    }
    let mut calls = archive.calls(&filter, None)?;
    // A repetition belongs to the call that it repeats.
    calls.retain(|call| call.replay_of.is_none() && !call.is_repeated());
    calls.reverse();
    Ok(calls)
}

/// Sends one after the other, as their order may matter, and says how each went. Whoever reads that may go away.
async fn repeat(way: &Way, calls: Vec<(&Call, Result<Again, NotAgain>)>, is_dry_run: bool) -> ExitCode {
    let mut out = std::io::stdout();
    let mut say = |words: String| drop(writeln!(out, "{words}"));
    let (all, mut done) = (calls.len(), 0);
    let mut answers = Vec::new();
    for (number, (call, again)) in (1..).zip(calls) {
        let what = show::plain(&format!("{} {} {}", call.id, call.route, call.model)).into_owned();
        let what = format!("[{number}/{all}] {what}");
        let again = match again {
            Ok(again) => again,
            Err(reason) => {
                say(format!("{what}: not sent: {}", show::plain(&reason.to_string())));
                continue;
            }
        };
        let before = again.answered.clone();
        let answer = match way.send(again).await {
            Ok(answer) => answer,
            Err(error) => {
                let error = format!("{error:#}");
                let error = show::plain(&error);
                say(format!(
                    "{what}: no answer ({error}); whether it was done, `odoo-gateway log ls` tells. Nothing more is sent"
                ));
                break;
            }
        };
        let is_done = answer.body["result"]["is_success"] == Value::Bool(true);
        done += usize::from(is_done);
        let how = if is_done { "done".to_owned() } else { show::plain(&answer.words()).into_owned() };
        say(format!("{what}: {how}, as {}", answer.id));
        answers.push((call, before, answer, is_done));
    }
    for (call, before, answer, is_done) in &answers {
        say(match is_dry_run && *is_done {
            true => format!("\n{} would be\n{}", call.id, show::pretty(&answer.body["result"]["result"])),
            false => format!("\n{}", difference(call, before, answer.told())),
        });
    }
    say(format!("\n{done} of {all} {}", if is_dry_run { "could be planned" } else { "done" }));
    if done == all { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The old answer beside the new one.
fn difference(call: &Call, before: &Value, now: &Value) -> String {
    let [before, now] = [before, now].map(|answer| show::pretty(answer) + "\n");
    if before == now {
        return format!("{}: the answer is the same", call.id);
    }
    let diff = TextDiff::from_lines(&before, &now);
    diff.unified_diff().context_radius(3).header(&format!("{} before", call.id), "now").to_string()
}

impl AsWhom {
    /// With the secret instead of the place where it is.
    fn read(&self) -> anyhow::Result<again::Actor> {
        if let Some(client) = &self.as_client {
            return Ok(again::Actor::Client(client.clone()));
        }
        let secret = match (&self.secret_env, &self.secret_file) {
            (Some(variable), _) => {
                Some(std::env::var(variable).with_context(|| format!("the environment variable `{variable}`"))?)
            }
            (None, Some(file)) => {
                Some(std::fs::read_to_string(file).with_context(|| format!("cannot read `{}`", file.display()))?)
            }
            (None, None) => None,
        };
        match (&self.login, secret) {
            (Some(login), Some(secret)) => Ok(again::Actor::login(login, secret.trim_end_matches(['\r', '\n']))),
            (None, Some(secret)) => Ok(again::Actor::key(secret.trim())),
            (Some(_), None) => bail!("--login needs --secret-env or --secret-file"),
            (None, None) => Ok(again::Actor::Recorded),
        }
    }
}
