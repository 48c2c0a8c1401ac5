//! One HTTP exchange with Odoo: a body out, status, cookie and bytes back.
//!
//! What matters here is to tell "nothing was sent" from "it is not known what became of it": only a connection that was
//! never made, or a request that cannot be written, counts as the first. And to tell an answer of Odoo's from that of whatever
//! stands before it.

use std::{error::Error as _, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use bytesize::ByteSize;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use reqwest::Url;
use serde::Serialize;
use tokio::time::{self, Instant};

use super::{
    Unusable,
    error::{Error, Queue, Why},
    gate::{Claim, Gate},
    origin::Origin,
    outside::{Outside, tls},
    rpc::Effect,
};
use crate::{
    config,
    memory::{self, Full},
    metrics::Metrics,
};

/// Odoo closes a connection after each answer; a proxy before it keeps one for 60-75 s. Staying below that keeps us from
/// writing into a connection that is being closed.
const POOL_IDLE: Duration = Duration::from_secs(30);
/// So much of a page's title is shown.
const TITLE: usize = 80;

/// The HTTP client and the address of Odoo.
#[derive(Debug)]
pub(super) struct Transport {
    client: reqwest::Client,
    /// Scheme, host, port and path prefix.
    base: Url,
    outside: Outside,
    timeout: Duration,
    read_timeout: Duration,
    max_answer: ByteSize,
    gate: Arc<Gate>,
    metrics: Arc<Metrics>,
}

/// What is sent.
pub(super) struct Request {
    pub(super) path: String,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) content_type: HeaderValue,
    pub(super) body: Vec<u8>,
    pub(super) effect: Effect,
}

/// On whose behalf it is sent, and when its answer must be there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    pub(super) claim: Claim,
    /// The end of the caller's patience. Once something may have been written, only an answer's own deadline counts.
    pub(super) until: Instant,
    pub(super) origin: Origin,
}

/// An answer that came back whole.
pub(super) struct Response {
    pub(super) status: StatusCode,
    /// The `Set-Cookie` line of a session that Odoo began or rotated.
    pub(super) session_cookie: Option<HeaderValue>,
    pub(super) body: Bytes,
}

impl Request {
    pub(super) fn json(path: impl Into<String>, body: &impl Serialize, effect: Effect) -> Self {
        Self {
            path: path.into(),
            headers: Vec::new(),
            content_type: HeaderValue::from_static("application/json"),
            // JSON can be written of whatever was JSON.
            body: serde_json::to_vec(body).unwrap_or_default(),
            effect,
        }
    }

    pub(super) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }
}

impl Transport {
    pub(super) fn build(config: &config::Upstream, gate: Arc<Gate>, metrics: Arc<Metrics>) -> Result<Self, Unusable> {
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls(config.ca.as_deref())?)
            .http1_only()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(config.connect_timeout)
            .pool_idle_timeout(POOL_IDLE)
            .user_agent(concat!("odoo-gateway/", env!("CARGO_PKG_VERSION")))
            .build()?;
        let unusable = || Unusable::Address(config.url.clone());
        Ok(Self {
            client,
            outside: Outside::of(&config.url, config.public_url.as_ref()).ok_or_else(unusable)?,
            base: config.url.clone(),
            timeout: config.timeout,
            read_timeout: config.read_timeout,
            max_answer: config.max_answer,
            gate,
            metrics,
        })
    }

    /// Host and port, where Odoo is reached without TLS.
    pub(super) fn plain_address(&self) -> Option<String> {
        let url = Some(&self.base).filter(|url| url.scheme() == "http")?;
        Some(format!("{}:{}", url.host_str()?, url.port_or_known_default()?))
    }

    pub(super) async fn post(&self, request: Request, terms: Terms) -> Result<Response, Error> {
        let _place = self.gate.enter(terms.claim, terms.origin.party, terms.until).await?;
        let effect = request.effect;
        // What only reads may be given up when the caller's time is up; what may write is waited for as long as may be.
        let reads = effect == Effect::Read && terms.claim != Claim::Begun;
        let left = terms.until.saturating_duration_since(Instant::now());
        let limit = if reads { self.timeout.min(left) } else { self.timeout };
        if limit.is_zero() {
            return Err(Error::OutOfTime);
        }
        let started = Instant::now();
        let answer = time::timeout(limit, self.exchange(request, &terms.origin)).await;
        let outcome = answer.unwrap_or_else(|_| Err(Error::NoAnswer { effect, why: Why::TimedOut(limit) }));
        self.gate.connected(&outcome);
        self.metrics.odoo(outcome.as_ref().err().map_or("answered", |error| error.code().as_str()), started.elapsed());
        outcome
    }

    /// Whether Odoo, as the gateway reaches it, believes `X-Forwarded-Host`, and with it the address in `X-Forwarded-For`; none
    /// where it does not tell. It is asked for a page under a host that no URL can have: an Odoo that believes it answers 400
    /// (from 16 on) or redirects to that host (before).
    pub(super) async fn is_believed(&self, within: Duration) -> Option<bool> {
        const HOST: &str = "odoo-gateway..invalid";
        let mut headers = HeaderMap::new();
        self.outside.tell(&mut headers, &Origin::default());
        headers.insert("x-forwarded-host", HeaderValue::from_static(HOST));
        let mut url = self.base.clone();
        url.set_path(&format!("{}/", self.base.path().trim_end_matches('/')));
        let answer = time::timeout(within, self.client.get(url).headers(headers).send()).await.ok()?.ok()?;
        let location = answer.headers().get(header::LOCATION).and_then(|to| to.to_str().ok()).unwrap_or_default();
        match answer.status().as_u16() {
            400 => Some(true),
            200..=399 => Some(location.contains(HOST)),
            _ => None,
        }
    }

    async fn exchange(&self, request: Request, origin: &Origin) -> Result<Response, Error> {
        let Request { path, headers, content_type, body, effect } = request;
        let mut headers: HeaderMap = headers.into_iter().collect();
        headers.insert(header::CONTENT_TYPE, content_type);
        self.outside.tell(&mut headers, origin);
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        let request = self.client.post(url).headers(headers).body(body);
        let response = request.send().await.map_err(|error| self.lost(effect, &error))?;
        let status = response.status();
        if let (true, Some(to)) = (status.is_redirection(), response.headers().get(header::LOCATION)) {
            return Err(Error::Redirected { to: String::from_utf8_lossy(to.as_bytes()).into_owned() });
        }
        let no_answer = |why| Err(Error::NoAnswer { effect, why });
        if let Some(coding) = response.headers().get(header::CONTENT_ENCODING).filter(|coding| *coding != "identity") {
            return no_answer(Why::Encoded(String::from_utf8_lossy(coding.as_bytes()).into_owned()));
        }
        let session_cookie = session_cookie(response.headers());
        let is_page =
            response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
        let body = self.body(response, effect).await?;
        match status.as_u16() {
            429 => Err(Error::Overloaded { status: 429 }),
            // Some proxies answer 503 too when Odoo went away in the middle of a call.
            503 if effect == Effect::Read => Err(Error::Overloaded { status: 503 }),
            502..=504 => no_answer(Why::Status(status.as_u16())),
            // Where Odoo has no database to serve, it says so by a page; the doors know that by its status.
            404 => Ok(Response { status, session_cookie, body }),
            // Refused by its head alone, by Odoo or by the gateway.
            status @ (414 | 431) => Err(Error::TurnedAway { status, title: String::new() }),
            // The time that a proxy gave Odoo was over (nginx), or this gateway's own.
            status @ (408 | 499) => no_answer(Why::Status(status)),
            status @ 400..=499 if is_page => Err(Error::TurnedAway { status, title: title(&body) }),
            status if is_page => no_answer(Why::Page { status, title: title(&body) }),
            _ => Ok(Response { status, session_cookie, body }),
        }
    }

    /// The whole body, if it is not too large and does not falter.
    async fn body(&self, mut response: reqwest::Response, effect: Effect) -> Result<Bytes, Error> {
        let cap = self.max_answer.as_u64();
        let too_large = |size: u64| size > cap;
        if response.content_length().is_some_and(too_large) {
            return Err(Error::AnswerTooLarge { effect, cap: self.max_answer });
        }
        let mut body = BytesMut::new();
        loop {
            let chunk = time::timeout(self.read_timeout, response.chunk()).await;
            let chunk = chunk.map_err(|_| Error::NoAnswer { effect, why: Why::TimedOut(self.read_timeout) })?;
            let Some(chunk) = chunk.map_err(|error| self.lost(effect, &error))? else { break };
            body.extend_from_slice(&chunk);
            if too_large(body.len() as u64) {
                return Err(Error::AnswerTooLarge { effect, cap: self.max_answer });
            }
        }
        memory::take_answer(&body, effect == Effect::Write).map_err(|full| no_room(full, effect))?;
        Ok(body.freeze())
    }

    fn lost(&self, effect: Effect, error: &reqwest::Error) -> Error {
        // A URL or a header that HTTP has no form for.
        if error.is_builder() {
            return Error::Unsendable { reason: root_cause(error) };
        }
        if error.is_connect() {
            return Error::Unreachable {
                url: self.base.as_str().trim_end_matches('/').to_owned(),
                reason: root_cause(error),
            };
        }
        Error::NoAnswer { effect, why: Why::Broken(root_cause(error)) }
    }
}

fn no_room(full: Full, effect: Effect) -> Error {
    let size = |bytes| ByteSize(u64::try_from(bytes).unwrap_or(u64::MAX));
    match full {
        Full::Now { .. } => Error::Busy(Queue::NoMemory),
        Full::Always { needed, limit } => {
            Error::AnswerNeedsTooMuch { effect, needed: size(needed), limit: size(limit) }
        }
    }
}

/// The innermost words of an error: reqwest's own sentence names the URL and little else.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    match error.source() {
        Some(_) => cause.to_string(),
        None => "no reason given".to_owned(),
    }
}

/// Odoo 19 sends the same cookie twice; the last one counts.
fn session_cookie(headers: &HeaderMap) -> Option<HeaderValue> {
    let is_session = |value: &&HeaderValue| value.as_bytes().starts_with(b"session_id=");
    let mut cookie = headers.get_all(header::SET_COOKIE).iter().rfind(is_session).cloned()?;
    cookie.set_sensitive(true);
    Some(cookie)
}

/// What a page calls itself.
fn title(page: &[u8]) -> String {
    let page = String::from_utf8_lossy(page);
    let within = |tag: &str| {
        let rest = page.split_once(&format!("<{tag}>"))?.1;
        rest.split_once('<').map(|(title, _)| title.trim().chars().take(TITLE).collect::<String>())
    };
    within("title").or_else(|| within("h1")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::Config, errors::Retry};

    #[tokio::test]
    async fn what_has_no_form_in_http_is_known_not_to_have_been_sent() {
        let text = "[upstream]\nurl = \"http://127.0.0.1:9\"\ndatabase = \"d\"";
        let config = Config::parse(text, "gateway.toml".as_ref()).unwrap().upstream;
        let transport = Transport::build(&config, Arc::new(Gate::build(&config)), Arc::default()).unwrap();
        let until = Instant::now() + Duration::from_secs(10);
        let terms = Terms { claim: Claim::New, until, origin: Origin::default() };
        let request = Request::json(format!("/{}", "x".repeat(70_000)), &"", Effect::Write);
        let error = transport.post(request, terms).await.err().unwrap();
        assert_eq!((error.code().as_str(), error.retry()), ("not_sendable", Retry::No));
    }
}
