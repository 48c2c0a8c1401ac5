//! One call from end to end: the addon's interface, five routes with one form of question and answer.
//!
//! [`handle`] is one call from end to end: who calls, what is asked, the plan, its execution, the log. It knows neither
//! statuses nor connections. It is run in a task of its own, so that a caller who hangs up never cuts a call to Odoo in
//! half.

mod auth;
pub mod clients;
mod doubts;
mod entrance;
mod envelope;
mod error;
mod hidden;
mod json;
mod signature;
mod task;

use std::{borrow::Cow, net::IpAddr, panic::AssertUnwindSafe, sync::Arc};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderMap, HeaderValue};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Map, Value, json, value::RawValue};
use tokio::time::Instant;
use uuid::Uuid;

pub use self::{
    auth::session_of,
    envelope::{Call, Envelope},
    error::Error,
    signature::Refused,
    task::plan_call,
};
use self::{
    clients::Client,
    entrance::{Entered, Shown},
    signature::Delivery,
    task::Task,
};
use crate::{
    app::App,
    execute::{Atomicity, Done},
    hook::{self, Hook, Sent},
    key_texts::mask_keys,
    log::{self, Arrived, Entry, Failure, Finished, OdooCall, Received, State, Who, milliseconds},
    memory::{self, Weight},
    odoo::{self, Error as OdooError, Origin, Retry, RotatedCookie, Trace, TraceParent},
    plan,
    route::Route,
    wire::BodyError,
};

/// Above this size in memory, a body is not copied.
const READ_AGAIN: usize = 1 << 20;

/// A request to one of the routes, as it came in. Its headers hold credentials, so it has no `Debug`.
pub struct Request {
    /// The call's id, in the log and in the answer.
    pub id: Uuid,
    /// Where the answer finds a session that Odoo rotated during the call.
    pub rotated: RotatedCookie,
    pub route: Route,
    /// The hook by which it came: its template makes the call of the body.
    pub hook: Option<Arc<Hook>>,
    /// The client whose signature it has, as the URL names it.
    pub client: Option<String>,
    pub headers: HeaderMap,
    pub address: IpAddr,
    pub traceparent: Option<TraceParent>,
    pub body: Result<Bytes, BodyError>,
    /// When its time began.
    pub began: Instant,
    /// The operator has the gateway make this call again.
    pub replay: Option<Replay>,
}

/// On whose behalf the operator repeats which call.
#[derive(Debug, Clone)]
pub struct Replay {
    pub of: Option<Uuid>,
    /// The `[[client]]` to act as; without one, the credential in the headers counts.
    pub client: Option<String>,
    /// Values of it were hidden in the log, and read `***` now.
    pub is_hidden: bool,
}

/// What is to be answered, and under which id it stands in the log.
#[derive(Debug)]
pub struct Reply {
    pub call_id: Uuid,
    /// The `id` of the caller's envelope.
    pub envelope_id: Value,
    pub verdict: Result<Answer, Error>,
    /// It goes to the sender of a hook, who reads no more than the status.
    pub is_of_hook: bool,
    /// A session that Odoo rotated during the call.
    pub cookie: Option<HeaderValue>,
}

/// What a caller gets of a call that was carried out. It may be large, so its result is there once, as it goes out.
#[derive(Debug)]
pub struct Answer {
    pub result: Box<RawValue>,
    /// The addon's sentence for it.
    pub message: String,
    pub warnings: Vec<plan::Warning>,
    pub atomicity: Option<Atomicity>,
}

impl Reply {
    /// For a request that never became a call, or whose call has no answer of its own.
    pub fn refusal(call_id: Uuid, error: Error) -> Self {
        Self { call_id, envelope_id: Value::Null, verdict: Err(error), is_of_hook: false, cookie: None }
    }

    /// The envelope's one member that matters, and its name.
    ///
    /// What Odoo or the plan decided is a `result`, done or not; what never came to a decision is an `error`.
    fn content(&self) -> (&'static str, Content<'_>) {
        match &self.verdict {
            Ok(answer) => ("result", Content::Done(Success::of(answer, &*answer.result))),
            Err(error) if error.is_decision() => ("result", Content::Refused(error.as_result())),
            Err(error) => ("error", Content::Refused(error.as_error())),
        }
    }
}

/// The JSON object that the caller gets: written from where it stands, since an answer may be large.
impl Serialize for Reply {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (key, content) = self.content();
        let mut body = serializer.serialize_map(Some(3))?;
        body.serialize_entry("jsonrpc", "2.0")?;
        body.serialize_entry("id", &self.envelope_id)?;
        body.serialize_entry(key, &content)?;
        body.end()
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum Content<'r> {
    Done(Success<'r, &'r RawValue>),
    Refused(Value),
}

#[derive(Serialize)]
struct Success<'r, R> {
    is_success: bool,
    result: R,
    messages: Cow<'r, str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<Value>,
}

impl<'r, R> Success<'r, R> {
    fn of(answer: &'r Answer, result: R) -> Self {
        let warnings = answer.warnings.iter().map(plan::Warning::to_json).collect();
        Self { is_success: true, result, messages: mask_keys(&answer.message), warnings }
    }
}

/// What is known of a call when it ends, however it ends.
#[derive(Default)]
struct Known {
    who: Who,
    envelope_id: Value,
    entry: Option<Entry>,
    delivery: Option<Delivery>,
}

/// Answers one request, and has it in the log before the answer is given.
pub async fn handle(app: Arc<App>, request: Request) -> Reply {
    let started = std::time::Instant::now();
    let mut reply = Reply { is_of_hook: request.hook.is_some(), ..Reply::refusal(request.id, Error::Internal) };
    // Not even a login is made of which nothing could be told.
    if let Err(error) = app.log.check() {
        reply.verdict = Err(error.into());
        return reply;
    }
    let arrived = Arrived {
        id: request.id,
        route: request.route,
        hook: request.hook.as_ref().map(|hook| hook.name.clone()),
        address: request.address,
        size: request.body.as_ref().map_or(0, Bytes::len),
        replay_of: request.replay.as_ref().and_then(|replay| replay.of),
    };
    let mut known = Known::default();
    let trace = Arc::<Trace>::default();
    let served = serve(&app, &request, &arrived, started, &trace, &mut known);
    // A panic would be a mistake of ours; it must not cost the call its line in the log.
    let verdict = AssertUnwindSafe(served).catch_unwind().await;
    let Known { who, envelope_id, entry, delivery } = known;
    reply.envelope_id = envelope_id;
    let verdict = verdict.unwrap_or_else(|_| Err(Error::Internal)).map_err(|error| match (&who.client, error) {
        // What was left half done is told as it is, whoever's account it was.
        (Some(client), Error::Plan(plan::Error::Odoo(source))) if source.is_about_credentials() => {
            tracing::warn!(%client, error = %source, "the Odoo account of a client is not accepted");
            let login = app.clients.by_name(client).and_then(|client| client.credential.login());
            Error::ClientAccount { client: client.as_str().into(), login: login.unwrap_or_default().to_owned(), source }
        }
        (_, error) => error,
    });
    let mut result = Value::Null;
    reply.verdict = verdict.map(|done| {
        result = done.result;
        // JSON can be written of whatever was JSON.
        let written = serde_json::value::to_raw_value(&result).unwrap_or_else(|_| RawValue::NULL.to_owned());
        Answer { result: written, message: done.message, warnings: done.warnings, atomicity: done.atomicity }
    });
    match (delivery, &reply.verdict) {
        // Nothing was written, so the sender may send it again.
        (Some(delivery), Err(error)) if error.retry() != Retry::Unsafe => delivery.give_back().await,
        (Some(delivery), _) => delivery.keep(),
        (None, _) => {}
    }
    reply.cookie = request.rotated.get();
    let finished = finished(&reply, result, &trace);
    app.metrics.call(arrived.route.name(), finished.state.as_str(), finished.error, started.elapsed());
    // Refused at the door: anybody can have that, as fast as a network carries it, and so can who has found an old key.
    let is_at_the_door = entry.is_none() && reply.verdict.is_err();
    if is_at_the_door {
        app.attempts.refuse(crate::limits::network(arrived.address)).await;
    }
    let logged = match entry {
        Some(entry) => entry.finish(finished).await,
        None if is_at_the_door && !app.refusals.take() => Ok(()),
        None => app.log.refuse(&arrived, &who, started, finished).await,
    };
    if let Err(error) = logged {
        // The call has been carried out or refused; that is still the truth, though the log lacks it.
        tracing::error!(call = %arrived.id, %error, "the end of a call is not in the log");
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

/// The call itself: who calls, what is asked, and doing it.
async fn serve(
    app: &App,
    request: &Request,
    arrived: &Arrived,
    started: std::time::Instant,
    trace: &Arc<Trace>,
    known: &mut Known,
) -> Result<Done, Error> {
    let shown = entrance::prove(app, request);
    known.who.client = shown.as_ref().ok().and_then(Shown::client).as_deref().map(str::to_owned);
    let body = request.body.clone().map_err(Error::Body)?;
    let weight = envelope::weigh(&body, &app.config.limits)?;
    // Of a stranger's body nothing but the id is kept.
    let strangers_id = || if request.hook.is_some() { Ok(Value::Null) } else { Envelope::id_of(&body) };
    let entered = async { entrance::enter(app, shown?, request).await };
    // What it entered with is kept to the end: it counts the call.
    let mut entered = match entered.await {
        Ok(entered) => entered,
        Err(error) => {
            known.envelope_id = strangers_id()?;
            return Err(error);
        }
    };
    known.delivery = entered.delivery.take();
    // What a proven caller sends is recorded before Odoo is asked anything, so that it can be replayed where Odoo is away.
    let is_proven = entered.is_proven();
    let recorded = match is_proven {
        true => Some(receive(app, request, arrived, &body, weight, started, known).await?),
        false => None,
    };
    let caller = match identify(app, &mut entered, request, trace).await {
        Ok(caller) => caller,
        Err(error) if is_proven => return Err(error),
        Err(error) => {
            known.envelope_id = strangers_id()?;
            return Err(error);
        }
    };
    let (call, entry) = match recorded {
        Some((call, entry)) => {
            entry.runs_as(logged_caller(&caller));
            (call, entry)
        }
        None => {
            known.who.caller = Some(logged_caller(&caller));
            receive(app, request, arrived, &body, weight, started, known).await?
        }
    };
    entry.note_credential(caller.credential().secret().clone());
    let task = Task { compat: &app.config.compat, caller: &caller, request, call: &call };
    let outcome = Box::pin(task.carry_out(entry)).await;
    task.tell_fields(entry, &outcome).await;
    outcome
}

/// Takes the body apart and hands the call to the log. The id of the envelope is kept even where the rest is of no use.
///
/// # Errors
/// There is no room for what the body is parsed into, it has no call in it, its template makes none of it, or the log cannot take it.
async fn receive<'k>(
    app: &App,
    request: &Request,
    arrived: &Arrived,
    body: &Bytes,
    weight: Weight,
    started: std::time::Instant,
    known: &'k mut Known,
) -> Result<(Call, &'k mut Entry), Error> {
    if let Err(full) = memory::take(weight.in_call(body.len())) {
        known.envelope_id = if request.hook.is_some() { Value::Null } else { Envelope::id_of(body)? };
        return Err(BodyError::from(full).into());
    }
    let Taken { model, mut vals, sent } = match &request.hook {
        None => {
            let Envelope { id, call } = Envelope::read(body);
            known.envelope_id = id;
            let Call { model, vals } = call?;
            Taken { model, vals: Ok(vals), sent: None }
        }
        Some(hook) => by_template(app, hook, body, &request.headers).await?,
    };
    // The log takes apart what it gets. A large body is parsed twice rather than held twice.
    let is_read_again = request.hook.is_none() && weight.parsed > READ_AGAIN;
    let logged = vals.as_mut().ok().map(|vals| if is_read_again { std::mem::take(vals) } else { vals.clone() });
    let received = Received { model: &model, vals: logged.unwrap_or_default(), sent, who: known.who.clone() };
    let entry = known.entry.insert(app.log.receive(arrived.clone(), received, started).await?);
    let call = if is_read_again { Envelope::read(body).call? } else { Call { model, vals: vals? } };
    envelope::take_domain(&call.vals, &app.config.limits)?;
    Ok((call, entry))
}

/// What is asked. A template that fails has taken the body all the same, so that it can be run again when it is mended.
struct Taken {
    model: String,
    vals: Result<Map<String, Value>, hook::Error>,
    /// What the sender of a hook sent.
    sent: Option<Value>,
}

async fn by_template(app: &App, hook: &Arc<Hook>, body: &Bytes, headers: &HeaderMap) -> Result<Taken, Error> {
    let signed = app.clients.by_name(&hook.client).and_then(Client::signature_header);
    let sent = Sent::new(body.clone(), headers, signed);
    let shown = sent.to_json(Envelope::foreign(body)?);
    Ok(Taken { model: hook.model.clone(), vals: hook.vals(sent).await, sent: Some(shown) })
}

/// The user of Odoo behind a caller that has been let in.
async fn identify(
    app: &App,
    entered: &mut Entered,
    request: &Request,
    trace: &Arc<Trace>,
) -> Result<odoo::Caller, Error> {
    let patience = app.config.limits.call_timeout;
    let origin = Origin { address: Some(request.address), traceparent: request.traceparent, party: entered.party };
    let (credential, policy) = (entered.credential.clone(), entered.policy.clone());
    let until = request.began + (patience - patience / 10);
    let caller =
        odoo::Caller::identify(&app.odoo, credential, policy, trace.clone(), request.rotated.clone(), origin, until);
    let caller = caller.await;
    if let Some(attempt) = entered.attempt.take()
        && caller.as_ref().is_err_and(OdooError::is_wrong_credential)
    {
        attempt.was_wrong();
    }
    Ok(caller?)
}

/// What the log is told; it gets the result itself.
fn finished(reply: &Reply, result: Value, trace: &Trace) -> Finished {
    let error = reply.verdict.as_ref().err();
    let (state, message) = match &reply.verdict {
        Ok(done) => (State::Done, done.message.clone()),
        Err(error) if error.retry() == Retry::Unsafe => (State::InDoubt, error.words()),
        Err(error) => (State::Failed, error.words()),
    };
    Finished {
        state,
        result: match &reply.verdict {
            Ok(answer) => {
                let mut told = json!(Success::of(answer, ()));
                told["result"] = result;
                told
            }
            Err(_) => json!(reply.content().1),
        },
        error: error.map(Error::code),
        message,
        detail: error.and_then(Error::detail),
        odoo: trace.take().into_iter().map(odoo_call).collect(),
    }
}

fn logged_caller(caller: &odoo::Caller) -> log::Caller {
    log::Caller {
        credential: caller.credential().kind(),
        door: caller.door().name(),
        uid: caller.identity().uid,
        login: mask_keys(&caller.identity().login).into_owned(),
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
