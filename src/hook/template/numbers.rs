//! Values from texts: `tonumber`, `toboolean` and `fromjson`, which give one value or an error.
//!
//! jaq's own read a text as a sequence of values: of `""` they make nothing, so that a line of an order is lost in silence, and
//! of `"12 34"` two values.

use jaq_core::ValR;
use jaq_json::{Error, Val, read};
use jaq_std::ValT;
use serde::de::IgnoredAny;

/// A number, or a text that is one, blanks around it and a `+` before it allowed.
pub(super) fn to_number(value: Val) -> ValR<Val> {
    if matches!(value, Val::Num(_)) {
        return Ok(value);
    }
    let number = text_of(&value).and_then(|text| read::parse_single_num(json_number(text)?.as_bytes()));
    number.map(Val::Num).ok_or_else(|| unreadable(&value, "a number"))
}

/// `true` or `false`, or a text of it.
pub(super) fn to_boolean(value: Val) -> ValR<Val> {
    match (&value, text_of(&value).map(str::trim)) {
        (Val::Bool(_), _) => Ok(value),
        (_, Some("true")) => Ok(Val::Bool(true)),
        (_, Some("false")) => Ok(Val::Bool(false)),
        _ => Err(unreadable(&value, "true or false")),
    }
}

/// The one value of a text of JSON. What jaq takes beyond JSON, such as comments and NaN, could not be written out again.
pub(super) fn from_json(value: &Val) -> ValR<Val> {
    let text = text_of(value).ok_or_else(|| unreadable(value, "a text of JSON"))?;
    let failed = |why: &dyn std::fmt::Display| Error::str(format_args!("{value} is not JSON: {why}"));
    serde_json::from_str::<IgnoredAny>(text).map_err(|error| failed(&error))?;
    read::parse_single(text.as_bytes()).map_err(|error| failed(&error))
}

pub(super) fn unreadable(value: &Val, what: &str) -> Error {
    Error::str(format_args!("{value} is not {what}"))
}

pub(super) fn text_of(value: &Val) -> Option<&str> {
    value.as_utf8_bytes().and_then(|text| std::str::from_utf8(text).ok())
}

/// The number as JSON writes it, without a `+` and zeros before it.
fn json_number(text: &str) -> Option<String> {
    let text = text.trim();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    if !digits.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let whole = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    let zeros = digits[..whole].find(|c| c != '0').unwrap_or(whole - 1);
    let number = format!("{sign}{}", &digits[zeros..]);
    serde_json::from_str::<serde_json::Number>(&number).is_ok().then_some(number)
}
