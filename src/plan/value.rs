//! Values by the type of their field: what Odoo takes is made of what a sender means, or the value is refused.
//!
//! Odoo converts some values in silence to something else than was sent (`"false"` is true, 3.7 is 3 in an integer field), and
//! refuses others without naming the field. So each value is checked and converted before anything is sent: one that is not
//! unambiguous is `invalid_value` with its place. The files are pure functions of the field's type and the value; they import
//! the schema's types and nothing of planning but the words of an error and of a hint. docs/payloads.md has the rules for people.

mod key;
mod number;
mod selection;
mod time;

use std::borrow::Cow;

use serde_json::{Value, json};

pub use self::time::WrittenTime;
pub(super) use self::{
    key::{is_empty_key, lacks_name},
    number::whole as whole_number,
};
use super::{Error, hints::Meant, kind_of, wording::shown};
use crate::odoo::{Field, Kind};

/// What a value is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// It is written.
    Write,
    /// Records are searched by it: as a lookup, a search key, or a condition for equality or order in a domain.
    Compare,
}

/// Why a value does not fit its field, in words that follow its place.
#[derive(Debug, PartialEq, Eq)]
struct Unfit {
    problem: String,
    /// The choice that may be meant.
    meant: Meant,
}

impl Unfit {
    fn new(problem: String) -> Self {
        Self { problem, meant: Meant::default() }
    }

    /// The value is not what is due.
    fn due(due: &str, value: &Value) -> Self {
        let got = match value {
            Value::String(_) | Value::Number(_) | Value::Bool(_) => format!("{}", Shown(value)),
            other => kind_of(other).to_owned(),
        };
        Self::new(format!("must be {due}, not {got}"))
    }
}

/// A value in a sentence, in quotes where it is a text.
struct Shown<'v>(&'v Value);

impl std::fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Value::String(_) => write!(f, "\"{}\"", shown(self.0)),
            other => f.write_str(&shown(other)),
        }
    }
}

/// Converts a single value to what Odoo takes in the field, which stands at `path`. Relational fields have readers of their own,
/// and what leads to no record is passed on as it is.
///
/// `null` and `false` are Odoo's empty value in every field, and so is an empty text where the field holds no text.
///
/// # Errors
/// `invalid_value`: the value is of another type, and no other meaning is unambiguous.
pub(super) fn converted<'v>(field: &Field, value: &'v Value, use_: Use, path: &str) -> Result<Cow<'v, Value>, Error> {
    convert(field, value, use_).map_err(|Unfit { problem, meant }| match meant.name() {
        Some(_) => Error::NoChoice { path: path.to_owned(), problem, meant },
        None => Error::WrongKind { path: path.to_owned(), problem },
    })
}

fn convert<'v>(field: &Field, value: &'v Value, use_: Use) -> Result<Cow<'v, Value>, Unfit> {
    let is_text = matches!(field.kind, Kind::Text | Kind::Html);
    match value {
        Value::Null if use_ == Use::Write => return Ok(Cow::Owned(json!(false))),
        Value::Null | Value::Bool(false) => return Ok(Cow::Borrowed(value)),
        Value::String(text) if text.trim().is_empty() && !is_text => {
            return Ok(if use_ == Use::Write { Cow::Owned(json!(false)) } else { Cow::Borrowed(value) });
        }
        _ => {}
    }
    match &field.kind {
        Kind::Boolean => number::boolean(value),
        Kind::Integer => number::integer(value, use_),
        Kind::Float => number::float(value),
        Kind::Date => time::date(value).map(Cow::Owned),
        Kind::Datetime => time::datetime(value).map(Cow::Owned),
        Kind::Selection(choices) => selection::choice(choices.as_deref(), value, use_),
        Kind::Text => text(field, value, use_),
        Kind::Html => match value {
            Value::String(text) => without_nul(text, value),
            other => Err(Unfit::due("a text with HTML", other)),
        },
        Kind::Reference => reference(value, use_),
        Kind::Binary => match value {
            Value::String(_) => Ok(Cow::Borrowed(value)),
            other => Err(Unfit::due("a file's content as base64", other)),
        },
        Kind::Free if !is_free_of_nul(value) => Err(nul()),
        Kind::Free | Kind::Many2one(_) | Kind::One2many(_) | Kind::Many2many(_) => Ok(Cow::Borrowed(value)),
    }
}

/// A text; a number becomes one, as JSON writes it.
fn text<'v>(field: &Field, value: &'v Value, use_: Use) -> Result<Cow<'v, Value>, Unfit> {
    let value = match value {
        Value::String(_) => Cow::Borrowed(value),
        Value::Number(number) => Cow::Owned(json!(number.to_string())),
        other => return Err(Unfit::due("a text", other)),
    };
    let text = value.as_str().unwrap_or_default();
    match field.size {
        Some(size) if use_ == Use::Write && text.chars().count() > size => Err(Unfit::new(format!(
            "has {} characters, of which Odoo would keep {size} without a word",
            text.chars().count()
        ))),
        _ if text.contains('\0') => Err(nul()),
        _ => Ok(value),
    }
}

/// `model,id`, as Odoo writes it.
fn reference(value: &Value, use_: Use) -> Result<Cow<'_, Value>, Unfit> {
    const DUE: &str = "a model and an id, such as \"res.partner,7\"";
    let Value::String(text) = value else { return Err(Unfit::due(DUE, value)) };
    let is_reference = text.split_once(',').is_some_and(|(model, id)| {
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_');
        !model.is_empty() && model.chars().all(is_name) && number::id(id).is_some()
    });
    // A search may look for the records of a model.
    if is_reference || use_ == Use::Compare { without_nul(text, value) } else { Err(Unfit::due(DUE, value)) }
}

/// PostgreSQL stores no NUL in a text.
fn without_nul<'v>(text: &str, value: &'v Value) -> Result<Cow<'v, Value>, Unfit> {
    if text.contains('\0') { Err(nul()) } else { Ok(Cow::Borrowed(value)) }
}

fn nul() -> Unfit {
    Unfit::new("must not have the character NUL (\\u0000), which Odoo cannot store".to_owned())
}

/// The id in a value that names a record by it: a whole number, also as `20.0` or `"20"`.
pub(super) fn id(value: &Value) -> Option<i64> {
    match value {
        Value::Number(_) => number::whole(value).filter(|id| number::is_id(*id)),
        Value::String(text) => number::id(text),
        _ => None,
    }
}

/// Whether no text in a JSON value has the character NUL.
fn is_free_of_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.contains('\0'),
        Value::Array(items) => items.iter().all(is_free_of_nul),
        Value::Object(entries) => entries.iter().all(|(key, value)| !key.contains('\0') && is_free_of_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
    }
}

#[cfg(test)]
mod tests;
