//! The list of calls, searchable by all filters of `log ls`, live at its top.

use askama::Template;
use http::StatusCode;

use super::visit::{Place, Shown, Visit};
use crate::web::{Frame, page as whole};

#[derive(Template)]
#[template(path = "calls.html")]
struct Calls {
    frame: Frame,
}

pub(super) async fn page(visit: &Visit<'_>) -> Shown {
    Ok(whole(StatusCode::OK, &Calls { frame: visit.frame("Calls", Place::Calls) }))
}
