//! What came of calls that were sent again, as it is printed: alike outcomes together, or a line for each.

use std::{collections::BTreeMap, io::Write, process::ExitCode};

use serde_json::{Value, json};
use similar::TextDiff;

use crate::{
    cli::terminal::{
        self,
        style::{BAD, DIM, GOOD, WARN, out, styled},
    },
    log::Call,
    operations::replay::{Alike, Kind, Made, Outcome, Tally},
};

/// A call that has had its turn.
pub(super) struct Turn {
    pub(super) call: Call,
    pub(super) made: Made,
}

/// What is said of calls that had their turn.
pub(super) struct Report {
    is_dry_run: bool,
    /// A line for each.
    each: bool,
    json: bool,
    /// The first of those that came to the same, and how many there are, in the order in which they came.
    alike: BTreeMap<Alike, usize>,
    examples: Vec<(Turn, usize)>,
}

impl Report {
    pub(super) fn new(is_dry_run: bool, each: bool, json: bool) -> Self {
        Self { is_dry_run, each, json, alike: BTreeMap::new(), examples: Vec::new() }
    }

    pub(super) fn add(&mut self, turn: Turn) {
        // The calls go on when nobody reads any more.
        if self.json {
            let mut told = turn.made.outcome.to_json(&turn.call);
            told["dry_run"] = json!(self.is_dry_run);
            drop(writeln!(out(), "{told}"));
            return;
        }
        if self.each {
            drop(writeln!(out(), "{}", self.told(&turn, 1)));
            return;
        }
        let alike = Alike::of(&turn.call, &turn.made.outcome);
        let place = *self.alike.entry(alike).or_insert(self.examples.len());
        match self.examples.get_mut(place) {
            Some((_, count)) => *count += 1,
            None => self.examples.push((turn, 1)),
        }
    }

    /// Says what came of all; whether all were done. `why` the rest was not tried.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(super) fn end(
        self,
        tally: &Tally,
        not_tried: usize,
        beyond: usize,
        why: Option<&str>,
    ) -> anyhow::Result<ExitCode> {
        let (all, done) = (tally.turned() + not_tried, tally.of(Kind::Done));
        let code = if done == all { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        let mut out = out();
        if self.json {
            let counts = Kind::ALL.iter().map(|kind| (kind.name().to_owned(), json!(tally.of(*kind))));
            let mut summary = Value::Object(counts.collect());
            summary["calls"] = json!(all);
            summary["not_tried"] = json!(not_tried);
            summary["beyond_limit"] = json!(beyond);
            summary["dry_run"] = json!(self.is_dry_run);
            summary["stopped"] = json!(why);
            writeln!(out, "{}", json!({"summary": summary}))?;
            return Ok(code);
        }
        for (turn, count) in &self.examples {
            writeln!(out, "{}", self.told(turn, *count))?;
        }
        let style = if done == all { GOOD } else { WARN };
        let verdict = format!("{done} of {all} {}", Kind::Done.words(self.is_dry_run));
        let others = Kind::ALL.into_iter().filter(|kind| *kind != Kind::Done && tally.of(*kind) > 0);
        let mut others: Vec<String> =
            others.map(|kind| format!("{} {}", tally.of(kind), kind.words(self.is_dry_run))).collect();
        if not_tried > 0 {
            others.push(format!("{not_tried} not tried"));
        }
        let others = if others.is_empty() { String::new() } else { format!(": {}", others.join(", ")) };
        writeln!(out, "{}", styled(style, &(verdict + &others)))?;
        if let Some(why) = why {
            writeln!(out, "Stopped: {why}.")?;
        }
        if beyond > 0 {
            writeln!(out, "{}", styled(DIM, &format!("{beyond} more are beyond --limit.")))?;
        }
        Ok(code)
    }

    /// A call, or the first of several that came to the same, with what it was answered.
    fn told(&self, Turn { call, made }: &Turn, count: usize) -> String {
        let kind = made.outcome.kind();
        let style = match kind {
            Kind::Done => GOOD,
            Kind::RefusedAgain | Kind::RefusedDifferently => BAD,
            Kind::InDoubt | Kind::NoAnswer => WARN,
            Kind::Skipped => DIM,
        };
        let what = terminal::plain(&format!("{} {}", call.route, call.model)).into_owned();
        let head = match count {
            1 => format!("{} {what}: {}", call.id, styled(style, kind.words(self.is_dry_run))),
            _ => format!("{count} calls, {what}: {}", styled(style, kind.words(self.is_dry_run))),
        };
        let error = match (&made.outcome, made.outcome.code()) {
            (_, Some(code)) if code == call.error || call.error.is_empty() => format!(", {code}"),
            (_, Some(code)) => format!(", {} before, {code} now", call.error),
            (Outcome::Skipped { .. }, None) => String::new(),
            (_, None) if call.error.is_empty() => String::new(),
            (_, None) => format!(", {} before", call.error),
        };
        let mut told = vec![head + &terminal::plain(&error)];
        let message = terminal::plain(made.outcome.message());
        match kind {
            _ if message.is_empty() => {}
            Kind::Skipped => told[0].push_str(&format!(": {message}")),
            _ => told.push(format!("  {message}")),
        }
        if let Some(new) = made.outcome.call() {
            let such = if count == 1 { String::new() } else { format!("such as {} ", call.id) };
            told.push(styled(DIM, &format!("  {such}as {new}")));
        } else if count > 1 {
            told.push(styled(DIM, &format!("  such as {}", call.id)));
        }
        if let Some(answer) = &made.answer {
            told.push(match self.is_dry_run && answer.is_done() {
                true => terminal::pretty(answer.result()),
                false => difference(call, &made.before, answer.answered()),
            });
        }
        told.join("\n") + "\n"
    }
}

/// The old answer beside the new one.
fn difference(call: &Call, before: &Value, now: &Value) -> String {
    let [before, now] = [before, now].map(|answer| terminal::pretty(answer) + "\n");
    if before == now {
        return styled(DIM, "  the answer is the same");
    }
    let diff = TextDiff::from_lines(&before, &now);
    let diff = diff.unified_diff().context_radius(3).header(&format!("{} before", call.id), "now").to_string();
    let coloured = diff.trim_end().lines().map(|line| match line.chars().next() {
        Some('+') => styled(GOOD, line),
        Some('-') => styled(BAD, line),
        Some('@') => styled(DIM, line),
        _ => line.to_owned(),
    });
    coloured.collect::<Vec<_>>().join("\n")
}
