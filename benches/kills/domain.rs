//! Odoo's domains, as far as the gateway sends them.

use serde_json::{Value, json};

use super::odoo::Record;

/// Whether a record is in a domain in prefix form.
pub(crate) fn matches(domain: &[Value], record: &Record) -> bool {
    let mut rest = domain;
    let mut all = true;
    while !rest.is_empty() {
        all &= next(&mut rest, record);
    }
    all
}

fn next(rest: &mut &[Value], record: &Record) -> bool {
    let (first, behind) = rest.split_first().expect("a domain ends within an operator");
    *rest = behind;
    match first.as_str() {
        Some("&") => next(rest, record) & next(rest, record),
        Some("|") => next(rest, record) | next(rest, record),
        Some("!") => !next(rest, record),
        Some(other) => panic!("the stub does not know {other}"),
        None => holds(first.as_array().expect("a condition"), record),
    }
}

fn holds(condition: &[Value], record: &Record) -> bool {
    let [field, operator, value] = condition else { panic!("{condition:?} is no condition") };
    let own = match field.as_str() {
        Some(name) => record.get(name).cloned().unwrap_or(json!(false)),
        None => field.clone(),
    };
    let is_among = || value.as_array().expect("a list").contains(&own);
    match operator.as_str().expect("an operator") {
        "=" => own == *value,
        "!=" => own != *value,
        "in" => is_among(),
        "not in" => !is_among(),
        ">=" => !is_less(&own, value),
        "<" => is_less(&own, value),
        "<=" => !is_less(value, &own),
        ">" => is_less(value, &own),
        other => panic!("the stub does not know {other}"),
    }
}

/// Compares numbers, and texts such as times.
fn is_less(one: &Value, other: &Value) -> bool {
    match (one.as_i64(), other.as_i64()) {
        (Some(one), Some(other)) => one < other,
        _ => one.as_str() < other.as_str(),
    }
}

/// The conditions of which all must hold; those within another operator than "&" are left out.
pub(crate) fn conjuncts(domain: &[Value]) -> Vec<&[Value]> {
    let mut found = Vec::new();
    let mut rest = domain;
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        match (first.as_str(), first.as_array()) {
            (Some("&"), _) => {}
            (None, Some(condition)) => found.push(condition.as_slice()),
            _ => skip_operands(&mut rest, if first == "!" { 1 } else { 2 }),
        }
    }
    found
}

fn skip_operands(rest: &mut &[Value], mut due: usize) {
    while due > 0 {
        let Some((first, behind)) = rest.split_first() else { return };
        *rest = behind;
        match first.as_str() {
            Some("&" | "|") => due += 1,
            Some(_) => {}
            None => due -= 1,
        }
    }
}
