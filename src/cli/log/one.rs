//! `log show`: one call, with everything that its lines say.

use std::{io::Write, process::ExitCode};

use anyhow::bail;
use clap::Args;
use serde_json::{Value, json};

use super::{Configured, archive, show, state};
use crate::log::{self, Archive, Call};

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
    pub(super) fn run(self, out: &mut impl Write) -> anyhow::Result<ExitCode> {
        let archive = archive(&self.configured)?;
        let call = the_one(&archive, &self.id)?;
        let lines = archive.story(&call)?;
        if self.json {
            writeln!(out, "{}", json!({"call": call, "lines": lines}))?;
        } else {
            write(out, &call, &lines)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The call that is meant by its id or a part of it.
pub(crate) fn the_one(archive: &Archive, part: &str) -> anyhow::Result<Call> {
    let mut found = archive.find(part)?;
    if let Some(exact) = found.iter().position(|call| call.id.to_string().eq_ignore_ascii_case(part)) {
        return Ok(found.swap_remove(exact));
    }
    match found.len() {
        0 => bail!("no call of the log has the id `{}`", show::plain(part)),
        1 => Ok(found.swap_remove(0)),
        several => bail!("{several} calls have `{}` in their ids; give more of it", show::plain(part)),
    }
}

fn write(out: &mut impl Write, call: &Call, lines: &[Value]) -> std::io::Result<()> {
    let of = |event: &str, member: &str| {
        let line = lines.iter().find(|line| line["event"].as_str().is_some_and(|known| known.ends_with(event)));
        line.map_or(&Value::Null, |line| &line[member])
    };
    let first = lines.first().unwrap_or(&Value::Null);
    let mut fact = |name: &str, words: String| match words.is_empty() {
        true => Ok(()),
        false => writeln!(out, "{name:<12}{}", show::plain(&words)),
    };
    fact("call", call.id.to_string())?;
    let size = first["size"].as_u64().map(|size| format!(", {size} bytes")).unwrap_or_default();
    fact("came in", format!("{} from {}{size}", show::local(call.ts), call.address))?;
    fact("route", format!("{} {}", call.route, call.model).trim_end().to_owned())?;
    // Of a call that was received before Odoo was asked for the user, the line of the end has it.
    let caller = lines.iter().map(|line| &line["caller"]).find(|caller| caller.is_object()).unwrap_or(&Value::Null);
    fact("caller", who(call, caller))?;
    let took = call.duration_ms.map(|ms| format!(" after {ms:.1} ms")).unwrap_or_default();
    fact("state", format!("{}{took}", state(call)))?;
    if let Some(log::Settled { ts, by, why }) = &call.settled {
        let why = if why.is_empty() { String::new() } else { format!(": {why}") };
        fact("settled", format!("{} by {by}{why}", show::local(*ts)))?;
    }
    fact("error", call.error.clone())?;
    fact("message", call.message.clone())?;
    let records = call.records.iter().map(|(model, id)| format!("{model} {id}")).collect::<Vec<_>>();
    fact("records", records.join(", "))?;
    fact("repeats", call.replay_of.map(|id| id.to_string()).unwrap_or_default())?;

    section(out, "payload", of("received", "vals"))?;
    if let Some(hidden) = of("received", "redacted").as_array() {
        let paths: Vec<&str> = hidden.iter().filter_map(Value::as_str).collect();
        writeln!(out, "(hidden: {})", show::plain(&paths.join(", ")))?;
    }
    let planned = of("planned", "plan");
    if planned.is_object() {
        writeln!(out, "\nplan")?;
        for (number, rpc) in (1..).zip(planned["calls"].as_array().into_iter().flatten()) {
            writeln!(out, "  {number}. {}", rpc_words(rpc))?;
        }
    }
    let made = if of("finished", "odoo").is_array() { of("finished", "odoo") } else { of("refused", "odoo") };
    let made = made.as_array().map(Vec::as_slice).unwrap_or_default();
    if !made.is_empty() {
        writeln!(out, "\nOdoo calls")?;
    }
    for (number, rpc) in (1..).zip(made) {
        writeln!(out, "  {number}. {:>8.1} ms  {}", rpc["ms"].as_f64().unwrap_or_default(), rpc_words(rpc))?;
        if let Some(code) = rpc["error"].as_str() {
            let message = rpc["message"].as_str().unwrap_or_default();
            writeln!(out, "     {}: {}", show::plain(code), show::plain(message))?;
        }
        for line in rpc["traceback"].as_str().unwrap_or_default().lines() {
            writeln!(out, "       {}", show::plain(line))?;
        }
    }
    section(out, "answer", of("finished", "result"))?;
    section(out, "answer", of("refused", "result"))?;
    if let Some(detail) = of("finished", "detail").as_str().or_else(|| of("refused", "detail").as_str()) {
        writeln!(out, "\ndetail\n{}", show::plain_lines(detail))?;
    }
    if !call.repeated_by.is_empty() {
        writeln!(out, "\nattempts\n  {}  {}", call.id, call.state.as_str())?;
        for attempt in call.repeated_by.iter().rev() {
            writeln!(out, "  {}  {}", attempt.id, attempt.state.as_str())?;
        }
    }
    Ok(())
}

fn section(out: &mut impl Write, name: &str, value: &Value) -> std::io::Result<()> {
    if value.is_null() {
        return Ok(());
    }
    writeln!(out, "\n{name}\n{}", show::pretty(value))
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
fn rpc_words(rpc: &Value) -> String {
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
    show::plain(&words).into_owned()
}
