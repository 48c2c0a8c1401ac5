//! One call that is run again: the form, and what a person sends with it.

use std::{net::IpAddr, sync::Arc};

use askama::Template;
use http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    once::{Refused, Reply},
    plan::without_dry_run,
    result, sentence, the_call,
};
use crate::{
    call::Service,
    console::{
        visit::{Place, Shown, Visit},
        words,
    },
    log::{Call, Event, Operator},
    operations::{
        calls::{Calls, line_of},
        replay::{Actor, Draft, Executor, NotReplayable, Options, Replay, Works},
    },
    web::{Frame, Problem, page as whole, redirect, show},
};

/// Larger payloads are sent as they were recorded, without being edited here.
const EDITABLE: usize = 512 << 10;

#[derive(Template)]
#[template(path = "again.html")]
struct AgainPage {
    frame: Frame,
    call: Call,
    /// Why it cannot be run again at all.
    refusal: Option<String>,
    form: Option<AgainForm>,
    /// Why what was sent has not been done.
    problem: Option<String>,
    is_operator: bool,
}

/// What a person can fill in.
struct AgainForm {
    number: String,
    /// The payload as JSON; none where it is too large to be edited.
    text: Option<String>,
    size: String,
    /// The `[[client]]` that made the call, if it is still there.
    recorded: Option<String>,
    clients: Vec<String>,
    /// The chosen client; empty for the recorded one.
    client: String,
    /// The paths of what was hidden in the log.
    hidden: String,
    /// Why the call should not be sent again, unless the person insists.
    doubt: Option<String>,
    /// Why it can only be planned.
    dry_only: Option<String>,
    is_forced: bool,
}

/// What a person has filled in.
#[derive(Clone)]
struct Asked {
    is_dry_run: bool,
    is_forced: bool,
    client: Option<String>,
    text: Option<String>,
}

pub(super) async fn answer(visit: &Visit<'_>, id: &str) -> Shown {
    let log = visit.calls()?;
    if visit.method == http::Method::POST {
        return send(visit, &log, id).await;
    }
    let call = the_call(&log, id).await?;
    if let Some(sent) = visit.query.given("sent") {
        return result::page(visit, &log, &call, sent).await;
    }
    let (text, client) = match visit.query.given("from") {
        Some(other) => of_other(&log, other).await?,
        None => (None, String::new()),
    };
    let asked =
        Asked { is_dry_run: true, is_forced: false, client: Some(client).filter(|name| !name.is_empty()), text };
    page(visit, &log, call, &asked, None).await
}

/// What another call sent, to go on from there: its payload and its client.
async fn of_other(log: &Calls, id: &str) -> Result<(Option<String>, String), Problem> {
    let call = the_call(log, id).await?;
    let lines = log.lines(&call).await.map_err(|error| super::log_problem(&error))?;
    let vals = line_of(&lines, Event::CallReceived).map(|line| without_dry_run(&line["vals"]));
    Ok((vals.filter(Value::is_object).map(|vals| show::json(&vals)), call.client))
}

async fn page(visit: &Visit<'_>, log: &Calls, call: Call, asked: &Asked, problem: Option<String>) -> Shown {
    let config = &visit.site.calls.config;
    let (form, refusal) = match Draft::look(log, &call, config).await {
        Ok((draft, obstacle)) => (Some(AgainForm::of(visit, &draft, obstacle.as_ref(), asked)), None),
        Err(NotReplayable::Log(error)) => return Err(super::log_problem(&error)),
        Err(reason) => (None, Some(sentence(&reason.to_string()))),
    };
    let status = if problem.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let frame = visit.frame("Run again", Place::Calls);
    Ok(whole(status, &AgainPage { frame, call, refusal, form, problem, is_operator: visit.is_operator() }))
}

impl AgainForm {
    fn of(visit: &Visit<'_>, draft: &Draft, obstacle: Option<&NotReplayable>, asked: &Asked) -> Self {
        let clients: Vec<String> = visit.config().clients.iter().map(|client| client.name.clone()).collect();
        let words = obstacle.map(|reason| sentence(&reason.to_string()));
        let (doubt, dry_only) = match obstacle {
            Some(NotReplayable::Done | NotReplayable::InDoubt | NotReplayable::Repeated | NotReplayable::Queued) => {
                (words, None)
            }
            Some(NotReplayable::DryRun) => (None, words),
            _ => (None, None),
        };
        let text = show::json(&draft.vals);
        let size = show::bytes(&(text.len() as u64));
        let text = if text.len() > EDITABLE { None } else { Some(asked.text.clone().unwrap_or(text)) };
        Self {
            // A reader sends no form, so that none is kept for one.
            number: if visit.is_operator() { visit.console.forms.number() } else { String::new() },
            text,
            size,
            recorded: Some(draft.client.clone()).filter(|name| clients.contains(name)),
            clients,
            client: asked.client.clone().unwrap_or_default(),
            hidden: draft.hidden.clone(),
            doubt,
            dry_only,
            is_forced: asked.is_forced,
        }
    }
}

async fn send(visit: &Visit<'_>, log: &Calls, id: &str) -> Shown {
    let asked = Asked {
        is_dry_run: visit.form.text("do") != "send",
        is_forced: visit.form.is_ticked("force"),
        client: visit.form.given("client").map(str::to_owned),
        text: visit.form.raw("payload").map(str::to_owned),
    };
    let call = the_call(log, id).await?;
    let sending = Sending {
        service: visit.site.calls.clone(),
        works: visit.console.works.clone(),
        log: log.clone(),
        root: call.replay_of.unwrap_or(call.id),
        id: call.id,
        asked: asked.clone(),
        operator: visit.operator(),
        address: visit.peer,
    };
    let number = visit.form.text("number");
    match visit.console.forms.once(number, &visit.site.calls.tasks, sending.make()).await {
        Ok(to) => Ok(redirect(&to)),
        Err(Refused::Words(words)) => page(visit, log, call, &asked, Some(words)).await,
        Err(Refused::Problem(problem)) => Err(problem),
    }
}

/// A call that is about to be sent, apart from the browser that asks for it.
struct Sending {
    service: Arc<Service>,
    works: Arc<Works>,
    log: Calls,
    root: Uuid,
    id: Uuid,
    asked: Asked,
    operator: Operator,
    address: IpAddr,
}

impl Sending {
    async fn make(self) -> Reply {
        let held = self.works.hold(self.root);
        if held.is_none() && !self.asked.is_dry_run {
            return Err(Refused::Words(sentence(&NotReplayable::Running.to_string())));
        }
        // As it is now that nobody else can send it.
        let call = the_call(&self.log, &self.id.to_string()).await.map_err(Refused::Problem)?;
        let replay = self.ready(&call).await.map_err(Refused::Words)?;
        replay.record(&self.service.log).await.map_err(|error| not_sent(&error.to_string()))?;
        let answer = Executor::within(self.service, self.address).make(replay).await;
        let answer = answer.map_err(|error| not_known(&error.to_string()))?;
        Ok(format!("/calls/{}/again?sent={}", self.id, answer.id))
    }

    /// The request that is sent, or why there is none.
    async fn ready(&self, call: &Call) -> Result<Replay, String> {
        let Self { service, log, asked, operator, .. } = self;
        let config = &service.config;
        let given = match &asked.text {
            Some(text) => Some(parsed(text)?),
            None => None,
        };
        let (recorded, _) = Draft::look(log, call, config).await.map_err(words)?;
        let edited = given.filter(|given| *given != recorded.vals);
        let options = Options {
            force: asked.is_forced,
            dry_run: asked.is_dry_run,
            is_edited: edited.is_some(),
            actor: asked.client.clone().map_or(Actor::Recorded, Actor::Client),
        };
        let mut draft = Draft::of(log, call, config, &options).await.map_err(words)?;
        if let Some(vals) = edited {
            draft.edit(json!({"vals": vals})).map_err(|error| sentence(&error.to_string()))?;
        }
        draft.ready(config, &options, operator.clone()).map_err(words)
    }
}

/// Why a call is not sent, with what the form offers against it.
fn words(reason: NotReplayable) -> String {
    let offer = match &reason {
        NotReplayable::Done | NotReplayable::InDoubt | NotReplayable::Repeated | NotReplayable::Queued => {
            " Tick the box to run it all the same."
        }
        NotReplayable::Hidden(_) => " Replace what reads `***`.",
        NotReplayable::WhoseCredential | NotReplayable::UnknownClient(_) => " Choose a client.",
        _ => "",
    };
    sentence(&reason.to_string()) + offer
}

fn parsed(text: &str) -> Result<Value, String> {
    let given: Value = serde_json::from_str(text).map_err(|error| format!("The payload is not JSON: {error}."))?;
    if given.is_object() { Ok(given) } else { Err("The payload is not a JSON object.".to_owned()) }
}

fn not_sent(why: &str) -> Refused {
    Refused::Problem(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "Not sent", sentence(why)))
}

fn not_known(why: &str) -> Refused {
    let words = format!("{} The list of calls has what was done.", sentence(why));
    Refused::Problem(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "No answer", words))
}
