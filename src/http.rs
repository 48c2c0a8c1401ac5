//! The HTTP front: connections in, requests to the right place, answers out.
//!
//! A path is made a `Destination` once; what is checked is what is sent on. Only [`respond`] makes a status of an error. What
//! is served is a [`Site`], which a reload replaces whole. It may import proxy, call, limits, wire and what stands below them.

mod calls;
mod carried_on;
mod docs;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod pass_on;
mod passed;
mod request;
pub mod respond;
mod senders;
pub mod serve;
mod stored_calls;

use std::{net::IpAddr, sync::Arc};

use arc_swap::ArcSwap;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use rustls::ServerConfig;

pub use self::calls::{answer, made};
use self::{
    pass_on::pass_on,
    passed::Passage,
    request::destination::{Destination, Refusal},
    serve::{
        connection::Guarded,
        front::{Front, Malformed, Rules},
    },
};
use crate::{
    call::{self, Service},
    key_texts::mask_keys,
    limits::{ConcurrencyLimit, Exceeded, Most, Permit},
    proxy::Proxy,
    wire::Response,
};

/// What the public listener serves, built from one configuration. A request keeps the site that it began with.
#[derive(Debug)]
pub struct Site {
    pub calls: Arc<Service>,
    pub proxy: Proxy,
    /// What the listener shows of itself, where it speaks TLS.
    pub tls: Option<Arc<ServerConfig>>,
    /// The requests under way.
    pub requests: Arc<ConcurrencyLimit>,
}

/// The process log has so many characters of a path.
const LOGGED_PATH: usize = 200;

/// A request's share of `[limits] requests`. What goes on for a caller who has hung up keeps it, since else a caller that does
/// nothing but begin and hang up, which HTTP/2 makes cheap, would have no limit.
type Share = Arc<Permit>;

/// What stands behind the public listener.
#[derive(Debug, Clone)]
pub struct Public(pub Arc<ArcSwap<Site>>);

impl Front for Public {
    fn rules(&self) -> Rules {
        let site = self.0.load_full();
        Rules {
            tls: site.tls.clone(),
            limits: site.calls.config.limits.clone(),
            trusted: site.calls.config.server.trusted_proxies.clone(),
        }
    }

    async fn answer(&self, peer: IpAddr, mut request: http::Request<Incoming>) -> Response {
        let site = self.0.load_full();
        let trusted = &site.calls.config.server.trusted_proxies;
        let address = request::origin::address(peer, request.headers(), trusted);
        request::origin::note(&mut request, peer, trusted);
        let limits = &site.calls.config.limits;
        let most = Most { all: limits.requests.get(), each: limits.requests_per_address.get() };
        let share = match site.requests.admit(Some(address), most) {
            Ok(permit) => Arc::new(permit),
            Err(why) => return Box::pin(too_many(&site, address, &request, most, why)).await,
        };
        let response = serve(&site, address, request, &share).await;
        response.map(|body| Guarded { body, _guard: share }.boxed_unsync())
    }

    async fn note_malformed(&self, peer: IpAddr, malformed: Malformed) {
        Passage::of_nothing(&self.0.load_full(), peer).malformed(malformed).await;
    }

    fn note_turned_away(&self, peer: IpAddr, why: Exceeded) {
        let limit = match why {
            Exceeded::All => "connections",
            Exceeded::PerAddress => "connections_per_address",
        };
        self.0.load_full().calls.metrics.turned_away(peer, limit);
    }
}

async fn too_many(
    site: &Arc<Site>,
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
        site.calls.metrics.limited(limit);
    }
    let passage = Passage::new(site, address, request);
    let (code, response) = (error.code(), respond::refuse(passage.id(), &error));
    passage.refuse(code, response).await
}

/// Answers one request of the public listener. What is not passed on is on the heap: hyper moves this future as a whole, for every
/// request, and must not carry room for the largest of what there is.
async fn serve(site: &Arc<Site>, address: IpAddr, request: http::Request<Incoming>, share: &Share) -> Response {
    let refusal = match request::head::check(&request, &site.calls.config.limits) {
        Err(refusal) => refusal,
        Ok(()) => {
            if docs::is_for(site, &request) {
                return Box::pin(docs::answer(site, address, request, share)).await;
            }
            match request::destination::of(
                request.method(),
                request.uri().path(),
                &site.calls.config.proxy,
                &site.calls.hooks,
            ) {
                Ok(Destination::Api(route)) => {
                    return Box::pin(calls::answer_request(site, route, None, address, request, share)).await;
                }
                Ok(Destination::Hook(to)) => {
                    let route = to.hook.entry.route;
                    return Box::pin(calls::answer_request(site, route, Some(to), address, request, share)).await;
                }
                Ok(Destination::Call(id)) => return Box::pin(stored_calls::answer(site, id, address, &request)).await,
                Ok(Destination::Passed(path)) => return pass_on(site, path, address, request, share).await,
                Err(refusal) => refusal,
            }
        }
    };
    if refusal == Refusal::NoHook && site.calls.refused_lines.take_words() {
        tell_of_near_hook(site, address, request.uri().path());
    }
    let response = respond::refusal(&refusal, request.uri().path());
    Box::pin(Passage::new(site, address, &request).refuse(refusal.code(), response)).await
}

/// Tells the operator that a sender knocks at a wrong path.
fn tell_of_near_hook(site: &Arc<Site>, address: IpAddr, path: &str) {
    let hooks = &site.calls.hooks;
    let path: String = mask_keys(&hooks.without_token(path)).chars().take(LOGGED_PATH).collect();
    match hooks.nearest(&path) {
        Some(near) => tracing::warn!(path, %address, "no hook has this path; did its sender mean `{near}`?"),
        None => tracing::warn!(path, %address, "no hook has this path"),
    }
}
