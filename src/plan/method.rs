//! `call_function`: a public method on the records that a search key finds.

use serde_json::{Map, Value, json};

use super::{
    Error, Plan, Rules, Step,
    vals::{Vals, note_unread, wrong},
};
use crate::odoo::{Caller, Page, Rpc};

const PARAMETERS: [&str; 3] = ["method", "parameter", "context"];

/// Finds the records, and plans the call on them. Where none is found the method is called on none, as the addon does.
pub async fn call_function(
    caller: &Caller,
    model: &str,
    vals: &Map<String, Value>,
    rules: Rules<'_>,
) -> Result<Plan, Error> {
    let vals = Vals::read(vals, rules)?;
    let domain = vals.search_domain()?;
    let (payload, mut warnings) = (vals.payload, vals.warnings);
    note_unread(&payload, &PARAMETERS, "payload.", &mut warnings)?;
    let method = match payload.get("method") {
        Some(Value::String(method)) if !method.is_empty() => method,
        None | Some(Value::Null | Value::Bool(false) | Value::String(_)) => return Err(Error::NoMethod),
        Some(other) => return Err(wrong("payload.method", "a method's name", other)),
    };
    if method.starts_with('_') {
        return Err(Error::PrivateMethod { model: model.to_owned(), method: method.clone() });
    }
    let kwargs = object(&payload, "parameter")?;
    // Odoo's doors use these names for the records and the context, so a method's own argument cannot have them.
    if let Some(name) = kwargs.keys().find(|name| matches!(name.as_str(), "context" | "ids")) {
        let problem =
            "cannot be passed from outside: give a context in `payload.context`, records by `search_key`".to_owned();
        return Err(Error::WrongKind { path: format!("payload.parameter.{name}"), problem });
    }
    let context = object(&payload, "context")?;
    let found = caller.call(&Rpc::search_read(model, domain, json!(["id"]), Page::default())).await?;
    let ids: Vec<i64> = found.as_array().into_iter().flatten().filter_map(|row| row["id"].as_i64()).collect();
    if ids.is_empty() {
        warnings.note(
            "nothing_matched",
            "search_key",
            format!("no record of `{model}` matches `search_key`; `{method}` was called on none"),
        )?;
    }
    let rpc = Rpc { context, ..Rpc::method(model, method, Some(ids), kwargs) };
    Ok(Plan { step: Step::Method { rpc }, warnings: warnings.into_vec() })
}

fn object(payload: &Map<String, Value>, name: &str) -> Result<Map<String, Value>, Error> {
    match payload.get(name) {
        None | Some(Value::Null | Value::Bool(false)) => Ok(Map::new()),
        Some(Value::Object(object)) => Ok(object.clone()),
        Some(other) => Err(wrong(&format!("payload.{name}"), "an object", other)),
    }
}
