//! The members of the lines of calls; docs/log-format.md has all of them.
//!
//! Every value that a caller or Odoo sent passes [`super::content`] before it reaches a line.

use std::{
    borrow::Cow,
    collections::{BTreeSet, HashSet},
    fmt,
    net::IpAddr,
    time::Duration,
};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::{log::format::event::State, route::Route};

/// What is known of a call when it arrives. Its route is written by name.
#[derive(Debug, Clone, Serialize)]
pub struct Arrived {
    pub id: Uuid,
    pub route: Route,
    /// The hook that it came by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hook: Option<String>,
    pub address: IpAddr,
    /// The size of the body in bytes.
    pub size: usize,
    /// The call that this one repeats.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replay_of: Option<Uuid>,
    /// It is planned only.
    #[serde(skip_serializing_if = "is_not")]
    pub dry_run: bool,
    /// The operator that has it made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The accepted call that this one is an attempt of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt_of: Option<Uuid>,
    /// The number of the attempt, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// Of a delivery that makes several calls: the place of this one, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<u32>,
}

/// What is asked and by whom, of a call that is about to be processed. Its payload is not redacted yet.
#[derive(Clone)]
pub struct Received<'c> {
    pub model: &'c str,
    /// Lent where the call goes on with them: they are copied only where the line must not hold them as they are.
    pub vals: Cow<'c, Map<String, Value>>,
    /// What the sender of a hook sent and the template turned into `vals`. These are empty where the template failed or has
    /// not been run.
    pub sent: Option<Value>,
    pub who: Who,
}

impl fmt::Debug for Received<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Received").field("model", &self.model).field("who", &self.who).finish_non_exhaustive()
    }
}

/// Who called, without any secret.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Who {
    /// The name of the caller's `[[client]]` entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller: Option<Caller>,
}

/// The Odoo user that a call runs as.
#[derive(Debug, Clone, Serialize)]
pub struct Caller {
    pub credential: &'static str,
    /// The protocol by which the credential reaches Odoo.
    pub door: &'static str,
    pub uid: i64,
    pub login: String,
}

/// The outcome of a call. Its answer and its sentences are not redacted yet.
#[derive(Clone)]
pub struct Finished {
    pub state: State,
    /// The answer to the caller, without its envelope.
    pub result: Value,
    /// The stable error code of a call that failed.
    pub error: Option<&'static str>,
    /// The sentence in the answer.
    pub message: String,
    /// How many warnings the answer has.
    pub warnings: usize,
    /// A detail for operators only.
    pub detail: Option<String>,
    pub odoo: Vec<OdooCall>,
}

impl fmt::Debug for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { state, error, odoo, .. } = self;
        let mut shown = f.debug_struct("Finished");
        shown.field("state", state).field("error", error).field("odoo", odoo).finish_non_exhaustive()
    }
}

/// An RPC that was made for a call. Its arguments are not redacted yet.
#[derive(Clone)]
pub struct OdooCall {
    /// Model, method and arguments; long texts are truncated.
    pub rpc: Value,
    /// When it began, in milliseconds since the call did.
    pub at: f64,
    pub ms: f64,
    /// The ids of the records that it wrote.
    pub records: Vec<i64>,
    pub failure: Option<Failure>,
}

impl fmt::Debug for OdooCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rpc, ms, records, failure, .. } = self;
        let mut shown = f.debug_struct("OdooCall");
        shown.field("model", &rpc["model"]).field("method", &rpc["method"]).field("ms", ms);
        shown.field("records", records).field("failure", failure).finish_non_exhaustive()
    }
}

/// How an RPC failed. Its sentences are not redacted yet.
#[derive(Clone)]
pub struct Failure {
    pub error: &'static str,
    pub message: String,
    /// Empty where there is none.
    pub traceback: String,
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failure").field("error", &self.error).finish_non_exhaustive()
    }
}

impl OdooCall {
    /// The RPC as one object, as a line holds it.
    pub(in crate::log) fn into_value(self) -> Value {
        let Self { mut rpc, at, ms, records, failure } = self;
        rpc["at"] = at.into();
        rpc["ms"] = ms.into();
        if !records.is_empty() {
            rpc["records"] = records.into();
        }
        if let Some(Failure { error, message, traceback }) = failure {
            rpc["error"] = error.into();
            rpc["message"] = message.into();
            if !traceback.is_empty() {
                rpc["traceback"] = traceback.into();
            }
        }
        rpc
    }
}

/// A request that is passed on to Odoo or refused before that. The query is left out, since it may contain secrets.
#[derive(Debug, Clone, Serialize)]
pub struct Passed {
    pub id: Uuid,
    pub method: String,
    pub path: String,
    pub address: IpAddr,
    pub size: usize,
}

/// `call.received`: durable before anything of the call reaches Odoo.
#[derive(Serialize)]
pub(in crate::log) struct ReceivedLine<'r> {
    pub ts: Timestamp,
    #[serde(flatten)]
    pub arrived: &'r Arrived,
    pub model: &'r str,
    #[serde(flatten)]
    pub who: &'r Who,
    /// The paths of redacted values: the call cannot be replayed with them as they were.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub redacted: &'r BTreeSet<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vals: Option<Vals<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent: Option<Value>,
}

/// What is asked, as a line holds it.
#[derive(Serialize)]
#[serde(untagged)]
pub(in crate::log) enum Vals<'r> {
    /// Redacted, with markers in the place of what is large.
    Own(Value),
    /// The call's own, in which there is nothing of that.
    Lent(&'r Map<String, Value>),
}

/// `call.planned`: the Odoo calls that are about to be made.
#[derive(Serialize)]
pub(in crate::log) struct PlannedLine<'r> {
    pub ts: Timestamp,
    pub id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller: Option<&'r Caller>,
    pub plan: Value,
}

/// `call.progress`: how far a list of records is. It has what readers select calls by.
#[derive(Serialize)]
pub(in crate::log) struct ProgressLine<'r> {
    pub ts: Timestamp,
    #[serde(flatten)]
    pub arrived: &'r Arrived,
    pub model: &'r str,
    #[serde(flatten)]
    pub who: &'r Who,
    pub message: String,
    pub written: usize,
    #[serde(skip_serializing_if = "is_none")]
    pub failed: usize,
    pub of: usize,
}

/// `call.finished`, and `call.refused` of a call that was never received.
#[derive(Serialize)]
pub(in crate::log) struct FinishedLine<'r> {
    pub ts: Timestamp,
    #[serde(flatten)]
    pub arrived: &'r Arrived,
    /// The number of the line `call.received`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub received: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<&'r str>,
    #[serde(flatten)]
    pub who: &'r Who,
    pub state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<Value>,
    #[serde(skip_serializing_if = "is_none")]
    pub warnings: usize,
    /// What its sender calls the delivery, the same in all of its attempts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery_id: Option<&'r str>,
    /// The first call with the same key, whose outcome was answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeat_of: Option<Uuid>,
    pub duration_ms: f64,
    /// The records that were written, by model.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub records: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub odoo: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<Value>,
}

fn is_not(it_is: &bool) -> bool {
    !it_is
}

fn is_none(count: &usize) -> bool {
    *count == 0
}

/// `request.received`, of a request that is about to be passed on.
#[derive(Serialize)]
pub(in crate::log) struct PassedLine<'r> {
    pub ts: Timestamp,
    #[serde(flatten)]
    pub passed: &'r Passed,
}

/// `request.finished`, and `request.refused` of one that was not passed on.
#[derive(Serialize)]
pub(in crate::log) struct PassedEndLine<'r> {
    pub ts: Timestamp,
    #[serde(flatten)]
    pub passed: &'r Passed,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub received: Option<u64>,
    pub state: State,
    pub status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<&'static str>,
    /// The size of the answer's body in bytes, as far as it was sent.
    pub answer_size: u64,
    pub duration_ms: f64,
}

/// The records that all RPCs wrote, by model.
pub fn written_records(odoo: &[OdooCall]) -> Map<String, Value> {
    let mut all = Map::new();
    let mut known = HashSet::new();
    for call in odoo.iter().filter(|call| !call.records.is_empty()) {
        let Some(model) = call.rpc["model"].as_str() else { continue };
        if let Value::Array(records) = all.entry(model).or_insert_with(|| Value::Array(Vec::new())) {
            records.extend(call.records.iter().filter(|id| known.insert((model, **id))).map(|id| Value::from(*id)));
        }
    }
    all
}

/// Milliseconds with a precision of a microsecond, as lines hold durations.
pub fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_redacted_yet_is_not_in_debug_output() {
        let failure = Failure { error: "access_error", message: "s3cret".to_owned(), traceback: "s3cret".to_owned() };
        let rpc = json!({"model": "res.users", "method": "write", "args": [{"password": "s3cret"}]});
        let odoo = vec![OdooCall { rpc, at: 0.5, ms: 1.0, records: vec![7], failure: Some(failure) }];
        let (result, message) = (json!({"message": "s3cret"}), "s3cret".to_owned());
        let detail = Some("s3cret".to_owned());
        let finished =
            Finished { state: State::Failed, result, error: Some("access_error"), message, warnings: 0, detail, odoo };
        let vals = json!({"payload": {"password": "s3cret"}}).as_object().cloned().unwrap();
        let received = Received {
            model: "res.users",
            vals: Cow::Owned(vals),
            sent: Some(json!({"token": "s3cret"})),
            who: Who::default(),
        };
        let shown = format!("{finished:?} {received:?}");
        assert!(shown.contains("res.users") && shown.contains("access_error"), "{shown}");
        assert!(!shown.contains("s3cret"), "{shown}");
    }
}
