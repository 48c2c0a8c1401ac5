//! `/docs` on the public listener, where `[docs] public = true`: the description of the interface.
//!
//! What is general is shown to anybody; what a model has, to its caller alone.

use std::sync::Arc;

use http::{Method, StatusCode};

use super::{Site, respond};
use crate::{
    openapi::{About, Document},
    wire::Response,
};

/// The document for programs.
const DOCUMENT: &str = "/docs/openapi.json";

/// The answer to a request for the description; none where the request is for something else.
pub(super) async fn answer<B>(site: &Arc<Site>, request: &http::Request<B>) -> Option<Response> {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    if !site.calls.config.docs.public || !is_read || request.uri().path() != DOCUMENT {
        return None;
    }
    let document = Document::new(About::default());
    Some(respond::json_response(StatusCode::OK, document.as_json()))
}
