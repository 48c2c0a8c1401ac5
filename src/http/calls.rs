//! Requests that are calls: the body is read, the call is made, its outcome is answered.

use std::{net::IpAddr, sync::Arc};

use http::header;
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use percent_encoding::percent_decode_str;
use tokio::time::{self, Instant};
use uuid::Uuid;

use super::{
    Share, Site,
    passed::Passage,
    request::{
        destination::{Refusal, ToHook},
        origin,
    },
    respond,
    senders::Asked,
    serve::connection::Guarded,
};
use crate::{
    call::{self, Answered, By, Presented, Service},
    hook::{Hook, RequestLine},
    odoo::RotatedCookie,
    route::Route,
    wire::{BodyError, Response, collect},
};

/// A request to a route of the interface, or to a hook.
pub(super) async fn answer_request(
    site: &Arc<Site>,
    route: Route,
    to_hook: Option<ToHook>,
    address: IpAddr,
    request: http::Request<Incoming>,
    share: &Share,
) -> Response {
    let passage = to_hook.as_ref().map(|_| Passage::new(site, address, &request));
    let (head, body) = request.into_parts();
    let (hook, token) = to_hook.map(|to| (to.hook, to.token)).unzip();
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
        hook: hook.map(|hook| call::ToHook { hook, kept: None }),
        address,
        traceparent: origin::traceparent(&headers),
        presented: Presented::Headers { line, headers, client },
        by: By::Caller,
        body,
        began: Instant::now(),
        rotated: RotatedCookie::default(),
    };
    site.calls.capture(&incoming).await;
    let asked = Asked::of(&incoming);
    if let Some(passage) = passage
        && let Some(answered) = Box::pin(shake_hands(site, &incoming, asked.as_ref(), passage)).await
    {
        return answered;
    }
    let answered = made(&site.calls, incoming, share.clone()).await;
    let reply = match asked {
        Some(asked) => Box::pin(asked.respond(site, &answered)).await,
        None => None,
    };
    let id = answered.call_id;
    held(&site.calls, reply.map_or_else(|| respond::answer(answered), |reply| respond::reply(id, reply)))
}

/// The answer to a request to a hook that is no delivery: a handshake, or one by a method that a delivery does not have.
async fn shake_hands(
    site: &Arc<Site>,
    incoming: &call::Incoming,
    asked: Option<&Asked>,
    passage: Passage,
) -> Option<Response> {
    let hook = &incoming.hook.as_ref()?.hook;
    let Presented::Headers { line, .. } = &incoming.presented else { return None };
    // A challenge has the token of the path, too, and so is proven: by a method of no delivery it is a challenge all the same.
    if let Some(asked) = asked
        && hook.has_handshake()
        && (!hook.delivers_by(&line.method) || !site.calls.is_proven(incoming))
    {
        match asked.handshake(site).await {
            Ok(Some(reply)) => return Some(passage.handle(respond::reply(incoming.id, reply)).await),
            Ok(None) => {}
            Err(error) => {
                let (code, response) = (error.code(), respond::refuse(passage.id(), &error));
                return Some(passage.refuse(code, response).await);
            }
        }
    }
    if hook.delivers_by(&line.method) {
        return None;
    }
    let refusal = Refusal::HookMethod(hook.clone());
    Some(passage.refuse(refusal.code(), respond::refusal(&refusal, "")).await)
}

/// `?client=NAME`: whose signature a request has.
fn named_client(query: &str) -> Option<String> {
    let named = query.split('&').find_map(|pair| pair.strip_prefix("client="))?;
    Some(percent_decode_str(named).decode_utf8_lossy().into_owned())
}

/// Makes a call, and answers when it has ended or the caller's time is over. `kept` is dropped when the call has ended.
pub async fn answer<K: Send + 'static>(calls: &Arc<Service>, incoming: call::Incoming, kept: K) -> Response {
    let answered = made(calls, incoming, kept).await;
    held(calls, respond::answer(answered))
}

/// Makes a call, and waits until it has ended or the caller's time is over.
pub async fn made<K: Send + 'static>(calls: &Arc<Service>, incoming: call::Incoming, kept: K) -> Answered {
    let (id, is_of_hook, rotated) = (incoming.id, incoming.hook.is_some(), incoming.rotated.clone());
    let patience = calls.config.limits.call_timeout;
    match time::timeout(patience, calls.start(incoming, kept)).await {
        Ok(Ok(answered)) => answered,
        Ok(Err(error)) => {
            tracing::error!(call = %id, %error, "a call failed inside the gateway");
            Answered::refusal(id, &call::Error::Internal)
        }
        Err(_) => {
            let refusal = Answered::refusal(id, &call::Error::StillRunning(patience));
            Answered { cookie: rotated.get(), is_of_hook, ..refusal }
        }
    }
}

/// Counts the memory of an answer until it has gone out.
fn held(calls: &Arc<Service>, response: Response) -> Response {
    // It is held until the caller has taken it.
    let size = usize::try_from(response.body().size_hint().lower()).unwrap_or(usize::MAX);
    let held = calls.memory.hold_anyway(size);
    response.map(|body| Guarded { body, _guard: held }.boxed_unsync())
}
