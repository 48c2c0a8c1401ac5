//! What came to a hook, as its template sees it and as log and store keep it: method, path, query, headers and body, without
//! credentials and signatures.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use serde_json::{Map, Value, json};

use super::request::RequestLine;
use crate::key_texts::mask_keys;

/// Parts of the names of headers and of members of the query that hold a credential or a signature: `x-webhook-key`, `x-auth`,
/// `x-gitlab-token`. Templates do not need them, and what a template sees is logged.
const HIDDEN: [&str; 11] =
    ["key", "auth", "token", "secret", "signature", "hmac", "passw", "cookie", "credential", "session", "login"];
/// Headers whose names have such a part and hold no secret: they identify a delivery.
const SHOWN: [&str; 2] = ["idempotency-key", "x-idempotency-key"];

/// A delivery as a template sees it and the log keeps it.
#[derive(Debug, Clone)]
pub struct Sent {
    pub method: String,
    /// The path of the hook, without a token.
    pub path: String,
    pub query: Map<String, Value>,
    pub headers: BTreeMap<String, String>,
    pub body: SentBody,
}

/// The body of a delivery.
#[derive(Debug, Clone)]
pub enum SentBody {
    /// JSON, as it came or as it was converted to.
    Json(Bytes),
    /// It is not of the form that it should have: the text, and why it cannot be read.
    Unreadable { text: String, why: String },
}

/// What of a request proves who sends it, and is kept from templates, log and store.
#[derive(Debug, Clone, Copy, Default)]
pub struct Hidden<'c> {
    pub headers: &'c [HeaderName],
    /// The name of a member of the query.
    pub query: Option<&'c str>,
}

impl Sent {
    /// `path` is that of the hook. A GET without a body has its query as body, so that a template reads a form and a query alike.
    pub fn new(path: String, line: &RequestLine, headers: &HeaderMap, hidden: Hidden<'_>, body: SentBody) -> Self {
        let shown = headers
            .iter()
            .filter(|(name, _)| !is_hidden(name.as_str()) && **name != header::HOST && !hidden.headers.contains(name));
        let text = |(name, value): (&HeaderName, &HeaderValue)| {
            Some((name.as_str().to_owned(), mask_keys(value.to_str().ok()?).into_owned()))
        };
        let query = line.query().into_iter();
        let query = query.filter(|(name, _)| !is_hidden(&name.to_ascii_lowercase()) && Some(&**name) != hidden.query);
        let query: Map<String, Value> = query.collect();
        let body = match body {
            SentBody::Unreadable { text, .. } if text.is_empty() && line.method == Method::GET => {
                SentBody::Json(Bytes::from(Value::Object(query.clone()).to_string()))
            }
            body => body,
        };
        Self { method: line.method.to_string(), path, query, headers: shown.filter_map(text).collect(), body }
    }

    /// With all that stands in the request, credentials too: for what is answered at once, and never kept. No body is null.
    pub fn unhidden(path: String, line: &RequestLine, headers: &HeaderMap, body: SentBody) -> Self {
        let text = |(name, value): (&HeaderName, &HeaderValue)| {
            Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
        };
        let headers = headers.iter().filter_map(text).collect();
        let body = match body {
            SentBody::Unreadable { text, .. } if text.is_empty() => SentBody::Json(Bytes::from_static(b"null")),
            body => body,
        };
        Self { method: line.method.to_string(), path, query: line.query(), headers, body }
    }

    /// Converts it to `{"method", "path", "query", "headers", "body"}`. `body` is the parsed body.
    pub fn to_json(&self, body: Value) -> Value {
        let headers = self.headers.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str())));
        let mut sent = json!({"method": self.method, "path": self.path, "headers": headers.collect::<Map<_, _>>()});
        if !self.query.is_empty() {
            sent["query"] = Value::Object(self.query.clone());
        }
        match &self.body {
            SentBody::Json(_) => sent["body"] = body,
            SentBody::Unreadable { text, why } => sent["unreadable"] = json!({"text": text, "why": why}),
        }
        sent
    }

    /// Converts it back from [`Self::to_json`].
    pub fn of_json(sent: &Value) -> Self {
        let headers = sent["headers"].as_object().into_iter().flatten();
        let headers = headers.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let body = match &sent["unreadable"] {
            Value::Object(unreadable) => SentBody::Unreadable {
                text: unreadable.get("text").map(text).unwrap_or_default(),
                why: unreadable.get("why").map(text).unwrap_or_default(),
            },
            _ => SentBody::Json(Bytes::from(sent["body"].to_string())),
        };
        Self {
            method: sent["method"].as_str().unwrap_or("POST").to_owned(),
            path: text(&sent["path"]),
            query: sent["query"].as_object().cloned().unwrap_or_default(),
            headers: headers.collect(),
            body,
        }
    }
}

fn is_hidden(name: &str) -> bool {
    HIDDEN.iter().any(|part| name.contains(part)) && !SHOWN.contains(&name)
}
