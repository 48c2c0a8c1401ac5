//! The API as a `[[client]]` sees it, on the admin listener: the page, the document, and the form that sends a call.
//!
//! Everyone who is signed in may look through the eyes of a client; only an operator sends a call as one, and the call is recorded
//! as the operator's.

use http::{HeaderMap, StatusCode};
use tokio::time::Instant;

use super::visit::{Place, Shown, Visit, not_found};
use crate::{
    call::{Asking, By, Eyes, Presented},
    http::made,
    openapi::{
        self, About, Looked,
        page::{self, Shown as Page},
        trial::{Trial, Tried},
    },
    web::Problem,
};

pub(super) async fn answer(visit: &Visit<'_>, rest: &[&str]) -> Shown {
    match (visit.method == http::Method::POST, rest) {
        (false, []) => page(visit).await,
        (false, ["openapi.json"]) => document(visit).await,
        (true, ["try"]) => tried(visit).await,
        _ => Err(not_found()),
    }
}

fn asking(visit: &Visit<'_>) -> Asking {
    Asking { headers: HeaderMap::new(), address: visit.peer, began: Instant::now() }
}

async fn page(visit: &Visit<'_>) -> Shown {
    let (client, model) = (visit.query.text("client"), visit.query.text("model"));
    let client = if client.is_empty() { first_client(visit) } else { client };
    let looked = match (client, model) {
        ("", _) | (_, "") => Looked::default(),
        (client, model) => match openapi::look(&visit.site.calls, &asking(visit), Eyes::Client(client), model).await {
            Ok(looked) => looked,
            Err(error) => Looked { problem: Some(error.sentence()), ..Looked::default() },
        },
    };
    Ok(shown(visit, &looked, None))
}

async fn document(visit: &Visit<'_>) -> Shown {
    let names: Vec<String> = visit.query.all("model").map(str::to_owned).collect();
    let client = visit.query.text("client");
    let eyes = Eyes::Client(if client.is_empty() { first_client(visit) } else { client });
    let about = About { hooks: &visit.config().hooks, ..About::default() };
    let answered = openapi::answer(&visit.site.calls, &asking(visit), eyes, &names, about).await;
    let document = answered.map_err(|error| {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "The model cannot be described", error.sentence())
    })?;
    Ok(document.answer())
}

async fn tried(visit: &Visit<'_>) -> Shown {
    let tried = match Trial::read(&visit.form) {
        Err(tried) => *tried,
        Ok(trial) if trial.is_real() && !visit.form.is_ticked("sure") => {
            trial.refused("Confirm that this is not a dry run: it may change Odoo.")
        }
        Ok(trial) => match visit.form.given("client") {
            None => trial.refused("Choose the client that the call is made as."),
            Some(client) => {
                let (name, is_dry_run) = (visit.who().to_owned(), !trial.is_real());
                let by = By::Operator { name, replay_of: None, is_hidden: false, is_dry_run };
                let incoming = trial.incoming(Presented::Client(client.to_owned()), by, visit.peer);
                trial.tried(&made(&visit.site.calls, incoming, ()).await)
            }
        },
    };
    Ok(shown(visit, &Looked::default(), Some(&tried)))
}

/// The first client of the configuration that may be looked through; empty where there is none.
fn first_client<'v>(visit: &'v Visit<'_>) -> &'v str {
    visit.config().clients.iter().find(|client| !client.is_revoked).map_or("", |client| &client.name)
}

fn shown(visit: &Visit<'_>, looked: &Looked, tried: Option<&Tried>) -> crate::wire::Response {
    let clients: Vec<String> =
        visit.config().clients.iter().filter(|client| !client.is_revoked).map(|client| client.name.clone()).collect();
    // What was chosen in the form stays chosen.
    let query = match visit.form.given("client") {
        Some(client) => visit.query.clone().with("client", client),
        None => visit.query.clone(),
    };
    page::page(&Page {
        frame: visit.frame("API", Place::Docs),
        reader: page::Reader::Operator { clients: &clients, may_act: visit.is_operator() },
        query: &query,
        model: looked.model.as_ref(),
        models: &looked.names,
        problem: looked.problem.clone(),
        tried,
    })
}
