//! From a verdict to an HTTP response. The only place that knows status codes.
//!
//! What Odoo or the plan decided is 200, as the addon's callers expect. A caller must see by the status alone that a call
//! never came to a decision and may be worth another try.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use http_body_util::{BodyExt, Full};
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use super::{destination::Refusal, server::Malformed};
use crate::{
    call::{Error, Refused, Reply},
    execute::Atomicity,
    hook,
    odoo::{Error as OdooError, Retry, Why},
    wire::{Body, BodyError, Response},
};

const CALL_ID: HeaderName = HeaderName::from_static("gateway-call-id");
const ATOMICITY: HeaderName = HeaderName::from_static("gateway-atomicity");
const RETRY_AFTER_SECONDS: u16 = 5;

/// Answers a call.
pub fn reply(reply: Reply) -> Response {
    let status_of = if reply.is_of_hook { hook_status } else { status };
    let status = reply.verdict.as_ref().err().map_or(StatusCode::OK, status_of);
    let is_safe = reply.verdict.as_ref().is_err_and(|error| error.retry() == Retry::Safe);
    let mut response = json_response(status, &reply);
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
    let may_pass =
        matches!(status, StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS);
    if may_pass && is_safe {
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
        Error::NotJson(_) | Error::TooDeep(_) | Error::NotAnObject(_) | Error::Body(BodyError::Broken) => {
            StatusCode::BAD_REQUEST
        }
        Error::TooManyValues { .. }
        | Error::Body(BodyError::TooLarge(_) | BodyError::TooLargeForLogin(_) | BodyError::TooMuch { .. }) => {
            StatusCode::PAYLOAD_TOO_LARGE
        }
        Error::Body(BodyError::TimedOut(_)) => StatusCode::REQUEST_TIMEOUT,
        Error::TooMany { .. } | Error::Body(BodyError::NoRoom) => StatusCode::SERVICE_UNAVAILABLE,
        Error::Limited(_) => StatusCode::TOO_MANY_REQUESTS,
        Error::Body(BodyError::Encoded(_)) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Error::DatabaseService => StatusCode::FORBIDDEN,
        Error::ContentType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Error::Log(_) => StatusCode::SERVICE_UNAVAILABLE,
        Error::ClientAccount { .. } => StatusCode::BAD_GATEWAY,
        Error::StillRunning(_) => StatusCode::GATEWAY_TIMEOUT,
        Error::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        error => error.odoo().map_or(StatusCode::OK, odoo_status),
    }
}

/// For the sender of a hook, who knows nothing of the addon's form and reads the status alone. What need not be sent again is
/// 200: a delivery that has been taken, and one of which there is nothing to do.
fn hook_status(error: &Error) -> StatusCode {
    match status(error) {
        StatusCode::OK => {}
        status => return status,
    }
    match error {
        Error::Signature(Refused::Replayed { is_done: true, .. }) | Error::Hook(hook::Error::NoPayload) => {
            StatusCode::OK
        }
        Error::Signature(Refused::Replayed { is_done: false, .. }) => StatusCode::CONFLICT,
        Error::NoCredentials { .. }
        | Error::UnreadableCredential(_)
        | Error::KeyAsLogin(_)
        | Error::UnknownClient
        | Error::Signature(_)
        | Error::ClientRevoked(_)
        | Error::ClientExpired { .. } => StatusCode::UNAUTHORIZED,
        Error::AddressNotAllowed(_) | Error::Denied(_) => StatusCode::FORBIDDEN,
        error if error.is_denied() => StatusCode::FORBIDDEN,
        error if error.retry() == Retry::Safe => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

fn odoo_status(error: &OdooError) -> StatusCode {
    match error {
        OdooError::Unreachable { .. }
        | OdooError::NoSuchDatabase(_)
        | OdooError::Redirected { .. }
        | OdooError::TurnedAway { .. }
        | OdooError::Unsendable { .. }
        | OdooError::AnswerTooLarge { .. }
        | OdooError::AnswerNeedsTooMuch { .. }
        | OdooError::NoSuchDoor { .. } => StatusCode::BAD_GATEWAY,
        OdooError::OutOfTime | OdooError::NoAnswer { why: Why::TimedOut(_), .. } => StatusCode::GATEWAY_TIMEOUT,
        OdooError::NoAnswer { .. } => StatusCode::BAD_GATEWAY,
        OdooError::Overloaded { .. }
        | OdooError::Busy(_)
        | OdooError::KeyBusy
        | OdooError::Down { .. }
        | OdooError::LoginsHeld { .. } => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::OK,
    }
}

/// Answers what is nothing that the gateway serves.
pub fn refusal(refusal: Refusal) -> Response {
    let (status, message) = match refusal {
        Refusal::NotFound => (
            StatusCode::NOT_FOUND,
            "the gateway serves POST /api/create_data, create_update_data, update_data, search_data and call_function, and passes on what its [proxy] section says; by default that is /web/session/".to_owned(),
        ),
        Refusal::OnlyPost => (StatusCode::METHOD_NOT_ALLOWED, "this route takes POST only".to_owned()),
        Refusal::Method => (StatusCode::METHOD_NOT_ALLOWED, "the gateway takes neither CONNECT nor TRACE".to_owned()),
        Refusal::Path => (
            StatusCode::BAD_REQUEST,
            "the path has `.` or `..` as a segment, a backslash or a control character, encoded or not; or no slash before it".to_owned(),
        ),
        Refusal::UrlTooLong(most) => (
            StatusCode::URI_TOO_LONG,
            format!("path and query are longer than the {most} that [limits] url_length allows"),
        ),
        Refusal::Host => (StatusCode::BAD_REQUEST, "a request has one `Host` header, with a host in it".to_owned()),
        Refusal::Framing => (
            StatusCode::BAD_REQUEST,
            "a body has a `Content-Length` or the `Transfer-Encoding` chunked, one of them and once".to_owned(),
        ),
    };
    let body = json!({"error": {"code": refusal.code(), "message": message}});
    let mut response = json_response(status, &body);
    let headers = response.headers_mut();
    match refusal {
        Refusal::OnlyPost => {
            headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
        }
        // What follows on the connection may be part of what was refused.
        Refusal::Framing | Refusal::Host => {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        _ => {}
    }
    response
}

/// How hyper has answered what it could not read.
pub fn malformed(malformed: Malformed) -> StatusCode {
    match malformed {
        Malformed::NotHttp => StatusCode::BAD_REQUEST,
        Malformed::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        Malformed::UrlTooLong => StatusCode::URI_TOO_LONG,
    }
}

/// A JSON body with its length.
pub fn json_response(status: StatusCode, body: &impl Serialize) -> Response {
    // JSON can be written of whatever was JSON.
    let mut response = http::Response::new(full(serde_json::to_vec(body).unwrap_or_default()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}
