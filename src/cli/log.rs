//! `odoo-gateway log`: the interface log, for people and for programs. The queries are in [`crate::operations::calls`].

mod export;
mod maintain;
mod settle;
pub(super) mod show;
mod stats;
mod tail;

use std::{
    io::{self, BufWriter, Write},
    process::ExitCode,
};

use anyhow::Context;
use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::{Configured, terminal};
use crate::{
    log::{Call, CallState, Cursor, Filter, Page, RecordedRoute},
    operations::{
        calls::{Calls, Query},
        filter,
    },
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List calls, the latest first
    Ls(Ls),
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
    let mut out = BufWriter::new(io::stdout().lock());
    let code = match command {
        Command::Ls(args) => args.run(&mut out).await,
        Command::Show(args) => args.run(&mut out).await,
        Command::Tail(args) => args.run(&mut out).await,
        Command::Stats(args) => args.run(&mut out).await,
        Command::Verify(args) => args.run(&mut out),
        Command::Export(args) => args.run(&mut out).await,
        Command::Repair(args) => args.run(&mut out),
        Command::Settle(args) => args.run(&mut out).await,
    }?;
    out.flush()?;
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
    #[arg(long)]
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
}

impl Which {
    pub(super) fn filter(&self) -> Filter {
        let Self { route, model, state, caller, error, hook, delivery, record, since, until, text, in_doubt } =
            self.clone();
        let hook = hook.as_deref().map(filter::hook);
        Filter { route, model, state, caller, error, hook, delivery, record, since, until, text, in_doubt }
    }
}

#[derive(Debug, Args)]
pub(super) struct Ls {
    #[command(flatten)]
    configured: Configured,
    #[command(flatten)]
    which: Which,
    /// At most so many
    #[arg(short = 'n', long, default_value_t = 50)]
    limit: usize,
    /// All of them
    #[arg(long, conflicts_with = "limit")]
    all: bool,
    /// Go on where an earlier listing with the same conditions ended: the cursor that it named
    #[arg(long, value_name = "CURSOR")]
    after: Option<Cursor>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

impl Ls {
    async fn run(self, out: &mut impl Write) -> anyhow::Result<ExitCode> {
        let limit = (!self.all).then_some(self.limit);
        let query = Query { filter: self.which.filter(), limit, cursor: self.after };
        let Page { calls, next } = calls(&self.configured)?.page(query).await?;
        if self.json {
            for call in &calls {
                writeln!(out, "{}", serde_json::to_string(call)?)?;
            }
        }
        if calls.is_empty() {
            if !self.json {
                eprintln!("no call of the log is like that");
            }
            return Ok(ExitCode::SUCCESS);
        }
        if !self.json {
            write!(out, "{}", list(&calls))?;
        }
        out.flush()?;
        if let Some(next) = next {
            eprintln!("{} calls; --after {next} shows those before them, -n or --all more at once", calls.len());
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// A table with a line for each call.
pub(super) fn list(calls: &[Call]) -> String {
    let mut head = vec!["TIME", "ID", "ROUTE", "MODEL", "STATE", "ERROR", "MS", "CALLER", "RECORDS"];
    let has_hooks = calls.iter().any(|call| !call.hook.is_empty());
    if has_hooks {
        head.extend(["HOOK", "DELIVERY"]);
    }
    terminal::table(&head, &[6], calls.iter().map(|call| row(call, has_hooks)))
}

fn row(call: &Call, has_hooks: bool) -> Vec<String> {
    // A request that was passed on has no model, but a method and a path.
    let subject =
        if call.model.is_empty() && call.route == RecordedRoute::Passed { &call.message } else { &call.model };
    let mut cells = vec![
        terminal::local(call.ts),
        call.id.to_string(),
        call.route.to_string(),
        subject.clone(),
        state(call),
        call.error.clone(),
        call.duration_ms.map(|ms| format!("{ms:.1}")).unwrap_or_default(),
        call.caller().to_owned(),
        records(call),
    ];
    if has_hooks {
        cells.extend([call.hook.clone(), delivery(call)]);
    }
    cells
}

/// What the sender calls the delivery, shortened, and the place of the call in it.
fn delivery(call: &Call) -> String {
    const SHOWN: usize = 36;
    let id = terminal::cut(&call.delivery_id, SHOWN);
    let step = if call.step > 0 { format!("step {}", call.step) } else { String::new() };
    [id, step].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

pub(super) fn state(call: &Call) -> String {
    let warnings = match call.warnings {
        0 => String::new(),
        1 => ", 1 warning".to_owned(),
        several => format!(", {several} warnings"),
    };
    let state = match (&call.settled, call.is_repeated()) {
        (Some(_), _) => format!("{}, settled", call.how()),
        (None, true) => format!("{}, repeated", call.how()),
        (None, false) => call.how().to_owned(),
    };
    state + &warnings
}

/// Ids of the call's own model stand alone.
fn records(call: &Call) -> String {
    const SHOWN: usize = 4;
    let name =
        |(model, id): &(String, i64)| if *model == call.model { id.to_string() } else { format!("{model} {id}") };
    let mut shown: Vec<String> = call.records.iter().take(SHOWN).map(name).collect();
    if call.records.len() > SHOWN {
        shown.push(format!("and {} more", call.records.len() - SHOWN));
    }
    shown.join(", ")
}

pub(super) fn calls(configured: &Configured) -> anyhow::Result<Calls> {
    let config = configured.load()?;
    Calls::open(&config.log.directory).context("there is no log yet, or it cannot be read")
}
