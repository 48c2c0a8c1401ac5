//! What fuzz targets feed of deliveries to hooks. What must hold: what is made of a body is JSON within the bounds, a template
//! gives JSON or an error, and no credential is among what is kept and shown of a request.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a fuzz target fails by panicking")]

use std::{path::Path, sync::LazyLock};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde_json::{Map, Value};

use super::{
    Error, Hidden, Input, RequestLine, Sent, SentBody,
    body::{Bounds, Why, json},
    template::{Code, Ran, Template},
};
use crate::{
    config::BodyForm,
    memory::{Weight, weigh},
};

/// Small, so that a small input is beyond them.
const BOUNDS: Bounds = Bounds { size: bytesize::ByteSize::kib(64), values: 200, depth: 20 };

/// What templates do with texts and numbers of senders: the gateway's own functions, and those of jq that read texts.
const TEMPLATES: [&str; 6] = [
    "{payload: {n: [.. | (try tonumber catch null)], b: [.. | (try toboolean catch null)], t: [.. | (try fromiso catch null)]}}",
    "{payload: {d: [.. | (try odoo_datetime catch null)], j: [.. | strings | (try fromjson catch null)]}}",
    "{payload: {h: [.. | strings | (try digest(\"sha256\"; .) catch null), (try @base64d catch null), (try @uri catch null)]}}",
    "{payload: {id: need(.id), name: (.name // \"x\"), lines: [.lines[]? | {qty: (.qty | tonumber), sku: need(.sku)}]}}",
    "if .type == \"x\" then ignore(.why) else {vals: {payload: {a: .}}, model: \"res.partner\"} end",
    "[.items[]? | {payload: {s: (.s | tostring | ascii_downcase | split(\",\") | map(ltrimstr(\" \")) | join(\"-\"))}}]",
];

static COMPILED: LazyLock<Vec<Template>> = LazyLock::new(|| {
    let compile = |text: &&str| Template::compile(&Code::compiled(text, Path::new("/nonexistent")).unwrap()).unwrap();
    TEMPLATES.iter().map(compile).collect()
});

/// What is made of a body; none where it is refused.
pub(crate) fn body(form: BodyForm, content_type: &str, coding: &str, body: &[u8]) -> Option<Value> {
    let mut headers = HeaderMap::new();
    for (name, value) in [(header::CONTENT_TYPE, content_type), (header::CONTENT_ENCODING, coding)] {
        if let Some(value) = HeaderValue::from_str(value).ok().filter(|value| !value.is_empty()) {
            headers.insert(name, value);
        }
    }
    let body = Bytes::copy_from_slice(body);
    match json(form, &headers, &body, &BOUNDS) {
        Ok(made) => {
            let Weight { depth, values, .. } = weigh(&made);
            assert!(made.len() <= 64 << 10 && values <= BOUNDS.values && depth <= BOUNDS.depth, "{depth} {values}");
            // A number may be one that no 64 bits hold.
            Some(serde_json::from_slice(&made).unwrap_or_else(|error| {
                assert!(error.to_string().contains("out of range"), "{error}");
                Value::Null
            }))
            .filter(|value| !value.is_null())
        }
        Err(Why::Unreadable(why)) => {
            assert!(!why.is_empty() && why.len() < 4096, "{why}");
            None
        }
        Err(Why::NoRoom) => panic!("nothing else takes memory"),
    }
}

pub(crate) fn template(body: &[u8]) {
    if serde_json::from_slice::<serde::de::IgnoredAny>(body).is_err() {
        return;
    }
    for template in &*COMPILED {
        let input = Input { body: Bytes::copy_from_slice(body), variables: Default::default() };
        match template.run(&input) {
            Ok(Ran::Results(results)) => {
                for result in &results {
                    serde_json::from_str::<serde::de::IgnoredAny>(result).expect("a result is JSON");
                }
            }
            Ok(Ran::Ignored(why)) => assert!(!why.is_empty() && why.chars().count() <= 300),
            Err(Error::Failed(words)) => assert!(!words.is_empty()),
            Err(other) => panic!("{other}"),
        }
    }
}

/// Target and headers of a request, one a line, and its body.
pub(crate) fn sent(head: &str, body: &[u8]) {
    let mut lines = head.lines();
    let line = RequestLine::post(lines.next().unwrap_or_default());
    let mut headers = HeaderMap::new();
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            headers.append(name, value);
        }
    }
    let body = match serde_json::from_slice::<Value>(body) {
        Ok(_) => SentBody::Json(Bytes::copy_from_slice(body)),
        Err(_) => SentBody::Unreadable { text: String::from_utf8_lossy(body).into_owned(), why: "x".to_owned() },
    };
    let parsed = match &body {
        SentBody::Json(json) => serde_json::from_slice(json).unwrap_or_default(),
        SentBody::Unreadable { .. } => Value::Null,
    };
    let sent = Sent::new(line.path().to_owned(), &line, &headers, Hidden::default(), body);
    for name in ["authorization", "cookie", "x-api-key", "x-shop-token", "x-hub-signature"] {
        assert!(!sent.headers.contains_key(name), "{name} is kept");
    }
    let shown = sent.to_json(parsed);
    let again = Sent::of_json(&shown);
    assert_eq!((&again.method, &again.path), (&sent.method, &sent.path));
    assert_eq!((&again.query, &again.headers), (&sent.query, &sent.headers));
    let _ = Input::of(&again, &Map::new());
}
