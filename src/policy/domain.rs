//! Odoo's search domains: a list of conditions and operators in prefix notation; adjacent conditions are joined by
//! "and".
//!
//! Concatenating two domains can change their meaning: `["|", A]` before `[B]` is "A or B". So a domain is parsed
//! first, and every "and" is written out; an incomplete domain is an error.

use std::fmt;

use serde_json::{Map, Value, json};

/// A complete domain, with every operator written out. An empty one matches all records.
#[derive(Debug, Clone, PartialEq)]
pub struct Domain(Vec<Value>);

/// Why a value is not a domain, in words that follow its name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("must be a list of conditions")]
    NotAList,
    #[error("has {0} where a condition `[field, operator, value]` or one of \"&\", \"|\", \"!\" is due")]
    Item(String),
    #[error("ends within an operator: \"&\" and \"|\" take two conditions, \"!\" one")]
    Unfinished,
}

impl Domain {
    pub fn read(value: &Value) -> Result<Self, Malformed> {
        let items = value.as_array().ok_or(Malformed::NotAList)?;
        let mut normal = Vec::with_capacity(items.len() * 2);
        // The number of conditions that are still needed; another complete domain may follow where none is.
        let (mut due, mut ands) = (1_usize, 0);
        for item in items {
            if due == 0 {
                ands += 1;
                due = 1;
            }
            match item {
                Value::String(operator) if matches!(operator.as_str(), "&" | "|") => due += 1,
                Value::String(operator) if operator == "!" => {}
                Value::Array(condition) if names_a_field(condition) || is_constant(condition) => {
                    due -= 1;
                }
                other => return Err(Malformed::Item(other.to_string().chars().take(80).collect())),
            }
            normal.push(item.clone());
        }
        if due > 0 && !normal.is_empty() {
            return Err(Malformed::Unfinished);
        }
        normal.splice(0..0, std::iter::repeat_n(json!("&"), ands));
        Ok(Self(normal))
    }

    /// The conjunction of both domains.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        match (self.0.is_empty(), other.0.is_empty()) {
            (true, _) => other.clone(),
            (_, true) => self.clone(),
            (false, false) => Self([vec![json!("&")], self.0.clone(), other.0.clone()].concat()),
        }
    }

    pub fn to_value(&self) -> Value {
        Value::Array(self.0.clone())
    }

    /// The conditions on fields: field, operator, value. Constant conditions are left out.
    pub fn conditions(&self) -> impl Iterator<Item = (&str, &str, &Value)> {
        self.0.iter().filter_map(|item| match item.as_array().map(Vec::as_slice) {
            Some([Value::String(field), operator, value]) => {
                Some((field.as_str(), operator.as_str().unwrap_or_default(), value))
            }
            _ => None,
        })
    }

    /// Whether a record within this domain stays there when these values are written, as far as the values alone show
    /// it. A written field for which they do not show it counts as leaving the domain.
    pub fn keeps(&self, written: &Map<String, Value>) -> bool {
        let is_plain = self.0.iter().all(|item| !matches!(item.as_str(), Some("|" | "!")));
        self.conditions().all(|(field, operator, value)| {
            let first = field.split('.').next().unwrap_or_default();
            match written.get(first) {
                None => true,
                Some(written) => is_plain && field == first && holds(written, operator, value),
            }
        })
    }
}

fn names_a_field(condition: &[Value]) -> bool {
    matches!(condition, [Value::String(field), _, _] if !matches!(field.as_str(), "&" | "|" | "!"))
}

/// `[1, "=", 1]` and `[0, "=", 1]`, which match all records, or none.
fn is_constant(condition: &[Value]) -> bool {
    matches!(condition, [left, operator, right] if left.is_i64() && *operator == "=" && right.is_i64())
}

/// Inequality proves nothing, since Odoo converts values: `0` of a boolean is false, and numbers are rounded.
fn holds(written: &Value, operator: &str, value: &Value) -> bool {
    match operator {
        "=" => is_same(written, value),
        "in" => value.as_array().is_some_and(|list| list.iter().any(|value| is_same(written, value))),
        _ => false,
    }
}

/// Whether the value is Odoo's empty value, false.
fn is_same(one: &Value, other: &Value) -> bool {
    let is_nothing = |value: &Value| matches!(value, Value::Null | Value::Bool(false));
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => one.total_cmp(&other).is_eq(),
        _ => is_scalar(one) && (one == other || (is_nothing(one) && is_nothing(other))),
    }
}

fn is_scalar(value: &Value) -> bool {
    !value.is_array() && !value.is_object()
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Value::Array(self.0.clone()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(value: Value) -> Result<Domain, Malformed> {
        Domain::read(&value)
    }

    #[test]
    fn every_and_is_written_out() {
        let (a, b, c) = (json!(["a", "=", 1]), json!(["b", "=", 2]), json!(["c", "=", 3]));
        for (given, normal) in [
            (json!([]), json!([])),
            (json!([a]), json!([a])),
            (json!([a, b]), json!(["&", a, b])),
            (json!([a, b, c]), json!(["&", "&", a, b, c])),
            (json!(["|", a, b, c]), json!(["&", "|", a, b, c])),
            (json!([a, "|", b, c]), json!(["&", a, "|", b, c])),
            (json!(["!", a, b]), json!(["&", "!", a, b])),
            (json!([[1, "=", 1], a]), json!(["&", [1, "=", 1], a])),
        ] {
            assert_eq!(read(given.clone()).unwrap().to_value(), normal, "{given}");
        }
    }

    #[test]
    fn what_is_not_whole_is_none() {
        let a = json!(["a", "=", 1]);
        for unfinished in [json!(["|", a]), json!(["|"]), json!(["!"]), json!([a, "&", a])] {
            assert_eq!(read(unfinished.clone()), Err(Malformed::Unfinished), "{unfinished}");
        }
        for odd in [
            json!(["or", a, a]),
            json!([["a", "="]]),
            json!([1]),
            json!([[["a"], "=", 1]]),
            json!([null]),
            json!([["|", a, a]]),
        ] {
            assert!(matches!(read(odd.clone()), Err(Malformed::Item(_))), "{odd}");
        }
        assert_eq!(read(json!("[]")), Err(Malformed::NotAList));
    }

    #[test]
    fn an_or_does_not_reach_over_to_the_other_domain() {
        let forced = read(json!([["team_id", "=", 3]])).unwrap();
        let own = read(json!(["|", ["a", "=", 1], ["b", "=", 1]])).unwrap();
        assert_eq!(forced.and(&own).to_value(), json!(["&", ["team_id", "=", 3], "|", ["a", "=", 1], ["b", "=", 1]]));
        assert_eq!(forced.and(&read(json!([])).unwrap()), forced);
    }

    #[track_caller]
    fn check_keeps(domain: Value, written: Value, expected: bool) {
        let domain = read(domain).unwrap();
        assert_eq!(domain.keeps(written.as_object().unwrap()), expected, "{domain} {written}");
    }

    #[test]
    fn what_is_written_may_not_lead_out_of_a_domain() {
        let team = json!([["team_id", "=", 3], ["state", "in", ["draft", "sent"]]]);
        check_keeps(team.clone(), json!({"name": "x"}), true);
        check_keeps(team.clone(), json!({"team_id": 3, "state": "sent"}), true);
        check_keeps(team.clone(), json!({"team_id": 3.0}), true);
        for out in [json!({"team_id": 4}), json!({"state": "sale"}), json!({"team_id": null}), json!({"team_id": [3]})]
        {
            check_keeps(team.clone(), out, false);
        }
        check_keeps(json!([["active", "!=", false]]), json!({"active": 0}), false);
        check_keeps(json!([["name", "not in", ["a"]]]), json!({"name": "b"}), false);
        // What the value alone does not show is not let through.
        check_keeps(json!([["team_id.company_id", "=", 1]]), json!({"team_id": 3}), false);
        check_keeps(json!([["total", ">", 3]]), json!({"total": 5}), false);
        check_keeps(json!(["|", ["a", "=", 1], ["b", "=", 1]]), json!({"a": 1}), false);
        check_keeps(json!(["|", ["a", "=", 1], ["b", "=", 1]]), json!({"c": 1}), true);
    }

    /// A domain's meaning: its conditions are numbers, of which some hold.
    fn means(items: &[Value], at: &mut usize) -> bool {
        let item = &items[*at];
        *at += 1;
        match item.as_str() {
            Some("&") => {
                let (left, right) = (means(items, at), means(items, at));
                left && right
            }
            Some("|") => {
                let (left, right) = (means(items, at), means(items, at));
                left || right
            }
            Some(_) => !means(items, at),
            None => item[2] == 1,
        }
    }

    proptest! {
        #[test]
        fn both_domains_hold_where_the_joined_one_does(
            one in prop::collection::vec(0..5_u8, 0..9), other in prop::collection::vec(0..5_u8, 0..9)
        ) {
            let item = |kind: &u8| match kind {
                0 => json!("&"),
                1 => json!("|"),
                2 => json!("!"),
                kind => json!(["f", "=", kind - 3]),
            };
            let read = |kinds: &[u8]| Domain::read(&kinds.iter().map(item).collect());
            if let (Ok(one), Ok(other)) = (read(&one), read(&other)) {
                let whole = |domain: &Domain| domain.0.is_empty() || means(&domain.0, &mut 0);
                let mut at = 0;
                let joined = one.and(&other);
                prop_assert_eq!(joined.0.is_empty() || means(&joined.0, &mut at), whole(&one) && whole(&other));
                prop_assert_eq!(at, joined.0.len());
            }
        }
    }
}
