//! Numbers and booleans, also as texts.
//!
//! A text is a number only in the form of JSON: with a point, without separators, without `inf`, `nan` and `_`, which Python
//! takes. A boolean is not a number.

use std::borrow::Cow;

use serde_json::{Number, Value, json};

use super::{Unfit, Use};

/// PostgreSQL's `int4`, in which Odoo stores integers and ids (14-19).
const INTEGERS: std::ops::RangeInclusive<i64> = -2_147_483_648..=2_147_483_647;

pub(super) fn boolean(value: &Value) -> Result<Cow<'_, Value>, Unfit> {
    const DUE: &str = "true or false";
    let known = match value {
        Value::Bool(_) => return Ok(Cow::Borrowed(value)),
        Value::Number(_) => match whole(value) {
            Some(0) => Some(false),
            Some(1) => Some(true),
            _ => None,
        },
        Value::String(text) => match text.trim().to_lowercase().as_str() {
            "true" | "1" | "yes" => Some(true),
            "false" | "0" | "no" => Some(false),
            _ => None,
        },
        _ => None,
    };
    known.map(|known| Cow::Owned(json!(known))).ok_or_else(|| Unfit::due(DUE, value))
}

pub(super) fn integer(value: &Value, use_: Use) -> Result<Cow<'_, Value>, Unfit> {
    const DUE: &str = "a whole number";
    let number = match value {
        Value::Number(_) => Some(Cow::Borrowed(value)),
        Value::String(text) => parse(text).map(|number| Cow::Owned(Value::Number(number))),
        _ => None,
    };
    let Some(number) = number else { return Err(Unfit::due(DUE, value)) };
    match whole(&number) {
        Some(whole) if INTEGERS.contains(&whole) => Ok(match value {
            Value::Number(number) if number.is_i64() => Cow::Borrowed(value),
            _ => Cow::Owned(json!(whole)),
        }),
        // A condition may be "less than 3.5".
        None if use_ == Use::Compare && number.as_f64().is_some_and(|number| number.fract() != 0.0) => Ok(number),
        None if number.as_f64().is_some_and(|number| number.fract() != 0.0) => Err(Unfit::due(DUE, value)),
        _ => Err(Unfit::due("a whole number between -2147483648 and 2147483647", value)),
    }
}

pub(super) fn float(value: &Value) -> Result<Cow<'_, Value>, Unfit> {
    const DUE: &str = "a number such as 12.50";
    match value {
        Value::Number(_) => Ok(Cow::Borrowed(value)),
        Value::String(text) => match parse(text) {
            Some(number) => Ok(Cow::Owned(Value::Number(number))),
            None => Err(Unfit::due(DUE, value)),
        },
        other => Err(Unfit::due(DUE, other)),
    }
}

/// A number in a text, in the form of JSON; a sign before it and zeros before its digits are taken too.
fn parse(text: &str) -> Option<Number> {
    let text = text.trim();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let significant = digits.trim_start_matches('0');
    let is_only_fraction = !significant.starts_with(|first: char| first.is_ascii_digit());
    // A text that begins with a zero that was taken off still has one before its point.
    let zero = if is_only_fraction && significant.len() < digits.len() { "0" } else { "" };
    let number: Number = serde_json::from_str(&format!("{sign}{zero}{significant}")).ok()?;
    number.as_f64().is_some_and(f64::is_finite).then_some(number)
}

/// The whole number that a JSON number is, `3.0` included.
pub(in crate::plan) fn whole(value: &Value) -> Option<i64> {
    /// Each whole number up to this one is a float of its own.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if let Some(whole) = value.as_i64() {
        return Some(whole);
    }
    let number = value.as_f64().filter(|number| number.fract() == 0.0 && number.abs() < EXACT)?;
    #[expect(clippy::cast_possible_truncation, reason = "a whole number within the range of i64")]
    Some(number as i64)
}

/// The id of a record in a text.
pub(super) fn id(text: &str) -> Option<i64> {
    let text = text.trim();
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|id| is_plain && is_id(*id))
}

pub(super) fn is_id(id: i64) -> bool {
    id > 0 && INTEGERS.contains(&id)
}
