//! The queue: calls that wait, are dead or in doubt, and what can be done with them.
//!
//! The rules are in [`crate::operations::queue`], which also records who did what. Of a call, its payload is not shown here: the
//! log has it, with what is secret hidden.

mod act;
mod row;

use std::collections::BTreeSet;

use askama::Template;
use http::StatusCode;

use self::row::{DepthRow, QueueRow};
use super::visit::{Place, Shown, Visit, not_found};
use crate::{
    operations::queue::{Error, Queue},
    store::{Filter, State},
    web::{Form, Frame, Problem, page as whole, show},
};

/// As many calls are on a page.
const PAGE: u32 = 50;
/// The states that need a look, in their order on the page.
const STATES: [(&str, State, &str); 4] = [
    ("queued", State::Queued, "Waiting"),
    ("running", State::Running, "Running"),
    ("dead", State::Dead, "Dead"),
    ("in_doubt", State::InDoubt, "In doubt"),
];

#[derive(Template)]
#[template(path = "queue.html")]
struct QueuePage {
    frame: Frame,
    depths: Vec<DepthRow>,
    tabs: Vec<Tab>,
    /// Clients that may be chosen.
    clients: Vec<String>,
    asked: Asked,
    rows: Vec<QueueRow>,
    next: Option<String>,
    is_operator: bool,
    /// How many dead calls the filter has.
    dead: u64,
    here: String,
}

/// A way to the calls in one state.
struct Tab {
    label: &'static str,
    path: String,
    number: u64,
    is_here: bool,
}

/// The conditions of the list, as the query of the page has them.
#[derive(Debug, Clone, Default)]
struct Asked {
    state: Option<State>,
    client: String,
    model: String,
    error: String,
    after: i64,
}

impl Asked {
    fn of(form: &Form) -> Self {
        let text = |name: &str| form.text(name).to_owned();
        Self {
            state: State::named(&form.text("state").replace('-', "_")),
            client: text("client"),
            model: text("model"),
            error: text("error"),
            after: form.text("after").parse().unwrap_or_default(),
        }
    }

    fn filter(&self) -> Filter {
        let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Filter {
            states: self.state.map_or_else(|| STATES.map(|(_, state, _)| state).to_vec(), |state| vec![state]),
            client: given(&self.client),
            model: given(&self.model),
            error: given(&self.error),
            ..Filter::default()
        }
    }

    fn state_name(&self) -> &'static str {
        self.state.map_or("", State::as_str)
    }

    fn path(&self) -> String {
        let form = Form::default()
            .with("state", self.state_name())
            .with("client", &*self.client)
            .with("model", &*self.model)
            .with("error", &*self.error)
            .with("after", if self.after > 0 { self.after.to_string() } else { String::new() });
        let query = form.to_query();
        if query.is_empty() { "/queue".to_owned() } else { format!("/queue?{query}") }
    }
}

pub(super) async fn answer(visit: &Visit<'_>, rest: &[&str]) -> Shown {
    let is_post = visit.method == http::Method::POST;
    match (is_post, rest) {
        (false, []) => page(visit).await,
        (true, ["retry"]) => act::retry(visit).await,
        (true, ["drop"]) => act::drop_calls(visit).await,
        (true, ["pause"]) => act::pause(visit).await,
        (true, ["resume"]) => act::resume(visit).await,
        _ => Err(not_found()),
    }
}

async fn page(visit: &Visit<'_>) -> Shown {
    let asked = Asked::of(&visit.query);
    let queue = Queue::within(visit.site.calls.clone());
    let filter = asked.filter();
    let any = Filter { states: Vec::new(), ..filter.clone() };
    let (depths, counted, calls) =
        tokio::join!(queue.depths(), queue.counts(&any), queue.page(&filter, asked.after, PAGE + 1));
    let (depths, counted, mut calls) = (
        depths.map_err(|error| store(&error))?,
        counted.map_err(|error| store(&error))?,
        calls.map_err(|error| store(&error))?,
    );
    let next = (calls.len() > PAGE as usize).then(|| {
        calls.truncate(PAGE as usize);
        let after = calls.last().map_or(0, |call| call.seq);
        Asked { after, ..asked.clone() }.path()
    });
    let number = |wanted: State| counted.iter().filter(|(state, _)| *state == wanted).map(|(_, number)| *number).sum();
    let all: u64 = STATES.iter().map(|(_, state, _)| number(*state)).sum();
    let tab = |label: &'static str, state: Option<State>, number: u64| Tab {
        label,
        path: Asked { state, after: 0, ..asked.clone() }.path(),
        number,
        is_here: asked.state == state,
    };
    let tabs = [tab("All", None, all)].into_iter();
    let tabs = tabs.chain(STATES.map(|(_, state, label)| tab(label, Some(state), number(state)))).collect();
    let configured = visit.config().clients.iter().map(|client| client.name.clone());
    let stored = depths.iter().map(|depth| depth.client.clone()).filter(|name| !name.is_empty());
    let clients: BTreeSet<String> = configured.chain(stored).collect();
    let now = queue.now();
    let mut frame = visit.frame("Queue", Place::Queue);
    frame.notice = act::notice(&visit.query);
    let page = QueuePage {
        frame,
        depths: DepthRow::all(&depths, clients.iter(), now),
        tabs,
        clients: clients.into_iter().collect(),
        rows: calls.iter().map(|call| QueueRow::of(call, now)).collect(),
        next,
        is_operator: visit.is_operator(),
        dead: number(State::Dead),
        here: asked.path(),
        asked,
    };
    Ok(whole(StatusCode::OK, &page))
}

fn store(error: &Error) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "The store does not answer", error.to_string())
}
