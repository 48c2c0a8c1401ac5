//! From an outcome to an HTTP response; admin and proxy use it. `wire::status` makes a status of an error's class.

#[cfg(test)]
mod reference;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body_util::{BodyExt, Full};
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use super::{
    request::destination::{Refusal, near},
    serve::front::Malformed,
};
pub use crate::wire::status::{hook_status, status};
use crate::{
    call::{Accepted, Answered, Error},
    errors::{Code, Retry},
    hook::Reply,
    wire::{
        Body, Response,
        headers::{ATOMICITY, CALL_ID, IDEMPOTENT_REPLAY, PREFERENCE_APPLIED},
    },
};

/// Where Odoo says nothing else.
const RETRY_AFTER_SECONDS: u32 = 5;

/// Most answers are no longer, so that they are written without moving what is there.
const USUAL: usize = 1 << 10;

/// Answers a call.
pub fn answer(answered: Answered) -> Response {
    let outcome = &answered.outcome;
    let retry = outcome.error.map(|refusal| refusal.retry);
    let status = status_of(&answered);
    let mut response = json_response(status, &answered);
    let headers = response.headers_mut();
    name_in_log(headers, answered.call_id);
    if let Some(atomicity) = outcome.atomicity {
        headers.insert(ATOMICITY, HeaderValue::from_static(atomicity.as_str()));
    }
    // Only where another try does no harm; a sender that reads nothing but the head does as it says.
    let may_pass =
        matches!(status, StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS);
    if may_pass && retry == Some(Retry::Safe) {
        let after = outcome.error.and_then(|refusal| refusal.after);
        headers.insert(header::RETRY_AFTER, after.unwrap_or(RETRY_AFTER_SECONDS).into());
    }
    // RFC 7617, section 2: a sender with user and password in its URL may wait for this before it sends them.
    let is_basic = matches!(
        outcome.error.map(|refusal| refusal.code),
        Some(Code::NoCredentials | Code::UnreadableCredential | Code::UnknownClient)
    );
    if status == StatusCode::UNAUTHORIZED && is_basic {
        challenge(headers);
    }
    if answered.is_replay {
        headers.insert(IDEMPOTENT_REPLAY, HeaderValue::from_static("true"));
    }
    if let Some(Accepted { call, is_preferred }) = answered.accepted {
        if let Ok(place) = HeaderValue::try_from(format!("/api/calls/{call}")) {
            headers.insert(header::LOCATION, place);
        }
        if is_preferred {
            headers.insert(PREFERENCE_APPLIED, HeaderValue::from_static("respond-async"));
        }
    }
    if let Some(cookie) = answered.cookie {
        headers.append(header::SET_COOKIE, cookie);
    }
    response
}

/// Says how a credential is shown (RFC 9110, section 11.6.1).
pub(super) fn challenge(headers: &mut HeaderMap) {
    headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"odoo-gateway\""));
}

/// The status with which a call is answered.
pub(super) fn status_of(answered: &Answered) -> StatusCode {
    let outcome = &answered.outcome;
    let retry = outcome.error.map(|refusal| refusal.retry);
    if answered.is_of_hook { hook_status(outcome.class, retry) } else { status(outcome.class) }
}

/// The answer that an expression of a hook gives.
pub(super) fn reply(id: Uuid, reply: Reply) -> Response {
    let mut response = http::Response::new(full(reply.body));
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    name_in_log(response.headers_mut(), id);
    response
}

/// The answer to a request that did not become a call.
pub fn refuse(id: Uuid, error: &Error) -> Response {
    answer(Answered::refusal(id, error))
}

/// Says under which id the log has this.
pub fn name_in_log(headers: &mut HeaderMap, id: Uuid) {
    if let Ok(id) = HeaderValue::from_str(id.hyphenated().encode_lower(&mut Uuid::encode_buffer())) {
        headers.insert(CALL_ID, id);
    }
}

/// The answer to a request with this path that is for nothing that the gateway serves.
pub(super) fn refusal(refusal: &Refusal, path: &str) -> Response {
    let code = refusal.code();
    let mut told = json!({"code": code, "message": refusal.to_string(), "hint": code.row().remedy});
    if let (Refusal::NotFound, Some(meant)) = (refusal, near(path)) {
        told["did_you_mean"] = json!([meant]);
    }
    let body = json!({"error": told});
    let mut response = json_response(status(code.class()), &body);
    let headers = response.headers_mut();
    match refusal {
        Refusal::OnlyPost => {
            headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
        }
        Refusal::OnlyGet => {
            headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        }
        Refusal::HookMethod(hook) => {
            if let Ok(methods) = HeaderValue::try_from(hook.methods()) {
                headers.insert(header::ALLOW, methods);
            }
        }
        // What follows on the connection may be part of what was refused.
        Refusal::Framing | Refusal::Host => {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        Refusal::NotFound | Refusal::NoHook | Refusal::Method | Refusal::Path | Refusal::UrlTooLong(_) => {}
    }
    response
}

/// The status with which hyper has answered what it could not read.
pub(super) fn malformed(malformed: Malformed) -> StatusCode {
    status(malformed.code().class())
}

/// A JSON body with its length.
pub fn json_response(status: StatusCode, body: &impl Serialize) -> Response {
    let mut written = Vec::with_capacity(USUAL);
    // JSON can be written of whatever was JSON.
    let _ = serde_json::to_writer(&mut written, body);
    let mut response = http::Response::new(full(written));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}
