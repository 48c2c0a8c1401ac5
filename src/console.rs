//! The console: pages on the admin listener for the people who look after the gateway.
//!
//! A page reads a form, asks [`crate::operations`], and renders a template; what an operator may do and what comes of it is decided
//! there. Every request belongs to a [`visit::Visit`]: a person who is signed in, with a role. A request that changes something is
//! a POST, has the token of its session (`csrf`), and needs the role `operator`. What an operator does is recorded with the name.
//!
//! Invariant: nothing is shown that the log hides, and no secret of the configuration.

mod again;
mod call;
mod calls;
mod clients;
mod docs;
mod hooks;
mod live;
mod overview;
mod queue;
mod router;
mod session;
mod settle;
mod sign_in;
mod visit;
mod words;

use std::{net::IpAddr, sync::Arc};

use http::StatusCode;
use hyper::body::Incoming;

use self::{again::once::Forms, session::Sessions};
use crate::{
    control::Posted,
    current::Current,
    operations::{live::Live, replay::Works},
    web::{Frame, Problem, assets, host},
    wire::Response,
};

/// The first segments of the console's paths.
const PLACES: [&str; 11] =
    ["", "again", "assets", "calls", "clients", "docs", "hooks", "live", "queue", "signin", "signout"];

/// What the console has beside the site that runs: who is signed in, and who watches.
#[derive(Debug)]
pub struct Console {
    current: Arc<Current>,
    posted: Arc<Posted>,
    sessions: Sessions,
    overview: overview::Shared,
    live: Live,
    /// Calls of filters that are sent again.
    works: Arc<Works>,
    /// Forms that are carried out once.
    forms: Forms,
}

impl Console {
    pub fn new(current: Arc<Current>, posted: Arc<Posted>) -> Self {
        let site = current.site();
        let config = &site.calls.config;
        let (sessions, live) = (Sessions::new(config.console.idle), Live::new(&config.log.directory));
        let works = Arc::new(Works::new(current.clone()));
        Self { current, posted, sessions, live, works, forms: Forms::default(), overview: overview::Shared::default() }
    }

    /// Whether the path is one of the console's.
    pub fn is_for(path: &str) -> bool {
        path.strip_prefix('/').is_some_and(|path| PLACES.contains(&path.split('/').next().unwrap_or_default()))
    }

    /// Answers a request of a browser.
    pub async fn answer(&self, peer: IpAddr, request: http::Request<Incoming>) -> Response {
        let site = self.current.site();
        let config = &site.calls.config.console;
        if !config.enabled {
            return Problem::new(StatusCode::NOT_FOUND, "Not found", "[console] enabled is false.")
                .page(Frame::titled(""));
        }
        if !host::is_known(request.headers(), request.uri(), &config.hosts) {
            let words =
                "The name in the address is not one of this gateway. Add it to [console] hosts, or use the address.";
            return Problem::new(StatusCode::MISDIRECTED_REQUEST, "Unknown host", words).page(Frame::titled(""));
        }
        if let Some(asset) = assets::answer(request.uri().path()) {
            return asset;
        }
        router::answer(self, site, peer, request).await
    }
}
