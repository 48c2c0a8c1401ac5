//! Selections: a choice by its value, or by its label where only one choice has that.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::{Shown, Unfit, Use, without_nul};
use crate::{odoo::Choice, plan::hints::Meant};

/// The number of choices that an error names.
const NAMED: usize = 30;

/// The value of the choice that is meant. A search may look for a value that is no choice any more.
pub(super) fn choice<'v>(choices: Option<&[Choice]>, value: &'v Value, use_: Use) -> Result<Cow<'v, Value>, Unfit> {
    let text = match value {
        Value::String(text) => Cow::Borrowed(text.as_str()),
        Value::Number(number) => Cow::Owned(number.to_string()),
        other => return Err(unknown(choices, other)),
    };
    let Some(choices) = choices else {
        return without_nul(&text, value);
    };
    if choices.iter().any(|choice| choice.value == text) {
        return Ok(if value.is_string() { Cow::Borrowed(value) } else { Cow::Owned(json!(text)) });
    }
    let mut labelled = choices.iter().filter(|choice| choice.label == text.trim());
    match (labelled.next(), labelled.next()) {
        (Some(choice), None) => Ok(Cow::Owned(json!(choice.value))),
        _ if use_ == Use::Compare => without_nul(&text, value),
        _ => Err(unknown(Some(choices), value)),
    }
}

fn unknown(choices: Option<&[Choice]>, value: &Value) -> Unfit {
    let Some(choices) = choices else { return Unfit::due("one of the field's choices", value) };
    let named = choices.iter().take(NAMED).map(|choice| format!("\"{}\" ({})", choice.value, choice.label));
    let more = match choices.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let named = named.collect::<Vec<_>>().join(", ");
    let problem = format!("is {}, which is no choice of this field; the choices are: {named}{more}", Shown(value));
    let names = choices.iter().flat_map(|choice| [choice.value.as_str(), choice.label.as_str()]);
    let close = Meant::among(names, value.as_str().unwrap_or_default());
    let is_meant = |choice: &&Choice| close.name().is_some_and(|name| choice.value == name || choice.label == name);
    let meant = choices.iter().find(is_meant).map(|choice| choice.value.as_str());
    Unfit { problem, meant: meant.map(Meant::of).unwrap_or_default() }
}
