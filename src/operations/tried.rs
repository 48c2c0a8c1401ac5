//! What comes of a delivery: its identity, the calls that the template makes of it, and for each the plan or why it would be
//! refused. Odoo is asked, as for a dry run; nothing is written.

use std::sync::Arc;

use serde_json::Value;
use tokio::time::Instant;

use crate::{
    call::{self, Call, auth::clients::Client},
    config::Config,
    errors::Code,
    fetch::{CallFiles, Fetcher},
    hook::{Error, Hook, Input, Made, MadeCall, Sent, SentBody},
    odoo::{Caller, Odoo, Origin, RotatedCookie},
    plan::{self, Noted, Warning},
    policy::Touch,
};

/// A hook that is tried.
#[derive(Debug, Clone, Copy)]
pub struct Trial<'t> {
    pub config: &'t Config,
    pub hook: &'t Hook,
    /// A template in the place of the hook's.
    pub template: Option<&'t str>,
}

/// Who asks Odoo for the plans, and what fetches files.
#[derive(Debug)]
pub struct Planner<'t> {
    pub client: &'t Client,
    pub odoo: Arc<Odoo>,
    pub files: Arc<Fetcher>,
}

/// What came of a delivery.
#[derive(Debug, Default)]
pub struct Tried {
    /// Its sender's id for it, where the hook takes one.
    pub delivery_id: Option<Result<String, Refusal>>,
    /// What orders it, where the hook has a `key`.
    pub key: Option<Result<Value, Refusal>>,
    /// What tells newer events from older ones, where the hook has `only_if_newer`.
    pub version: Option<Result<Value, Refusal>>,
    /// What was fetched for it.
    pub fetched: Option<Value>,
    pub end: End,
}

#[derive(Debug)]
pub enum End {
    /// There is nothing to do, for this reason.
    Ignored(String),
    Calls(Vec<TriedCall>),
    /// No call can be made of it.
    Refused(Refusal),
}

/// One call that would be made.
#[derive(Debug)]
pub struct TriedCall {
    pub made: MadeCall,
    /// None where no plan was asked for.
    pub planned: Option<Result<Planned, Refusal>>,
    /// Warnings that were noted before it was refused.
    pub noted: Vec<Value>,
}

#[derive(Debug)]
pub struct Planned {
    pub plan: Value,
    pub warnings: Vec<Value>,
}

/// Why something would be refused.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// A code of the table of errors; none where the mistake is this machine's.
    pub code: Option<&'static str>,
    /// Where in `vals` the mistake is.
    pub path: Option<String>,
    pub message: String,
    /// All mistakes of a payload as an answer lists them, where there are several.
    pub errors: Vec<Value>,
}

impl Default for End {
    fn default() -> Self {
        Self::Calls(Vec::new())
    }
}

impl Tried {
    /// Whether anything would be refused.
    pub fn is_refused(&self) -> bool {
        let of_expression =
            self.delivery_id.as_ref().is_some_and(Result::is_err) || self.key.as_ref().is_some_and(Result::is_err);
        of_expression
            || match &self.end {
                End::Ignored(_) => false,
                End::Refused(_) => true,
                End::Calls(calls) => calls.iter().any(|call| matches!(call.planned, Some(Err(_)))),
            }
    }
}

/// Runs expressions and template, and plans the calls where there is a planner.
pub async fn tried(trial: Trial<'_>, sent: &Sent, planner: Option<&Planner<'_>>) -> Tried {
    let Trial { config, hook, template } = trial;
    if let SentBody::Unreadable { why, .. } = &sent.body {
        return Tried { end: End::Refused(Error::Unreadable(why.clone()).into()), ..Tried::default() };
    }
    let input = hook.input(sent);
    let until = Instant::now() + config.limits.call_timeout;
    let fetched = match hook.fetched(&input, until).await {
        Ok(fetched) => fetched,
        Err(error) => return Tried { end: End::Refused(error.into()), ..Tried::default() },
    };
    let input = match &fetched {
        Some(fetched) => input.with("fetched", fetched.clone()),
        None => input,
    };
    Tried {
        delivery_id: hook.delivery_id(&input).await.map_err(Refusal::from).transpose(),
        key: hook.key(&input).await.map_err(Refusal::from).transpose(),
        version: hook.version(&input).await.map_err(Refusal::from).transpose(),
        fetched,
        end: match made(hook, template, input).await {
            Ok(Made::Ignored(why)) => End::Ignored(why),
            Ok(Made::One(call)) => End::Calls(planned(config, planner, vec![call]).await),
            Ok(Made::Several(calls)) => End::Calls(planned(config, planner, calls).await),
            Err(error) => End::Refused(error.into()),
        },
    }
}

async fn made(hook: &Hook, template: Option<&str>, input: Input) -> Result<Made, Error> {
    match template {
        Some(template) => hook.calls_of(template, input).await,
        None => hook.calls(input).await,
    }
}

/// The calls with their plans as the hook's client would have them; that looks things up in Odoo.
async fn planned(config: &Config, planner: Option<&Planner<'_>>, calls: Vec<MadeCall>) -> Vec<TriedCall> {
    let Some(planner) = planner else {
        return calls.into_iter().map(|made| TriedCall { made, planned: None, noted: Vec::new() }).collect();
    };
    let caller = caller(config, planner).await;
    // The plan is shown, so nothing is locked and no file is fetched for it.
    let files = CallFiles::new(planner.files.clone());
    let mut tried = Vec::new();
    for made in calls {
        let noted = Noted::default();
        let planned = match &caller {
            Ok(caller) => plan(config, &files, caller, &made, &noted).await,
            Err(refusal) => Err(refusal.clone()),
        };
        let noted = if planned.is_err() { noted.take().iter().map(Warning::to_json).collect() } else { Vec::new() };
        tried.push(TriedCall { made, planned: Some(planned), noted });
    }
    tried
}

/// The user of Odoo that the hook's calls are made as.
async fn caller(config: &Config, planner: &Planner<'_>) -> Result<Caller, Refusal> {
    let Planner { client, odoo, .. } = planner;
    let until = Instant::now() + config.limits.call_timeout;
    let credential = client.credential().cloned().map_err(|error| Refusal::of(error.code(), error.to_string()))?;
    let policy = client.policy.clone();
    let (trace, rotated) = (Arc::default(), RotatedCookie::default());
    let caller = Caller::identify(odoo, credential, policy, trace, rotated, Origin::default(), until).await;
    caller.map_err(|error| Refusal::of(error.code(), error.for_operator()))
}

async fn plan(
    config: &Config,
    files: &CallFiles,
    caller: &Caller,
    made: &MadeCall,
    noted: &Noted,
) -> Result<Planned, Refusal> {
    let MadeCall { route, model, vals } = made.clone();
    let denied = |error: crate::policy::Denied| Refusal::of(error.code(), error.to_string());
    caller.policy().decide(Touch::Route(route)).map_err(denied)?;
    let mut vals = vals;
    vals.insert("dry_run".to_owned(), Value::Bool(true));
    let plan = call::plan_call(config, files, caller, route, &Call { model, vals }, noted).await?;
    Ok(Planned { plan: plan.render(caller), warnings: plan.warnings.iter().map(Warning::to_json).collect() })
}

impl Refusal {
    fn of(code: Code, message: String) -> Self {
        Self { code: Some(code.as_str()), path: None, message, errors: Vec::new() }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::of(error.code(), words(&error))
    }
}

impl From<plan::Error> for Refusal {
    fn from(error: plan::Error) -> Self {
        let errors = if error.each().len() > 1 { error.each_told() } else { Vec::new() };
        let (code, path) = (Some(error.code().as_str()), error.path().map(str::to_owned));
        Self { code, path, message: words(&error), errors }
    }
}

/// An error with its causes, each said once.
fn words(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !words.contains(&text) {
            words += &format!(": {text}");
        }
        cause = error.source();
    }
    words
}
