//! `odoo-gateway status`: how the gateway that runs is, on one screen of 80 columns.
//!
//! Exit status 0 where one runs, 3 where none does, 1 where that cannot be found out.

use std::{io::Write, process::ExitCode};

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{
    Configured,
    terminal::{
        plain,
        style::{BAD, DIM, GOOD, STRONG, WARN, out, styled},
        time::local,
    },
};
use crate::{
    operations::status::{
        Change, Configuration, Limit, LogState, Need, NoStatus, Odoo, Process, Queue, Recent, Status, facts::in_words,
    },
    web::show,
};

/// No gateway runs.
const NOT_RUNNING: u8 = 3;
/// A line has at most so many columns.
const WIDTH: usize = 80;
/// What a line is about stands in the first columns.
const INDENT: usize = 11;

/// How the gateway is
#[derive(Debug, Args)]
#[command(after_help = "Exit status: 0 where a gateway runs, 3 where none does, 1 where that cannot be found out.")]
pub(super) struct Options {
    #[command(flatten)]
    configured: Configured,
    /// As one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Options) -> anyhow::Result<ExitCode> {
    let config = args.configured.load()?;
    let mut out = out();
    let (status, told) = match Status::ask(&config).await {
        Ok(answer) => answer,
        Err(NoStatus::NotRunning(folder)) => {
            if args.json {
                writeln!(out, "{}", json!({"running": false, "log": {"directory": folder}}))?;
            } else {
                let words = format!("No gateway runs: nothing writes the log in {}.", folder.display());
                writeln!(out, "{} {}", styled(BAD, "✗"), plain(&words))?;
                writeln!(out, "  `odoo-gateway serve` starts one, as a service `systemctl start odoo-gateway`.")?;
            }
            return Ok(ExitCode::from(NOT_RUNNING));
        }
        Err(error) => return Err(error.into()),
    };
    if args.json {
        let mut told = told;
        told["running"] = json!(true);
        writeln!(out, "{told}")?;
    } else {
        write!(out, "{}", page(&status, Timestamp::now()))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn page(status: &Status, now: Timestamp) -> String {
    let mut page = Page::default();
    page.process(&status.process, now);
    page.configuration(&status.configuration);
    page.calls(&status.calls);
    page.odoo(&status.odoo);
    page.queue(&status.queue);
    page.log(&status.log);
    page.needs(&status.needs);
    page.text
}

#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    /// A line, broken where it is too long; what it is about stands before its first part.
    fn line(&mut self, about: &str, words: &str) {
        let words = plain(words);
        let mut about = about.to_owned();
        for line in wrapped(&words, WIDTH - INDENT) {
            let padded = format!("{about:INDENT$}");
            let about_it = if about.is_empty() { padded } else { styled(STRONG, &padded) };
            self.text.push_str(format!("{about_it}{line}").trim_end());
            self.text.push('\n');
            about.clear();
        }
    }

    /// Something that is not as it should be.
    fn complaint(&mut self, is_urgent: bool, title: &str, words: &str) {
        let (style, sign) = if is_urgent { (BAD, "✗") } else { (WARN, "!") };
        for (number, line) in wrapped(&plain(title), WIDTH - INDENT - 2).into_iter().enumerate() {
            let sign = if number == 0 { sign } else { " " };
            self.text += &format!("{:INDENT$}{}\n", "", styled(style, &format!("{sign} {line}")));
        }
        for line in wrapped(&plain(words), WIDTH - INDENT - 2) {
            self.text += &format!("{:INDENT$}  {}\n", "", styled(DIM, &line));
        }
    }

    fn process(&mut self, process: &Process, now: Timestamp) {
        let Process { pid, version, since, url, admin } = process;
        let span = in_words(now.duration_since(*since).max(SignedDuration::ZERO));
        self.line("gateway", &format!("runs for {span}, since {}, version {version}, pid {pid}", local(*since)));
        self.line("", &format!("serves {url}"));
        self.line("", &format!("admin  {admin}"));
    }

    fn configuration(&mut self, Configuration { file, read, has_changed, refused }: &Configuration) {
        self.line("config", &format!("{}, read {}", file.display(), local(*read)));
        if *has_changed || refused.is_some() {
            self.complaint(false, "it has been changed since; the one that was read is in use", "");
        }
    }

    fn calls(&mut self, calls: &Recent) {
        let Recent { last_minute, last_5_minutes, failed, p50_ms, p95_ms, p99_ms, requests, most_requests } = calls;
        let failed = if *failed > 0 { format!(", {failed} of them failed") } else { String::new() };
        self.line("calls", &format!("{last_minute} in the last minute, {last_5_minutes} in the last 5{failed}"));
        if let (Some(p50), Some(p95), Some(p99)) = (p50_ms, p95_ms, p99_ms) {
            self.line("", &format!("took {p50:.0} ms (half of them), {p95:.0} ms (95 %), {p99:.0} ms (99 %) at most"));
        }
        self.line("", &format!("{requests} of {most_requests} requests under way"));
    }

    fn odoo(&mut self, odoo: &Odoo) {
        let Odoo { url, database, version, failure, is_breaker_open, in_flight, most_in_flight, waiting, limit } = odoo;
        let version = version.as_ref().map_or_else(String::new, |version| format!(", {version}"));
        self.line("Odoo", &format!("{url}, database {database}{version}"));
        if let Some(failure) = failure {
            self.complaint(true, "it does not answer", failure);
        }
        if *is_breaker_open {
            self.complaint(true, "the circuit breaker is open", "Calls are refused at once until Odoo answers again.");
        }
        self.line("", &format!("{in_flight} of {most_in_flight} calls in flight, {waiting} wait for their turn"));
        match limit {
            Some(Limit { is_auto: true, changed: Some(Change { at, from, to, why }) }) => {
                self.line("", &format!("found by itself: {from} to {to} at {}: {why}", local(*at)));
            }
            Some(Limit { is_auto: true, changed: None }) => {
                self.line("", "the gateway finds that number by itself; it has not changed yet");
            }
            Some(Limit { is_auto: false, .. }) | None => {}
        }
    }

    fn queue(&mut self, queue: &Queue) {
        let Queue { store, failure, queued, oldest_seconds, blocked_keys, dead, in_doubt, paused } = queue;
        if let Some(failure) = failure {
            self.line("queue", &format!("in {store}"));
            return self.complaint(true, "the store does not answer", failure);
        }
        let oldest =
            oldest_seconds.map(|seconds| SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX)));
        let oldest = oldest.map_or_else(String::new, |oldest| format!(", the oldest for {}", in_words(oldest)));
        let words =
            format!("{queued} wait{oldest}; {blocked_keys} keys blocked, {dead} dead, {in_doubt} in doubt ({store})");
        self.line("queue", &words);
        if !paused.is_empty() {
            self.line("", &format!("paused: {}", paused.join(", ")));
        }
    }

    fn log(&mut self, log: &LogState) {
        let LogState { directory, since, size, most, free, least_free, failure, in_doubt } = log;
        let since = since.map_or_else(String::new, |since| format!(", since {}", local(since)));
        self.line("log", &format!("{}{since}", directory.display()));
        let free = free.map_or_else(String::new, |free| format!(", {} free on the disk", show::bytes(&free)));
        let least = show::bytes(least_free);
        self.line("", &format!("{} of {}{free} ({least} needed)", show::bytes(size), show::bytes(most)));
        if let Some(failure) = failure {
            self.complaint(true, "it takes no lines", failure);
        }
        self.line("", &format!("{in_doubt} calls in doubt"));
    }

    fn needs(&mut self, needs: &[Need]) {
        if needs.is_empty() {
            self.text +=
                &format!("{}{} nothing\n", styled(STRONG, &format!("{:INDENT$}", "needs you")), styled(GOOD, "✓"));
            return;
        }
        let what = if needs.len() == 1 { "one thing needs a person" } else { "these need a person" };
        self.line("needs you", what);
        for need in needs {
            self.complaint(need.is_urgent, &need.title, &need.words);
        }
    }
}

/// Lines of at most so many characters; a word that is longer has a line of its own.
fn wrapped(text: &str, most: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut length = 0;
    for word in text.split_whitespace() {
        let width = word.chars().count();
        match lines.last_mut() {
            Some(line) if length == 0 || length + 1 + width <= most => {
                if length > 0 {
                    line.push(' ');
                    length += 1;
                }
                line.push_str(word);
                length += width;
            }
            _ => {
                lines.push(word.to_owned());
                length = width;
            }
        }
    }
    if text.trim().is_empty() { Vec::new() } else { lines }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_fits_a_terminal_and_says_what_is_wrong() {
        let now: Timestamp = "2026-11-30T12:00:00Z".parse().unwrap();
        let status: Status = serde_json::from_value(json!({
            "process": {"pid": 4242, "version": "0.1.0", "since": "2026-11-30T08:00:00Z", "url": "http://127.0.0.1:8080", "admin": "http://127.0.0.1:9090"},
            "configuration": {"file": "/etc/odoo-gateway/gateway.toml", "read": "2026-11-30T08:00:00Z", "has_changed": true, "refused": "line 3"},
            "calls": {"last_minute": 12, "last_5_minutes": 60, "failed": 2, "p50_ms": 12.0, "p95_ms": 80.4, "p99_ms": 120.0, "requests": 3, "most_requests": 1024},
            "odoo": {"url": "https://odoo.example.com/a/long/path/that/goes/on", "database": "production", "version": null, "failure": "the connection was refused by whatever stands there, and nothing else answers", "is_breaker_open": true, "in_flight": 1, "most_in_flight": 8, "waiting": 2, "limit": {"is_auto": true, "changed": {"at": "2026-11-30T11:59:00Z", "from": 6, "to": 8, "why": "Odoo does more work so"}}},
            "queue": {"store": "SQLite", "failure": null, "queued": 3, "oldest_seconds": 600, "blocked_keys": 1, "dead": 2, "in_doubt": 0, "paused": ["shop"]},
            "log": {"directory": "/var/lib/odoo-gateway/log", "since": "2026-11-01T08:00:00Z", "size": 1_048_576, "most": 10_737_418_240_u64, "free": 4_294_967_296_u64, "least_free": 1_073_741_824, "failure": null, "in_doubt": 1},
            "needs": [{"is_urgent": true, "title": "2 queued calls are dead", "words": "They are not tried again by themselves. Mend the cause, then revive or drop them."}],
            "later": "a member of another version",
        }))
        .unwrap();
        let page = anstream::adapter::strip_str(&page(&status, now)).to_string();
        let longest = page.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(longest <= WIDTH, "{longest}:\n{page}");
        for part in [
            "pid 4242",
            "runs for 4 h",
            "found by itself: 6 to 8 at ",
            "! it has been changed since",
            "✗ it does not answer",
            "✗ 2 queued calls are dead",
            "the oldest for 10 min",
            "paused: shop",
        ] {
            assert!(page.contains(part), "{part}:\n{page}");
        }
    }
}
