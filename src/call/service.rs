//! What makes calls: everything that they need, and the way of one call through its stages.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Instant};

use bytes::Bytes;
use futures_util::{FutureExt, future};
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use super::{
    Accepted, Answered, By, Error, Incoming, Outcome,
    answered_before::AnsweredBefore,
    auth::clients::Clients,
    authenticated::Authenticated,
    docket::{Docket, Stopped},
    ended::Ended,
    lane::Turns,
    open_keys::OpenKeys,
    outcome::ACCEPTED,
    queue_room::QueueRoom,
    queued::{self, Fallback},
    recorded::{Recorded, Step},
    traced::{begin_span, end_span},
};
use crate::{
    config::Config,
    errors::{Class, Code},
    fetch::Fetcher,
    hook::{Captures, Hooks},
    limits::{LoginThrottle, RateLimits, RefusedLines, network},
    log::{self, Arrived, Entry, Failure, Finished, Log, OdooCall, State, Who, milliseconds},
    memory::{self, Memory},
    metrics::{Delivered, EndedCall, Metrics},
    odoo::{self, Odoo, Trace},
    plan,
    policy::Policy,
    store::Store,
    telemetry::Telemetry,
};

/// Everything that calls need. A reload puts another one in its place; a call keeps the one that it began with.
#[derive(Debug)]
pub struct Service {
    pub config: Arc<Config>,
    pub odoo: Arc<Odoo>,
    pub clients: Clients,
    /// What callers with an Odoo credential of their own may do, and how fast.
    pub policy: Arc<Policy>,
    pub rate_limits: RateLimits,
    pub login_throttle: Arc<LoginThrottle>,
    pub hooks: Hooks,
    /// What comes to hooks and is kept for a look.
    pub captures: Captures,
    /// Fetches files that payloads name by their URL.
    pub files: Arc<Fetcher>,
    pub log: Log,
    /// Keys, and calls that are queued.
    pub store: Arc<Store>,
    /// What is known of the answers of earlier processes.
    pub answered_before: AnsweredBefore,
    /// The calls with a key that this process makes.
    pub open_keys: Arc<OpenKeys>,
    /// The turns of deliveries that are made within their requests.
    pub turns: Turns,
    /// How many calls may still be queued.
    pub room: Arc<QueueRoom>,
    pub metrics: Arc<Metrics>,
    pub telemetry: Telemetry,
    /// How many refused requests may still have lines of their own in the log.
    pub refused_lines: Arc<RefusedLines>,
    /// What bodies, calls and answers hold.
    pub memory: Arc<Memory>,
    /// The calls under way. They outlive the connections they came by, and a stop waits for them.
    pub tasks: TaskTracker,
}

impl Service {
    /// Makes a call in a task of its own, so that a caller who hangs up never cuts a call to Odoo in half. `kept` is dropped when
    /// the call has ended.
    pub fn start<K: Send + 'static>(self: &Arc<Self>, incoming: Incoming, kept: K) -> JoinHandle<Answered> {
        let span = tracing::info_span!("call", id = %incoming.id);
        // On the heap at once: it is large, and handed on several times.
        let made = make(self.clone(), incoming).boxed().instrument(span);
        let scoped = memory::scope(self.memory.clone(), made);
        self.tasks.spawn(async move {
            let answered = scoped.await;
            drop(kept);
            answered
        })
    }
}

/// One call, from what came in to its answer. Its end is in the log before the answer is given.
async fn make(service: Arc<Service>, mut incoming: Incoming) -> Answered {
    let started = Instant::now();
    let span = begin_span(&service.telemetry, &mut incoming);
    let is_of_hook = incoming.hook.is_some();
    // A call that cannot be logged does not even cost Odoo a login.
    if let Err(error) = service.log.check() {
        return Answered { is_of_hook, ..Answered::refusal(incoming.id, &error.into()) };
    }
    let arrived = arrived(&incoming);
    let trace = Arc::<Trace>::default();
    let (mut docket, mut done) = carry_out(&service, &incoming, &arrived, started, &trace).await;
    if let (Err(error), Some(fallback)) = (&done, docket.fallback.take())
        && queued::is_away(error)
        && docket.claim.as_ref().is_none_or(|claim| claim.earlier.is_none() && !claim.has_progress)
    {
        done = Box::pin(queue_instead(&service, &mut docket, *fallback)).await.unwrap_or(done);
    }
    let Docket { who, envelope_id, claim, warnings, entry, newest, turn, reached, .. } = docket;
    let done = done.map_err(|error| service.as_client_account(&who, error));
    let (repeat_of, accepted) = match &done {
        Ok(Ended::Known { of, .. }) => (Some(*of), None),
        Ok(Ended::Queued { id, is_repeat, is_preferred, .. }) => {
            let accepted = Accepted { call: *id, is_preferred: *is_preferred };
            (is_repeat.then_some(*id), Some(accepted))
        }
        _ => (None, None),
    };
    let is_dry_run = entry.as_ref().map_or(arrived.dry_run, Entry::is_dry_run);
    let (mut outcome, mut finished) = settle(done, warnings, &trace, started);
    finished.state = recorded_as(&outcome, is_dry_run, repeat_of.is_some());
    let is_refused_at_once = entry.is_none() && outcome.state != State::Done;
    let is_taken = !is_refused_at_once || outcome.class == Class::Taken;
    if let (State::Done, Some((hook, key, version))) = (outcome.state, newest)
        && let Err(error) = Box::pin(service.store.note_newest(&hook, &key, version)).await
    {
        tracing::error!(call = %arrived.id, %error, "the store does not know that this event was done, so that an older one is not ignored");
    }
    service.metrics.call(EndedCall {
        route: arrived.route.name(),
        state: finished.state.as_str(),
        code: finished.error,
        client: who.client.as_deref(),
        took: started.elapsed(),
    });
    if let Some(span) = span {
        end_span(span, &who, &reached, &finished);
    }
    let is_repeat = repeat_of.is_some();
    if let (Some(to), By::Caller) = (&incoming.hook, &incoming.by) {
        let became = match outcome.state {
            _ if !is_taken => Delivered::Refused,
            _ if is_repeat || is_refused_at_once => Delivered::Repeated,
            State::Queued => Delivered::Accepted,
            State::Done => Delivered::Done,
            State::Ignored | State::DryRun => Delivered::Ignored,
            State::Failed => Delivered::Failed,
            State::InDoubt => Delivered::InDoubt,
        };
        service.metrics.deliveries.count(to.hook.name(), &to.hook.entry.client, became);
    }
    if is_refused_at_once {
        // Anyone can cause this, as fast as a network carries it, and so can a caller with a key that was revoked.
        service.login_throttle.refuse(network(arrived.address)).await;
    }
    let logged = async {
        match entry {
            Some(mut entry) => {
                entry.repeats(repeat_of);
                entry.finish(finished).await
            }
            None if is_refused_at_once && !service.refused_lines.take() => Ok(()),
            None => service.log.refuse(&arrived, &who, started, finished).await,
        }
    };
    let kept = async {
        if let Some(claim) = claim {
            Box::pin(claim.end(&service.store, &outcome)).await;
        }
    };
    let (logged, ()) = future::join(logged, kept).await;
    drop(turn);
    if let Err(error) = logged {
        // The call has been carried out or refused; that is still the truth, though the log lacks it.
        tracing::error!(call = %arrived.id, %error, "the end of a call is not in the log");
        outcome.warn(Code::NotLogged, format!("the end of this call is not in the gateway's log: {error}"));
    }
    let cookie = incoming.rotated.get();
    Answered {
        call_id: incoming.id,
        envelope_id,
        outcome,
        is_of_hook,
        is_taken,
        is_replay: is_repeat,
        accepted,
        cookie,
    }
}

/// The state in which the log and the metrics have it: a dry run and a repetition that was recognised are no failures of their own.
fn recorded_as(outcome: &Outcome, is_dry_run: bool, is_repeat: bool) -> State {
    let is_known = is_repeat || outcome.error.is_some_and(|refusal| refusal.code == Code::Replayed);
    match outcome.state {
        State::Queued => State::Queued,
        _ if is_dry_run => State::DryRun,
        State::Failed | State::InDoubt if is_known => State::Ignored,
        state => state,
    }
}

/// Puts a call into the queue, since Odoo is away; none where that cannot be done either.
async fn queue_instead(service: &Service, docket: &mut Docket, fallback: Fallback) -> Option<Result<Ended, Error>> {
    let entry = docket.entry.as_mut()?;
    if let Some(claim) = docket.claim.take() {
        claim.free(&service.store).await;
    }
    match fallback.put(service, entry).await {
        Ok(ended) => Some(Ok(ended)),
        Err(error) => {
            tracing::warn!(%error, "a call cannot be queued while Odoo is away");
            None
        }
    }
}

/// The stages of a call. A panic would be a mistake of ours; it must not cost the call its line in the log.
///
/// What is large or rare is on the heap, here and in the stages: a future is moved where it is awaited, with all that it holds, and
/// holds all that it may await.
async fn carry_out(
    service: &Arc<Service>,
    incoming: &Incoming,
    arrived: &Arrived,
    started: Instant,
    trace: &Arc<Trace>,
) -> (Docket, Result<Ended, Error>) {
    let recorded = async {
        let authenticated = Authenticated::of(service, incoming).await?;
        Recorded::of(authenticated, arrived, started, trace).await
    };
    let mut recorded = match AssertUnwindSafe(Box::pin(recorded)).catch_unwind().await {
        Ok(Ok(Step::Make(recorded))) => recorded,
        Ok(Ok(Step::Several(several))) => {
            let (mut docket, several) = *several;
            // Some of its calls may be done, where it fails so.
            let made = AssertUnwindSafe(Box::pin(several.make(service))).catch_unwind().await;
            let (done, has_progress) = made.unwrap_or((Err(Error::Internal), true));
            if let Some(claim) = &mut docket.claim {
                claim.has_progress |= has_progress;
            }
            return (docket, done);
        }
        Ok(Ok(Step::Ended(ended))) => {
            let (docket, ended) = *ended;
            return (docket, Ok(ended));
        }
        Ok(Err(Stopped { docket, error })) => return (docket, Err(error)),
        Err(_) => return (Docket::default(), Err(Error::Internal)),
    };
    let done = AssertUnwindSafe(Box::pin(recorded.carry_out())).catch_unwind().await;
    let done = match done.unwrap_or(Err(Error::Internal)) {
        Ok(done) => Ok(Ended::Made(done)),
        Err(Error::Plan(error @ plan::Error::NotWhen { .. })) => {
            Ok(Ended::Ignored { why: error.to_string(), code: Some(error.code()) })
        }
        Err(error) => Err(error),
    };
    (recorded.close(), done)
}

fn arrived(incoming: &Incoming) -> Arrived {
    let hook = incoming.hook.as_ref().map(|to| to.hook.name().to_owned());
    let (attempt, step) = (incoming.by.attempt(), incoming.by.step());
    Arrived {
        id: incoming.id,
        route: incoming.route,
        hook: hook
            .or_else(|| attempt.and_then(|attempt| attempt.hook.clone()))
            .or_else(|| step.map(|step| step.hook.clone())),
        address: incoming.address,
        size: incoming.body.as_ref().map_or(0, Bytes::len),
        replay_of: incoming.by.replay_of(),
        dry_run: incoming.by.is_dry_run(),
        by: incoming.by.operator().map(str::to_owned),
        attempt_of: attempt.map(|attempt| attempt.of).or_else(|| step.map(|step| step.of)),
        attempt: attempt.map(|attempt| attempt.number).or_else(|| step.and_then(|step| step.attempt)),
        step: step.map(|step| step.number),
    }
}

impl Service {
    /// An Odoo account that Odoo does not accept is the operator's matter where the configuration gave it to a client.
    pub(super) fn as_client_account(&self, who: &Who, error: Error) -> Error {
        match (&who.client, error) {
            // A call that was left half done keeps its own error, whichever account it used.
            (Some(client), Error::Plan(plan::Error::Odoo(source))) if source.is_about_credentials() => {
                tracing::warn!(%client, error = %source, "the Odoo account of a client is not accepted");
                let login = self.clients.by_name(client).and_then(|client| client.credential().ok()?.login());
                let login = login.unwrap_or_default().to_owned();
                Error::ClientAccount { client: client.as_str().into(), login, source }
            }
            (_, error) => error,
        }
    }
}

/// The outcome of a call, and what the log keeps of it. A refusal answers the warnings that were noted before it.
fn settle(
    done: Result<Ended, Error>,
    noted: Vec<plan::Warning>,
    trace: &Trace,
    started: Instant,
) -> (Outcome, Finished) {
    let made = trace.take().into_iter();
    let odoo: Vec<OdooCall> = made.map(|(made, ended)| odoo_call(made, ended, started)).collect();
    let (outcome, result, message, detail) = match done {
        Ok(Ended::Known { outcome, .. }) => {
            let logged = outcome.logged();
            (outcome, logged, String::new(), None)
        }
        Ok(Ended::Ignored { why, code }) => {
            let outcome = Outcome::ignored(&why, code);
            let logged = outcome.logged();
            (outcome, logged, why, None)
        }
        Ok(Ended::Several(outcome)) => {
            let (logged, message) = (outcome.logged(), outcome.sentence().to_owned());
            (outcome, logged, message, None)
        }
        Ok(Ended::Queued { id, state, .. }) => {
            let outcome = Outcome::accepted(id, state);
            let logged = outcome.logged();
            (outcome, logged, ACCEPTED.to_owned(), None)
        }
        Ok(Ended::Made(done)) => {
            let message = done.message.clone();
            let (outcome, logged) = Outcome::done(done, log::written_records(&odoo));
            (outcome, logged, message, None)
        }
        Err(error) => {
            let outcome = Outcome { records: log::written_records(&odoo), ..Outcome::refused_with(&error, noted) };
            let logged = outcome.logged();
            (outcome, logged, error.sentence(), error.detail())
        }
    };
    let error = outcome.error.map(|refusal| refusal.code.as_str());
    let warnings = outcome.warnings.len();
    let finished = Finished { state: outcome.state, result, error, message, warnings, detail, odoo };
    (outcome, finished)
}

fn odoo_call(made: odoo::Made, ended: Instant, started: Instant) -> OdooCall {
    let failure = made.failed.map(|error| Failure {
        error: error.code().as_str(),
        message: error.for_operator(),
        traceback: error.traceback().to_owned(),
    });
    // One that another call made for this one may have begun before it.
    let at = ended.saturating_duration_since(started).saturating_sub(made.took);
    OdooCall { rpc: made.rpc, at: milliseconds(at), ms: milliseconds(made.took), records: made.records, failure }
}
