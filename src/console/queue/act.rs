//! What an operator does to the queue: calls tried again or dropped, by their ids or by the filter of the page, and queues paused.
//!
//! What has begun is brought to an end, whether or not the browser waits.

use askama::Template;
use http::StatusCode;
use uuid::Uuid;

use super::{Asked, Place, Problem, Queue, Shown, Visit, store};
use crate::{
    operations::queue::{Done, Error},
    store::{Filter, State},
    web::{Form, Frame, page as whole, redirect, show},
};

/// As many calls are taken by their ids at a time; the page has fewer.
const MOST: usize = 500;
/// A reason is no longer than this.
const WHY: usize = 200;

#[derive(Template)]
#[template(path = "queue_drop.html")]
struct DropPage {
    frame: Frame,
    number: u64,
    ids: Vec<String>,
    back: String,
}

/// The sentence about what has just been done, which stands in the query of the page that follows.
pub(super) fn notice(query: &Form) -> Option<String> {
    let number = query.text("number").parse::<u64>().unwrap_or_default();
    let calls = show::counted(&number, "call", "calls");
    let client: String = query.text("of").chars().take(64).collect();
    let words = match query.text("did") {
        "retried" => format!("{calls} or waiting keys are due now."),
        "dropped" => format!("{calls} dropped. Calls that were being sent stay."),
        "paused" => format!("The queue of {client} is paused."),
        "resumed" => format!("The queue of {client} goes on."),
        _ => return None,
    };
    let more = if query.is_ticked("unrecorded") { " The log has no record of who did it." } else { "" };
    Some(words + more)
}

/// Has dead calls tried again, and waiting ones without delay.
pub(super) async fn retry(visit: &Visit<'_>) -> Shown {
    let filter = chosen(visit, State::Dead)?;
    let (queue, operator) = (Queue::within(visit.site.calls.clone()), visit.operator());
    let done = finished(visit, async move { queue.retry(&filter, &operator).await }).await?;
    Ok(back(visit, &done, "retried", done.what, ""))
}

/// Takes calls out of the queue for good, once the person has seen how many and says so.
pub(super) async fn drop_calls(visit: &Visit<'_>) -> Shown {
    let filter = chosen(visit, State::Dead)?;
    let (queue, operator) = (Queue::within(visit.site.calls.clone()), visit.operator());
    if !visit.form.is_ticked("confirmed") {
        let states = [State::Dead, State::Queued, State::InDoubt];
        let number = queue.count(&filter, &states).await.map_err(|error| store(&error))?;
        let page = DropPage {
            frame: visit.frame("Drop calls", Place::Queue),
            number,
            ids: filter.ids.iter().map(Uuid::to_string).collect(),
            back: way_back(visit),
        };
        return Ok(whole(StatusCode::OK, &page));
    }
    let done = finished(visit, async move { queue.drop_calls(&filter, &operator).await }).await?;
    Ok(back(visit, &done, "dropped", done.what, ""))
}

pub(super) async fn pause(visit: &Visit<'_>) -> Shown {
    let client = client(visit)?;
    let (queue, operator) = (Queue::within(visit.site.calls.clone()), visit.operator());
    let why: String = visit.form.text("why").chars().take(WHY).collect();
    let why = if why.is_empty() { format!("paused by {}", operator.by) } else { why };
    let name = client.clone();
    let done = finished(visit, async move { queue.pause(&name, &why, &operator).await }).await?;
    Ok(back(visit, &done, "paused", 0, &client))
}

pub(super) async fn resume(visit: &Visit<'_>) -> Shown {
    let client = client(visit)?;
    let (queue, operator) = (Queue::within(visit.site.calls.clone()), visit.operator());
    let name = client.clone();
    let done = finished(visit, async move { queue.resume(&name, &operator).await }).await?;
    Ok(back(visit, &done, "resumed", 0, &client))
}

/// The calls that are meant: those that are ticked, or with `all` those of the page's filter in this state.
fn chosen(visit: &Visit<'_>, state: State) -> Result<Filter, Problem> {
    if visit.form.is_ticked("all") {
        return Ok(
            Asked { state: Some(state), ..Asked::of(&Form::parse(query_of(&way_back(visit)).as_bytes())) }.filter()
        );
    }
    let ids: Result<Vec<Uuid>, _> = visit.form.all("id").take(MOST).map(str::parse).collect();
    let ids = ids.map_err(|_| Problem::new(StatusCode::BAD_REQUEST, "Not done", "An id is not that of a call."))?;
    if ids.is_empty() {
        return Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "Nothing to do",
            "Go back and tick the calls that are meant.",
        ));
    }
    Ok(Filter { ids, ..Filter::default() })
}

fn client(visit: &Visit<'_>) -> Result<String, Problem> {
    let name = visit.form.given("client");
    name.map(str::to_owned)
        .ok_or_else(|| Problem::new(StatusCode::BAD_REQUEST, "Not done", "The form names no client."))
}

async fn finished<T: Send + 'static>(
    visit: &Visit<'_>,
    work: impl Future<Output = Result<Done<T>, Error>> + Send + 'static,
) -> Result<Done<T>, Problem> {
    let done = visit.site.calls.tasks.spawn(work).await.map_err(|_| {
        Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "Not known",
            "The work broke down. The queue shows what was done.",
        )
    })?;
    done.map_err(|error| store(&error))
}

/// The page that the form was on; no other one.
fn way_back(visit: &Visit<'_>) -> String {
    let here = visit.form.text("here");
    if here == "/queue" || here.starts_with("/queue?") { here.to_owned() } else { "/queue".to_owned() }
}

fn query_of(path: &str) -> &str {
    path.split_once('?').map_or("", |(_, query)| query)
}

fn back<T>(visit: &Visit<'_>, done: &Done<T>, did: &str, number: u64, client: &str) -> crate::wire::Response {
    let path = way_back(visit);
    let asked = Asked { after: 0, ..Asked::of(&Form::parse(query_of(&path).as_bytes())) };
    let query = Form::parse(query_of(&asked.path()).as_bytes())
        .with("did", did)
        .with("number", number.to_string())
        .with("of", client)
        .with("unrecorded", if done.recorded.is_err() { "1" } else { "" });
    redirect(&format!("/queue?{}", query.to_query()))
}
