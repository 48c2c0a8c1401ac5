//! From the body of a delivery to JSON, which templates see.
//!
//! The form is that of `body` in the hook's entry, or that of the content type. What must stay true: whatever a sender sends, what
//! is made of it stays within `[limits]` (the size of a body, values, depth, memory), and is given up as soon as it is beyond.
//! Nothing is guessed of a text that cannot be decoded, and nothing that an XML names is fetched or expanded.

mod bounds;
mod charset;
mod delimited;
mod form;
mod kind;
mod lines;
mod multipart;
mod packed;
#[cfg(test)]
mod tests;
mod xml;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde::de::IgnoredAny;
use serde_json::{Map, Value, json};

pub(super) use self::{
    bounds::{Bounds, Why},
    kind::ContentType,
};
use self::{
    bounds::{Budget, Json},
    charset::decoded,
    kind::Kind,
};
use super::{Error, Hook, Sent, SentBody};
use crate::config::{BodyForm, Limits};

/// What stands before the base64 of a body that is not text (RFC 2397).
const BYTES: &str = "data:;base64,";
/// Why nothing is read where nothing came.
const EMPTY: &str = "it is empty";

impl Hook {
    /// Reads the body of a delivery: JSON, as it came or as it was converted to, or why it is none. `headers` say its form where
    /// the hook does not, and how it is packed. An empty form is an empty object, and an empty table an empty list; no JSON is none.
    ///
    /// # Errors
    /// There is no room for what is made of it now.
    pub fn read(&self, headers: &HeaderMap, body: &Bytes, limits: &Limits) -> Result<SentBody, Error> {
        match json(self.entry.body, headers, body, &Bounds::of(limits)) {
            Ok(json) => Ok(SentBody::Json(json)),
            Err(Why::Unreadable(why)) => Ok(SentBody::Unreadable { text: shown(body, limits)?, why }),
            Err(Why::NoRoom) => Err(Error::NoRoom),
        }
    }

    /// Reads a body once more that could not be read when it came: the hook may have another `body` by now.
    ///
    /// # Errors
    /// There is no room for what is made of it now.
    pub fn read_again(&self, sent: &mut Sent, limits: &Limits) -> Result<(), Error> {
        let SentBody::Unreadable { text, .. } = &sent.body else { return Ok(()) };
        if text.is_empty() {
            return Ok(());
        }
        let mut headers = HeaderMap::new();
        for (name, value) in &sent.headers {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                headers.insert(name, value);
            }
        }
        let body = match text.strip_prefix(BYTES).and_then(|bytes| STANDARD.decode(bytes).ok()) {
            Some(bytes) => Bytes::from(bytes),
            // What is packed is not text, so this was unpacked.
            None => {
                headers.remove(header::CONTENT_ENCODING);
                Bytes::from(text.clone())
            }
        };
        sent.body = self.read(&headers, &body, limits)?;
        Ok(())
    }

    /// Whether a body with this `Content-Encoding` can be unpacked.
    pub fn unpacks(coding: &HeaderValue) -> bool {
        packed::Coding::of(coding.as_bytes()).is_some()
    }
}

/// Makes JSON of a body.
///
/// # Errors
/// It is not of its form, it is beyond the bounds, or there is no room for what is made of it.
pub(super) fn json(form: BodyForm, headers: &HeaderMap, body: &Bytes, bounds: &Bounds) -> Result<Bytes, Why> {
    let unpacked = packed::unpacked(headers, body, bounds)?;
    let body = unpacked.as_ref().unwrap_or(body);
    let content_type = ContentType::of(headers.get(header::CONTENT_TYPE));
    let json = match Kind::of(form, &content_type, body) {
        Kind::Json => as_json(body, &content_type, bounds)?,
        Kind::Form => written(bounds, |budget| form::read(body, &content_type, budget).map(Value::Object))?,
        Kind::Multipart => written(bounds, |budget| multipart::read(body, &content_type, budget).map(Value::Object))?,
        Kind::Xml => written(bounds, |budget| xml::read(body, &content_type, bounds.depth, budget))?,
        Kind::Delimited => delimited::read(body, &content_type, bounds)?,
        Kind::Lines => lines::read(body, &content_type, bounds)?,
        Kind::Text => written(bounds, |budget| text(body, &content_type, budget))?,
    };
    bounds.check(&json)?;
    Ok(json)
}

/// JSON as it came, without a byte order mark, which Python's reader takes as well.
fn as_json(body: &Bytes, content_type: &ContentType, bounds: &Bounds) -> Result<Bytes, Why> {
    if body.trim_ascii().is_empty() {
        return Err(Why::unreadable(EMPTY));
    }
    let mut budget = Budget::new(bounds);
    // JSON is UTF-8 (RFC 8259, section 8.1), whatever charset is beside it; only what is none is read by that.
    let body = match std::str::from_utf8(body) {
        Ok(text) if text.starts_with('\u{feff}') => body.slice(3..),
        Ok(_) => body.clone(),
        Err(_) => Bytes::from(decoded(body, content_type, &mut budget)?.into_owned()),
    };
    bounds.check(&body)?;
    serde_json::from_slice::<IgnoredAny>(&body).map_err(|error| Why::unreadable(format!("it is not JSON: {error}")))?;
    Ok(body)
}

/// A text as it is; one that cannot be decoded as its bytes.
fn text(body: &Bytes, content_type: &ContentType, budget: &mut Budget<'_>) -> Result<Value, Why> {
    match decoded(body, content_type, budget) {
        Ok(text) => {
            budget.value(text.len())?;
            Ok(Value::from(text.into_owned()))
        }
        Err(Why::NoRoom) => Err(Why::NoRoom),
        Err(Why::Unreadable(_)) => file(None, content_type.essence(), body, budget),
    }
}

/// A file within a body: `{"filename", "content_type", "base64"}`.
fn file(filename: Option<&str>, content_type: &str, bytes: &[u8], budget: &mut Budget<'_>) -> Result<Value, Why> {
    budget.value(filename.map_or(0, str::len) + content_type.len() + bytes.len() / 3 * 4)?;
    let mut file = json!({"content_type": content_type, "base64": STANDARD.encode(bytes)});
    if let Some(filename) = filename {
        file["filename"] = Value::from(filename);
    }
    Ok(file)
}

/// Adds a named value. A name that stands twice has a list of values.
fn add(members: &mut Map<String, Value>, name: &str, value: Value) {
    match members.get_mut(name) {
        None => drop(members.insert(name.to_owned(), value)),
        Some(Value::Array(values)) => values.push(value),
        Some(first) => *first = Value::Array(vec![first.take(), value]),
    }
}

/// The JSON of a value that is made within a budget.
fn written(bounds: &Bounds, make: impl FnOnce(&mut Budget<'_>) -> Result<Value, Why>) -> Result<Bytes, Why> {
    let mut budget = Budget::new(bounds);
    let value = make(&mut budget)?;
    let mut json = Json::new(budget);
    json.write(&value)?;
    Ok(json.finish())
}

/// What log and store keep of a body that cannot be read: its text; what is none, as a `data:` URI.
fn shown(body: &Bytes, limits: &Limits) -> Result<String, Error> {
    let bounds = Bounds::of(limits);
    let mut budget = Budget::new(&bounds);
    budget.take(body.len() / 3 * 4).map_err(|_| Error::NoRoom)?;
    Ok(match std::str::from_utf8(body) {
        Ok(text) => text.to_owned(),
        Err(_) => format!("{BYTES}{}", STANDARD.encode(body)),
    })
}
