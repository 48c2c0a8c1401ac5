//! The HTTP side: connections in, requests to the right place, answers out.
//!
//! A path is made an enum once ([`route`]); what is checked is what is sent on. Only [`respond`] knows status codes. This
//! module knows nothing of Odoo.

mod body;
mod passed;
pub mod respond;
pub mod route;
pub mod server;

use std::{convert::Infallible, net::IpAddr, sync::Arc};

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use tokio::time;
use uuid::Uuid;

pub use self::body::collect;
use self::{
    passed::Passage,
    route::{Refusal, Route},
};
use crate::{
    api::{self, Reply},
    app::App,
    odoo::RotatedCookie,
};

/// A body that goes out: made here, or streamed from Odoo.
pub type Body = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;
pub type Response = http::Response<Body>;

/// Answers one request of the public listener.
pub async fn serve(app: Arc<App>, address: IpAddr, request: http::Request<Incoming>) -> Result<Response, Infallible> {
    let (code, refusal) = match route::route(request.method(), request.uri().path()) {
        Ok(Route::Api(route)) => return Ok(call(app, route, address, request).await),
        Ok(Route::Session) => return Ok(session(app, address, request).await),
        Err(Refusal::NotFound) => ("not_found", respond::not_found()),
        Err(Refusal::OnlyPost) => ("method_not_allowed", respond::only_post()),
        Err(Refusal::Path) => ("invalid_path", respond::bad_path()),
    };
    Ok(Passage::new(&app, address, &request).refuse(code, refusal).await)
}

async fn call(app: Arc<App>, route: api::Route, address: IpAddr, request: http::Request<Incoming>) -> Response {
    let (head, body) = request.into_parts();
    let body = collect(body, &app.config.limits).await;
    let id = Uuid::now_v7();
    let rotated = RotatedCookie::default();
    let headers = head.headers;
    let request = api::Request { id, rotated: rotated.clone(), route, headers, address, body, replay: None };
    answer(&app, request, rotated).await
}

/// Carries a call out, and answers when it has ended or the caller's time is over.
pub async fn answer(app: &Arc<App>, request: api::Request, rotated: RotatedCookie) -> Response {
    let id = request.id;
    // In a task of its own: a caller who hangs up, or is told that its time is over, must not cut a call to Odoo in half.
    let task = app.calls.spawn(api::handle(app.clone(), request));
    let patience = app.config.limits.call_timeout;
    respond::reply(match time::timeout(patience, task).await {
        Ok(Ok(reply)) => reply,
        Ok(Err(error)) => {
            tracing::error!(call = %id, %error, "a call failed inside the gateway");
            Reply::refusal(id, api::Error::Internal)
        }
        Err(_) => Reply { cookie: rotated.get(), ..Reply::refusal(id, api::Error::StillRunning(patience)) },
    })
}

/// Passes a request for Odoo's session routes on, in a task of its own as well.
async fn session(app: Arc<App>, address: IpAddr, request: http::Request<Incoming>) -> Response {
    let passage = Passage::new(&app, address, &request);
    let (head, body) = request.into_parts();
    let body = collect(body, &app.config.limits).await;
    let id = passage.id();
    match app.calls.spawn(pass(app.clone(), passage, head, body)).await {
        Ok(response) => response,
        Err(error) => {
            tracing::error!(request = %id, %error, "passing a request on failed inside the gateway");
            respond::reply(Reply::refusal(id, api::Error::Internal))
        }
    }
}

async fn pass(
    app: Arc<App>,
    mut passage: Passage,
    head: http::request::Parts,
    body: Result<Bytes, api::BodyError>,
) -> Response {
    let id = passage.id();
    let outcome = match body {
        Ok(body) => match passage.begin(body.len()).await {
            Ok(()) => app.proxy.forward(http::Request::from_parts(head, body)).await,
            Err(error) => Err(error.into()),
        },
        Err(error) => Err(api::Error::Body(error)),
    };
    match outcome {
        Ok(response) => passage.follow(response),
        Err(error) => {
            let (code, is_unknown) = (error.code(), error.retry() == crate::odoo::Retry::Unsafe);
            let response = respond::reply(Reply::refusal(id, error));
            passage.fail(code, is_unknown, response.status()).await;
            response
        }
    }
}
