//! From a request to its page: who it is, whether the person may, and which page answers.

use std::{net::IpAddr, sync::Arc};

use bytesize::ByteSize;
use http::{HeaderMap, Method, StatusCode};
use hyper::body::Incoming;

use super::{
    Console, again, call, calls, clients, docs, hooks, live, overview, queue,
    session::{COOKIE, Proof, Session},
    settle, sign_in,
    visit::{Place, Shown, Visit, not_found},
};
use crate::{
    http::Site,
    memory::Memory,
    web::{Form, Frame, Problem, cookie, host},
    wire::{Response, collect},
};

/// The room for what a form has beside a recorded body.
const ENVELOPE: u64 = 64 << 10;

pub(super) async fn answer(
    console: &Console,
    site: Arc<Site>,
    peer: IpAddr,
    request: http::Request<Incoming>,
) -> Response {
    let (head, body) = request.into_parts();
    let form = match head.method {
        Method::GET | Method::HEAD => Form::default(),
        Method::POST => match read(&site, body).await {
            Ok(form) => form,
            Err(problem) => return problem.page(Frame::titled("")),
        },
        _ => {
            let words = "The console takes GET and POST.";
            return Problem::new(StatusCode::METHOD_NOT_ALLOWED, "Not allowed", words).page(Frame::titled(""));
        }
    };
    let query = Form::of_query(&head.uri);
    let session = match session(console, &site, peer, &head).await {
        Some(session) => session,
        None => return sign_in::answer(console, &site, peer, &head, &form).await,
    };
    let path = head.uri.path().split('/').skip(1).map(decoded).collect();
    let visit = Visit { console, site, session, peer, method: head.method, path, query, form };
    let shown = match may(&visit, &head.headers) {
        Ok(()) => to_page(&visit, &head.headers).await,
        Err(problem) => Err(problem),
    };
    shown.unwrap_or_else(|problem| problem.page(visit.frame("", Place::Overview)))
}

async fn to_page(visit: &Visit<'_>, headers: &HeaderMap) -> Shown {
    let path: Vec<&str> = visit.path.iter().map(String::as_str).collect();
    match (visit.method == Method::POST, &path[..]) {
        (false, [""]) => overview::page(visit).await,
        (false, ["calls"]) => calls::page(visit).await,
        (false, ["live"]) => live::answer(visit).await,
        (false, ["calls", id]) => call::page(visit, id).await,
        (_, ["calls", id, "again"]) => again::of_one(visit, id).await,
        (_, ["calls", id, "settle"]) => settle::answer(visit, id).await,
        (_, ["again", rest @ ..]) => again::of_many(visit, rest).await,
        (_, ["queue", rest @ ..]) => queue::answer(visit, rest).await,
        (false, ["clients", rest @ ..]) => clients::page(visit, rest).await,
        (_, ["docs", rest @ ..]) => docs::answer(visit, rest).await,
        (_, ["hooks", rest @ ..]) => hooks::answer(visit, rest).await,
        (_, ["signin"]) => Ok(crate::web::redirect("/")),
        (true, ["signout"]) => Ok(sign_in::out(visit.console, headers).await),
        _ => Err(not_found()),
    }
}

/// Whether the request may change something, where it is one that does.
fn may(visit: &Visit<'_>, headers: &HeaderMap) -> Result<(), Problem> {
    if visit.method != Method::POST {
        return Ok(());
    }
    let is_other_site = headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none");
    if is_other_site || !visit.session.has_csrf(visit.form.text("csrf")) {
        let words =
            "The form is of another session, or of another site. Go back, load the page again and send it once more.";
        return Err(Problem::new(StatusCode::FORBIDDEN, "Not done", words));
    }
    if !visit.is_operator() && visit.path != ["signout"] {
        let words = "Your role is `read`. An operator can do this: [[console.user]] role = \"operator\".";
        return Err(Problem::new(StatusCode::FORBIDDEN, "Not allowed", words));
    }
    Ok(())
}

/// The session of the request: its cookie's, or a new one for a browser on this machine.
async fn session(console: &Console, site: &Site, peer: IpAddr, head: &http::request::Parts) -> Option<Arc<Session>> {
    let config = &site.calls.config;
    let is_here = config.console.loopback
        && config.admin.listen.ip().is_loopback()
        && peer.is_loopback()
        && host::is_loopback(&head.headers, &head.uri);
    let number = cookie::read(&head.headers, COOKIE)?;
    let session = console.sessions.get(number).await?;
    let still = match &session.proof {
        Proof::Posted => true,
        Proof::User(user) => config.console.users.contains(user),
        Proof::Loopback => is_here,
    };
    still.then_some(session)
}

async fn read(site: &Site, body: Incoming) -> Result<Form, Problem> {
    let mut limits = site.calls.config.limits.clone();
    limits.body = ByteSize(limits.body.as_u64().saturating_mul(2).saturating_add(ENVELOPE));
    let body = collect(body, &limits, &Memory::new(limits.body.as_u64())).await;
    let body = body.map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "Not done", error.to_string()))?;
    Ok(Form::of_body(&body))
}

/// A segment as it was before it was encoded.
fn decoded(segment: &str) -> String {
    percent_encoding::percent_decode_str(segment).decode_utf8_lossy().into_owned()
}
