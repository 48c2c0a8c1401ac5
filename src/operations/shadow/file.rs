//! A file of calls, one JSON object a line: of the addon's own log (`api.log`), or as senders send them.

use serde_json::{Map, Value};

use super::recorded::Recorded;
use crate::route::Route;

/// Why a line is no call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotACall {
    #[error("the line is not a JSON object")]
    NotJson,
    #[error("the line names no route: `route` or `function_name`, such as \"search_data\"")]
    NoRoute,
    #[error("the line names no `model`")]
    NoModel,
    /// The addon's log keeps the first 2,000 characters from 18.0.3 on.
    #[error(
        "`data` of the line is not JSON: the addon's log has cut it off (it keeps the whole as an attachment from 18.0.3 on)"
    )]
    CutOff,
    #[error("the line has no `vals`, and no `data` as the addon's log has it")]
    NoVals,
}

/// The call of a line of such a file: `{"route", "model", "vals"}`, the same with the whole body under `params`, or a record of
/// `api.log` with `function_name`, `model`, `data` and `state`.
///
/// # Errors
/// The line is no call.
pub fn call_of_line(number: usize, line: &str) -> Result<Recorded, NotACall> {
    let line: Map<String, Value> = serde_json::from_str(line).map_err(|_| NotACall::NotJson)?;
    let text = |name: &str| line.get(name).and_then(Value::as_str);
    let route = text("function_name").or_else(|| text("route")).ok_or(NotACall::NoRoute)?;
    let route = Route::named(route.trim_start_matches("/api/")).ok_or(NotACall::NoRoute)?;
    let body = line.get("params").and_then(Value::as_object).unwrap_or(&line);
    let model = body.get("model").and_then(Value::as_str).ok_or(NotACall::NoModel)?;
    let vals = match (body.get("vals"), text("data")) {
        (Some(Value::Object(vals)), _) => vals.clone(),
        (_, Some(data)) => serde_json::from_str(data).map_err(|_| NotACall::CutOff)?,
        _ => return Err(NotACall::NoVals),
    };
    let mut call = Recorded::new(format!("line {number}"), route, model.to_owned(), vals);
    call.was_done = match text("state") {
        Some("done") => Some(true),
        Some("failed") => Some(false),
        _ => None,
    };
    Ok(call)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_of_the_addons_log_and_a_body_are_calls() {
        let vals = json!({"payload": {"search_field": ["name"]}});
        let logged = json!({"id": 7, "model": "res.partner", "route": "/api/search_data", "function_name": "search_data",
            "data": json!({"payload": {"search_field": ["name"]}, "is_create_log": true}).to_string(), "state": "done"});
        let sent = json!({"route": "search_data", "params": {"model": "res.partner", "vals": vals}});
        for (line, was_done) in [(logged, Some(true)), (sent, None)] {
            let call = call_of_line(3, &line.to_string()).unwrap();
            assert_eq!(
                (call.name.as_str(), call.route, call.model.as_str()),
                ("line 3", Route::SearchData, "res.partner")
            );
            assert_eq!((json!(call.vals), call.was_done), (vals.clone(), was_done));
        }
    }

    #[test]
    fn what_is_no_call_says_why() {
        for (line, why) in [
            ("[]", NotACall::NotJson),
            (r#"{"model": "m", "vals": {}}"#, NotACall::NoRoute),
            (r#"{"route": "drop_data", "model": "m", "vals": {}}"#, NotACall::NoRoute),
            (r#"{"route": "search_data", "vals": {}}"#, NotACall::NoModel),
            (r#"{"route": "search_data", "model": "m"}"#, NotACall::NoVals),
            (r#"{"route": "search_data", "model": "m", "data": "{\"payload\": {"}"#, NotACall::CutOff),
        ] {
            assert_eq!(call_of_line(1, line), Err(why), "{line}");
        }
    }
}
