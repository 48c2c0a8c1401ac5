//! Differences that are meant: each by the first cell of its row in docs/differences.md, which a test holds against that page.

use serde_json::Value;

use super::{
    compare::{Difference, Kind},
    recorded::Recorded,
};

const SEVERAL_KEYS: &str = "A lookup with several keys (`{\"name\": \"A\", \"company_id\": 2}`)";

/// The row of docs/differences.md that has this difference; none where it is not expected.
pub(super) fn row(call: &Recorded, difference: &Difference) -> Option<&'static str> {
    match &difference.kind {
        Kind::Warning(code) => of_code(code),
        Kind::GatewayRefuses(code) => of_refusal(code),
        Kind::Words => Some("Errors"),
        Kind::AddonRefuses => of_call(call),
        Kind::Value => of_values(&difference.addon, &difference.gateway).or_else(|| of_call(call)),
        Kind::Records => of_call(call),
        Kind::Message | Kind::Order => None,
    }
}

/// What the gateway warns of: the addon does the same in silence.
pub(super) fn of_code(code: &str) -> Option<&'static str> {
    Some(match code {
        "unknown_field" => "A field that the model lacks",
        "field_not_written" => {
            "A value that Odoo drops (a computed field without an inverse, `amount_total` of a new order)"
        }
        "unknown_parameter" => "A parameter that nobody reads",
        "nothing_matched" => "An update that matches nothing",
        "no_match" => "A many2many record that is not found beside others",
        "lookup_key_ignored" => SEVERAL_KEYS,
        "several_matched" => "An update that matches several records",
        "archived_match" => "An upsert or `auto_create` whose key an archived record holds",
        "search_key_not_written" => "The search key of an upsert that makes a record",
        "lines_removed" => "Lines on an update",
        "odoo_asks_back" => "A method that answers a wizard or another action",
        "result_not_read" => "An update whose `result_field` a rule hides",
        _ => return None,
    })
}

/// What the gateway refuses and the addon takes.
pub(super) fn of_refusal(code: &str) -> Option<&'static str> {
    Some(match code {
        "misplaced_parameter" => {
            "A parameter in the wrong place (`limit` in `vals`, `dry_run` beside it); no `payload`"
        }
        "too_many_rows" => "A search without `limit`",
        "private_method" => "`call_function` on methods with `_`, or private by decoration",
        "invalid_value" => "A value of another type than its field",
        _ => return None,
    })
}

/// What the gateway refuses at this place of `vals`: a lookup with several keys, of which the addon takes the first.
pub(super) fn of_lookup(call: &Recorded, code: &str, path: &str) -> Option<&'static str> {
    let mut steps = path.split(['.', '[']).map(|step| step.trim_end_matches(']'));
    let mut place = call.vals.get(steps.next()?)?;
    for step in steps {
        place = match place {
            Value::Array(items) => items.get(step.parse::<usize>().ok()?)?,
            other => other.get(step)?,
        };
    }
    let has_several = place.as_object().is_some_and(|lookup| lookup.len() > 1);
    (has_several && matches!(code, "no_match" | "ambiguous_match" | "unknown_lookup_field")).then_some(SEVERAL_KEYS)
}

/// What the call asks for that the addon does not know.
fn of_call(call: &Recorded) -> Option<&'static str> {
    let has = |name: &str| call.parameter(name).is_some();
    let wants_nested = |list: &Value| {
        let fields = list.as_array().into_iter().flatten().filter_map(Value::as_str);
        fields.into_iter().any(|field| field.matches('{').count() > 2)
    };
    if has("count") || has("group") {
        return Some("`count`, `group`");
    }
    if has("offset") {
        return Some("`offset`");
    }
    if has("on_model") {
        return Some("`call_function` on a method of the model");
    }
    if call.vals.contains_key("context") {
        return Some("`context`");
    }
    if call.parameter("search_domain").is_some_and(|domain| !domain.is_string()) {
        return Some("`search_domain`");
    }
    call.parameter("search_field").is_some_and(wants_nested).then_some("Fields within fields")
}

fn of_values(addon: &Value, gateway: &Value) -> Option<&'static str> {
    let is_recordset = |text: &str| text.ends_with(')') && text.contains('(') && text.contains('.');
    match (addon, gateway) {
        (Value::String(text), Value::Array(_)) if is_recordset(text) => Some("A recordset as result"),
        (Value::Array(theirs), Value::Array(ours))
            if theirs.is_empty() && ours.len() == 1 && ours[0]["id"].is_i64() =>
        {
            Some("Archived records within a many2one")
        }
        (Value::Array(theirs), Value::Array(ours))
            if !theirs.iter().any(Value::is_object) && ours.iter().any(|record| record["id"].is_i64()) =>
        {
            Some("Fields within fields")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{errors::Code, plan::WarningCode, route::Route};

    fn call(payload: Value) -> Recorded {
        let vals = json!({"payload": payload}).as_object().unwrap().clone();
        Recorded::new("1".to_owned(), Route::SearchData, "res.partner".to_owned(), vals)
    }

    fn value(addon: Value, gateway: Value) -> Difference {
        Difference { kind: Kind::Value, place: "f".to_owned(), addon, gateway }
    }

    #[test]
    fn a_difference_that_is_meant_is_named_by_a_row_of_the_page() {
        let page = include_str!("../../../docs/differences.md");
        let plain = call(json!({}));
        let of_payload = |payload: Value| row(&call(payload), &value(json!([1]), json!({"count": 1})));
        let warnings = [
            WarningCode::UnknownField,
            WarningCode::FieldNotWritten,
            WarningCode::UnknownParameter,
            WarningCode::NothingMatched,
            WarningCode::NoMatch,
            WarningCode::LookupKeyIgnored,
            WarningCode::SeveralMatched,
            WarningCode::ArchivedMatch,
            WarningCode::SearchKeyNotWritten,
            WarningCode::LinesRemoved,
            WarningCode::OdooAsksBack,
            WarningCode::ResultNotRead,
        ];
        let refusals = [Code::MisplacedParameter, Code::TooManyRows, Code::PrivateMethod, Code::InvalidValue];
        let mut rows: Vec<Option<&str>> = warnings.iter().map(|warning| of_code(warning.code().as_str())).collect();
        rows.extend(refusals.iter().map(|code| of_refusal(code.as_str())));
        rows.extend([
            row(&plain, &value(json!("res.partner(3,)"), json!([3]))),
            row(&plain, &value(json!([]), json!([{"id": 3}]))),
            row(&plain, &value(json!([3, 4]), json!([{"id": 3}, {"id": 4}]))),
            row(&plain, &Difference { kind: Kind::Words, ..value(json!("a"), json!("b")) }),
            of_payload(json!({"count": true})),
            of_payload(json!({"offset": 5})),
            of_payload(json!({"on_model": true})),
            of_payload(json!({"search_domain": []})),
            of_payload(json!({"search_field": ["a{b{c{d}}}"]})),
        ]);
        for row in rows {
            let row = row.expect("a row");
            assert!(page.lines().any(|line| line.starts_with(&format!("| {row}"))), "docs/differences.md lacks {row}");
        }
    }

    #[test]
    fn a_refused_lookup_with_several_keys_is_told_by_its_place() {
        let vals = json!({"payload": {"lines": [{"a_id": {"name": "A"}}, {"a_id": {"name": "A", "ref": "B"}}]}});
        let call = Recorded::new("1".to_owned(), Route::CreateData, "m".to_owned(), vals.as_object().unwrap().clone());
        assert_eq!(of_lookup(&call, "no_match", "payload.lines[1].a_id"), Some(SEVERAL_KEYS));
        for (code, path) in [
            ("no_match", "payload.lines[0].a_id"),
            ("no_match", "payload.lines[7].a_id"),
            ("access_error", "payload.lines[1].a_id"),
            ("no_match", ""),
        ] {
            assert_eq!(of_lookup(&call, code, path), None, "{code} {path}");
        }
    }

    #[test]
    fn a_difference_that_nothing_explains_is_not_expected() {
        assert_eq!(row(&call(json!({"search_domain": "[]"})), &value(json!(1), json!(2))), None);
        assert_eq!(of_refusal("access_error"), None);
        assert_eq!(of_code("marker_not_written"), None);
    }
}
