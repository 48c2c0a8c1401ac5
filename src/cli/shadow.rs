//! `odoo-gateway shadow`: recorded calls, made by the addon and by the gateway, and what differs.
//!
//! The rules are in [`crate::operations::shadow`]; here are the options and what is printed.

use std::{
    fmt::Write as _,
    fs::File,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use anyhow::{Context, bail};
use bytesize::ByteSize;
use jiff::{Timestamp, ToSpan};
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};

use super::{
    Configured,
    log::{Which, calls, show::shown},
    replay::pace::Rate,
    terminal::{
        self,
        style::{BAD, DIM, GOOD, STRONG, out, styled},
    },
    user,
};
use crate::{
    config::Config,
    log::Operator,
    operations::{
        calls::Query,
        replay::{Actor, Executor},
        shadow::{Addon, Group, Methods, Recorded, Report, Shadow, Who, call_of_line, taken},
    },
};

/// The calls of the log that are taken where nothing says which.
const DAYS: i64 = 7;
/// Lines of a file are no longer.
const LONGEST_LINE: ByteSize = ByteSize::mib(64);

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Reads (search_data, and call_function of methods that only read) are sent to both. The addon has no dry run: writes are\n\
                  never sent to it, the gateway plans them. The addon may log each read in its api.log, as it does for every caller.\n\n\
                  Exit status: 0 where nothing differs, or only what docs/differences.md has; 1 where more does, or a side cannot be asked.\n\n\
                  Examples:\n  odoo-gateway shadow --addon https://odoo.example.com --login shop --secret-env SHOP_PASSWORD --since 7d\n  \
                  odoo-gateway shadow --addon https://odoo.example.com --login shop --secret-file shop.key --calls api-log.jsonl --json"
)]
pub(super) struct Args {
    /// The ids of the calls in the log, or parts of them that no others have
    ids: Vec<String>,
    #[command(flatten)]
    configured: Configured,
    /// Where the addon is: the address of an Odoo that has it
    #[arg(long, value_name = "URL")]
    addon: Url,
    /// The database of that Odoo, if not the one of [upstream]
    #[arg(long, value_name = "NAME")]
    database: Option<String>,
    /// Take the calls from a file, one JSON object a line: records of the addon's api.log, or {"route", "model", "vals"}
    #[arg(long, value_name = "FILE", conflicts_with = "ids")]
    calls: Option<PathBuf>,
    /// A further method of call_function that only reads, and may be called in both; may stand several times
    #[arg(long, value_name = "NAME")]
    method: Vec<String>,
    /// At most so many calls, the latest
    #[arg(long, default_value_t = 1_000)]
    limit: usize,
    /// No faster than this: 5/s, 30/min or 200/h
    #[arg(long, default_value = "10/s")]
    rate: Rate,
    /// One JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    credential: Credential,
}

/// An Odoo user, for both sides.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "As whom, on both sides")]
struct Credential {
    /// An Odoo user, whose password (or API key, from 18.0.2 of the addon on) is in a variable or file
    #[arg(long)]
    login: Option<String>,
    /// The environment variable with a password or API key
    #[arg(long, value_name = "VARIABLE", required_unless_present = "secret_file", conflicts_with = "secret_file")]
    secret_env: Option<String>,
    /// The file with a password or API key
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// In the gateway as this [[client]] instead, with its policy
    #[arg(long, value_name = "NAME")]
    as_client: Option<String>,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let config = Arc::new(args.configured.load()?);
    let mut report = Report::default();
    let calls = match &args.calls {
        Some(file) => of_file(file, args.limit, &mut report)?,
        None => of_log(&args, &config, &mut report).await?,
    };
    if calls.is_empty() && report.left_out.is_empty() {
        eprintln!("there are no calls of this kind");
        return Ok(ExitCode::SUCCESS);
    }
    let secret = args.credential.secret()?;
    let who = args.credential.who(&config, &secret)?;
    let database = args.database.clone().unwrap_or_else(|| config.upstream.database.clone());
    let login = args.credential.login.as_deref();
    let (url, patience) = (args.addon.clone(), config.limits.call_timeout);
    let addon = Addon::open(url, &config.upstream, database, login, &secret, patience).await?;
    let gateway = Executor::open(Arc::unwrap_or_clone(config)).await?;
    let shadow = Shadow { addon, gateway, who, methods: Methods::and(args.method.clone()) };
    let stopped = shadow.run(calls, args.rate.ticks(), &mut report).await;
    shadow.gateway.close().await;
    let mut out = out();
    if args.json {
        writeln!(out, "{}", report.to_json())?;
    } else {
        write!(out, "{}", text(&report))?;
    }
    out.flush()?;
    stopped.context("not all calls were asked")?;
    Ok(if report.has_unexpected() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The calls of a file, the latest of them if they are too many.
fn of_file(path: &Path, limit: usize, report: &mut Report) -> anyhow::Result<Vec<Recorded>> {
    let unreadable = || format!("cannot read `{}`", path.display());
    let mut lines = BufReader::new(File::open(path).with_context(unreadable)?);
    let mut calls = std::collections::VecDeque::new();
    for number in 1.. {
        let mut line = String::new();
        let read =
            std::io::Read::take(&mut lines, LONGEST_LINE.as_u64()).read_line(&mut line).with_context(unreadable)?;
        if read == 0 {
            break;
        }
        if !line.ends_with('\n') && line.len() as u64 == LONGEST_LINE.as_u64() {
            bail!("line {number} of `{}` is longer than {LONGEST_LINE}", path.display());
        }
        if line.trim().is_empty() {
            continue;
        }
        match call_of_line(number, &line) {
            Ok(call) => calls.push_back(call),
            Err(error) => report.leave_out(error.to_string()),
        }
        if calls.len() > limit {
            calls.pop_front();
        }
    }
    Ok(calls.into())
}

/// The calls of the log, the earliest first.
async fn of_log(args: &Args, config: &Arc<Config>, report: &mut Report) -> anyhow::Result<Vec<Recorded>> {
    let log = calls(&args.configured)?;
    let found = if args.ids.is_empty() {
        let mut filter = args.which.filter();
        filter.since = filter.since.or_else(|| Timestamp::now().checked_sub((DAYS * 24).hours()).ok());
        let query = Query { filter, limit: Some(args.limit), ..Query::default() };
        let mut page = log.page(query).await?.calls;
        page.reverse();
        page
    } else {
        let mut named = Vec::new();
        for id in &args.ids {
            named.push(log.one(id).await.map_err(shown)?);
        }
        named
    };
    let mut calls = Vec::new();
    for call in found {
        match taken(&log, &call, config).await {
            Ok(call) => calls.push(call),
            Err(reason) => report.leave_out(reason.to_string()),
        }
    }
    Ok(calls)
}

impl Credential {
    fn secret(&self) -> anyhow::Result<SecretString> {
        let secret = match (&self.secret_env, &self.secret_file) {
            (Some(variable), _) => {
                std::env::var(variable).with_context(|| format!("the environment variable `{variable}`"))?
            }
            (None, Some(file)) => {
                std::fs::read_to_string(file).with_context(|| format!("cannot read `{}`", file.display()))?
            }
            (None, None) => bail!("give --secret-env or --secret-file"),
        };
        Ok(secret.trim_end_matches(['\r', '\n']).to_owned().into())
    }

    fn who(&self, config: &Config, secret: &SecretString) -> anyhow::Result<Who> {
        let operator = Operator::on_command_line(user());
        if let Some(client) = &self.as_client {
            if !config.clients.iter().any(|known| known.name == *client) {
                bail!("the configuration has no [[client]] `{client}`");
            }
            return Ok(Who { operator, client: Some(client.clone()), headers: Vec::new() });
        }
        let actor = match &self.login {
            Some(login) => Actor::login(login, secret.expose_secret()),
            None => Actor::key(secret.expose_secret()),
        };
        let Actor::Own(headers) = actor else { bail!("there is no credential") };
        Ok(Who { operator, client: None, headers })
    }
}

/// The report for a person.
fn text(report: &Report) -> String {
    let mut text = String::new();
    let differ = report.compared - report.same;
    let style = if report.has_unexpected() { BAD } else { GOOD };
    let alike = format!("{} answered alike, {differ} not", report.same);
    let _ = writeln!(text, "{} reads sent to both: {}", report.compared, styled(style, &alike));
    let writes = &report.writes;
    if report.writes_not_compared() > 0 {
        let _ = writeln!(
            text,
            "{} writes not compared, since the addon has no dry run and got none of them. By the gateway {} would be done, {} would be refused",
            report.writes_not_compared(),
            writes.would_be_done,
            writes.would_be_refused
        );
        let calls: Vec<String> = writes.calls.iter().map(|(method, count)| format!("{count} {method}")).collect();
        let _ = writeln!(text, "  would be done: {} lookups, {}", writes.lookups, listed(&calls));
    }
    if report.repeated > 0 {
        let _ = writeln!(text, "{} calls ask for the same as another one, and were not asked again", report.repeated);
    }
    for (reason, count) in &report.left_out {
        let _ = writeln!(text, "{count} calls left out: {}", terminal::plain(reason));
    }
    for group in report.groups() {
        text.push('\n');
        text.push_str(&group_text(group));
    }
    text
}

fn listed(calls: &[String]) -> String {
    if calls.is_empty() { "no calls".to_owned() } else { calls.join(", ") }
}

fn group_text(group: &Group) -> String {
    let mark = if group.is_unexpected() { styled(BAD, "✗") } else { styled(DIM, "·") };
    let what = terminal::plain(group.what());
    let model = terminal::plain(group.model());
    let head = format!("{mark} {}× {} {}: {what}\n", group.count, group.route().name(), styled(STRONG, &model));
    let why = group.row().map(|row| format!("    expected, docs/differences.md: {row}\n"));
    let side = |name: &str, shown: &str| match shown {
        "" => String::new(),
        shown => format!("    {name:<8} {}\n", terminal::plain(shown)),
    };
    let example = format!("    example  {}\n", terminal::plain(&group.example));
    let sides = side("addon", &group.addon) + &side("gateway", &group.gateway);
    head + &why.unwrap_or_default() + &example + &sides
}
