//! The HTTP side: connections in, requests to the right place, answers out.
//!
//! A path is made an enum once ([`route`]); what is checked is what is sent on. Only [`respond`] knows status codes. This
//! module knows nothing of Odoo.

mod body;
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
use self::route::{Refusal, Route};
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
    Ok(match route::route(request.method(), request.uri().path()) {
        Ok(Route::Api(route)) => call(app, route, address, request).await,
        Ok(Route::Session) => session(&app, request).await,
        Err(Refusal::NotFound) => respond::not_found(),
        Err(Refusal::OnlyPost) => respond::only_post(),
        Err(Refusal::Path) => respond::bad_path(),
    })
}

async fn call(app: Arc<App>, route: api::Route, address: IpAddr, request: http::Request<Incoming>) -> Response {
    let (head, body) = request.into_parts();
    let body = collect(body, &app.config.limits).await;
    let id = Uuid::now_v7();
    let rotated = RotatedCookie::default();
    let request = api::Request { id, rotated: rotated.clone(), route, headers: head.headers, address, body };
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

/// Passes a request for Odoo's session routes on.
async fn session(app: &App, request: http::Request<Incoming>) -> Response {
    let (head, body) = request.into_parts();
    let outcome = match collect(body, &app.config.limits).await {
        Ok(body) => app.proxy.forward(http::Request::from_parts(head, body)).await,
        Err(error) => return respond::reply(Reply::refusal(Uuid::now_v7(), api::Error::Body(error))),
    };
    match outcome {
        Ok(response) => response,
        Err(error) => respond::reply(Reply::refusal(Uuid::now_v7(), error)),
    }
}
