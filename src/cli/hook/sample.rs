//! The delivery that a hook is tried on: a file, or what was sent to a recorded call.

use std::{
    io::Read,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use bytes::Bytes;
use clap::Args;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{
    log::show::{shown, the_one},
    terminal,
};
use crate::{
    config::{self, Config, Limits},
    hook::{self, Hidden, Hooks, RequestLine, Sent, SentBody},
    log::{Call, Event, Filter},
    operations::calls::{Calls, Query, line_of},
};

/// As many of the last deliveries are looked at for one whose content was kept.
const RECENT: usize = 200;
/// What the log has in the place of hidden values.
const HIDDEN: &str = "***";

/// What is tried.
#[derive(Debug, Args)]
#[command(next_help_heading = "What is tried")]
pub(super) struct Given {
    /// A file with a body as the sender sends it; - is standard input
    #[arg(long, value_name = "FILE", group = "sample")]
    pub(super) body: Option<PathBuf>,
    /// What was sent to a recorded call: its id, or a part of it that no other has
    #[arg(long, value_name = "ID", group = "sample")]
    pub(super) call: Option<String>,
    /// The last delivery to this hook that was recorded
    #[arg(long, group = "sample")]
    pub(super) last: bool,
    /// A header that the sender sends, as the template sees it in $headers; may be given several times
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = header)]
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    /// The method of the request, where it is no POST
    #[arg(long)]
    pub(super) method: Option<Method>,
    /// The query of the request, as it stands behind the question mark
    #[arg(long)]
    pub(super) query: Option<String>,
}

/// A delivery.
pub(super) struct Sample {
    pub(super) sent: Sent,
    pub(super) line: RequestLine,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) origin: Origin,
    /// Values of it were hidden in the log, and read `***` now.
    pub(super) has_hidden: bool,
}

/// Where a delivery comes from.
pub(super) enum Origin {
    File,
    Call(Box<Call>),
    /// Captured then; why its sender had not proven who it is.
    Captured {
        ts: Timestamp,
        refused: Option<String>,
    },
}

/// The delivery that is meant.
///
/// # Errors
/// It cannot be read, or is not in the log.
pub(super) async fn taken(config: &Config, entry: &config::Hook, given: &Given) -> anyhow::Result<Sample> {
    if let Some(file) = &given.body {
        return of_body(&config.limits, entry, given, read(file)?);
    }
    if given.call.is_none() && !given.last {
        if given.method.as_ref().is_none_or(|method| *method == Method::POST) {
            bail!("give what is to be tried: --body FILE, --call ID or --last");
        }
        return of_body(&config.limits, entry, given, Bytes::new());
    }
    let log = Calls::open(&config.log.directory).context("there is no log yet, or it cannot be read")?;
    let (origin, sent) = match &given.call {
        Some(part) => recorded(&log, part).await?,
        None => last(config, &log, entry).await?,
    };
    Ok(of_sent(entry, given, origin, &sent))
}

fn of_body(limits: &Limits, entry: &config::Hook, given: &Given, body: Bytes) -> anyhow::Result<Sample> {
    let hooks = Hooks::load(std::slice::from_ref(entry))?;
    let hook = hooks.named(entry.name()).context("the hook is gone")?;
    let headers: HeaderMap = given.headers.iter().cloned().collect();
    let line = line(entry, given.method.clone().unwrap_or(Method::POST), given.query.as_deref());
    let sent = Sent::new(entry.path.written(), &line, &headers, Hidden::default(), hook.read(&headers, &body, limits)?);
    Ok(Sample { sent, line, headers, body, origin: Origin::File, has_hidden: false })
}

fn of_sent(entry: &config::Hook, given: &Given, origin: Origin, json: &Value) -> Sample {
    let mut sent = Sent::of_json(json);
    for (name, value) in &given.headers {
        sent.headers.insert(name.as_str().to_owned(), value.to_str().unwrap_or_default().to_owned());
    }
    let method = given.method.clone().or_else(|| sent.method.parse().ok()).unwrap_or(Method::POST);
    method.as_str().clone_into(&mut sent.method);
    let line = match &given.query {
        Some(query) => {
            let line = line(entry, method, Some(query));
            sent.query = line.query();
            line
        }
        None => line(entry, method, (!sent.query.is_empty()).then(|| encoded(&sent.query)).as_deref()),
    };
    let headers = sent.headers.iter().filter_map(|(name, value)| Some((name.parse().ok()?, value.parse().ok()?)));
    let headers = headers.collect();
    let body = match &sent.body {
        SentBody::Json(json) => json.clone(),
        SentBody::Unreadable { text, .. } => Bytes::from(text.clone()),
    };
    let has_hidden = has_hidden(&json["body"]);
    Sample { sent, line, headers, body, origin, has_hidden }
}

fn line(entry: &config::Hook, method: Method, query: Option<&str>) -> RequestLine {
    let query = query.map(|query| format!("?{}", query.trim_start_matches('?'))).unwrap_or_default();
    RequestLine { method, ..RequestLine::post(&format!("/hooks/{}{query}", entry.name())) }
}

/// A query that reads as this one.
fn encoded(query: &Map<String, Value>) -> String {
    let code = |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let pairs = query.iter().flat_map(|(name, value)| {
        let values = value.as_array().map_or_else(|| vec![value], |values| values.iter().collect());
        values.into_iter().map(|value| format!("{}={}", code(name), code(&text(value)))).collect::<Vec<_>>()
    });
    pairs.collect::<Vec<_>>().join("&")
}

/// A call of the log, and what was sent to it. An attempt has what was sent to the call that was accepted.
async fn recorded(log: &Calls, part: &str) -> anyhow::Result<(Origin, Value)> {
    let mut call = the_one(log, part).await?;
    let mut sent = sent_to(log, &call).await?;
    if let (None, Some(accepted)) = (&sent, call.attempt_of) {
        call = log.one(&accepted.to_string()).await.map_err(shown)?;
        sent = sent_to(log, &call).await?;
    }
    let sent = sent.with_context(|| format!("the log has not kept what was sent to the call {}", call.id))?;
    Ok((Origin::Call(Box::new(call)), sent))
}

/// The last delivery to this hook that the log has with its content, or the last request that was captured, whichever is later.
async fn last(config: &Config, log: &Calls, entry: &config::Hook) -> anyhow::Result<(Origin, Value)> {
    let captured = hook::captured(config, entry.name())?.pop();
    let captured = captured.and_then(|record| Some((record["ts"].as_str()?.parse::<Timestamp>().ok()?, record)));
    let filter = Filter { hook: Some(entry.name().to_owned()), ..Filter::default() };
    let calls = log.page(Query { filter, limit: Some(RECENT), cursor: None }).await?.calls;
    for call in calls.into_iter().filter(|call| call.attempt_of.is_none()) {
        if captured.as_ref().is_some_and(|(ts, _)| *ts > call.ts) {
            break;
        }
        if let Some(sent) = sent_to(log, &call).await? {
            return Ok((Origin::Call(Box::new(call)), sent));
        }
    }
    match captured {
        Some((ts, mut record)) => {
            let why = record["why"].as_str().unwrap_or_default().to_owned();
            let refused = (record["verified"] != true).then_some(why);
            Ok((Origin::Captured { ts, refused }, record["sent"].take()))
        }
        None => bail!("the log has no delivery to `{}`; give --body FILE", entry.path.written()),
    }
}

async fn sent_to(log: &Calls, call: &Call) -> anyhow::Result<Option<Value>> {
    let lines = log.lines(call).await?;
    let sent = line_of(&lines, Event::CallReceived).map(|line| line["sent"].clone());
    Ok(sent.filter(Value::is_object))
}

fn has_hidden(value: &Value) -> bool {
    match value {
        Value::String(text) => text == HIDDEN,
        Value::Array(items) => items.iter().any(has_hidden),
        Value::Object(members) => members.values().any(has_hidden),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

impl Origin {
    pub(super) fn words(&self) -> String {
        match self {
            Self::File => String::new(),
            Self::Call(call) => {
                let Call { id, ts, .. } = &**call;
                format!("the call {id} of {}, {}", terminal::time::local(*ts), call.state.as_str())
            }
            Self::Captured { ts, refused } => {
                let proven = refused.as_ref().map_or("verified".to_owned(), |why| format!("not verified: {why}"));
                format!("captured at {}, {proven}", terminal::time::local(*ts))
            }
        }
    }

    pub(super) fn call(&self) -> Option<&Call> {
        match self {
            Self::File | Self::Captured { .. } => None,
            Self::Call(call) => Some(call),
        }
    }
}

fn read(file: &Path) -> anyhow::Result<Bytes> {
    let mut bytes = Vec::new();
    if file.as_os_str() == "-" {
        std::io::stdin().read_to_end(&mut bytes)?;
    } else {
        bytes = std::fs::read(file).with_context(|| format!("cannot read `{}`", file.display()))?;
    }
    Ok(bytes.into())
}

fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let pair =
        text.split_once(':').and_then(|(name, value)| Some((name.trim().parse().ok()?, value.trim().parse().ok()?)));
    pair.ok_or_else(|| "a header reads NAME: VALUE".to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_query_of_the_log_is_read_as_it_was() {
        let query = json!({"a b": "1&2", "twice": ["x", "ö"]}).as_object().cloned().unwrap();
        let line = RequestLine::post(&format!("/hooks/shop?{}", encoded(&query)));
        assert_eq!(line.query(), query);
    }

    #[test]
    fn hidden_values_are_found_at_any_depth() {
        assert!(has_hidden(&json!({"a": [{"b": "***"}]})));
        assert!(!has_hidden(&json!({"a": ["**", 1, null]})));
    }
}
