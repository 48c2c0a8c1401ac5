//! What came to a hook: deliveries of the log, and requests that were captured.
//!
//! A captured request is kept as it came; what the log would hide in it is hidden before anything of it is shown.

use jiff::Timestamp;
use serde_json::Value;

use super::super::visit::Visit;
use crate::{
    config::Hook,
    hook::captured,
    log::{CallState, Event, Filter},
    operations::calls::{Query, line_of},
    web::Problem,
};

/// Deliveries that are listed, of those that the log has.
const LISTED: usize = 15;
/// Calls of the log that are looked at for them: a delivery has attempts.
const LOOKED_AT: usize = 60;
/// Captured requests that are listed.
const CAPTURED: usize = 5;
/// What begins the id of a captured request.
const PREFIX: &str = "captured-";

/// A delivery that was received.
pub(super) struct Delivery {
    /// That of the call, or of the captured request.
    pub(super) id: String,
    pub(super) ts: Timestamp,
    pub(super) what: What,
}

pub(super) enum What {
    Call(CallState),
    /// Captured; why its sender had not proven who it is.
    Captured(Option<String>),
}

impl Delivery {
    pub(super) fn class(&self) -> &'static str {
        match &self.what {
            What::Call(CallState::Done) => "ok",
            What::Call(CallState::Failed) => "bad",
            What::Call(CallState::InDoubt) => "doubt",
            What::Call(CallState::Running | CallState::Queued) => "wait",
            What::Call(CallState::Ignored | CallState::DryRun) | What::Captured(None) => "quiet",
            What::Captured(Some(_)) => "bad",
        }
    }

    pub(super) fn words(&self) -> String {
        match &self.what {
            What::Call(CallState::Queued) => "accepted".to_owned(),
            What::Call(state) => state.as_str().to_owned(),
            What::Captured(None) => "captured".to_owned(),
            What::Captured(Some(why)) => format!("captured, not verified: {why}"),
        }
    }

    pub(super) fn is_call(&self) -> bool {
        matches!(self.what, What::Call(_))
    }
}

/// The last deliveries of a hook, the latest first.
pub(super) async fn received(visit: &Visit<'_>, hook: &Hook) -> Result<Vec<Delivery>, Problem> {
    let filter = Filter { hook: Some(hook.name().to_owned()), ..Filter::default() };
    let page = visit.calls()?.page(Query { filter, limit: Some(LOOKED_AT), cursor: None }).await;
    let calls = page.map_err(unreadable)?.calls.into_iter().filter(|call| call.attempt_of.is_none());
    let calls =
        calls.take(LISTED).map(|call| Delivery { id: call.id.to_string(), ts: call.ts, what: What::Call(call.state) });
    let captured = records(visit, hook).await?.into_iter().rev().take(CAPTURED).filter_map(|record| {
        let why = record["why"].as_str().unwrap_or("its sender is not known").to_owned();
        let why = (record["verified"] != true).then_some(why);
        Some(Delivery { id: id_of(&record)?, ts: ts_of(&record)?, what: What::Captured(why) })
    });
    let mut all: Vec<Delivery> = calls.chain(captured).collect();
    all.sort_by_key(|delivery| std::cmp::Reverse(delivery.ts));
    Ok(all)
}

/// What was sent with the delivery of this id, without what the log hides; none where it was not kept.
pub(super) async fn sent(visit: &Visit<'_>, hook: &Hook, id: &str) -> Result<Option<Value>, Problem> {
    if id.starts_with(PREFIX) {
        let found = records(visit, hook).await?.into_iter().find(|record| id_of(record).as_deref() == Some(id));
        return Ok(found.map(|mut record| {
            let mut sent = record["sent"].take();
            visit.site.calls.log.hide_sent(&mut sent);
            sent
        }));
    }
    let calls = visit.calls()?;
    let Ok(call) = calls.one(id).await else { return Ok(None) };
    if call.hook != hook.name() {
        return Ok(None);
    }
    let lines = calls.lines(&call).await.map_err(unreadable)?;
    Ok(line_of(&lines, Event::CallReceived).map(|line| line["sent"].clone()).filter(Value::is_object))
}

async fn records(visit: &Visit<'_>, hook: &Hook) -> Result<Vec<Value>, Problem> {
    let (site, name) = (visit.site.clone(), hook.name().to_owned());
    let read = tokio::task::spawn_blocking(move || captured(&site.calls.config, &name)).await;
    // What was captured is a help alone: without it there are the deliveries of the log.
    Ok(read.ok().and_then(Result::ok).unwrap_or_default())
}

fn ts_of(record: &Value) -> Option<Timestamp> {
    record["ts"].as_str()?.parse().ok()
}

fn id_of(record: &Value) -> Option<String> {
    Some(format!("{PREFIX}{}", record["ts"].as_str()?))
}

fn unreadable(error: crate::log::Error) -> Problem {
    Problem::new(http::StatusCode::SERVICE_UNAVAILABLE, "The log cannot be read", error.to_string())
}
