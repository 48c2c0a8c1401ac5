//! Hooks: what came by each, and a template tried on a body that was received, before it is saved to a file by hand.
//!
//! Nothing is written here: neither a file nor in Odoo. What the log hides is hidden in bodies, calls and plans.

mod form;
mod made;
mod received;

use askama::Template;
use http::StatusCode;

use self::{
    form::Attempt,
    made::{Ended, Outcome},
    received::{Delivery, received},
};
use super::{
    clients::{query, used},
    visit::{Place, Shown, Visit, not_found},
};
use crate::{
    config::{Accept, Hook},
    hook::presets::PRESETS,
    operations::usage::{Usage, Used},
    web::{Frame, page as whole, show},
};

#[derive(Template)]
#[template(path = "hooks.html")]
struct HooksPage {
    frame: Frame,
    rows: Vec<Row>,
}

/// A hook in the list.
struct Row {
    name: String,
    path: String,
    client: String,
    target: String,
    answer: &'static str,
    used: Used,
    /// Dead calls in the queue of its client; none where the store does not answer.
    dead: Option<u64>,
    captures: bool,
}

#[derive(Template)]
#[template(path = "hook.html")]
struct HookPage {
    frame: Frame,
    row: Row,
    facts: Vec<(&'static str, String)>,
    /// The expressions of its entry, by their keys.
    expressions: Vec<(&'static str, String)>,
    /// The text of the template's file, or why it cannot be read.
    template: Result<String, String>,
    file: String,
    received: Vec<Delivery>,
    attempt: Attempt,
    outcome: Option<Outcome>,
    calls: String,
    may_try: bool,
}

/// `/hooks`, `/hooks/NAME` and, by POST, `/hooks/NAME/try`. A name may have slashes, which are encoded in links.
pub(super) async fn answer(visit: &Visit<'_>, rest: &[&str]) -> Shown {
    let is_post = visit.method == http::Method::POST;
    match rest {
        [] if !is_post => list(visit).await,
        [name] if !is_post => one(visit, named(visit, name)?, None).await,
        [name, "try"] => {
            let hook = named(visit, name)?;
            let tried = if is_post { Some(form::tried(visit, hook).await?) } else { None };
            one(visit, hook, tried).await
        }
        _ => Err(not_found()),
    }
}

fn named<'v>(visit: &'v Visit<'_>, name: &str) -> Result<&'v Hook, crate::web::Problem> {
    visit.config().hooks.iter().find(|hook| hook.name() == name).ok_or_else(not_found)
}

async fn list(visit: &Visit<'_>) -> Shown {
    let (usage, dead) = (used(visit).await?, dead(visit).await);
    let rows = visit.config().hooks.iter().map(|hook| Row::of(hook, &usage, dead.as_deref())).collect();
    Ok(whole(StatusCode::OK, &HooksPage { frame: visit.frame("Hooks", Place::Hooks), rows }))
}

async fn one(visit: &Visit<'_>, hook: &Hook, tried: Option<(Attempt, Outcome)>) -> Shown {
    let (usage, dead) = (used(visit).await?, dead(visit).await);
    let file = hook.template.clone();
    let template = tokio::task::spawn_blocking(move || std::fs::read_to_string(file)).await;
    let template = template.map_err(|error| error.to_string()).and_then(|read| read.map_err(|error| error.to_string()));
    let received = received(visit, hook).await?;
    let (attempt, outcome) = match tried {
        Some((attempt, outcome)) => (attempt, Some(outcome)),
        None => (Attempt::first(visit, template.as_deref().unwrap_or_default(), &received).await?, None),
    };
    let page = HookPage {
        frame: visit.frame(hook.path.written(), Place::Hooks),
        row: Row::of(hook, &usage, dead.as_deref()),
        facts: facts(hook, template.as_deref().unwrap_or_default()),
        expressions: expressions(hook),
        template,
        file: hook.template.display().to_string(),
        received,
        attempt,
        outcome,
        calls: format!("/calls?{}", query("hook", hook.name())),
        may_try: visit.is_operator(),
    };
    Ok(whole(StatusCode::OK, &page))
}

/// The dead calls of each client; none where the store does not answer.
async fn dead(visit: &Visit<'_>) -> Option<Vec<(String, u64)>> {
    let depths = visit.site.calls.store.depths().await.ok()?;
    Some(depths.into_iter().map(|depth| (depth.client, depth.dead)).collect())
}

impl Row {
    fn of(hook: &Hook, usage: &Usage, dead: Option<&[(String, u64)]>) -> Self {
        let of_client = |dead: &[(String, u64)]| {
            dead.iter().find(|(client, _)| *client == hook.client).map_or(0, |(_, number)| *number)
        };
        Self {
            name: hook.name().to_owned(),
            path: hook.path.written(),
            client: hook.client.clone(),
            target: format!("{} {}", hook.route.name(), hook.model),
            answer: answered(hook.accept),
            used: usage.of_hook(hook.name()),
            dead: dead.map(of_client),
            captures: hook.capture.is_some(),
        }
    }

    fn link(&self) -> String {
        format!("/hooks/{}", percent_encoding::utf8_percent_encode(&self.name, percent_encoding::NON_ALPHANUMERIC))
    }
}

fn answered(accept: Accept) -> &'static str {
    match accept {
        Accept::Store => "as soon as it is stored",
        Accept::Answer => "when its calls have ended",
    }
}

/// What its entry says, in words.
fn facts(hook: &Hook, template: &str) -> Vec<(&'static str, String)> {
    let methods: Vec<&str> = hook.methods.iter().map(http::Method::as_str).collect();
    let mut facts = vec![
        ("Calls", format!("{} of {}", hook.route.name(), hook.model)),
        ("Sender is answered", answered(hook.accept).to_owned()),
        ("Methods", methods.join(", ")),
        ("Warnings", if hook.strict { "Refuse the call" } else { "Are recorded" }.to_owned()),
    ];
    if let Some(preset) = PRESETS.iter().find(|preset| preset.template == template) {
        facts.push(("Template of the preset", preset.name.to_owned()));
    }
    if let Some(fetch) = &hook.fetch {
        let allowed: Vec<String> = fetch.allow.iter().map(ToString::to_string).collect();
        facts.push(("Fetches from", allowed.join(", ")));
    }
    if !hook.vars.is_empty() {
        facts.push(("Constants", hook.vars.keys().map(|name| format!("$vars.{name}")).collect::<Vec<_>>().join(", ")));
    }
    facts
}

fn expressions(hook: &Hook) -> Vec<(&'static str, String)> {
    let all = [
        ("delivery_id", &hook.delivery_id),
        ("key", &hook.key),
        ("only_if_newer", &hook.only_if_newer),
        ("handshake", &hook.handshake),
        ("respond", &hook.respond),
    ];
    all.into_iter().filter_map(|(key, text)| Some((key, text.clone()?))).collect()
}
