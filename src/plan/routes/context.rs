//! `vals.context`: what a caller sends for all RPCs of its call.
//!
//! The RPCs of lookups are made in it, too: with a language of the call's own, `{"name": "Chaise"}` finds the record whose
//! French name that is. A language that Odoo does not have would be ignored before Odoo 16, and the text written over that of
//! another language, so it is refused. Later versions refuse it themselves.

use serde_json::{Map, Value, json};

use crate::{
    odoo::Caller,
    plan::{
        Error, name_limits,
        schema_view::{SchemaView, with_schemas},
        wording::{shown, wrong},
    },
    policy::{Denied, Policy, Touch},
};

/// The first version that refuses an unknown language by itself (`Environment.lang`).
const REFUSES_LANGUAGES: u16 = 16;

/// Reads and checks the context of a call, and has its RPCs made in it.
///
/// # Errors
/// A key is of the wrong kind, the policy denies a default, or the language is not installed.
pub async fn take_context(caller: &Caller, model: &str, vals: &Map<String, Value>) -> Result<(), Error> {
    let context = match vals.get("context") {
        None | Some(Value::Null | Value::Bool(false)) => Map::new(),
        Some(Value::Object(context)) => context.clone(),
        Some(other) => return Err(wrong("context", "an object", other)),
    };
    check(caller, model, &context, "context").await?;
    caller.set_context(model, context);
    Ok(())
}

/// Checks a context that stands at `path`. A default is a value that is written.
///
/// # Errors
/// As those of [`take_context`].
pub(super) async fn check(caller: &Caller, model: &str, context: &Map<String, Value>, path: &str) -> Result<(), Error> {
    name_limits::check_context(context, path)?;
    for name in ["lang", "tz"] {
        if let Some(value) =
            context.get(name).filter(|value| !matches!(value, Value::String(_) | Value::Null | Value::Bool(false)))
        {
            return Err(wrong(format!("{path}.{name}"), "a text", value));
        }
    }
    if let Some(companies) = context.get("allowed_company_ids") {
        let is_ids = companies.as_array().is_some_and(|ids| ids.iter().all(Value::is_i64));
        if !is_ids {
            return Err(wrong(format!("{path}.allowed_company_ids"), "a list of ids of companies", companies));
        }
    }
    let defaults = context.iter().filter_map(|(key, value)| Some((key, key.strip_prefix("default_")?, value)));
    let defaults: Vec<_> = defaults.collect();
    if !defaults.is_empty() && !caller.policy().is_open() {
        let judge = |schemas: &SchemaView<'_>| {
            let judge = |(key, field, value): &(&String, &str, &Value)| {
                schemas.default(model, field, value, &format!("{path}.{key}"))
            };
            defaults.iter().try_for_each(judge)
        };
        with_schemas(caller, judge).await?;
    }
    decide_keys(caller.policy(), context)
        .map_err(|(key, source)| Error::Denied { path: format!("{path}.{key}"), source })?;
    match context.get("lang").and_then(Value::as_str) {
        Some(language) => check_language(caller, language, path).await,
        None => Ok(()),
    }
}

/// Decides on what a context names and asks for, but for its defaults: gives the key that is denied.
fn decide_keys<'c>(policy: &Policy, context: &'c Map<String, Value>) -> Result<(), (&'c str, Denied)> {
    let model = context.get("active_model").and_then(Value::as_str);
    for key in context.keys().filter(|key| !key.starts_with("default_")) {
        let touch = match key.as_str() {
            "active_model" | "active_id" | "active_ids" | "active_domain" => Touch::Active(model),
            flag => Touch::Flag(flag),
        };
        policy.decide(touch).map_err(|denied| (key.as_str(), denied))?;
    }
    Ok(())
}

/// Checks that Odoo has a language, where it would ignore one that it does not have.
async fn check_language(caller: &Caller, language: &str, path: &str) -> Result<(), Error> {
    if language.is_empty() || caller.version().await? >= REFUSES_LANGUAGES {
        return Ok(());
    }
    let installed = caller.installed_languages().await?;
    if installed.iter().any(|code| code == language) {
        return Ok(());
    }
    let language = shown(&json!(language));
    let problem =
        format!("names the language `{language}`, which is not installed in Odoo; there are: {}", installed.join(", "));
    Err(Error::WrongKind { path: format!("{path}.lang"), problem })
}
