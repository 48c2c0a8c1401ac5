//! One HTTP exchange with Odoo: a JSON body out, status, cookie and bytes back.
//!
//! What matters here is to tell "nothing was sent" from "it is not known what became of it": only a connection that was
//! never made counts as the first.

use std::{error::Error as _, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::Value;

use super::{
    error::{Error, Why},
    rpc::Effect,
};
use crate::config;

/// Odoo closes a connection after each answer; a proxy before it keeps one for 60-75 s. Staying below that keeps us from
/// writing into a connection that is being closed.
const POOL_IDLE: Duration = Duration::from_secs(30);

/// The HTTP client and the address of Odoo.
#[derive(Debug)]
pub(super) struct Transport {
    client: reqwest::Client,
    /// Scheme, host, port and path prefix, without a trailing slash.
    base: String,
    timeout: Duration,
}

/// An answer that came back whole.
pub(super) struct Response {
    pub(super) status: StatusCode,
    /// The `Set-Cookie` line of a session that Odoo began or rotated.
    pub(super) session_cookie: Option<HeaderValue>,
    pub(super) body: Bytes,
}

impl Transport {
    pub(super) fn build(config: &config::Upstream) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .http1_only()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(config.connect_timeout)
            .pool_idle_timeout(POOL_IDLE)
            .user_agent(concat!("odoo-gateway/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { client, base: config.url.as_str().trim_end_matches('/').to_owned(), timeout: config.timeout })
    }

    pub(super) async fn post(
        &self,
        path: &str,
        headers: impl IntoIterator<Item = (HeaderName, HeaderValue)>,
        body: &Value,
        effect: Effect,
    ) -> Result<Response, Error> {
        let headers: HeaderMap = headers.into_iter().collect();
        let request =
            self.client.post(format!("{}{path}", self.base)).headers(headers).json(body).timeout(self.timeout);
        let response = request.send().await.map_err(|error| self.lost(effect, &error))?;
        let status = response.status();
        let session_cookie = session_cookie(response.headers());
        let body = response.bytes().await.map_err(|error| self.lost(effect, &error))?;
        match status.as_u16() {
            429 => Err(Error::Overloaded { status: 429 }),
            // Some proxies answer 503 too when Odoo went away in the middle of a call.
            503 if effect == Effect::Read => Err(Error::Overloaded { status: 503 }),
            502..=504 => Err(Error::NoAnswer { effect, why: Why::Status(status.as_u16()) }),
            _ => Ok(Response { status, session_cookie, body }),
        }
    }

    fn lost(&self, effect: Effect, error: &reqwest::Error) -> Error {
        if error.is_connect() {
            return Error::Unreachable { url: self.base.clone(), reason: root_cause(error) };
        }
        let why = if error.is_timeout() { Why::TimedOut(self.timeout) } else { Why::Broken(root_cause(error)) };
        Error::NoAnswer { effect, why }
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
