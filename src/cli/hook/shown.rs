//! What came of a delivery, for a person and for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{
    curl::Signed,
    log::show::{plan, sent::folded},
    sample::Sample,
    terminal::{
        self,
        style::{BAD, DIM, GOOD, STRONG, WARN, styled},
    },
    tried::Tried,
};
use crate::{
    config,
    hook::Reply,
    operations::tried::{self, End, Refusal, TriedCall},
};

/// As one JSON object.
pub(super) fn json(entry: &config::Hook, sample: &Sample, tried: &Tried, signed: Option<&Signed>) -> Value {
    let mut shown = json!({
        "hook": entry.name(),
        "of_call": sample.origin.call().map(|call| call.id),
        "hidden": sample.has_hidden,
        "delivery_id": null,
        "key": null,
    });
    match tried {
        Tried::Handshake(answer) => shown["handshake"] = reply(answer),
        Tried::Delivery(answer, tried) => add_delivery(&mut shown, answer.as_ref(), tried),
    }
    if let Some(signed) = signed {
        let headers = signed
            .headers
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), Value::from(String::from_utf8_lossy(value.as_bytes()))));
        shown["signed"] = json!({"headers": headers.collect::<serde_json::Map<_, _>>(), "curl": signed.curl});
    }
    shown
}

fn add_delivery(shown: &mut Value, answer: Option<&Result<Reply, Refusal>>, tried: &tried::Tried) {
    match &tried.delivery_id {
        Some(Ok(id)) => shown["delivery_id"] = json!(id),
        Some(Err(refusal)) => shown["delivery_id_refused"] = refused(refusal),
        None => {}
    }
    match &tried.key {
        Some(Ok(key)) => shown["key"] = key.clone(),
        Some(Err(refusal)) => shown["key_refused"] = refused(refusal),
        None => {}
    }
    match &tried.version {
        Some(Ok(version)) => shown["version"] = version.clone(),
        Some(Err(refusal)) => shown["version_refused"] = refused(refusal),
        None => {}
    }
    if let Some(fetched) = &tried.fetched {
        shown["fetched"] = fetched.clone();
    }
    match answer {
        Some(Ok(answer)) => shown["answer"] = reply(answer),
        Some(Err(refusal)) => shown["answer_refused"] = refused(refusal),
        None => {}
    }
    match &tried.end {
        End::Ignored(why) => shown["ignored"] = json!(why),
        End::Refused(refusal) => shown["refused"] = refused(refusal),
        End::Calls(calls) => shown["calls"] = calls.iter().map(call).collect(),
    }
}

fn call(TriedCall { made, planned, noted }: &TriedCall) -> Value {
    let mut shown = json!({"route": made.route.name(), "model": made.model, "vals": made.vals});
    match planned {
        Some(Ok(planned)) => {
            shown["plan"] = planned.plan.clone();
            shown["warnings"] = json!(planned.warnings);
        }
        Some(Err(refusal)) => {
            shown["refused"] = refused(refusal);
            shown["warnings"] = json!(noted);
        }
        None => {}
    }
    shown
}

fn reply(Reply { status, headers, body }: &Reply) -> Value {
    let headers = headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), Value::from(String::from_utf8_lossy(value.as_bytes()))));
    let headers: serde_json::Map<_, _> = headers.collect();
    json!({"status": status.as_u16(), "headers": headers, "body": String::from_utf8_lossy(body)})
}

/// Status and headers, and the body.
fn reply_words(Reply { status, headers, body }: &Reply) -> String {
    let headers = headers.iter().map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())));
    let parts =
        [status.as_u16().to_string()].into_iter().chain(headers).chain([String::from_utf8_lossy(body).into_owned()]);
    parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}

fn refused(Refusal { code, path, message, errors }: &Refusal) -> Value {
    let mut told = json!({"code": code, "path": path, "message": message});
    if !errors.is_empty() {
        told["errors"] = json!(errors);
    }
    told
}

/// For a person.
pub(super) fn text(
    entry: &config::Hook,
    sample: &Sample,
    tried: &Tried,
    signed: Option<&Signed>,
    is_full: bool,
) -> String {
    let mut text = verdict(tried) + "\n\n";
    let mut fact = |name: &str, words: &str| add_fact(&mut text, name, words);
    fact("hook", &format!("{}, as the client {}", entry.path.written(), entry.client));
    fact("sent", &sample.origin.words());
    if sample.has_hidden {
        fact("hidden", "values of what was sent are hidden in the log and read *** here");
    }
    match tried {
        Tried::Handshake(answer) => fact("handshake", &reply_words(answer)),
        Tried::Delivery(answer, tried) => text += &delivery_text(answer.as_ref(), tried, is_full),
    }
    if let Some(signed) = signed {
        text += &head("signed");
        for (name, value) in &signed.headers {
            let _ = writeln!(text, "  {name}: {}", terminal::plain(&String::from_utf8_lossy(value.as_bytes())));
        }
        let _ = writeln!(text, "\n{}", terminal::plain_lines(&signed.curl));
    }
    text
}

/// What it comes to, in a line.
fn verdict(tried: &Tried) -> String {
    let refused = styled(BAD, "✗ it would be refused");
    let Tried::Delivery(_, delivery) = tried else {
        return format!("{}: it is no delivery", styled(GOOD, "✓ a handshake, which is answered"));
    };
    match &delivery.end {
        End::Refused(_) => format!("{refused}; nothing was written"),
        End::Calls(_) if tried.is_refused() => format!("{refused}; nothing was written"),
        End::Ignored(_) => format!("{}; nothing would be written", styled(DIM, "- there is nothing to do")),
        End::Calls(calls) => {
            let warnings: usize = calls.iter().map(warnings_of).sum();
            let noted = match warnings {
                0 => String::new(),
                1 => styled(WARN, ", with 1 warning"),
                several => styled(WARN, &format!(", with {several} warnings")),
            };
            let calls = if calls.len() == 1 { "1 call".to_owned() } else { format!("{} calls", calls.len()) };
            format!("{}{noted}: {calls}; nothing was written", styled(GOOD, "✓ it would be done"))
        }
    }
}

fn warnings_of(call: &TriedCall) -> usize {
    call.planned
        .as_ref()
        .map_or(0, |planned| planned.as_ref().map_or(call.noted.len(), |planned| planned.warnings.len()))
}

fn head(name: &str) -> String {
    format!("\n{}\n", styled(STRONG, name))
}

/// What came of a delivery.
fn delivery_text(answer: Option<&Result<Reply, Refusal>>, tried: &tried::Tried, is_full: bool) -> String {
    let mut text = String::new();
    let mut fact = |name: &str, words: &str| add_fact(&mut text, name, words);
    match &tried.delivery_id {
        Some(Ok(id)) => fact("delivery", id),
        Some(Err(refusal)) => fact("delivery", &reason(refusal)),
        None => {}
    }
    match &tried.key {
        Some(Ok(key)) => fact("ordered by", &key.to_string()),
        Some(Err(refusal)) => fact("ordered by", &reason(refusal)),
        None => {}
    }
    match &tried.version {
        Some(Ok(version)) => fact("version", &version.to_string()),
        Some(Err(refusal)) => fact("version", &reason(refusal)),
        None => {}
    }
    match answer {
        Some(Ok(answer)) => fact("answer", &reply_words(answer)),
        Some(Err(refusal)) => fact("answer", &reason(refusal)),
        None => {}
    }
    match &tried.end {
        End::Ignored(why) => fact("ignored", why),
        End::Refused(refusal) => fact("refused", &reason(refusal)),
        End::Calls(calls) => {
            for (number, call) in (1..).zip(calls) {
                text += &call_text(number, calls.len(), call, is_full);
            }
        }
    }
    if let Some(fetched) = &tried.fetched {
        let _ = writeln!(text, "{}{}", head("fetched"), shortened(&terminal::pretty(fetched), is_full));
    }
    text
}

/// A line with a name and words, where there are words.
fn add_fact(text: &mut String, name: &str, words: &str) {
    if !words.is_empty() {
        let _ = writeln!(text, "{}{}", styled(DIM, &format!("{name:<12}")), terminal::plain(words));
    }
}

/// A program gets all of a long text.
fn shortened(text: &str, is_full: bool) -> String {
    if is_full { text.to_owned() } else { folded(text, "--json") }
}

fn call_text(number: usize, of: usize, TriedCall { made, planned, noted }: &TriedCall, is_full: bool) -> String {
    let place = if of > 1 { format!("call {number} of {of}") } else { "call".to_owned() };
    let mut text = head(&format!("{place}: {} {}", made.route.name(), terminal::plain(&made.model)));
    let _ = writeln!(text, "{}", shortened(&terminal::pretty(&Value::Object(made.vals.clone())), is_full));
    match planned {
        None => {}
        Some(Ok(planned)) => {
            text += &head("plan");
            let lines = if is_full { plan::lookups(&planned.plan) } else { plan::in_words(&planned.plan) };
            for line in lines {
                let _ = writeln!(text, "  {line}");
            }
            for (number, rpc) in (1..).zip(planned.plan["calls"].as_array().into_iter().flatten()).filter(|_| is_full) {
                let _ = writeln!(text, "  {number}. {}", plan::rpc_words(rpc));
            }
            for refused in planned.plan["refused"].as_array().into_iter().flatten() {
                let told =
                    format!("record {}: {}: {}", refused["record"], word(&refused["code"]), word(&refused["message"]));
                let _ = writeln!(text, "  {}  {}", styled(BAD, "refused"), terminal::plain(&told));
            }
            text += &warnings(&planned.warnings);
        }
        Some(Err(refusal)) => {
            let _ = writeln!(text, "\n{}     {}", styled(BAD, "refused"), terminal::plain(&reason(refusal)));
            text += &mistakes(&refusal.errors);
            text += &warnings(noted);
        }
    }
    text
}

fn warnings(warnings: &[Value]) -> String {
    let line = |warning: &Value| {
        let place = warning["path"].as_str().filter(|path| !path.is_empty()).map(|path| format!(" at {path}"));
        let told = format!("{}{}: {}", word(&warning["code"]), place.unwrap_or_default(), word(&warning["message"]));
        format!("{}   {}\n", styled(WARN, "! warning"), terminal::plain(&told))
    };
    warnings.iter().map(line).collect()
}

/// All mistakes of a payload, with what to do about each.
fn mistakes(errors: &[Value]) -> String {
    let mut text = String::new();
    for mistake in errors {
        let told = format!("{} at {}: {}", word(&mistake["code"]), word(&mistake["path"]), word(&mistake["message"]));
        let _ = writeln!(text, "  - {}", terminal::plain(&told));
        let _ = writeln!(text, "    {}", terminal::plain(&word(&mistake["hint"])));
    }
    text
}

fn reason(Refusal { code, path, message, .. }: &Refusal) -> String {
    let code = code.map(|code| format!("{code}: ")).unwrap_or_default();
    let place = path.as_ref().map(|path| format!(" (at {path})")).unwrap_or_default();
    format!("{code}{message}{place}")
}

fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
