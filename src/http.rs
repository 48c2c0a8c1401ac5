//! The HTTP side: connections in, requests to the right place, answers out.
//!
//! A path is made an enum once ([`destination`]); what is checked is what is sent on. Only [`respond`] knows status codes. This
//! module knows nothing of Odoo.

mod connection;
mod destination;
mod head;
mod origin;
mod passed;
pub mod respond;
pub mod server;
mod steady;
mod streams;
mod taking;
pub mod tls;

use std::{net::IpAddr, sync::Arc};

use http::{header, request::Parts};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use percent_encoding::percent_decode_str;
use tokio::time::{self, Instant};
use tracing::Instrument;
use uuid::Uuid;

use self::{
    connection::Guarded,
    destination::Destination,
    passed::Passage,
    server::{Front, Malformed, Rules},
};
use crate::{
    app::App,
    call::{self, Reply},
    current::Current,
    hook::Hook,
    limits::{Exceeded, Most, Permit},
    memory,
    odoo::{Origin, RotatedCookie},
    proxy::Outbound,
    route::Route,
    wire::{BodyError, Passing, Path, Response, collect},
};

/// A request's share of `[limits] requests`. What goes on for a caller who has hung up keeps it, since else a caller who does
/// nothing but begin and hang up, which HTTP/2 makes cheap, would have no limit.
type Place = Arc<Permit>;

/// What stands behind the public listener.
#[derive(Debug, Clone)]
pub struct Public(pub Arc<Current>);

impl Front for Public {
    fn rules(&self) -> Rules {
        let app = self.0.app();
        Rules {
            tls: app.tls.clone(),
            limits: app.config.limits.clone(),
            trusted: app.config.server.trusted_proxies.clone(),
        }
    }

    async fn answer(&self, peer: IpAddr, request: http::Request<Incoming>) -> Response {
        let app = self.0.app();
        let address = origin::address(peer, request.headers(), &app.config.server.trusted_proxies);
        let limits = &app.config.limits;
        let most = Most { all: limits.requests.get(), each: limits.requests_per_address.get() };
        let place = match app.requests.admit(Some(address), most) {
            Ok(place) => Arc::new(place),
            Err(why) => return too_many(&app, address, &request, most, why).await,
        };
        let response = serve(&app, address, request, &place).await;
        response.map(|body| Guarded { body, _guard: place }.boxed_unsync())
    }

    async fn note_malformed(&self, peer: IpAddr, malformed: Malformed) {
        Passage::of_nothing(&self.0.app(), peer).malformed(malformed).await;
    }

    fn note_turned_away(&self, peer: IpAddr, why: Exceeded) {
        let limit = match why {
            Exceeded::All => "connections",
            Exceeded::PerAddress => "connections_per_address",
        };
        self.0.app().metrics.turned_away(peer, limit);
    }
}

async fn too_many(
    app: &Arc<App>,
    address: IpAddr,
    request: &http::Request<Incoming>,
    most: Most,
    why: Exceeded,
) -> Response {
    let error = match why {
        Exceeded::All => call::Error::TooMany { most: most.all, limit: "requests" },
        Exceeded::PerAddress => call::Error::TooMany { most: most.each, limit: "requests_per_address" },
    };
    if let call::Error::TooMany { limit, .. } = error {
        app.metrics.limited(limit);
    }
    let passage = Passage::new(app, address, request);
    let (code, response) = (error.code(), respond::reply(Reply::refusal(passage.id(), error)));
    passage.refuse(code, response).await
}

/// Answers one request of the public listener.
async fn serve(app: &Arc<App>, address: IpAddr, request: http::Request<Incoming>, place: &Place) -> Response {
    let refusal = match head::check(&request, &app.config.limits) {
        Err(refusal) => refusal,
        Ok(()) => match destination::of(request.method(), request.uri().path(), &app.config.proxy, &app.hooks) {
            Ok(Destination::Api(route)) => return call(app, route, None, address, request, place).await,
            Ok(Destination::Hook(hook)) => return call(app, hook.route, Some(hook), address, request, place).await,
            Ok(Destination::Passed(path)) => return passed_on(app, path, address, request, place).await,
            Err(refusal) => refusal,
        },
    };
    Passage::new(app, address, &request).refuse(refusal.code(), respond::refusal(refusal)).await
}

async fn call(
    app: &Arc<App>,
    route: Route,
    hook: Option<Arc<Hook>>,
    address: IpAddr,
    request: http::Request<Incoming>,
    place: &Place,
) -> Response {
    let (head, body) = request.into_parts();
    let client = head.uri.query().and_then(named_client);
    let headers = head.headers;
    let coding = headers.get(header::CONTENT_ENCODING).filter(|coding| *coding != "identity");
    let body = match coding {
        None => collect(body, &app.config.limits, &app.memory).await,
        // What is small packed may be large unpacked; Odoo does not unpack either.
        Some(coding) => Err(BodyError::Encoded(String::from_utf8_lossy(coding.as_bytes()).into_owned())),
    };
    let rotated = RotatedCookie::default();
    let traceparent = origin::traceparent(&headers);
    let id = Uuid::now_v7();
    let request = call::Request {
        id,
        rotated: rotated.clone(),
        route,
        hook,
        client,
        headers,
        address,
        traceparent,
        body,
        began: Instant::now(),
        replay: None,
    };
    answer(app, request, rotated, place.clone()).await
}

/// `?client=NAME`: whose signature a request has.
fn named_client(query: &str) -> Option<String> {
    let named = query.split('&').find_map(|pair| pair.strip_prefix("client="))?;
    Some(percent_decode_str(named).decode_utf8_lossy().into_owned())
}

/// Carries a call out, and answers when it has ended or the caller's time is over. What is `kept` is dropped when it has
/// ended.
pub async fn answer<K: Send + 'static>(
    app: &Arc<App>,
    request: call::Request,
    rotated: RotatedCookie,
    kept: K,
) -> Response {
    let (id, is_of_hook) = (request.id, request.hook.is_some());
    // In a task of its own: a caller who hangs up, or is told that its time is over, must not cut a call to Odoo in half.
    let span = tracing::info_span!("call", %id);
    // On the heap at once: it is large, and handed on several times.
    let handled = Box::pin(call::handle(app.clone(), request)).instrument(span);
    let task = app.calls.spawn(keeping(kept, memory::scope(app.memory.clone(), handled)));
    let patience = app.config.limits.call_timeout;
    let response = respond::reply(match time::timeout(patience, task).await {
        Ok(Ok(reply)) => reply,
        Ok(Err(error)) => {
            tracing::error!(call = %id, %error, "a call failed inside the gateway");
            Reply::refusal(id, call::Error::Internal)
        }
        Err(_) => {
            let refusal = Reply::refusal(id, call::Error::StillRunning(patience));
            Reply { cookie: rotated.get(), is_of_hook, ..refusal }
        }
    });
    // It is held until the caller has taken it.
    let held = app.memory.hold_anyway(usize::try_from(response.body().size_hint().lower()).unwrap_or(usize::MAX));
    response.map(|body| Guarded { body, _guard: held }.boxed_unsync())
}

/// Passes a request on to Odoo, in a task of its own as well.
async fn passed_on(
    app: &Arc<App>,
    path: Path,
    address: IpAddr,
    request: http::Request<Incoming>,
    place: &Place,
) -> Response {
    let passage = Passage::new(app, address, &request);
    let id = passage.id();
    let (head, body) = request.into_parts();
    let span = tracing::info_span!("request", %id);
    let passed = pass(app.clone(), passage, path, head, body).instrument(span);
    match app.calls.spawn(keeping(place.clone(), passed)).await {
        Ok(response) => response,
        Err(error) => {
            tracing::error!(request = %id, %error, "passing a request on failed inside the gateway");
            respond::reply(Reply::refusal(id, call::Error::Internal))
        }
    }
}

/// Drops `kept` when the work is done, whoever waits for it.
async fn keeping<K, T>(kept: K, work: impl Future<Output = T>) -> T {
    let done = work.await;
    drop(kept);
    done
}

async fn pass(app: Arc<App>, mut passage: Passage, path: Path, head: Parts, body: Incoming) -> Response {
    let id = passage.id();
    let origin = Origin { address: Some(passage.address()), ..Origin::default() };
    let limits = &app.config.limits;
    let body = match app.proxy.reads_body(&path) {
        true => collect(body, limits, &app.memory).await.map(Passing::Whole),
        false => Passing::open(body, limits, &app.memory).await,
    };
    let outcome = match body {
        Ok(body) => match passage.begin(body.size()).await {
            Ok(()) => app.proxy.forward(Outbound { head, body, path, origin }).await,
            Err(error) => Err(error.into()),
        },
        Err(error) => Err(call::Error::Body(error)),
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
