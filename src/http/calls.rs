//! Requests that are calls: the body is read, the call is made, its outcome is answered.

use std::{net::IpAddr, sync::Arc};

use http::header;
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use percent_encoding::percent_decode_str;
use secrecy::SecretString;
use tokio::time::{self, Instant};
use uuid::Uuid;

use super::{Share, Site, request::origin, respond, serve::connection::Guarded};
use crate::{
    call::{self, Answered, By, Presented, Service, ToHook},
    hook::{Hook, RequestLine},
    odoo::RotatedCookie,
    route::Route,
    wire::{BodyError, Response, collect},
};

/// A request to a route of the interface, or to a hook.
pub(super) async fn answer_request(
    site: &Arc<Site>,
    route: Route,
    to_hook: Option<(Arc<Hook>, Option<SecretString>)>,
    address: IpAddr,
    request: http::Request<Incoming>,
    share: &Share,
) -> Response {
    let (head, body) = request.into_parts();
    let (hook, token) = to_hook.unzip();
    let line = RequestLine {
        method: head.method.clone(),
        target: head.uri.path_and_query().map_or_else(String::new, |target| target.as_str().to_owned()),
        token: token.flatten(),
        origin: origin::origin(&head, site.tls.is_some()),
    };
    let client = head.uri.query().and_then(named_client);
    let headers = head.headers;
    let coding = headers.get(header::CONTENT_ENCODING).filter(|coding| *coding != "identity");
    let body = match coding.filter(|coding| hook.is_none() || !Hook::unpacks(coding)) {
        None => collect(body, &site.calls.config.limits, &site.calls.memory).await,
        // What is small packed may be large unpacked; Odoo does not unpack either.
        Some(coding) => Err(BodyError::Encoded(String::from_utf8_lossy(coding.as_bytes()).into_owned())),
    };
    let incoming = call::Incoming {
        id: Uuid::now_v7(),
        route,
        hook: hook.map(|hook| ToHook { hook, kept: None }),
        address,
        traceparent: origin::traceparent(&headers),
        presented: Presented::Headers { line, headers, client },
        by: By::Caller,
        body,
        began: Instant::now(),
        rotated: RotatedCookie::default(),
    };
    answer(&site.calls, incoming, share.clone()).await
}

/// `?client=NAME`: whose signature a request has.
fn named_client(query: &str) -> Option<String> {
    let named = query.split('&').find_map(|pair| pair.strip_prefix("client="))?;
    Some(percent_decode_str(named).decode_utf8_lossy().into_owned())
}

/// Makes a call, and answers when it has ended or the caller's time is over. `kept` is dropped when the call has ended.
pub async fn answer<K: Send + 'static>(calls: &Arc<Service>, incoming: call::Incoming, kept: K) -> Response {
    let (id, is_of_hook, rotated) = (incoming.id, incoming.hook.is_some(), incoming.rotated.clone());
    let patience = calls.config.limits.call_timeout;
    let response = respond::answer(match time::timeout(patience, calls.start(incoming, kept)).await {
        Ok(Ok(answered)) => answered,
        Ok(Err(error)) => {
            tracing::error!(call = %id, %error, "a call failed inside the gateway");
            Answered::refusal(id, &call::Error::Internal)
        }
        Err(_) => {
            let refusal = Answered::refusal(id, &call::Error::StillRunning(patience));
            Answered { cookie: rotated.get(), is_of_hook, ..refusal }
        }
    });
    // It is held until the caller has taken it.
    let size = usize::try_from(response.body().size_hint().lower()).unwrap_or(usize::MAX);
    let held = calls.memory.hold_anyway(size);
    response.map(|body| Guarded { body, _guard: held }.boxed_unsync())
}
