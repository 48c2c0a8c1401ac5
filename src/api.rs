//! The addon's interface: five routes, one form of question and answer.
//!
//! [`handle`] is one call from end to end: who calls, what is asked, the plan, its execution, the log. It knows neither
//! statuses nor connections. It is run in a task of its own, so that a caller who hangs up never cuts a call to Odoo in
//! half.

mod auth;
pub mod clients;
mod envelope;
mod error;
mod json;

use std::{net::IpAddr, panic::AssertUnwindSafe, sync::Arc};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};
use tokio::time::Instant;
use uuid::Uuid;

use self::auth::Shown;
pub use self::{
    envelope::{Call, Envelope},
    error::{BodyError, Error},
};
use crate::{
    app::App,
    execute::{self, Done},
    log::{self, Arrived, Entry, Failure, Finished, OdooCall, Received, State, Who, milliseconds},
    odoo::{self, Credential, Error as OdooError, Origin, Retry, RotatedCookie, Trace, TraceParent},
    plan::{self, Asked, Plan},
};

/// The five routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    CreateData,
    CreateUpdateData,
    UpdateData,
    SearchData,
    CallFunction,
}

impl Route {
    pub const ALL: [Self; 5] =
        [Self::CreateData, Self::CreateUpdateData, Self::UpdateData, Self::SearchData, Self::CallFunction];

    /// The last segment of the path, behind `/api/`.
    pub fn name(self) -> &'static str {
        match self {
            Self::CreateData => "create_data",
            Self::CreateUpdateData => "create_update_data",
            Self::UpdateData => "update_data",
            Self::SearchData => "search_data",
            Self::CallFunction => "call_function",
        }
    }
}

/// A request to one of the routes, as it came in. Its headers hold credentials, so it has no `Debug`.
pub struct Request {
    /// The call's id, in the log and in the answer.
    pub id: Uuid,
    /// Where the answer finds a session that Odoo rotated during the call.
    pub rotated: RotatedCookie,
    pub route: Route,
    pub headers: HeaderMap,
    pub address: IpAddr,
    pub traceparent: Option<TraceParent>,
    pub body: Result<Bytes, BodyError>,
    /// The operator has the gateway make this call again.
    pub replay: Option<Replay>,
}

/// On whose behalf the operator repeats which call.
#[derive(Debug, Clone)]
pub struct Replay {
    pub of: Option<Uuid>,
    /// The `[[client]]` to act as; without one, the credential in the headers counts.
    pub client: Option<String>,
}

/// What is to be answered, and under which id it stands in the log.
#[derive(Debug)]
pub struct Reply {
    pub call_id: Uuid,
    /// The `id` of the caller's envelope.
    pub envelope_id: Value,
    pub verdict: Result<Done, Error>,
    /// A session that Odoo rotated during the call.
    pub cookie: Option<HeaderValue>,
}

impl Reply {
    /// For a request that never became a call, or whose call has no answer of its own.
    pub fn refusal(call_id: Uuid, error: Error) -> Self {
        Self { call_id, envelope_id: Value::Null, verdict: Err(error), cookie: None }
    }

    /// The JSON object that the caller gets.
    ///
    /// What Odoo or the plan decided is a `result`, done or not; what never came to a decision is an `error`.
    pub fn body(&self) -> Value {
        let (key, value) = self.content();
        let mut body = json!({"jsonrpc": "2.0", "id": self.envelope_id});
        body[key] = value;
        body
    }

    /// The envelope's one member that matters, and its name.
    fn content(&self) -> (&'static str, Value) {
        match &self.verdict {
            Ok(done) => ("result", success(done)),
            Err(error) if error.is_decision() => ("result", error.as_result()),
            Err(error) => ("error", error.as_error()),
        }
    }
}

fn success(done: &Done) -> Value {
    let mut result = json!({"is_success": true, "result": done.result, "messages": done.message});
    if !done.warnings.is_empty() {
        result["warnings"] = done.warnings.iter().map(plan::Warning::to_json).collect();
    }
    result
}

/// Answers one request, and has it in the log before the answer is given.
pub async fn handle(app: Arc<App>, request: Request) -> Reply {
    let started = std::time::Instant::now();
    let Request { id: call_id, rotated, route, headers, address, traceparent, body, replay } = request;
    let patience = app.config.limits.call_timeout;
    let until = Instant::now() + (patience - patience / 10);
    let mut reply = Reply::refusal(call_id, Error::Internal);
    // Not even a login is made of which nothing could be told.
    if let Err(error) = app.log.check() {
        reply.verdict = Err(error.into());
        return reply;
    }
    let size = body.as_ref().map_or(0, Bytes::len);
    let replay_of = replay.as_ref().and_then(|replay| replay.of);
    let origin = Origin { address: Some(address), traceparent };
    let arrived = Arrived { id: call_id, route: route.name(), address, size, replay_of };
    let shown = match replay.and_then(|replay| replay.client) {
        Some(name) => app.clients.by_name(&name).map(Shown::Client).ok_or(Error::UnknownClient),
        None => auth::shown(&headers, &app.clients),
    };
    let client = shown.as_ref().ok().and_then(Shown::client);
    let mut who = Who { client: client.as_deref().map(str::to_owned), caller: None };
    let mut entry = None;
    let trace = Arc::<Trace>::default();
    let served = async {
        let body = body.map_err(Error::Body)?;
        envelope::check_depth(&body, app.config.limits.json_depth.get())?;
        let caller = match identify(&app, &headers, shown, &trace, &rotated, origin, until).await {
            Ok(caller) => caller,
            Err(error) => {
                // A stranger gets its id back; nothing else of the body is kept.
                reply.envelope_id = Envelope::id_of(&body)?;
                return Err(error);
            }
        };
        who.caller = Some(logged_caller(&caller));
        let Envelope { id, call } = Envelope::read(&body);
        reply.envelope_id = id;
        let call = call?;
        let received = Received { model: &call.model, vals: &call.vals, who: who.clone() };
        let entry = entry.insert(app.log.receive(arrived.clone(), received, started).await?);
        Box::pin(carry_out(&app, &caller, route, &call, entry)).await
    };
    // A panic would be a mistake of ours; it must not cost the call its line in the log.
    let verdict = AssertUnwindSafe(served).catch_unwind().await;
    reply.verdict = verdict.unwrap_or_else(|_| Err(Error::Internal)).map_err(|error| match (&client, error) {
        // What was left half done is told as it is, whoever's account it was.
        (Some(client), Error::Plan(plan::Error::Odoo(source))) if source.is_about_credentials() => {
            tracing::warn!(%client, error = %source, "the Odoo account of a client is not accepted");
            Error::ClientAccount { client: client.clone(), source }
        }
        (_, error) => error,
    });
    reply.cookie = rotated.get();
    let finished = finished(&reply, &trace);
    app.metrics.call(route.name(), finished.state.as_str(), finished.error, started.elapsed());
    let logged = match entry {
        Some(entry) => entry.finish(finished).await,
        None => app.log.refuse(&arrived, &who, started, finished).await,
    };
    if let Err(error) = logged {
        // The call has been carried out or refused; that is still the truth, though the log lacks it.
        tracing::error!(call = %call_id, %error, "the end of a call is not in the log");
        if let Ok(done) = &mut reply.verdict {
            done.warnings.push(plan::Warning {
                code: "not_logged",
                path: String::new(),
                message: format!("the end of this call is not in the gateway's log: {error}"),
            });
        }
    }
    reply
}

/// Who calls. A cookie comes by itself with every request of a browser, also with one that a foreign page makes; such a
/// page cannot send JSON as JSON.
async fn identify(
    app: &App,
    headers: &HeaderMap,
    shown: Result<Shown<'_>, Error>,
    trace: &Arc<Trace>,
    rotated: &RotatedCookie,
    origin: Origin,
    until: Instant,
) -> Result<odoo::Caller, Error> {
    let credential = shown?.credential();
    if matches!(credential, Credential::Session(_)) && !auth::is_json(headers) {
        return Err(Error::ContentType);
    }
    Ok(odoo::Caller::identify(&app.odoo, credential, trace.clone(), rotated.clone(), origin, until).await?)
}

/// Plans and executes; once more where the models turn out to be other than they are remembered.
async fn carry_out(
    app: &App,
    caller: &odoo::Caller,
    route: Route,
    call: &Call,
    entry: &mut Entry,
) -> Result<Done, Error> {
    let plan = plan_call(app, caller, route, call).await;
    let plan = if doubts_schema(&plan) && caller.forget_schemas().await {
        plan_call(app, caller, route, call).await
    } else {
        plan
    };
    let plan = plan?;
    note_plan(entry, &plan).await?;
    let outcome = execute::execute(caller, plan).await;
    let is_unknown_field = |error: &OdooError| matches!(error, OdooError::Fault(fault) if fault.is_unknown_field());
    match outcome {
        // Odoo has rolled back, so the call can be planned anew with fresh knowledge of the model. Not so a method, which
        // may have done what cannot be rolled back.
        Err(execute::Error::Refused(plan::Error::Odoo(error)))
            if route != Route::CallFunction && is_unknown_field(&error) && caller.forget_schemas().await =>
        {
            let plan = plan_call(app, caller, route, call).await?;
            note_plan(entry, &plan).await?;
            Ok(execute::execute(caller, plan).await?)
        }
        outcome => Ok(outcome?),
    }
}

/// Should the gateway die within a write, the log shows what it was about to do.
async fn note_plan(entry: &mut Entry, plan: &Plan) -> Result<(), Error> {
    if !plan.dry_run && plan.writes() {
        entry.plan(plan.render()).await?;
    }
    Ok(())
}

async fn plan_call(app: &App, caller: &odoo::Caller, route: Route, call: &Call) -> Result<Plan, plan::Error> {
    let asked = Asked { model: &call.model, vals: &call.vals, compat: &app.config.compat };
    match route {
        Route::CreateData => plan::create_data(caller, asked).await,
        Route::CreateUpdateData => plan::create_update_data(caller, asked).await,
        Route::UpdateData => plan::update_data(caller, asked).await,
        Route::SearchData => plan::search_data(caller, asked).await,
        Route::CallFunction => plan::call_function(caller, asked).await,
    }
}

/// The call names a field that the remembered models lack.
fn doubts_schema(plan: &Result<Plan, plan::Error>) -> bool {
    match plan {
        Ok(plan) => plan.warnings.iter().any(|warning| warning.code == "unknown_field"),
        Err(error) => matches!(error.code(), "unknown_field" | "unknown_lookup_field" | "not_relational"),
    }
}

fn finished(reply: &Reply, trace: &Trace) -> Finished {
    let error = reply.verdict.as_ref().err();
    let (state, message) = match &reply.verdict {
        Ok(done) => (State::Done, done.message.clone()),
        Err(error) if error.retry() == Retry::Unsafe => (State::InDoubt, error.to_string()),
        Err(error) => (State::Failed, error.to_string()),
    };
    Finished {
        state,
        result: reply.content().1,
        error: error.map(Error::code),
        message,
        detail: error.and_then(Error::detail),
        odoo: trace.made().into_iter().map(odoo_call).collect(),
    }
}

fn logged_caller(caller: &odoo::Caller) -> log::Caller {
    log::Caller {
        credential: caller.credential().kind(),
        door: caller.door().name(),
        uid: caller.identity().uid,
        login: caller.identity().login.clone(),
    }
}

fn odoo_call(made: odoo::Made) -> OdooCall {
    let failure = made.failed.map(|error| Failure {
        error: error.code(),
        message: error.for_operator(),
        traceback: error.traceback().to_owned(),
    });
    OdooCall { rpc: made.rpc, ms: milliseconds(made.took), records: made.records, failure }
}
