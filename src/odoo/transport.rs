//! One HTTP exchange with Odoo: sends a request body, returns status, session cookie and response body.
//!
//! Every request passes the circuit breaker and the concurrency limit. The errors distinguish "nothing was sent" from "the
//! outcome is unknown": only a connection that was never made, or a request that HTTP cannot express, counts as the first.
//! They also distinguish Odoo's own answers from those of a proxy in front of it.
//!
//! This folder imports `model` and `auth::credential` only; it knows neither protocols nor logins.

pub(in crate::odoo) mod circuit_breaker;
mod client;
pub(in crate::odoo) mod concurrency_limit;
pub(in crate::odoo) mod origin;
pub(in crate::odoo) mod public_address;
pub(in crate::odoo) mod retries;
mod server_clock;
pub(in crate::odoo) mod tls;
mod work;

use std::{path::PathBuf, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use bytesize::ByteSize;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use reqwest::Url;
use serde::Serialize;
use tokio::time::{self, Instant};

pub(in crate::odoo) use self::work::Work;
use self::{
    client::{Client, SendError},
    concurrency_limit::{How, RequestClass, UpstreamLimit},
    origin::Origin,
    public_address::PublicAddress,
    server_clock::ServerClock,
    tls::{CaDigest, TlsError},
};
use super::model::effect::Effect;
use crate::{
    config,
    memory::{self, Full},
    metrics::Metrics,
    odoo::model::error::{Error, Queue, Why},
};

/// The maximum number of characters of a page's title in an error.
const TITLE: usize = 80;
/// Most requests are no longer, so that they are written without moving what is there.
const USUAL: usize = 1 << 10;
/// How many headers a request has at most.
const HEADERS: usize = 12;
/// Nobody waits longer before another try.
const LONGEST_AFTER: Duration = Duration::from_secs(3600);

/// The HTTP client and the address of Odoo.
#[derive(Debug)]
pub(in crate::odoo) struct Transport {
    client: Client,
    /// The file of certificate authorities, if one is configured.
    ca: Option<(PathBuf, CaDigest)>,
    /// Scheme, host, port and path prefix.
    base: Url,
    public_address: PublicAddress,
    timeout: Duration,
    read_timeout: Duration,
    max_answer: ByteSize,
    limit: Arc<UpstreamLimit>,
    metrics: Arc<Metrics>,
    pub(in crate::odoo) clock: ServerClock,
}

/// Why the connection to Odoo cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("`{0}` is no address of an Odoo")]
    Address(Url),
    #[error("{0}")]
    Pauses(#[from] tower::retry::backoff::InvalidBackoff),
}

/// A request to Odoo.
pub(in crate::odoo) struct Request {
    pub(in crate::odoo) path: String,
    pub(in crate::odoo) headers: Vec<(HeaderName, HeaderValue)>,
    pub(in crate::odoo) content_type: HeaderValue,
    pub(in crate::odoo) body: Vec<u8>,
    pub(in crate::odoo) effect: Effect,
}

/// For whom a request is sent, and until when.
#[derive(Debug, Clone, Copy)]
pub(in crate::odoo) struct RequestOptions {
    pub(in crate::odoo) class: RequestClass,
    /// The deadline of the whole call. Once the call has begun to write, only the time-out of the single request counts.
    pub(in crate::odoo) until: Instant,
    pub(in crate::odoo) origin: Origin,
    /// What the concurrency limit compares it with, if with anything.
    pub(in crate::odoo) work: Option<Work>,
}

/// A complete response.
pub(in crate::odoo) struct Response {
    pub(in crate::odoo) status: StatusCode,
    /// The `Set-Cookie` value of a session that Odoo began or rotated.
    pub(in crate::odoo) session_cookie: Option<HeaderValue>,
    pub(in crate::odoo) body: Bytes,
}

impl Request {
    /// A request with a JSON body.
    #[expect(clippy::expect_used, reason = "the bodies are made of texts, numbers and JSON values, with texts as keys")]
    pub(in crate::odoo) fn json(path: impl Into<String>, body: &impl Serialize, effect: Effect) -> Self {
        let mut written = Vec::with_capacity(USUAL);
        serde_json::to_writer(&mut written, body).expect("a body that can be written as JSON");
        let content_type = HeaderValue::from_static("application/json");
        Self { path: path.into(), headers: Vec::new(), content_type, body: written, effect }
    }

    pub(in crate::odoo) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }
}

impl Transport {
    pub(in crate::odoo) fn build(
        config: &config::Upstream,
        limit: Arc<UpstreamLimit>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, Unusable> {
        let (tls, digest) = tls::load(config.ca.as_deref())?;
        let unusable = || Unusable::Address(config.url.clone());
        let public_address = PublicAddress::of(&config.url, config.public_url.as_ref()).ok_or_else(unusable)?;
        let client = Client::build(&config.url, public_address.inner.clone(), tls, config.connect_timeout);
        Ok(Self {
            client: client.ok_or_else(unusable)?,
            ca: config.ca.clone().zip(digest),
            public_address,
            base: config.url.clone(),
            timeout: config.timeout,
            read_timeout: config.read_timeout,
            max_answer: config.max_answer,
            limit,
            metrics,
            clock: ServerClock::default(),
        })
    }

    pub(in crate::odoo) fn is_at(&self, url: &Url) -> bool {
        self.base == *url
    }

    /// Whether the file of certificate authorities has not changed since it was loaded.
    pub(in crate::odoo) fn has_current_ca(&self) -> bool {
        self.ca.as_ref().is_none_or(|(path, digest)| digest.is_current(path))
    }

    /// Host and port of Odoo; none where it is reached by TLS.
    pub(in crate::odoo) fn plain_address(&self) -> Option<String> {
        let url = Some(&self.base).filter(|url| url.scheme() == "http")?;
        Some(format!("{}:{}", url.host_str()?, url.port_or_known_default()?))
    }

    pub(in crate::odoo) async fn post(&self, request: Request, options: RequestOptions) -> Result<Response, Error> {
        let mut place = self.limit.acquire(options.class, options.origin.flow, options.until).await?;
        let (effect, size) = (request.effect, request.body.len());
        // A read is abandoned at the call's deadline. A write gets the full time-out, so that its outcome becomes known.
        let reads = effect == Effect::Read && options.class != RequestClass::Begun;
        let left = options.until.saturating_duration_since(Instant::now());
        let limit = if reads { self.timeout.min(left) } else { self.timeout };
        if limit.is_zero() {
            return Err(Error::OutOfTime);
        }
        let started = Instant::now();
        let answer = time::timeout(limit, self.exchange(request, &options.origin)).await;
        let outcome = answer.unwrap_or_else(|_| Err(Error::NoAnswer { effect, why: Why::TimedOut(limit) }));
        self.limit.breaker().record(&outcome);
        if let Some(place) = &mut place {
            place.note(match (&outcome, options.work) {
                (Ok(response), Some(work)) => work.answered(size, response.body.len()),
                (Ok(_), None) => How::Unmeasured,
                (Err(error), _) => How::of_error(error),
            });
        }
        self.metrics.odoo(outcome.as_ref().err().map_or("answered", |error| error.code().as_str()), started.elapsed());
        outcome
    }

    /// Whether Odoo trusts `X-Forwarded-Host` from the gateway, and with it the address in `X-Forwarded-For`; none where the
    /// answer does not show it. The request names a host that no URL can have: an Odoo that trusts the header answers 400
    /// (16 and later) or redirects to that host (14, 15).
    pub(in crate::odoo) async fn trusts_forwarded_headers(&self, within: Duration) -> Option<bool> {
        const HOST: &str = "odoo-gateway..invalid";
        let mut headers = HeaderMap::new();
        self.public_address.set_headers(&mut headers, &Origin::default());
        headers.insert("x-forwarded-host", HeaderValue::from_static(HOST));
        let sent = self.client.send(Method::GET, "/", headers, Bytes::new());
        let answer = time::timeout(within, sent).await.ok()?.ok()?;
        let location = answer.headers().get(header::LOCATION).and_then(|to| to.to_str().ok()).unwrap_or_default();
        match answer.status().as_u16() {
            400 => Some(true),
            200..=399 => Some(location.contains(HOST)),
            _ => None,
        }
    }

    async fn exchange(&self, request: Request, origin: &Origin) -> Result<Response, Error> {
        let Request { path, headers, content_type, body, effect } = request;
        let own = headers;
        let mut headers = HeaderMap::with_capacity(HEADERS);
        headers.extend(own);
        headers.insert(header::CONTENT_TYPE, content_type);
        self.public_address.set_headers(&mut headers, origin);
        let sent = self.client.send(Method::POST, &path, headers, body.into()).await;
        let response = sent.map_err(|error| self.send_error(effect, &error))?;
        self.clock.note(response.headers());
        let status = response.status();
        if let (true, Some(to)) = (status.is_redirection(), response.headers().get(header::LOCATION)) {
            return Err(Error::Redirected { to: String::from_utf8_lossy(to.as_bytes()).into_owned() });
        }
        let no_answer = |why| Err(Error::NoAnswer { effect, why });
        if let Some(coding) = response.headers().get(header::CONTENT_ENCODING).filter(|coding| *coding != "identity") {
            return no_answer(Why::Encoded(String::from_utf8_lossy(coding.as_bytes()).into_owned()));
        }
        let session_cookie = session_cookie(response.headers());
        let after = retry_after(response.headers());
        let is_page =
            response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
        let body = self.body(response.into_body(), effect).await?;
        match status.as_u16() {
            429 => Err(Error::Overloaded { status: 429, after }),
            // Some proxies also answer 503 when Odoo goes away in the middle of a call, so for a write the outcome is unknown.
            503 if effect == Effect::Read => Err(Error::Overloaded { status: 503, after }),
            502..=504 => no_answer(Why::Status(status.as_u16())),
            // Odoo answers with a page when it has no such database; the protocols recognise that by the status.
            404 => Ok(Response { status, session_cookie, body }),
            // Refused for its head alone, by Odoo or by this gateway.
            status @ (414 | 431) => Err(Error::TurnedAway { status, title: String::new() }),
            // A time-out of a proxy in front of Odoo (nginx), or of this gateway.
            status @ (408 | 499) => no_answer(Why::Status(status)),
            status @ 400..=499 if is_page => Err(Error::TurnedAway { status, title: title(&body) }),
            status if is_page => no_answer(Why::Page { status, title: title(&body) }),
            _ => Ok(Response { status, session_cookie, body }),
        }
    }

    /// Reads the whole body, within the maximum size and the read time-out.
    async fn body(&self, mut body: Incoming, effect: Effect) -> Result<Bytes, Error> {
        let cap = self.max_answer.as_u64();
        let too_large = |size: u64| size > cap;
        if too_large(body.size_hint().lower()) {
            return Err(Error::AnswerTooLarge { effect, cap: self.max_answer });
        }
        let first = self.piece(&mut body, effect).await?.unwrap_or_default();
        if too_large(first.len() as u64) {
            return Err(Error::AnswerTooLarge { effect, cap: self.max_answer });
        }
        let read = if body.is_end_stream() {
            // A short answer comes in one piece, which is not copied.
            first
        } else {
            let mut read = BytesMut::from(first);
            while let Some(piece) = self.piece(&mut body, effect).await? {
                read.extend_from_slice(&piece);
                if too_large(read.len() as u64) {
                    return Err(Error::AnswerTooLarge { effect, cap: self.max_answer });
                }
            }
            read.freeze()
        };
        memory::take_answer(&read, effect == Effect::Write).map_err(|full| no_room(full, effect))?;
        Ok(read)
    }

    /// The next bytes of a body; none at its end.
    async fn piece(&self, body: &mut Incoming, effect: Effect) -> Result<Option<Bytes>, Error> {
        loop {
            let frame = time::timeout(self.read_timeout, body.frame()).await;
            let frame = frame.map_err(|_| Error::NoAnswer { effect, why: Why::TimedOut(self.read_timeout) })?;
            let Some(frame) = frame else { return Ok(None) };
            // Anything else is a trailer.
            if let Ok(data) = frame.map_err(|error| broken(effect, &error))?.into_data() {
                return Ok(Some(data));
            }
        }
    }

    fn send_error(&self, effect: Effect, error: &SendError) -> Error {
        match error {
            SendError::NoForm(error) => Error::Unsendable { reason: root_cause(error) },
            SendError::Exchange(error) if error.is_connect() => Error::Unreachable {
                url: self.base.as_str().trim_end_matches('/').to_owned(),
                reason: root_cause(error),
            },
            SendError::Exchange(error) => broken(effect, error),
        }
    }
}

fn broken(effect: Effect, error: &(dyn std::error::Error + 'static)) -> Error {
    Error::NoAnswer { effect, why: Why::Broken(root_cause(error)) }
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

/// The message of the innermost cause. The outer ones of hyper name the stage and little else.
fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// The time that a `Retry-After` in seconds says (RFC 9110, section 10.2.3), up to an hour. A date is not looked at: the clocks may
/// differ.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_AFTER))
}

/// The session cookie. Odoo 19 sends it twice, and the last one counts.
fn session_cookie(headers: &HeaderMap) -> Option<HeaderValue> {
    let is_session = |value: &&HeaderValue| value.as_bytes().starts_with(b"session_id=");
    let mut cookie = headers.get_all(header::SET_COOKIE).iter().rfind(is_session).cloned()?;
    cookie.set_sensitive(true);
    Some(cookie)
}

/// The title of an HTML page, or its first heading.
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
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::{config::Config, errors::Retry};

    #[test]
    fn a_retry_after_is_read_in_seconds_and_bounded() {
        let after = |value: &'static str| {
            let header = (header::RETRY_AFTER, HeaderValue::from_static(value));
            retry_after(&HeaderMap::from_iter([header])).map(|after| after.as_secs())
        };
        assert_eq!([after("120"), after(" 7 "), after("999999")], [Some(120), Some(7), Some(3600)]);
        assert_eq!([after("-1"), after("Wed, 21 Oct 2026 07:28:00 GMT"), after("")], [None, None, None]);
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }

    /// What becomes of a write to this address.
    async fn error_of(upstream: &str, path: String) -> Error {
        let text = format!("[upstream]\ndatabase = \"d\"\n{upstream}");
        let config = Config::parse(&text, "gateway.toml".as_ref()).unwrap().upstream;
        let transport = Transport::build(&config, Arc::new(UpstreamLimit::build(&config)), Arc::default()).unwrap();
        let until = Instant::now() + Duration::from_secs(10);
        let options = RequestOptions { class: RequestClass::New, until, origin: Origin::default(), work: None };
        transport.post(Request::json(path, &"", Effect::Write), options).await.err().unwrap()
    }

    #[tokio::test]
    async fn what_has_no_form_in_http_is_known_not_to_have_been_sent() {
        let error = error_of("url = \"http://127.0.0.1:9\"", format!("/{}", "x".repeat(70_000))).await;
        assert_eq!((error.code().as_str(), error.retry()), ("not_sendable", Retry::No));
    }

    #[tokio::test]
    async fn an_answer_of_a_single_piece_is_held_against_the_largest_one_too() {
        let odoo = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = format!("url = \"http://{}\"\nmax_answer = \"1 KiB\"", odoo.local_addr().unwrap());
        let answers = async {
            let (mut caller, _) = odoo.accept().await.unwrap();
            assert!(caller.read(&mut [0; 4096]).await.unwrap() > 0);
            let answer =
                format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n{:02000}\r\n0\r\n\r\n", 0);
            caller.write_all(answer.as_bytes()).await.unwrap();
            caller
        };
        let (error, _caller) = tokio::join!(error_of(&upstream, "/jsonrpc".to_owned()), answers);
        assert_eq!(error.code().as_str(), "answer_too_large");
    }

    #[tokio::test]
    async fn a_write_is_known_not_to_have_been_sent_where_no_handshake_comes_to_an_end() {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("url = \"https://{}\"\nconnect_timeout = \"100ms\"", silent.local_addr().unwrap());
        let error = error_of(&url, "/jsonrpc".to_owned()).await;
        assert_eq!((error.code().as_str(), error.retry()), ("odoo_unreachable", Retry::Safe));
        assert!(error.for_operator().contains("no connection within 0.1 s"), "{}", error.for_operator());
    }
}
