//! Signing in and out.
//!
//! A page of the console leads here and back. `SameSite=Strict` keeps the cookie from the first request of a link on another
//! site, so that a shared link is loaded once more by the page itself before anybody is asked for a token.

use std::net::IpAddr;

use askama::Template;
use http::{HeaderMap, Method, StatusCode, header};

use super::{
    Console,
    session::{COOKIE, Proof, user_of},
};
use crate::{
    http::Site,
    web::{Form, Frame, cookie, host, page, redirect},
    wire::Response,
};

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn<'p> {
    frame: Frame,
    next: &'p str,
    is_wrong: bool,
}

#[derive(Template)]
#[template(path = "same_site.html")]
struct SameSite {
    frame: Frame,
}

/// Answers a request of nobody who is signed in.
pub(super) async fn answer(
    console: &Console,
    site: &Site,
    peer: IpAddr,
    head: &http::request::Parts,
    form: &Form,
) -> Response {
    let is_get = head.method == Method::GET;
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let config = &site.calls.config;
    let is_here = config.console.loopback && config.admin.listen.ip().is_loopback() && peer.is_loopback();
    if is_get && is_here && host::is_loopback(&head.headers, &head.uri) {
        return sign_in(console, Proof::Loopback, path, &head.headers).await;
    }
    if head.headers.contains_key("x-fragment")
        || head.headers.get(header::ACCEPT).is_some_and(|wanted| wanted == "text/event-stream")
    {
        return page(StatusCode::UNAUTHORIZED, &SignIn { frame: Frame::titled("Sign in"), next: "/", is_wrong: false });
    }
    let is_linked = head.headers.get("sec-fetch-site").is_some_and(|from| from == "cross-site");
    if is_get && is_linked && cookie::read(&head.headers, COOKIE).is_none() {
        return page(StatusCode::OK, &SameSite { frame: Frame::titled("One moment") });
    }
    let is_sign_in = head.uri.path() == "/signin";
    let asked = Form::of_query(&head.uri);
    let next = local(if !is_sign_in { path } else { form.given("next").unwrap_or(asked.text("next")) });
    if is_sign_in && head.method == Method::POST {
        return match proof_of(console, site, form.text("token")).await {
            Some(proof) => sign_in(console, proof, next, &head.headers).await,
            None => {
                tracing::warn!(%peer, "a wrong token was shown to the console");
                page(StatusCode::UNAUTHORIZED, &SignIn { frame: Frame::titled("Sign in"), next, is_wrong: true })
            }
        };
    }
    let next = if is_get { next } else { "/" };
    page(StatusCode::UNAUTHORIZED, &SignIn { frame: Frame::titled("Sign in"), next, is_wrong: false })
}

/// Signs out.
pub(super) async fn out(console: &Console, headers: &HeaderMap) -> Response {
    if let Some(number) = cookie::read(headers, COOKIE) {
        console.sessions.end(number).await;
    }
    with_cookie(redirect("/signin"), None, headers)
}

async fn sign_in(console: &Console, proof: Proof, next: &str, headers: &HeaderMap) -> Response {
    tracing::info!(who = proof.name(), role = proof.role().name(), "signed in to the console");
    match console.sessions.begin(proof).await {
        Some((number, _)) => with_cookie(redirect(next), Some(&number), headers),
        None => {
            page(StatusCode::INTERNAL_SERVER_ERROR, &SignIn { frame: Frame::titled("Sign in"), next, is_wrong: false })
        }
    }
}

fn with_cookie(mut response: Response, number: Option<&str>, headers: &HeaderMap) -> Response {
    let is_secure = headers.get("x-forwarded-proto").is_some_and(|scheme| scheme == "https");
    if let Some(value) = cookie::set(COOKIE, number, is_secure) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    response
}

/// The user whose token was shown, off the runtime's threads where a file is read.
async fn proof_of(console: &Console, site: &Site, token: &str) -> Option<Proof> {
    if console.posted.is_token(token) {
        return Some(Proof::Posted);
    }
    let (users, token) = (site.calls.config.console.users.clone(), token.to_owned());
    let user = tokio::task::spawn_blocking(move || user_of(&users, &token).cloned()).await.ok()??;
    Some(Proof::User(user))
}

/// The path of a page here; the overview for everything else, so that a link to the sign-in leads nowhere else.
fn local(path: &str) -> &str {
    let is_local = path.starts_with('/')
        && !path.starts_with("//")
        && !path.contains(['\\', '\n', '\r', '\t'])
        && !path.starts_with("/signin")
        && !path.starts_with("/signout");
    if is_local { path } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::local;

    #[test]
    fn the_way_back_stays_on_this_origin() {
        for path in ["/calls?state=failed", "/"] {
            assert_eq!(local(path), path);
        }
        for path in
            ["//evil.example", "/\\evil.example", "https://evil.example", "", "evil", "/\t/evil.example", "/signout"]
        {
            assert_eq!(local(path), "/", "{path}");
        }
    }
}
