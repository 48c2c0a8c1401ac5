//! `odoo-gateway log`: the interface log, for people and for programs. The queries are in [`crate::operations::calls`].

mod export;
pub(super) mod list;
mod ls;
mod maintain;
mod settle;
pub(super) mod show;
mod stats;
mod tail;

use std::{io, io::IsTerminal, process::ExitCode};

use anyhow::Context;
use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::{
    Configured,
    terminal::{self, progress::Progress},
};
use crate::{
    config::Config,
    errors::Code,
    log::{Archive, CallState, Filter, RecordedRoute},
    operations::{calls::Calls, filter, near::did_you_mean},
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List calls, the latest first
    Ls(ls::Ls),
    /// Show one call: payload, plan, Odoo calls, answer, attempts
    Show(show::Show),
    /// Show the last calls, and with -f those to come
    Tail(tail::Tail),
    /// Count calls and times by route, model and caller
    Stats(stats::Stats),
    /// Check every line, segment and blob; exit status 1 where something is lost, damaged or edited
    Verify(maintain::Verify),
    /// Close a call that is in doubt, after a look in Odoo
    Settle(settle::Settle),
    /// Write calls to standard output, the earliest first, with all that is kept of them
    Export(export::Export),
    /// Make a damaged log usable again; what is damaged is put aside
    Repair(maintain::Repair),
}

pub(super) async fn run(command: Command) -> anyhow::Result<ExitCode> {
    let mut out = terminal::pager::Out::direct();
    let code = match command {
        Command::Ls(args) => args.run().await,
        Command::Show(args) => args.run().await,
        Command::Tail(args) => args.run().await,
        Command::Stats(args) => args.run().await,
        Command::Verify(args) => args.run(&mut out),
        Command::Export(args) => args.run(&mut out).await,
        Command::Repair(args) => args.run(&mut out),
        Command::Settle(args) => args.run(&mut out).await,
    }?;
    out.finish()?;
    Ok(code)
}

/// Which calls are meant.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Which calls")]
pub(super) struct Which {
    /// One of the routes, or `proxy` for requests that were passed on or are none of the gateway's
    #[arg(long, value_parser = filter::route)]
    pub(super) route: Option<RecordedRoute>,
    /// An Odoo model, such as sale.order
    #[arg(long)]
    model: Option<String>,
    /// done, failed, in-doubt, running, queued, ignored or dry-run
    #[arg(long, value_parser = filter::state)]
    pub(super) state: Option<CallState>,
    /// A part of a client's name or of a login
    #[arg(long)]
    caller: Option<String>,
    /// An error code, such as no_match
    #[arg(long, value_name = "CODE", value_parser = filter::error)]
    error: Option<String>,
    /// The name of the hook that they came by
    #[arg(long, value_name = "NAME")]
    hook: Option<String>,
    /// A delivery, by its sender's id for it or by the id of the call that was accepted: with its attempts and repetitions
    #[arg(long, value_name = "ID")]
    delivery: Option<String>,
    /// The id of a record that was written; best with --model
    #[arg(long, value_name = "ID")]
    record: Option<i64>,
    /// The earliest time: 2h or 3d ago, a date, or a date and time
    #[arg(long, value_name = "TIME", value_parser = filter::earliest)]
    since: Option<Timestamp>,
    /// The latest time, in the same forms
    #[arg(long, value_name = "TIME", value_parser = filter::latest)]
    until: Option<Timestamp>,
    /// A text that stands in the call's lines, letter by letter
    #[arg(long)]
    text: Option<String>,
    /// Not known whether it was done, and neither settled nor repeated with success since
    #[arg(long)]
    pub(super) in_doubt: bool,
    /// Answered with warnings
    #[arg(long)]
    warnings: bool,
}

impl Which {
    pub(super) fn filter(&self) -> Filter {
        let Self { route, model, state, caller, error, hook, delivery, record, since, until, text, in_doubt, warnings } =
            self.clone();
        let hook = hook.as_deref().map(filter::hook);
        // What knocked at a wrong path became no call.
        let is_knock = error.as_deref() == Some(Code::NoHook.as_str());
        let route = route.or_else(|| is_knock.then_some(RecordedRoute::Passed));
        Filter { route, model, state, caller, error, hook, delivery, record, since, until, text, in_doubt, warnings }
    }
}

impl Which {
    /// What an empty listing says. A caller or hook that the configuration does not have may be a slip of the pen.
    fn none_found(&self, config: &Config) -> String {
        let clients = || config.clients.iter().map(|client| &*client.name);
        let hooks = || config.hooks.iter().map(|hook| hook.name());
        let caller = self.caller.as_deref().filter(|part| !clients().any(|name| name.contains(part)));
        let hook = self.hook.as_deref().map(filter::hook).filter(|name| !hooks().any(|known| known == name));
        let meant = [caller.map(|name| did_you_mean(name, clients())), hook.map(|name| did_you_mean(&name, hooks()))];
        format!("no call of the log is like that{}", meant.into_iter().flatten().collect::<String>())
    }
}

pub(super) fn calls(configured: &Configured) -> anyhow::Result<Calls> {
    let config = configured.load()?;
    let log = Calls::open(&config.log.directory).context("there is no log yet, or it cannot be read")?;
    // After an update that needs other indexes, the first query makes them. Nobody else looks on.
    if io::stderr().is_terminal() {
        let progress = Progress::unknown();
        Archive::open(&config.log.directory)?
            .make_indexes(|step| progress.at("indexing the log", step.done, step.all))?;
    }
    Ok(log)
}
