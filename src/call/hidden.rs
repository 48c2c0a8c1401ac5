//! A recorded call that is made again with values that the log has hidden.
//!
//! Such a value reads `***`, which must never get to Odoo in its place. Where Odoo gets it in no way, as that of a key which the
//! model does not have, the call is the same without it.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::{
    odoo::Schema,
    plan::{self, Plan},
};

const HIDDEN: &str = "***";

/// The places of hidden values that are needed. Of a call that could not be planned, those under a field of a model that is
/// known by now.
pub(super) fn needed(
    vals: &Map<String, Value>,
    plan: &Result<Plan, plan::Error>,
    schemas: &[Arc<Schema>],
) -> Vec<String> {
    let mut hidden = Vec::new();
    for (key, value) in vals {
        find(value, key.clone(), &mut hidden);
    }
    hidden.sort_unstable();
    hidden.dedup();
    let is_field = |path: &str| {
        let key = path.rsplit('.').next().unwrap_or(path);
        schemas.iter().any(|schema| schema.field(key).is_some())
    };
    match plan {
        Ok(plan) => {
            let unused = plan.all_warnings().filter(|warning| warning.code.is_unused());
            let unused: Vec<String> = unused.map(|warning| without_positions(&warning.path)).collect();
            let is_within = |path: &str, place: &String| {
                path.strip_prefix(place.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            };
            hidden.retain(|path| !unused.iter().any(|place| is_within(path, place)));
        }
        Err(_) => hidden.retain(|path| is_field(path)),
    }
    hidden
}

/// The paths of keys to hidden values. All lines of a list are of one model, so positions do not matter.
fn find(value: &Value, path: String, hidden: &mut Vec<String>) {
    match value {
        // Earlier versions masked parts of texts, too.
        Value::String(text) if text.contains(HIDDEN) => hidden.push(path),
        Value::Array(items) => items.iter().for_each(|item| find(item, path.clone(), hidden)),
        Value::Object(entries) => {
            entries.iter().for_each(|(key, inner)| find(inner, format!("{path}.{key}"), hidden));
        }
        _ => {}
    }
}

/// `payload.order_line[2].name` as `payload.order_line.name`.
fn without_positions(path: &str) -> String {
    let mut plain = String::new();
    for part in path.split('[') {
        match part.split_once(']') {
            Some((position, rest)) if position.bytes().all(|byte| byte.is_ascii_digit()) => plain.push_str(rest),
            _ => plain.push_str(part),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use serde_json::json;

    use super::*;
    use crate::plan::{Warning, WarningCode, Work};

    #[track_caller]
    fn check(unused: &[(WarningCode, &str)], expected: &[&str]) {
        let vals = json!({"strict": false, "my_token": "***", "payload": {"name": "***", "x_token": {"a": "***"},
            "child_ids": [{"a_token": "***", "ref": "***"}, {"a_token": "***"}], "note": "see ***"}});
        let Value::Object(vals) = vals else { unreachable!() };
        let warning = |(code, path): &(WarningCode, &str)| Warning {
            code: *code,
            path: (*path).to_owned(),
            message: String::new(),
            meant: plan::Meant::default(),
        };
        let work = Work::Search {
            model: String::new(),
            domain: Value::Null,
            page: crate::odoo::Page::default(),
            most: None,
            fields: plan::Fields::Named(Vec::new()),
        };
        let warnings = unused.iter().map(warning).collect();
        let plan = Ok(Plan { work, lookups: Vec::new(), named_ids: Vec::new(), warnings, dry_run: false, answers: 0 });
        assert_eq!(needed(&vals, &plan, &[]), expected);
    }

    #[test]
    fn what_the_plan_left_out_is_not_needed() {
        let all = [
            "my_token",
            "payload.child_ids.a_token",
            "payload.child_ids.ref",
            "payload.name",
            "payload.note",
            "payload.x_token.a",
        ];
        check(&[], &all);
        check(&[(WarningCode::NoMatch, "payload.name"), (WarningCode::UnknownField, "payload.nam")], &all);
        check(
            &[
                (WarningCode::UnknownParameter, "my_token"),
                (WarningCode::UnknownField, "payload.x_token"),
                (WarningCode::UnknownField, "payload.child_ids[1].a_token"),
            ],
            &["payload.child_ids.ref", "payload.name", "payload.note"],
        );
    }

    #[test]
    fn of_a_call_without_a_plan_the_fields_that_are_known_are_needed() {
        let vals = Map::from_iter([("payload".to_owned(), json!({"ref": "***", "x_token": "***"}))]);
        let schema = Schema::new("m", HashMap::from([("ref".to_owned(), json!({"type": "char"}))]));
        let schemas = [Arc::new(schema)];
        assert_eq!(needed(&vals, &Err(plan::Error::NoMethod), &schemas), ["payload.ref"]);
        assert!(needed(&vals, &Err(plan::Error::NoMethod), &[]).is_empty());
    }
}
