//! What fuzz targets feed of Odoo's answers. What must hold: an answer is a result or an error with a code, a write whose answer
//! cannot be read is never taken for one that was refused, and values of JSON survive XML.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a fuzz target fails by panicking")]

use std::collections::HashMap;

use bytes::Bytes;
use dxr::MethodResponse;
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};

use super::{
    model::{
        effect::Effect,
        error::{Error, Why},
        schema::{Kind, Schema},
    },
    protocol::{
        envelope, json2,
        release::Release,
        session,
        xml::{self, Answer},
        xml_rpc,
    },
    transport::Response,
};

const STATUSES: [u16; 8] = [200, 201, 204, 400, 401, 404, 500, 503];

fn response(status: u8, body: &[u8]) -> Response {
    let status = STATUSES[usize::from(status) % STATUSES.len()];
    let body = Bytes::copy_from_slice(body);
    Response { status: StatusCode::from_u16(status).unwrap(), session_cookie: None, body }
}

/// An answer to a write: what cannot be read is no refusal, unless the status is one.
fn check(status: StatusCode, answer: &Result<Value, Error>) {
    let Err(error) = answer else { return };
    assert!(!error.to_string().is_empty());
    let _ = error.code();
    if status.is_success() {
        let is_told = matches!(error, Error::Fault(_) | Error::SessionExpired);
        let is_unknown =
            matches!(error, Error::NoAnswer { effect: Effect::Write, why: Why::Garbled(_) | Why::Status(_) });
        assert!(is_told || is_unknown, "{error}");
    }
}

pub(crate) fn answer_session(cookie: &[u8], body: &[u8]) {
    if let Ok(cookie) = HeaderValue::from_bytes(cookie)
        && let Some(id) = session::session_id(&cookie)
    {
        let id = secrecy::ExposeSecret::expose_secret(&id);
        assert!(!id.is_empty() && !id.contains(';'));
        assert!(HeaderValue::try_from(format!("session_id={id}")).is_ok(), "it can be sent back");
    }
    let response = response(0, body);
    let answer = envelope::open(&response, "db", Effect::Write);
    check(response.status, &answer);
    if let Ok(answer) = answer {
        let _ = Release::read(&answer);
    }
}

pub(crate) fn answer_json_rpc(status: u8, body: &[u8]) {
    let response = response(status, body);
    check(response.status, &envelope::open(&response, "db", Effect::Write));
}

pub(crate) fn answer_json2(status: u8, body: &[u8]) {
    let response = response(status, body);
    let answer = json2::open(&response, "db", Effect::Write);
    check(response.status, &answer);
    if let Ok(answer) = answer {
        assert_eq!(answer, serde_json::from_slice::<Value>(body).unwrap());
    }
}

pub(crate) fn answer_xml_rpc(body: &[u8]) {
    let as_read = |value: &Value| match xml::to_xml(value) {
        Ok(written) => match xml::answer(MethodResponse { value: written }.to_xml().unwrap().as_bytes()) {
            Ok(Answer::Result(again)) => Some(again),
            Ok(Answer::Fault { .. }) => panic!("{value} is read as a fault"),
            Err(why) => panic!("{value}: {why}"),
        },
        Err(_) => None,
    };
    match xml::answer(body) {
        // What was read is a value of JSON, and survives another time.
        Ok(Answer::Result(value)) => assert!(as_read(&value).is_none_or(|again| again == value), "{value}"),
        Ok(Answer::Fault { code, text }) => drop(xml_rpc::refusal(code, text)),
        Err(why) => assert!(why.chars().count() < 1000, "{why}"),
    }
    if let Ok(value) = serde_json::from_slice::<Value>(body)
        && xml::call("m", std::slice::from_ref(&value)).is_ok()
    {
        assert_eq!(as_read(&value).as_ref(), Some(&value));
    }
}

pub(crate) fn fields_get(body: &[u8]) {
    let Ok(described) = serde_json::from_slice::<HashMap<String, Value>>(body) else { return };
    let count = described.len();
    let schema = Schema::new("m", described);
    assert!(schema.names().count() <= count);
    for field in schema.names().filter_map(|name| schema.field(name)) {
        if let Kind::Many2one(model) | Kind::One2many(model) | Kind::Many2many(model) = &field.kind {
            assert_eq!(field.kind.relation(), Some(model.as_str()));
        }
    }
    let _ = (schema.has_company(), schema.size_in_memory(), schema.copied("name"));
    let _ = json!(schema.model);
}
