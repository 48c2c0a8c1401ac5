//! What differs between two answers to the same read.
//!
//! Pure. What means the same is the same: records in another order where the caller named none, a float that differs in its last
//! digits, a time with a blank or a `T` in it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::recorded::Recorded;

/// Floats that differ by less, in proportion, are the same.
const PRECISION: f64 = 1e-9;
/// Differences of one call beyond this number are not told.
const MOST: usize = 50;

/// One difference.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Difference {
    pub(super) kind: Kind,
    /// A field, such as `order_line.product_id`; empty where the whole answer is meant.
    pub(super) place: String,
    pub(super) addon: Value,
    pub(super) gateway: Value,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// The gateway refuses, with this code, what the addon answers.
    GatewayRefuses(String),
    /// The addon refuses what the gateway answers.
    AddonRefuses,
    /// Both refuse it, in other words.
    Words,
    /// Both answer, with other messages.
    Message,
    /// Records that one of them alone answers.
    Records,
    /// The same records in another order than the caller named.
    Order,
    /// Another value.
    Value,
    /// The gateway warns, with this code.
    Warning(String),
}

/// The differences between two answers, each without its envelope.
pub(super) fn differences(call: &Recorded, addon: &Value, gateway: &Value) -> Vec<Difference> {
    let differs = |kind: Kind, addon: &Value, gateway: &Value| Difference {
        kind,
        place: String::new(),
        addon: addon.clone(),
        gateway: gateway.clone(),
    };
    let mut found = Vec::new();
    for warning in gateway["warnings"].as_array().into_iter().flatten() {
        let code = warning["code"].as_str().unwrap_or_default().to_owned();
        found.push(differs(Kind::Warning(code), &Value::Null, &warning["message"]));
    }
    let is_done = |answer: &Value| answer["is_success"] == Value::Bool(true);
    match (is_done(addon), is_done(gateway)) {
        (true, true) => {
            if addon["messages"] != gateway["messages"] {
                found.push(differs(Kind::Message, &addon["messages"], &gateway["messages"]));
            }
            results(call, &addon["result"], &gateway["result"], &mut found);
        }
        (true, false) => {
            // A refusal before a result has its code in another place.
            let codes = [&gateway["error"]["code"], &gateway["data"]["code"]];
            let code = codes.into_iter().find_map(Value::as_str).unwrap_or("failed").to_owned();
            let words = [&gateway["messages"], &gateway["message"]].into_iter().find(|words| words.is_string());
            found.push(differs(Kind::GatewayRefuses(code), &addon["result"], words.unwrap_or(gateway)));
        }
        (false, true) => {
            found.push(differs(Kind::AddonRefuses, &last_line(&addon["messages"]), &gateway["result"]));
        }
        (false, false) => {
            let (theirs, ours) = (last_line(&addon["messages"]), &gateway["messages"]);
            // The addon's sentence has the exception's name before it.
            let is_same = match (theirs.as_str(), ours.as_str()) {
                (Some(theirs), Some(ours)) => theirs == ours || theirs.ends_with(&format!(": {ours}")),
                _ => false,
            };
            if !is_same {
                found.push(differs(Kind::Words, &theirs, ours));
            }
        }
    }
    found
}

fn results(call: &Recorded, addon: &Value, gateway: &Value, found: &mut Vec<Difference>) {
    let (Some(theirs), Some(ours)) = (by_id(addon), by_id(gateway)) else {
        return values("", addon, gateway, found);
    };
    let only = |some: &Records<'_>, others: &Records<'_>| -> Value {
        some.iter()
            .filter(|(id, _)| !others.iter().any(|(other, _)| other == id))
            .map(|(id, _)| Value::from(*id))
            .collect()
    };
    let (only_theirs, only_ours) = (only(&theirs, &ours), only(&ours, &theirs));
    let has_order = call.parameter("order").is_some_and(|order| order.as_str().is_some_and(|order| !order.is_empty()));
    let order = |some: &Records<'_>| -> Vec<i64> { some.iter().map(|(id, _)| *id).collect() };
    if only_theirs != only_ours {
        let place = String::new();
        found.push(Difference { kind: Kind::Records, place, addon: only_theirs, gateway: only_ours });
    } else if has_order && order(&theirs) != order(&ours) {
        let [addon, gateway] = [order(&theirs), order(&ours)].map(Value::from);
        found.push(Difference { kind: Kind::Order, place: String::new(), addon, gateway });
    }
    let ours: BTreeMap<i64, &Value> = ours.into_iter().collect();
    for (id, record) in theirs {
        if let Some(other) = ours.get(&id) {
            values("", record, other, found);
        }
    }
}

type Records<'r> = Vec<(i64, &'r Value)>;

/// Records by their ids; none where the value is something else.
fn by_id(value: &Value) -> Option<Records<'_>> {
    let records = value.as_array()?;
    records.iter().map(|record| Some((record["id"].as_i64()?, record))).collect()
}

/// The innermost places that differ.
fn values(place: &str, addon: &Value, gateway: &Value, found: &mut Vec<Difference>) {
    if found.len() >= MOST || is_same(addon, gateway) {
        return;
    }
    let within = |name: &str| if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") };
    match (addon, gateway) {
        (Value::Object(theirs), Value::Object(ours)) => {
            for (name, value) in theirs {
                values(&within(name), value, ours.get(name).unwrap_or(&Value::Null), found);
            }
            for (name, value) in ours.iter().filter(|(name, _)| !theirs.contains_key(*name)) {
                values(&within(name), &Value::Null, value, found);
            }
        }
        (Value::Array(theirs), Value::Array(ours)) if theirs.len() == ours.len() && by_id(addon).is_some() => {
            for (theirs, ours) in theirs.iter().zip(ours) {
                values(place, theirs, ours, found);
            }
        }
        _ => found.push(Difference {
            kind: Kind::Value,
            place: place.to_owned(),
            addon: addon.clone(),
            gateway: gateway.clone(),
        }),
    }
}

/// Whether two values mean the same.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(_), Value::Number(_)) => {
            let (one, other) = (one.as_f64().unwrap_or(f64::NAN), other.as_f64().unwrap_or(f64::NAN));
            (one - other).abs() <= PRECISION * one.abs().max(other.abs()).max(1.0)
        }
        (Value::String(one), Value::String(other)) => one == other || (is_time(one) && time(one) == time(other)),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| is_same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, value)| other.get(name).is_some_and(|other| is_same(value, other)))
        }
        (one, other) => one == other,
    }
}

/// `2026-11-30 12:00:00`, with a `T` or not.
fn is_time(text: &str) -> bool {
    let digits = text.bytes().enumerate().all(|(place, byte)| match place {
        4 | 7 => byte == b'-',
        10 => matches!(byte, b' ' | b'T'),
        13 | 16 => byte == b':',
        _ => byte.is_ascii_digit(),
    });
    digits && text.len() == 19
}

fn time(text: &str) -> String {
    text.replacen('T', " ", 1)
}

/// The sentence at the end of a traceback.
fn last_line(messages: &Value) -> Value {
    let text = messages.as_str().unwrap_or_default().trim_end();
    Value::from(text.rsplit('\n').next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::route::Route;

    fn call(payload: Value) -> Recorded {
        let vals = json!({"payload": payload}).as_object().unwrap().clone();
        Recorded::new("1".to_owned(), Route::SearchData, "res.partner".to_owned(), vals)
    }

    fn done(result: Value) -> Value {
        json!({"is_success": true, "result": result, "messages": "Record search successfully"})
    }

    #[track_caller]
    fn check(payload: Value, addon: Value, gateway: Value, expected: &[(Kind, &str)]) {
        let found = differences(&call(payload), &done(addon), &done(gateway));
        let found: Vec<_> = found.iter().map(|found| (found.kind.clone(), found.place.as_str())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn what_means_the_same_is_the_same() {
        let rows = json!([{"id": 1, "credit": 0.1, "at": "2026-11-30 12:00:00"}, {"id": 2, "credit": 3}]);
        let same =
            json!([{"credit": 3.0, "id": 2}, {"id": 1, "at": "2026-11-30T12:00:00", "credit": 0.100_000_000_000_01}]);
        check(json!({}), rows.clone(), same.clone(), &[]);
        check(json!({"order": "id"}), rows, same, &[(Kind::Order, "")]);
        check(json!({}), json!({"count": 3}), json!({"count": 3}), &[]);
        check(json!({}), json!("2026-11-30 12:00"), json!("2026-11-30T12:00"), &[(Kind::Value, "")]);
    }

    #[test]
    fn a_difference_is_told_by_its_innermost_place() {
        let theirs = json!([{"id": 1, "line_ids": [{"id": 5, "qty": 1, "tax": [1]}]}, {"id": 2}]);
        let ours = json!([{"id": 1, "line_ids": [{"id": 5, "qty": 2, "tax": []}], "ref": "x"}, {"id": 3}]);
        let expected =
            [(Kind::Records, ""), (Kind::Value, "line_ids.qty"), (Kind::Value, "line_ids.tax"), (Kind::Value, "ref")];
        check(json!({}), theirs, ours, &expected);
    }

    #[test]
    fn refusals_are_compared_by_the_sentence_of_odoo() {
        let refused =
            |words: &str| json!({"is_success": false, "messages": words, "error": {"code": "invalid_domain"}});
        let kinds = |addon: &Value, gateway: &Value| -> Vec<Kind> {
            differences(&call(json!({})), addon, gateway).into_iter().map(|found| found.kind).collect()
        };
        let traceback = refused("Traceback (most recent call last):\n  File …\nValueError: no such field\n");
        assert_eq!(kinds(&traceback, &refused("ValueError: no such field")), []);
        assert_eq!(kinds(&traceback, &refused("no such field")), []);
        assert_eq!(kinds(&traceback, &refused("`search_domain` names no field")), [Kind::Words]);
        let answered = done(json!([]));
        assert_eq!(kinds(&answered, &refused("no")), [Kind::GatewayRefuses("invalid_domain".to_owned())]);
        assert_eq!(kinds(&traceback, &answered), [Kind::AddonRefuses]);
        let mut warned = answered.clone();
        warned["warnings"] = json!([{"code": "unknown_parameter", "message": "ignored"}]);
        assert_eq!(kinds(&answered, &warned), [Kind::Warning("unknown_parameter".to_owned())]);
    }
}
