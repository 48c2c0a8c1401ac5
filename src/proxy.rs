//! Passes requests on to Odoo: the session routes, so that callers log in as they did before, and what else `[proxy]` lists.
//!
//! The path goes out byte for byte as it came in (reqwest would rewrite it, hyper's client does not). Bodies are streamed
//! both ways. What a slow caller could hold for long - an upload, a long poll, a websocket - takes no place at the gate.

mod connections;
mod databases;
mod flow;
mod flowing;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod headers;
mod login;
mod websocket;

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, Method, Request, StatusCode, Uri, header, request::Parts, uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::{
    connections::{Connection, Connections, Failed},
    flow::{Offered, Outgoing, Watched},
    flowing::Flowing,
    login::{Form, Login},
    websocket::Websocket,
};
use crate::{
    call::{Error, auth::session_of},
    config,
    limits::{LoginThrottle, network},
    odoo::{Effect, Error as OdooError, Odoo, Origin, PublicAddress, RequestClass, TlsError, UpstreamLimit, Why, tls},
    wire::{BodyError, Passing, Path, Response},
};

/// Odoo's gevent server has these (16-19; before that 14, 15): they wait for something to happen.
const WAITING: [&str; 2] = [WEBSOCKET, "/longpolling"];
/// The only path at which Odoo goes over to another protocol (16-19).
const WEBSOCKET: &str = "/websocket";

#[derive(Debug)]
pub struct Proxy {
    odoo: Arc<Odoo>,
    login_throttle: Arc<LoginThrottle>,
    limit: Arc<UpstreamLimit>,
    main: Target,
    waiting: Target,
    timeout: Duration,
    read_timeout: Duration,
    guards_databases: bool,
    stop: CancellationToken,
}

/// One of Odoo's ports.
#[derive(Debug, Clone)]
struct Target {
    connections: Arc<Connections>,
    /// A path before Odoo's own, without a trailing slash.
    prefix: String,
    url: String,
    outside: PublicAddress,
}

/// Why nothing can be passed on.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("`{0}` is no address to pass requests to")]
    Address(String),
}

/// What is to be passed on.
pub struct Outbound {
    pub head: Parts,
    pub body: Passing,
    pub path: Path,
    pub origin: Origin,
}

/// A body that asks for more than its path says.
enum Checked {
    Nothing,
    Login(Box<Login>),
    Form(Box<Form>),
}

/// A request as Odoo gets it.
struct Prepared<'p> {
    target: &'p Target,
    /// It waits for something to happen.
    waits: bool,
    path: Path,
    request: Box<Request<Outgoing>>,
    /// Of a body that is streamed.
    offered: Option<Arc<Offered>>,
    websocket: Option<Websocket>,
    effect: Effect,
    class: RequestClass,
}

impl Proxy {
    /// Requests that are passed on take their turn at the same gate as the gateway's own calls.
    pub fn build(
        config: &config::Upstream,
        proxy: &config::Proxy,
        odoo: Arc<Odoo>,
        login_throttle: Arc<LoginThrottle>,
        stop: CancellationToken,
    ) -> Result<Self, Unusable> {
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(config.connect_timeout));
        let tls = tls(config.ca.as_deref())?;
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(connector);
        let target =
            |url: &reqwest::Url| Target::of(url, config, &connector).ok_or_else(|| Unusable::Address(url.to_string()));
        let main = target(&config.url)?;
        let waiting = config.websocket_url.as_ref().map_or_else(|| Ok(main.clone()), target)?;
        Ok(Self {
            limit: odoo.limit(),
            odoo,
            login_throttle,
            main,
            waiting,
            timeout: config.timeout,
            read_timeout: config.read_timeout,
            guards_databases: !proxy.names_databases(),
            stop,
        })
    }

    /// What ends that which has no end of its own, such as websockets.
    pub fn stop(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Whether what a request asks for is in its body, which must be there whole then.
    pub fn reads_body(&self, path: &Path) -> bool {
        login::is_login(path) || login::is_form(path) || (self.guards_databases && databases::names_service(path))
    }

    /// Sends the request to Odoo and gives its answer, whose body is streamed.
    pub async fn forward(&self, outbound: Outbound) -> Result<Response, Error> {
        // What is rare or long is on the heap: a future is as large as the largest of what it may wait for.
        let checked = match self.reads_body(&outbound.path) {
            true => Box::pin(self.check_body(&outbound)).await?,
            false => Checked::Nothing,
        };
        let address = outbound.origin.address;
        let flow = match address {
            Some(address) => self.odoo.flow(session_of(&outbound.head.headers).as_ref(), network(address)).await,
            None => outbound.origin.flow,
        };
        let Prepared { target, waits, path, request, offered, websocket, effect, class } = self.prepare(outbound)?;
        let place = self.limit.acquire(class, flow, Instant::now() + self.timeout).await?;
        let answer = self.exchange(request, offered, effect, target).await.map_err(Error::Body)?;
        if let Some(mut place) = place {
            place.note_passed(path.as_str(), answer.as_ref().map(|(response, _)| response.status()));
        }
        // The other port says nothing about this one.
        if !waits {
            self.limit.breaker().record(&answer);
        }
        let (mut response, connection) = answer?;
        // Each hop has a version of its own (RFC 9110, section 2.5): by Odoo's HTTP/1.0, callers would lose their connection.
        *response.version_mut() = http::Version::HTTP_11;
        if let Some(websocket) = websocket
            && response.status() == StatusCode::SWITCHING_PROTOCOLS
        {
            return Ok(websocket.join(response, connection, &target.outside, self.stop.clone()));
        }
        headers::to_caller(response.headers_mut(), &target.outside);
        let from = (connection, target.connections.clone());
        let response = response.map(|body| Flowing::new(body, from, self.read_timeout));
        match checked {
            Checked::Nothing => {}
            Checked::Login(login) => return Box::pin(login.read_answer(response, &self.odoo, self.timeout)).await,
            Checked::Form(form) => Box::pin(form.read_status(response.status())).await,
        }
        Ok(response.map(BodyExt::boxed_unsync))
    }

    /// Reads what is asked for in the body, where that is there.
    async fn check_body(&self, outbound: &Outbound) -> Result<Checked, Error> {
        let Outbound { head, body: Passing::Whole(body), path, origin } = outbound else { return Err(Error::Internal) };
        if login::is_login(path) {
            let checked = Login::check(body, &self.odoo, &self.login_throttle, origin.address, self.timeout).await?;
            return Ok(Checked::Login(Box::new(checked)));
        }
        if login::is_form(path) {
            // Odoo shows the page by any other method.
            return Ok(match head.method == Method::POST {
                true => Checked::Form(Box::new(Form::check(body, &self.odoo, origin.address, self.timeout).await?)),
                false => Checked::Nothing,
            });
        }
        databases::check(body)?;
        Ok(Checked::Nothing)
    }

    /// The request as Odoo gets it, and what is known of it beforehand.
    fn prepare(&self, outbound: Outbound) -> Result<Prepared<'_>, Error> {
        let Outbound { mut head, body, path, origin } = outbound;
        let waits = WAITING.iter().any(|waiting| path.as_str().strip_prefix(waiting).is_some_and(ends_segment));
        let target = if waits { &self.waiting } else { &self.main };
        let websocket = Websocket::asked(&mut head).filter(|_| path.trimmed() == WEBSOCKET);
        let effect = if head.method.is_safe() { Effect::Read } else { Effect::Write };
        let class =
            if waits || matches!(body, Passing::Streamed(_)) { RequestClass::Stream } else { RequestClass::New };
        let mut request = target.request(head, &origin, websocket.is_some())?;
        let (body, offered) = match body {
            Passing::Whole(body) => {
                // Where a body is expected, its absence is told (RFC 9110, section 8.6); hyper tells of what is there.
                if body.is_empty() && matches!(*request.method(), Method::POST | Method::PUT | Method::PATCH) {
                    request.headers_mut().insert(header::CONTENT_LENGTH, 0.into());
                }
                (Outgoing::Whole(Full::new(body)), None)
            }
            Passing::Streamed(body) => {
                let offered = Arc::<Offered>::default();
                (Outgoing::Streamed(Watched { body, offered: offered.clone() }), Some(offered))
            }
        };
        let request = Box::new(request.map(|()| body));
        Ok(Prepared { target, waits, path, request, offered, websocket, effect, class })
    }

    /// The head of Odoo's answer, or what went wrong with the caller's body. Odoo's time is that since it has had all that has
    /// come for it.
    async fn exchange(
        &self,
        request: Box<Request<Outgoing>>,
        offered: Option<Arc<Offered>>,
        effect: Effect,
        target: &Target,
    ) -> Result<Result<(http::Response<Incoming>, Connection), OdooError>, BodyError> {
        let answered = match offered {
            None => target.connections.send(request, Some(self.timeout)).await,
            Some(offered) => tokio::select! {
                biased;
                answered = target.connections.send(request, None) => answered,
                () = offered.is_left(self.timeout) => Err(Failed::TimedOut),
            },
        };
        Ok(match answered {
            Ok(answer) => Ok(answer),
            Err(Failed::Unreachable(error)) => {
                Err(OdooError::Unreachable { url: target.url.clone(), reason: words(&*error) })
            }
            Err(Failed::TimedOut) => Err(OdooError::NoAnswer { effect, why: Why::TimedOut(self.timeout) }),
            Err(Failed::Broken(error)) => match body_error(&error) {
                Some(error) => return Err(error),
                None => Err(OdooError::NoAnswer { effect, why: Why::Broken(words(&error)) }),
            },
        })
    }
}

impl Target {
    fn of(url: &reqwest::Url, config: &config::Upstream, connector: &HttpsConnector<HttpConnector>) -> Option<Self> {
        let outside = PublicAddress::of(url, config.public_url.as_ref())?;
        let to = Uri::builder().scheme(url.scheme()).authority(outside.inner.clone()).path_and_query("/");
        Some(Self {
            connections: Connections::new(to.build().ok()?, connector.clone(), config.timeout),
            prefix: url.path().trim_end_matches('/').to_owned(),
            url: url.as_str().trim_end_matches('/').to_owned(),
            outside,
        })
    }

    /// The same request, as this port gets it.
    fn request(&self, mut head: Parts, origin: &Origin, is_websocket: bool) -> Result<Request<()>, Error> {
        head.uri = self.uri(&head.uri)?;
        head.version = http::Version::HTTP_11;
        head.extensions.clear();
        headers::to_odoo(&mut head.headers);
        join_cookies(&mut head.headers);
        self.outside.set_headers(&mut head.headers, origin);
        if is_websocket {
            headers::switch_to_websocket(&mut head.headers);
        }
        Ok(Request::from_parts(head, ()))
    }

    /// Path and query, byte for byte as they came, behind the path of this port.
    fn uri(&self, asked: &Uri) -> Result<Uri, Error> {
        let path = asked.path_and_query().cloned().unwrap_or_else(|| uri::PathAndQuery::from_static("/"));
        if self.prefix.is_empty() {
            return Ok(Uri::from(path));
        }
        Uri::try_from(format!("{}{path}", self.prefix)).map_err(|_| Error::Internal)
    }
}

/// HTTP/2 may send cookies one by one; HTTP/1.1 has one header of them (RFC 9113, section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let cookies: Vec<&[u8]> = headers.get_all(header::COOKIE).iter().map(http::HeaderValue::as_bytes).collect();
    if cookies.len() > 1
        && let Ok(joined) = http::HeaderValue::from_bytes(&cookies.join(&b"; "[..]))
    {
        headers.insert(header::COOKIE, joined);
    }
}

fn ends_segment(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with('/')
}

/// What went wrong with the caller's own body, if that is why the request failed.
fn body_error(error: &(dyn std::error::Error + 'static)) -> Option<BodyError> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref::<BodyError>() {
            return Some(found.clone());
        }
        cause = error.source();
    }
    None
}

/// The innermost words of an error.
fn words(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
