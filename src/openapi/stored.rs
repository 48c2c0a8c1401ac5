//! `GET /api/calls/{id}`, and what a client is told at its `callback_url`: how a call ended that was stored.

use serde_json::{Map, Value, json};

use super::{answers, parameters::reference};
use crate::{
    errors::Section,
    store::State,
    wire::{headers::CALL_ID, status::status_of_stored},
};

/// The path of a call's state.
pub(super) fn paths() -> Map<String, Value> {
    let mut responses = Map::new();
    responses.insert(
        "200".to_owned(),
        json!({
            "description": "What became of the call, so far.",
            "content": {"application/json": {"schema": reference("StoredCall")}},
        }),
    );
    let sections = [Section::Request, Section::Credentials, Section::Upstream];
    for (status, codes) in answers::failures(&sections, status_of_stored) {
        responses.insert(status.to_string(), answers::failed(status, &codes, &reference("Failure")));
    }
    let operation = json!({
        "operationId": "stored_call",
        "tags": ["calls"],
        "summary": "What became of a call",
        "description": "A call that has an idempotency key, or was accepted to be made later. Its own caller alone is told.",
        "parameters": [{
            "name": "id",
            "in": "path",
            "required": true,
            "description": format!("The id of the call: the header `{CALL_ID}` of its answer, or `call` in the result of one that was accepted."),
            "schema": {"type": "string", "format": "uuid"},
        }],
        "responses": responses,
    });
    Map::from_iter([("/api/calls/{id}".to_owned(), json!({"get": operation}))])
}

/// What clients are told.
pub(super) fn webhooks() -> Value {
    json!({"call_ended": {"post": {
        "operationId": "call_ended",
        "tags": ["calls"],
        "summary": "A stored call has ended",
        "description": "Sent to the `callback_url` of a client, signed as Standard Webhooks has it. `webhook-id` is the id of the call.",
        "security": [],
        "requestBody": {"required": true, "content": {"application/json": {"schema": reference("CallEnded")}}},
        "responses": {
            "2XX": {"description": "The client was told."},
            "410": {"description": "The client wants to be told nothing more of this call."},
        },
    }}})
}

/// The schemas of both.
pub(super) fn schemas() -> Map<String, Value> {
    let states: Vec<&str> = State::ALL.iter().map(|state| state.as_str()).collect();
    let answer = json!({
        "description": "The answer as it goes out at a route, without its envelope.",
        "type": "object",
        "properties": {"result": {"type": "object"}, "error": reference("Failed")},
    });
    let time = json!({"type": "string", "format": "date-time"});
    let stored = json!({
        "type": "object",
        "required": ["call", "state", "route", "model", "attempts", "accepted"],
        "properties": {
            "call": {"type": "string", "format": "uuid"},
            "state": {"enum": states},
            "route": {"type": "string"},
            "model": {"type": "string"},
            "attempts": {"type": "integer"},
            "accepted": {"type": ["string", "null"], "format": "date-time"},
            "closed": time,
            "due": {"description": "Not before this time is it tried.", "type": "string", "format": "date-time"},
            "error": {"description": "The code of the last error.", "type": "string"},
            "status": {"description": "The status with which the answer goes out at a route.", "type": "integer"},
            "answer": answer,
        },
    });
    let ended = json!({
        "type": "object",
        "required": ["type", "timestamp", "data"],
        "properties": {
            "type": {"type": "string", "examples": ["call.done"]},
            "timestamp": time,
            "data": {
                "type": "object",
                "required": ["call", "state", "answer"],
                "properties": {"call": {"type": "string", "format": "uuid"}, "state": {"enum": states}, "answer": answer},
            },
        },
    });
    let failure = json!({
        "type": "object",
        "required": ["error"],
        "properties": {"error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {"code": reference("ErrorCode"), "retry": reference("Retry"), "message": {"type": "string"}},
        }},
    });
    Map::from_iter([
        ("StoredCall".to_owned(), stored),
        ("CallEnded".to_owned(), ended),
        ("Failure".to_owned(), failure),
    ])
}
