//! JSON values in sentences.

use serde_json::Value;

use super::Error;

/// What a JSON value is, for a sentence.
pub(crate) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// A value inside a sentence: a text as it is, and not more than a line of it.
pub(super) fn shown(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match text.char_indices().nth(200) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// A value beside a sentence: a long text is cut as in one.
pub(super) fn short(value: &Value) -> Value {
    if value.is_string() { Value::from(shown(value)) } else { value.clone() }
}

/// The error that a value is not of the kind that is due.
pub(super) fn wrong(path: impl Into<String>, due: &str, value: &Value) -> Error {
    Error::WrongKind { path: path.into(), problem: format!("must be {due}, not {}", kind_of(value)) }
}

/// Says that records which match are archived, and how they are reached: `17 matches, but is archived (…)`.
pub(super) fn archived(ids: &[i64]) -> String {
    let shown: Vec<String> = ids.iter().take(5).map(ToString::to_string).collect();
    let more = if ids.len() > shown.len() { ", …" } else { "" };
    let verbs = if ids.len() == 1 { "matches, but is" } else { "match, but are" };
    format!("{}{more} {verbs} archived (`\"archived\": true` beside the keys finds it)", shown.join(", "))
}
