//! `odoo-gateway replay`: recorded calls, sent again.
//!
//! The rules are in [`crate::operations::replay`]; here are the options, the editor and what is printed.

mod edit;

use std::{io::Write, path::PathBuf, process::ExitCode, sync::Arc};

use anyhow::{Context, anyhow, bail};
use serde_json::Value;
use similar::TextDiff;

use super::{
    Configured,
    log::{Which, calls, show::shown},
    terminal, user,
};
use crate::{
    config::Config,
    log::{Call, CallState, Operator},
    operations::{
        calls::Calls,
        replay::{Actor, Answer, Draft, Executor, NotReplayable, NotSelected, Options, Replay, Selection},
    },
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

/// Why a call is not sent.
#[derive(Debug, thiserror::Error)]
enum NotSent {
    #[error("{reason}{}", hint(.reason))]
    NotReplayable {
        #[from]
        reason: NotReplayable,
    },
    #[error("{0:#}")]
    Edit(anyhow::Error),
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
    let log = calls(&args.configured)?;
    let selection = args.selection();
    let chosen = selection.calls(&log).await.map_err(not_selected)?;
    if chosen.is_empty() {
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
    let mut replays = Vec::new();
    for call in &chosen {
        let replay = replay(&log, call, &config, &options, args.edit.as_ref()).await;
        let is_meant = !matches!(&replay, Err(NotSent::NotReplayable { reason }) if !selection.means(reason));
        if is_meant {
            replays.push((call, replay));
        }
    }
    let executor = Executor::open(Arc::unwrap_or_clone(config)).await?;
    let code = repeat(&executor, replays, args.dry_run).await;
    executor.close().await;
    Ok(code)
}

impl Args {
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
        NotSelected::Log(error) => error.into(),
    }
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

/// The request that repeats a call, after the person has edited it where they want to.
async fn replay(
    log: &Calls,
    call: &Call,
    config: &Arc<Config>,
    options: &Options,
    edited: Option<&Option<PathBuf>>,
) -> Result<Replay, NotSent> {
    let mut draft = Draft::of(log, call, config, options).await?;
    if let Some(file) = edited {
        edit::edit(file.as_deref(), &mut draft).map_err(NotSent::Edit)?;
    }
    Ok(draft.ready(config, options, Operator::on_command_line(user()))?)
}

/// Sends one call after the other, since their order may matter, and prints each outcome. Nothing depends on the reader.
async fn repeat(executor: &Executor, calls: Vec<(&Call, Result<Replay, NotSent>)>, is_dry_run: bool) -> ExitCode {
    let mut out = std::io::stdout();
    let mut say = |words: String| drop(writeln!(out, "{words}"));
    let (all, mut done) = (calls.len(), 0);
    let mut answers: Vec<(&Call, Value, Answer)> = Vec::new();
    for (number, (call, replay)) in (1..).zip(calls) {
        let what = terminal::plain(&format!("{} {} {}", call.id, call.route, call.model)).into_owned();
        let what = format!("[{number}/{all}] {what}");
        let replay = match replay {
            Ok(replay) => replay,
            Err(reason) => {
                say(format!("{what}: not sent: {}", terminal::plain(&reason.to_string())));
                continue;
            }
        };
        let before = replay.answered.clone();
        let answer = match executor.make(replay).await {
            Ok(answer) => answer,
            Err(error) => {
                let error = format!("{:#}", anyhow::Error::from(error));
                let error = terminal::plain(&error);
                say(format!(
                    "{what}: no answer ({error}); whether it was done, `odoo-gateway log ls` tells. Nothing more is sent"
                ));
                break;
            }
        };
        done += usize::from(answer.is_done());
        let how = if answer.is_done() {
            "done".to_owned()
        } else {
            terminal::plain(&answer.failure().to_string()).into_owned()
        };
        say(format!("{what}: {how}, as {}", answer.id));
        answers.push((call, before, answer));
    }
    for (call, before, answer) in &answers {
        say(match is_dry_run && answer.is_done() {
            true => format!("\n{} would be\n{}", call.id, terminal::pretty(answer.result())),
            false => format!("\n{}", difference(call, before, answer.answered())),
        });
    }
    say(format!("\n{done} of {all} {}", if is_dry_run { "could be planned" } else { "done" }));
    if done == all { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The old answer beside the new one.
fn difference(call: &Call, before: &Value, now: &Value) -> String {
    let [before, now] = [before, now].map(|answer| terminal::pretty(answer) + "\n");
    if before == now {
        return format!("{}: the answer is the same", call.id);
    }
    let diff = TextDiff::from_lines(&before, &now);
    diff.unified_diff().context_radius(3).header(&format!("{} before", call.id), "now").to_string()
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
