//! From a recorded call to a request that can be sent.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{
    edit::{NotAPayload, edited},
    request::ReplayRequest,
};
use crate::{
    config::Config,
    hook::{self, Hooks, Made, Sent},
    log::{self, Archive, Call, CallState, Event, Log, Operator, RecordedRoute, has_missing_content},
    operations::calls::{Calls, line_of},
    route::Route,
};

/// How calls are replayed.
#[derive(Default)]
pub struct Options {
    /// Also calls that succeeded, or may have: they may then be done twice.
    pub force: bool,
    /// Plan only. It repeats nothing, so it needs no force and is linked to no call.
    pub dry_run: bool,
    /// The payload is going to be replaced by [`Draft::edit`], so values that were hidden in it do not matter.
    pub is_edited: bool,
    pub actor: Actor,
}

/// Whose Odoo account is used. It holds a secret, so it has no `Debug`.
#[derive(Default)]
pub enum Actor {
    /// That of the client that made the call.
    #[default]
    Recorded,
    /// That of this `[[client]]`.
    Client(String),
    /// The headers that show a credential of Odoo's.
    Own(Vec<(String, String)>),
}

impl Actor {
    /// An Odoo user with an API key or password.
    pub fn login(login: &str, secret: &str) -> Self {
        let basic = format!("Basic {}", STANDARD.encode(format!("{login}:{secret}")));
        Self::Own(vec![("authorization".to_owned(), basic)])
    }

    /// The owner of an API key.
    pub fn key(key: &str) -> Self {
        Self::Own(vec![("authorization".to_owned(), format!("Bearer {key}"))])
    }
}

/// Why a call is not replayed.
#[derive(Debug, thiserror::Error)]
pub enum NotReplayable {
    #[error("it succeeded")]
    Done,
    #[error("it, or a repetition of it, is in doubt: look in Odoo whether it was done")]
    InDoubt,
    #[error("it has been repeated with success")]
    Repeated,
    #[error("the gateway is still working on it, or on a repetition of it")]
    Running,
    #[error("it is in the queue, which delivers it")]
    Queued,
    #[error("it was refused before its payload was taken, so there is nothing to send; its caller can send it again")]
    NotKept,
    #[error("[log] {} keeps no payloads, so there is nothing to send", .0.name())]
    SwitchedOff(Route),
    #[error("requests that were passed on are not repeated")]
    Passed,
    /// The template of its hook would see what was hidden.
    #[error("parts of its body were hidden in the log ({0})")]
    Hidden(String),
    #[error("it was a dry run")]
    DryRun,
    #[error("it was answered with the outcome of an earlier call with its key, which is the one to run again")]
    KnownKey,
    #[error("a part of its payload is gone from the log's folder")]
    Gone,
    #[error("its caller used a credential of their own, which is not kept")]
    WhoseCredential,
    #[error("the configuration has no [[client]] `{0}` any more")]
    UnknownClient(String),
    #[error("it came by the hook `{0}`, which the configuration has no more")]
    UnknownHook(String),
    #[error("the template of its hook ignores what was sent: {0}")]
    Ignored(String),
    #[error("the template of its hook makes {0} calls of what was sent; let its sender send it again")]
    Several(usize),
    #[error(transparent)]
    Unusable(hook::Unusable),
    #[error(transparent)]
    Template(#[from] hook::Error),
    #[error(transparent)]
    Log(#[from] log::Error),
}

/// A call that may be replayed, before it is decided as whom. It can be edited.
#[derive(Debug, Clone)]
pub struct Draft {
    pub model: String,
    pub vals: Value,
    pub route: Route,
    /// The call that is repeated: the one that was made first.
    root: Uuid,
    /// The `[[client]]` that made the call; empty where it had a credential of its own.
    pub client: String,
    /// The paths of values that were hidden in the log, and read `***` now.
    pub hidden: String,
    answered: Value,
}

/// A request that is ready to be sent.
pub struct Replay {
    pub(super) request: ReplayRequest,
    /// What the recorded call was answered, without its envelope; null where it got no answer.
    pub answered: Value,
}

impl Replay {
    /// Records that it is sent, before it is; see [`ReplayRequest::record`].
    ///
    /// # Errors
    /// The log has failed or has been closed.
    pub async fn record(&self, log: &Log) -> Result<(), log::Error> {
        self.request.record(log).await
    }
}

impl Draft {
    /// What the call would send.
    ///
    /// # Errors
    /// The call must not be made again, or its payload cannot be had from the log.
    pub async fn of(
        calls: &Calls,
        call: &Call,
        config: &Arc<Config>,
        options: &Options,
    ) -> Result<Self, NotReplayable> {
        let (call, config) = (call.clone(), config.clone());
        let (is_free, is_dry_run, is_edited) = (options.force || options.dry_run, options.dry_run, options.is_edited);
        calls
            .read(move |archive| {
                check_states(&root_of(archive, &call)?, &call, is_free)?;
                Self::recorded(archive, &call, &config, is_dry_run, is_edited)
            })
            .await
    }

    /// What the call would send, for a look, with what keeps it from being sent at once: [`NotReplayable::Done`] and others need
    /// force, [`NotReplayable::Hidden`] another payload.
    ///
    /// # Errors
    /// The call cannot be made again at all, or its payload cannot be had from the log.
    pub async fn look(
        calls: &Calls,
        call: &Call,
        config: &Arc<Config>,
    ) -> Result<(Self, Option<NotReplayable>), NotReplayable> {
        let (call, config) = (call.clone(), config.clone());
        calls
            .read(move |archive| {
                let root = root_of(archive, &call)?;
                check_states(&root, &call, true)?;
                let draft = Self::recorded(archive, &call, &config, true, true)?;
                let obstacle = check_states(&root, &call, false)
                    .and_then(|()| Self::recorded(archive, &call, &config, false, false).map(drop));
                Ok((draft, obstacle.err()))
            })
            .await
    }

    fn recorded(
        archive: &Archive,
        call: &Call,
        config: &Config,
        is_dry_run: bool,
        is_edited: bool,
    ) -> Result<Self, NotReplayable> {
        // A route of another version counts as none of the gateway's, too.
        let RecordedRoute::Api(route) = call.route else { return Err(NotReplayable::Passed) };
        let lines = archive.lines(call)?;
        let received = line_of(&lines, Event::CallReceived).ok_or(NotReplayable::NotKept)?;
        if received["vals"]["dry_run"] == true && !is_dry_run {
            return Err(NotReplayable::DryRun);
        }
        let answered = line_of(&lines, Event::CallFinished).map(|line| line["result"].clone()).unwrap_or_default();
        let mut vals = received["vals"].clone();
        if vals.is_null() {
            return Err(NotReplayable::SwitchedOff(route));
        }
        let hidden = received["redacted"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let hidden = hidden.collect::<Vec<_>>().join(", ");
        // The template of its hook failed when the call was made.
        if vals.as_object().is_some_and(Map::is_empty) && !received["sent"].is_null() {
            if !hidden.is_empty() && !is_edited {
                return Err(NotReplayable::Hidden(hidden));
            }
            vals = by_template(config, received["hook"].as_str().unwrap_or_default(), &received["sent"])?;
        }
        let root = call.replay_of.unwrap_or(call.id);
        Ok(Self { model: call.model.clone(), vals, route, root, client: call.client.clone(), hidden, answered })
    }

    /// Takes what was given in the place of the payload, the `vals` or the whole body.
    ///
    /// # Errors
    /// What was given is not an object.
    pub fn edit(&mut self, given: Value) -> Result<(), NotAPayload> {
        (self.model, self.vals) = edited(given, self.model.clone(), self.vals.clone())?;
        Ok(())
    }

    /// The request, made as whom the options say, which this operator sends.
    ///
    /// # Errors
    /// A part of the payload is gone, or it is not known whose credential is used.
    pub fn ready(mut self, config: &Config, options: &Options, operator: Operator) -> Result<Replay, NotReplayable> {
        if has_missing_content(&self.vals) {
            return Err(NotReplayable::Gone);
        }
        if options.dry_run {
            self.vals["dry_run"] = Value::Bool(true);
        }
        let (client, headers) = match &options.actor {
            Actor::Client(name) => (Some(known(name, config)?), Vec::new()),
            Actor::Own(headers) => (None, headers.clone()),
            Actor::Recorded if self.client.is_empty() => return Err(NotReplayable::WhoseCredential),
            Actor::Recorded => (Some(known(&self.client, config)?), Vec::new()),
        };
        let request = ReplayRequest {
            operator,
            of: (!options.dry_run).then_some(self.root),
            route: self.route,
            model: self.model,
            vals: self.vals,
            client,
            headers,
            is_hidden: !self.hidden.is_empty(),
        };
        Ok(Replay { request, answered: self.answered })
    }
}

/// What the template of a hook makes of what was sent, now.
fn by_template(config: &Config, name: &str, sent: &Value) -> Result<Value, NotReplayable> {
    let entry = config.hooks.iter().find(|hook| hook.name() == name);
    let entry = entry.ok_or_else(|| NotReplayable::UnknownHook(name.to_owned()))?;
    let hooks = Hooks::load(std::slice::from_ref(entry)).map_err(NotReplayable::Unusable)?;
    let hook = hooks.named(name).ok_or_else(|| NotReplayable::UnknownHook(name.to_owned()))?;
    match hook.calls_here(&hook.input(&Sent::of_json(sent)))? {
        Made::One(call) => Ok(Value::Object(call.vals)),
        Made::Ignored(why) => Err(NotReplayable::Ignored(why)),
        Made::Several(calls) => Err(NotReplayable::Several(calls.len())),
    }
}

/// The call that this one repeats, or this one; this one, too, where the other is not in the log any more.
fn root_of(archive: &Archive, call: &Call) -> Result<Call, NotReplayable> {
    let root = match call.replay_of {
        Some(root) => archive.find(&root.to_string())?.pop(),
        None => None,
    };
    Ok(root.unwrap_or_else(|| call.clone()))
}

fn check_states(root: &Call, call: &Call, is_free: bool) -> Result<(), NotReplayable> {
    let is_any = |state: CallState| root.repeated_by.iter().any(|repetition| repetition.state == state);
    match root.state {
        // Its payload says so, which only another dry run may have.
        CallState::DryRun => Ok(()),
        CallState::Running => Err(NotReplayable::Running),
        _ if is_any(CallState::Running) => Err(NotReplayable::Running),
        _ if is_free => Ok(()),
        CallState::Ignored if root.repeat_of.is_some() => Err(NotReplayable::KnownKey),
        CallState::Queued => Err(NotReplayable::Queued),
        _ if root.state == CallState::Done || call.state == CallState::Done => Err(NotReplayable::Done),
        _ if root.is_repeated() => Err(NotReplayable::Repeated),
        CallState::InDoubt => Err(NotReplayable::InDoubt),
        _ if is_any(CallState::InDoubt) => Err(NotReplayable::InDoubt),
        _ => Ok(()),
    }
}

fn known(name: &str, config: &Config) -> Result<String, NotReplayable> {
    let is_known = config.clients.iter().any(|client| client.name == name);
    if is_known { Ok(name.to_owned()) } else { Err(NotReplayable::UnknownClient(name.to_owned())) }
}

#[cfg(test)]
mod tests;
