//! What comes of a delivery: its identity, the calls that the template makes of it, and for each the plan or why it would be
//! refused. Odoo is asked, as for a dry run; nothing is written.

use std::sync::Arc;

use anyhow::Context;
use secrecy::ExposeSecret;
use serde_json::Value;
use tokio::time::Instant;

use super::{sample::Sample, words};
use crate::{
    call::{
        self, Call,
        auth::clients::{Client, Clients},
    },
    config::{self, Accept, Config},
    fetch::{CallFiles, Fetcher},
    hook::{Error, Hook, Hooks, Input, Made, MadeCall, Reply, Sent, SentBody},
    odoo::{Caller, Odoo, Origin, RotatedCookie},
    plan::{self, Noted, Warning},
    policy::Touch,
};

/// What came of a delivery.
pub(super) struct Tried {
    /// Its sender's id for it, where the hook takes one.
    pub(super) delivery_id: Option<Result<String, Refusal>>,
    /// What orders it, where the hook has a `key`.
    pub(super) key: Option<Result<Value, Refusal>>,
    /// What tells newer events from older ones, where the hook has `only_if_newer`.
    pub(super) version: Option<Result<Value, Refusal>>,
    /// What was fetched for it.
    pub(super) fetched: Option<Value>,
    /// The answer that `respond` gives as soon as it is stored.
    pub(super) answer: Option<Result<Reply, Refusal>>,
    pub(super) end: End,
}

pub(super) enum End {
    /// It is no delivery, where nobody has signed it: it is answered so.
    Handshake(Reply),
    /// There is nothing to do, for this reason.
    Ignored(String),
    Calls(Vec<TriedCall>),
    /// No call can be made of it.
    Refused(Refusal),
}

/// One call that would be made.
pub(super) struct TriedCall {
    pub(super) made: MadeCall,
    pub(super) planned: Result<Planned, Refusal>,
    /// Warnings that were noted before it was refused.
    pub(super) noted: Vec<Value>,
}

pub(super) struct Planned {
    pub(super) plan: Value,
    pub(super) warnings: Vec<Value>,
}

/// Why something would be refused.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    /// A code of the table of errors; none where the mistake is this machine's.
    pub(super) code: Option<&'static str>,
    /// Where in `vals` the mistake is.
    pub(super) path: Option<String>,
    pub(super) message: String,
}

impl End {
    fn none() -> Self {
        Self::Calls(Vec::new())
    }
}

impl Tried {
    /// Whether anything would be refused.
    pub(super) fn is_refused(&self) -> bool {
        let of_expression =
            self.delivery_id.as_ref().is_some_and(Result::is_err) || self.key.as_ref().is_some_and(Result::is_err);
        of_expression
            || match &self.end {
                End::Ignored(_) | End::Handshake(_) => false,
                End::Refused(_) => true,
                End::Calls(calls) => calls.iter().any(|call| call.planned.is_err()),
            }
    }
}

/// Runs expressions and template, and plans the calls.
///
/// # Errors
/// The configuration cannot be used for it.
pub(super) async fn of(config: &Config, hooks: &Hooks, entry: &config::Hook, sample: &Sample) -> anyhow::Result<Tried> {
    let hook = hooks.named(entry.name()).context("the hook is gone")?;
    let client = config.clients.iter().find(|client| client.name == entry.client).context("the client is gone")?;
    let clients = Clients::load(std::slice::from_ref(client))?;
    let client = clients.by_name(&entry.client).context("the client is gone")?;
    let mut tried =
        Tried { delivery_id: None, key: None, version: None, fetched: None, answer: None, end: End::none() };
    let all =
        hook.input(&Sent::unhidden(entry.path.written(), &sample.line, &sample.headers, sample.sent.body.clone()));
    let secret = client.first_secret().map_or(Value::Null, |secret| Value::from(secret.expose_secret()));
    let all = all.with("secret", secret);
    match hook.handshake(&all).await {
        Ok(None) => {}
        Ok(Some(reply)) => return Ok(Tried { end: End::Handshake(reply), ..tried }),
        Err(error) => return Ok(Tried { end: End::Refused(error.into()), ..tried }),
    }
    if let SentBody::Unreadable { why, .. } = &sample.sent.body {
        return Ok(Tried { end: End::Refused(Error::Unreadable(why.clone()).into()), ..tried });
    }
    if entry.accept == Accept::Store {
        tried.answer = hook.respond(&all).await.map_err(Refusal::from).transpose();
    }
    let input = hook.input(&sample.sent);
    let until = Instant::now() + config.limits.call_timeout;
    tried.fetched = match hook.fetched(&input, until).await {
        Ok(fetched) => fetched,
        Err(error) => return Ok(Tried { end: End::Refused(error.into()), ..tried }),
    };
    let input = match &tried.fetched {
        Some(fetched) => input.with("fetched", fetched.clone()),
        None => input,
    };
    tried.delivery_id = hook.delivery_id(&input).await.map_err(Refusal::from).transpose();
    tried.key = hook.key(&input).await.map_err(Refusal::from).transpose();
    tried.version = hook.version(&input).await.map_err(Refusal::from).transpose();
    tried.end = match made(hook, input).await {
        Ok(Made::Ignored(why)) => End::Ignored(why),
        Ok(Made::One(call)) => End::Calls(planned(config, client, vec![call]).await?),
        Ok(Made::Several(calls)) => End::Calls(planned(config, client, calls).await?),
        Err(refusal) => End::Refused(refusal),
    };
    Ok(tried)
}

async fn made(hook: &Hook, input: Input) -> Result<Made, Refusal> {
    Ok(hook.calls(input).await?)
}

/// The calls with their plans as the hook's client would have them; that looks things up in Odoo.
async fn planned(config: &Config, client: &Client, calls: Vec<MadeCall>) -> anyhow::Result<Vec<TriedCall>> {
    let caller = caller(config, client).await?;
    // The plan is shown, so nothing is locked and no file is fetched for it.
    let files = CallFiles::new(Arc::new(Fetcher::build(&config.files)?));
    let mut tried = Vec::new();
    for made in calls {
        let noted = Noted::default();
        let planned = match &caller {
            Ok(caller) => plan(config, &files, caller, &made, &noted).await,
            Err(refusal) => Err(refusal.clone()),
        };
        let noted = if planned.is_err() { noted.take().iter().map(Warning::to_json).collect() } else { Vec::new() };
        tried.push(TriedCall { made, planned, noted });
    }
    Ok(tried)
}

/// The user of Odoo that the hook's calls are made as.
async fn caller(config: &Config, client: &Client) -> anyhow::Result<Result<Caller, Refusal>> {
    let odoo = Arc::new(Odoo::build(&config.upstream, &config.lookup_cache, Arc::default())?);
    let until = Instant::now() + config.limits.call_timeout;
    let (credential, policy) = (client.credential.clone(), client.policy.clone());
    let (trace, rotated) = (Arc::default(), RotatedCookie::default());
    let caller = Caller::identify(&odoo, credential, policy, trace, rotated, Origin::default(), until).await;
    Ok(caller.map_err(|error| Refusal { code: Some(error.code().as_str()), path: None, message: error.for_operator() }))
}

async fn plan(
    config: &Config,
    files: &CallFiles,
    caller: &Caller,
    made: &MadeCall,
    noted: &Noted,
) -> Result<Planned, Refusal> {
    let MadeCall { route, model, vals } = made.clone();
    let denied = |error: crate::policy::Denied| Refusal {
        code: Some(error.code().as_str()),
        path: None,
        message: error.to_string(),
    };
    caller.policy().decide(Touch::Route(route)).map_err(denied)?;
    let mut vals = vals;
    vals.insert("dry_run".to_owned(), Value::Bool(true));
    let plan = call::plan_call(config, files, caller, route, &Call { model, vals }, noted).await?;
    Ok(Planned { plan: plan.render(caller), warnings: plan.warnings.iter().map(Warning::to_json).collect() })
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self { code: Some(error.code().as_str()), path: None, message: words(&error.into()) }
    }
}

impl From<plan::Error> for Refusal {
    fn from(error: plan::Error) -> Self {
        Self { code: Some(error.code().as_str()), path: error.path().map(str::to_owned), message: words(&error.into()) }
    }
}
