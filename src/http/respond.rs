//! From a verdict to an HTTP response. The only place that knows status codes.
//!
//! What Odoo or the plan decided is 200, as the addon's callers expect. A caller must see by the status alone that a call
//! never came to a decision and may be worth another try.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Body, Response};
use crate::{
    api::{BodyError, Error, Reply},
    execute::Atomicity,
    odoo::{Error as OdooError, Retry, Why},
};

const CALL_ID: HeaderName = HeaderName::from_static("gateway-call-id");
const ATOMICITY: HeaderName = HeaderName::from_static("gateway-atomicity");
const RETRY_AFTER_SECONDS: u16 = 5;

/// Answers a call.
pub fn reply(reply: Reply) -> Response {
    let status = reply.verdict.as_ref().err().map_or(StatusCode::OK, status);
    let is_safe = reply.verdict.as_ref().is_err_and(|error| error.retry() == Retry::Safe);
    let mut response = json_response(status, &reply.body());
    let headers = response.headers_mut();
    name_in_log(headers, reply.call_id);
    if let Some(atomicity) = reply.verdict.as_ref().ok().and_then(|done| done.atomicity) {
        headers.insert(
            ATOMICITY,
            HeaderValue::from_static(match atomicity {
                Atomicity::SingleCall => "single-call",
                Atomicity::Compensated => "compensated",
            }),
        );
    }
    // Only where coming back does no harm; a sender that reads nothing but the head does as it says.
    if status == StatusCode::SERVICE_UNAVAILABLE && is_safe {
        headers.insert(header::RETRY_AFTER, RETRY_AFTER_SECONDS.into());
    }
    if let Some(cookie) = reply.cookie {
        headers.append(header::SET_COOKIE, cookie);
    }
    response
}

/// Says under which id the log has this.
pub fn name_in_log(headers: &mut HeaderMap, id: Uuid) {
    if let Ok(id) = HeaderValue::try_from(id.to_string()) {
        headers.insert(CALL_ID, id);
    }
}

fn status(error: &Error) -> StatusCode {
    match error {
        Error::NotJson(_) | Error::NotAnObject(_) | Error::Body(BodyError::Broken) => StatusCode::BAD_REQUEST,
        Error::Body(BodyError::TooLarge(_)) => StatusCode::PAYLOAD_TOO_LARGE,
        Error::Body(BodyError::TimedOut(_)) => StatusCode::REQUEST_TIMEOUT,
        Error::ContentType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Error::Log(_) => StatusCode::SERVICE_UNAVAILABLE,
        Error::ClientAccount { .. } => StatusCode::BAD_GATEWAY,
        Error::StillRunning(_) => StatusCode::GATEWAY_TIMEOUT,
        Error::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        error => error.odoo().map_or(StatusCode::OK, odoo_status),
    }
}

fn odoo_status(error: &OdooError) -> StatusCode {
    match error {
        OdooError::Unreachable { .. }
        | OdooError::NoSuchDatabase(_)
        | OdooError::Redirected { .. }
        | OdooError::TurnedAway { .. }
        | OdooError::AnswerTooLarge { .. }
        | OdooError::NoSuchDoor { .. } => StatusCode::BAD_GATEWAY,
        OdooError::OutOfTime | OdooError::NoAnswer { why: Why::TimedOut(_), .. } => StatusCode::GATEWAY_TIMEOUT,
        OdooError::NoAnswer { .. } => StatusCode::BAD_GATEWAY,
        OdooError::Overloaded { .. } | OdooError::Busy(_) | OdooError::Down { .. } | OdooError::LoginsHeld { .. } => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        _ => StatusCode::OK,
    }
}

pub fn not_found() -> Response {
    plain(
        StatusCode::NOT_FOUND,
        "not_found",
        "the gateway serves POST /api/create_data, create_update_data, update_data, search_data and call_function, and passes /web/session/ on to Odoo",
    )
}

pub fn only_post() -> Response {
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this route takes POST only");
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
    response
}

pub fn bad_path() -> Response {
    plain(StatusCode::BAD_REQUEST, "invalid_path", "a path under /web/session/ is made of plain words")
}

fn plain(status: StatusCode, code: &str, message: &str) -> Response {
    json_response(status, &json!({"error": {"code": code, "message": message}}))
}

/// A JSON body with its length.
pub fn json_response(status: StatusCode, body: &Value) -> Response {
    let mut response = http::Response::new(full(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}
