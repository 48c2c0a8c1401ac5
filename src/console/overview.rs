//! The overview: what needs a person first, how many calls there were and how they ended, and how Odoo, log and store are.

use askama::Template;
use http::StatusCode;

use super::visit::{Place, Shown, Visit};
use crate::web::{Frame, page as whole};

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview {
    frame: Frame,
}

pub(super) async fn page(visit: &Visit<'_>) -> Shown {
    Ok(whole(StatusCode::OK, &Overview { frame: visit.frame("Overview", Place::Overview) }))
}
