//! The HTTP client for Odoo: hyper's, with its pool of connections.
//!
//! It follows no redirect, reads no proxy from the environment, and sends a request once; hyper repeats one only where it
//! has not begun to write it, on a connection that Odoo had closed. reqwest's client is made of the same parts, but copies the
//! head of each request four times for layers that the gateway does not use.

use std::{io, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri, header, uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use reqwest::Url;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tower::{
    BoxError, ServiceExt,
    timeout::{Timeout, error::Elapsed},
    util::BoxCloneSyncService,
};

/// Odoo closes a connection after each answer; a proxy before it keeps one for 60-75 s. Staying below that keeps us from
/// writing into a connection that is being closed.
const POOL_IDLE: Duration = Duration::from_secs(30);
/// An open connection is probed this often; the other side is given up after as many probes as `PROBES`, or where it has not
/// acknowledged what was sent for this long. A firewall may forget a connection in silence.
const PROBE_EVERY: Duration = Duration::from_secs(15);
const PROBES: u32 = 3;
const UNACKNOWLEDGED: Duration = Duration::from_secs(30);
const USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("odoo-gateway/", env!("CARGO_PKG_VERSION")));

type Connector = BoxCloneSyncService<Uri, MaybeHttpsStream<TokioIo<TcpStream>>, BoxError>;

/// Sends requests to one Odoo.
#[derive(Debug)]
pub(super) struct Client {
    client: legacy::Client<Connector, Full<Bytes>>,
    scheme: uri::Scheme,
    authority: uri::Authority,
    /// A path before Odoo's own, without a trailing slash.
    prefix: String,
}

/// Why there is no head of an answer.
pub(super) enum SendError {
    /// HTTP has no form for the URL.
    NoForm(http::Error),
    Exchange(legacy::Error),
}

impl Client {
    /// A client for the Odoo at this address. A connection that has not been made, with its TLS, `within` this time has failed.
    pub(super) fn build(base: &Url, authority: uri::Authority, tls: ClientConfig, within: Duration) -> Option<Self> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(PROBE_EVERY));
        tcp.set_keepalive_interval(Some(PROBE_EVERY));
        tcp.set_keepalive_retries(Some(PROBES));
        tcp.set_tcp_user_timeout(Some(UNACKNOWLEDGED));
        let tls = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(tcp);
        let timed = Timeout::new(tls, within).map_err(move |error: BoxError| match error.is::<Elapsed>() {
            true => io::Error::new(io::ErrorKind::TimedOut, format!("no connection within {} s", within.as_secs_f32()))
                .into(),
            false => error,
        });
        let client = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(POOL_IDLE)
            .set_host(false)
            .build(BoxCloneSyncService::new(timed));
        let scheme = base.scheme().parse().ok()?;
        Some(Self { client, scheme, authority, prefix: base.path().trim_end_matches('/').to_owned() })
    }

    /// Sends a request, whose headers have its `Host`, and returns the head of the answer.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        mut headers: HeaderMap,
        body: Bytes,
    ) -> Result<Response<Incoming>, SendError> {
        headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
        headers.insert(header::USER_AGENT, USER_AGENT);
        let uri = Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query([&self.prefix, path].concat())
            .build()
            .map_err(SendError::NoForm)?;
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        self.client.request(request).await.map_err(SendError::Exchange)
    }
}
