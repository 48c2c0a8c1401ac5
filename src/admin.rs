//! The admin listener: is the process alive, is it ready for calls, the operator's calls that are made again, and the console.

use std::{net::IpAddr, sync::Arc};

use bytesize::ByteSize;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::{
    call::Service,
    config::Config,
    console::Console,
    control::Posted,
    current::Current,
    http::{
        Site, answer, respond,
        serve::front::{Front, Malformed, Rules},
    },
    limits::{ConcurrencyLimit, Exceeded},
    log::{Acted, NotSettled, Operator, Settlement},
    memory::Memory,
    metrics::{Form, Reading},
    odoo,
    operations::{
        queue::depths_to_json,
        replay::ReplayRequest,
        settlement,
        status::{Running, Status},
    },
    wire::{Response, collect},
};

/// The room for what an operator's request has beside the recorded body.
const ENVELOPE: u64 = 64 << 10;

/// What stands behind the admin listener.
#[derive(Debug, Clone)]
pub struct Private {
    pub current: Arc<Current>,
    pub posted: Arc<Posted>,
    pub console: Arc<Console>,
    /// The connections of the public listener.
    pub public: Arc<ConcurrencyLimit>,
    pub running: Running,
}

impl Front for Private {
    fn rules(&self) -> Rules {
        Rules { tls: None, limits: self.current.site().calls.config.limits.clone(), trusted: Vec::new() }
    }

    /// Answers `/health` (this process), `/ready` (the log takes lines, Odoo answers), `/metrics`, `/queue` (how many calls wait) and,
    /// to the operator, `/status`, `/replay`, `/settle` and `/acted`. The pages are the console's.
    async fn answer(&self, peer: IpAddr, request: http::Request<Incoming>) -> Response {
        let site = self.current.site();
        let calls = &site.calls;
        match (request.method(), request.uri().path()) {
            (&Method::GET, "/health") => respond::json_response(StatusCode::OK, &json!({"status": "pass"})),
            (&Method::GET, "/ready") => ready(calls).await,
            (&Method::GET, "/metrics") => self.metrics(&site, Form::wanted(request.headers())),
            (&Method::GET, "/queue") if !wants_page(request.headers()) => queue(calls).await,
            (&Method::GET, "/status") => self.status(&site, request.headers()).await,
            (&Method::POST, "/replay") => replay(calls, &self.posted, peer, request).await,
            (&Method::POST, "/settle") => settle(calls, &self.posted, request).await,
            (&Method::POST, "/acted") => acted(calls, &self.posted, request).await,
            (_, path) if Console::is_for(path) || wants_page(request.headers()) => {
                self.console.answer(peer, request).await
            }
            _ => refusal(
                StatusCode::NOT_FOUND,
                "not_found",
                "there are GET /health, GET /ready, GET /metrics, GET /queue and, in a browser, the console at /",
            ),
        }
    }

    async fn note_malformed(&self, _: IpAddr, _: Malformed) {}

    fn note_turned_away(&self, peer: IpAddr, _: Exceeded) {
        self.current.site().calls.metrics.turned_away(peer, "admin_connections");
    }
}

impl Private {
    /// How the gateway is, to the operator.
    async fn status(&self, site: &Site, headers: &HeaderMap) -> Response {
        if !self.posted.admits(headers) {
            return not_the_operator();
        }
        let requests = site.requests.open() as u64;
        match Status::of(&self.running, self.current.configuration(), &site.calls, requests).await {
            Ok(status) => respond::json_response(StatusCode::OK, &json!(status)),
            Err(error) => refusal(StatusCode::SERVICE_UNAVAILABLE, "log_failed", &error.to_string()),
        }
    }

    fn metrics(&self, site: &Site, form: Form) -> Response {
        let calls = &site.calls;
        let Config { limits, upstream, log, .. } = &*calls.config;
        let (odoo_in_flight, odoo_waiting) = calls.odoo.load();
        let (log_waiting, log_free) = calls.log.load();
        let limit = calls.odoo.limit();
        let breaker = limit.breaker();
        let reading = Reading {
            connections: self.public.open(),
            max_connections: limits.connections.get(),
            requests: site.requests.open(),
            max_requests: limits.requests.get(),
            body_bytes: calls.memory.held(),
            max_body_bytes: limits.bodies.as_u64(),
            odoo_in_flight,
            max_odoo_in_flight: limit.now().permits,
            odoo_waiting,
            max_odoo_waiting: upstream.queue,
            odoo_up: breaker.is_up(),
            database_up: calls.odoo.known_database(),
            is_breaker_open: breaker.is_open(),
            log_up: calls.log.check().is_ok(),
            log_waiting,
            log_free,
            log_min_free: log.min_free.as_u64(),
            max_log_bytes: log.max_total.as_u64(),
        };
        let text = calls.metrics.render(reading, form);
        let mut response = http::Response::new(Full::new(text.into()).map_err(|never| match never {}).boxed_unsync());
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(form.content_type()));
        response
    }
}

/// Whether a browser asks, for a page and not for JSON.
fn wants_page(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::ACCEPT)
        .iter()
        .any(|wanted| wanted.to_str().is_ok_and(|wanted| wanted.contains("text/html")))
}

async fn ready(calls: &Service) -> Response {
    let log = calls.log.check();
    let odoo = async {
        let release = calls.odoo.readiness().await?;
        Ok::<_, odoo::Error>((release, calls.odoo.serves_database_now().await))
    };
    let (odoo, store) = tokio::join!(odoo, calls.store.check());
    let is_ready = log.is_ok() && odoo.as_ref().is_ok_and(|(_, database)| *database != Some(false));
    let body = json!({
        "ready": is_ready,
        // Calls without a key are served without it, so that a store that all gateways share does not take all of them away.
        "store": store.map_or_else(|error| error.to_string(), |()| "answers".to_owned()),
        "log": log.map_or_else(|error| error.to_string(), |()| "writable".to_owned()),
        "odoo": odoo.map_or_else(|error| json!(error.for_operator()), |(release, database)| {
            json!({"version": release.version, "edition": release.edition, "database": match database {
                Some(true) => "served",
                Some(false) => "missing",
                // This Odoo tells only after a login.
                None => "unknown",
            }})
        }),
    });
    respond::json_response(if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, &body)
}

async fn queue(calls: &Service) -> Response {
    match calls.store.depths().await {
        Ok(depths) => respond::json_response(StatusCode::OK, &depths_to_json(&depths, calls.store.now())),
        Err(error) => refusal(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", &error.to_string()),
    }
}

async fn replay(calls: &Arc<Service>, posted: &Posted, address: IpAddr, request: http::Request<Incoming>) -> Response {
    // The recorded body as large as it may be, and what is around it.
    let size = calls.config.limits.body.as_u64().saturating_add(ENVELOPE);
    let again = match told::<ReplayRequest>(calls, posted, request, size).await {
        Ok(again) => again,
        Err(refusal) => return refusal,
    };
    if let Err(error) = again.record(&calls.log).await {
        return refusal(StatusCode::SERVICE_UNAVAILABLE, "log_failed", &error.to_string());
    }
    match again.into_incoming(address) {
        Some(incoming) => answer(calls, incoming, ()).await,
        None => refusal(StatusCode::BAD_REQUEST, "invalid_envelope", "a header of the call cannot be sent"),
    }
}

async fn settle(calls: &Service, posted: &Posted, request: http::Request<Incoming>) -> Response {
    let settlement = match told::<Settlement>(calls, posted, request, ENVELOPE).await {
        Ok(settlement) => settlement,
        Err(refusal) => return refusal,
    };
    let operator = Operator::on_command_line(&*settlement.by);
    match settlement::record(&calls.log, &operator, settlement).await {
        Ok(()) => respond::json_response(StatusCode::OK, &json!({"settled": true})),
        Err(NotSettled::Log(error)) => refusal(StatusCode::SERVICE_UNAVAILABLE, "log_failed", &error.to_string()),
        Err(error) => refusal(StatusCode::CONFLICT, "not_settled", &error.to_string()),
    }
}

/// Records what the operator has done elsewhere.
async fn acted(calls: &Service, posted: &Posted, request: http::Request<Incoming>) -> Response {
    let acted = match told::<Acted>(calls, posted, request, ENVELOPE).await {
        Ok(acted) => acted,
        Err(refusal) => return refusal,
    };
    match calls.log.acted(acted).await {
        Ok(()) => respond::json_response(StatusCode::OK, &json!({"recorded": true})),
        Err(error) => refusal(StatusCode::SERVICE_UNAVAILABLE, "log_failed", &error.to_string()),
    }
}

/// What the operator sends, in at most so many bytes; or the answer to somebody else.
async fn told<T: DeserializeOwned>(
    calls: &Service,
    posted: &Posted,
    request: http::Request<Incoming>,
    size: u64,
) -> Result<T, Response> {
    if !posted.admits(request.headers()) {
        return Err(not_the_operator());
    }
    let mut limits = calls.config.limits.clone();
    limits.body = ByteSize(size);
    let body = collect(request.into_body(), &limits, &Memory::new(limits.bodies.as_u64())).await;
    let body = body.map_err(|error| refusal(StatusCode::BAD_REQUEST, "body_broken", &error.to_string()))?;
    serde_json::from_slice(&body).map_err(|error| refusal(StatusCode::BAD_REQUEST, "invalid_json", &error.to_string()))
}

fn not_the_operator() -> Response {
    let words = "`odoo-gateway status`, `replay` and `log settle` show the token that they find beside the log";
    refusal(StatusCode::UNAUTHORIZED, "not_the_operator", words)
}

fn refusal(status: StatusCode, code: &str, message: &str) -> Response {
    respond::json_response(status, &json!({"error": {"code": code, "message": message}}))
}
