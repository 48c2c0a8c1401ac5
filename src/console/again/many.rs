//! Calls of a filter that are run again: how many there are, which would be sent and which not, and the beginning of a work.

use askama::Template;
use http::StatusCode;
use jiff::Timestamp;

use super::{log_problem, once::Refused, sentence};
use crate::{
    console::{
        visit::{Place, Shown, Visit},
        words,
    },
    log::{Call, Filter},
    operations::{
        filter::{filter_of, to_pairs},
        replay::{MOST, NotSelected, Order, Survey, Work},
    },
    web::{Form, Frame, Problem, page as whole, redirect, show},
};

/// As many calls are shown before they are sent.
const SHOWN: usize = 20;

#[derive(Template)]
#[template(path = "again_many.html")]
struct ManyPage {
    frame: Frame,
    number: String,
    /// The conditions, as texts.
    conditions: Vec<(&'static str, String)>,
    list: String,
    survey: Survey,
    sendable: u64,
    shown: Vec<Call>,
    clients: Vec<String>,
    client: String,
    works: Vec<WorkRow>,
    is_operator: bool,
    limit: u64,
}

/// A work in the list.
struct WorkRow {
    number: u64,
    by: String,
    began: Timestamp,
    filter: String,
    is_dry_run: bool,
    state: &'static str,
    turned: u64,
    all: u64,
}

impl WorkRow {
    fn of(work: &Work) -> Self {
        let progress = work.progress();
        Self {
            number: work.number,
            by: work.order.operator.by.clone(),
            began: work.began,
            filter: work.order.filter.clone(),
            is_dry_run: work.order.dry_run,
            state: progress.ended.map_or("under way", |(_, end)| end.words()),
            turned: progress.turned() as u64,
            all: progress.all as u64,
        }
    }
}

pub(super) async fn page(visit: &Visit<'_>) -> Shown {
    let filter = filter(&visit.query)?;
    if filter.state.is_none() && !filter.in_doubt {
        // Without a state, calls that succeeded would be meant, too.
        return Ok(redirect(&format!("/again?{}", visit.query.clone().with("state", "failed").to_query())));
    }
    let client = visit.query.given("client");
    let survey = survey(visit, &filter, client).await?;
    // What comes in after this is not meant.
    let pinned = Filter { until: Some(filter.until.unwrap_or(survey.at).min(survey.at)), ..filter.clone() };
    let page = ManyPage {
        frame: visit.frame("Run several again", Place::Calls),
        number: if visit.is_operator() { visit.console.forms.number() } else { String::new() },
        list: format!("/calls?{}", query(&filter)),
        conditions: to_pairs(&pinned),
        sendable: survey.calls.len() as u64,
        shown: survey.calls.iter().take(SHOWN).cloned().collect(),
        survey,
        clients: visit.config().clients.iter().map(|client| client.name.clone()).collect(),
        client: client.unwrap_or_default().to_owned(),
        works: visit.console.works.all().iter().map(|work| WorkRow::of(work)).collect(),
        is_operator: visit.is_operator(),
        limit: MOST as u64,
    };
    Ok(whole(StatusCode::OK, &page))
}

/// Begins to send the calls, and leads to the page of that work.
pub(super) async fn start(visit: &Visit<'_>) -> Shown {
    let number = visit.form.text("number");
    let filter = filter(&visit.form)?;
    let client = visit.form.given("client").map(str::to_owned);
    let survey = survey(visit, &filter, client.as_deref()).await?;
    let order = Order {
        filter: query(&filter),
        dry_run: visit.form.text("do") != "send",
        client,
        operator: visit.operator(),
        address: visit.peer,
        listed: survey.at,
    };
    let works = visit.console.works.clone();
    let work = async move {
        if survey.calls.is_empty() {
            return Err(Refused::Words("No call of this filter can be sent any more.".to_owned()));
        }
        let work = works.start(order, survey.calls);
        let work = work.map_err(|error| Refused::Words(sentence(&error.to_string())))?;
        Ok(format!("/again/works/{}", work.number))
    };
    let reply = visit.console.forms.once(number, &visit.site.calls.tasks, work).await;
    reply.map(|to| redirect(&to)).map_err(|refused| match refused {
        Refused::Words(words) => Problem::new(StatusCode::CONFLICT, "Not begun", words),
        Refused::Problem(problem) => problem,
    })
}

fn filter(form: &Form) -> Result<Filter, Problem> {
    filter_of(|name| form.given(name)).map_err(|mistakes| {
        let words = mistakes.iter().map(|mistake| format!("{}: {}.", mistake.field, mistake.words));
        Problem::new(StatusCode::BAD_REQUEST, "Not read", words.collect::<Vec<_>>().join(" "))
    })
}

async fn survey(visit: &Visit<'_>, filter: &Filter, client: Option<&str>) -> Result<Survey, Problem> {
    let config = visit.config();
    if client.is_some_and(|name| config.clients.iter().all(|client| client.name != name)) {
        return Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "Not known",
            "The configuration has no client with this name.",
        ));
    }
    Survey::of(&visit.calls()?, filter, config, client, MOST).await.map_err(|error| match error {
        NotSelected::Log(error) => log_problem(&error),
        error => Problem::new(StatusCode::BAD_REQUEST, "Not selected", sentence(&error.to_string())),
    })
}

fn query(filter: &Filter) -> String {
    to_pairs(filter).into_iter().fold(Form::default(), |form, (name, value)| form.with(name, value)).to_query()
}
