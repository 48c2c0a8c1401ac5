//! A call as a person reads it: how it ended, who made it, what was asked, what was done in Odoo, what was answered.

use std::io::{self, Write};

use serde_json::Value;

use super::{
    Detail, attempt, plan,
    sent::{self, folded},
};
use crate::{
    cli::{
        log::list::state,
        terminal::{
            Room, cut,
            mark::{self, WARNING},
            plain, plain_lines, pretty,
            style::{BAD, DIM, STRONG, WARN, styled},
            time::local,
            wrapped,
        },
    },
    log::{self, Call, CallState, Event},
    operations::calls::line_of,
};

/// So many lines of progress are shown, the last ones.
const PROGRESS: usize = 5;
/// So many lines of a traceback are shown, the last ones: they have the exception.
const TRACEBACK: usize = 6;

pub(super) struct Story<'c> {
    pub(super) call: &'c Call,
    pub(super) lines: &'c [Value],
    /// The lines that told how far a list of records was.
    pub(super) progress: &'c [Value],
    pub(super) detail: Detail,
}

impl Story<'_> {
    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        self.write_end(out)?;
        self.write_facts(out)?;
        self.write_mistakes(out)?;
        self.write_warnings(out)?;
        self.write_asked(out)?;
        self.write_plan(out)?;
        self.write_progress(out)?;
        self.write_rpcs(out)?;
        self.section(out, "answer", self.of_end("result"))?;
        if let Some(detail) = self.of_end("detail").as_str() {
            writeln!(out, "\n{}\n{}", styled(STRONG, "detail"), plain_lines(detail))?;
        }
        self.write_repetitions(out)?;
        self.write_tracebacks(out)
    }

    fn of(&self, event: Event, member: &str) -> &Value {
        line_of(self.lines, event).map_or(&Value::Null, |line| &line[member])
    }

    /// The end of a refused call is in the line of that event.
    fn of_end(&self, member: &str) -> &Value {
        match self.of(Event::CallFinished, member) {
            Value::Null => self.of(Event::CallRefused, member),
            found => found,
        }
    }

    /// The state in a line, and the sentence that the caller got.
    fn write_end(&self, out: &mut impl Write) -> io::Result<()> {
        let call = self.call;
        let (sign, style) = mark::of_call(call.state);
        let took = call.duration_ms.map(|ms| format!(" after {ms:.1} ms")).unwrap_or_default();
        let subject = format!("{} {}", call.route, call.model);
        let end = styled(style, &format!("{sign} {}{took}", state(call)));
        writeln!(out, "{end}  {}", styled(STRONG, &plain(subject.trim_end())))?;
        let style = if call.state == CallState::Failed { BAD } else { WARN };
        match (call.error.as_str(), self.message()) {
            ("", "") => {}
            ("", message) => writeln!(out, "{}", plain_lines(message))?,
            (code, message) => {
                let code = plain(code);
                let told = wrapped(&format!("{code}: {}", plain_lines(message)), Room::of_stdout(), 0);
                let sentence = told.strip_prefix(&*code).unwrap_or_default();
                writeln!(out, "{}{sentence}", styled(style, &code))?;
            }
        }
        writeln!(out)
    }

    /// The whole sentence; the index has the beginning of it.
    fn message(&self) -> &str {
        self.of_end("message").as_str().unwrap_or(&self.call.message)
    }

    fn write_facts(&self, out: &mut impl Write) -> io::Result<()> {
        let call = self.call;
        let first = self.lines.first().unwrap_or(&Value::Null);
        let room = Room::of_stdout();
        let mut fact = |name: &str, words: String| match words.is_empty() {
            true => Ok(()),
            false => writeln!(out, "{}{}", styled(DIM, &format!("{name:<12}")), wrapped(&plain(&words), room, 12)),
        };
        fact("call", call.id.to_string())?;
        let size = first["size"].as_u64().map(|size| format!(", {size} bytes")).unwrap_or_default();
        fact("came in", format!("{} from {}{size}", local(call.ts), call.address))?;
        // Where the call was received before its Odoo user was known, the last line has it.
        let caller =
            self.lines.iter().map(|line| &line["caller"]).find(|caller| caller.is_object()).unwrap_or(&Value::Null);
        fact("caller", who(call, caller))?;
        fact("hook", call.hook.clone())?;
        fact("delivery", call.delivery_id.clone())?;
        fact("attempt of", call.attempt_of.map(|id| format!("{id} ({})", attempt(call))).unwrap_or_default())?;
        if let Some(log::Settled { ts, by, why }) = &call.settled {
            let why = if why.is_empty() { String::new() } else { format!(": {why}") };
            fact("settled", format!("{} by {by}{why}", local(*ts)))?;
        }
        let error = &self.of_end("result")["error"];
        let text = |member: &str| error[member].as_str().unwrap_or_default().to_owned();
        fact("at", text("path"))?;
        fact("hint", text("hint"))?;
        let records = call.records.iter().map(|(model, id)| format!("{model} {id}")).collect::<Vec<_>>();
        fact("records", records.join(", "))?;
        fact("outcome of", call.repeat_of.map(|id| format!("{id}, which had the same key")).unwrap_or_default())?;
        fact("sent by", first["by"].as_str().unwrap_or_default().to_owned())?;
        fact("repeats", call.replay_of.map(|id| id.to_string()).unwrap_or_default())
    }

    /// Of a refused payload with several mistakes, all of them.
    fn write_mistakes(&self, out: &mut impl Write) -> io::Result<()> {
        let mistakes = self.of_end("result")["error"]["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        if mistakes.len() < 2 {
            return Ok(());
        }
        writeln!(out, "\n{}", styled(STRONG, &format!("{} mistakes", mistakes.len())))?;
        for mistake in mistakes {
            let (code, told) = at_place(mistake);
            writeln!(out, "  {}", styled(BAD, &code))?;
            writeln!(out, "    {}", wrapped(&told, Room::of_stdout(), 4))?;
            if let Some(hint) = mistake["hint"].as_str() {
                writeln!(out, "    {}", styled(DIM, &wrapped(&plain(hint), Room::of_stdout(), 4)))?;
            }
        }
        Ok(())
    }

    fn write_warnings(&self, out: &mut impl Write) -> io::Result<()> {
        let result = self.of_end("result");
        let places = [&result["warnings"], &result["data"]["warnings"]];
        let warnings: Vec<&Value> = places.into_iter().filter_map(Value::as_array).flatten().collect();
        if !warnings.is_empty() {
            writeln!(out, "\n{}", styled(STRONG, "warnings"))?;
        }
        for warning in warnings {
            let (code, told) = at_place(warning);
            writeln!(out, "  {}", styled(WARN, &format!("{WARNING} {code}")))?;
            writeln!(out, "    {}", wrapped(&told, Room::of_stdout(), 4))?;
        }
        Ok(())
    }

    fn write_asked(&self, out: &mut impl Write) -> io::Result<()> {
        if let sent @ Value::Object(_) = self.of(Event::CallReceived, "sent") {
            let sent = if self.detail.is_full { sent::whole(sent) } else { sent::sent(sent) };
            writeln!(out, "\n{}\n{sent}", styled(STRONG, "sent"))?;
        }
        self.section(out, "payload", self.of(Event::CallReceived, "vals"))?;
        if let Some(hidden) = self.of(Event::CallReceived, "redacted").as_array() {
            let paths: Vec<&str> = hidden.iter().filter_map(Value::as_str).collect();
            writeln!(out, "{}", styled(DIM, &format!("(hidden: {})", plain(&paths.join(", ")))))?;
        }
        Ok(())
    }

    fn write_plan(&self, out: &mut impl Write) -> io::Result<()> {
        let planned = self.of(Event::CallPlanned, "plan");
        if !planned.is_object() {
            return Ok(());
        }
        writeln!(out, "\n{}", styled(STRONG, "plan"))?;
        if !self.detail.is_full {
            return plan::in_words(planned).iter().try_for_each(|line| writeln!(out, "  {line}"));
        }
        for line in plan::lookups(planned) {
            writeln!(out, "  {line}")?;
        }
        for (number, rpc) in (1..).zip(planned["calls"].as_array().into_iter().flatten()) {
            writeln!(out, "  {number}. {}", plan::rpc_words(rpc))?;
        }
        Ok(())
    }

    /// How far a list of records was, the latest last.
    fn write_progress(&self, out: &mut impl Write) -> io::Result<()> {
        if self.progress.is_empty() {
            return Ok(());
        }
        writeln!(out, "\n{}", styled(STRONG, "progress"))?;
        let shown = if self.detail.is_full { self.progress.len() } else { PROGRESS };
        for line in &self.progress[self.progress.len().saturating_sub(shown)..] {
            let ts = line["ts"].as_str().and_then(|ts| ts.parse().ok()).map(local).unwrap_or_default();
            writeln!(out, "  {ts}  {}", plain(line["message"].as_str().unwrap_or_default()))?;
        }
        Ok(())
    }

    fn write_rpcs(&self, out: &mut impl Write) -> io::Result<()> {
        let made = self.of_end("odoo").as_array().map(Vec::as_slice).unwrap_or_default();
        if !made.is_empty() {
            writeln!(out, "\n{}", styled(STRONG, "Odoo calls"))?;
        }
        for (number, rpc) in (1..).zip(made) {
            let words = if self.detail.is_full { plan::rpc_words(rpc) } else { plan::rpc_name(rpc) };
            let ms = format!("{:>8.1} ms", rpc["ms"].as_f64().unwrap_or_default());
            writeln!(out, "  {number}. {}  {words}", styled(DIM, &ms))?;
            if let Some(code) = rpc["error"].as_str() {
                let message = rpc["message"].as_str().unwrap_or_default();
                let code = plain(code);
                let told = wrapped(&format!("{code}: {}", plain(message)), Room::of_stdout(), 5);
                let sentence = told.strip_prefix(&*code).unwrap_or_default();
                writeln!(out, "     {}{sentence}", styled(BAD, &code))?;
            }
        }
        Ok(())
    }

    fn write_repetitions(&self, out: &mut impl Write) -> io::Result<()> {
        let call = self.call;
        if call.repeated_by.is_empty() {
            return Ok(());
        }
        self.write_head(out, "attempts")?;
        let mut attempt = |id, state: CallState| {
            let (sign, style) = mark::of_call(state);
            writeln!(out, "  {id}  {}", styled(style, &format!("{sign} {}", state.as_str())))
        };
        attempt(call.id, call.state)?;
        call.repeated_by.iter().rev().try_for_each(|repetition| attempt(repetition.id, repetition.state))
    }

    /// Last, since they are long and for readers of Odoo's source.
    fn write_tracebacks(&self, out: &mut impl Write) -> io::Result<()> {
        let made = self.of_end("odoo").as_array().map(Vec::as_slice).unwrap_or_default();
        for (number, traceback) in
            (1..).zip(made).filter_map(|(number, rpc)| Some((number, rpc["traceback"].as_str()?)))
        {
            // Marks below a line of source say little where lines are cut.
            let is_mark = |line: &&str| !line.trim().is_empty() && line.trim().chars().all(|sign| "^~".contains(sign));
            let is_whole = self.detail.has_tracebacks;
            let lines: Vec<&str> = traceback.lines().filter(|line| is_whole || !is_mark(line)).collect();
            let room = if is_whole { Room::Unlimited } else { Room::of_stdout() };
            let most = if self.detail.has_tracebacks { lines.len() } else { TRACEBACK };
            self.write_head(out, &format!("traceback of call {number}"))?;
            let left_out = lines.len().saturating_sub(most);
            if left_out > 0 {
                writeln!(
                    out,
                    "{}",
                    styled(DIM, &format!("       … ({left_out} lines before; --traceback shows all)"))
                )?;
            }
            for line in &lines[left_out..] {
                let line = cut(&plain(line), room.beside(7));
                writeln!(out, "{}", styled(DIM, &format!("       {line}")))?;
            }
        }
        Ok(())
    }

    fn write_head(&self, out: &mut impl Write, name: &str) -> io::Result<()> {
        writeln!(out, "\n{}", styled(STRONG, name))
    }

    fn section(&self, out: &mut impl Write, name: &str, value: &Value) -> io::Result<()> {
        if value.is_null() {
            return Ok(());
        }
        self.write_head(out, name)?;
        let text = pretty(value);
        let text = if self.detail.is_full { text } else { folded(&text, "--full") };
        writeln!(out, "{text}")
    }
}

/// Code, and place and sentence, of a mistake or a warning.
fn at_place(told: &Value) -> (String, String) {
    let text = |member: &str| plain(told[member].as_str().unwrap_or_default()).into_owned();
    let place = text("path");
    let place = if place.is_empty() { String::new() } else { format!("at {place}: ") };
    (text("code"), format!("{place}{}", text("message")))
}

fn who(call: &Call, caller: &Value) -> String {
    let client = if call.client.is_empty() { String::new() } else { format!("client {}, ", call.client) };
    match caller["uid"].as_i64() {
        Some(uid) => {
            let [credential, door] = ["credential", "door"].map(|member| caller[member].as_str().unwrap_or_default());
            let login = caller["login"].as_str().unwrap_or_default();
            format!("{client}`{login}` in Odoo (user {uid}), with a {credential}, by {door}")
        }
        None => client.trim_end_matches(", ").to_owned(),
    }
}
