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
    log::{self, Finished, OdooCall, Received, State, milliseconds},
    odoo::{self, Credential, Error as OdooError, RotatedCookie, Trace},
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
    pub body: Result<Bytes, BodyError>,
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
    let Request { id: call_id, rotated, route, headers, address, body } = request;
    let patience = app.config.limits.call_timeout;
    let until = Instant::now() + (patience - patience / 10);
    let mut reply = Reply::refusal(call_id, Error::Internal);
    let size = body.as_ref().map_or(0, Bytes::len);
    let mut entry = match app.log.begin(Received { id: call_id, route: route.name(), address, size }) {
        Ok(entry) => entry,
        Err(error) => {
            reply.verdict = Err(error.into());
            return reply;
        }
    };
    let mut caller = None;
    let shown = auth::shown(&headers, &app.clients);
    let client = shown.as_ref().ok().and_then(Shown::client);
    let trace = Arc::<Trace>::default();
    let served = async {
        let body = body.map_err(Error::Body)?;
        let caller = match identify(&app, &headers, shown, &trace, &rotated, until).await {
            Ok(known) => caller.insert(known),
            Err(error) => {
                // A stranger gets its id back; nothing else of the body is kept.
                reply.envelope_id = Envelope::id_of(&body)?;
                return Err(error);
            }
        };
        let Envelope { id, call } = Envelope::read(&body);
        reply.envelope_id = id;
        let call = call?;
        entry.describe(&call.model, &call.vals);
        Box::pin(carry_out(&app, caller, route, &call)).await
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
    if let Err(error) = entry.finish(finished(&reply, caller.as_ref(), client, &trace)).await {
        // The call has been carried out or refused; that is still the truth, though the log lacks it.
        tracing::error!(call = %call_id, %error, "a call is not in the log");
        if let Ok(done) = &mut reply.verdict {
            done.warnings.push(plan::Warning {
                code: "not_logged",
                path: String::new(),
                message: format!("this call is not in the gateway's log: {error}"),
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
    until: Instant,
) -> Result<odoo::Caller, Error> {
    let credential = shown?.credential();
    if matches!(credential, Credential::Session(_)) && !auth::is_json(headers) {
        return Err(Error::ContentType);
    }
    Ok(odoo::Caller::identify(&app.odoo, credential, trace.clone(), rotated.clone(), until).await?)
}

/// Plans and executes; once more where the models turn out to be other than they are remembered.
async fn carry_out(app: &App, caller: &odoo::Caller, route: Route, call: &Call) -> Result<Done, Error> {
    let plan = plan_call(app, caller, route, call).await;
    let plan = if doubts_schema(&plan) && caller.forget_schemas().await {
        plan_call(app, caller, route, call).await
    } else {
        plan
    };
    let outcome = execute::execute(caller, plan?).await;
    let is_unknown_field = |error: &OdooError| matches!(error, OdooError::Fault(fault) if fault.is_unknown_field());
    match outcome {
        // Odoo has rolled back, so the call can be planned anew with fresh knowledge of the model. Not so a method, which
        // may have done what cannot be rolled back.
        Err(execute::Error::Refused(plan::Error::Odoo(error)))
            if route != Route::CallFunction && is_unknown_field(&error) && caller.forget_schemas().await =>
        {
            Ok(execute::execute(caller, plan_call(app, caller, route, call).await?).await?)
        }
        outcome => Ok(outcome?),
    }
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

fn finished(reply: &Reply, caller: Option<&odoo::Caller>, client: Option<Arc<str>>, trace: &Trace) -> Finished {
    let error = reply.verdict.as_ref().err();
    Finished {
        client: client.as_deref().map(str::to_owned),
        caller: caller.map(|caller| log::Caller {
            credential: caller.credential().kind(),
            door: caller.door().name(),
            uid: caller.identity().uid,
            login: caller.identity().login.clone(),
        }),
        state: if error.is_none() { State::Done } else { State::Failed },
        result: reply.content().1,
        error: error.map(Error::code),
        detail: error.and_then(Error::detail),
        odoo: trace.made().into_iter().map(odoo_call).collect(),
    }
}

fn odoo_call(made: odoo::Made) -> OdooCall {
    OdooCall { rpc: made.rpc, ms: milliseconds(made.took), error: made.failed }
}
