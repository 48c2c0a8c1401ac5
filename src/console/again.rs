//! Calls that are run again: one, as it was or edited, as a dry run with what would differ; and many, by a filter.
//!
//! What must stay true: a form is sent once, however often a browser sends it ([`once`]); what has begun goes on without the
//! browser; who did it is on the log's record.

mod diff;
mod many;
pub(super) mod once;
mod one;
pub(super) mod plan;
mod result;
mod works;

use http::StatusCode;

use super::visit::{Shown, Visit, not_found};
use crate::{
    log::Call,
    operations::calls::{Calls, NotOne},
    web::Problem,
};

/// `/calls/ID/again`.
pub(super) async fn of_one(visit: &Visit<'_>, id: &str) -> Shown {
    one::answer(visit, id).await
}

/// `/again?FILTER`, and the works that were begun there.
pub(super) async fn of_many(visit: &Visit<'_>, rest: &[&str]) -> Shown {
    let is_post = visit.method == http::Method::POST;
    match (is_post, rest) {
        (false, []) => many::page(visit).await,
        (true, []) => many::start(visit).await,
        (false, ["works", number]) => works::page(visit, number),
        (false, ["works", number, "events"]) => works::events(visit, number),
        (true, ["works", number, "stop"]) => works::stop(visit, number),
        _ => Err(not_found()),
    }
}

/// The call with this id.
pub(super) async fn the_call(log: &Calls, id: &str) -> Result<Call, Problem> {
    let is_id = uuid::Uuid::try_parse(id).is_ok();
    if !is_id {
        return Err(not_found());
    }
    log.one(id).await.map_err(|error| match error {
        NotOne::Unknown(_) | NotOne::Several { .. } => {
            Problem::new(StatusCode::NOT_FOUND, "Not found", "The log has no call with this id (any more).")
        }
        NotOne::Log(error) => log_problem(&error),
    })
}

pub(super) fn log_problem(error: &crate::log::Error) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "The log cannot be read", error.to_string())
}

/// The words as a sentence: with a capital letter and a full stop.
pub(super) fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    let end = if words.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{end}", letters.as_str())
}
