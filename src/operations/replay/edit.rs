//! A payload that is changed before it is sent again.

use serde_json::Value;

/// What was given is not a JSON object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("what was given is no JSON object")]
pub struct NotAPayload;

/// The model and `vals` that are sent. A whole body, its `vals`, or the payload in them may be given; their keys, as the
/// interface names them, distinguish the three. The rest stays as it was.
///
/// # Errors
/// What was given is not an object.
pub(super) fn edited(mut given: Value, model: String, mut vals: Value) -> Result<(String, Value), NotAPayload> {
    if given["params"].is_object() {
        given = given["params"].take();
    }
    let entries = given.as_object().ok_or(NotAPayload)?;
    if entries.get("vals").is_some_and(Value::is_object) {
        let model = entries.get("model").and_then(Value::as_str).map_or(model, str::to_owned);
        return Ok((model, given["vals"].take()));
    }
    if ["payload", "search_key"].iter().any(|key| entries.contains_key(*key)) {
        return Ok((model, given));
    }
    vals["payload"] = given;
    Ok((model, vals))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(given: Value, expected: (&str, Value)) {
        let vals = json!({"payload": {"name": "old"}, "result_field": ["name"]});
        let (model, vals) = edited(given, "res.partner".to_owned(), vals).unwrap();
        assert_eq!((model.as_str(), vals), expected);
    }

    #[test]
    fn a_body_its_vals_or_the_payload_alone_may_be_given() {
        let vals = json!({"payload": {"name": "new"}});
        check(json!({"params": {"model": "m", "vals": vals}}), ("m", vals.clone()));
        check(json!({"vals": vals}), ("res.partner", vals.clone()));
        check(vals.clone(), ("res.partner", vals));
        let whole = json!({"payload": {"name": "new"}, "result_field": ["name"]});
        check(json!({"name": "new"}), ("res.partner", whole));
        assert!(edited(json!([1]), "m".to_owned(), json!({})).is_err());
    }
}
