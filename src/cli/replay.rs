//! `odoo-gateway replay`: recorded calls, sent again.
//!
//! The rules are in [`crate::operations::replay`]; here are the options, the question before calls of a filter are sent, the editor
//! and what is printed.

mod confirm;
mod edit;
pub(super) mod pace;
mod report;
mod sending;

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use anyhow::{Context, anyhow, bail};
use jiff::Timestamp;

use self::{pace::Rate, sending::Sending};
use super::{
    Configured,
    log::{Which, calls, show::shown},
    terminal, user,
};
use crate::{
    log::{CallState, Operator},
    operations::replay::{Actor, Again, Listed, NotReplayable, NotSelected, Options, STOP_AFTER, Selection},
};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  odoo-gateway replay 01a20b0d-2e67-7211-8cb7-74e4339e38d3\n  odoo-gateway replay --failed --since 2h --model sale.order --dry-run\n  odoo-gateway replay --failed --since 2h --model sale.order --yes --rate 5/s\n\nCalls of a filter are shown in groups and confirmed before they are sent; a dry run is not asked about.\nExit status: 0 where all were done (of a dry run: would be), 1 where one was not, 2 for a mistake in the command line."
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
    /// Send the calls of a filter without being asked; without a terminal it is needed
    #[arg(short = 'y', long)]
    yes: bool,
    /// At most so many, the earliest
    #[arg(long, value_name = "NUMBER")]
    limit: Option<usize>,
    /// No faster than this: 5/s, 30/min or 200/h
    #[arg(long)]
    rate: Option<Rate>,
    /// Stop when so many in a row were not done; 0 never stops. Without it: 20, and never in a dry run
    #[arg(long, value_name = "NUMBER")]
    stop_after: Option<usize>,
    /// A line and the whole difference for each call, and not one example of those that came to the same
    #[arg(long)]
    each: bool,
    /// A JSON object a line: one for each call, and a summary
    #[arg(long, conflicts_with = "each")]
    json: bool,
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

pub(super) async fn run(mut args: Args) -> anyhow::Result<ExitCode> {
    // `replay --edit ID` parses as if the id were the file.
    if args.ids.is_empty()
        && let Some(Some(file)) = &args.edit
        && !file.exists()
    {
        args.ids.push(file.display().to_string());
        args.edit = Some(None);
    }
    let at = Timestamp::now();
    let selection = args.selection();
    let chosen = selection.calls(&calls(&args.configured)?).await.map_err(not_selected)?;
    if chosen.is_empty() && !args.json {
        eprintln!("no call of the log is like that");
        return Ok(ExitCode::SUCCESS);
    }
    if args.edit.is_some() && chosen.len() > 1 {
        bail!("--edit takes one call at a time");
    }
    let config = Arc::new(args.configured.load()?);
    let options = Options {
        force: args.force,
        dry_run: args.dry_run,
        is_edited: args.edit.is_some(),
        actor: args.as_whom.read()?,
    };
    let listed = Listed::of(chosen, &config, &options, args.limit);
    // Who names calls by their ids has seen which they are, and a dry run does nothing.
    let is_asked = matches!(selection, Selection::Matching(_)) && !args.dry_run;
    if is_asked && listed.sendable().next().is_some() && !confirm::confirm(&listed, args.yes)? {
        return Ok(ExitCode::FAILURE);
    }
    let operator = Operator::on_command_line(user());
    let again = Again { config: &config, options: &options, operator: &operator, listed: at };
    let mut sending = Sending::new(&args, &again, &selection, listed.sendable().count());
    if listed.sendable().next().is_some() {
        sending.open().await?;
    }
    let beyond = listed.beyond;
    for (call, reason) in listed.calls {
        sending.turn(call, reason).await;
    }
    sending.close(beyond).await
}

impl Args {
    /// After how many calls in a row that were not done the rest is left.
    fn stop_after(&self) -> Option<usize> {
        match self.stop_after {
            Some(0) => None,
            None if self.dry_run => None,
            number => Some(number.unwrap_or(STOP_AFTER)),
        }
    }

    fn selection(&self) -> Selection {
        if !self.ids.is_empty() {
            return Selection::Ids(self.ids.clone());
        }
        let mut filter = self.which.filter();
        if self.failed {
            filter.state = Some(CallState::Failed);
        }
        Selection::Matching(Box::new(filter))
    }
}

fn not_selected(error: NotSelected) -> anyhow::Error {
    match error {
        NotSelected::TooShort(_) => anyhow!("{}", terminal::plain(&error.to_string())),
        NotSelected::NotOne(error) => shown(error),
        NotSelected::Unselective => {
            anyhow!("which calls? Give their ids, or --failed, or --in-doubt, with --since and other options")
        }
        NotSelected::DryRuns => error.into(),
        NotSelected::Log(error) => error.into(),
    }
}

/// Why a call is not sent, and what the command line offers against it.
fn words(reason: &NotReplayable) -> String {
    format!("{reason}{}", hint(reason))
}

/// What the command line offers against a reason.
fn hint(reason: &NotReplayable) -> &'static str {
    match reason {
        NotReplayable::Done | NotReplayable::InDoubt => "; --force repeats it all the same",
        NotReplayable::Repeated => "; --force repeats it once more",
        NotReplayable::Queued => "; `odoo-gateway queue retry` has it tried again",
        NotReplayable::Hidden(_) => "; give its payload with --edit",
        NotReplayable::Gone => "; `odoo-gateway log verify` says more",
        NotReplayable::WhoseCredential | NotReplayable::UnknownClient(_) => {
            "; give --as-client, or --login with --secret-env or --secret-file"
        }
        _ => "",
    }
}

impl AsWhom {
    /// With the secret instead of the place where it is.
    fn read(&self) -> anyhow::Result<Actor> {
        if let Some(client) = &self.as_client {
            return Ok(Actor::Client(client.clone()));
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
            (Some(login), Some(secret)) => Ok(Actor::login(login, secret.trim_end_matches(['\r', '\n']))),
            (None, Some(secret)) => Ok(Actor::key(secret.trim())),
            (Some(_), None) => bail!("--login needs --secret-env or --secret-file"),
            (None, None) => Ok(Actor::Recorded),
        }
    }
}
