//! Clients: what each may do, when it called last, how often it may call, and keys that expire.
//!
//! Callers with an Odoo credential of their own are a row of their own, with what `[policy]` allows. Nothing here is a secret:
//! of a key there is not even the hash, of the Odoo account the login alone, of a callback the host alone.

mod rules;
mod term;

use askama::Template;
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};

use self::{
    rules::{Rule, rules},
    term::Term,
};
use super::visit::{Place, Shown, Visit, not_found};
use crate::{
    config::{self, Client, Rules},
    limits,
    operations::usage::{Usage, Used},
    web::{Frame, page as whole, show},
};

/// Calls of the last day are counted.
const COUNTED: SignedDuration = SignedDuration::from_hours(24);

#[derive(Template)]
#[template(path = "clients.html")]
struct ClientsPage {
    frame: Frame,
    rows: Vec<Row>,
}

/// A client in the list.
struct Row {
    /// Empty for callers with an Odoo credential of their own.
    name: String,
    label: String,
    term: Term,
    proof: String,
    login: String,
    models: String,
    limits: Vec<String>,
    used: Used,
}

#[derive(Template)]
#[template(path = "client.html")]
struct ClientPage {
    frame: Frame,
    row: Row,
    /// How it calls: proof, Odoo account, delivery.
    facts: Vec<Rule>,
    may: Vec<Rule>,
    hooks: Vec<String>,
    calls: String,
}

/// The list, or the page of one client: `/clients/NAME`. `/clients/` is that of callers with an Odoo credential of their own.
pub(super) async fn page(visit: &Visit<'_>, rest: &[&str]) -> Shown {
    let usage = used(visit).await?;
    let config = visit.config();
    match rest {
        [] => {
            let clients = config.clients.iter().map(|client| Row::of(visit, client, &usage));
            let rows = clients.chain([Row::of_own_credentials(&config.policy, &usage)]).collect();
            Ok(whole(StatusCode::OK, &ClientsPage { frame: visit.frame("Clients", Place::Clients), rows }))
        }
        [""] => {
            let row = Row::of_own_credentials(&config.policy, &usage);
            let frame = visit.frame(row.label.clone(), Place::Clients);
            let may = rules(&config.policy.rules);
            let page = ClientPage { frame, row, facts: Vec::new(), may, hooks: Vec::new(), calls: String::new() };
            Ok(whole(StatusCode::OK, &page))
        }
        [name] => {
            let client = config.clients.iter().find(|client| client.name == *name).ok_or_else(not_found)?;
            let hooks = config.hooks.iter().filter(|hook| hook.client == client.name);
            let page = ClientPage {
                frame: visit.frame(client.name.clone(), Place::Clients),
                row: Row::of(visit, client, &usage),
                facts: rules::facts(client),
                may: rules(&client.rules),
                hooks: hooks.map(|hook| hook.name().to_owned()).collect(),
                calls: format!("/calls?{}", query("caller", &client.name)),
            };
            Ok(whole(StatusCode::OK, &page))
        }
        _ => Err(not_found()),
    }
}

/// How much clients and hooks were used in the last day.
pub(super) async fn used(visit: &Visit<'_>) -> Result<Usage, crate::web::Problem> {
    let since = Timestamp::now().checked_sub(COUNTED).unwrap_or(Timestamp::UNIX_EPOCH);
    visit.calls()?.usage(since).await.map_err(|error| {
        crate::web::Problem::new(StatusCode::SERVICE_UNAVAILABLE, "The log cannot be read", error.to_string())
    })
}

/// One field of a query.
pub(super) fn query(name: &str, value: &str) -> String {
    crate::web::Form::default().with(name, value).to_query()
}

impl Row {
    fn of(visit: &Visit<'_>, client: &Client, usage: &Usage) -> Self {
        let loaded = visit.site.calls.clients.by_name(&client.name);
        let now = loaded.map(crate::call::auth::clients::Client::used);
        let term = match Term::of(client, Timestamp::now()) {
            Term::Active | Term::Until(..) if loaded.is_some_and(|loaded| loaded.check_ready().is_err()) => {
                Term::NoSecret
            }
            term => term,
        };
        Self {
            name: client.name.clone(),
            label: client.name.clone(),
            term,
            proof: rules::proof(client),
            login: client.odoo_login.clone(),
            models: rules::models(&client.rules),
            limits: limits_in_words(&client.rules, now),
            used: usage.of_client(&client.name),
        }
    }

    fn of_own_credentials(policy: &config::OwnCredentials, usage: &Usage) -> Self {
        Self {
            name: String::new(),
            label: "Own Odoo credentials".to_owned(),
            term: if policy.are_taken { Term::Active } else { Term::NotServed },
            proof: "Odoo session, password or API key".to_owned(),
            login: "The caller's own".to_owned(),
            models: rules::models(&policy.rules),
            limits: limits_in_words(&policy.rules, None),
            used: usage.of_own_credentials(),
        }
    }

    fn path(&self) -> String {
        format!("/clients/{}", percent_encoding::utf8_percent_encode(&self.name, percent_encoding::NON_ALPHANUMERIC))
    }
}

/// How often and how many at a time; with what is used now, where that is of one caller.
fn limits_in_words(rules: &Rules, now: Option<limits::Used>) -> Vec<String> {
    let rate = rules.requests_per_second.map(|most| match now.and_then(|now| now.rate) {
        Some((used, _)) => format!("{used} of {most} calls a second"),
        None => format!("{most} calls a second each"),
    });
    let in_flight = rules.in_flight.map(|most| match now.and_then(|now| now.in_flight) {
        Some((used, _)) => format!("{used} of {most} at a time"),
        None => format!("{most} at a time each"),
    });
    rate.into_iter().chain(in_flight).collect()
}
