//! `log show`: one call, with the content of all its lines.

pub(in crate::cli) mod sent;

use std::{io::Write, process::ExitCode};

use anyhow::anyhow;
use clap::Args;
use serde_json::{Value, json};

use super::{Configured, calls, records, state, terminal};
use crate::{
    log::{self, Call, CallState, Event},
    operations::calls::{Calls, NotOne, line_of},
};

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The call's id, or a part of it that no other has
    id: String,
    #[command(flatten)]
    configured: Configured,
    /// As one JSON object: the call and its lines
    #[arg(long)]
    json: bool,
}

impl Show {
    pub(super) async fn run(self, out: &mut impl Write) -> anyhow::Result<ExitCode> {
        let log = calls(&self.configured)?;
        let call = the_one(&log, &self.id).await?;
        let lines = log.lines(&call).await?;
        if self.json {
            let mut shown = json!({"call": call, "lines": lines});
            if is_of_delivery(&call) {
                shown["delivery"] = json!(log.delivery(&call).await?);
            }
            writeln!(out, "{shown}")?;
        } else {
            write(out, &call, &lines)?;
            if is_of_delivery(&call) {
                write_delivery(out, &call, &log.delivery(&call).await?)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Whether other calls may be of the same delivery.
fn is_of_delivery(call: &Call) -> bool {
    call.attempt_of.is_some() || call.repeat_of.is_some() || call.state == CallState::Queued || !call.hook.is_empty()
}

/// The calls of a delivery in their order, where there are several.
fn write_delivery(out: &mut impl Write, call: &Call, calls: &[Call]) -> std::io::Result<()> {
    if calls.len() < 2 {
        return Ok(());
    }
    writeln!(out, "\ndelivery")?;
    for part in calls {
        let mark = if part.id == call.id { '>' } else { ' ' };
        let what = match (part.attempt_of, part.repeat_of) {
            (Some(_), _) => attempt(part),
            (None, Some(_)) => "repeated".to_owned(),
            (None, None) => "accepted".to_owned(),
        };
        let told = [what, state(part), format!("{} {}", part.route, part.model), part.error.clone(), records(part)];
        let told =
            told.iter().filter(|word| !word.trim().is_empty()).map(String::as_str).collect::<Vec<_>>().join(", ");
        writeln!(out, "{mark} {}  {}  {}", part.id, terminal::local(part.ts), terminal::plain(&told))?;
    }
    Ok(())
}

fn attempt(call: &Call) -> String {
    let step = if call.step > 0 { format!("step {}, ", call.step) } else { String::new() };
    format!("{step}attempt {}", call.attempt)
}

/// The call that is meant by its id or a part of it.
pub(crate) async fn the_one(log: &Calls, part: &str) -> anyhow::Result<Call> {
    log.one(part).await.map_err(shown)
}

/// The part of an id is shown without what would move the cursor.
pub(crate) fn shown(error: NotOne) -> anyhow::Error {
    match error {
        NotOne::Log(error) => error.into(),
        NotOne::Unknown(_) | NotOne::Several { .. } => anyhow!("{}", terminal::plain(&error.to_string())),
    }
}

fn write(out: &mut impl Write, call: &Call, lines: &[Value]) -> std::io::Result<()> {
    let of = |event: Event, member: &str| line_of(lines, event).map_or(&Value::Null, |line| &line[member]);
    // The end of a refused call is in the line of that event.
    let of_end = |member: &str| match of(Event::CallFinished, member) {
        Value::Null => of(Event::CallRefused, member),
        found => found,
    };
    let first = lines.first().unwrap_or(&Value::Null);
    let mut fact = |name: &str, words: String| match words.is_empty() {
        true => Ok(()),
        false => writeln!(out, "{name:<12}{}", terminal::plain(&words)),
    };
    fact("call", call.id.to_string())?;
    let size = first["size"].as_u64().map(|size| format!(", {size} bytes")).unwrap_or_default();
    fact("came in", format!("{} from {}{size}", terminal::local(call.ts), call.address))?;
    fact("route", format!("{} {}", call.route, call.model).trim_end().to_owned())?;
    // Where the call was received before its Odoo user was known, the last line has it.
    let caller = lines.iter().map(|line| &line["caller"]).find(|caller| caller.is_object()).unwrap_or(&Value::Null);
    fact("caller", who(call, caller))?;
    fact("hook", call.hook.clone())?;
    fact("delivery", call.delivery_id.clone())?;
    fact("attempt of", call.attempt_of.map(|id| format!("{id} ({})", attempt(call))).unwrap_or_default())?;
    let took = call.duration_ms.map(|ms| format!(" after {ms:.1} ms")).unwrap_or_default();
    fact("state", format!("{}{took}", state(call)))?;
    if let Some(log::Settled { ts, by, why }) = &call.settled {
        let why = if why.is_empty() { String::new() } else { format!(": {why}") };
        fact("settled", format!("{} by {by}{why}", terminal::local(*ts)))?;
    }
    fact("error", call.error.clone())?;
    fact("message", call.message.clone())?;
    let records = call.records.iter().map(|(model, id)| format!("{model} {id}")).collect::<Vec<_>>();
    fact("records", records.join(", "))?;
    fact("outcome of", call.repeat_of.map(|id| format!("{id}, which had the same key")).unwrap_or_default())?;
    fact("sent by", first["by"].as_str().unwrap_or_default().to_owned())?;
    fact("repeats", call.replay_of.map(|id| id.to_string()).unwrap_or_default())?;

    if let sent @ Value::Object(_) = of(Event::CallReceived, "sent") {
        writeln!(out, "\nsent\n{}", sent::sent(sent))?;
    }
    section(out, "payload", of(Event::CallReceived, "vals"))?;
    if let Some(hidden) = of(Event::CallReceived, "redacted").as_array() {
        let paths: Vec<&str> = hidden.iter().filter_map(Value::as_str).collect();
        writeln!(out, "(hidden: {})", terminal::plain(&paths.join(", ")))?;
    }
    let planned = of(Event::CallPlanned, "plan");
    if planned.is_object() {
        writeln!(out, "\nplan")?;
        for (number, rpc) in (1..).zip(planned["calls"].as_array().into_iter().flatten()) {
            writeln!(out, "  {number}. {}", rpc_words(rpc))?;
        }
    }
    let made = of_end("odoo").as_array().map(Vec::as_slice).unwrap_or_default();
    if !made.is_empty() {
        writeln!(out, "\nOdoo calls")?;
    }
    for (number, rpc) in (1..).zip(made) {
        writeln!(out, "  {number}. {:>8.1} ms  {}", rpc["ms"].as_f64().unwrap_or_default(), rpc_words(rpc))?;
        if let Some(code) = rpc["error"].as_str() {
            let message = rpc["message"].as_str().unwrap_or_default();
            writeln!(out, "     {}: {}", terminal::plain(code), terminal::plain(message))?;
        }
        for line in rpc["traceback"].as_str().unwrap_or_default().lines() {
            writeln!(out, "       {}", terminal::plain(line))?;
        }
    }
    section(out, "answer", of_end("result"))?;
    if let Some(detail) = of_end("detail").as_str() {
        writeln!(out, "\ndetail\n{}", terminal::plain_lines(detail))?;
    }
    if !call.repeated_by.is_empty() {
        writeln!(out, "\nattempts\n  {}  {}", call.id, call.state.as_str())?;
        for repetition in call.repeated_by.iter().rev() {
            writeln!(out, "  {}  {}", repetition.id, repetition.state.as_str())?;
        }
    }
    Ok(())
}

fn section(out: &mut impl Write, name: &str, value: &Value) -> std::io::Result<()> {
    if value.is_null() {
        return Ok(());
    }
    writeln!(out, "\n{name}\n{}", terminal::pretty(value))
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

/// An RPC as it would be called: `model.method(ids) {arguments}`.
pub(in crate::cli) fn rpc_words(rpc: &Value) -> String {
    let text = |member: &str| rpc[member].as_str().unwrap_or_default();
    let mut words = format!("{}.{}", text("model"), text("method"));
    if rpc["ids"].is_array() {
        words += &format!(" {}", rpc["ids"]);
    }
    for member in ["args", "context", "undo", "note", "records"] {
        match &rpc[member] {
            Value::Null => {}
            Value::String(told) => words += &format!(" ({told})"),
            value if member == "args" => words += &format!(" {value}"),
            value => words += &format!(" {member} {value}"),
        }
    }
    terminal::plain(&words).into_owned()
}
