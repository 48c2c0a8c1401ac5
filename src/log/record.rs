//! What a line of the log holds.
//!
//! Everything that a caller or Odoo said passes the redaction here, in one place, on its way into a record.

use std::{net::IpAddr, time::Duration};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::redact::{Redaction, Secrets};

/// What is known of a call when it comes in.
#[derive(Debug, Clone)]
pub struct Received {
    pub id: Uuid,
    pub route: &'static str,
    pub address: IpAddr,
    /// The size of the body in bytes.
    pub size: usize,
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Finished {
    /// The name of the caller's `[[client]]` entry.
    pub client: Option<String>,
    pub caller: Option<Caller>,
    pub state: State,
    /// The answer that the caller gets.
    pub result: Value,
    /// The stable code of the error, if it failed.
    pub error: Option<&'static str>,
    /// What is for the operator's eyes only, such as Odoo's traceback.
    pub detail: Option<String>,
    pub odoo: Vec<OdooCall>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Done,
    Failed,
}

/// Who called: never with what secret.
#[derive(Debug, Clone, Serialize)]
pub struct Caller {
    pub credential: &'static str,
    /// The door into Odoo that the credential opens.
    pub door: &'static str,
    pub uid: i64,
    pub login: String,
}

/// One RPC that was made for a call.
#[derive(Debug, Clone, Serialize)]
pub struct OdooCall {
    /// Model, method and arguments, long texts shortened.
    #[serde(flatten)]
    pub rpc: Value,
    pub ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<&'static str>,
}

#[derive(Debug, Serialize)]
pub(super) struct Record {
    id: Uuid,
    time: Timestamp,
    route: &'static str,
    model: Option<String>,
    state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    duration_ms: f64,
    address: IpAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<String>,
    caller: Option<Caller>,
    size: usize,
    payload: Option<Value>,
    result: Value,
    odoo: Vec<OdooCall>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<Value>,
}

impl Record {
    /// `asked` is the model and the call's `vals`, of a caller who is known and whose body could be read.
    pub(super) fn new(
        time: Timestamp,
        duration: Duration,
        received: Received,
        asked: Option<(String, Value)>,
        finished: Finished,
        redaction: &Redaction,
    ) -> Self {
        let (model, mut payload) = asked.unzip();
        let mut secrets = Secrets::default();
        if let Some(payload) = &mut payload {
            redaction.hide(payload, &mut secrets);
        }
        let mut hidden = |mut value: Value| {
            redaction.hide(&mut value, &mut secrets);
            secrets.mask(&mut value);
            value
        };
        let odoo = finished.odoo.into_iter().map(|call| OdooCall { rpc: hidden(call.rpc), ..call }).collect();
        let result = hidden(finished.result);
        let detail = finished.detail.map(|detail| hidden(Value::String(detail)));
        Self {
            id: received.id,
            time,
            route: received.route,
            model,
            state: finished.state,
            error: finished.error,
            duration_ms: milliseconds(duration),
            address: received.address,
            client: finished.client,
            caller: finished.caller,
            size: received.size,
            payload,
            result,
            odoo,
            detail,
        }
    }

    /// One line of JSON, with its line end.
    pub(super) fn to_line(&self) -> Vec<u8> {
        // Serialising cannot fail: every key is a text and every value a plain one.
        let mut line = serde_json::to_vec(self).unwrap_or_default();
        line.push(b'\n');
        line
    }
}

/// Milliseconds to the microsecond, as the log gives times.
pub fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
