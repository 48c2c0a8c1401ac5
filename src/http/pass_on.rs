//! Requests that are passed on to Odoo. What Odoo may have got is finished, also where the caller has hung up.

use std::{net::IpAddr, sync::Arc};

use bytes::Bytes;
use http::request::Parts;
use hyper::body::{Body as _, Incoming};
use tracing::Instrument;

use super::{
    Share, Site,
    carried_on::CarriedOn,
    passed::{Passage, Reach},
    respond,
};
use crate::{
    call,
    errors::Retry,
    odoo::Origin,
    proxy::Outbound,
    wire::{Passing, Path, Response, collect},
};

/// Passes a request on to Odoo. Where the caller hangs up, that goes on: Odoo works on it, and its place is taken until it answers.
pub(super) async fn pass_on(
    site: &Arc<Site>,
    path: Path,
    address: IpAddr,
    request: http::Request<Incoming>,
    share: &Share,
) -> Response {
    let passage = Passage::new(site, address, &request);
    let id = passage.id();
    let (head, body) = request.into_parts();
    // Where a body is read, as of a login, more is said in the process log than the lines here, which name the request themselves.
    let span = if site.proxy.reads_body(&path) { tracing::info_span!("request", %id) } else { tracing::Span::none() };
    // On the heap at once: a future is copied whole whenever it is moved.
    let passed = Box::pin(pass(site.clone(), passage, path, head, body)).instrument(span);
    match CarriedOn::new(passed, share.clone(), &site.calls.tasks).await {
        Ok(response) => response,
        // What it was has been written to the process log by then.
        Err(_panic) => {
            tracing::error!(request = %id, "passing a request on failed inside the gateway");
            respond::refuse(id, &call::Error::Internal)
        }
    }
}

async fn pass(site: Arc<Site>, mut passage: Passage, path: Path, head: Parts, body: Incoming) -> Response {
    let id = passage.id();
    let origin = Origin { address: Some(passage.address()), ..Origin::default() };
    let limits = &site.calls.config.limits;
    // What is rare or long is on the heap, so that a request for a page takes little room.
    let body = match site.proxy.reads_body(&path) {
        true => Box::pin(collect(body, limits, &site.calls.memory)).await.map(Passing::Whole),
        false if body.is_end_stream() => Ok(Passing::Whole(Bytes::new())),
        false => Box::pin(Passing::open(body, limits, &site.calls.memory)).await,
    };
    let outcome = match body {
        Ok(body) => match passage.begin(body.size(), Reach::of(&head, &body)).await {
            Ok(()) => site.proxy.forward(Outbound { head, body, path, origin }).await,
            Err(error) => Err(error.into()),
        },
        Err(error) => Err(call::Error::Body(error)),
    };
    match outcome {
        Ok(response) => passage.follow(response),
        Err(error) => {
            let (code, is_unknown) = (error.code(), error.retry() == Retry::Unsafe);
            let response = respond::refuse(id, &error);
            Box::pin(passage.fail(code, is_unknown, response.status())).await;
            response
        }
    }
}
