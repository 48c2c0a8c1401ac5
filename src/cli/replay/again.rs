//! From a recorded call to the request that repeats it, or the reason why there is none.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};

use super::{Args, edit};
use crate::{
    admin,
    config::Config,
    hook::{self, Hooks, Sent},
    log::{Archive, Call, CallState, RecordedRoute},
    route::Route,
};

/// A request that is ready to be sent.
pub(super) struct Again {
    pub(super) request: admin::Again,
    /// What the recorded call was answered; null where it got no answer.
    pub(super) answered: Value,
}

/// Whose Odoo account is used. It holds a secret, so it has no `Debug`.
pub(super) enum Actor {
    /// That of the client that made the call.
    Recorded,
    Client(String),
    /// The headers that show a credential of Odoo's.
    Own(Vec<(String, String)>),
}

impl Actor {
    pub(super) fn login(login: &str, secret: &str) -> Self {
        let basic = format!("Basic {}", STANDARD.encode(format!("{login}:{secret}")));
        Self::Own(vec![("authorization".to_owned(), basic)])
    }

    pub(super) fn key(key: &str) -> Self {
        Self::Own(vec![("authorization".to_owned(), format!("Bearer {key}"))])
    }
}

/// Why a call is not repeated.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotAgain {
    #[error("it succeeded; --force repeats it all the same")]
    Done,
    #[error(
        "it, or a repetition of it, is in doubt: look in Odoo whether it was done; --force repeats it all the same"
    )]
    InDoubt,
    #[error("it has been repeated with success; --force repeats it once more")]
    Repeated,
    #[error("the gateway is still working on it, or on a repetition of it")]
    Running,
    #[error("it was refused before its payload was taken, so there is nothing to send; its caller can send it again")]
    NotKept,
    #[error("[log] {} keeps no payloads, so there is nothing to send", .0.name())]
    SwitchedOff(Route),
    #[error("requests that were passed on are not repeated")]
    Passed,
    /// Its template would see what was hidden.
    #[error("parts of its body were hidden in the log ({0}); give its payload with --edit")]
    Hidden(String),
    #[error("it was a dry run")]
    DryRun,
    #[error("a part of its payload is gone from the log's folder; `odoo-gateway log verify` says more")]
    Gone,
    #[error(
        "its caller used a credential of their own, which is not kept; give --as-client, or --login with --secret-env or --secret-file"
    )]
    WhoseCredential,
    #[error(
        "the configuration has no [[client]] `{0}` any more; give --as-client, or --login with --secret-env or --secret-file"
    )]
    UnknownClient(String),
    #[error("it came by the hook `{0}`, which the configuration has no more")]
    UnknownHook(String),
    #[error(transparent)]
    Unusable(hook::Unusable),
    #[error(transparent)]
    Template(#[from] hook::Error),
    #[error("{0:#}")]
    Edit(anyhow::Error),
    #[error(transparent)]
    Log(#[from] crate::log::Error),
}

impl Again {
    pub(super) fn of(
        archive: &Archive,
        call: &Call,
        config: &Config,
        actor: &Actor,
        args: &Args,
    ) -> Result<Self, NotAgain> {
        check_states(archive, call, args.force || args.dry_run)?;
        let RecordedRoute::Api(route) = call.route else { return Err(NotAgain::Passed) };
        let lines = archive.story(call)?;
        let received = lines.iter().find(|line| line["event"] == "call.received").ok_or(NotAgain::NotKept)?;
        if received["vals"]["dry_run"] == true && !args.dry_run {
            return Err(NotAgain::DryRun);
        }
        let answered = lines.iter().find(|line| line["event"] == "call.finished").map(|line| line["result"].clone());
        let mut model = call.model.clone();
        let mut vals = received["vals"].clone();
        if vals.is_null() {
            return Err(NotAgain::SwitchedOff(route));
        }
        let hidden = received["redacted"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let hidden = hidden.collect::<Vec<_>>().join(", ");
        // The template of its hook made nothing of it, then.
        if vals.as_object().is_some_and(Map::is_empty) && !received["sent"].is_null() {
            if !hidden.is_empty() && args.edit.is_none() {
                return Err(NotAgain::Hidden(hidden));
            }
            vals = by_template(config, received["hook"].as_str().unwrap_or_default(), &received["sent"])?;
        }
        if let Some(file) = &args.edit {
            (model, vals) = edit::edited(file.as_deref(), model, vals).map_err(NotAgain::Edit)?;
        }
        if has_missing(&vals) {
            return Err(NotAgain::Gone);
        }
        if args.dry_run {
            vals["dry_run"] = Value::Bool(true);
        }
        let (client, headers) = match actor {
            Actor::Client(name) => (Some(known(name, config)?), Vec::new()),
            Actor::Own(headers) => (None, headers.clone()),
            Actor::Recorded if call.client.is_empty() => return Err(NotAgain::WhoseCredential),
            Actor::Recorded => (Some(known(&call.client, config)?), Vec::new()),
        };
        let request = admin::Again {
            of: (!args.dry_run).then(|| call.replay_of.unwrap_or(call.id)),
            route: route.name().to_owned(),
            model,
            vals,
            client,
            headers,
            is_hidden: !hidden.is_empty(),
        };
        Ok(Self { request, answered: answered.unwrap_or_default() })
    }
}

/// What the template of a hook makes of what was sent, now.
fn by_template(config: &Config, name: &str, sent: &Value) -> Result<Value, NotAgain> {
    let entry = config.hooks.iter().find(|hook| hook.name == name);
    let entry = entry.ok_or_else(|| NotAgain::UnknownHook(name.to_owned()))?;
    let hooks = Hooks::load(std::slice::from_ref(entry)).map_err(NotAgain::Unusable)?;
    let hook = hooks.named(name).ok_or_else(|| NotAgain::UnknownHook(name.to_owned()))?;
    Ok(Value::Object(hook.vals_here(&Sent::of_json(sent))?))
}

/// A call and its repetitions are one: where any of them may have been done, another one may make it twice.
fn check_states(archive: &Archive, call: &Call, is_free: bool) -> Result<(), NotAgain> {
    let root = match call.replay_of {
        Some(root) => archive.find(&root.to_string())?.pop(),
        None => None,
    };
    let root = root.as_ref().unwrap_or(call);
    let is_any = |state: CallState| root.repeated_by.iter().any(|attempt| attempt.state == state);
    match root.state {
        CallState::Running => Err(NotAgain::Running),
        _ if is_any(CallState::Running) => Err(NotAgain::Running),
        _ if is_free => Ok(()),
        _ if root.state == CallState::Done || call.state == CallState::Done => Err(NotAgain::Done),
        _ if root.is_repeated() => Err(NotAgain::Repeated),
        CallState::InDoubt => Err(NotAgain::InDoubt),
        _ if is_any(CallState::InDoubt) => Err(NotAgain::InDoubt),
        _ => Ok(()),
    }
}

fn known(name: &str, config: &Config) -> Result<String, NotAgain> {
    let is_known = config.clients.iter().any(|client| client.name == name);
    if is_known { Ok(name.to_owned()) } else { Err(NotAgain::UnknownClient(name.to_owned())) }
}

/// A marker whose blob could not be read.
fn has_missing(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(has_missing),
        Value::Object(entries) => {
            entries.contains_key("$blob") && entries.get("missing") == Some(&Value::Bool(true))
                || entries.values().any(has_missing)
        }
        _ => false,
    }
}
