//! Answers with pages, and the headers that each of them has.

use askama::Template;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};
use http_body_util::{BodyExt, Full};

use super::frame::Frame;
use crate::wire::Response;

/// Nothing but this origin's own style sheet, script, pictures and answers; no inline script or style, no frame.
pub const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
                          form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

const HEADERS: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "same-origin"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// A page that is not shown, and why, for the person in front of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub status: StatusCode,
    /// A few words.
    pub title: &'static str,
    /// What to do.
    pub words: String,
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage<'p> {
    frame: &'p Frame,
    problem: &'p Problem,
}

impl Problem {
    pub fn new(status: StatusCode, title: &'static str, words: impl Into<String>) -> Self {
        Self { status, title, words: words.into() }
    }

    /// The page that says it, in this frame.
    pub fn page(&self, mut frame: Frame) -> Response {
        frame.title = self.title.to_owned();
        page(self.status, &ProblemPage { frame: &frame, problem: self })
    }
}

/// A whole page.
pub fn page(status: StatusCode, template: &impl Template) -> Response {
    let text = template.render().unwrap_or_else(|error| {
        tracing::error!(%error, "a page cannot be rendered");
        String::new()
    });
    let status = if text.is_empty() { StatusCode::INTERNAL_SERVER_ERROR } else { status };
    with_type(status, "text/html; charset=utf-8", Bytes::from(text))
}

/// The way to another page of this origin, by GET (RFC 9110, section 15.4.4).
pub fn redirect(to: &str) -> Response {
    let mut response = with_type(StatusCode::SEE_OTHER, "text/plain; charset=utf-8", Bytes::new());
    // A path that is no header value is of a caller's making.
    let to = HeaderValue::from_str(to).unwrap_or(HeaderValue::from_static("/"));
    response.headers_mut().insert(header::LOCATION, to);
    response
}

/// An answer with the headers that all of them have. Nothing of it is kept by a cache.
pub fn with_type(status: StatusCode, content_type: &'static str, body: Bytes) -> Response {
    let mut response = http::Response::new(Full::new(body).map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = status;
    secure(&mut response);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Gives an answer the headers that all of them have.
pub fn secure(response: &mut Response) {
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
}
