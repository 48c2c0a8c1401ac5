//! `GET /api/calls/ID`: what became of a call that the store has, for its own caller.

use std::{net::IpAddr, sync::Arc};

use http::StatusCode;
use jiff::Timestamp;
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::json;
use tokio::time::Instant;
use uuid::Uuid;

use super::{Site, passed::Passage, respond};
use crate::{
    call::{Asking, Error, Outcome},
    errors::Class,
    store::{self, StoredCall},
    wire::{Response, status::status_of_stored},
};

/// Answers a request for the state of a call.
pub(super) async fn answer<B: hyper::body::Body>(
    site: &Arc<Site>,
    id: Uuid,
    address: IpAddr,
    request: &http::Request<B>,
) -> Response {
    let asking = Asking { headers: request.headers().clone(), address, began: Instant::now() };
    let found = site.calls.stored_call(&asking, id).await.and_then(|call| shown(&call));
    match found {
        Ok(shown) => {
            let response = respond::json_response(StatusCode::OK, &shown);
            site.calls.metrics.passed(response.status().as_u16(), None, asking.began.elapsed());
            response
        }
        Err(error) => {
            let status = status_of_stored(error.class(), error.retry());
            refused(site, &asking, (&error, status), Passage::new(site, address, request)).await
        }
    }
}

/// The answer to one who asks and is not told.
pub(super) async fn refused(
    site: &Arc<Site>,
    asking: &Asking,
    (error, status): (&Error, StatusCode),
    passage: Passage,
) -> Response {
    if error.class() == Class::Unauthenticated {
        // As of a call: anyone can cause this, as fast as a network carries it.
        site.calls.login_throttle.refuse(crate::limits::network(asking.address)).await;
    }
    let mut response = respond::json_response(status, &refusal(error));
    if response.status() == StatusCode::UNAUTHORIZED {
        respond::challenge(response.headers_mut());
    }
    passage.refuse(error.code(), response).await
}

/// What a caller is shown of its call.
#[derive(Serialize)]
struct Shown {
    call: Uuid,
    state: &'static str,
    route: String,
    model: String,
    attempts: u32,
    accepted: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    closed: Option<Timestamp>,
    /// Not before this time is it tried, while it is queued.
    #[serde(skip_serializing_if = "Option::is_none")]
    due: Option<Timestamp>,
    /// The code of the last error.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// The status with which the answer goes out at a route.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<Answer>,
}

/// The answer, as it goes out at a route, without its envelope.
struct Answer(Outcome);

impl Serialize for Answer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (name, content) = self.0.member();
        let mut answer = serializer.serialize_map(Some(1))?;
        answer.serialize_entry(name, &content)?;
        answer.end()
    }
}

fn shown(call: &StoredCall) -> Result<Shown, Error> {
    let time = |millis: i64| Timestamp::from_millisecond(millis).ok();
    let outcome = call.outcome.as_deref().map(Outcome::of_bytes).transpose();
    let outcome = outcome.map_err(|error| store::Error::Unavailable(format!("its outcome cannot be read: {error}")))?;
    Ok(Shown {
        call: call.id,
        state: call.state.as_str(),
        route: call.route.clone(),
        model: call.model.clone(),
        attempts: call.attempts,
        accepted: time(call.accepted),
        closed: call.closed.and_then(time),
        due: call.due.filter(|_| !call.is_held).and_then(time),
        error: call.error.clone(),
        status: outcome.as_ref().map(|outcome| respond::status(outcome.class).as_u16()),
        answer: outcome.map(Answer),
    })
}

fn refusal(error: &Error) -> serde_json::Value {
    let hint = error.code().row().remedy;
    json!({"error": {"code": error.code(), "retry": error.retry().as_str(), "message": error.sentence(), "hint": hint}})
}
