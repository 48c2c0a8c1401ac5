//! From what a template gave to the calls that are to be made.
//!
//! It gives one of: an object with `payload` in it, which is the `vals` of the hook's route and model; an object with `vals`, and
//! with `route` and `model` where they are others; or a list of such objects, whose calls are made in their order.

use serde_json::{Map, Value};

use super::{Error, Hook, template::Ran};
use crate::route::Route;

/// The most calls of one delivery.
const MOST: usize = 1_000;

/// What a template made of a delivery.
#[derive(Debug, Clone, PartialEq)]
pub enum Made {
    /// There is nothing to do, for this reason.
    Ignored(String),
    One(MadeCall),
    /// To be made one after another.
    Several(Vec<MadeCall>),
}

/// One call that a template made.
#[derive(Debug, Clone, PartialEq)]
pub struct MadeCall {
    pub route: Route,
    pub model: String,
    pub vals: Map<String, Value>,
}

/// Reads what the template of a hook gave.
///
/// # Errors
/// It gave nothing, or something else than calls.
pub(super) fn read(hook: &Hook, ran: Ran) -> Result<Made, Error> {
    let results = match ran {
        Ran::Ignored(why) => return Ok(Made::Ignored(why)),
        Ran::Results(results) => results,
    };
    let results = results.iter().map(|result| serde_json::from_str(result));
    let mut results: Vec<Value> =
        results.collect::<Result<_, _>>().map_err(|error| Error::Failed(error.to_string()))?;
    match (results.pop(), results.is_empty()) {
        (None | Some(Value::Null | Value::Bool(false)), true) => Err(Error::NoPayload),
        (Some(Value::Array(calls)), true) if calls.is_empty() => Err(Error::NoPayload),
        (Some(Value::Array(calls)), true) if calls.len() > MOST => {
            Err(Error::NotVals(format!("a list of {} calls; {MOST} are the most", calls.len())))
        }
        (Some(Value::Array(calls)), true) => {
            let calls = calls.into_iter().enumerate().map(|(at, call)| {
                read_one(hook, call).map_err(|what| Error::NotVals(format!("{what}, in its place {at}")))
            });
            calls.collect::<Result<_, _>>().map(Made::Several)
        }
        (Some(call), true) => read_one(hook, call).map(Made::One).map_err(Error::NotVals),
        (_, false) => Err(Error::NotVals("several results".to_owned())),
    }
}

fn read_one(hook: &Hook, call: Value) -> Result<MadeCall, String> {
    let Value::Object(mut call) = call else { return Err(crate::plan::kind_of(&call).to_owned()) };
    let entry = &hook.entry;
    let (route, model, vals, strict) = if call.get("vals").is_some_and(Value::is_object) {
        let route = match call.remove("route") {
            None => entry.route,
            Some(name) => name.as_str().and_then(Route::named).ok_or_else(|| format!("the unknown route {name}"))?,
        };
        let model = match call.remove("model") {
            None => entry.model.clone(),
            Some(Value::String(model)) => model,
            Some(other) => return Err(format!("a model that is {}", crate::plan::kind_of(&other))),
        };
        let (strict, vals) = (call.remove("strict"), call.remove("vals"));
        if let Some(unknown) = call.keys().next() {
            return Err(format!("an object with `{unknown}` beside `vals`"));
        }
        let Some(Value::Object(vals)) = vals else { return Err("an object without `vals`".to_owned()) };
        (route, model, vals, strict)
    } else if call.get("payload").is_some_and(|payload| payload.is_object() || payload.is_array()) {
        (entry.route, entry.model.clone(), call, None)
    } else {
        return Err("an object without it".to_owned());
    };
    let mut vals = vals;
    if let Some(strict) = strict.or_else(|| entry.strict.then_some(Value::Bool(true)))
        && !vals.contains_key("strict")
    {
        vals.insert("strict".to_owned(), strict);
    }
    let may_change = matches!(route, Route::UpdateData | Route::CreateUpdateData);
    if let Some(when) = entry.when.as_ref().filter(|_| may_change)
        && model == entry.model
        && !vals.contains_key("when")
    {
        vals.insert("when".to_owned(), when.clone());
    }
    Ok(MadeCall { route, model, vals })
}
