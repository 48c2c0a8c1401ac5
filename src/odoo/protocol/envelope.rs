//! The JSON-RPC 2.0 envelope, as `/web/…` and `/jsonrpc` use it (Odoo 14-19).

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::odoo::{
    model::{
        effect::Effect,
        error::{Error, Why},
        fault::Fault,
    },
    transport::Response,
};

/// The answer to a method that returns None has neither `result` nor `error` (Odoo 14-19): that is null.
#[derive(Deserialize)]
struct Envelope<'a> {
    /// Present in every answer of Odoo, unlike those of a proxy in front of it.
    #[serde(borrow)]
    jsonrpc: Cow<'a, str>,
    #[serde(default)]
    result: Value,
    error: Option<Failure>,
}

#[derive(Deserialize)]
struct Failure {
    code: i64,
    data: Fault,
}

/// Odoo's number for an expired session, the only number that has not changed between versions.
const SESSION_EXPIRED: i64 = 100;

#[derive(Serialize)]
pub(in crate::odoo) struct Wrapped<'p, P> {
    jsonrpc: &'static str,
    method: &'static str,
    params: &'p P,
}

pub(in crate::odoo) fn wrap<P: Serialize>(params: &P) -> Wrapped<'_, P> {
    Wrapped { jsonrpc: "2.0", method: "call", params }
}

/// The result in an envelope. Without an envelope, a 404 means that Odoo has no such database (14-19).
///
/// # Errors
/// The envelope contains an error, or the answer is none of Odoo's.
pub(in crate::odoo) fn open(response: &Response, database: &str, effect: Effect) -> Result<Value, Error> {
    // Odoo 14 and 15 answer an unknown model with HTTP 404 and the usual envelope.
    let envelope: Envelope<'_> =
        serde_json::from_slice(&response.body).map_err(|error| match response.status.as_u16() {
            200..=299 => Error::NoAnswer { effect, why: Why::Garbled(error.to_string()) },
            404 => Error::NoSuchDatabase(database.to_owned()),
            status @ 400..=499 => Error::TurnedAway { status, title: String::new() },
            status => Error::NoAnswer { effect, why: Why::Status(status) },
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
