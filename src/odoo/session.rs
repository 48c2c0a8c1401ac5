//! The session door: `/web/dataset/call_kw` with the caller's own cookie (Odoo 14 and later).
//!
//! The cheapest door, since Odoo checks a session without hashing anything, and not among those that Odoo 22 removes.

use http::{HeaderName, HeaderValue, header};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    error::{Error, Fault, Why},
    rpc::{Effect, Rpc},
    transport::{Response, Transport},
};

/// A result or a refusal, and the cookie that Odoo gave the session anew, if it did (Odoo 19 does so every three hours): the
/// old one is good for two minutes more, whatever became of the call.
pub(super) struct Answer {
    pub(super) result: Result<Value, Error>,
    pub(super) rotated: Option<HeaderValue>,
}

pub(super) async fn call(
    transport: &Transport,
    cookie: &SecretString,
    rpc: &Rpc,
    user: &Map<String, Value>,
) -> Result<Answer, Error> {
    // Odoo ignores what follows call_kw in the path; it is there for the reader of Odoo's own access log.
    let (model, method) = rpc.as_path()?;
    let path = format!("/web/dataset/call_kw/{model}/{method}");
    post(transport, &path, Some(cookie), &rpc.by_position(user), rpc.effect).await
}

/// Who the session belongs to: Odoo's `session_info` object.
pub(super) async fn info(transport: &Transport, cookie: &SecretString) -> Result<Answer, Error> {
    post(transport, "/web/session/get_session_info", Some(cookie), &json!({}), Effect::Read).await
}

/// The server's version, which needs no login: `{"server_version_info": [19, 0, …], …}`.
pub(super) async fn version(transport: &Transport) -> Result<Value, Error> {
    post(transport, "/web/webclient/version_info", None, &json!({}), Effect::Read).await?.result
}

async fn post(
    transport: &Transport,
    path: &str,
    cookie: Option<&SecretString>,
    params: &Value,
    effect: Effect,
) -> Result<Answer, Error> {
    let body = json!({"jsonrpc": "2.0", "method": "call", "params": params});
    let response = transport.post(path, cookie.map(cookie_header).transpose()?, &body, effect).await?;
    let result = open(&response, effect);
    Ok(Answer { result, rotated: response.session_cookie })
}

fn cookie_header(cookie: &SecretString) -> Result<(HeaderName, HeaderValue), Error> {
    let mut value =
        HeaderValue::try_from(format!("session_id={}", cookie.expose_secret())).map_err(|_| Error::SessionExpired)?;
    value.set_sensitive(true);
    Ok((header::COOKIE, value))
}

/// The JSON-RPC envelope. A method that returns None gives neither `result` nor `error` (Odoo 14-19): that is null.
#[derive(Deserialize)]
struct Envelope {
    /// Every answer of Odoo's has it; that of whatever stands before Odoo has not.
    jsonrpc: String,
    #[serde(default)]
    result: Value,
    error: Option<Failure>,
}

#[derive(Deserialize)]
struct Failure {
    code: i64,
    data: Fault,
}

/// Odoo's number for a session that is gone, the one number that has not changed between versions.
const SESSION_EXPIRED: i64 = 100;

fn open(response: &Response, effect: Effect) -> Result<Value, Error> {
    // Odoo 14 and 15 answer an unknown model with HTTP 404 and the usual envelope.
    let envelope: Envelope = serde_json::from_slice(&response.body).map_err(|error| {
        let why = if response.status.is_success() {
            Why::Garbled(error.to_string())
        } else {
            Why::Status(response.status.as_u16())
        };
        Error::NoAnswer { effect, why }
    })?;
    match envelope.error {
        None if envelope.jsonrpc != "2.0" || !response.status.is_success() => {
            Err(Error::NoAnswer { effect, why: Why::Status(response.status.as_u16()) })
        }
        None => Ok(envelope.result),
        Some(failure) if failure.code == SESSION_EXPIRED => Err(Error::SessionExpired),
        Some(failure) => Err(Error::Fault(failure.data)),
    }
}
