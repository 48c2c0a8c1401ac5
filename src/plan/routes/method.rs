//! `call_function`: a public method on the records that a search key finds.

use serde_json::{Map, Value};

use super::{
    context,
    existing::{converted, find},
    message,
    then::Then,
    vals::{self, Vals, flag, note_unread},
};
use crate::{
    odoo::{Caller, Rpc},
    plan::{
        Asked, Error, On, Plan, WarningCode, Work, dialect::called, lookup::Filter, name_limits, old_lines::OldFields,
        policy_check::denied, wording::wrong,
    },
    policy::Touch,
};

/// Finds the records, and plans the call on them. Where none is found the method is called on none, as the addon does.
///
/// `"on_model": true` calls it on the model, and needs no search key.
///
/// # Errors
/// A parameter is missing or of the wrong kind, the method is private, or the policy denies it.
pub async fn call_function(caller: &Caller, asked: Asked<'_>) -> Result<Plan, Error> {
    let Asked { model, .. } = asked;
    let vals = Vals::read(caller, asked, &vals::CALL)?;
    let on = if flag(&vals.payload, "on_model")?.unwrap_or(false) { On::Model } else { On::Whichever };
    let key = if on == On::Model { None } else { Some(vals.search_key()?) };
    caller.policy().decide(Touch::Model(model)).map_err(denied("model"))?;
    let (payload, mut warnings) = (vals.payload, vals.warnings);
    name_limits::check_keys(&payload, "payload")?;
    note_unread(&payload, &vals::OF_CALL, "payload.", &mut warnings)?;
    let method = match payload.get("method") {
        Some(Value::String(method)) if !method.is_empty() => method,
        None | Some(Value::Null | Value::Bool(false) | Value::String(_)) => return Err(Error::NoMethod),
        Some(other) => return Err(wrong("payload.method", "a method's name", other)),
    };
    name_limits::check(method, "payload.method")?;
    if method.starts_with('_') {
        return Err(Error::PrivateMethod { model: model.to_owned(), method: method.clone() });
    }
    caller.policy().decide(Touch::Method { model, method }).map_err(denied("payload.method"))?;
    let then = Then::read(payload.get("then"))?;
    let mut kwargs = object(&payload, "parameter")?;
    name_limits::check_keys(&kwargs, "payload.parameter")?;
    // Odoo's protocols use these names for the records and the context, so a method's own argument cannot have them.
    if let Some(name) = kwargs.keys().find(|name| matches!(name.as_str(), "context" | "ids")) {
        let problem =
            "cannot be passed from outside: give a context in `payload.context`, records by `search_key`".to_owned();
        return Err(Error::WrongKind { path: format!("payload.parameter.{name}"), problem });
    }
    let files = match method.as_str() {
        message::METHOD => message::read(caller, asked.compat, &mut kwargs, &mut warnings).await?,
        _ => Vec::new(),
    };
    let own_context = object(&payload, "context")?;
    context::check(caller, model, &own_context, "payload.context").await?;
    let mut rpc = Rpc { context: own_context, ..Rpc::method(model, method, None, kwargs) };
    if let Some(key) = key {
        let key = converted(caller, model, key, Filter::of(asked.compat)).await?;
        let found = find(caller, model, &key, OldFields::default()).await?;
        let but = found.but_archived();
        let ids = found.ids();
        if ids.is_empty() {
            let message = format!("no record of `{model}` matches `search_key`; `{method}` was called on none{but}");
            warnings.note(WarningCode::NothingMatched, "search_key", message)?;
        }
        rpc.ids = Some(ids);
    }
    let message = called(asked.compat.dialect, method);
    let work = Work::Method { rpc, message, on, files, then };
    Ok(Plan::without_lookups(work, warnings, vals.dry_run))
}

fn object(payload: &Map<String, Value>, name: &str) -> Result<Map<String, Value>, Error> {
    match payload.get(name) {
        None | Some(Value::Null | Value::Bool(false)) => Ok(Map::new()),
        Some(Value::Object(object)) => Ok(object.clone()),
        Some(other) => Err(wrong(format!("payload.{name}"), "an object", other)),
    }
}
